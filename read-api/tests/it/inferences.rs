//! Inferences over GraphQL: an answer leads to the bytes of the model and its inputs in one query; who computes; what a
//! model's name meant.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use timeloom_domain::access::{Permission, Permissions, Role};
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{ExecutionId, InferenceId, InferenceWorkerId, ModelLoadId, Slug, TenantId};
use timeloom_domain::inference::{
    ElementType, Gpu, InferenceAnswer, InferenceEvent, InferenceRequest, InferenceWindow, InferenceWorkerEvent,
    ModelLoad, Provider, RejectedCounts, RejectionClass, TensorContent, TensorRecord, WorkerMachine,
};
use timeloom_read_api::SignInOptions;
use timeloom_store::{EventLog as _, Position, StreamKey};
use uuid::Uuid;

use crate::relay::walk;
use crate::support::{FIRST_TENANT, TENANT, TestServer, completed, started, tell, text};

const WORKER: InferenceWorkerId = InferenceWorkerId(Uuid::from_u128(0x3001));
const LOAD: ModelLoadId = ModelLoadId(Uuid::from_u128(0x10AD));

fn inference(number: u128) -> InferenceId {
    InferenceId(Uuid::from_u128(0x1F00 + number))
}

fn mood() -> Slug {
    Slug::try_new("mood").unwrap()
}

fn stream(tenant: TenantId, category: &str) -> StreamKey {
    StreamKey::new(tenant, category, WORKER.to_string())
}

fn tensor(name: &str, content: TensorContent) -> TensorRecord {
    TensorRecord {
        name: name.to_owned(),
        element: ElementType::F32,
        shape: vec![1, 2],
        digest: "d".repeat(64),
        content,
    }
}

fn inline(name: &str) -> TensorRecord {
    tensor(name, TensorContent::Inline("AACAPwAAAEA=".to_owned()))
}

fn request(execution: Option<ExecutionId>) -> Box<InferenceRequest> {
    Box::new(InferenceRequest {
        model: mood(),
        asked: "mood@prod".to_owned(),
        version: 1,
        arm: None,
        digest: "a".repeat(64),
        inputs: vec![inline("the text"), tensor("mask", TensorContent::Omitted)],
        workflow: None,
        execution,
        node: execution.map(|_| "Score".to_owned()),
        agent: None,
        key: None,
        shadow_of: None,
        at_ms: 1_700_000_000_000,
        deadline_ms: 1_700_000_030_000,
    })
}

fn answer() -> Box<InferenceAnswer> {
    Box::new(InferenceAnswer {
        outputs: vec![inline("score")],
        provider: Provider::Cpu,
        load: LOAD,
        queue_us: 40,
        compute_us: 250,
        batch_rows: 3,
        bucket: 4,
        fingerprint: "f".repeat(64),
        compared: None,
    })
}

fn answered(number: u128, execution: Option<ExecutionId>) -> InferenceEvent {
    let (inference, request) = (inference(number), Some(request(execution)));
    InferenceEvent::InferenceCompleted { inference, request, answer: answer() }
}

fn window() -> InferenceEvent {
    InferenceEvent::InferenceWindowClosed(Box::new(InferenceWindow {
        model: mood(),
        version: 1,
        load: LOAD,
        from_ms: 1_700_000_000_000,
        until_ms: 1_700_000_060_000,
        completed: 900,
        cancelled: 1,
        rejected: RejectedCounts { queue_full: 3, deadline_missed: 2, draining: 0 },
        compute_us: 9_000,
        queue_us: 90,
        latency_log2_us: vec![0, 900],
        chain: "c".repeat(64),
    }))
}

