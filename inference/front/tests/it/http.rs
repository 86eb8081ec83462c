//! The protocol over HTTP.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use timeloom_inference::pool::Policy;

use crate::serving::{ENDLESS, KEY, MODEL, TestServer};

fn server() -> TestServer {
    TestServer::start(Policy::default())
}

fn client() -> Client {
    Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap()
}

async fn send(request: RequestBuilder) -> Response {
    request.bearer_auth(KEY).send().await.unwrap()
}

async fn json_of(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    (status, response.json().await.unwrap())
}

fn ask() -> Value {
    json!({"id": "mine", "inputs": [
        {"name": "TEXT", "shape": [2, 1], "datatype": "BYTES", "data": [["one"], ["zwei"]]},
        {"name": "INPUT0", "shape": [2, 4], "datatype": "FP32", "data": [1, 2, 3, 4, 5, 6, 7, 8]},
        {"name": "INPUT1", "shape": [2, 4], "datatype": "FP32", "data": [[10, 10, 10, 10], [20, 20, 20, 20.5]]}]})
}

#[tokio::test]
async fn a_model_is_asked_in_json_and_in_binary() {
    let server = server();
    let url = server.url(&format!("/models/{MODEL}/infer"));
    let (status, answer) = json_of(send(client().post(&url).json(&ask())).await).await;
    let wanted = json!({"model_name": "sum", "model_version": "1", "id": "mine", "outputs": [
        {"name": "SUM", "datatype": "FP32", "shape": [2, 4], "data": [11.0, 12.0, 13.0, 14.0, 25.0, 26.0, 27.0, 28.5]},
        {"name": "ECHO", "datatype": "BYTES", "shape": [2, 1], "data": ["one", "zwei"]}]});
    assert_eq!((status, answer), (StatusCode::OK, wanted));

    let floats = |numbers: [f32; 4]| numbers.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>();
    let binary =
        |name: &str| json!({"name": name, "shape": [1, 4], "datatype": "FP32", "parameters": {"binary_data_size": 16}});
    let text = json!({"name": "TEXT", "shape": [1, 1], "datatype": "BYTES", "data": ["x"]});
    let outputs = json!([{"name": "SUM", "parameters": {"binary_data": true}}]);
    let head = json!({"inputs": [binary("INPUT0"), text, binary("INPUT1")], "outputs": outputs}).to_string();
    let body = [head.as_bytes(), &floats([1.0, 2.0, 3.0, 4.0]), &floats([0.5; 4])].concat();
    let versioned = server.url(&format!("/models/{MODEL}/versions/1/infer"));
    let request = client().post(&versioned).header("Inference-Header-Content-Length", head.len()).body(body);
    let response = send(request).await;
    let length: usize = response.headers()["inference-header-content-length"].to_str().unwrap().parse().unwrap();
    let body = response.bytes().await.unwrap();
    let told: Value = serde_json::from_slice(&body[..length]).unwrap();
    assert_eq!(told["outputs"][0]["parameters"]["binary_data_size"], 16);
    assert_eq!(body[length..], floats([1.5, 2.5, 3.5, 4.5])[..]);
}

#[tokio::test]
async fn what_is_wrong_is_told_in_the_protocols_form() {
    let server = server();
    let url = |path: &str| server.url(path);
    let infer = url(&format!("/models/{MODEL}/infer"));
    let wrong = |pointer: &str, value: Value| {
        let mut ask = ask();
        *ask.pointer_mut(pointer).unwrap() = value;
        ask
    };
    for (request, status, said) in [
        (client().post(&infer).body("{"), 400, "the JSON is not understood"),
        (
            client().post(&infer).json(&wrong("/inputs/0/name", json!("OTHER"))),
            400,
            "the model has no input 'OTHER': it has INPUT0, INPUT1, TEXT",
        ),
        (
            client().post(&infer).json(&wrong("/inputs/1/shape", json!([4, 2]))),
            400,
            "the input 'INPUT0' has the shape [any, 4]",
        ),
        (client().post(&infer).json(&wrong("/inputs/1/datatype", json!("FP64"))), 400, "is of FP32, not of FP64"),
        (
            client().post(&infer).header("Inference-Header-Content-Length", "x").json(&ask()),
            400,
            "must be a number of bytes",
        ),
        (client().post(url("/models/none/infer")).json(&ask()), 404, "'none' is not loaded"),
        (client().post(url(&format!("/models/{MODEL}/versions/9/infer"))).json(&ask()), 404, "is not loaded"),
        (client().get(url("/models/none")), 404, "'none' is not loaded"),
        (client().get(url("/no/such/thing")), 404, "nothing is served here"),
        (client().post(url("/repository/models/none/unload")), 404, "not loaded"),
        (client().post(url(&format!("/repository/models/{MODEL}/load"))), 409, "is loaded already"),
    ] {
        let (got, body) = json_of(send(request).await).await;
        let error = body["error"].as_str().unwrap();
        assert!(got.as_u16() == status && error.contains(said), "{got} {error}, not {status} {said}");
    }
}

