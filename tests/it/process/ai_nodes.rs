//! Nodes that ask models, in the program as people run it: what they give, what is recorded of it, and that neither a fork
//! nor a replay check asks again. With the models of packages, where set-up fetched them, the examples that we ship.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::server::{Server, chain, verb, verb_json};
use crate::tree::root;

const STATE: &str = "query($id: ID!) { stateAt(entity: { kind: EXECUTION, id: $id }) { state } }";

/// Adds a version of a model and lets it answer.
fn add(server: &Server, name: &str, file: &Path, beside: Option<&str>) {
    let mut arguments = vec!["model", "add", name, file.to_str().unwrap(), "--promote", "--server", &server.url];
    if let Some(beside) = beside {
        arguments.extend(["--beside", beside]);
    }
    let output = verb(&arguments);
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Runs a workflow to its end; the execution's id, and the JSON of what its last node gave.
async fn ran(server: &Server, definition: &Value) -> (String, Vec<Value>) {
    let workflow = server.import(definition).await;
    let started = server.start_execution(&workflow, "COMPLETED").await;
    let id = started["executionId"].as_str().unwrap_or_else(|| panic!("{started}")).to_owned();
    let state = server.ask(STATE, json!({ "id": id })).await["stateAt"]["state"].clone();
    assert_eq!(started["status"], json!("COMPLETED"), "{}", state["error"]);
    let last = state["node_runs"].as_array().unwrap().last().unwrap().clone();
    let items = last["outputs"][0].as_array().unwrap_or_else(|| panic!("{last}"));
    (id, items.iter().map(|item| item["json"].clone()).collect())
}

/// How many questions to models are recorded.
fn questions(server: &Server) -> usize {
    let listed = verb_json(&["inference", "list", "--json", "--server", &server.url]);
    listed.as_array().unwrap_or_else(|| panic!("{listed}")).len()
}

#[tokio::test]
async fn answers_are_linked_to_their_node_and_neither_a_fork_nor_a_replay_asks_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    add(&server, "score", &root().join("inference/runtime/tests/models/mlp.onnx"), None);
    let rows = json!({
        "name": "Rows", "type": "n8n-nodes-base.code", "typeVersion": 2,
        "parameters": { "jsCode": "return [1, 2].map((n) => ({ json: { x: Array(8).fill(n / 10) } }));" }
    });
    let ask = json!({ "name": "Ask", "type": "timeloom.model", "typeVersion": 1, "parameters": { "model": "score" } });
    let (id, items) = ran(&server, &chain("Scores", &[rows, ask])).await;
    assert_eq!(items.len(), 2);
    let scores = items[0]["outputs"].as_object().unwrap().values().next().unwrap().clone();
    let sum: f64 = scores.as_array().unwrap().iter().filter_map(Value::as_f64).sum();
    assert!((sum - 1.0).abs() < 1e-5, "{scores}");
    assert_eq!(items[0]["inference"], items[1]["inference"], "both were asked together");
    let inference = items[0]["inference"]["id"].as_str().unwrap();
    let shown = verb_json(&["inference", "show", inference, "--json", "--server", &server.url]).to_string();
    assert!(shown.contains(&id) && shown.contains("\"Ask\""), "{shown}");

    let asked = questions(&server);
    assert_eq!(asked, 1);
    let forked = verb_json(&["execution", "fork", &id, "--at", "r1", "--json", "--server", &server.url]);
    let fork = forked["executionId"].as_str().unwrap().to_owned();
    let same = ended(&server, &fork).await;
    assert_eq!(same["outputs"][0][1]["json"], items[1], "the fork was answered from what was recorded");
    let replay = verb_json(&["replay", &id, "--json", "--server", &server.url]);
    assert_eq!((&replay["sameCount"], &replay["differCount"]), (&json!(1), &json!(0)), "{replay}");
    assert_eq!(questions(&server), asked, "nobody asked the model");

    // Another version is asked in a fork where that is wished for, and nowhere else.
    let file = root().join("inference/runtime/tests/models/mlp-again.onnx");
    let at = ["--server", server.url.as_str()];
    assert!(verb(&["model", "add", "score", file.to_str().unwrap(), at[0], at[1]]).status.success());
    let changed = ["--at", "r1", "--parameter", "Ask:/model=\"score@2\"", "--live", "Ask", "--json"];
    let forked = verb_json(&[&["execution", "fork", &id, at[0], at[1]], &changed[..]].concat());
    let last = ended(&server, forked["executionId"].as_str().unwrap()).await;
    assert_eq!(last["outputs"][0][0]["json"]["inference"]["version"], json!(2), "{last}");
    assert_eq!(questions(&server), asked + 1);
    server.stop();
}