fn loaded() -> Vec<InferenceWorkerEvent> {
    let machine = WorkerMachine {
        runtime: Some("onnxruntime 1.24".to_owned()),
        architecture: "x86_64".to_owned(),
        cores: 4,
        ..WorkerMachine::default()
    };
    let load = ModelLoad {
        load: LOAD,
        model: mood(),
        version: 1,
        digest: "a".repeat(64),
        gpu: Gpu::Optional,
        provider: Provider::Cpu,
        nodes: BTreeMap::from([("CPUExecutionProvider".to_owned(), 4)]),
        on_cpu: Vec::new(),
        options: "threads=1".to_owned(),
        runtime: "ONNX Runtime 1.32.0".to_owned(),
        machine: "x86_64 avx2".to_owned(),
        instances: 2,
        threads: 1,
        rows_max: 32,
        load_ms: 5,
        warm_up_ms: 9,
    };
    vec![
        InferenceWorkerEvent::InferenceWorkerStarted { machine: Box::new(machine) },
        InferenceWorkerEvent::ModelLoaded(Box::new(load)),
    ]
}

async fn infer(server: &TestServer, tenant: TenantId, events: &[InferenceEvent]) -> Position {
    tell(&server.log, &stream(tenant, InferenceEvent::CATEGORY), events).await
}

async fn work(server: &TestServer, tenant: TenantId, events: &[InferenceWorkerEvent]) -> Position {
    tell(&server.log, &stream(tenant, InferenceWorkerEvent::CATEGORY), events).await
}

/// A model with two versions, whose alias `prod` names the first.
async fn with_model(server: &TestServer) {
    let version = |digit: &str| {
        let digest = digit.repeat(64);
        format!(
            "addModelVersion(input: {{name: \"mood\", format: \"onnx\", digest: \"{digest}\"}}) {{ errors {{ code }} }}"
        )
    };
    let (first, second) = (version("a"), version("b"));
    for change in [
        "registerModel(input: {name: \"mood\"}) { errors { code } }",
        &first,
        &second,
        "promoteModel(input: {name: \"mood\", version: 1}) { errors { code } }",
        "setModelAlias(input: {name: \"mood\", alias: \"prod\", version: 1}) { errors { code } }",
    ] {
        let data = server.data(&format!("mutation {{ change: {change} }}"), json!({})).await;
        assert_eq!(data["change"]["errors"], json!([]), "{change}");
    }
}

#[tokio::test]
async fn an_answer_is_traced_to_the_bytes_of_model_and_inputs_in_one_query() {
    let server = TestServer::start();
    let (workflow, _) = server.import("scores").await;
    let execution = Uuid::from_u128(0xE1);
    let execution_stream = StreamKey::new(TENANT, "execution", execution.to_string());
    crate::support::append(&server.log, &execution_stream, vec![started(&workflow), completed()]).await;
    with_model(&server).await;
    work(&server, TENANT, &loaded()).await;
    let position = infer(&server, TENANT, &[answered(1, Some(ExecutionId(execution)))]).await;
    // What the name means later changes nothing of it.
    let moved = "mutation { setModelAlias(input: {name: \"mood\", alias: \"prod\", version: 2}) { position } }";
    let moved = server.data(moved, json!({})).await["setModelAlias"]["position"].clone();

    let query = "query($id: UUID!, $from: Position!) { inference(id: $id, waitFor: $from) {
        status asked version digest modelVersion { version digest } model { aliases { alias version } }
        inputs { name element shape digest kept content path } outputs { name kept content }
        provider queueUs computeUs batchRows bucket fingerprint
        load { id options machine runtime placement { provider nodes } provider gpu workerId }
        worker { machine { cores } stopped } node execution { id workflow { name } }
        requestPosition endedPosition } }";
    let data = server.data(query, json!({ "id": inference(1).0, "from": moved })).await;
    let found = &data["inference"];
    assert_eq!(
        (&found["asked"], &found["version"], &found["status"]),
        (&json!("mood@prod"), &json!(1), &json!("COMPLETED"))
    );
    assert_eq!(found["modelVersion"], json!({ "version": 1, "digest": "a".repeat(64) }));
    assert_eq!(found["digest"], json!("a".repeat(64)));
    assert_eq!(found["model"]["aliases"], json!([{ "alias": "prod", "version": 2 }]));
    assert_eq!(
        found["inputs"],
        json!([
            { "name": "the text", "element": "FP32", "shape": [1, 2], "digest": "d".repeat(64), "kept": "INLINE",
              "content": "AACAPwAAAEA=", "path": format!("/tensor/{}?side=inputs&name=the%20text", inference(1)) },
            { "name": "mask", "element": "FP32", "shape": [1, 2], "digest": "d".repeat(64), "kept": "DIGEST_ONLY",
              "content": null, "path": null },
        ])
    );
    assert_eq!(found["outputs"], json!([{ "name": "score", "kept": "INLINE", "content": "AACAPwAAAEA=" }]));
    assert_eq!(
        found["load"],
        json!({ "id": LOAD.0, "options": "threads=1", "machine": "x86_64 avx2", "runtime": "ONNX Runtime 1.32.0",
            "placement": [{ "provider": "CPUExecutionProvider", "nodes": 4 }], "provider": "CPU", "gpu": "OPTIONAL",
            "workerId": WORKER.0 })
    );
    assert_eq!(found["worker"], json!({ "machine": { "cores": 4 }, "stopped": false }));
    assert_eq!(found["execution"], json!({ "id": execution, "workflow": { "name": "scores" } }));
    assert_eq!(
        (&found["requestPosition"], &found["endedPosition"]),
        (&json!(position.to_string()), &json!(position.to_string()))
    );

    let edges = "query($id: UUID!) { execution(id: $id) { inferences { nodes { id node } } }
        model(name: \"mood\") { inferences { nodes { id } } loads { nodes { id version rowsMax } } } }";
    let edges = server.data(edges, json!({ "id": execution })).await;
    assert_eq!(edges["execution"]["inferences"]["nodes"], json!([{ "id": inference(1).0, "node": "Score" }]));
    assert_eq!(edges["model"]["inferences"]["nodes"], json!([{ "id": inference(1).0 }]));
    assert_eq!(edges["model"]["loads"]["nodes"], json!([{ "id": LOAD.0, "version": 1, "rowsMax": 32 }]));
    server.stop().await;
}

