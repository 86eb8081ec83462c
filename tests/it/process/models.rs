//! Models in the program as people run it: a file sent and checked, asked by the Open Inference Protocol, killed in the
//! middle; signed in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::server::{Server, verb, verb_json};
use super::signing_in::Browser;
use crate::tree::root;

fn model(file: &str) -> PathBuf {
    root().join("inference/runtime/tests/models").join(file)
}

/// Adds a file by the command line, to a server or to a data folder; what it printed.
fn add(to: &[&str], name: &str, file: &str) -> std::process::Output {
    let path = model(file);
    let mut arguments = vec!["model", "add", name, path.to_str().unwrap(), "--promote", "--json"];
    arguments.extend(to);
    verb(&arguments)
}

/// The numbers of a question; no two questions have the same.
fn numbers(seed: u32) -> Vec<f32> {
    (0..8_u16).map(|at| (seed as f32).mul_add(1e-4, f32::from(at) * 0.1)).collect()
}

fn question(seed: u32) -> Value {
    let data = numbers(seed);
    json!({ "id": seed.to_string(), "inputs": [{ "name": "x", "shape": [1, 8], "datatype": "FP32", "data": data }] })
}

/// Numbers as an event holds them.
fn inline(numbers: &[f32]) -> String {
    STANDARD.encode(numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())
}

async fn ask(client: &reqwest::Client, url: &str, name: &str, seed: u32) -> reqwest::Result<Value> {
    let sent = client.post(format!("{url}/v2/models/{name}/infer")).json(&question(seed)).send().await?;
    sent.json().await
}

/// The events of a category in a data folder that no server has.
fn events(data: &Path, category: &str) -> Vec<Value> {
    let (mut found, mut after) = (Vec::new(), "0".to_owned());
    loop {
        let data = data.to_str().unwrap();
        let arguments = ["events", "list", "--data", data, "--json", "--limit", "100", "--category", category];
        let page = verb_json(&[&arguments[..], &["--after", &after]].concat());
        found.extend(page["nodes"].as_array().unwrap().iter().cloned());
        if page["pageInfo"]["hasNextPage"] != json!(true) {
            return found;
        }
        after = found.last().unwrap()["position"].as_str().unwrap().to_owned();
    }
}

