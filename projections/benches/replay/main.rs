//! Replay: how many events a second go through each projection alone and through all, into SQLite and into PostgreSQL,
//! beside the same events read and decoded into typed values with no rows; and what people who ask notice of a rebuild.
//!
//! `cargo bench -p timeloom-projections --bench replay [-- <events>] [--sqlite]`; 200,000 events when not said.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark is run by hand, prints, and may stop at anything"
)]

mod story;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::model::ModelEvent;
use timeloom_domain::plugin::PluginEvent;
use timeloom_domain::workflow::WorkflowEvent;
use timeloom_postgres_testing::{Database, Server};
use timeloom_projections::{ExecutionFilter, Page, PostgresPlace, ReadModelStore, ReadModels, rebuild};
use timeloom_store::codec::decode;
use timeloom_store::{Direction, EventLog, Filter, Position, READ_EVENTS_MAX, RecordedEvent, TenantScope};
use timeloom_store_postgres::Address;
use timeloom_store_sqlite::SqliteLog;
use tokio::task::JoinSet;

const NAMES: [&str; 5] = ["workflows", "plugins", "models", "executions", "node_runs"];
/// Executions that go on while everything is built again.
const EXECUTIONS_AT_ONCE: u128 = 4;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let events = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(200_000);
    let began = Instant::now();
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let log = story::log_in(folder.path(), events).await;
    let head = log.head().0;
    println!("{head} events, appended one by one in {:.1} s", began.elapsed().as_secs_f64());
    println!("| rows | through | events/s | against the baseline | row versions |");
    println!("|---|---|---|---|---|");
    let baseline = decode_all(&log).await;
    println!("| none | read and decoded | {baseline:.0} | 1.00 | |");

    replay("SQLite", &log, baseline, || async {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        (ReadModelStore::Folder(folder.path().to_owned()), folder)
    })
    .await;
    if std::env::args().any(|argument| argument == "--sqlite") {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        return notice("SQLite", &log, folder.path().into()).await;
    }
    let server = Server::start_new();
    replay("PostgreSQL", &log, baseline, || async {
        let database = Database::create_on(&server).await;
        (postgres_store(database.url()), database)
    })
    .await;
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    notice("SQLite", &log, folder.path().into()).await;
    let database = Database::create_on(&server).await;
    notice("PostgreSQL", &log, postgres_store(database.url())).await;
}

/// Events a second that are read from the log and decoded, one page after the other.
async fn decode_all(log: &Arc<SqliteLog>) -> f64 {
    let (began, mut after, mut decoded) = (Instant::now(), Position::START, 0);
    loop {
        let filter = Filter::default();
        let read = log.read_all(TenantScope::All, after, Direction::Forward, &filter, READ_EVENTS_MAX);
        let page = read.await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.position;
        decoded += page.iter().filter(|event| is_decoded(event)).count();
    }
    assert_eq!(decoded as u64, log.head().0);
    decoded as f64 / began.elapsed().as_secs_f64()
}

fn is_decoded(event: &RecordedEvent) -> bool {
    match &*event.stream.category {
        "execution" => decode::<ExecutionEvent>(event).is_ok(),
        "workflow" => decode::<WorkflowEvent>(event).is_ok(),
        "plugin" => decode::<PluginEvent>(event).is_ok(),
        "model" => decode::<ModelEvent>(event).is_ok(),
        other => panic!("{other}"),
    }
}

/// Each projection alone, all, and all as they follow a log that is there already.
async fn replay<Kept>(
    kind: &str,
    log: &Arc<SqliteLog>,
    baseline: f64,
    place: impl AsyncFn() -> (ReadModelStore, Kept),
) {
    let shared = || Arc::clone(log) as Arc<dyn EventLog>;
    let say = |what: &str, rate: f64, rows: &str| {
        println!("| {kind} | {what} | {rate:.0} | {:.2} | {rows} |", rate / baseline);
    };
    for names in NAMES.map(|name| vec![name]).into_iter().chain([NAMES.to_vec()]) {
        let (store, _kept) = place().await;
        let report = rebuild(store, shared(), &names).await.unwrap();
        let what = if names.len() == 1 { names[0] } else { "all, rebuilt" };
        assert!(report.projections.iter().all(|status| status.parked == 0));
        say(what, report.events as f64 / report.took.as_secs_f64(), &report.rows.to_string());
    }
    let (store, _kept) = place().await;
    let models = ReadModels::open(store, shared()).unwrap();
    let began = Instant::now();
    models.start().unwrap();
    models.wait_for(log.head(), Duration::from_secs(3_600)).await.unwrap();
    say("all, followed", log.head().0 as f64 / began.elapsed().as_secs_f64(), "");
    models.close().await.unwrap();
}

/// What people who ask, and who append, notice while everything is built again.
async fn notice(kind: &str, log: &Arc<SqliteLog>, store: ReadModelStore) {
    let models = ReadModels::open(store, Arc::clone(log) as Arc<dyn EventLog>).unwrap();
    models.start().unwrap();
    models.wait_for(log.head(), Duration::from_secs(3_600)).await.unwrap();
    println!("{kind}: a page of 50 executions and an append, ms: p50, p99, most");
    for rebuilding in [false, true] {
        let stop = Arc::new(AtomicBool::new(false));
        let (mut asking, mut appending) = (JoinSet::new(), JoinSet::new());
        let (asked, stopped) = (Arc::clone(&models), Arc::clone(&stop));
        asking.spawn(async move {
            let mut times = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let began = Instant::now();
                let page = asked.executions(story::TENANT, None, &Page::first(50), &ExecutionFilter::default()).await;
                assert_eq!(page.unwrap().rows.len(), 50);
                times.push(began.elapsed());
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            times
        });
        for task in 0..EXECUTIONS_AT_ONCE {
            let (log, stopped) = (Arc::clone(log), Arc::clone(&stop));
            appending.spawn(async move {
                let (mut times, first) = (Vec::new(), (u128::from(log.head().0) << 20) + (task << 16));
                while !stopped.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    story::execute(&log, first + times.len() as u128).await;
                    // Twelve appends, one after the other.
                    times.push(began.elapsed() / 12);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                times
            });
        }
        let mut lag_most = 0;
        let what = if rebuilding {
            let report = models.rebuild(&[]);
            tokio::pin!(report);
            let report = loop {
                tokio::select! {
                    report = &mut report => break report.unwrap(),
                    () = tokio::time::sleep(Duration::from_millis(5)) => {
                        lag_most = lag_most.max(log.head().0.saturating_sub(models.position().0));
                    }
                }
            };
            format!("rebuilding {:.0} events/s", report.events as f64 / report.took.as_secs_f64())
        } else {
            tokio::time::sleep(Duration::from_secs(2)).await;
            "at rest".to_owned()
        };
        stop.store(true, Ordering::Relaxed);
        let asked = percentiles(asking.join_all().await.concat());
        let appended = percentiles(appending.join_all().await.concat());
        println!("  {what}: page {asked}, append {appended}; most lag of the live rows {lag_most} events");
    }
    models.close().await.unwrap();
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1_000.0;
    format!("{:.2}, {:.2}, {:.2}", at(50), at(99), at(100))
}

/// Read models in the database at `url`.
fn postgres_store(url: &str) -> ReadModelStore {
    let address = Address::parse(url).unwrap();
    let (config, tls) = (address.config().clone(), address.tls().clone());
    ReadModelStore::Postgres(Box::new(PostgresPlace { config, tls }))
}
