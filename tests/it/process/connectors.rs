//! Files and commands, as the operator lets nodes have them: from the command line and on a server.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use super::server::{Server, verb, verb_json};

/// A workflow that begins by hand and has these nodes one after the other.
fn workflow(nodes: &[(&str, &str, Value)]) -> Value {
    let begin = ("Begin", "n8n-nodes-base.manualTrigger", json!({}));
    let all: Vec<&(&str, &str, Value)> = [&begin].into_iter().chain(nodes).collect();
    let node = |(name, of, parameters): &(&str, &str, Value)| json!({"id": name, "name": name, "type": of, "typeVersion": 1, "position": [0, 0], "parameters": parameters});
    let connections: serde_json::Map<String, Value> = all
        .windows(2)
        .map(|pair| (pair[0].0.to_owned(), json!({"main": [[{"node": pair[1].0, "type": "main", "index": 0}]]})))
        .collect();
    json!({"name": "Files", "nodes": all.iter().map(|one| node(one)).collect::<Value>(), "connections": connections})
}

fn written(folder: &Path, workflow: &Value) -> String {
    let file = folder.join("workflow.json");
    fs::write(&file, workflow.to_string()).unwrap();
    file.display().to_string()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn reading() -> Value {
    workflow(&[
        ("Read", "n8n-nodes-base.readWriteFile", json!({"operation": "read", "fileSelector": "in/*.csv"})),
        ("Rows", "n8n-nodes-base.extractFromFile", json!({"operation": "csv"})),
        (
            "Keep",
            "timeloom.sqlite",
            json!({"database": "crm.db", "query": "CREATE TABLE IF NOT EXISTS people (name); INSERT INTO people VALUES ($1); SELECT name FROM people",
                "options": {"queryReplacement": "={{ $json.name }}"}}),
        ),
    ])
}

#[test]
fn files_are_read_and_written_below_the_folder_that_is_named_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("files/in")).unwrap();
    fs::write(folder.path().join("files/in/a.csv"), "name\nAda\n").unwrap();
    let (root, file) = (folder.path().join("files"), written(folder.path(), &reading()));
    let result = verb_json(&["workflow", "run", &file, "--json", "--files-root", root.to_str().unwrap()]);
    assert_eq!(result["runData"]["Keep"][0]["data"]["main"][0][0]["json"], json!({"name": "Ada"}), "{result}");
    let refused = verb(&["workflow", "run", &file]);
    assert!(!refused.status.success() && said(&refused).contains("files are refused here"), "{}", said(&refused));
}

#[test]
fn commands_are_run_where_they_are_allowed_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(
        folder.path(),
        &workflow(&[("Run", "n8n-nodes-base.executeCommand", json!({"command": "echo hello; env"}))]),
    );
    let refused = verb(&["workflow", "run", &file]);
    assert!(!refused.status.success() && said(&refused).contains("commands are refused here"), "{}", said(&refused));
    let server = Server::start_with(&folder.path().join("data"), &["--allow-commands"], &[("CANARY", "open-sesame")]);
    let result = verb_json(&["workflow", "run", &file, "--json", "--server", &server.url]);
    let stdout = result["runData"]["Run"][0]["data"]["main"][0][0]["json"]["stdout"].as_str().unwrap().to_owned();
    assert!(stdout.starts_with("hello") && !stdout.contains("open-sesame"), "{stdout}");
    server.stop();
}
