//! The program under GraphQL's own audits and clients: the published audit of GraphQL over HTTP, protocol checks of
//! WebSocket and server-sent events, Relay's rules for every list, and the clients that people use.
//!
//! The programs are not ours and not here: `TIMELOOM_GRAPHQL_CONFORMANCE` names their folder, which is copied, and npm
//! fetches what they need. Without it, or without npm and its packages, the test says SKIPPED; the tests of `read-api/`
//! hold the same rules.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::inferences::several_workers;
use super::server::{Server, chain, verb};
use super::signing_in::{Browser, PASSWORD, link};
use crate::tree::root;

/// Checks that must pass, by suite. The reference has no `@defer` either, which is the eighth of the event streams.
const SUITES: [(&str, u64); 5] =
    [("graphql-http audit", 61), ("http extra", 7), ("graphql-transport-ws", 25), ("graphql-sse", 7), ("clients", 15)];
/// Checks of Relay's rules that are made once, and for each list.
const RELAY_CHECKS: (u64, u64) = (7, 11);
/// Lists of the schema's root that need no argument.
const LISTS_MIN: u64 = 16;

/// The folder with a copy of the audits and their packages, or why there is none.
fn audits(scratch: &Path) -> Result<PathBuf, String> {
    let named = std::env::var_os("TIMELOOM_GRAPHQL_CONFORMANCE").map(PathBuf::from);
    let from = named.ok_or("TIMELOOM_GRAPHQL_CONFORMANCE is not set")?;
    let folder = scratch.join("audits");
    fs::create_dir(&folder).unwrap();
    for entry in fs::read_dir(&from).map_err(|error| format!("{}: {error}", from.display()))? {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            // Not its permissions: the copy must be writable whatever the folder is.
            fs::write(folder.join(entry.file_name()), fs::read(entry.path()).unwrap()).unwrap();
        }
    }
    let fetched = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .current_dir(&folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("npm cannot be started: {error}"))?;
    if fetched.status.success() {
        Ok(folder)
    } else {
        Err(format!("npm cannot fetch the packages: {}", String::from_utf8_lossy(&fetched.stderr)))
    }
}

/// Lets somebody sign in several times, which needs a server that asks them to.
async fn sign_in_often(data: &Path) {
    let server = Server::start_asking(data, "127.0.0.1:0", &[]);
    let mut browser = Browser::new();
    let token = link(&server).expect("the first start prints a link");
    assert_eq!(browser.post(&server, "/sign-in/link", &[("token", &token)]).await.status(), 303);
    assert_eq!(browser.post(&server, "/account/password", &[("password", PASSWORD)]).await.status(), 303);
    for _ in 0..6 {
        let fields = [("email", "owner@localhost"), ("password", PASSWORD)];
        assert_eq!(Browser::new().post(&server, "/sign-in", &fields).await.status(), 303);
    }
    server.stop();
}

/// Accounts, keys and tenants.
async fn let_in_several(server: &Server) {
    for index in 0..6 {
        let make = "mutation($account: CreateAccountInput!, $tenant: CreateTenantInput!) {
            createAccount(input: $account) { accountId errors { message } }
            createTenant(input: $tenant) { errors { message } } }";
        let account = json!({ "kind": "SERVICE", "name": format!("service {index}"), "reason": "a test",
            "roles": ["VIEWER"] });
        let tenant = json!({ "name": format!("tenant {index}"), "reason": "a test" });
        let made = server.ask(make, json!({ "account": account, "tenant": tenant })).await;
        assert_eq!(made["createTenant"]["errors"], json!([]), "{made}");
        let key = "mutation($input: MakeApiKeyInput!) { makeApiKey(input: $input) { errors { message } } }";
        let input = json!({ "accountId": made["createAccount"]["accountId"], "name": "a test" });
        let made = server.ask(key, json!({ "input": input })).await;
        assert_eq!(made["makeApiKey"]["errors"], json!([]), "{made}");
    }
}

/// Agents, a run of each, and what those asked of a language model that is not there.
async fn run_several_agents(server: &Server) {
    for index in 0..6 {
        let make =
            "mutation($agent: RegisterAgentInput!, $version: PublishAgentVersionInput!, $run: StartAgentRunInput!) {
            registerAgent(input: $agent) { errors { message } }
            publishAgentVersion(input: $version) { errors { message } }
            startAgentRun(input: $run) { errors { message } } }";
        let name = format!("agent-{index}");
        let record = json!({ "kind": "llm", "model": "nowhere", "prompt": "You answer." });
        let variables = json!({ "agent": { "name": name }, "version": { "name": name, "record": record },
            "run": { "agent": name, "input": "Good morning", "waitFor": "COMPLETED" } });
        let made = server.ask(make, variables).await;
        assert_eq!(made["startAgentRun"]["errors"], json!([]), "{made}");
    }
}

