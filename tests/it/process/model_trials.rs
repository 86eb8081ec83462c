//! Versions of models on trial in the program as people run it: on a part of the requests with a guard, on copies, and on
//! what was recorded.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::server::{Server, verb};
use crate::tree::root;

/// Longest time for something that goes on by itself.
const TIME_MAX: Duration = Duration::from_secs(60);

fn file(name: &str) -> PathBuf {
    root().join("inference/runtime/tests/models").join(name)
}

fn added(to: &[&str], name: &str, promote: bool) {
    let path = file(name);
    let mut arguments = vec!["model", "add", "mood", path.to_str().unwrap()];
    arguments.extend(promote.then_some("--promote"));
    arguments.extend(to);
    let told = verb(&arguments);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
}

/// What a verb printed as JSON, and its status.
fn told(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = verb(&[arguments, &["--json"]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {said}"));
    (output.status.code(), value)
}

async fn ask(server: &Server, seed: u16) {
    let data: Vec<f32> = (0..8_u16).map(|at| f32::from(seed).mul_add(1e-3, f32::from(at) * 0.1)).collect();
    let question = json!({ "inputs": [{ "name": "x", "shape": [1, 8], "datatype": "FP32", "data": data }] });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    // Whether it is answered is not what is asked here.
    client.post(format!("{}/v2/models/mood/infer", server.url)).json(&question).send().await.unwrap();
}

#[tokio::test]
async fn a_version_that_fails_is_rolled_back_by_its_guard_with_the_figures() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let to = ["--server", server.url.as_str()];
    added(&to, "mlp.onnx", true);
    // It wants four numbers where the requests have eight.
    added(&to, "identity.onnx", false);
    let start = ["model", "rollout", "start", "mood", "2", "--percent", "99"];
    let guard = ["--guard", "error-rate", "--bound", "0.2", "--fewest", "5"];
    let (status, _) = told(&[&start[..], &guard, &to].concat());
    assert_eq!(status, Some(0));
    let (_, shown) = told(&[&["model", "rollout", "show", "mood"][..], &to].concat());
    assert_eq!(shown["guard"], json!({ "metric": "ERROR_RATE", "bound": 0.2, "fewest": 5, "tolerance": null }));

    let rolled_back = async {
        for seed in 0.. {
            ask(&server, seed % 1_000).await;
            let now = server.ask("{ model(name: \"mood\") { rollout { version } promotedVersion } }", json!({})).await;
            if now["model"]["rollout"].is_null() {
                return now["model"]["promotedVersion"].clone();
            }
        }
        Value::Null
    };
    assert_eq!(tokio::time::timeout(TIME_MAX, rolled_back).await.unwrap(), json!(1));
    let query = "{ events(filter: { categories: [\"model\"] }, first: 100) { nodes { type payload actor { name } } } }";
    let events = server.ask(query, json!({})).await;
    let nodes = events["events"]["nodes"].as_array().unwrap();
    let ended = nodes.iter().find(|event| event["type"] == "ModelRolloutEnded").unwrap();
    assert_eq!(ended["actor"]["name"], json!("rollout-guard"));
    let payload = &ended["payload"];
    assert_eq!(payload["promoted"], json!(false));
    assert!(payload["figures"]["candidate"]["failed"].as_u64().unwrap() >= 4, "{payload}");
    assert!(payload["reason"].as_str().unwrap().contains("failed, above 20 %"), "{payload}");
    server.stop();
}

#[tokio::test]
async fn a_request_that_is_sent_again_with_its_key_is_answered_by_the_same_version() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let to = ["--server", server.url.as_str()];
    added(&to, "mlp.onnx", true);
    added(&to, "mlp-again.onnx", false);
    let aliased = verb(&[&["model", "alias", "mood", "prod", "1"][..], &to].concat());
    assert!(aliased.status.success(), "{}", String::from_utf8_lossy(&aliased.stderr));
    let start = ["model", "rollout", "start", "mood", "2", "--percent", "50", "--alias", "prod"];
    assert_eq!(told(&[&start[..], &to].concat()).0, Some(0));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let data = vec![0.5; 8];
    let question = json!({ "inputs": [{ "name": "x", "shape": [1, 8], "datatype": "FP32", "data": data }] });
    let answered = async |name: &str, key: &str| {
        let sent = client.post(format!("{}/v2/models/{name}/infer", server.url)).header("Idempotency-Key", key);
        let answer: Value = sent.json(&question).send().await.unwrap().json().await.unwrap();
        answer["model_version"].as_str().unwrap().to_owned()
    };
    let mut versions = Vec::new();
    for key in 0..20 {
        let key = format!("order-{key}");
        let first = answered("mood@prod", &key).await;
        assert_eq!(answered("mood@prod", &key).await, first, "{key}");
        assert_eq!(answered("mood", &key).await, "1", "who does not name the alias is not part of the trial");
        versions.push(first);
    }
    assert!(versions.contains(&"1".to_owned()) && versions.contains(&"2".to_owned()), "{versions:?}");
    server.stop();
}

