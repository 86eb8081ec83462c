//! Nodes of services that this build lacks are replaced when somebody asks for it, and all that differs is told.

use serde_json::{Value, json};

use crate::support::{TestServer, unknown_id, workflow_file};

const REPLACED: &str = "workflowId repeated errors { code message ... on Refused { problems { node message } } }
    replacedNodes { node nodeType service { name baseUrl refusal } needs dropped differs replacement }
    workflow { missingNodes { node service { name documentation refusal } replacement } }";

/// A file with a node that is offered, one that is not, and one that the build has.
fn file_of_services() -> Value {
    let mut file = workflow_file("Services");
    let node = |name: &str, operation: &str| {
        json!({"name": name, "type": "n8n-nodes-base.slack", "typeVersion": 2.3, "parameters": {
            "operation": operation, "channelId": "C1", "text": "={{ $json.a }}", "ts": "1", "colour": "red"}})
    };
    let nodes = file["nodes"].as_array_mut().unwrap();
    nodes.extend([node("Tell", "post"), node("Ask", "sendAndWait")]);
    file
}

#[tokio::test]
async fn an_import_takes_the_offers_of_service_nodes_when_it_is_asked_to() {
    let server = TestServer::start();
    let import =
        format!("mutation($input: ImportWorkflowInput!) {{ payload: importWorkflow(input: $input) {{ {REPLACED} }} }}");
    let data = server.data(&import, json!({ "input": { "definition": file_of_services() } })).await;
    let missing = &data["payload"]["workflow"]["missingNodes"];
    assert_eq!((missing.as_array().unwrap().len(), &data["payload"]["replacedNodes"]), (2, &json!([])));
    let command_id = unknown_id();
    let input =
        json!({ "input": { "definition": file_of_services(), "replaceServiceNodes": true, "commandId": command_id } });
    let first = server.data(&import, input.clone()).await;
    let payload = &first["payload"];
    assert_eq!(payload["errors"], json!([]));
    let replaced = &payload["replacedNodes"][0];
    assert_eq!((&replaced["node"], &replaced["nodeType"]), (&json!("Tell"), &json!("n8n-nodes-base.slack")));
    assert_eq!((&replaced["service"]["name"], &replaced["service"]["refusal"]), (&json!("Slack"), &Value::Null));
    assert_eq!(replaced["dropped"], json!(["ts", "colour"]));
    assert!(replaced["needs"][0].as_str().unwrap().contains("httpBearerAuth"), "{replaced}");
    let missing = payload["workflow"]["missingNodes"].as_array().unwrap();
    assert_eq!((missing.len(), &missing[0]["node"]), (1, &json!("Ask")));
    assert!(missing[0]["service"]["refusal"].as_str().unwrap().contains("not in the table"), "{missing:?}");
    let second = server.data(&import, input).await;
    assert_eq!(
        (&second["payload"]["repeated"], &second["payload"]["replacedNodes"]),
        (&json!(true), &payload["replacedNodes"])
    );
    server.stop().await;
}

#[tokio::test]
async fn nodes_of_a_draft_are_replaced_later_and_a_refusal_says_why_not() {
    let server = TestServer::start();
    let import =
        format!("mutation($input: ImportWorkflowInput!) {{ payload: importWorkflow(input: $input) {{ {REPLACED} }} }}");
    let data = server.data(&import, json!({ "input": { "definition": file_of_services() } })).await;
    let id = &data["payload"]["workflowId"];
    let replace = format!(
        "mutation($input: ReplaceServiceNodesInput!) {{ payload: replaceServiceNodes(input: $input) {{ {REPLACED} }} }}"
    );
    let ask = async |nodes: Value, command_id: &Value| {
        let input = json!({ "input": { "workflowId": id, "nodes": nodes, "commandId": command_id } });
        server.data(&replace, input).await["payload"].clone()
    };
    for (nodes, code, part) in [
        (json!(["Tell", "Ask"]), "NODE_NOT_REPLACEABLE", "'sendAndWait' of 'message' is not in the table"),
        (json!(["Fill"]), "NODE_NOT_REPLACEABLE", "needs no replacement"),
        (json!(["Nobody"]), "NODE_NOT_REPLACEABLE", "no such node"),
        (json!([]), "INVALID_INPUT", "leave `nodes` out"),
    ] {
        let error = ask(nodes, &Value::Null).await["errors"][0].clone();
        assert_eq!(error["code"], code, "{error}");
        assert!(error.to_string().contains(part), "'{part}' is not in {error}");
    }
    let command_id = json!(unknown_id());
    let payload = ask(json!(["Tell"]), &command_id).await;
    assert_eq!((&payload["errors"], &payload["replacedNodes"][0]["node"]), (&json!([]), &json!("Tell")));
    assert_eq!(payload["workflow"]["missingNodes"].as_array().unwrap().len(), 1);
    let again = ask(json!(["Tell"]), &command_id).await;
    assert_eq!((&again["repeated"], &again["replacedNodes"]), (&json!(true), &payload["replacedNodes"]));
    let events = "query($id: UUID!) { workflow(id: $id) { events { nodes { type } } definition } }";
    let workflow = server.data(events, json!({ "id": id })).await["workflow"].clone();
    assert_eq!(workflow["events"]["nodes"][1]["type"], "WorkflowUpdated", "{workflow}");
    let names = workflow["definition"]["nodes"].as_array().unwrap().iter().map(|node| node["type"].as_str().unwrap());
    assert_eq!(names.filter(|name| name.ends_with("httpRequest")).count(), 1);
    let all = ask(Value::Null, &Value::Null).await;
    assert_eq!((&all["errors"], &all["replacedNodes"]), (&json!([]), &json!([])), "nothing more is offered");
    server.stop().await;
}
