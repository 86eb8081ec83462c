//! What traces cost: the events of executions followed and made into spans that a collector takes at once, beside following
//! the same events without a look at them, so that the ratio is of one run.
//!
//! `cargo bench -p timeloom-monitor --bench traces [-- <executions> <nodes> <bytes>]`: so many executions of so many nodes,
//! each of which gives an item of so many bytes; two thousand, ten and two hundred when not said.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench stops at anything and prints what it measured")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
use timeloom_domain::trace::Sampling;
use timeloom_monitor::{Collector, Metrics, NotSent, Seen, Service, Traces, TracesParts};
use timeloom_projections::ReadModels;
use timeloom_store::leases::{AllShards, Roles, WorkerId};
use timeloom_store::mark::Mark;
use timeloom_store::{
    Append, EventLog, Expected, Filter, LogError, MemoryLog, Metadata, NewEvent, Position, StreamKey,
    SubscriptionMessage, SystemClock, TenantScope,
};
use tokio::sync::watch;
use uuid::Uuid;

const EXECUTIONS: usize = 2_000;
const NODES: usize = 10;
const BYTES: usize = 200;
/// Times that each is measured.
const ROUNDS: usize = 5;
/// Events that may wait for who only follows.
const QUEUE_EVENTS_MAX: usize = 16_384;

/// A collector that takes everything.
#[derive(Default)]
struct Takes(AtomicU64);

#[async_trait]
impl Collector for Takes {
    async fn send(&self, batch: Bytes) -> Result<Bytes, NotSent> {
        self.0.fetch_add(batch.len() as u64, Ordering::Relaxed);
        Ok(Bytes::new())
    }
}

/// A mark that tells when it moves.
struct Moves(watch::Sender<u64>);

#[async_trait]
impl Mark for Moves {
    async fn load(&self) -> Result<Option<u64>, LogError> {
        Ok(Some(0))
    }

    async fn save(&self, number: u64) -> Result<(), LogError> {
        self.0.send_replace(number);
        Ok(())
    }
}

fn event(id: u128, event_type: &str, payload: &Value, metadata: &Arc<Metadata>) -> NewEvent {
    NewEvent {
        id: EventId(Uuid::from_u128(id)),
        event_type: event_type.into(),
        event_version: 1,
        payload: Arc::from(RawValue::from_string(payload.to_string()).unwrap()),
        metadata: Arc::clone(metadata),
    }
}

async fn append_execution(log: &MemoryLog, number: usize, nodes: usize, bytes: usize) {
    let base = (number as u128 + 1) << 32;
    let metadata = Arc::new(Metadata::new(Actor::System("engine".to_owned()), CommandId(Uuid::from_u128(base))));
    let at_ms = SystemClock.now_ms();
    let start = json!({ "workflow_id": Uuid::from_u128(5), "workflow_revision": 1, "mode": "production",
        "start_node": "N0", "items": [], "seed": 1, "at_ms": at_ms });
    let mut events = vec![event(base, "ExecutionStarted", &start, &metadata)];
    for node in 0..nodes {
        let run = json!({ "node": format!("N{node}"), "run_index": 0, "execution_index": node, "sources": [null] });
        let completed = json!({ "run": run, "started_at_ms": at_ms, "duration_us": 15,
            "outputs": [[{ "json": { "text": "x".repeat(bytes) }, "pairedItem": { "item": 0 } }]] });
        events.push(event(base + 1 + node as u128, "NodeCompleted", &completed, &metadata));
    }
    let end = json!({ "at_ms": at_ms + 1 });
    events.push(event(base + 1 + nodes as u128, "ExecutionCompleted", &end, &metadata));
    let stream = StreamKey::new(TenantId(1), "execution", Uuid::from_u128(base).to_string());
    log.append(Append::new(stream, Expected::NoStream, events, CommandId(Uuid::from_u128(base)))).await.unwrap();
}

/// The machine's time, as events tell it.
trait NowMs {
    fn now_ms(&self) -> i64;
}

impl NowMs for SystemClock {
    fn now_ms(&self) -> i64 {
        timeloom_store::Clock::now(self).timestamp_millis()
    }
}

/// Follows the log to its end, and looks at nothing.
async fn follow(log: &Arc<MemoryLog>) -> Duration {
    let (began, head) = (Instant::now(), log.head());
    let mut from = Position::START;
    while from < head {
        let mut events = log.subscribe(TenantScope::All, from, Filter::default(), QUEUE_EVENTS_MAX);
        while from < head {
            match events.next().await.unwrap() {
                SubscriptionMessage::Event(event) => from = event.position,
                SubscriptionMessage::FellBehind(_) => break,
                _ => {}
            }
        }
    }
    began.elapsed()
}

/// Traces the log to its end; answers the time, and the bytes and spans that came to the collector and those that did not.
async fn trace(log: &Arc<MemoryLog>, read_models: &Arc<ReadModels>) -> (Duration, [u64; 3]) {
    let (collector, metrics): (Arc<Takes>, Arc<Metrics>) = (Arc::default(), Arc::default());
    let mark = Arc::new(Moves(watch::Sender::new(0)));
    let mut marked = mark.0.subscribe();
    let traces = Traces::new(TracesParts {
        log: Arc::clone(log) as Arc<dyn EventLog>,
        leases: Arc::new(AllShards::new(WorkerId(Uuid::from_u128(9)), Roles::all(), Arc::new(SystemClock))),
        read_models: Arc::clone(read_models),
        clock: Arc::new(SystemClock),
        workflow_name: Arc::new(|_, _| Some("Orders".to_owned())),
        collector: Arc::clone(&collector) as Arc<dyn Collector>,
        mark,
        service: Service { name: "timeloom".to_owned(), instance: "one".to_owned() },
        sampling: Sampling::ALL,
        metrics: Arc::clone(&metrics),
    });
    let (began, head) = (Instant::now(), log.head().0);
    traces.start(true);
    // The mark is told in steps: the last one comes with the stop.
    marked.wait_for(|position| *position + QUEUE_EVENTS_MAX as u64 >= head).await.unwrap();
    traces.stop().await;
    let took = began.elapsed();
    let text = metrics.text(&Seen { head: log.head(), projections: &[] }).unwrap();
    let counted = |name: &str| {
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    };
    let (sent, dropped) = (counted("timeloom_trace_spans_sent_total"), counted("timeloom_trace_spans_dropped_total"));
    (took, [collector.0.load(Ordering::Relaxed), sent, dropped])
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut given = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let mut next = |otherwise| given.next().unwrap_or(otherwise);
    let (executions, nodes, bytes) = (next(EXECUTIONS), next(NODES), next(BYTES));
    let log = MemoryLog::new(Arc::new(SystemClock));
    for number in 0..executions {
        append_execution(&log, number, nodes, bytes).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let read_models = ReadModels::open(folder.path(), Arc::clone(&log) as Arc<dyn EventLog>).unwrap();
    let events = log.head().0 as f64;
    println!("{executions} executions of {nodes} nodes, {bytes} bytes an item: {events} events");
    for round in 1..=ROUNDS {
        let plain = follow(&log).await;
        let (traced, [bytes, sent, dropped]) = trace(&log, &read_models).await;
        let rate = |took: Duration| events / took.as_secs_f64();
        println!(
            "round {round}: followed {:.0} events/s, traced {:.0} events/s, ratio {:.2}; {sent} spans of {} bytes, {dropped} dropped",
            rate(plain),
            rate(traced),
            rate(traced) / rate(plain),
            bytes / sent.max(1),
        );
    }
}
