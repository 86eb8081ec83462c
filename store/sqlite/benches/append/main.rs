//! Appends a second: the SQLite log against a bare group-commit loop with nothing but a table, and the log in memory.
//!
//! Rounds alternate, so that a noisy machine is noisy for all. `cargo bench -p timeloom-store-sqlite`; the first argument
//! that is a number is the seconds of each run, and `--tasks=16` runs the shapes with that many tasks only.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark is run by hand, prints, and may stop at anything"
)]

mod bare;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use tempfile::TempDir;
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
use timeloom_store::admission::record;
use timeloom_store::leaf::leaf;
use timeloom_store::{
    Append, Direction, EventLog, Expected, Filter, MemoryLog, Metadata, NewEvent, Position, Revision, StreamKey,
    SystemClock, TenantScope,
};
use timeloom_store_sqlite::{SqliteLog, SqliteOptions};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::bare::BareLog;

const ROUNDS: usize = 5;
const PAYLOAD_BYTES: usize = 300;
/// Tasks, events in an append.
const SHAPES: [(u64, usize); 4] = [(16, 10), (16, 1), (1, 1), (64, 1)];
/// Events after which a run ends early: the log in memory keeps them all.
const EVENTS_MAX: u64 = 400_000;
/// Appends to a stream before its writer begins another, as executions do.
const APPENDS_PER_STREAM: u64 = 20;

fn main() {
    let seconds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(2.0);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(compare(Duration::from_secs_f64(seconds)));
}

async fn compare(time: Duration) {
    println!("a leaf takes {:.0} ns; reading back gives {:.0} events/s", leaf_ns(), read_rate().await);
    println!(
        "{PAYLOAD_BYTES} B payloads, {ROUNDS} rounds of {time:?} each, medians; events/s and p50/p99 of an append"
    );
    println!("| tasks x events | bare loop | SQLite log | ratio | SQLite p50 / p99 ms | in memory |");
    println!("|---|---|---|---|---|---|");
    let only = std::env::args().find_map(|argument| argument.strip_prefix("--tasks=")?.parse::<u64>().ok());
    for (tasks, events) in SHAPES.into_iter().filter(|(tasks, _)| only.is_none_or(|only| only == *tasks)) {
        let mut rounds: [Vec<Run>; 3] = Default::default();
        for _ in 0..ROUNDS {
            let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
            let bare = Arc::new(BareLog::open(folder.path()));
            rounds[0].push(
                drive(time, tasks, events, move |append| {
                    let bare = Arc::clone(&bare);
                    async move { bare.append(append).await }
                })
                .await,
            );
            let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
            let (log, _blobs) = SqliteLog::open(folder.path(), options()).unwrap();
            rounds[1].push(drive_log(time, tasks, events, log).await);
            rounds[2].push(drive_log(time, tasks, events, MemoryLog::new(Arc::new(SystemClock))).await);
        }
        let [bare, sqlite, memory] = rounds.map(median);
        println!(
            "| {tasks} x {events} | {:.0} | {:.0} | {:.2} | {:.2} / {:.2} | {:.0} |",
            bare.rate,
            sqlite.rate,
            sqlite.rate / bare.rate,
            sqlite.p50_ms,
            sqlite.p99_ms,
            memory.rate
        );
    }
}

/// What hashing one event costs the writer.
fn leaf_ns() -> f64 {
    const LEAVES: u32 = 100_000;
    let append = Maker::new(1, 1).next();
    let event = append.events[0].clone();
    let metadata = serde_json::to_string(&*event.metadata).unwrap();
    let event = record(event, append.stream, Position(1), Revision(1), 1);
    let mut buffer = Vec::new();
    let began = Instant::now();
    for _ in 0..LEAVES {
        std::hint::black_box(leaf(&event, event.payload.get(), &metadata, &mut buffer));
    }
    began.elapsed().as_nanos() as f64 / f64::from(LEAVES)
}

/// Events a second that a reader of the whole log gets.
async fn read_rate() -> f64 {
    const EVENTS: usize = 100_000;
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (log, _blobs) = SqliteLog::open(folder.path(), options()).unwrap();
    let mut maker = Maker::new(1, 1_000);
    for _ in 0..EVENTS / 1_000 {
        log.append(maker.next()).await.unwrap();
    }
    let began = Instant::now();
    let mut last = Position::START;
    while last < log.head() {
        let events = log.read_all(TenantScope::All, last, Direction::Forward, &Filter::default(), 1_000).await.unwrap();
        last = events.last().unwrap().position;
    }
    EVENTS as f64 / began.elapsed().as_secs_f64()
}

