//! What bad input gets: a clear error that names the place and the remedy, nothing lost, the server still serving.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use super::server::{Server, chain, client, set, verb};

/// The refusal of a file: exit status 2 and these words.
fn refused(folder: &Path, content: &[u8], words: &[&str]) {
    let file = folder.join("workflow.json");
    fs::write(&file, content).unwrap();
    let output = verb(&["workflow", "run", file.to_str().unwrap(), "--json"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    for word in words {
        assert!(said.contains(word), "'{word}' is not in: {}", &said[..said.len().min(2_000)]);
    }
}

fn with_node(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut definition = chain("Bad", &[set("Step", "a", "={{ 1 }}")]);
    change(&mut definition);
    definition.to_string().into_bytes()
}

#[test]
fn files_that_cannot_run_are_refused_with_the_node_and_the_field() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    refused(folder, b"{\"nodes\": [", &["malformed JSON", "line 1"]);
    refused(folder, b"[1, 2]", &["not a workflow file"]);
    refused(
        folder,
        &with_node(|file| file["nodes"][1]["type"] = json!("acme.rocket")),
        &["'Step'", "type", "acme.rocket"],
    );
    refused(
        folder,
        &with_node(|file| file["nodes"][1]["typeVersion"] = json!(99)),
        &["'Step'", "typeVersion", "99", "3.4"],
    );
    refused(
        folder,
        &with_node(|file| file["connections"]["Start"]["main"][0][0]["node"] = json!("Nowhere")),
        &["'Start'", "connections", "'Nowhere'"],
    );
    refused(
        folder,
        &with_node(|file| {
            file["connections"]["Step"] = json!({"main": [[{"node": "Step", "type": "main", "index": 0}]]})
        }),
        &["'Step'", "cycle", "Loop Over Items"],
    );
    let deep = [b"{\"nodes\": ".as_slice(), &b"[".repeat(100_000), &b"]".repeat(100_000), b"}"].concat();
    refused(folder, &deep, &["nested deeper than"]);
    let file = folder.join("large.json");
    fs::File::create(&file).unwrap().set_len(200 << 20).unwrap();
    let output = verb(&["workflow", "run", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("bytes"));
}

#[test]
fn a_file_with_unknown_nodes_is_imported_and_its_gaps_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (file, data) = (folder.path().join("odd.json"), folder.path().join("data"));
    let odd = with_node(|file| {
        file["nodes"][1]["type"] = json!("acme.rocket");
        file["nodes"][1]["parameters"] = json!({"url": "https://rocket.example/launch", "operation": "launch"});
    });
    fs::write(&file, odd).unwrap();
    let run = |arguments: &[&str]| verb(&[arguments, &["--data", data.to_str().unwrap()]].concat());
    let imported = run(&["workflow", "import", file.to_str().unwrap(), "--json"]);
    assert_eq!(imported.status.code(), Some(0), "{imported:?}");
    let payload: Value = serde_json::from_slice(&imported.stdout).unwrap();
    let missing = &payload["workflow"]["missingNodes"][0];
    assert_eq!((&missing["node"], &missing["nodeType"]), (&json!("Step"), &json!("acme.rocket")));
    let offered = &missing["replacement"];
    assert_eq!(offered["type"], json!("n8n-nodes-base.httpRequest"));
    assert_eq!(offered["parameters"]["url"], json!("https://rocket.example/launch"));
    let told = run(&["workflow", "import", file.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&told.stderr).into_owned();
    for word in ["'Step'", "acme.rocket", "operation 'launch'", "HTTP Request"] {
        assert!(said.contains(word), "'{word}' is not in: {said}");
    }
    let published = run(&["workflow", "publish", payload["workflowId"].as_str().unwrap()]);
    assert_eq!(published.status.code(), Some(2), "{published:?}");
    assert!(String::from_utf8_lossy(&published.stderr).contains("acme.rocket"), "{published:?}");
}

#[test]
fn a_data_folder_that_cannot_be_used_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let said = verb(&["workflow", "list", "--data", file.to_str().unwrap()]);
    assert_eq!(said.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&said.stderr).contains("file"), "{said:?}");

    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o500)).unwrap();
    // Root may write everywhere: there this says nothing.
    if fs::write(closed.join("probe"), "x").is_err() {
        let said = verb(&["workflow", "list", "--data", closed.to_str().unwrap()]);
        assert_eq!(said.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&said.stderr).contains("permission"), "{said:?}");
    }
}

#[tokio::test]
async fn a_port_in_use_and_an_open_address_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("first"), &[]);
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let second = folder.path().join("second");
    let said = verb(&["serve", "--data", second.to_str().unwrap(), "--listen", &address]);
    assert_eq!(said.status.code(), Some(1));
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(text.contains("is in use") && text.contains("--listen"), "{text}");
    let open = verb(&["serve", "--data", second.to_str().unwrap(), "--listen", "0.0.0.0:0", "--sign-in", "off"]);
    assert_eq!(open.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&open.stderr).contains("127.0.0.1"), "{open:?}");
    let alive = client().get(format!("{}/health/live", server.url)).send().await.unwrap();
    assert!(alive.status().is_success());
    server.stop();
}

#[tokio::test]
async fn hostile_expressions_and_scripts_fail_alone_and_the_server_serves_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let code = |script: &str| json!({ "name": "Script", "type": "n8n-nodes-base.code", "typeVersion": 2, "parameters": { "jsCode": script } });
    let hostile = [
        (set("Loop", "a", "={{ (() => { for (;;) {} })() }}"), "1000 ms"),
        (
            set("Eat", "a", "={{ (() => { const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1)); })() }}"),
            "memory",
        ),
        (code("throw new Error('the script says no')"), "the script says no"),
    ];
    for (node, words) in hostile {
        let workflow = server.import(&chain("Hostile", &[node])).await;
        let started = server.start_execution(&workflow, "COMPLETED").await;
        assert_eq!(started["status"], "FAILED", "{started}");
        let query = "query($id: UUID!, $waitFor: Position) { execution(id: $id, waitFor: $waitFor) { errorMessage errorNode } }";
        let variables = json!({ "id": started["executionId"], "waitFor": started["position"] });
        let data = server.ask(query, variables).await;
        let message = data["execution"]["errorMessage"].as_str().unwrap().to_owned();
        assert!(message.contains(words), "{words} is not in: {message}");
    }
    let workflow = server.import(&chain("Friendly", &[set("Step", "a", "={{ 20 + 1 }}")])).await;
    assert_eq!(server.start_execution(&workflow, "COMPLETED").await["status"], "COMPLETED");
    server.stop();
}
