//! Stock clients that others wrote, against providers that others wrote.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::PRIVATE;
use super::upstream::Upstream;
use super::world::{self, Mock, asked, chat, done, files};
use crate::process::python;
use crate::process::server::Server;

/// Checks that must hold: of the client from PyPI, and of that from npm.
const CHECKS: (usize, usize) = (38, 15);

/// A Python with the client in it, or why there is none.
fn python() -> Result<PathBuf, String> {
    python::with("openai-client", &files().join("requirements.txt"))
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_clients_of_pypi_and_npm_find_all_that_they_know() {
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
    let [(free, _), (limited, limited_id), (poor, _)] = &keys;
    let mut server = Server::start_asking(folder.path(), "127.0.0.1:0", &PRIVATE);
    server.show(free);
    let checks = files().join("checks.py");
    let arguments = [checks.to_str().unwrap(), &server.url, free, limited, poor];
    python::holds(&python, &arguments, folder.path(), CHECKS.0);
    python::holds(Path::new("node"), &["checks.mjs", &server.url, free], scratch.path(), CHECKS.1);
    let spent = server.ask("{ modelSpend(by: KEY) { of calls } }", json!({})).await;
    let calls = |id: &str| {
        let all = spent["modelSpend"].as_array().unwrap().iter();
        all.filter(|sum| sum["of"] == id).map(|sum| sum["calls"].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!(calls(limited_id), 3, "two were answered and one was refused: {spent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_with_a_provider_is_told_recorded_and_answered_by_another() {
    let scratch = tempfile::tempdir().unwrap();
    let mock = match Mock::start(scratch.path()) {
        Ok(mock) => mock,
        Err(why) => {
            eprintln!("SKIPPED: {why}");
            return;
        }
    };
    let (folder, own) = (tempfile::tempdir().unwrap(), Upstream::start().await);
    let place = ["--data", folder.path().to_str().unwrap()];
    world::set_up(&place, &mock.address);
    world::set_up_own(&place, &own.url);
    for (name, target) in [("openai", "openai=small"), ("anthropic", "anthropic=claude"), ("ollama", "ollama=llama")] {
        let route = |route: &str, more: &[&str]| {
            done(
                &place,
                &[&["gateway", "route", "set", route, "--target", target, "--retries", "0"][..], more].concat(),
            );
        };
        route(&format!("alone-{name}"), &[]);
        route(&format!("backed-{name}"), &["--then", "own=plain"]);
    }
    let server = Server::start(folder.path(), &PRIVATE);
    for protocol in ["openai", "anthropic", "ollama"] {
        for (how, status, class) in [
            (json!({ "dropRate": 1 }), 502, "server"),
            (json!({ "rateLimitRate": 1 }), 429, "rate_limited"),
            (json!({ "malformedRate": 1 }), 502, "garbage"),
            (json!({ "disconnectRate": 1 }), 502, "unreachable"),
            (json!({ "latencyMs": 20_000 }), 504, "timeout"),
        ] {
            mock.goes_wrong(how.clone()).await;
            let (found, answer) = asked(&server, &chat(&format!("backed-{protocol}"), "hello")).await;
            let said = &answer["choices"][0]["message"]["content"];
            assert_eq!((found, said), (200, &json!("I stand in")), "{protocol} {how}: {answer}");
            let calls = server.calls("attempts { provider problem reason }").await;
            let attempts = &calls[0]["attempts"];
            if attempts.as_array().unwrap().len() == 2 {
                assert_eq!(attempts[0]["problem"].as_str().unwrap().to_lowercase(), class, "{protocol} {how}: {calls}");
                assert_eq!(attempts[1]["reason"], "fell_back");
            }
            let (found, answer) = asked(&server, &chat(&format!("alone-{protocol}"), "hello")).await;
            // A target that failed often enough is left alone, which is told as such.
            assert!(found == status || found == 503, "{protocol} {how}: {found} {answer}");
            assert!(answer["error"]["message"].is_string(), "{answer}");
        }
    }
}
