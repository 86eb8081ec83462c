//! The README's first steps: the example runs from the command line and on a server, and its history can be walked.

use std::path::PathBuf;

use serde_json::Value;

use super::server::{Server, verb, verb_json};

fn example() -> Option<PathBuf> {
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(examples).unwrap().filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    files.into_iter().flat_map(|path| if path.is_dir() { list(&path) } else { vec![path] }).find(|path| {
        std::fs::read_to_string(path).is_ok_and(|text| text.contains("\"nodes\"") && text.contains("\"connections\""))
    })
}

fn list(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    files
}

#[tokio::test]
async fn the_example_runs_and_its_history_can_be_walked() {
    let file = example().expect("an example workflow");
    let file = file.to_str().unwrap();
    let result = verb_json(&["workflow", "run", file, "--json"]);
    assert_eq!(result["status"], "success", "{result}");
    let people = verb(&["workflow", "run", file]);
    assert!(String::from_utf8_lossy(&people.stdout).contains("gave:"), "{people:?}");

    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let remote = verb_json(&["workflow", "run", file, "--json", "--server", &server.url]);
    assert_eq!(nodes(&remote), nodes(&result));
    let events = verb_json(&["events", "list", "--json", "--server", &server.url]);
    let types: Vec<&str> =
        events["nodes"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types[..2], ["WorkflowCreated", "ExecutionStarted"]);
    assert_eq!(types.last(), Some(&"ExecutionCompleted"));
    let executions = verb_json(&["execution", "list", "--json", "--server", &server.url]);
    let id = executions["nodes"][0]["id"].as_str().unwrap();
    let shown = verb_json(&["execution", "show", id, "--json", "--server", &server.url]);
    assert_eq!(shown["status"], "COMPLETED");
    server.stop();
}

/// Items by node, without times.
fn nodes(result: &Value) -> Vec<(String, Value)> {
    let by_node = result["runData"].as_object().unwrap();
    by_node.iter().map(|(node, runs)| (node.clone(), runs[0]["data"].clone())).collect()
}
