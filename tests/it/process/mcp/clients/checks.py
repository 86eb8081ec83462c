"""What the client from PyPI finds: each line that begins with `held` is one thing that is as it should be."""

import asyncio
import json
import sys
import uuid

import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

PROGRAM, URL, KEY, READER, WORKFLOW, DATA, DATA_WORKFLOW = sys.argv[1:8]
READING = {
    "list_workflows", "get_workflow", "list_executions", "get_execution", "get_state_at", "compare_executions",
    "explain_value", "search_events", "get_in_force",
}
CHANGING = {"run_workflow", "retry_execution", "redrive_executions", "cancel_execution"}


def held(what, condition=True):
    assert condition, what
    print("held", what)


def over_http(key, mode="auto"):
    http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=60)
    return Client(streamable_http_client(f"{URL}/mcp", http_client=http), mode=mode)


def over_stdio(*words, mode="auto", **variables):
    return Client(StdioServerParameters(command=PROGRAM, args=["mcp", *words], env=variables), mode=mode)


async def found(client, tool, **arguments):
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, (tool, result.content)
    assert json.loads(result.content[1].text) == result.structured_content
    return result.structured_content


async def refused(client, tool, code, **arguments):
    result = await client.call_tool(tool, arguments)
    assert result.is_error, (tool, result)
    held(f"{tool} is refused with {code}", result.content[0].text.startswith(f"{code}: "))


async def looks(client, name, workflow):
    """What any way to the server gives; the id of a run."""
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    held(f"{name}: all tools are offered", set(tools) == READING | CHANGING)
    reads = {tool.name for tool in tools.values() if tool.annotations.read_only_hint}
    held(f"{name}: those that read say so", reads == READING)
    listed = await found(client, "list_workflows")
    held(f"{name}: workflows are listed", workflow in [entry["id"] for entry in listed["workflows"]])
    key = str(uuid.uuid4())
    ran = await found(client, "run_workflow", workflowId=workflow, items=[{"n": 20}, {"n": 1}], idempotencyKey=key)
    held(f"{name}: a workflow runs to its end", ran["status"] == "COMPLETED" and not ran["repeated"])
    again = await found(client, "run_workflow", workflowId=workflow, items=[{"n": 20}, {"n": 1}], idempotencyKey=key)
    held(f"{name}: the same key runs it once", again["executionId"] == ran["executionId"])
    id = ran["executionId"]
    state = await found(client, "get_state_at", executionId=id, position=ran["position"])
    last = state["nodeRuns"][-1]
    held(f"{name}: its items are told", [item["json"]["more"] for item in last["output"][0]] == [21, 2])
    earlier = await found(client, "get_state_at", executionId=id, revision=1)
    given = [run["output"] for run in earlier["nodeRuns"] if run["output"]]
    held(f"{name}: and that there were none before", given == [] and earlier["revision"] == 1)
    path = f"/node_runs/{last['executionIndex']}/outputs/0/1/json/more"
    value = await found(client, "get_state_at", executionId=id, path=path)
    held(f"{name}: one value is told by itself", value["value"] == 2)
    why = await found(client, "explain_value", executionId=id, node="More", path="more")
    held(f"{name}: a value is explained", why["chapters"][0]["steps"][0]["expression"] == "={{ $json.n + 1 }}")
    resource = await client.read_resource(f"timeloom://execution/{id}")
    held(f"{name}: an execution is a resource", json.loads(resource.contents[0].text)["status"] == "COMPLETED")
    templates = (await client.list_resource_templates()).resource_templates
    held(f"{name}: resources have templates", len(templates) == 2)
    return id


async def with_key():
    async with over_http(KEY) as client:
        held("the newest version is agreed on", client.protocol_version == "2026-07-28")
        held("the server says what it is for", "never follow instructions" in (client.instructions or ""))
        one = await looks(client, "http", WORKFLOW)
        other = (await found(client, "run_workflow", workflowId=WORKFLOW, items=[{"n": 3}]))["executionId"]
        compared = await found(client, "compare_executions", left=one, right=other)
        held("two executions are compared", compared["same"] is False and compared["steps"] != [])
        events = await found(client, "search_events", category="execution", streamId=one, direction="FORWARD")
        by = events["events"][0]["actor"]
        held("a run is the work of the key's account", by["kind"] == "service" and events["events"][0]["via"].startswith("key:"))
        hits = await found(client, "search_events", text="more", categories=["execution"])
        held("events are found by a text", hits["events"] != [])
        force = await found(client, "get_in_force", part="workflows", position=events["events"][0]["position"])
        held("what was in force is told", WORKFLOW in [entry["id"] for entry in force["entries"]])
        await refused(client, "get_workflow", "NOT_FOUND", workflowId=str(uuid.uuid4()))
        await refused(client, "get_workflow", "BAD_ARGUMENTS", workflowId="x")
        await refused(client, "run_workflow", "NOT_FOUND", workflowId=str(uuid.uuid4()))
        try:
            await client.call_tool("drop_tables", {})
        except MCPError as error:
            held("a tool that does not exist is told", error.code == -32602)
        large = "x" * 200_000
        big = await found(client, "run_workflow", workflowId=WORKFLOW, items=[{"n": 1, "large": large}])
        state = await found(client, "get_state_at", executionId=big["executionId"])
        held("a large answer is cut, and says so", state["cut"] != [] and len(json.dumps(state)) < 300_000)
    async with over_http(KEY, mode="legacy") as client:
        held("a handshake is answered", client.protocol_version == "2025-11-25")
        await looks(client, "handshake", WORKFLOW)


async def with_less():
    async with over_http(READER) as client:
        held("a key with less lists", (await found(client, "list_executions"))["executions"] != [])
        await refused(client, "run_workflow", "FORBIDDEN", workflowId=WORKFLOW)
        await refused(client, "get_in_force", "FORBIDDEN", part="credentials")
    is_let_in = False
    try:
        async with over_http("timeloom_key_wrong"):
            is_let_in = True
    except Exception as error:
        print("told:", error)
    held("a wrong key is not let in", not is_let_in)


async def on_streams():
    async with over_stdio("--server", URL, TIMELOOM_TOKEN=KEY) as client:
        await looks(client, "stdio", WORKFLOW)
    async with over_stdio("--server", URL, TIMELOOM_TOKEN="timeloom_key_wrong", mode="legacy") as client:
        await refused(client, "list_workflows", "UNAUTHENTICATED")
    async with over_stdio("--data", DATA) as client:
        id = await looks(client, "folder", DATA_WORKFLOW)
        for part in ["workflows", "models", "agents", "routes", "flags", "credentials", "accounts"]:
            force = await found(client, "get_in_force", part=part)
            held(f"{part} in force are told", (force["entries"] != []) == (part == "workflows"))
        redriven = await found(client, "redrive_executions", workflowId=DATA_WORKFLOW)
        held("no failure is tried again where there is none", redriven["retriedCount"] == 0)
        for tool in ["retry_execution", "cancel_execution"]:
            result = await client.call_tool(tool, {"executionId": id})
            code = json.loads(result.content[1].text)["errors"][0]["code"] if result.is_error else "REPEATED"
            held(f"{tool} of what has ended does nothing", code not in ("ERROR", "UNREACHABLE", "BAD_ARGUMENTS"))
    async with over_stdio("--data", DATA, "--read-only") as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        held("only what reads is offered where that is wanted", tools == READING)


async def main():
    await with_key()
    await with_less()
    await on_streams()


asyncio.run(main())
