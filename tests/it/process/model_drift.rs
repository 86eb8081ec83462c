//! Drift of a model in the program as people run it: a watch that finds what moved and nothing else, and a comparison.

use std::time::Duration;

use serde_json::{Value, json};

use super::server::{Server, verb};
use crate::tree::root;

/// Longest time for something that goes on by itself.
const TIME_MAX: Duration = Duration::from_secs(60);

/// What a verb printed as JSON, and its status.
fn told(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = verb(&[arguments, &["--json"]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {said}"));
    (output.status.code(), value)
}

async fn ask(server: &Server, seeds: impl IntoIterator<Item = u16>) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for seed in seeds {
        let data: Vec<f32> = (0..8_u16).map(|at| f32::from(seed).mul_add(1e-3, f32::from(at) * 0.1)).collect();
        let question = json!({ "inputs": [{ "name": "x", "shape": [1, 8], "datatype": "FP32", "data": data }] });
        let sent = client.post(format!("{}/v2/models/mood/infer", server.url)).json(&question).send().await.unwrap();
        assert!(sent.status().is_success(), "{}", sent.text().await.unwrap());
    }
}

/// The watch once it judged so many windows.
async fn judged(server: &Server, windows: u32) -> Value {
    let query = "{ model(name: \"mood\") { driftWatch { running judged last { drifted moderate tooFew }
        findings { feature value bound window { number } } } } }";
    let reached = async {
        loop {
            let watch = server.ask(query, json!({})).await["model"]["driftWatch"].clone();
            if watch["judged"] == json!(windows) {
                return watch;
            }
        }
    };
    tokio::time::timeout(TIME_MAX, reached).await.unwrap()
}

#[tokio::test]
async fn a_watch_finds_inputs_that_shift_and_nothing_in_those_that_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let to = ["--server", server.url.as_str()];
    let path = root().join("inference/runtime/tests/models/mlp.onnx");
    let added = verb(&[&["model", "add", "mood", path.to_str().unwrap(), "--promote"][..], &to].concat());
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));

    let watch = ["model", "watch-drift", "mood", "--baseline-last", "40", "--window", "20"];
    let refused = verb(&[&watch[..], &to].concat());
    assert_eq!(refused.status.code(), Some(2), "nothing was asked: there is no baseline");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("the baseline has 0 inferences"));
    ask(&server, 0..40).await;
    assert_eq!(told(&[&watch[..], &to].concat()).0, Some(0));
    let twice = verb(&[&watch[..], &to].concat());
    assert_eq!(twice.status.code(), Some(2), "one is under way");
    assert!(String::from_utf8_lossy(&twice.stderr).contains("stop the watch first, or replace it"));
    assert_eq!(told(&[&watch[..], &["--replace"][..], &to].concat()).0, Some(0));

    // Every other one of the same.
    ask(&server, (0..40).step_by(2)).await;
    let same = judged(&server, 1).await;
    assert_eq!(same["last"], json!({ "drifted": 0, "moderate": 0, "tooFew": 0 }), "{same}");
    assert_eq!(same["findings"], json!([]));

    ask(&server, 3_000..3_020).await;
    let moved = judged(&server, 2).await;
    let findings = moved["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["feature"] == "inputs.x.mean"), "{moved}");
    assert!(findings.iter().all(|finding| finding["window"]["number"] == json!(2)), "{moved}");
    let query =
        "{ events(filter: { categories: [\"drift-watch\"] }, first: 100) { nodes { type payload actor { name } } } }";
    let events = server.ask(query, json!({})).await;
    let nodes = events["events"]["nodes"].as_array().unwrap();
    let detected: Vec<&Value> = nodes.iter().filter(|event| event["type"] == "DriftDetected").collect();
    assert_eq!(detected.len(), findings.len(), "{events}");
    assert_eq!(detected[0]["actor"]["name"], json!("drift-watch"));

    let (status, report) = told(&[&["model", "drift", "mood", "--last", "20"][..], &to].concat());
    assert_eq!((status, &report["verdict"]), (Some(3), &json!("DRIFTED")), "{report}");
    assert_eq!(told(&[&["model", "watch-drift", "mood", "--stop"][..], &to].concat()).0, Some(0));
    let (_, shown) = told(&[&["model", "watch-drift", "mood", "--show"][..], &to].concat());
    assert_eq!((&shown["running"], &shown["judged"]), (&json!(false), &json!(2)), "{shown}");
    server.stop();

    // A data folder that no server has is enough.
    let data = ["--data", folder.path().to_str().unwrap()];
    let (status, alone) = told(&[&["model", "drift", "mood", "--last", "20"][..], &data].concat());
    assert_eq!((status, &alone["features"]), (Some(3), &report["features"]), "{alone}");
}
