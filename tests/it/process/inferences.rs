//! What models answered, as people ask for it on the command line: of a data folder that nobody uses, and of a server.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use timeloom_domain::event::Event;
use timeloom_domain::ids::{Actor, CommandId, EventId, InferenceId, InferenceWorkerId, ModelLoadId, Slug, TenantId};
use timeloom_domain::inference::{
    ElementType, FailureClass, Gpu, InferenceAnswer, InferenceEvent, InferenceRequest, InferenceWindow,
    InferenceWorkerEvent, ModelLoad, Provider, RejectedCounts, TensorContent, TensorRecord, WorkerMachine,
};
use timeloom_store::{
    Append, BlobStore as _, EventLog as _, Expected, Metadata, NewEvent, StreamKey, SystemClock, codec,
};
use timeloom_store_sqlite::{SqliteLog, SqliteOptions};
use uuid::Uuid;

use super::server::{Server, client, verb, verb_json};

const WORKER: InferenceWorkerId = InferenceWorkerId(Uuid::from_u128(0x3001));
const LOAD: ModelLoadId = ModelLoadId(Uuid::from_u128(0x10AD));
/// The tenant of a data folder on which nobody signs in.
const TENANT: TenantId = TenantId(0);

fn inference(number: u128) -> InferenceId {
    InferenceId(Uuid::from_u128(0x1F00 + number))
}

fn tensor(name: &str, length: u64, content: TensorContent) -> TensorRecord {
    let (element, shape) = (ElementType::F32, vec![1, length]);
    TensorRecord { name: name.to_owned(), element, shape, digest: "d".repeat(64), content }
}

fn request(input: TensorContent) -> Box<InferenceRequest> {
    Box::new(InferenceRequest {
        model: Slug::try_new("mood").unwrap(),
        asked: "mood@prod".to_owned(),
        version: 2,
        arm: None,
        digest: "a".repeat(64),
        inputs: vec![tensor("text", 1_000, input)],
        workflow: None,
        execution: None,
        node: None,
        agent: None,
        key: None,
        shadow_of: None,
        at_ms: 1_700_000_000_000,
        deadline_ms: 1_700_000_030_000,
    })
}