/// Evaluations of a version of a model that nobody asked anything yet.
async fn evaluate_several_times(server: &Server) {
    let file = root().join("inference/runtime/tests/models/mlp.onnx");
    let added = verb(&["model", "add", "mood", file.to_str().unwrap(), "--server", &server.url]);
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    for _ in 0..6 {
        let start = "mutation($input: StartBacktestInput!) { startBacktest(input: $input) { errors { message } } }";
        let asked = server.ask(start, json!({ "input": { "model": "mood", "version": 1 } })).await;
        assert_eq!(asked["startBacktest"]["errors"], json!([]), "{asked}");
    }
}

/// Sets of cases to try things on.
async fn make_several_evaluation_sets(server: &Server) {
    for index in 0..6 {
        let create =
            "mutation($input: CreateEvaluationSetInput!) { createEvaluationSet(input: $input) { errors { message } } }";
        let input = json!({ "input": { "name": format!("set-{index}"), "lines": "{\"input\": 1}" } });
        let made = server.ask(create, input).await;
        assert_eq!(made["createEvaluationSet"]["errors"], json!([]), "{made}");
    }
}

/// Enough of everything that lists have several pages, and what the audits are told about it.
async fn filled(server: &Server) -> Value {
    let_in_several(server).await;
    run_several_agents(server).await;
    evaluate_several_times(server).await;
    make_several_evaluation_sets(server).await;
    let mut workflows = Vec::new();
    for index in 0..6 {
        let node = json!({ "name": "Work", "type": "n8n-nodes-base.noOp", "typeVersion": 1, "parameters": {} });
        workflows.push(server.import(&chain(&format!("workflow {index}"), &[node])).await);
    }
    let mut ended = String::new();
    for workflow in &workflows {
        let started = server.start_execution(workflow, "COMPLETED").await;
        started["executionId"].as_str().unwrap().clone_into(&mut ended);
    }
    let start =
        "mutation($input: StartExecutionInput!) { startExecution(input: $input) { executionId errors { message } } }";
    let input = json!({ "workflowId": workflows[0], "breakpoints": [{ "node": "Work" }] });
    let paused = server.ask(start, json!({ "input": input })).await["startExecution"]["executionId"].clone();
    for missing in ["paper", "ink", "light", "water", "time", "money"] {
        let node = json!({ "name": "Stop", "type": "n8n-nodes-base.stopAndError", "typeVersion": 1,
            "parameters": { "errorMessage": format!("out of {missing}") } });
        let failing = server.import(&chain(missing, &[node])).await;
        let publish =
            "mutation($input: PublishWorkflowInput!) { publishWorkflow(input: $input) { errors { message } } }";
        server.ask(publish, json!({ "input": { "workflowId": failing } })).await;
        let input =
            json!({ "workflowId": failing, "mode": "PRODUCTION", "startNode": "Start", "waitFor": "COMPLETED" });
        server.ask(start, json!({ "input": input })).await;
    }
    let mut position = Value::Null;
    for index in 0..6 {
        let both = "mutation($input: RegisterInput!) {
            registerPlugin(input: $input) { errors { message } } registerModel(input: $input) { position errors { message } } }";
        server.ask(both, json!({ "input": { "name": format!("thing-{index}") } })).await;
        let save =
            "mutation($input: SaveCredentialInput!) { saveCredential(input: $input) { position errors { message } } }";
        let input =
            json!({ "name": format!("c{index}"), "type": "httpBasicAuth", "data": { "user": "u", "password": "p" } });
        position = server.ask(save, json!({ "input": input })).await["saveCredential"]["position"].clone();
    }
    let count = "query($id: UUID!, $from: Position!) { execution(id: $id, waitFor: $from) { events(first: 100) { nodes { id } } } }";
    let events = server.ask(count, json!({ "id": ended, "from": position })).await;
    let port = server.url.rsplit(':').next().unwrap();
    json!({
        "url": format!("{}/graphql", server.url),
        "ws": format!("ws://127.0.0.1:{port}/graphql"),
        "sse": format!("{}/graphql/stream", server.url),
        "headers": {},
        "query": "{ head { position } }",
        "subscription": format!("subscription {{ execution(id: \"{ended}\") {{ type position }} }}"),
        "subscriptionCount": events["execution"]["events"]["nodes"].as_array().unwrap().len(),
        "endless": format!("subscription {{ execution(id: {paused}) {{ type position }} }}"),
        "invalidSubscription": "subscription { noSuchField }",
        "mutation": "mutation($input: UnpauseExecutionInput!) { unpauseExecution(input: $input) { errors { code } } }",
        "mutationVariables": { "input": { "executionId": ended } },
        "fieldError": format!(
            "{{ head {{ position }} stateAt(stream: {{category: \"execution\", id: \"{ended}\"}}, asOf: {{position: \"999999999\"}}) {{ status }} }}"
        ),
        "load": "{ executions(first: 20) { edges { cursor node { id status } } pageInfo { hasNextPage endCursor } } }",
        "nodeId": ended,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn graphql_conformance_audits_and_real_clients_pass() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = match audits(scratch.path()) {
        Ok(folder) => folder,
        Err(why) => {
            println!("SKIPPED: {why}");
            return;
        }
    };
    let data = scratch.path().join("data");
    sign_in_often(&data).await;
    several_workers(&data).await;
    let server = Server::start(&data, &[]);
    let config = folder.join("own.json");
    fs::write(&config, filled(&server).await.to_string()).unwrap();
    let ran = Command::new("node")
        .args(["run.mjs", "--only", "http,ws,sse,relay,clients", "--config"])
        .arg(&config)
        .current_dir(&folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    print!("{}", String::from_utf8_lossy(&ran.stdout));
    let report = fs::read_to_string(folder.join("out/report.json")).unwrap_or_else(|error| panic!("{error}: {said}"));
    let report: Value = serde_json::from_str(&report).unwrap();
    let of = |suite: &str| report.as_array().unwrap().iter().find(|one| one["suite"] == suite).unwrap();
    for (suite, checks) in SUITES {
        assert!(of(suite)["ok"].as_u64().unwrap() >= checks, "{suite}: {}\n{said}", of(suite));
    }
    let relay = of("relay");
    let (once, each) = RELAY_CHECKS;
    assert!(relay["total"].as_u64().unwrap() >= once + each * LISTS_MIN, "{relay}");
    assert_eq!(relay["ok"], relay["total"], "{relay}\n{said}");
    server.stop();
}

/// The program that makes requests up from a schema, as pip knows it.
const GENERATOR: &str = "schemathesis==4.32.5";
/// Requests that it makes up for each field of the schema's roots.
const GENERATED_REQUESTS: &str = "20";

/// The program in an environment of its own, or why there is none.
fn generator(scratch: &Path) -> Result<PathBuf, String> {
    std::env::var_os("TIMELOOM_GRAPHQL_CONFORMANCE").ok_or("TIMELOOM_GRAPHQL_CONFORMANCE is not set")?;
    let environment = scratch.join("environment");
    let made = Command::new("python3").args(["-m", "venv"]).arg(&environment).stdin(Stdio::null()).output();
    let made = made.map_err(|error| format!("python3 cannot be started: {error}"))?;
    if !made.status.success() {
        return Err(format!("python3 makes no environment: {}", String::from_utf8_lossy(&made.stderr)));
    }
    let pip = environment.join("bin/pip");
    let fetched = Command::new(pip).args(["install", "--quiet", GENERATOR]).stdin(Stdio::null()).output().unwrap();
    if fetched.status.success() {
        Ok(environment.join("bin/schemathesis"))
    } else {
        Err(format!("pip cannot fetch {GENERATOR}: {}", String::from_utf8_lossy(&fetched.stderr)))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn graphql_conformance_requests_made_up_from_the_schema_bring_up_no_fault() {
    let scratch = tempfile::tempdir().unwrap();
    let generator = match generator(scratch.path()) {
        Ok(generator) => generator,
        Err(why) => {
            println!("SKIPPED: {why}");
            return;
        }
    };
    let server = Server::start(&scratch.path().join("data"), &[]);
    filled(&server).await;
    let settings = root().join("tests/fixtures/graphql");
    let folder = scratch.path().join("made-up");
    fs::create_dir(&folder).unwrap();
    for name in ["schemathesis.toml", "hooks.py"] {
        fs::copy(settings.join(name), folder.join(name)).unwrap();
    }
    let ran = Command::new(generator)
        .args(["--config-file", "schemathesis.toml", "run", "--no-color", "--max-examples", GENERATED_REQUESTS])
        .arg(format!("{}/graphql", server.url))
        .current_dir(&folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    let counted = said.lines().find(|line| line.contains("generated")).unwrap_or_default();
    println!("schemathesis: {}", counted.trim());
    let said = server.stop();
    assert!(!said.contains("a request failed"), "a fault of the server's own: {said}");
}
