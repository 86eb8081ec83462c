//! Capsules as test cases of a workflow: kept by the server, run by replay checks, and by the gate before a version is published.

use std::fs;
use std::io::{Cursor, Read as _, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;

use super::server::{Server, chain, set, verb, verb_json};

/// Signs quickly, so that tests need not wait a minute.
const QUICK: [&str; 4] = ["--checkpoint-seconds", "1", "--allow-private-hosts", "*"];
const ADD: &str = "mutation($input: AddWorkflowTestCaseInput!) { addWorkflowTestCase(input: $input) {
    testCase { name } errors { code message } } }";

/// What a verb prints for people, and its exit status.
fn printed(arguments: &[&str]) -> (i32, String, String) {
    let output = verb(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// A workflow that computes, asks this server, and computes on.
fn order(server: &Server, last: &Value) -> Value {
    let call = json!({
        "name": "Call", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2,
        "parameters": { "url": format!("={{{{ '{}/health/live?n=' + $json.n }}}}", server.url), "options": {} }
    });
    chain("Order", &[set("Step", "n", "={{ 41 + 1 }}"), call, last.clone()])
}

fn last(factor: u32) -> Value {
    set("Last", "m", &format!("={{{{ $('Step').item.json.n * {factor} }}}}"))
}

/// A workflow, with a capsule of an execution of it in a file.
async fn recorded(server: &Server, file: &Path) -> String {
    let workflow = server.import(&order(server, &last(2))).await;
    let started = server.start_execution(&workflow, "COMPLETED").await;
    let execution = started["executionId"].as_str().unwrap();
    made(server, execution, file);
    workflow
}

fn made(server: &Server, execution: &str, file: &Path) {
    let file = file.to_str().unwrap();
    verb_json(&["capsule", "make", execution, "-o", file, "--server", &server.url, "--json"]);
}

/// Makes this the draft.
async fn redrawn(server: &Server, workflow: &str, definition: &Value) {
    let query = "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { errors { message } } }";
    let input = json!({ "workflowId": workflow, "source": definition.to_string() });
    let data = server.ask(query, json!({ "input": input })).await;
    assert_eq!(data["importWorkflow"]["errors"], json!([]), "{data}");
}

/// The answers of the test cases under the draft.
fn checked(server: &Server, workflow: &str) -> (i32, Value) {
    let arguments = ["replay", "--workflow", workflow, "--last", "0", "--tests", "--against", "draft", "--json"];
    let (code, told, said) = printed(&[&arguments[..], &["--server", &server.url]].concat());
    let check: Value = serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told} {said}"));
    (code, check["testCases"].clone())
}

fn listed(server: &Server, workflow: &str) -> Vec<Value> {
    let list = verb_json(&["workflow", "tests", "list", workflow, "--json", "--server", &server.url]);
    list.as_array().unwrap().clone()
}

fn publish(server: &Server, workflow: &str, more: &[&str]) -> (i32, String, String) {
    let arguments = ["workflow", "publish", workflow, "--replay-last", "0", "--server", &server.url];
    printed(&[&arguments[..], more].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capsule_becomes_a_test_case_that_holds_versions_up() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &QUICK);
    let file = folder.path().join("answer.capsule");
    let workflow = recorded(&server, &file).await;
    let path = file.to_str().unwrap();
    let import = ["capsule", "import", path, "--as-test", "--name", "The answer", "--server", &server.url];
    let (code, told, said) = printed(&import);
    assert!(code == 0 && told.contains("'The answer' is a test case of workflow"), "{code} {told} {said}");
    // The same again is no second one; under another name it is refused.
    assert_eq!(printed(&import).0, 0);
    let (code, _, said) = printed(&["capsule", "import", path, "--as-test", "--server", &server.url]);
    assert!(code == 2 && said.contains("this capsule is the test case 'The answer' already"), "{code} {said}");
    let cases = listed(&server, &workflow);
    assert_eq!((cases.len(), &cases[0]["name"]), (1, &json!("The answer")), "{cases:?}");
    assert!(cases[0]["eventCount"].as_u64().unwrap() > 5 && cases[0]["sealedEventCount"] == 0, "{cases:?}");

    let (code, cases) = checked(&server, &workflow);
    assert_eq!((code, &cases[0]["name"], &cases[0]["verdict"]), (0, &json!("The answer"), &json!("SAME")));
    let (code, told, said) = publish(&server, &workflow, &[]);
    assert!(code == 0 && told.contains("published version 1"), "{code} {told} {said}");

    // Something else comes of it.
    redrawn(&server, &workflow, &order(&server, &last(3))).await;
    let (code, cases) = checked(&server, &workflow);
    assert_eq!((code, &cases[0]["verdict"], &cases[0]["node"]), (3, &json!("CHANGED"), &json!("Last")), "{cases}");
    assert_eq!((&cases[0]["changes"][0]["before"], &cases[0]["changes"][0]["after"]), (&json!("84"), &json!("126")));
    let (code, _, said) = publish(&server, &workflow, &[]);
    assert!(code == 2 && said.contains("'The answer' changed") && said.contains("at most 0 may"), "{code} {said}");

    // It fails.
    let stop = json!({
        "name": "Last", "type": "n8n-nodes-base.stopAndError", "typeVersion": 1,
        "parameters": { "errorType": "errorMessage", "errorMessage": "no more orders" }
    });
    redrawn(&server, &workflow, &order(&server, &stop)).await;
    let (code, cases) = checked(&server, &workflow);
    assert_eq!((code, &cases[0]["verdict"]), (3, &json!("FAILED")), "{cases}");
    assert!(cases[0]["summary"].as_str().unwrap().contains("no more orders"), "{cases}");
    let (code, _, said) = publish(&server, &workflow, &[]);
    assert!(code == 2 && said.contains("'The answer' failed"), "{code} {said}");
    let (code, told, said) = publish(&server, &workflow, &["--max-differ", "1"]);
    assert!(code == 0 && told.contains("published version 2"), "{code} {told} {said}");

    // Once it is removed it holds nothing up.
    let remove = ["workflow", "tests", "remove", &workflow, "The answer", "--server", &server.url];
    let (code, _, said) = printed(&remove);
    assert_eq!(code, 0, "{said}");
    assert_eq!(listed(&server, &workflow), Vec::<Value>::new());
    let (code, _, said) = printed(&remove);
    assert!(code == 2 && said.contains("has no test case 'The answer'"), "{code} {said}");
    redrawn(&server, &workflow, &order(&server, &last(5))).await;
    let (code, told, said) = publish(&server, &workflow, &[]);
    assert!(code == 0 && told.contains("published version 3"), "{code} {told} {said}");
    server.stop();
}

/// The capsule with something else in one of its files.
fn rewritten(file: &Path, which: &str, change: impl Fn(&str) -> String) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(fs::File::open(file).unwrap()).unwrap();
    let mut written = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let mut one = archive.by_index(index).unwrap();
        let (name, mut content) = (one.name().to_owned(), Vec::new());
        one.read_to_end(&mut content).unwrap();
        if name == which {
            let text = String::from_utf8(content).unwrap();
            let changed = change(&text);
            assert_ne!(changed, text, "nothing was changed in {name}");
            content = changed.into_bytes();
        }
        written.start_file(name, SimpleFileOptions::default()).unwrap();
        written.write_all(&content).unwrap();
    }
    written.finish().unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_is_newer_of_another_workflow_or_of_nobody_known_is_refused_and_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &QUICK);
    let file = folder.path().join("run.capsule");
    let workflow = recorded(&server, &file).await;
    let other = server.import(&order(&server, &last(2))).await;
    let whole = fs::read(&file).unwrap();
    let tampered = rewritten(&file, "events.jsonl", |events| events.replacen("={{ 41 + 1 }}", "={{ 41 + 2 }}", 1));
    let newer = rewritten(&file, "manifest.json", |manifest| {
        let mut manifest: Value = serde_json::from_str(manifest).unwrap();
        manifest["version"] = json!(2);
        manifest.to_string()
    });
    for (content, workflow, code) in [
        (&tampered, &workflow, "CAPSULE_INVALID"),
        (&newer, &workflow, "CAPSULE_NEWER"),
        (&whole, &other, "OTHER_WORKFLOW"),
    ] {
        let input = json!({ "workflowId": workflow, "name": "Case", "capsule": STANDARD.encode(content) });
        let data = server.ask(ADD, json!({ "input": input })).await;
        let payload = &data["addWorkflowTestCase"];
        assert_eq!((&payload["errors"][0]["code"], &payload["testCase"]), (&json!(code), &Value::Null), "{payload}");
    }
    let written = "{ events(filter: { categories: [\"test-cases\"] }, first: 1) { nodes { type } } }";
    assert_eq!(server.ask(written, json!({})).await["events"]["nodes"], json!([]));
    fs::write(&file, &tampered).unwrap();
    let (code, _, _) = printed(&["capsule", "import", file.to_str().unwrap(), "--as-test", "--server", &server.url]);
    assert_eq!((code, listed(&server, &workflow).len(), listed(&server, &other).len()), (2, 0, 0));

    // Another log's keys sign nothing that is believed here.
    let elsewhere = Server::start(&folder.path().join("elsewhere"), &QUICK);
    let foreign = folder.path().join("foreign.capsule");
    recorded(&elsewhere, &foreign).await;
    elsewhere.stop();
    let input =
        json!({ "workflowId": workflow, "name": "Case", "capsule": STANDARD.encode(fs::read(&foreign).unwrap()) });
    let data = server.ask(ADD, json!({ "input": input })).await;
    assert_eq!(data["addWorkflowTestCase"]["errors"][0]["code"], "CAPSULE_NOT_PROVED", "{data}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_from_sealed_data_cannot_be_judged_and_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &QUICK);
    let workflow = server.import(&order(&server, &last(2))).await;
    let query = "mutation($input: StartExecutionInput!) { startExecution(input: $input) { executionId status } }";
    let items = json!([{ "mail": "ada@example.org" }]);
    let input = json!({ "workflowId": workflow, "items": items, "subject": "ada", "waitFor": "COMPLETED" });
    let started = server.ask(query, json!({ "input": input })).await["startExecution"].clone();
    let file = folder.path().join("somebody.capsule");
    made(&server, started["executionId"].as_str().unwrap(), &file);
    let (code, _, said) = printed(&["capsule", "import", file.to_str().unwrap(), "--as-test", "--server", &server.url]);
    assert!(code == 0 && said.contains("cannot be judged"), "{code} {said}");
    assert!(listed(&server, &workflow)[0]["sealedEventCount"].as_u64().unwrap() > 0);
    redrawn(&server, &workflow, &order(&server, &last(3))).await;
    let (code, cases) = checked(&server, &workflow);
    assert_eq!((code, &cases[0]["name"]), (0, &json!("somebody")), "{cases}");
    assert_eq!(cases[0]["verdict"], "CANNOT_BE_JUDGED", "{cases}");
    assert!(cases[0]["summary"].as_str().unwrap().contains("sealed in its capsule"), "{cases}");
    let (code, told, said) = publish(&server, &workflow, &[]);
    assert!(code == 0 && told.contains("published version 1"), "{code} {told} {said}");
    server.stop();
}
