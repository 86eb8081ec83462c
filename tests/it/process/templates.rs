//! Workflows and agents to begin with, as the program brings them along.

use serde_json::{Value, json};

use super::crash::ended_status;
use super::server::{Server, client, verb, verb_json};
use crate::tree::root;

fn use_it(server: &Server, words: &[&str]) -> Value {
    verb_json(&[&["template", "use"], words, &["--server", &server.url, "--json"]].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_template_becomes_what_it_says_and_what_needs_nothing_runs() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let listed = verb_json(&["template", "list", "--json"]);
    let answer = server.ask("{ templates { name kind title description needs source } }", json!({})).await;
    for (told, template) in listed.as_array().unwrap().iter().zip(answer["templates"].as_array().unwrap()) {
        let name = told["name"].as_str().unwrap();
        assert_eq!(
            [&told["name"], &told["title"], &told["needs"]],
            ["name", "title", "needs"].map(|key| &template[key])
        );
        let made = use_it(&server, &[name]);
        assert_eq!(made["errors"], json!([]), "{name}");
        match template["kind"].as_str() {
            Some("WORKFLOW") => {
                // What it needs may be what the draft lacks: a credential that only its owner has.
                let lacks: Vec<&Value> = made["draftProblems"].as_array().unwrap().iter().collect();
                let is_told = |problem: &&Value| problem["message"].as_str().unwrap().contains("credential");
                assert!(
                    lacks.iter().all(is_told) && (lacks.is_empty() || told["needs"] != json!([])),
                    "{name}: {lacks:?}"
                );
                assert_eq!(made["workflow"]["missingNodes"], json!([]), "{name}");
            }
            kind => {
                assert_eq!(kind, Some("AGENT"));
                assert_eq!(made["agent"]["newestVersion"]["version"], 1, "{name}");
            }
        }
    }
    assert_eq!(listed.as_array().unwrap().len(), answer["templates"].as_array().unwrap().len());

    let made = use_it(&server, &["sum-up-open-orders", "--as", "My orders"]);
    let query = "mutation($input: StartExecutionInput!) { startExecution(input: $input) { executionId } }";
    let input = json!({ "workflowId": made["workflowId"], "mode": "MANUAL" });
    let id = server.ask(query, json!({ "input": input })).await["startExecution"]["executionId"].clone();
    let id = id.as_str().unwrap();
    assert_eq!(ended_status(&server, id).await, "COMPLETED");
    let query = "query($id: UUID!) { execution(id: $id) { workflow { name } } }";
    let shown = server.ask(query, json!({ "id": id })).await["execution"].clone();
    assert_eq!(shown["workflow"]["name"], "My orders");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_asks_by_the_route_that_is_named_and_bad_words_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    use_it(&server, &["sort-messages", "--as", "post", "--model", "steady"]);
    let query = r#"{ agent(name: "post") { newestVersion { model } description } }"#;
    let agent = server.ask(query, json!({})).await["agent"].clone();
    assert_eq!(agent["newestVersion"]["model"], "steady");
    assert!(agent["description"].as_str().unwrap().starts_with("Reads a message"));
    for (words, why) in [
        (&["no-such"][..], "timeloom template list names them"),
        (&["answer-a-webhook", "--model", "fast"], "--model is for agents"),
        (&["sort-messages", "--as", "No Name"], "name"),
    ] {
        let output = verb(&[&["template", "use"], words, &["--server", &server.url]].concat());
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && told.contains(why), "{words:?}: {told}");
    }
    let shown = verb_json(&["template", "show", "sort-messages"]);
    assert_eq!(shown["model"], "fast");
}

/// The workflow of a template that brings a model's version into service, at a server, after a second instead of an hour.
fn bringing(server: &Server, version: u32) -> Value {
    let mut workflow = verb_json(&["template", "show", "bring-a-model-into-service"]);
    for node in workflow["nodes"].as_array_mut().unwrap() {
        let parameters = &mut node["parameters"];
        if let Some(settings) = parameters.pointer_mut("/assignments/assignments") {
            for setting in settings.as_array_mut().unwrap() {
                match setting["name"].as_str().unwrap() {
                    "server" => setting["value"] = json!(server.url),
                    "model" => setting["value"] = json!("mood"),
                    "version" => setting["value"] = json!(version),
                    _ => {}
                }
            }
        }
        // Nobody signs in at this server.
        if parameters["authentication"] == "headerAuth" {
            parameters["authentication"] = json!("none");
        }
        if parameters["unit"] == "hours" {
            parameters["unit"] = json!("seconds");
        }
    }
    workflow
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_is_brought_into_service_only_if_it_answers_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--allow-private-hosts", "*"]);
    for (file, promote) in [("mlp.onnx", true), ("mlp-again.onnx", false), ("identity.onnx", false)] {
        let path = root().join("inference/runtime/tests/models").join(file);
        let mut words = vec!["model", "add", "mood", path.to_str().unwrap(), "--server", &server.url];
        words.extend(promote.then_some("--promote"));
        let added = verb(&words);
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    }
    for seed in 0..5_u8 {
        let data = vec![f32::from(seed) / 10.0; 8];
        let question = json!({ "inputs": [{ "name": "x", "shape": [1, 8], "datatype": "FP32", "data": data }] });
        let answer =
            client().post(format!("{}/v2/models/mood/infer", server.url)).json(&question).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    for (version, status, error, promoted) in [(3, "FAILED", "5 failed", 1), (2, "COMPLETED", "", 2)] {
        let workflow = server.import(&bringing(&server, version)).await;
        let query = "mutation($input: StartExecutionInput!) { startExecution(input: $input) { executionId } }";
        let input = json!({ "workflowId": workflow, "mode": "MANUAL" });
        let id = server.ask(query, json!({ "input": input })).await["startExecution"]["executionId"].clone();
        assert_eq!(ended_status(&server, id.as_str().unwrap()).await, status, "version {version}");
        let query =
            "query($id: UUID!) { execution(id: $id) { errorMessage } model(name: \"mood\") { promotedVersion } }";
        let shown = server.ask(query, json!({ "id": id })).await;
        assert!(shown["execution"]["errorMessage"].as_str().unwrap_or_default().contains(error), "{shown}");
        assert_eq!(shown["model"]["promotedVersion"], promoted, "{shown}");
    }
}