#[tokio::test]
async fn who_is_not_known_is_told_nothing_but_that_the_server_lives() {
    let server = server();
    for path in ["", "/models/sum", "/models/sum/ready", "/models/sum/config", "/models/sum/stats", "/models/stats"] {
        let response = client().get(server.url(path)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    for path in ["/models/sum/infer", "/repository/index", "/repository/models/x/load", "/repository/models/sum/unload"]
    {
        let response = client().post(server.url(path)).body("no JSON").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(client().get(server.url(path)).send().await.unwrap().status(), StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let server = server();
    let url = server.url(&format!("/models/{MODEL}/infer"));
    let large = vec![b' '; 65 << 20];
    let (status, body) = json_of(send(client().post(url).body(large)).await).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body["error"], "the body is too large: 67108864 bytes are the most");
}

#[tokio::test]
async fn who_finds_no_room_is_told_when_to_ask_again_and_who_is_too_late_that_it_was() {
    let server = TestServer::start(Policy { queue_requests_max: 1, ..Policy::default() });
    let url = server.url(&format!("/models/{MODEL}/infer"));
    let within = |timeout_us: u64, first: f32| {
        let mut ask = ask();
        ask["parameters"] = json!({ "timeout": timeout_us });
        ask["inputs"][1]["data"][0] = json!(first);
        send(client().post(&url).json(&ask))
    };
    let pool = server.serving.pool(MODEL, None).unwrap();
    let until = async |is: fn(&timeloom_inference::pool::Counts) -> bool| {
        while !is(&pool.counts()) {
            tokio::task::yield_now().await;
        }
    };
    let mut callers = tokio::task::JoinSet::new();
    callers.spawn(within(3_000_000, ENDLESS));
    until(|counts| counts.running == 1).await;
    callers.spawn(within(2_000_000, 1.0));
    until(|counts| counts.pending == 1).await;
    let refused = within(5_000_000, 1.0).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert!(json_of(refused).await.1["error"].as_str().unwrap().contains("too many wait"));
    while let Some(late) = callers.join_next().await {
        let (status, body) = json_of(late.unwrap()).await;
        assert_eq!(status, StatusCode::GATEWAY_TIMEOUT);
        assert!(body["error"].as_str().unwrap().starts_with("the deadline passed"), "{body}");
    }
}

#[tokio::test]
async fn a_client_that_goes_away_is_not_computed_for() {
    let server = server();
    let url = server.url(&format!("/models/{MODEL}/infer"));
    let pool = server.serving.pool(MODEL, None).unwrap();
    let mut ask_endless = ask();
    ask_endless["inputs"][1]["data"][0] = json!(ENDLESS);
    let mut gone = tokio::task::JoinSet::new();
    gone.spawn(send(client().post(&url).json(&ask_endless)));
    while pool.counts().running == 0 {
        tokio::task::yield_now().await;
    }
    gone.abort_all();
    // The run ends by being stopped alone: this is answered because the first was given up.
    let (status, _) = json_of(send(client().post(&url).json(&ask())).await).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(pool.counts().failed(timeloom_inference::pool::Reason::Cancelled), 1);
}

#[tokio::test]
async fn models_are_described_listed_loaded_and_counted() {
    let server = server();
    let get = async |path: &str| json_of(send(client().get(server.url(path))).await).await.1;
    assert_eq!(get("").await["name"], "timeloom");
    assert_eq!(get("/models/sum").await["inputs"][2], json!({"name": "TEXT", "datatype": "BYTES", "shape": [-1, 1]}));
    assert_eq!(get("/models/sum/versions/1/ready").await, json!({"name": "sum", "ready": true}));
    assert_eq!(get("/models/sum/config").await["max_batch_size"], 32);
    send(client().post(server.url("/models/sum/infer")).json(&ask())).await;
    let statistics = get("/models/sum/stats").await;
    assert_eq!(statistics["model_stats"][0]["inference_stats"]["success"]["count"], 1);
    assert_eq!(statistics["model_stats"][0]["inference_count"], 2);
    assert_eq!(statistics["model_stats"][0]["inference_stats"]["compute_infer"]["count"], 1);
    assert_eq!(get("/models/stats").await["model_stats"].as_array().unwrap().len(), 1);

    let post = async |path: &str, body: Value| send(client().post(server.url(path)).json(&body)).await;
    let parameters = json!({"config": "{}", "file:1/model.onnx": "AAEC"});
    let loaded = post("/repository/models/new/load", json!({"parameters": parameters})).await;
    assert_eq!(loaded.status(), StatusCode::OK);
    assert_eq!(server.serving.brought.lock().unwrap()["new"].files["1/model.onnx"][..], [0, 1, 2]);
    let listed = json_of(post("/repository/index", json!({})).await).await.1;
    assert_eq!(listed.as_array().unwrap().len(), 3);
    let listed = json_of(post("/repository/index", json!({"ready": true})).await).await.1;
    let names: Vec<&Value> = listed.as_array().unwrap().iter().map(|entry| &entry["name"]).collect();
    assert_eq!(names, ["new", "sum"]);
    assert_eq!(post("/repository/models/new/unload", json!({})).await.status(), StatusCode::OK);
    assert_eq!(send(client().get(server.url("/models/new/ready"))).await.status(), StatusCode::NOT_FOUND);
}