fn options() -> SqliteOptions {
    SqliteOptions::new(Uuid::from_u128(1), Arc::new(SystemClock))
}

#[derive(Clone, Copy)]
struct Run {
    rate: f64,
    p50_ms: f64,
    p99_ms: f64,
}

fn median(mut runs: Vec<Run>) -> Run {
    runs.sort_by(|left, right| left.rate.total_cmp(&right.rate));
    runs[runs.len() / 2]
}

async fn drive_log(time: Duration, tasks: u64, events: usize, log: Arc<dyn EventLog>) -> Run {
    drive(time, tasks, events, move |append| {
        let log = Arc::clone(&log);
        async move {
            log.append(append).await.unwrap();
        }
    })
    .await
}

/// `tasks` tasks that each wait for an append before they send the next.
async fn drive<F, Made>(time: Duration, tasks: u64, events: usize, append: F) -> Run
where
    F: Fn(Append) -> Made + Clone + Send + 'static,
    Made: Future<Output = ()> + Send + 'static,
{
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut running = JoinSet::new();
    for task in 0..tasks {
        let (stop, done, append) = (Arc::clone(&stop), Arc::clone(&done), append.clone());
        running.spawn(async move {
            let mut maker = Maker::new(task, events);
            let mut took_us = Vec::new();
            while !stop.load(Ordering::Relaxed) && done.load(Ordering::Relaxed) < EVENTS_MAX {
                let next = maker.next();
                let began = Instant::now();
                append(next).await;
                took_us.push(began.elapsed().as_micros());
                done.fetch_add(events as u64, Ordering::Relaxed);
            }
            took_us
        });
    }
    while began.elapsed() < time && done.load(Ordering::Relaxed) < EVENTS_MAX {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let rate = done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    let mut took_us: Vec<u128> = running.join_all().await.into_iter().flatten().collect();
    took_us.sort_unstable();
    let at = |share: usize| took_us[(took_us.len() - 1) * share / 100] as f64 / 1e3;
    Run { rate, p50_ms: at(50), p99_ms: at(99) }
}

/// Makes the appends of one task.
struct Maker {
    task: u64,
    events: usize,
    appends: u64,
    revision: u64,
    stream: StreamKey,
    event_type: Arc<str>,
    payload: Arc<RawValue>,
}

impl Maker {
    fn new(task: u64, events: usize) -> Self {
        let payload = format!("{{\"filling\":\"{}\"}}", "x".repeat(PAYLOAD_BYTES - 14));
        Self {
            task,
            events,
            appends: 0,
            revision: 0,
            stream: StreamKey::new(TenantId(1), "execution", ""),
            event_type: "NodeCompleted".into(),
            payload: Arc::from(RawValue::from_string(payload).unwrap()),
        }
    }

    /// Ids as a server makes them: the time in front, then chance.
    #[expect(clippy::disallowed_methods, reason = "a benchmark needs no repeatable ids")]
    fn id() -> Uuid {
        Uuid::now_v7()
    }

    fn next(&mut self) -> Append {
        if self.appends.is_multiple_of(APPENDS_PER_STREAM) {
            self.stream.id = Self::id().to_string().into();
            self.revision = 0;
        }
        self.appends += 1;
        let command_id = CommandId(Self::id());
        let metadata = Arc::new(Metadata {
            actor: Actor::System(format!("engine-{}", self.task)),
            command_id,
            causation_id: None,
            correlation_id: None,
        });
        let event = |_| NewEvent {
            id: EventId(Self::id()),
            event_type: Arc::clone(&self.event_type),
            event_version: 1,
            payload: Arc::clone(&self.payload),
            metadata: Arc::clone(&metadata),
        };
        let events: Vec<NewEvent> = (0..self.events).map(event).collect();
        let expected = Expected::Exact(Revision(self.revision));
        self.revision += self.events as u64;
        Append { stream: self.stream.clone(), expected, events, command_id }
    }
}
