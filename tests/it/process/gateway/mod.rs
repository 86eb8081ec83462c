//! The gateway to language models in the program as people run it: stock clients of OpenAI's protocol ask a server, whose
//! providers others wrote, with everything that goes wrong with them.

mod fronts;
mod limits;
mod stock;
mod upstream;
mod world;

use std::sync::atomic::Ordering;

use futures::StreamExt as _;
use serde_json::{Value, json};

use self::upstream::Upstream;
use self::world::{OTHER_SECRET, PROVIDER_KEY, asked, chat, done, events, set_up_own};
use super::server::{Server, client, verb_json};

const PRIVATE: [&str; 2] = ["--allow-private-hosts", "127.0.0.1"];

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_in_the_log_with_who_asked_what_was_said_and_what_it_cost() {
    let (folder, own) = (tempfile::tempdir().unwrap(), Upstream::start().await);
    let data = folder.path().to_str().unwrap();
    set_up_own(&["--data", data], &own.url);
    done(&["--data", data], &["gateway", "price", "set", "own=plain", "--input", "1000", "--output", "2000"]);
    let server = Server::start(folder.path(), &PRIVATE);
    let (status, answer) = asked(&server, &chat("plain", "hello there")).await;
    assert_eq!((status, &answer["choices"][0]["message"]["content"]), (200, &json!("I stand in")));
    server.calls("id").await;
    let at = ["--server", &server.url];
    let calls = verb_json(&[&["gateway", "calls", "--json"][..], &at].concat());
    assert_eq!(calls.as_array().unwrap().len(), 1);
    let call = verb_json(&[&["gateway", "call", calls[0]["id"].as_str().unwrap(), "--json"][..], &at].concat());
    assert_eq!(
        (&call["status"], &call["route"], &call["cost"]),
        (&json!("COMPLETED"), &json!("plain"), &json!("0.02"))
    );
    assert!(call["prompt"]["text"].as_str().unwrap().contains("hello there"), "{call}");
    assert!(call["answer"]["text"].as_str().unwrap().contains("I stand in"), "{call}");
    let attempt = &call["attempts"][0];
    assert_eq!(
        (&attempt["provider"], &attempt["model"], &attempt["reason"]),
        (&json!("own"), &json!("plain"), &json!("only"))
    );
    let spend = verb_json(&[&["gateway", "spend", "--by", "route", "--json"][..], &at].concat());
    assert_eq!((&spend[0]["of"], &spend[0]["calls"], &spend[0]["cost"]), (&json!("plain"), &json!(1), &json!("0.02")));
    let metrics = client().get(format!("{}/metrics", server.url)).send().await.unwrap().text().await.unwrap();
    for (name, more, value) in [("calls", "outcome=\"answered\"", "1"), ("cost", "currency=\"USD\"", "0.02")] {
        let line = format!("timeloom_gateway_{name}_total{{tenant=\"0\",route=\"plain\",{more}}} {value}");
        assert!(metrics.lines().any(|told| told == line), "'{line}' is missing:\n{metrics}");
    }
    server.stop();
    let written = events(folder.path(), "model-call");
    assert_eq!(written.len(), 1);
    assert_eq!(written[0]["type"], "ModelCallCompleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_providers_and_secrets_in_prompts_are_found_nowhere() {
    let (folder, own) = (tempfile::tempdir().unwrap(), Upstream::start().await);
    let data = folder.path().to_str().unwrap();
    set_up_own(&["--data", data], &own.url);
    world::save(&["--data", data], "Safe", "httpBasicAuth", &json!({ "user": "ada", "password": OTHER_SECRET }));
    let server = Server::start(folder.path(), &PRIVATE);
    let mut told = String::new();
    for model in ["plain", "tells", "tells-in-body"] {
        let (status, answer) =
            asked(&server, &chat(model, &format!("my password is {OTHER_SECRET}, is it good?"))).await;
        assert_eq!(status == 200, model == "plain", "{model}: {answer}");
        told.push_str(&answer.to_string());
    }
    let mut request = chat("tells-in-stream", "hello");
    request["stream"] = true.into();
    let sent = client().post(format!("{}/v1/chat/completions", server.url)).json(&request).send().await.unwrap();
    let stream = sent.text().await.unwrap();
    assert!(stream.contains("so ") && stream.contains("\"error\"") && stream.contains("***"), "{stream}");
    told.push_str(&stream);
    told.push_str(&client().get(format!("{}/metrics", server.url)).send().await.unwrap().text().await.unwrap());
    let calls = server.calls("status reason attempts { message } prompt { text }").await;
    let prompts = calls.to_string();
    assert!(prompts.contains("[secret of \\\\\\\"Safe\\\\\\\"]"), "{prompts}");
    told.push_str(&prompts);
    told.push_str(&server.stop());
    let written = events(folder.path(), "model-call");
    assert_eq!(written.len(), 4, "{written:?}");
    for secret in [PROVIDER_KEY, OTHER_SECRET, "planted-0123"] {
        assert!(!told.contains(secret), "{secret} was told: {told}");
        let found = find(folder.path(), secret.as_bytes());
        assert_eq!(found, Vec::<String>::new(), "{secret} is in the data folder");
    }
}

/// The files below a folder that hold these bytes.
fn find(folder: &std::path::Path, wanted: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(find(&path, wanted));
        } else if std::fs::read(&path).unwrap().windows(wanted.len()).any(|window| window == wanted) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_away_in_the_middle_of_a_stream_cancels_the_call() {
    let (folder, own) = (tempfile::tempdir().unwrap(), Upstream::start().await);
    set_up_own(&["--data", folder.path().to_str().unwrap()], &own.url);
    let server = Server::start(folder.path(), &PRIVATE);
    let mut request = chat("endless", "go on");
    request["stream"] = true.into();
    let sent = client().post(format!("{}/v1/chat/completions", server.url)).json(&request).send().await.unwrap();
    let mut pieces = sent.bytes_stream();
    assert!(String::from_utf8_lossy(&pieces.next().await.unwrap().unwrap()).contains("more"));
    drop(pieces);
    own.left.notified().await;
    server.stop();
    let written = events(folder.path(), "model-call");
    assert_eq!(written.len(), 1);
    assert_eq!(written[0]["type"], "ModelCallCancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_of_the_own_network_are_refused_where_nobody_allowed_them() {
    let (folder, own) = (tempfile::tempdir().unwrap(), Upstream::start().await);
    set_up_own(&["--data", folder.path().to_str().unwrap()], &own.url);
    let server = Server::start(folder.path(), &[]);
    let (status, answer) = asked(&server, &chat("plain", "hello")).await;
    assert_eq!(status, 502, "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().contains("its address is private"), "{answer}");
    assert_eq!(own.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_route_says_is_not_to_be_kept_is_known_by_its_digest_alone() {
    let (folder, own) = (tempfile::tempdir().unwrap(), Upstream::start().await);
    let data = folder.path().to_str().unwrap();
    set_up_own(&["--data", data], &own.url);
    done(&["--data", data], &["gateway", "route", "set", "quiet", "--target", "own=plain", "--digests"]);
    let server = Server::start(folder.path(), &PRIVATE);
    let (status, _) = asked(&server, &chat("quiet", "a word that stays between us")).await;
    assert_eq!(status, 200);
    let calls = server.calls("prompt { recorded text digest } answer { recorded }").await;
    let call = &calls[0];
    assert_eq!((&call["prompt"]["recorded"], &call["prompt"]["text"]), (&json!(false), &Value::Null));
    assert_eq!(call["prompt"]["digest"].as_str().unwrap().len(), 64);
    server.stop();
    assert_eq!(find(folder.path(), b"stays between us"), Vec::<String>::new());
    assert_eq!(find(folder.path(), b"I stand in"), Vec::<String>::new());
}
