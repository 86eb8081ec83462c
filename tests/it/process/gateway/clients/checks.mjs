// What the stock client from npm finds: each line that begins with `held` is one thing that is as it should be.

import assert from "node:assert/strict";
import OpenAI from "openai";

const [url, key] = process.argv.slice(2);
const client = (apiKey = key) => new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
const hello = [{ role: "user", content: "hello" }];
const said = "Good morning, how may I be of help to you today?";

function held(what, condition) {
  assert.ok(condition, what);
  console.log("held", what);
}

const asked = client();
for (const model of ["assistant", "by-anthropic", "by-ollama"]) {
  const whole = await asked.chat.completions.create({ model, messages: hello });
  held(`${model}: a whole answer`, whole.choices[0].message.content === said);

  let text = "";
  let usage = null;
  const stream = await asked.chat.completions.create({
    model,
    messages: hello,
    stream: true,
    stream_options: { include_usage: true },
  });
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? "";
    usage = chunk.usage ?? usage;
  }
  held(`${model}: a stream`, text === said);
  // How many there are the provider says: what stands in for one here counts none of other protocols than OpenAI's.
  const least = model === "assistant" ? 1 : 0;
  held(`${model}: the tokens of a stream`, Number.isInteger(usage?.total_tokens) && usage.total_tokens >= least);

  const look = { type: "function", function: { name: "look", parameters: { type: "object", properties: {} } } };
  const weather = await asked.chat.completions.create({
    model,
    messages: [{ role: "user", content: "weather" }],
    tools: [look],
  });
  const call = weather.choices[0].message.tool_calls[0].function;
  held(`${model}: a call of a tool`, call.name === "look" && JSON.parse(call.arguments).at === "the sky");
}

const vectors = await asked.embeddings.create({ model: "assistant", input: ["one", "two"] });
held("vectors as base64", vectors.data.length === 2 && vectors.data[0].embedding.length > 3);

const names = [];
for await (const model of asked.models.list()) names.push(model.id);
held("the list of routes", names.includes("assistant"));

const wrong = await client("timeloom_key_wrong")
  .chat.completions.create({ model: "assistant", messages: hello })
  .catch((error) => error);
held("a wrong key", wrong instanceof OpenAI.AuthenticationError && wrong.code === "invalid_api_key");