#[tokio::test]
async fn a_copy_is_compared_with_the_answer_that_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let to = ["--server", server.url.as_str()];
    added(&to, "mlp.onnx", true);
    added(&to, "mlp-again.onnx", false);
    let start = ["model", "rollout", "start", "mood", "2", "--percent", "100", "--shadow"];
    assert_eq!(told(&[&start[..], &to].concat()).0, Some(0));
    ask(&server, 1).await;
    let query = "{ inferences(filter: { model: \"mood\" }) { nodes { id version arm shadowOf
        comparison { same apart classChanged } } } }";
    let compared = async {
        loop {
            let found = server.ask(query, json!({})).await;
            let nodes = found["inferences"]["nodes"].as_array().unwrap().clone();
            if nodes.len() == 2 {
                return nodes;
            }
        }
    };
    let nodes = tokio::time::timeout(TIME_MAX, compared).await.unwrap();
    let of = |arm: &str| nodes.iter().find(|node| node["arm"] == arm).unwrap();
    let (answered, copy) = (of("STABLE"), of("SHADOW"));
    assert_eq!((&answered["version"], &copy["version"]), (&json!(1), &json!(2)));
    assert_eq!((&copy["shadowOf"], &answered["comparison"]), (&answered["id"], &Value::Null));
    assert_eq!(copy["comparison"]["classChanged"], json!(false));
    server.stop();
}

#[tokio::test]
async fn a_version_is_tried_on_what_was_recorded_and_nothing_of_it_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let to = ["--server", server.url.as_str()];
    added(&to, "mlp.onnx", true);
    added(&to, "mlp-again.onnx", false);
    added(&to, "identity.onnx", false);
    for seed in 0..10 {
        ask(&server, seed).await;
    }
    let (status, good) = told(&[&["eval", "backtest", "mood", "2", "--of-version", "1"][..], &to].concat());
    let report = &good["backtest"];
    assert_eq!((status, &good["status"], &report["cases"]), (Some(0), &json!("COMPLETED"), &json!(10)), "{good}");
    assert_eq!(report["same"].as_u64().unwrap() + report["near"].as_u64().unwrap(), 10, "{good}");
    assert!(report["candidate"]["p95Us"].is_u64() && report["recorded"]["p50Us"].is_u64(), "{good}");

    let (status, unfit) = told(&[&["eval", "backtest", "mood", "3", "--last", "4"][..], &to].concat());
    assert_eq!((status, &unfit["backtest"]["failed"]), (Some(3), &json!(4)), "{unfit}");
    assert!(unfit["backtest"]["told"][0]["reason"].is_string(), "{unfit}");

    let none = verb(&[&["eval", "backtest", "mood", "9"][..], &to].concat());
    assert_eq!(none.status.code(), Some(2), "there is no version 9");
    let recorded = server.ask("{ inferences(filter: { model: \"mood\" }) { nodes { version } } }", json!({})).await;
    let versions = recorded["inferences"]["nodes"].as_array().unwrap();
    assert!(versions.len() == 10 && versions.iter().all(|node| node["version"] == 1), "{recorded}");

    let (_, listed) = told(&[&["eval", "list", "--model", "mood"][..], &to].concat());
    let ids: Vec<&Value> = listed.as_array().unwrap().iter().map(|evaluation| &evaluation["id"]).collect();
    assert_eq!(ids, [&unfit["id"], &good["id"]], "newest first");
    server.stop();

    // A data folder that no server has is enough.
    let data = ["--data", folder.path().to_str().unwrap()];
    let (status, alone) = told(&[&["eval", "backtest", "mood", "2"][..], &data].concat());
    assert_eq!((status, &alone["backtest"]["cases"]), (Some(0), &json!(10)), "{alone}");
}

#[tokio::test]
async fn what_a_model_answered_becomes_a_set_on_which_another_version_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let to = ["--server", server.url.as_str()];
    added(&to, "mlp.onnx", true);
    added(&to, "mlp-again.onnx", false);
    // It wants four numbers where the cases have eight.
    added(&to, "identity.onnx", false);
    for seed in 0..5 {
        ask(&server, seed).await;
    }
    let (status, set) =
        told(&[&["eval", "set", "create", "asked", "--from-model", "mood", "--last", "4"][..], &to].concat());
    assert_eq!((status, &set["version"]), (Some(0), &json!({ "version": 1, "caseCount": 4 })), "{set}");
    let (_, shown) = told(&[&["eval", "set", "show", "asked"][..], &to].concat());
    let case = &shown["version"]["cases"][0];
    assert_eq!((&case["origin"], &case["id"]), (&json!("INFERENCE"), &case["inferenceId"]), "{case}");
    assert_eq!(case["input"]["x"][0].as_array().map(Vec::len), Some(8), "{case}");

    let run = |version: u32| {
        let model = format!("mood@{version}");
        let scored = ["--scorer", "near:0.001", "--at", "/p", "--expected-at", "/p"];
        told(&[&["eval", "run", "asked", "--model", &model][..], &scored, &to].concat())
    };
    let (status, good) = run(2);
    assert_eq!((status, &good["modelName"], &good["version"]), (Some(0), &json!("mood"), &json!(2)), "{good}");
    assert_eq!(good["scored"]["scorers"][0], json!({ "name": "near", "mean": 1.0, "count": 4, "failed": 0 }));
    let (_, unfit) = run(3);
    assert_eq!(
        (&unfit["scored"]["failed"], &unfit["scored"]["scorers"][0]["mean"]),
        (&json!(4), &json!(0.0)),
        "{unfit}"
    );
    let inferences = server.ask("{ inferences(filter: { model: \"mood\" }) { nodes { version } } }", json!({})).await;
    assert_eq!(inferences["inferences"]["nodes"].as_array().unwrap().len(), 5, "nothing that is tried is recorded");
    server.stop();
}
