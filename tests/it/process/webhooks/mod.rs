//! Webhooks, as callers see them: a real server process and real requests.

mod activation;
mod answers;
mod chats;
mod forms;
mod hostile;
mod requests;
mod restarts;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::server::{Server, client};

/// A webhook node.
fn webhook(parameters: Value) -> Value {
    json!({
        "id": "hook", "name": "Webhook", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "position": [0, 0],
        "parameters": parameters
    })
}

/// A workflow of a trigger and then these nodes, one after the other.
fn after(trigger: &Value, nodes: &[Value]) -> Value {
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

/// A node that gives one item, which is what the JSON text says.
fn gives(text: &str) -> Value {
    json!({
        "name": "Gives", "type": "n8n-nodes-base.set", "typeVersion": 3.4,
        "parameters": { "mode": "raw", "jsonOutput": text, "options": {} }
    })
}

/// A Respond to Webhook node.
fn respond(parameters: Value) -> Value {
    json!({
        "name": "Respond", "type": "n8n-nodes-base.respondToWebhook", "typeVersion": 1.1, "parameters": parameters
    })
}

/// A workflow that answers with its trigger's item.
fn echo(mut parameters: Value) -> Value {
    parameters["responseMode"] = json!("lastNode");
    after(&webhook(parameters), &[])
}

impl Server {
    /// Sends a mutation on a workflow; answers its payload.
    async fn change_workflow(&self, mutation: &str, workflow_id: &str) -> Value {
        let query = format!(
            "mutation($id: UUID!) {{ payload: {mutation}(input: {{ workflowId: $id }}) {{
                position errors {{ code message }} }} }}"
        );
        self.ask(&query, json!({ "id": workflow_id })).await["payload"].clone()
    }

    /// The same, which is not refused.
    async fn changed(&self, mutation: &str, workflow_id: &str) {
        let payload = self.change_workflow(mutation, workflow_id).await;
        assert_eq!(payload["errors"], json!([]), "{mutation}: {payload}");
    }

    /// Imports, publishes and activates; answers the workflow's id.
    async fn activated(&self, workflow: &Value) -> String {
        let id = self.import(workflow).await;
        self.changed("publishWorkflow", &id).await;
        self.changed("activateWorkflow", &id).await;
        id
    }

    /// Replaces a draft.
    async fn replace(&self, workflow_id: &str, workflow: &Value) {
        let query = "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { errors { message } } }";
        let input = json!({ "workflowId": workflow_id, "source": workflow.to_string() });
        let data = self.ask(query, json!({ "input": input })).await;
        assert_eq!(data["importWorkflow"]["errors"], json!([]), "{data}");
    }

    /// A request to an address of this server.
    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        client().request(method, format!("{}{path}", self.url))
    }

    /// The same, sent: status and text of the answer.
    async fn call(&self, method: &str, path: &str) -> (u16, String) {
        told(self.request(method, path).send().await.unwrap()).await
    }

    /// How many executions have begun.
    async fn executions(&self) -> usize {
        let query = "{ events(first: 100, filter: { types: [\"ExecutionStarted\"] }) { nodes { id } } }";
        self.ask(query, json!({})).await["events"]["nodes"].as_array().unwrap().len()
    }
}

/// Status and text of an answer.
async fn told(response: Response) -> (u16, String) {
    (response.status().as_u16(), response.text().await.unwrap())
}

/// Status and JSON of an answer.
async fn told_json(response: Response) -> (u16, Value) {
    let (status, text) = told(response).await;
    (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
}
