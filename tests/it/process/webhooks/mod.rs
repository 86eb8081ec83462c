//! Webhooks, as callers see them: a real server process and real requests.

mod activation;
mod answers;
mod hostile;
mod requests;
mod restarts;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::server::{Server, client};

/// A webhook node.
pub(super) fn webhook(parameters: Value) -> Value {
    json!({
        "id": "hook", "name": "Webhook", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "position": [0, 0],
        "parameters": parameters
    })
}

/// A workflow of a trigger and then these nodes, one after the other.
pub(super) fn after(trigger: &Value, nodes: &[Value]) -> Value {
    let mut all = vec![trigger.clone()];
    let mut connections = serde_json::Map::new();
    for (index, node) in nodes.iter().enumerate() {
        let previous = all[index]["name"].as_str().unwrap().to_owned();
        connections.insert(previous, json!({ "main": [[{ "node": node["name"], "type": "main", "index": 0 }]] }));
        let mut node = node.clone();
        node["id"] = json!(format!("node-{index}"));
        node["position"] = json!([200 * (index + 1), 0]);
        all.push(node);
    }
    json!({ "name": "a webhook", "nodes": all, "connections": connections, "settings": { "executionOrder": "v1" } })
}

/// A node whose items are what the JSON says.
pub(super) fn gives(json_text: &str) -> Value {
    json!({
        "name": "Gives", "type": "n8n-nodes-base.set", "typeVersion": 3.4,
        "parameters": { "mode": "raw", "jsonOutput": json_text, "options": {} }
    })
}

pub(super) fn respond(parameters: Value) -> Value {
    json!({
        "name": "Respond", "type": "n8n-nodes-base.respondToWebhook", "typeVersion": 1.1, "parameters": parameters
    })
}

impl Server {
    /// Sends a mutation on a workflow; answers its payload.
    pub(super) async fn change_workflow(&self, mutation: &str, workflow_id: &str) -> Value {
        let query = format!(
            "mutation($id: UUID!) {{ payload: {mutation}(input: {{ workflowId: $id }}) {{
                position errors {{ code message }} }} }}"
        );
        self.ask(&query, json!({ "id": workflow_id })).await["payload"].clone()
    }

    /// The same, which is not refused.
    pub(super) async fn changed(&self, mutation: &str, workflow_id: &str) {
        let payload = self.change_workflow(mutation, workflow_id).await;
        assert_eq!(payload["errors"], json!([]), "{mutation}: {payload}");
    }

    /// Imports, publishes and activates; answers the workflow's id.
    pub(super) async fn activated(&self, workflow: &Value) -> String {
        let id = self.import(workflow).await;
        self.changed("publishWorkflow", &id).await;
        self.changed("activateWorkflow", &id).await;
        id
    }

    /// Replaces a draft.
    pub(super) async fn replace(&self, workflow_id: &str, workflow: &Value) {
        let query = "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { errors { message } } }";
        let input = json!({ "workflowId": workflow_id, "source": workflow.to_string() });
        let data = self.ask(query, json!({ "input": input })).await;
        assert_eq!(data["importWorkflow"]["errors"], json!([]), "{data}");
    }

    /// A request to an address of this server.
    pub(super) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        client().request(method, format!("{}{path}", self.url))
    }

    /// The same, sent.
    pub(super) async fn call(&self, method: &str, path: &str) -> Response {
        self.request(method, path).send().await.unwrap()
    }

    /// How many executions there are, once the read models show everything.
    pub(super) async fn execution_ids(&self) -> Vec<String> {
        let query = "query($after: PositionInput) { events(first: 200, types: [\"ExecutionStarted\"]) { nodes { streamId } } }";
        let _ = query;
        let listed = super::server::verb_json(&[
            "events", "list", "--json", "--type", "ExecutionStarted", "--server", &self.url,
        ]);
        let events = listed["nodes"].as_array().cloned().unwrap_or_default();
        events.iter().map(|event| event["streamId"].as_str().unwrap_or_else(|| panic!("{event}")).to_owned()).collect()
    }
}
