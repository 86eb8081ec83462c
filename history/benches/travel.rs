//! What questions about the past cost: the state of a long execution, the event that wrote a value of it, and two large
//! executions side by side. Each beside reading the same events without folding them, so that the ratios are of one run.
//!
//! `cargo bench -p timeloom-history --bench travel [-- <events> <nodes>]`; ten thousand and five hundred when not said.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench stops at anything and prints what it measured")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::{ExecutionEvent, ExecutionMode, NodeFacts, RunOptions, StartFacts};
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId, WorkflowId};
use timeloom_domain::item::{Item, Source};
use timeloom_history::{Kept, Moment, Past, compare_executions, diff, look_at, provenance, state_at};
use timeloom_store::{
    Append, Direction, EventLog, Expected, MemoryLog, Metadata, NewEvent, Revision, StreamKey, SystemClock, codec,
};
use uuid::Uuid;

/// Events of the long execution when nothing else is said.
const EVENTS: usize = 10_000;
/// Nodes of the executions that are compared.
const NODES: usize = 500;
/// Nodes of the long execution, which take turns.
const TURNS: usize = 50;
/// Times that each question is asked.
const SAMPLES: usize = 100;
/// Events of one append.
const APPEND_EVENTS: usize = 500;

fn stream(number: u128) -> StreamKey {
    StreamKey::new(TenantId(1), "execution", Uuid::from_u128(number).to_string())
}

fn start() -> ExecutionEvent {
    ExecutionEvent::ExecutionStarted(Arc::new(StartFacts {
        workflow_id: WorkflowId(Uuid::from_u128(9)),
        workflow_revision: 1,
        workflow_version: None,
        mode: ExecutionMode::Manual,
        start_node: "N0".to_owned(),
        items: vec![Item::default()],
        pins: BTreeMap::new(),
        seed: 1,
        at_ms: 0,
        trigger: None,
        options: RunOptions::default(),
        subject: None,
    }))
}

/// A run of a node; `nodes` of them take turns.
fn completed(index: usize, nodes: usize, value: usize) -> ExecutionEvent {
    let source = |before: usize| Source {
        previous_node: format!("N{}", before % nodes),
        previous_node_output: 0,
        previous_node_run: before / nodes,
    };
    let json = json!({ "id": index, "value": value, "name": "a name of some length", "tags": ["one", "two"] });
    let item = Item::new(json.as_object().cloned().unwrap()).paired_with(0);
    ExecutionEvent::NodeCompleted {
        run: NodeFacts {
            node: format!("N{}", index % nodes),
            run_index: index / nodes,
            execution_index: index,
            sources: index.checked_sub(1).map(|before| Some(source(before))).into_iter().collect(),
        },
        started_at_ms: 1,
        duration_us: 2,
        outputs: vec![Arc::new(vec![item])],
        memory: None,
        hints: Vec::new(),
        pinned: false,
    }
}

async fn fill(log: &MemoryLog, stream: &StreamKey, number: u128, events: Vec<ExecutionEvent>) {
    for (place, chunk) in events.chunks(APPEND_EVENTS).enumerate() {
        let command_id = CommandId(Uuid::from_u128((number << 64) | ((place as u128) << 32)));
        let actor = Actor::System("bench".to_owned());
        let metadata =
            Arc::new(Metadata { actor, command_id, causation_id: None, correlation_id: None, request: None });
        let new = |(index, event): (usize, &ExecutionEvent)| NewEvent {
            id: EventId(Uuid::from_u128(command_id.0.as_u128() + index as u128 + 1)),
            event_type: event.event_type().into(),
            event_version: event.event_version(),
            payload: codec::encode(event).unwrap().payload,
            metadata: Arc::clone(&metadata),
        };
        let events = chunk.iter().enumerate().map(new).collect();
        log.append(Append::new(stream.clone(), Expected::Any, events, command_id)).await.unwrap();
    }
}

