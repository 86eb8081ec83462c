//! Stock clients of Anthropic, Ollama and MLflow that others wrote, at the doors beside that of OpenAI's protocol; and what goes
//! wrong there.

use std::path::{Path, PathBuf};

use futures::StreamExt as _;
use serde_json::{Value, json};

use super::PRIVATE;
use super::upstream::Upstream;
use super::world::{self, Mock, done, events, files, set_up_own};
use crate::process::local_models::{add_example, added, is_fetched};
use crate::process::python;
use crate::process::server::{Server, client};

/// Checks that must hold, by each client.
const ANTHROPIC: usize = 53;
const OLLAMA: usize = 51;
const MLFLOW: usize = 37;
const LOCAL: usize = 16;

/// A Python with the clients in it, or why there is none.
fn python() -> Result<PathBuf, String> {
    python::with("front-clients", &files().join("../fronts/requirements.txt"))
}

/// Lets a script of checks run against a server.
#[track_caller]
fn holds(python: &Path, script: &str, arguments: &[&str], checks: usize) {
    let folder = files().join("../fronts");
    python::holds(python, &[&[script], arguments].concat(), &folder, checks);
}

/// Lets a client find all that it knows: its key, one of which two requests a minute are answered, and one without money.
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
fn finds_all(script: &str, checks: usize) {
    let scratch = tempfile::tempdir().unwrap();
    let (mock, python) = match (Mock::start(scratch.path()), python()) {
        (Ok(mock), Ok(python)) => (mock, python),
        (Err(why), _) | (_, Err(why)) => {
            eprintln!("SKIPPED: {why}");
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let place = ["--data", folder.path().to_str().unwrap()];
    world::set_up(&place, &mock.address);
    let keys = world::limited_keys(&place);
    let [(free, _), (limited, _), (poor, _)] = &keys;
    let server = Server::start_asking(folder.path(), "127.0.0.1:0", &PRIVATE);
    holds(&python, script, &[&server.url, free, limited, poor], checks);
}

#[test]
fn the_stock_client_of_anthropic_finds_all_that_it_knows() {
    finds_all("anthropic_checks.py", ANTHROPIC);
}

#[test]
fn the_stock_client_of_ollama_finds_all_that_it_knows() {
    finds_all("ollama_checks.py", OLLAMA);
}

#[test]
fn the_stock_client_of_mlflow_reads_models_and_sets_their_aliases() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => {
            eprintln!("SKIPPED: {why}");
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let place = ["--data", folder.path().to_str().unwrap()];
    let account = world::bot(&place);
    add_example(&place, "sentiment", &["--promote"]);
    add_example(&place, "iris", &[]);
    let scoped = |name: &str, scopes: &[&str]| {
        let scopes = scopes.iter().flat_map(|scope| ["--scope", scope]).collect::<Vec<&str>>();
        let words = [&["key", "make", name, "--account", &account][..], &scopes].concat();
        done(&place, &words).trim().to_owned()
    };
    let changing = scoped("changing", &["registry:read", "registry:write"]);
    let reading = scoped("reading", &["registry:read"]);
    let server = Server::start_asking(folder.path(), "127.0.0.1:0", &[]);
    holds(&python, "mlflow_checks.py", &[&server.url, &changing, &reading], MLFLOW);
    server.stop();
    let told: Vec<Value> = events(folder.path(), "model");
    let of = |kind: &str| told.iter().filter(|event| event["type"] == kind).count();
    let changes = (of("ModelAliasSet"), of("ModelAliasRemoved"), of("ModelPromoted"));
    assert_eq!(changes, (1, 1, 2), "what it changed are events: {told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_clients_ask_models_of_this_machine_without_a_key() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => {
            eprintln!("SKIPPED: {why}");
            return;
        }
    };
    if !is_fetched("smollm2") || !is_fetched("minilm") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    added(&server, "smollm2");
    added(&server, "minilm");
    holds(&python, "local_checks.py", &[&server.url], LOCAL);
    let calls = server.calls("route status").await;
    let statuses: Vec<&Value> = calls.as_array().unwrap().iter().map(|call| &call["status"]).collect();
    assert_eq!(statuses, vec!["COMPLETED"; 8], "each question is one call: {calls}");
}

/// What is sent to one of the doors, and what it answers.
async fn sent(server: &Server, path: &str, body: String) -> (u16, Value) {
    let answer = client().post(format!("{}{path}", server.url)).body(body).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_cannot_be_read_are_refused_in_the_words_of_each_protocol() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let huge = || format!("\"{}\"", "x".repeat((32 << 20) - 1));
    let asked = json!({ "model": "nobody", "max_tokens": 1, "messages": [{ "role": "user", "content": "hi" }] });
    for (body, status, kind) in [
        ("{".to_owned(), 400, "invalid_request_error"),
        ("[]".to_owned(), 400, "invalid_request_error"),
        ("\u{0}".to_owned(), 400, "invalid_request_error"),
        (huge(), 413, "request_too_large"),
        (asked.to_string(), 404, "not_found_error"),
    ] {
        let beginning: String = body.chars().take(20).collect();
        let (found, answer) = sent(&server, "/v1/messages", body).await;
        let error = &answer["error"];
        assert_eq!(
            (found, &answer["type"], &error["type"]),
            (status, &json!("error"), &json!(kind)),
            "{beginning}: {answer}"
        );
        assert!(!error["message"].as_str().unwrap().is_empty(), "{answer}");
    }
    for path in ["/api/chat", "/api/generate", "/api/embed", "/api/embeddings", "/api/show"] {
        for (body, status) in [("{".to_owned(), 400), ("[]".to_owned(), 400), (huge(), 413)] {
            let (found, answer) = sent(&server, path, body).await;
            assert!(found == status && answer["error"].is_string(), "{path}: {found} {answer}");
        }
    }
    for path in ["/v1/messages/batches", "/api/nothing"] {
        let (found, answer) = sent(&server, path, "{}".to_owned()).await;
        assert!(found == 404 && answer["error"].to_string().contains("nothing is served here"), "{path}: {answer}");
    }
    for body in ["{", "[]", "{\"name\": 7}", "{\"name\": \"iris\", \"alias\": \"a\", \"version\": \"x\"}"] {
        let (found, answer) = sent(&server, "/api/2.0/mlflow/registered-models/alias", body.to_owned()).await;
        assert_eq!((found, &answer["error_code"]), (400, &json!("INVALID_PARAMETER_VALUE")), "{body}: {answer}");
    }
    let (found, answer) = sent(&server, "/api/2.0/mlflow/registered-models/alias", "x".repeat((1 << 20) + 1)).await;
    assert!(found == 400 && answer["message"].as_str().unwrap().contains("1 MiB"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_let_in_is_told_so_in_the_words_of_each_protocol() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_asking(folder.path(), "127.0.0.1:0", &[]);
    for (path, at, code) in [
        ("/v1/messages", "/error/type", "authentication_error"),
        ("/v1/chat/completions", "/error/code", "invalid_api_key"),
        ("/api/2.0/mlflow/registered-models/alias", "/error_code", "UNAUTHENTICATED"),
    ] {
        let (found, answer) = sent(&server, path, "{}".to_owned()).await;
        assert_eq!((found, answer.pointer(at)), (401, Some(&json!(code))), "{path}: {answer}");
    }
    let (found, answer) = sent(&server, "/api/chat", "{}".to_owned()).await;
    assert!(found == 401 && answer["error"].as_str().unwrap().contains("send a key"), "{answer}");
    let models = client().get(format!("{}/v1/models", server.url)).header("anthropic-version", "2023-06-01");
    let answer: Value = models.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["error"]["type"], "authentication_error", "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_away_in_the_middle_of_a_stream_of_any_protocol_cancels_the_call() {
    let (folder, own) = (tempfile::tempdir().unwrap(), Upstream::start().await);
    set_up_own(&["--data", folder.path().to_str().unwrap()], &own.url);
    let server = Server::start(folder.path(), &PRIVATE);
    let asked = json!({ "model": "endless", "max_tokens": 20, "stream": true,
        "messages": [{ "role": "user", "content": "go on" }] });
    for path in ["/v1/messages", "/api/chat"] {
        let sent = client().post(format!("{}{path}", server.url)).json(&asked).send().await.unwrap();
        let mut pieces = sent.bytes_stream();
        assert!(String::from_utf8_lossy(&pieces.next().await.unwrap().unwrap()).contains("more"), "{path}");
        drop(pieces);
        own.left.notified().await;
    }
    server.stop();
    let written = events(folder.path(), "model-call");
    let kinds: Vec<&Value> = written.iter().map(|event| &event["type"]).collect();
    assert_eq!(kinds, ["ModelCallCancelled", "ModelCallCancelled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_fails_in_the_middle_of_a_stream_is_told_in_the_words_of_each_protocol() {
    let (folder, own) = (tempfile::tempdir().unwrap(), Upstream::start().await);
    set_up_own(&["--data", folder.path().to_str().unwrap()], &own.url);
    let server = Server::start(folder.path(), &PRIVATE);
    let asked = json!({ "model": "tells-in-stream", "max_tokens": 20, "stream": true,
        "messages": [{ "role": "user", "content": "hello" }] });
    for (path, told) in [("/v1/messages", "event: error\ndata: {\"type\":\"error\""), ("/api/chat", "{\"error\":\"")] {
        let sent = client().post(format!("{}{path}", server.url)).json(&asked).send().await.unwrap();
        assert_eq!(sent.status(), 200);
        let text = sent.text().await.unwrap();
        let last = text.rfind(told).unwrap_or_else(|| panic!("{path}: {text}"));
        assert!(text.contains("so ") && text[last..].contains("***") && !text.contains("message_stop"), "{text}");
    }
}