fn answer() -> Box<InferenceAnswer> {
    Box::new(InferenceAnswer {
        outputs: vec![tensor("score", 1, TensorContent::Inline("AACAPw==".to_owned()))],
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

fn load() -> InferenceWorkerEvent {
    InferenceWorkerEvent::ModelLoaded(Box::new(ModelLoad {
        load: LOAD,
        model: Slug::try_new("mood").unwrap(),
        version: 2,
        digest: "a".repeat(64),
        gpu: Gpu::None,
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
    }))
}

async fn tell<E: Event + Serialize>(log: &SqliteLog, worker: InferenceWorkerId, first: u128, events: &[E]) {
    let command_id = CommandId(Uuid::from_u128(first));
    let metadata = Arc::new(Metadata {
        actor: Actor::System("inference".to_owned()),
        command_id,
        causation_id: None,
        correlation_id: None,
        request: None,
    });
    let events = events.iter().enumerate().map(|(place, event)| {
        let encoded = codec::encode(event).unwrap();
        NewEvent {
            id: EventId(Uuid::from_u128(first + 1 + place as u128)),
            event_type: encoded.event_type.into(),
            event_version: encoded.event_version,
            payload: encoded.payload,
            metadata: Arc::clone(&metadata),
        }
    });
    let stream = StreamKey::new(TENANT, E::CATEGORY, worker.to_string());
    log.append(Append::new(stream, Expected::Any, events.collect(), command_id)).await.unwrap();
}

/// A data folder in which a worker answered once and failed once; the input's bytes are a blob.
async fn filled(folder: &Path) {
    let options = SqliteOptions::new(Uuid::from_u128(1), Arc::new(SystemClock));
    let (log, blobs) = SqliteLog::open(folder, options).unwrap();
    let input = blobs.put(vec![7; 4_000].into()).await.unwrap().attachment_id();
    let machine = WorkerMachine {
        runtime: Some("onnxruntime 1.24".to_owned()),
        architecture: "x86_64".to_owned(),
        cores: 4,
        ..WorkerMachine::default()
    };
    let began = InferenceWorkerEvent::InferenceWorkerStarted { machine: Box::new(machine) };
    tell(&log, WORKER, 1_000, &[began, load()]).await;
    let answered = InferenceEvent::InferenceCompleted {
        inference: inference(1),
        request: Some(request(TensorContent::Blob(input))),
        answer: answer(),
    };
    let failed = InferenceEvent::InferenceFailed {
        inference: inference(2),
        request: Some(request(TensorContent::Omitted)),
        class: FailureClass::OutOfMemory,
        reason: "no memory is left for 32 rows".to_owned(),
    };
    tell(&log, WORKER, 2_000, &[answered, failed]).await;
    log.close().await;
}

/// Tells of six workers with an inference and a window each, in a data folder that nobody uses.
pub(crate) async fn several_workers(folder: &Path) {
    let options = SqliteOptions::new(Uuid::from_u128(1), Arc::new(SystemClock));
    let (log, _blobs) = SqliteLog::open(folder, options).unwrap();
    for number in 0..6 {
        let (worker, first) = (InferenceWorkerId(Uuid::from_u128(0x3100 + number)), 10_000 + number * 100);
        let machine = Box::default();
        tell(&log, worker, first, &[InferenceWorkerEvent::InferenceWorkerStarted { machine }]).await;
        let request = Some(request(TensorContent::Omitted));
        let answered =
            InferenceEvent::InferenceCompleted { inference: inference(10 + number), request, answer: answer() };
        let window = InferenceEvent::InferenceWindowClosed(Box::new(InferenceWindow {
            model: Slug::try_new("mood").unwrap(),
            version: 2,
            load: LOAD,
            from_ms: 1_700_000_000_000,
            until_ms: 1_700_000_060_000,
            completed: 9,
            cancelled: 0,
            rejected: RejectedCounts { queue_full: 3, deadline_missed: 2, draining: 0 },
            compute_us: 900,
            queue_us: 90,
            latency_log2_us: vec![0, 9],
            chain: "c".repeat(64),
        }));
        tell(&log, worker, first + 50, &[answered, window]).await;
    }
    log.close().await;
}

/// What a verb prints for people; it must succeed.
fn printed(arguments: &[&str]) -> String {
    let output = verb(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn an_answer_is_traced_on_the_command_line_and_its_input_downloaded() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path()).await;
    let data = folder.path().to_str().unwrap();
    let id = inference(1).to_string();
    let trace = printed(&["inference", "show", &id, "--data", data]);
    for told in [
        "asked        mood@prod at 2023-11-14T22:13:20+00:00",
        "model        mood version 2",
        &format!("file         sha256 {}", "a".repeat(64)),
        &format!("input        text FP32 [1,1000] sha256 {}", "d".repeat(64)),
        "options      threads=1",
        "runtime      ONNX Runtime 1.32.0",
        "machine      x86_64 avx2",
        "placement    4 on CPUExecutionProvider",
        "computed     by cpu in 250 us after 40 us of waiting, 3 rows of 4 together",
        &format!("fingerprint  {}", "f".repeat(64)),
        &format!("worker       {WORKER}"),
        "events       positions 3 to 3",
    ] {
        assert!(trace.lines().any(|line| line == told), "'{told}' is missing:\n{trace}");
    }

    let failed = verb_json(&["inference", "list", "--model", "mood@2", "--status", "failed", "--data", data, "--json"]);
    assert_eq!(failed[0]["id"], json!(inference(2).0));
    assert_eq!((failed.as_array().unwrap().len(), &failed[0]["problem"]), (1, &json!("OUT_OF_MEMORY")));
    assert_eq!(verb_json(&["inference", "list", "--model", "mood@1", "--data", data, "--json"]), json!([]));
    let listed = printed(&["inference", "list", "--data", data]);
    assert!(listed.contains("failed (out_of_memory)") && listed.contains("completed"), "{listed}");
    let workers = printed(&["inference", "workers", "--data", data]);
    assert!(workers.contains("x86_64 x4") && workers.contains("mood@2 (2 on cpu)"), "{workers}");

    let server = Server::start(folder.path(), &[]);
    let shown = verb_json(&["inference", "show", &id, "--json", "--server", &server.url]);
    assert_eq!(shown["inputs"][0]["kept"], "BLOB");
    let path = shown["inputs"][0]["path"].as_str().unwrap();
    let file = client().get(format!("{}{path}", server.url)).send().await.unwrap();
    assert_eq!(file.bytes().await.unwrap().as_ref(), [7; 4_000]);
    let content = "query($id: UUID!) { inference(id: $id) { inputs { content } } }";
    let content = server.ask(content, json!({ "id": id })).await;
    assert_eq!(content["inference"]["inputs"][0]["content"].as_str().unwrap().len(), 4_000_usize.div_ceil(3) * 4);
    server.stop();
}

#[tokio::test]
async fn what_is_asked_wrong_about_inferences_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let refused = |arguments: &[&str]| {
        let output = verb(&[arguments, &["--data", data]].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = refused(&["inference", "list", "--model", "mood@prod"]);
    assert!(code == Some(2) && said.contains("name the version"), "{said}");
    let (code, said) = refused(&["inference", "list", "--model", "No Name"]);
    assert!(code == Some(2) && said.contains("No Name"), "{said}");
    let (code, said) = refused(&["inference", "show", &inference(9).to_string()]);
    assert!(code == Some(1) && said.contains("timeloom inference list"), "{said}");
}
