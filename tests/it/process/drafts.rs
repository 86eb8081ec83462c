//! Drafts that are not complete, in the program as people run it: checked, taken in, refused where it matters, mended.

use std::fs;

use serde_json::{Value, json};

use super::server::{chain, set, verb};

#[test]
fn a_draft_is_kept_with_what_it_lacks_and_told_until_it_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let (path, data) = (folder.path().join("draft.json"), folder.path().join("data"));
    let path = path.to_str().unwrap();
    let run = |arguments: &[&str]| verb(&[arguments, &["--data", data.to_str().unwrap()]].concat());
    let said = |output: &std::process::Output| {
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    let mut draft = chain("Draft", &[set("Make", "a", "={{ 1 + }}")]);
    draft["nodes"].as_array_mut().unwrap().push(json!({
        "id": "9", "name": "Fetch", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "position": [400, 0],
        "parameters": {},
    }));
    draft["connections"]["Make"] = json!({"main": [[{"node": "Fetch", "type": "main", "index": 0}]]});
    fs::write(path, draft.to_string()).unwrap();

    let checked = run(&["workflow", "check", path]);
    assert_eq!(checked.status.code(), Some(1), "{}", said(&checked));
    for words in ["error: node 'Fetch', parameters.url", "error: node 'Make', parameters.", "cannot be read"] {
        assert!(said(&checked).contains(words), "'{words}' is not in: {}", said(&checked));
    }
    let imported = run(&["workflow", "import", path, "--json"]);
    assert_eq!(imported.status.code(), Some(0), "{}", said(&imported));
    let payload: Value = serde_json::from_slice(&imported.stdout).unwrap();
    let (id, problems) = (payload["workflowId"].as_str().unwrap(), payload["draftProblems"].as_array().unwrap());
    assert_eq!(problems.len(), 2, "{payload}");
    assert_eq!(problems[0]["hinders"], json!(["RUN", "PUBLISH", "ACTIVATE"]));
    assert_eq!(problems[1]["hinders"], json!(["PUBLISH", "ACTIVATE"]), "a run shows what is wrong with an expression");
    let published = run(&["workflow", "publish", id]);
    assert_eq!(published.status.code(), Some(2));
    assert!(said(&published).contains("'Fetch'") && said(&published).contains("'Make'"), "{}", said(&published));

    draft["nodes"][2]["parameters"] = json!({"url": "http://127.0.0.1:1"});
    let fields = draft["nodes"][1]["parameters"].to_string().replace("{{ 1 + }}", "{{ 1 + 1 }}");
    draft["nodes"][1]["parameters"] = serde_json::from_str(&fields).unwrap();
    fs::write(path, draft.to_string()).unwrap();
    let mended = run(&["workflow", "import", path, "--id", id]);
    assert_eq!(mended.status.code(), Some(0), "{}", said(&mended));
    let checked = run(&["workflow", "check", id]);
    assert_eq!(
        (checked.status.code(), said(&checked).contains("lacks nothing")),
        (Some(0), true),
        "{}",
        said(&checked)
    );
    let published = run(&["workflow", "publish", id, "--reason", "it is whole"]);
    assert_eq!(published.status.code(), Some(0), "{}", said(&published));

    for (step, then) in [("archive", "put away"), ("unarchive", "taken out again")] {
        let done = run(&["workflow", step, id, "--reason", "a test"]);
        assert!(said(&done).contains(then), "{}", said(&done));
    }
    let events = run(&["events", "list", "--json"]);
    let events: Value = serde_json::from_slice(&events.stdout).unwrap();
    let types: Vec<&str> =
        events["nodes"].as_array().unwrap().iter().filter_map(|event| event["type"].as_str()).collect();
    let story =
        ["WorkflowCreated", "WorkflowUpdated", "WorkflowVersionPublished", "WorkflowArchived", "WorkflowUnarchived"];
    assert_eq!(types, story);
}
