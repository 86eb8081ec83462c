//! What lists cost over a million executions, and how fast events are folded.
//!
//! `cargo bench -p timeloom-projections --bench list [-- <executions>] [--postgres]`; one million when not said, in SQLite
//! when nothing is said.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::DateTime;
use serde_json::value::RawValue;
use timeloom_domain::execution::{ExecutionStatus, TriggerKind};
use timeloom_domain::ids::{Actor, CommandId, EventId, ExecutionId, TenantId, WorkflowId};
use timeloom_postgres_testing::{Database, Server};
use timeloom_projections::{AsOf, Cursor, ExecutionFilter, Page, PostgresPlace, ReadModelStore, ReadModels, rebuild};
use timeloom_store::{
    Append, AppendError, Appended, Direction, EventLog, Filter, LogError, Metadata, Payload, Position, READ_EVENTS_MAX,
    RecordedEvent, Revision, StreamKey, Subscription, TenantScope,
};
use timeloom_store_postgres::Address;
use uuid::Uuid;

const TENANT: TenantId = TenantId(1);
/// Executions that run at the same time.
const CONCURRENT: u64 = 64;
const WORKFLOWS: u64 = 100;
/// Pages asked for each figure.
const SAMPLES: u64 = 400;

/// A log that is computed instead of stored: every execution takes `nodes` + 2 events, many run interleaved.
struct ComputedLog {
    executions: u64,
    nodes: u64,
    metadata: Arc<Metadata>,
    node_payloads: Vec<Payload>,
    completed: Payload,
    failed: Payload,
}

