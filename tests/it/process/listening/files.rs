//! Watched folders: what is told, and that nobody looks outside of the operator's folder.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use super::{activate, heard, hearing, listening, serve, serve_with, trigger};
use crate::process::server::Server;

fn watching(parameters: Value) -> Value {
    hearing(&trigger("n8n-nodes-base.localFileTrigger", "", parameters))
}

fn events(items: &[Value], root: &str) -> Vec<(String, String)> {
    let event = |item: &Value| {
        let path = item["path"].as_str().unwrap().strip_prefix(root).unwrap().to_owned();
        (item["event"].as_str().unwrap().to_owned(), path)
    };
    items.iter().map(event).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(event, path)| ((*event).to_owned(), (*path).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_and_folders_that_come_change_and_go_are_told() {
    let (data, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let shown = root.path().to_str().unwrap().to_owned();
    let inbox = root.path().join("inbox");
    fs::create_dir(&inbox).unwrap();
    fs::write(inbox.join("there"), "before").unwrap();
    // What lies outside is not seen through a link.
    let outside = tempfile::tempdir().unwrap();
    symlink(outside.path(), inbox.join("link")).unwrap();
    let server = serve_with(data.path(), &["--files-root", &shown]);
    let all = ["add", "change", "unlink", "addDir", "unlinkDir"];
    let parameters =
        json!({ "triggerOn": "folder", "path": "inbox", "events": all, "options": { "ignored": "**/*.tmp" } });
    activate(&server, &watching(parameters)).await;
    listening(&server).await;
    fs::write(outside.path().join("secret"), "x").unwrap();
    fs::write(inbox.join("part.tmp"), "x").unwrap();
    fs::write(inbox.join("new"), "x").unwrap();
    let mut expected = vec![("add", "/inbox/new")];
    assert_eq!(events(&heard(&server, 1).await, &shown), pairs(&expected));
    fs::write(inbox.join("there"), "after, and longer").unwrap();
    expected.push(("change", "/inbox/there"));
    assert_eq!(events(&heard(&server, 2).await, &shown), pairs(&expected));
    fs::remove_file(inbox.join("new")).unwrap();
    expected.push(("unlink", "/inbox/new"));
    assert_eq!(events(&heard(&server, 3).await, &shown), pairs(&expected));
    fs::create_dir(inbox.join("inner")).unwrap();
    expected.push(("addDir", "/inbox/inner"));
    assert_eq!(events(&heard(&server, 4).await, &shown), pairs(&expected));
    server.stop();
}

async fn refusal(server: &Server, workflow: &Value) -> String {
    let id = server.import(workflow).await;
    crate::process::schedules::change(server, "publishWorkflow", &id).await;
    let query = "mutation($id: UUID!) { activateWorkflow(input: { workflowId: $id }) { errors { message } } }";
    let payload = server.ask(query, json!({ "id": id })).await;
    payload["activateWorkflow"]["errors"][0]["message"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_folder_of_the_operator_nothing_is_watched() {
    let data = tempfile::tempdir().unwrap();
    let server = serve(data.path());
    let message =
        refusal(&server, &watching(json!({ "triggerOn": "folder", "path": "/etc", "events": ["add"] }))).await;
    assert!(message.contains("--files-root"), "{message}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_outside_of_the_folder_is_never_watched() {
    let (data, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = serve_with(data.path(), &["--files-root", root.path().to_str().unwrap()]);
    activate(&server, &watching(json!({ "triggerOn": "folder", "path": "../", "events": ["add"] }))).await;
    let told = super::told(&server, |trigger| trigger["status"] == "FAILING").await;
    assert!(told["lastError"].as_str().unwrap().contains("not in the folder that the operator named"), "{told}");
    server.stop();
}