/// The last node run of an execution, once it has ended.
async fn ended(server: &Server, id: &str) -> Value {
    let query = format!("subscription {{ execution(id: \"{id}\", after: \"0\") {{ status }} }}");
    let request = super::server::client().post(format!("{}/graphql", server.url)).header("accept", "text/event-stream");
    let mut response = request.json(&json!({ "query": query })).send().await.unwrap();
    let mut text = String::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        text.push_str(&String::from_utf8_lossy(&chunk));
        assert!(!text.contains("\"FAILED\""), "{text}");
        if text.contains("\"COMPLETED\"") {
            break;
        }
    }
    let state = server.ask(STATE, json!({ "id": id })).await["stateAt"]["state"].clone();
    state["node_runs"].as_array().unwrap().last().unwrap().clone()
}

#[tokio::test]
async fn what_a_model_cannot_be_asked_fails_the_node_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    add(&server, "score", &root().join("inference/runtime/tests/models/mlp.onnx"), None);
    for (parameters, words) in [
        (json!({ "model": "nobody", "inputs": { "x": [1] } }), "no model 'nobody'"),
        (json!({ "model": "score", "inputs": { "x": [1, 2, 3] } }), "the model wants [?, 8]"),
        (json!({ "model": "score", "inputs": { "x": ["a", 2, 3, 4, 5, 6, 7, 8] } }), "is no FP32"),
        (json!({ "model": "score@7", "inputs": { "x": [1, 2, 3, 4, 5, 6, 7, 8] } }), "7"),
    ] {
        let ask = json!({ "name": "Ask", "type": "timeloom.model", "typeVersion": 1, "parameters": parameters });
        let workflow = server.import(&chain("Wrong", &[ask])).await;
        let started = server.start_execution(&workflow, "COMPLETED").await;
        assert_eq!(started["status"], json!("FAILED"), "{started}");
        let id = started["executionId"].as_str().unwrap();
        let state = server.ask(STATE, json!({ "id": id })).await["stateAt"]["state"].clone();
        let message = state["error"]["message"].as_str().unwrap_or_else(|| panic!("{}", state["error"]));
        assert!(message.contains(words), "'{words}' is not in: {message}");
    }
    assert_eq!(questions(&server), 0);
    let chat = json!({
        "name": "Ask", "type": "@n8n/n8n-nodes-langchain.chainLlm", "typeVersion": 1.7,
        "parameters": { "promptType": "define", "text": "Hello" }
    });
    let hook = json!({ "id": "h", "name": "Hook", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "position": [0, 0],
        "parameters": { "path": "chat" } });
    let mut workflow = chain("No model", &[chat]);
    workflow["nodes"][0] = hook;
    workflow["connections"] = json!({ "Hook": { "main": [[{ "node": "Ask", "type": "main", "index": 0 }]] } });
    let id = server.import(&workflow).await;
    let at = ["--server", server.url.as_str()];
    assert!(verb(&["workflow", "publish", &id, at[0], at[1]]).status.success());
    let refused = verb(&["workflow", "activate", &id, at[0], at[1]]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("it has no language model"), "{said}");
    server.stop();
}

/// The folder of a model of a package that set-up fetched.
fn fetched(name: &str) -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let folders = std::fs::read_dir(cache.join("timeloom/packages")).ok()?.filter_map(Result::ok);
    let of_name = |path: &PathBuf| {
        let found = path.file_name().and_then(|found| found.to_str()).and_then(|found| found.rsplit_once('-'));
        found.is_some_and(|(of, _)| of == name) && path.join("model.onnx").exists()
    };
    folders.map(|entry| entry.path()).find(of_name)
}

/// What the last node of an example gives, run by a server that has these models; `None` where one was not fetched.
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
async fn example(file: &str, models: &[&str]) -> Option<Vec<Value>> {
    let folder = tempfile::tempdir().unwrap();
    let found: Option<Vec<PathBuf>> = models.iter().map(|name| fetched(name)).collect();
    let Some(found) = found else {
        eprintln!("SKIPPED: not all of the models {models:?} were fetched, see `make setup`");
        return None;
    };
    let server = Server::start(folder.path(), &[]);
    for (name, of) in models.iter().zip(found) {
        let beside = ["config.json", "tokenizer.json"].into_iter().find(|beside| of.join(beside).exists());
        add(&server, name, &of.join("model.onnx"), beside);
    }
    let text = std::fs::read_to_string(root().join("examples/models").join(file)).unwrap();
    let (_, items) = ran(&server, &serde_json::from_str(&text).unwrap()).await;
    server.stop();
    Some(items)
}