impl ComputedLog {
    fn new(executions: u64, nodes: u64) -> Self {
        let item = r#"{"json":{"id":17,"name":"Ada Lovelace","email":"ada@example.org","country":"GB","amount":12.5,"tags":["a","b"],"note":"one item of about two hundred bytes, as a webhook brings it in"},"pairedItem":{"item":0}}"#;
        let node = |index: u64| {
            raw(format!(
                r#"{{"type":"node_completed","run":{{"node":"Edit Fields {index}","run_index":0,"execution_index":{index},"sources":[{{"previousNode":"Edit Fields"}}]}},"started_at_ms":1700000000000,"duration_us":84,"outputs":[[{item}]]}}"#
            ))
        };
        Self {
            executions,
            nodes,
            metadata: Arc::new(Metadata {
                actor: Actor::System("bench".to_owned()),
                command_id: CommandId(Uuid::nil()),
                causation_id: None,
                correlation_id: None,
                request: None,
            }),
            node_payloads: (0..nodes).map(node).collect(),
            completed: raw(r#"{"type":"execution_completed","at_ms":1700000001000}"#.to_owned()),
            failed: raw(r#"{"type":"execution_failed","node":"Edit Fields 1","error":{"name":"NodeError","message":"no such host"},"at_ms":1700000001000}"#.to_owned()),
        }
    }

    fn events_each(&self) -> u64 {
        self.nodes + 2
    }

    /// The event at a position: a window of concurrent executions takes turns, event by event.
    fn event(&self, position: u64) -> Arc<RecordedEvent> {
        let window = CONCURRENT * self.events_each();
        let (group, within) = ((position - 1) / window, (position - 1) % window);
        let (step, execution) = (within / CONCURRENT, group * CONCURRENT + within % CONCURRENT);
        let (event_type, payload) = match step {
            0 => ("ExecutionStarted", start(execution)),
            step if step <= self.nodes => ("NodeCompleted", Arc::clone(&self.node_payloads[(step - 1) as usize])),
            _ if execution % 20 == 0 => ("ExecutionFailed", Arc::clone(&self.failed)),
            _ => ("ExecutionCompleted", Arc::clone(&self.completed)),
        };
        Arc::new(RecordedEvent {
            position: Position(position),
            stream: StreamKey::new(TENANT, "execution", execution_id(execution).to_string()),
            revision: Revision(step + 1),
            id: EventId(Uuid::from_u128(position.into())),
            event_type: event_type.into(),
            event_version: 1,
            payload,
            metadata: Arc::clone(&self.metadata),
            recorded_at: DateTime::from_timestamp_micros(1_700_000_000_000_000 + position as i64).unwrap_or_default(),
        })
    }
}

fn raw(text: String) -> Payload {
    Arc::from(RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned()))
}

fn start(execution: u64) -> Payload {
    let mut text = String::from(r#"{"type":"execution_started","workflow_id":""#);
    let _ = write!(text, "{}", workflow_id(execution % WORKFLOWS));
    text.push_str(r#"","workflow_revision":3,"workflow_version":1,"mode":"production","start_node":"Webhook","items":[{"json":{"id":17,"name":"Ada"}}],"seed":7,"at_ms":1700000000000}"#);
    raw(text)
}

fn workflow_id(number: u64) -> WorkflowId {
    WorkflowId(Uuid::from_u128((7 << 100) + u128::from(number)))
}

/// Ordered by creation, as version 7 ids are.
fn execution_id(number: u64) -> ExecutionId {
    ExecutionId(Uuid::from_u128((u128::from(number) << 64) + u128::from(number.wrapping_mul(0x9E37_79B9_7F4A_7C15))))
}

#[async_trait]
impl EventLog for ComputedLog {
    async fn append(&self, _append: Append) -> Result<Appended, AppendError> {
        Err(LogError::Closed.into())
    }

    async fn read_stream(
        &self,
        _stream: &StreamKey,
        _after: Revision,
        _direction: Direction,
        _limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        Err(LogError::Closed)
    }

    async fn read_all(
        &self,
        _scope: TenantScope,
        after: Position,
        _direction: Direction,
        _filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        let end = (after.0 + limit.min(READ_EVENTS_MAX) as u64).min(self.head().0);
        Ok((after.0 + 1..=end).map(|position| self.event(position)).collect())
    }

    fn subscribe(&self, _scope: TenantScope, _after: Position, _filter: Filter, _capacity: usize) -> Subscription {
        Subscription::new(tokio::sync::mpsc::channel(1).1)
    }

    fn head(&self) -> Position {
        Position(self.executions * self.events_each())
    }

    async fn wait_for(&self, _position: Position) -> Result<(), LogError> {
        Ok(())
    }

    async fn position_at(&self, _time_us: i64) -> Result<Position, LogError> {
        Ok(self.head())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let wanted = std::env::args().skip(1).find_map(|argument| argument.parse::<u64>().ok()).unwrap_or(1_000_000);
    let executions = wanted.next_multiple_of(CONCURRENT);
    if std::env::args().any(|argument| argument == "--postgres") {
        let server = Server::start_new();
        let database = Database::create_on(&server).await;
        return measure(postgres_store(database.url())?, executions).await;
    }
    let folder = tempfile::tempdir()?;
    measure(folder.path().into(), executions).await
}

async fn measure(store: ReadModelStore, executions: u64) -> Result<(), Box<dyn std::error::Error>> {
    fold(&store, ComputedLog::new((executions / 20).next_multiple_of(CONCURRENT), 10)).await?;
    let log = ComputedLog::new(executions, 0);
    let head = log.head();
    let log = fold(&store, log).await?;
    let models = ReadModels::open(store, log)?;
    // A database is asked how far it is by the thread that follows.
    models.start()?;
    models.wait_for(head, Duration::from_secs(60)).await?;
    pages(&models, head).await?;
    Ok(())
}

async fn fold(store: &ReadModelStore, log: ComputedLog) -> Result<Arc<ComputedLog>, Box<dyn std::error::Error>> {
    let (log, began) = (Arc::new(log), Instant::now());
    let report = rebuild(store, Arc::clone(&log) as Arc<dyn EventLog>, &[]).await?;
    let seconds = began.elapsed().as_secs_f64();
    let parked: usize = report.projections.iter().map(|projection| projection.parked).sum();
    say(&format!(
        "folded {} events of {} executions in {seconds:.1} s: {:.0} events/s, parked {parked}",
        report.events,
        log.executions,
        report.events as f64 / seconds
    ));
    Ok(log)
}

async fn pages(models: &ReadModels, head: Position) -> Result<(), Box<dyn std::error::Error>> {
    let all = ExecutionFilter::default();
    let status = |status| ExecutionFilter { status: Some(status), ..all.clone() };
    let workflow = |filter: &ExecutionFilter| ExecutionFilter { workflow_id: Some(workflow_id(40)), ..filter.clone() };
    let unresolved = ExecutionFilter { unresolved: Some(true), ..all.clone() };
    let called = ExecutionFilter { trigger: Some(TriggerKind::Webhook), ..all.clone() };
    let (completed, failed, running) =
        (status(ExecutionStatus::Completed), status(ExecutionStatus::Failed), status(ExecutionStatus::Running));
    let (then, deep) = (Some(Position(head.0 / 3 + 40)), Some(Cursor(Position(head.0 / 7))));
    let cases: [(&str, &ExecutionFilter, AsOf, Option<Cursor>); 17] = [
        ("all, first page", &all, None, None),
        ("all, deep page", &all, None, deep),
        ("failed, first page", &failed, None, None),
        ("completed, deep page", &completed, None, deep),
        ("running now (none)", &running, None, None),
        ("workflow, deep page", &workflow(&all), None, deep),
        ("workflow and failed", &workflow(&failed), None, None),
        ("all, as of", &all, then, None),
        ("all, as of, deep page", &all, then, deep),
        ("completed, as of", &completed, then, None),
        ("running, as of", &running, then, None),
        ("running of workflow, as of", &workflow(&running), then, None),
        ("workflow, as of, deep page", &workflow(&all), then, deep),
        ("unresolved failures", &unresolved, None, None),
        ("unresolved failures, as of", &unresolved, then, None),
        ("webhook calls, deep page", &called, None, deep),
        ("webhook calls, as of", &called, then, None),
    ];
    for (name, filter, as_of, after) in cases {
        let page = Page { after, ..Page::first(50) };
        let mut times = Vec::new();
        let mut rows = 0;
        for _ in 0..SAMPLES {
            let began = Instant::now();
            rows = models.executions(TENANT, as_of, &page, filter).await?.rows.len();
            times.push(began.elapsed());
        }
        times.sort_unstable();
        let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
        let milliseconds = |time: Duration| time.as_secs_f64() * 1_000.0;
        say(&format!(
            "{name:28} {rows:3} rows  p50 {:.3} ms  p99 {:.3} ms",
            milliseconds(at(50)),
            milliseconds(at(99))
        ));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "printing is what a bench is for")]
fn say(line: &str) {
    println!("{line}");
}

/// Read models in the database at `url`.
fn postgres_store(url: &str) -> Result<ReadModelStore, Box<dyn std::error::Error>> {
    let address = Address::parse(url)?;
    let (config, tls) = (address.config().clone(), address.tls().clone());
    Ok(ReadModelStore::Postgres(Box::new(PostgresPlace { config, tls })))
}