/// Reads a stream and looks at nothing.
async fn read(log: &MemoryLog, stream: &StreamKey) {
    let mut after = Revision(0);
    loop {
        let page = log.read_stream(stream, after, Direction::Forward, 100).await.unwrap();
        match page.last() {
            Some(last) if page.len() == 100 => after = last.revision,
            _ => return,
        }
    }
}

/// Median and 99th percentile of what a question takes.
async fn measured<F: Future<Output = ()>>(mut ask: impl FnMut() -> F) -> [Duration; 2] {
    let mut times = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let began = Instant::now();
        ask().await;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    [times[SAMPLES / 2], times[SAMPLES * 99 / 100]]
}

fn print(what: &str, [median, p99]: [Duration; 2], [baseline, _]: [Duration; 2]) {
    let ratio = median.as_secs_f64() / baseline.as_secs_f64();
    println!("{what:<52} median {median:>9.2?}  p99 {p99:>9.2?}  {ratio:>6.1} times reading alone");
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let events = numbers.first().copied().unwrap_or(EVENTS);
    let nodes = numbers.get(1).copied().unwrap_or(NODES);
    let log = MemoryLog::new(Arc::new(SystemClock));
    let [long, left, right] = [1, 2, 3].map(stream);
    let runs = (0..events - 1).map(|index| completed(index, TURNS, index));
    fill(&log, &long, 1, std::iter::once(start()).chain(runs).collect()).await;
    for (number, stream, changed_from) in [(2, &left, nodes), (3, &right, nodes / 2)] {
        let runs = (0..nodes).map(|index| completed(index, nodes, index + usize::from(index >= changed_from)));
        let end = ExecutionEvent::ExecutionCompleted { at_ms: 5 };
        fill(&log, stream, number, std::iter::once(start()).chain(runs).chain([end]).collect()).await;
    }
    let path = format!("/node_runs/{}/outputs/0/0/json/value", events / 2);
    let alone = measured(|| read(&log, &long)).await;
    print(&format!("read {events} events"), alone, alone);
    let state = measured(async || drop(look_at(&*log, &long, Moment::Newest).await.unwrap())).await;
    print(&format!("a moment, {events} events, not read before"), state, alone);
    let given = format!("/node_runs/{}/outputs/0/0/json/value", events / 2);
    let part =
        measured(async || drop(look_at(&*log, &long, Moment::Newest).await.unwrap().part(&given).unwrap())).await;
    print("the same and a value that a node gave", part, alone);
    let kept = Kept::default();
    let past = Past::new(&*log, &kept);
    let state = measured(async || drop(look_at(past, &long, Moment::Newest).await.unwrap())).await;
    print(&format!("a moment, {events} events, read before"), state, alone);
    let state = measured(async || drop(state_at(past, &long, Moment::Newest).await.unwrap())).await;
    print("the same, all of it as JSON", state, alone);
    let moments = [events - 1, events].map(|revision| Moment::Revision(Revision(revision as u64)));
    let step = measured(async || drop(diff(past, &long, moments[0], moments[1]).await.unwrap())).await;
    print(&format!("what the last of {events} events changed"), step, alone);
    let why = measured(async || drop(provenance(&*log, &long, Moment::Newest, &path).await.unwrap())).await;
    print(&format!("from where a value comes, {events} events, not read"), why, alone);
    let why = measured(async || drop(provenance(past, &long, Moment::Newest, &path).await.unwrap())).await;
    print("the same, read before", why, alone);
    let both = measured(async || {
        read(&log, &left).await;
        read(&log, &right).await;
    })
    .await;
    print(&format!("read two executions of {nodes} nodes"), both, both);
    let (one, other) = ((&left, Moment::Newest), (&right, Moment::Newest));
    let compared = measured(async || drop(compare_executions(&*log, one, other).await.unwrap())).await;
    print(&format!("compareExecutions, {nodes} nodes each"), compared, both);
}
