import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { changed } from "./change";
import type { Provider } from "./provider";
import type { Server } from "./server";

/** A name that would do something where text of others is taken for HTML. */
export const HOSTILE = `<img src=x onerror="document.title='broken into'">`;

/** Sets up a provider, routes with a fall-back, prices and limits. */
export async function gateway(server: Server, provider: Provider): Promise<void> {
  const baseUrl = `http://${provider.host}/v1`;
  for (const name of ["main", "spare"])
    await changed(server, "setGatewayProvider", "SetGatewayProviderInput", { name, protocol: "OPEN_AI", baseUrl });
  const target = (name: string, model: string, weight = 1) => ({ provider: name, model, weight });
  await changed(server, "setGatewayRoute", "SetGatewayRouteInput", {
    name: "fast",
    tiers: [{ targets: [target("main", "small-1", 3), target("spare", "small-2")] }],
    cache: "DETERMINISTIC",
  });
  await changed(server, "setGatewayRoute", "SetGatewayRouteInput", {
    name: "careful",
    tiers: [{ targets: [target("main", "broken-1")] }, { targets: [target("spare", "small-2")] }],
  });
  const price = (name: string, model: string) => ({ provider: name, model, input: "150", output: "600" });
  await changed(server, "setGatewayPrices", "SetGatewayPricesInput", {
    currency: "USD",
    models: [price("main", "small-1"), price("main", "broken-1"), price("spare", "small-2")],
  });
  await changed(server, "setGatewayLimit", "SetGatewayLimitInput", {
    name: "everybody-together",
    holder: "TENANT",
    of: "MONEY",
    money: "20",
    windowMs: 86_400_000,
  });
  await changed(server, "setGatewayLimit", "SetGatewayLimitInput", {
    name: "each-key",
    holder: "KEY",
    of: "REQUESTS_PER_MINUTE",
    most: 600,
  });
}

/** Asks a route by the client's protocol, and answers the call's id. */
export async function chat(server: Server, route: string, content: string): Promise<string> {
  const response = await server.post("/v1/chat/completions", { model: route, messages: [{ role: "user", content }] });
  await response.text();
  const { head } = await server.ask<{ head: { position: string } }>("{ head { position } }");
  await server.settled(head.position);
  const found = await server.ask<{ modelCalls: { nodes: { id: string }[] } }>(
    "query($route: String) { modelCalls(first: 1, filter: { route: $route }) { nodes { id } } }",
    { route },
  );
  return found.modelCalls.nodes[0]?.id ?? "";
}

/** An agent with a tool that it may use, and one for which somebody is asked. */
export async function supportAgent(
  server: Server,
  provider: Provider,
  name = "support",
  description = `Answers customers of the shop ${HOSTILE}`,
): Promise<void> {
  await changed(server, "registerAgent", "RegisterAgentInput", { name, description });
  const parameters = { type: "object", properties: { number: { type: "string" } }, required: ["number"] };
  const record = {
    kind: "llm",
    capabilities: ["support", "orders"],
    input_schema: { type: "string", minLength: 1, description: "What the customer writes." },
    config_schema: {
      type: "object",
      required: ["shop"],
      properties: {
        shop: { type: "string", title: "Name of the shop", minLength: 1 },
        tone: { type: "string", enum: ["kind", "brief"] },
        days: { type: "integer", minimum: 1, maximum: 30, description: "For how many days an order can be sent back." },
        signs: { type: "boolean", title: "Signs its answers" },
        languages: { type: "array", items: { type: "string" } },
      },
    },
    config: { shop: "The Long Shop", tone: "kind", days: 14, languages: ["English", "German"] },
    model: "fast",
    prompt: "You answer customers of {{config.shop}}. Look orders up before you speak of them.",
    sampling: { temperature: 0, output_tokens_max: 1000 },
    tools: [
      {
        name: "order",
        description: "Looks an order up by its number.",
        does: { kind: "http", method: "GET", url: `http://${provider.host}/orders/{number}` },
        parameters,
      },
      {
        name: "refund",
        description: "Gives the money of an order back.",
        does: { kind: "http", method: "POST", url: `http://${provider.host}/refunds` },
        parameters,
        approval: "always",
        calls_max: 1,
      },
    ],
    memory: { exchanges_max: 10 },
    limits: { turns: 8, tool_calls: 10, tokens: 50_000, cost: "0.20", time_ms: 120_000 },
  };
  await changed(server, "publishAgentVersion", "PublishAgentVersionInput", { name, record });
}

/** Runs an agent until it ends or somebody is asked, and answers the run's id. */
export async function runAgent(server: Server, input: unknown, more: Record<string, unknown> = {}): Promise<string> {
  const asked = { agent: "support", input, waitFor: "COMPLETED", timeoutMs: 20_000, ...more };
  const payload = await changed<{ runId: string }>(server, "startAgentRun", "StartAgentRunInput", asked, "runId");
  return payload.runId;
}

/** The path of a small model of the examples. */
export function modelFile(name: string): string {
  return fileURLToPath(new URL(`../../../examples/models/${name}.onnx`, import.meta.url));
}

/** Sends a model's file and makes it a version. */
export async function addModel(server: Server, model: string, file: string, promote: boolean): Promise<void> {
  const bytes = await readFile(modelFile(file));
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const begun = (await (await server.post("/models/uploads", { bytes: bytes.length, sha256 })).json()) as {
    id: string;
  };
  await server.send("PUT", `/models/uploads/${begun.id}?offset=0`, bytes);
  const what = {
    model,
    description: "Tells three kinds of irises apart by four lengths.",
    source: `${file}.onnx`,
    promote,
  };
  const response = await server.post(`/models/uploads/${begun.id}/version`, { ...what, licence: "Apache-2.0" });
  const became = (await response.json()) as { position?: string };
  if (became.position === undefined) throw new Error(JSON.stringify(became));
  await server.settled(became.position);
}

/** Asks `iris` for a flower; what it answers has the id of the inference. */
export async function flower(server: Server, lengths: readonly number[], reference = "iris"): Promise<string> {
  const input = { name: "lengths", datatype: "FP32", shape: [1, 4], data: lengths };
  const response = await server.post(`/v2/models/${reference}/infer`, { inputs: [input] });
  const answer = (await response.json()) as { id?: string; error?: string };
  if (answer.error !== undefined) throw new Error(answer.error);
  return answer.id ?? "";
}
