//! Limits and budgets hold over a kill, and for what was not asked to its end.

use futures::StreamExt as _;
use serde_json::json;

use super::PRIVATE;
use super::upstream::Upstream;
use super::world::{asked, chat, done, events, set_up_own};
use crate::process::server::{Server, client};

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_holds_over_a_kill_in_the_middle_of_a_stream() {
    let (folder, own) = (tempfile::tempdir().unwrap(), Upstream::start().await);
    let data = folder.path().to_str().unwrap();
    let place = ["--data", data];
    set_up_own(&place, &own.url);
    for model in ["plain", "endless"] {
        let target = format!("own={model}");
        done(&place, &["gateway", "price", "set", &target, "--input", "0", "--output", "1000"]);
    }
    // 20 tokens are reserved for each call, 0.02 of money; an answer takes 5 of them.
    done(&place, &["gateway", "limit", "set", "all", "--holder", "tenant", "--money", "0.03", "--every", "month"]);
    let server = Server::start(folder.path(), &PRIVATE);
    for _ in 0..2 {
        assert_eq!(asked(&server, &chat("plain", "hello")).await.0, 200);
    }
    let limits = "{ gatewayLimits { used left usedBy resetsAt } }";
    let taken = server.ask(limits, json!({})).await["gatewayLimits"][0].clone();
    assert_eq!((&taken["used"], &taken["left"]), (&json!("0.01"), &json!("0.02")), "{taken}");
    // 0.01 is taken: one more call fits, and a stream holds all that it may take.
    let mut request = chat("endless", "go on");
    request["stream"] = true.into();
    let sent = client().post(format!("{}/v1/chat/completions", server.url)).json(&request).send().await.unwrap();
    let mut pieces = sent.bytes_stream();
    pieces.next().await.unwrap().unwrap();
    let (status, answer) = asked(&server, &chat("plain", "hello")).await;
    assert_eq!((status, &answer["error"]["code"]), (429, &json!("rate_limit_exceeded")), "{answer}");
    let taken = server.ask(limits, json!({})).await["gatewayLimits"][0].clone();
    assert_eq!((&taken["used"], &taken["left"]), (&json!("0.03"), &json!("0")), "the stream holds its part: {taken}");
    server.kill();
    drop(pieces);

    // What was answered is charged again; the stream was in nobody's hands to its end, and is not.
    let server = Server::start(folder.path(), &PRIVATE);
    let taken = server.ask(limits, json!({})).await["gatewayLimits"][0].clone();
    assert_eq!((&taken["used"], &taken["usedBy"]), (&json!("0.01"), &json!(null)), "{taken}");
    assert!(taken["resetsAt"].is_string(), "the window ends sometime: {taken}");
    assert_eq!(asked(&server, &chat("plain", "hello")).await.0, 200);
    let sent = client().post(format!("{}/v1/chat/completions", server.url)).json(&request).send().await.unwrap();
    assert_eq!(sent.status(), 429, "three answers took 0.015, and a stream may take 0.02");
    server.stop();
    let written = events(folder.path(), "model-call");
    let of = |kind: &str| written.iter().filter(|event| event["type"] == kind).count();
    assert_eq!((of("ModelCallCompleted"), of("ModelCallRefused")), (3, 2), "{written:?}");
}
