#!/usr/bin/env python3
"""Our side of the comparison with other engines: what the harness calls for its target `own`.

    own.py workflows MAKER   write the workflows that are compared to $WORKFLOWS (MAKER writes those of the harness)
    own.py prepare           import, publish and activate them in the data folder $DIR/data
    own.py serve             start the server, and the sink that its slow steps report to
    own.py counts            print how many slow executions there are by status

The slow workflow is our own: a step is an HTTP Request to a sink, which writes a line to the ledger, and a wait of half a
second. So the ledger tells which steps ran, and which ran twice after a crash. Only the standard library is used.
"""

import collections
import http.server
import json
import os
import subprocess
import sys
import urllib.request

PORT = 9999
SINK_PORT = 9998
STEPS = 10
STEP_SECONDS = 0.5
COMPARED = ("hook", "run10", "fan")


def program(*arguments):
    """Runs a verb on the data folder and gives what it prints, as JSON."""
    command = [os.environ["TIMELOOM"], "--data", os.path.join(os.environ["DIR"], "data"), *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def slow_workflow():
    """Ten steps one after another, each an effect that the ledger knows."""
    hook = {"id": "hook", "name": "Webhook", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "position": [0, 0],
            "parameters": {"httpMethod": "POST", "path": "slow10", "responseMode": "onReceived", "options": {}}}
    nodes, connections = [hook], {}
    for step in range(1, STEPS + 1):
        url = f"=http://127.0.0.1:{SINK_PORT}/{{{{ $('Webhook').item.json.body.id }}}}/{step}"
        node = {"id": f"step{step}", "name": f"Step {step}", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2,
                "position": [200 * step, 0], "retryOnFail": True, "maxTries": 5, "waitBetweenTries": 200,
                "parameters": {"url": url, "options": {}}}
        wait = {"id": f"wait{step}", "name": f"Wait {step}", "type": "n8n-nodes-base.wait", "typeVersion": 1.1,
                "position": [200 * step, 200], "parameters": {"amount": STEP_SECONDS, "unit": "seconds"}}
        for following in (node, wait):
            connections[nodes[-1]["name"]] = {"main": [[{"node": following["name"], "type": "main", "index": 0}]]}
            nodes.append(following)
    return {"name": "slow10", "nodes": nodes, "connections": connections, "settings": {"executionOrder": "v1"}}


def write_workflows(maker):
    folder = os.environ["WORKFLOWS"]
    os.makedirs(folder, exist_ok=True)
    every = os.path.join(folder, "harness.json")
    subprocess.run([sys.executable, maker, every], check=True)
    with open(every, encoding="utf-8") as file:
        workflows = [workflow for workflow in json.load(file) if workflow["name"] in COMPARED]
    os.remove(every)
    for workflow in [*workflows, slow_workflow()]:
        with open(os.path.join(folder, workflow["name"] + ".json"), "w", encoding="utf-8") as file:
            json.dump(workflow, file)


def prepare():
    for name in (*COMPARED, "slow10"):
        imported = program("workflow", "import", "--json", os.path.join(os.environ["WORKFLOWS"], name + ".json"))
        program("workflow", "publish", "--json", imported["workflowId"])
        program("workflow", "activate", "--json", imported["workflowId"])


class Sink(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        execution, step = self.path.strip("/").split("/")
        # One write of one line: lines of other threads do not mix with it.
        with open(os.environ["LEDGER"], "a", encoding="utf-8") as ledger:
            ledger.write(f"{execution},{step}\n")
        body = b'{"ok":true}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


def serve():
    if os.fork() == 0:
        Server(("127.0.0.1", SINK_PORT), Sink).serve_forever()
    command = [os.environ["TIMELOOM"], "--data", os.path.join(os.environ["DIR"], "data"), "serve", "--sign-in", "off",
               "--listen", f"127.0.0.1:{PORT}", "--allow-private-hosts", f"127.0.0.1:{SINK_PORT}"]
    if os.environ.get("DURABILITY"):
        command += ["--durability", os.environ["DURABILITY"]]
    os.execv(command[0], command)


def ask(query, variables):
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}/graphql",
                                     data=json.dumps({"query": query, "variables": variables}).encode(),
                                     headers={"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["data"]


def counts():
    query = """query($after: String) { workflows(first: 100) { nodes { id name } }
        executions(first: 100, after: $after) { nodes { status workflowId } pageInfo { hasNextPage endCursor } } }"""
    found, after = collections.Counter(), None
    while True:
        data = ask(query, {"after": after})
        slow = {workflow["id"] for workflow in data["workflows"]["nodes"] if workflow["name"] == "slow10"}
        page = data["executions"]
        found.update(execution["status"].lower() for execution in page["nodes"] if execution["workflowId"] in slow)
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    print(json.dumps(found))


VERBS = {"prepare": prepare, "serve": serve, "counts": counts}

if __name__ == "__main__":
    if sys.argv[1] == "workflows":
        write_workflows(sys.argv[2])
    else:
        VERBS[sys.argv[1]]()