#[tokio::test]
async fn a_file_is_sent_checked_and_answers_and_a_bad_one_is_told_why() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let to = ["--server", server.url.as_str()];
    let added: Value = serde_json::from_slice(&add(&to, "mood", "mlp.onnx").stdout).unwrap();
    assert_eq!((&added["model"], &added["version"]), (&json!("mood"), &json!(1)));
    for (file, said) in [
        ("cut.onnx", "no ONNX model"),
        ("operator-custom.onnx", "'Conjure'"),
        ("external-above.onnx", "leads out of the model's folder"),
        ("opset-too-new.onnx", "version 99"),
    ] {
        let refused = add(&to, "mood", file);
        assert_eq!(refused.status.code(), Some(2), "{file}");
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(told.contains("rejected") && told.contains(said), "{file}: {told}");
    }
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = ask(&client, &server.url, "mood", 1).await.unwrap();
    assert_eq!((&answer["model_version"], &answer["id"]), (&json!("1"), &json!("1")));
    let scores: Vec<f64> = answer["outputs"][0]["data"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    assert!((scores.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{answer}");

    let shown = server
        .ask("{ model(name: \"mood\") { promotedVersion versions { version file { opset source inputs { name shape } } } } }", json!({}))
        .await;
    assert_eq!(
        shown["model"],
        json!({ "promotedVersion": 1, "versions": [{ "version": 1, "file": { "opset": 17, "source": "mlp.onnx",
            "inputs": [{ "name": "x", "shape": [null, 8] }] } }] })
    );
    let wrong = json!({ "inputs": [{ "name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3] }] });
    let refused = client.post(format!("{}/v2/models/mood/infer", server.url)).json(&wrong).send().await.unwrap();
    assert_eq!(refused.status(), 400);
    let nobody = client.get(format!("{}/v2/models/nobody", server.url)).send().await.unwrap();
    assert_eq!(nobody.status(), 404);

    let told = client.get(format!("{}/metrics", server.url)).send().await.unwrap().text().await.unwrap();
    let of = "tenant=\"0\",model=\"mood\",version=\"1\"";
    for line in [
        format!("timeloom_model_requests_total{{{of},outcome=\"answered\"}} 1"),
        format!("timeloom_model_requests_total{{{of},outcome=\"unfit\"}} 1"),
        format!("timeloom_model_inferences_total{{{of}}} 1"),
        format!("timeloom_model_batch_rows_bucket{{le=\"1.0\",{of}}} 1"),
        format!("timeloom_model_compute_duration_seconds_count{{{of}}} 1"),
        format!("timeloom_model_pending_requests{{{of}}} 0"),
    ] {
        assert!(told.lines().any(|found| found == line), "'{line}' is missing:\n{told}");
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_the_middle_of_batches_loses_and_doubles_nothing_that_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    assert!(add(&["--data", folder.path().to_str().unwrap()], "mood", "mlp.onnx").status.success());
    let server = Server::start(folder.path(), &[]);
    let url = server.url.clone();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    ask(&client, &url, "mood", 0).await.unwrap();
    let askers: Vec<_> = (0..16_u32)
        .map(|asker| {
            let (client, url) = (client.clone(), url.clone());
            tokio::spawn(async move {
                let mut answered = BTreeMap::new();
                for number in 0..1_000_u32 {
                    let seed = asker * 1_000 + number + 1;
                    match ask(&client, &url, "mood", seed).await {
                        Ok(answer) => answered.insert(seed, scores(&answer)),
                        Err(_) => break,
                    };
                }
                answered
            })
        })
        .collect();
    // Once some hundreds are written down it is killed while others are computed.
    while head(&client, &url).await < 300 {}
    server.kill();
    let mut answered = BTreeMap::new();
    for asker in askers {
        answered.extend(asker.await.unwrap());
    }
    assert!(answered.len() >= 200, "{} were answered", answered.len());

    let mut recorded: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in events(folder.path(), "inference") {
        let payload = &event["payload"];
        assert_eq!(payload["type"], "inference_completed");
        let content = |tensor: &Value| tensor["content"]["inline"].as_str().unwrap().to_owned();
        let (asked, told) = (&payload["request"]["inputs"][0], &payload["answer"]["outputs"][0]);
        recorded.entry(content(asked)).or_default().push(content(told));
    }
    for (seed, scores) in &answered {
        let told = recorded.get(&inline(&numbers(*seed)));
        assert_eq!(told, Some(&vec![inline(scores)]), "question {seed} was answered and is recorded once");
    }

    let verified = verb_json(&["inference", "verify", "--data", folder.path().to_str().unwrap(), "--json"]);
    assert_eq!(
        (&verified["different"], &verified["notVerified"], &verified["near"]),
        (&json!([]), &json!({}), &json!(0))
    );
    assert_eq!(verified["same"].as_u64().unwrap(), recorded.len().min(1_000) as u64, "{verified}");

    let data = folder.path().to_str().unwrap();
    let unknown = verb(&["inference", "verify", "--data", data, "0198c0de-0000-7000-8000-000000000000"]);
    assert_eq!(unknown.status.code(), Some(1), "what is not there is not verified");

    let again = Server::start(folder.path(), &[]);
    let (seed, before) = answered.iter().next().unwrap();
    let answer = ask(&client, &again.url, "mood", *seed).await.unwrap();
    assert_eq!(scores(&answer), *before, "the same question has the same answer after a restart");
    // Newest first: who verified ended by itself, and who was killed is known to be gone.
    let workers = verb_json(&["inference", "workers", "--all", "--server", &again.url, "--json"]);
    let ends: Vec<_> = workers.as_array().unwrap().iter().map(|worker| (&worker["stopped"], &worker["lost"])).collect();
    let (yes, no) = (&json!(true), &json!(false));
    assert_eq!((ends.first(), ends.last()), (Some(&(no, no)), Some(&(no, yes))), "{workers}");
    again.stop();
}

/// The numbers of an answer.
fn scores(answer: &Value) -> Vec<f32> {
    let data = answer["outputs"][0]["data"].as_array().unwrap();
    data.iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

/// How many events there are.
async fn head(client: &reqwest::Client, url: &str) -> u64 {
    let query = json!({ "query": "{ head { position } }" });
    let sent = client.post(format!("{url}/graphql")).json(&query).send().await.unwrap();
    let answer: Value = sent.json().await.unwrap();
    answer["data"]["head"]["position"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn whoever_does_not_say_who_they_are_asks_no_model_and_sends_no_file() {
    let folder = tempfile::tempdir().unwrap();
    assert!(add(&["--data", folder.path().to_str().unwrap()], "mood", "mlp.onnx").status.success());
    let server = Server::start_asking(folder.path(), "127.0.0.1:0", &[]);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for path in ["/v2", "/v2/models/mood", "/v2/health/ready", "/models/uploads/0", "/v2/repository/index"] {
        let status = client.get(format!("{}{path}", server.url)).send().await.unwrap().status();
        assert_eq!(status, 401, "{path}");
    }
    let asked = client.post(format!("{}/v2/models/mood/infer", server.url)).json(&question(1)).send().await.unwrap();
    assert_eq!(asked.status(), 401);
    let begun =
        client.post(format!("{}/models/uploads", server.url)).json(&json!({ "bytes": 1 })).send().await.unwrap();
    assert_eq!(begun.status(), 401);
    server.stop();
    assert!(events(folder.path(), "inference-worker").is_empty(), "nobody asked, so that no worker began");
}

/// A key of the owner of a tenant, by the link that was made for them.
async fn owner_key(server: &Server, link: &Value) -> String {
    let mut browser = Browser::new();
    let token = link["token"].as_str().unwrap_or_else(|| panic!("{link}"));
    assert_eq!(browser.post(server, "/sign-in/link", &[("token", token)]).await.status(), 303);
    let make = "mutation { makeApiKey(input: { name: \"uploads\" }) { token errors { message } } }";
    let made = browser.ask(server, make, json!({})).await;
    made["data"]["makeApiKey"]["token"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

#[tokio::test]
async fn an_upload_is_there_for_its_own_tenant_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let number = verb_json(&["tenant", "create", "customers", "--data", data, "--json"])["number"].to_string();
    let links = ["0", number.as_str()]
        .map(|tenant| verb_json(&["account", "link", "--owner", "--tenant", tenant, "--data", data, "--json"]));
    let server = Server::start_asking(folder.path(), "127.0.0.1:0", &[]);
    let (mine, theirs) = (owner_key(&server, &links[0]).await, owner_key(&server, &links[1]).await);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let uploads = format!("{}/models/uploads", server.url);
    let begun = client.post(&uploads).bearer_auth(&mine).json(&json!({ "bytes": 3 })).send().await.unwrap();
    let begun: Value = begun.json().await.unwrap();
    let upload = format!("{uploads}/{}", begun["id"].as_str().unwrap_or_else(|| panic!("{begun}")));
    let nowhere = format!("{uploads}/0198c0de-0000-7000-8000-000000000000");
    let become_version = json!({ "model": "mood" });
    let requests = |at: &str, key: &str| {
        [
            client.get(at).bearer_auth(key),
            client.put(format!("{at}?offset=0")).bearer_auth(key).body("abc"),
            client.post(format!("{at}/version")).bearer_auth(key).json(&become_version),
            client.post(format!("{at}/file")).bearer_auth(key),
            client.delete(at).bearer_auth(key),
        ]
    };
    for (theirs, none) in requests(&upload, &theirs).into_iter().zip(requests(&nowhere, &theirs)) {
        let (theirs, none) = (theirs.send().await.unwrap(), none.send().await.unwrap());
        assert_eq!((theirs.status(), none.status()), (reqwest::StatusCode::NOT_FOUND, reqwest::StatusCode::NOT_FOUND));
        let hidden = |text: String| text.replace(begun["id"].as_str().unwrap(), "ID");
        let (theirs, none) = (hidden(theirs.text().await.unwrap()), none.text().await.unwrap());
        assert_eq!(
            theirs,
            none.replace("0198c0de-0000-7000-8000-000000000000", "ID"),
            "it reads as one that is not there"
        );
    }
    let sent = client.put(format!("{upload}?offset=0")).bearer_auth(&mine).body("abc").send().await.unwrap();
    assert_eq!(sent.json::<Value>().await.unwrap()["offset"], 3, "it is as it was for whose it is");
    let kept = client.post(format!("{upload}/file")).bearer_auth(&mine).send().await.unwrap();
    assert_eq!(kept.json::<Value>().await.unwrap()["bytes"], 3);
    server.stop();
}
