//! The Model Context Protocol, as the official clients speak it with a real server and a real data folder, and as this program
//! speaks it with servers of others.

mod changes;
mod servers;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::python::{self, run};
use super::server::{Server, chain, client, program, set, verb, verb_json};
use crate::tree::root;

/// Checks that must hold: of the client from PyPI, and of that from npm.
const CHECKS: [usize; 2] = [72, 8];

fn files() -> PathBuf {
    root().join("tests/it/process/mcp/clients")
}

/// A folder with the client from npm and its checks, or why there is none.
fn node() -> Result<tempfile::TempDir, String> {
    let folder = tempfile::tempdir().unwrap();
    for name in ["package.json", "package-lock.json", "checks.mjs"] {
        fs::copy(files().join(name), folder.path().join(name)).unwrap();
    }
    run(Path::new("npm"), &["ci", "--no-audit", "--no-fund", "--ignore-scripts"], folder.path())?;
    Ok(folder)
}

#[track_caller]
fn holds(program: &Path, arguments: &[&str], folder: &Path, checks: usize) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("NO_PROXY", "*")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{complained}");
    assert_eq!(said.lines().filter(|line| line.starts_with("held ")).count(), checks, "{said}\n{complained}");
}

/// A workflow that adds one to what it is given.
fn adding() -> Value {
    let mut workflow = chain("Adding", &[set("More", "more", "={{ $json.n + 1 }}")]);
    workflow["nodes"][0]["type"] = json!("n8n-nodes-base.webhook");
    workflow["nodes"][0]["typeVersion"] = json!(2);
    workflow["nodes"][0]["parameters"] = json!({ "path": "adding", "httpMethod": "POST" });
    workflow
}

/// Takes a workflow into a data folder that no server has, and activates it.
fn activated(data: &Path) -> String {
    let file = data.with_extension("json");
    fs::write(&file, adding().to_string()).unwrap();
    let place = ["--data", data.to_str().unwrap()];
    let imported = verb_json(&[&["workflow", "import", file.to_str().unwrap(), "--json"][..], &place].concat());
    let id = imported["workflowId"].as_str().unwrap_or_else(|| panic!("{imported}")).to_owned();
    for step in ["publish", "activate"] {
        let done = verb(&[&["workflow", step, &id][..], &place].concat());
        assert!(done.status.success(), "{step}: {}", String::from_utf8_lossy(&done.stderr));
    }
    id
}

/// A server that asks who comes, with a workflow, a key that may everything that its account may, and one that only reads.
struct World {
    folder: tempfile::TempDir,
    server: Server,
    workflow: String,
    key: String,
    reader: String,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("served");
        let workflow = activated(&data);
        let place = ["--data", data.to_str().unwrap()];
        let made = ["account", "create", "desk", "--kind", "service", "--role", "editor", "--json"];
        let account = verb_json(&[&made[..], &place].concat())["accountId"].as_str().unwrap().to_owned();
        let key = |name: &str, scopes: &[&str]| {
            let scopes: Vec<&str> = scopes.iter().flat_map(|scope| ["--scope", scope]).collect();
            let output = verb(&[&["key", "make", name, "--account", &account][..], &scopes, &place].concat());
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        let key_of_all = key("all", &["workflow:read", "execution:read", "execution:run"]);
        let reader = key("reader", &["workflow:read", "execution:read"]);
        let server = Server::start_asking(&data, "127.0.0.1:0", &[]);
        Self { folder, server, workflow, key: key_of_all, reader }
    }

    async fn post(&self, headers: &[(&str, &str)], body: String) -> (u16, Value, Option<String>) {
        let mut request = client().post(format!("{}/mcp", self.server.url)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let asks = answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or_default(), asks)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_of_pypi_finds_what_it_knows_over_http_and_on_streams() {
    let python = match python::with("mcp", &files().join("requirements.txt")) {
        Ok(python) => python,
        Err(why) => {
            eprintln!("SKIPPED: {why}");
            return;
        }
    };
    let world = World::new();
    let data = world.folder.path().join("alone");
    let alone = activated(&data);
    let checks = files().join("checks.py");
    let arguments = [
        checks.to_str().unwrap(),
        program().to_str().unwrap(),
        &world.server.url,
        &world.key,
        &world.reader,
        &world.workflow,
        data.to_str().unwrap(),
        &alone,
    ];
    holds(&python, &arguments, world.folder.path(), CHECKS[0]);
    world.server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_of_npm_finds_what_it_knows() {
    let folder = match node() {
        Ok(folder) => folder,
        Err(why) => {
            eprintln!("SKIPPED: {why}");
            return;
        }
    };
    let world = World::new();
    let arguments = ["checks.mjs", program().to_str().unwrap(), &world.server.url, &world.key, &world.workflow];
    holds(Path::new("node"), &arguments, folder.path(), CHECKS[1]);
    world.server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_is_let_in_is_answered_and_only_messages_are_taken() {
    let world = World::new();
    let bearer = format!("Bearer {}", world.key);
    let json_body = ("content-type", "application/json");
    let with_key = ("authorization", bearer.as_str());
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }).to_string();

    let (status, told, asks) = world.post(&[json_body], ping.clone()).await;
    assert_eq!((status, asks.as_deref()), (401, Some("Bearer")), "{told}");
    assert!(told["error"]["message"].is_string() && told["jsonrpc"] == "2.0", "{told}");
    let wrong = ("authorization", "Bearer timeloom_key_wrong");
    assert_eq!(world.post(&[json_body, wrong], ping.clone()).await.0, 401);
    let elsewhere = ("origin", "https://elsewhere.example");
    assert_eq!(world.post(&[json_body, with_key, elsewhere], ping.clone()).await.0, 403);
    assert_eq!(world.post(&[("content-type", "text/plain"), with_key], ping.clone()).await.0, 415);
    assert_eq!(world.post(&[json_body, with_key, ("accept", "text/event-stream")], ping.clone()).await.0, 406);

    let (status, told, _) = world.post(&[json_body, with_key], ping.clone()).await;
    assert_eq!((status, &told["result"]), (200, &json!({})), "{told}");
    let batch = format!("[{}]", vec![ping.as_str(); 1_000].join(","));
    let (status, told, _) = world.post(&[json_body, with_key], batch).await;
    assert_eq!((status, &told["error"]["code"]), (400, &json!(-32_600)), "{told}");
    let large = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{}\"}}", "m".repeat(21 << 20));
    assert_eq!(world.post(&[json_body, with_key], large).await.0, 413);
    let told = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string();
    assert_eq!(world.post(&[json_body, with_key], told).await.0, 202);
    let listening = client().get(format!("{}/mcp", world.server.url)).header(with_key.0, with_key.1);
    let listening = listening.header("accept", "text/event-stream").send().await.unwrap();
    assert_eq!((listening.status().as_u16(), listening.headers()["allow"].to_str().unwrap()), (405, "POST"));
    world.server.stop();
}
