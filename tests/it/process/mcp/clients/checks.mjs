// What the client from npm finds: each line that begins with `held` is one thing that is as it should be.

import assert from "node:assert";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [program, url, key, workflow] = process.argv.slice(2);

const held = (what, holds = true) => {
  assert.ok(holds, what);
  console.log("held", what);
};

const looks = async (name, transport) => {
  const client = new Client({ name: "checks", version: "1" });
  await client.connect(transport);
  held(`${name}: tools are listed`, (await client.listTools()).tools.length === 13);
  const ran = await client.callTool({ name: "run_workflow", arguments: { workflowId: workflow, items: [{ n: 1 }] } });
  held(`${name}: a workflow runs`, ran.structuredContent.status === "COMPLETED");
  const uri = `timeloom://execution/${ran.structuredContent.executionId}`;
  const read = await client.readResource({ uri });
  held(`${name}: its execution is a resource`, JSON.parse(read.contents[0].text).status === "COMPLETED");
  const refused = await client.callTool({ name: "get_workflow", arguments: {} });
  held(`${name}: bad arguments are told`, refused.isError === true);
  await client.close();
};

const headers = { Authorization: `Bearer ${key}` };
await looks("http", new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers } }));
const env = { ...process.env, TIMELOOM_TOKEN: key };
await looks("stdio", new StdioClientTransport({ command: program, args: ["mcp", "--server", url], env, stderr: "ignore" }));