#[tokio::test]
async fn text_is_read_from_a_picture() {
    let Some(items) = example("read-text.json", &["ocr-detect", "ocr-read"]).await else { return };
    let text = items[0]["text"].as_str().unwrap();
    assert_eq!(text, "Invoice 4711\nTotal 93.50 EUR");
    let first = &items[0]["lines"][0];
    assert!(first["confidence"].as_f64().unwrap() > 0.9, "{first}");
    let (x, y) = (first["box"]["x"].as_i64().unwrap(), first["box"]["y"].as_i64().unwrap());
    assert!((0..80).contains(&x) && (0..100).contains(&y), "{first}");
}

#[tokio::test]
async fn the_type_of_a_file_is_told_by_its_bytes() {
    let Some(items) = example("file-type.json", &["magika"]).await else { return };
    assert_eq!(items[0]["fileType"], json!("html"), "{items:?}");
}

#[tokio::test]
async fn sentences_are_embedded_kept_and_searched() {
    let Some(items) = example("search-sentences.json", &["minilm"]).await else { return };
    assert_eq!(items.len(), 2);
    assert_eq!(items[0]["text"], json!("The invoice is due at the end of the month."), "{items:?}");
}

#[tokio::test]
async fn sentiment_is_classified_by_examples() {
    let Some(items) = example("classify-sentiment.json", &["minilm"]).await else { return };
    let found: Vec<&Value> = items.iter().map(|item| &item["sentiment"]).collect();
    assert_eq!(found, [&json!("positive"), &json!("negative")], "{items:?}");
}

#[tokio::test]
async fn a_row_of_a_table_is_scored() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    add(&server, "score", &root().join("inference/runtime/tests/models/mlp.onnx"), None);
    let text = std::fs::read_to_string(root().join("examples/models/score-row.json")).unwrap();
    let (_, items) = ran(&server, &serde_json::from_str(&text).unwrap()).await;
    let likely: Vec<f64> = items[0]["probabilities"].as_object().unwrap().values().filter_map(Value::as_f64).collect();
    assert!((likely.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{items:?}");
    assert_eq!(items[0]["confidence"].as_f64(), likely.iter().copied().reduce(f64::max));
    server.stop();
}

#[tokio::test]
async fn parts_of_a_page_and_the_way_it_is_turned_are_told() {
    let (Some(layout), Some(orientation)) = (fetched("layout"), fetched("orientation")) else {
        eprintln!("SKIPPED: the models layout and orientation were not fetched, see `make setup`");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    add(&server, "layout", &layout.join("model.onnx"), None);
    add(&server, "orientation", &orientation.join("model.onnx"), None);
    let line = |y: usize| {
        json!({ "operation": "text", "text": "A line of text in a paragraph of a page that goes on and on", "fontSize": 20,
            "fontColor": "#000000", "positionX": 60, "positionY": y, "lineLength": 200 })
    };
    let mut steps =
        vec![json!({ "operation": "create", "width": 800, "height": 1000, "backgroundColor": "#ffffffff" })];
    steps.extend((0..12).map(|number| line(200 + number * 26)));
    let draw = json!({
        "name": "Draw", "type": "n8n-nodes-base.editImage", "typeVersion": 1,
        "parameters": { "operation": "multiStep", "operations": { "operations": steps }, "options": { "format": "png" } }
    });
    let imagenet = json!({ "mean": "0.485, 0.456, 0.406", "std": "0.229, 0.224, 0.225", "resize": "stretch" });
    let asking = |name: &str, kind: &str, model: &str| {
        let mut parameters = imagenet.clone();
        parameters["model"] = json!(model);
        json!({ "name": name, "type": format!("timeloom.{kind}"), "typeVersion": 1, "parameters": parameters })
    };
    let find = asking("Find", "objectDetection", "layout");
    let turned = asking("Turned", "imageClassification", "orientation");
    let (_, items) = ran(&server, &chain("Page", &[draw, find, turned])).await;
    let objects = items[0]["objects"].as_array().unwrap();
    let text = objects.iter().find(|object| object["label"] == "text").unwrap_or_else(|| panic!("{items:?}"));
    let place = |name: &str| text["box"][name].as_i64().unwrap();
    assert!((0..150).contains(&place("x")) && (100..300).contains(&place("y")), "{text}");
    assert!(["0", "180"].map(Value::from).contains(&items[0]["label"]), "it lies level: {items:?}");
    server.stop();
}