#[tokio::test]
async fn a_tensor_is_downloaded_as_a_file() {
    let server = TestServer::start();
    infer(&server, TENANT, &[answered(1, None)]).await;
    server.wait_for_rows().await;
    let get = async |path: String| server.client.get(server.url(&path)).send().await.unwrap();
    let tensor = |side: &str, name: &str| format!("/tensor/{}?side={side}&name={name}", inference(1));
    let file = get(tensor("inputs", "the%20text")).await;
    assert_eq!(
        (file.status().as_u16(), &file.headers()["content-type"]),
        (200, &"application/octet-stream".parse().unwrap())
    );
    assert!(file.headers()["content-disposition"].to_str().unwrap().contains("\"the text.bin\""));
    assert_eq!(file.bytes().await.unwrap().as_ref(), [0, 0, 0x80, 0x3f, 0, 0, 0, 0x40]);
    assert_eq!(get(tensor("outputs", "score")).await.status(), 200);
    for missing in [
        tensor("inputs", "mask"),
        tensor("outputs", "the%20text"),
        format!("/tensor/{}?side=inputs&name=score", inference(9)),
    ] {
        let refused = get(missing.clone()).await;
        assert_eq!(refused.status(), 404, "{missing}");
    }
    assert_eq!(get(tensor("middle", "score")).await.status(), 400);
    server.stop().await;
}

