//! A value followed through the workflow that a node called, back to what started the first execution.

use serde_json::{Value, json};

use super::server::{Server, chain, set, verb, verb_json};

#[tokio::test(flavor = "multi_thread")]
async fn a_value_is_followed_into_the_called_workflow_and_back_to_the_first_trigger() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let mut inner = chain("Inner", &[set("Twice", "twice", "={{ $json.n * 2 }}")]);
    inner["nodes"][0] = json!({
        "id": "start", "name": "Start", "type": "n8n-nodes-base.executeWorkflowTrigger", "typeVersion": 1.1,
        "position": [0, 0], "parameters": { "inputSource": "passthrough" }
    });
    let inner = server.import(&inner).await;
    let call = json!({
        "name": "Call", "type": "n8n-nodes-base.executeWorkflow", "typeVersion": 1.1,
        "parameters": { "workflowId": inner, "options": {} }
    });
    let outer = chain("Outer", &[set("Give", "n", "={{ 20 + 1 }}"), call, set("Last", "total", "={{ $json.twice }}")]);
    let outer = server.import(&outer).await;
    let execution = server.start_execution(&outer, "COMPLETED").await["executionId"].as_str().unwrap().to_owned();
    let at = ["--server", &server.url];

    let found = verb_json(&["explain", &execution, "Last", "total", "--json", at[0], at[1]]);
    let chapters = found["chapters"].as_array().unwrap();
    let borders: Vec<&str> = chapters.iter().map(|chapter| chapter["border"].as_str().unwrap()).collect();
    assert_eq!(borders, ["ASKED", "CALLED", "CALLER"], "{found}");
    let nodes = |chapter: &Value| -> Vec<String> {
        chapter["steps"].as_array().unwrap().iter().map(|step| step["node"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(nodes(&chapters[0])[..2], ["Last", "Call"]);
    assert_eq!(nodes(&chapters[1])[..2], ["Twice", "Start"]);
    assert_eq!(nodes(&chapters[2])[0], "Give");
    assert_eq!(chapters[2]["steps"][0]["expression"], "={{ 20 + 1 }}");
    assert_eq!((&chapters[0]["executionId"], &chapters[2]["executionId"]), (&json!(execution), &json!(execution)));
    assert!(chapters[1]["trigger"].as_str().unwrap().starts_with("called by 'Call' of execution"), "{found}");

    let told = verb(&["explain", &execution, "Last", "total", at[0], at[1]]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("started by hand or by the API") && told.contains("'Twice' run 0"), "{told}");
    let refused = verb(&["explain", &execution, "Last", "nothing", at[0], at[1]]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && said.contains("Last run 0: /json/nothing"), "{said}");
    server.stop();
}
