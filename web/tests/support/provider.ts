import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from "node:http";

/** A message as OpenAI's protocol has it. */
interface Message {
  role: string;
  content: unknown;
  tool_calls?: unknown[];
}

interface Asked {
  model: string;
  messages: Message[];
  stream?: boolean;
}

/**
 * A provider of a language model, and a shop that the model's tools ask. It answers by rules, so that what it says is the
 * same each time: `order N` is looked up, `refund N` is asked for, and what a tool gave is repeated.
 */
export class Provider {
  private constructor(
    private readonly server: HttpServer,
    readonly host: string,
  ) {}

  static async start(): Promise<Provider> {
    const server = createServer((request, response) => void answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the provider has no port");
    return new Provider(server, `127.0.0.1:${address.port}`);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const path = request.url ?? "/";
  if (path.endsWith("/chat/completions")) {
    const asked = JSON.parse(Buffer.concat(chunks).toString()) as Asked;
    if (asked.model === "broken-1") send(response, 500, { error: { message: "the machine room is on fire" } });
    else send(response, 200, completion(asked));
  } else if (path.startsWith("/orders/")) {
    send(response, 200, { number: path.split("/")[2], state: "on its way", carrier: "Northern Parcels" });
  } else if (path.startsWith("/refunds")) {
    send(response, 200, { refunded: true });
  } else {
    send(response, 404, { error: { message: "there is nothing here" } });
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

function completion(asked: Asked): unknown {
  const message = speak(asked);
  return {
    id: "completion",
    object: "chat.completion",
    created: 1,
    model: asked.model,
    choices: [{ index: 0, message, finish_reason: message.tool_calls === undefined ? "stop" : "tool_calls" }],
    usage: { prompt_tokens: 120, completion_tokens: 24, total_tokens: 144 },
  };
}

function speak({ messages }: Asked): Message {
  const last = messages.at(-1);
  const text = textOf(last?.content);
  if (last?.role === "tool") {
    const isBrief = messages.some((message) => /be brief/i.test(textOf(message.content)));
    const state = text.includes("refunded")
      ? "The money is on its way back"
      : text.includes("lost")
        ? "It is lost"
        : "It is on its way";
    return {
      role: "assistant",
      content: isBrief ? `${state}.` : `${state}. Is there anything else that I can do for you?`,
    };
  }
  const found = /(order|refund)\D*(\d+)/i.exec(text);
  if (!found) return { role: "assistant", content: `You said: ${text.slice(0, 200)}` };
  const [, name = "", number = ""] = found;
  const call = { name: name.toLowerCase(), arguments: JSON.stringify({ number }) };
  return {
    role: "assistant",
    content: `I look after ${name.toLowerCase()} ${number}.`,
    tool_calls: [{ id: `call_${messages.length}`, type: "function", function: call }],
  };
}

function textOf(content: unknown): string {
  return typeof content === "string" ? content : content === undefined ? "" : JSON.stringify(content);
}