#[tokio::test]
async fn inferences_are_listed_filtered_paged_and_found_by_their_ids() {
    let server = TestServer::start();
    work(&server, TENANT, &loaded()).await;
    let reject = InferenceEvent::InferenceRejected {
        inference: inference(3),
        request: Some(request(None)),
        class: RejectionClass::QueueFull,
        retry_after_ms: Some(20),
    };
    infer(&server, TENANT, &[answered(1, None), answered(2, None), reject, window(), window()]).await;
    server.wait_for_rows().await;
    let list = async |filter: &str| {
        let query = format!("{{ inferences(filter: {{{filter}}}) {{ nodes {{ id }} }} }}");
        let nodes = server.data(&query, json!({})).await["inferences"]["nodes"].clone();
        nodes.as_array().unwrap().iter().map(|node| text(&node["id"])).collect::<Vec<_>>()
    };
    let ids = |numbers: &[u128]| numbers.iter().map(|number| inference(*number).to_string()).collect::<Vec<_>>();
    assert_eq!(list("").await, ids(&[3, 2, 1]));
    assert_eq!(list("model: \"mood\", version: 1, status: COMPLETED").await, ids(&[2, 1]));
    assert_eq!(list("model: \"mood\", version: 2").await, ids(&[]));
    assert_eq!(list("status: REJECTED").await, ids(&[3]));
    assert_eq!(list(&format!("fingerprint: \"{}\"", "f".repeat(64))).await, ids(&[2, 1]));
    let wrong = server.ask("{ inferences(filter: {model: \"No Name\"}) { nodes { id } } }", json!({})).await;
    assert_eq!(wrong["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    let rejected = "query($id: UUID!) { inference(id: $id) { problem retryAfterMs outputs { name } load { id } } }";
    let rejected = server.data(rejected, json!({ "id": inference(3).0 })).await;
    assert_eq!(
        rejected["inference"],
        json!({ "problem": "QUEUE_FULL", "retryAfterMs": 20, "outputs": null, "load": null })
    );

    let shown = "edges { cursor } pageInfo { startCursor endCursor hasNextPage hasPreviousPage }";
    for name in ["inferences", "inferenceWindows"] {
        let ask = async |arguments: &str| {
            let query = format!("{{ list: {name}({arguments}) {{ {shown} }} }}");
            crate::relay::page(&server.data(&query, json!({})).await["list"])
        };
        walk(name, &ask).await;
    }
    let windows = "{ inferenceWindows(model: \"mood\", version: 1) { nodes {
            id completed latencyCounts rejected queueFull deadlineMissed load { id } } } }";
    let windows = server.data(windows, json!({})).await["inferenceWindows"]["nodes"].clone();
    assert_eq!((&windows[1]["completed"], &windows[1]["latencyCounts"]), (&json!(900), &json!([0, 900])));
    assert_eq!([&windows[1]["rejected"], &windows[1]["queueFull"], &windows[1]["deadlineMissed"]], [5, 3, 2]);
    let workers =
        "{ inferenceWorkers(stopped: false) { nodes { id lost machine { runtime } loads { nodes { id } } } } }";
    let workers = server.data(workers, json!({})).await["inferenceWorkers"]["nodes"].clone();
    assert_eq!(workers[0]["loads"]["nodes"], json!([{ "id": LOAD.0 }]));
    assert_eq!(workers[0]["lost"], true, "no process of that id is there");

    let ids = [json!(inference(1).0), windows[0]["id"].clone(), workers[0]["id"].clone(), json!(LOAD.0)];
    let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";
    let nodes = server.data(nodes, json!({ "ids": ids })).await["nodes"].clone();
    for (place, kind) in ["Inference", "InferenceWindow", "InferenceWorker", "ModelLoad"].into_iter().enumerate() {
        assert_eq!(nodes[place], json!({ "__typename": kind, "id": ids[place] }));
    }
    server.stop().await;
}

#[tokio::test]
async fn which_version_a_name_meant_is_told_for_any_moment() {
    let server = TestServer::start();
    with_model(&server).await;
    let before = server.log.head().to_string();
    let moved = "mutation { setModelAlias(input: {name: \"mood\", alias: \"prod\", version: 2}) { position } }";
    let moved = server.data(moved, json!({})).await["setModelAlias"]["position"].clone();
    let resolve = async |reference: &str, as_of: Value| {
        let query = "query($reference: String!, $asOf: AsOf, $from: Position) {
            resolveModel(reference: $reference, asOf: $asOf, waitFor: $from) {
            version { version digest } refusal model { name } } }";
        server.data(query, json!({ "reference": reference, "asOf": as_of, "from": moved })).await["resolveModel"]
            .clone()
    };
    let version = |found: &Value| found["version"]["version"].clone();
    assert_eq!(version(&resolve("mood@prod", Value::Null).await), 2);
    let then = resolve("mood@prod", json!({ "position": before })).await;
    assert_eq!(then["version"], json!({ "version": 1, "digest": "a".repeat(64) }));
    let events =
        "{ events(filter: {categories: [\"model\"]}, direction: BACKWARD, first: 2) { nodes { recordedAt } } }";
    let events = server.data(events, json!({})).await["events"]["nodes"].clone();
    let (newest, earlier) = (text(&events[0]["recordedAt"]), text(&events[1]["recordedAt"]));
    assert_eq!(version(&resolve("mood@prod", json!({ "time": newest })).await), 2);
    if earlier != newest {
        assert_eq!(version(&resolve("mood@prod", json!({ "time": earlier })).await), 1);
    }
    assert_eq!(version(&resolve("mood", Value::Null).await), 1);
    assert_eq!(version(&resolve("mood@2", Value::Null).await), 2);
    let unknown = resolve("mood@test", Value::Null).await;
    assert_eq!((version(&unknown), unknown["model"]["name"].clone()), (Value::Null, json!("mood")));
    assert!(text(&unknown["refusal"]).contains("test"), "{unknown}");
    assert_eq!(resolve("nobody@prod", Value::Null).await, Value::Null);
    let wrong = server.ask("{ resolveModel(reference: \"mood@\") { refusal } }", json!({})).await;
    assert_eq!(wrong["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    server.stop().await;
}

#[tokio::test]
async fn who_sees_executions_sees_inferences_and_no_loads_and_no_other_tenants() {
    let server = TestServer::start_asking(SignInOptions::default());
    let account = server.user(FIRST_TENANT, "ada", &[Role::Owner]).await;
    let (_, runs) = server.key_of(FIRST_TENANT, account, Some(Permissions::of(&[Permission::ExecutionRead]))).await;
    let other = server.tenant("other").await;
    let stranger = server.key_with(other, "eve", &[Role::Owner]).await;
    work(&server, FIRST_TENANT, &loaded()).await;
    infer(&server, FIRST_TENANT, &[answered(1, None)]).await;
    server.wait_for_rows().await;
    let seen = server.ask_with(&runs, "{ inferences { nodes { id outputs { content } } } }", json!({})).await;
    assert_eq!(seen["data"]["inferences"]["nodes"][0]["id"], json!(inference(1).0), "{seen}");
    for refused in [
        "{ inferences { nodes { load { id } } } }",
        "{ inferences { nodes { modelVersion { version } } } }",
        "{ inferenceWorkers { nodes { id } } }",
    ] {
        let answer = server.ask_with(&runs, refused, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{answer}");
    }
    let nothing = server
        .ask_with(&stranger, "{ inferences { nodes { id } } inferenceWorkers { nodes { id } } }", json!({}))
        .await;
    assert_eq!(nothing["data"], json!({ "inferences": { "nodes": [] }, "inferenceWorkers": { "nodes": [] } }));
    let path = format!("/tensor/{}?side=outputs&name=score", inference(1));
    let get = |key: &str| server.client.get(server.url(&path)).bearer_auth(key).send();
    assert_eq!(get(&stranger).await.unwrap().status(), 404);
    assert_eq!(get(&runs).await.unwrap().status(), 200);
    server.stop().await;
}

#[tokio::test]
async fn what_a_worker_was_is_told_for_any_moment() {
    let server = TestServer::start();
    let loaded_at = work(&server, TENANT, &loaded()).await;
    work(&server, TENANT, &[InferenceWorkerEvent::InferenceWorkerStopped {}]).await;
    infer(&server, TENANT, &[answered(1, None), window()]).await;
    let query = "query($id: ID!, $at: AsOf) { stateAt(entity: {kind: INFERENCE_WORKER, id: $id}, asOf: $at) {
        status state } inferences: stateAt(entity: {kind: INFERENCES, id: $id}) { status state } }";
    let id = WORKER.to_string();
    let then = server.data(query, json!({ "id": id, "at": { "position": loaded_at.to_string() } })).await;
    assert_eq!(
        (&then["stateAt"]["status"], &then["stateAt"]["state"]["loads"][0]["rows_max"]),
        (&json!("working"), &json!(32))
    );
    assert_eq!(
        (&then["inferences"]["status"], &then["inferences"]["state"]["completed"]),
        (&json!("idle"), &json!(901))
    );
    let now = server.data(query, json!({ "id": id })).await;
    assert_eq!((&now["stateAt"]["status"], &now["stateAt"]["state"]["loads"]), (&json!("stopped"), &json!([])));
    server.stop().await;
}
