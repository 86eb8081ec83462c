//! What archiving costs and saves: bytes of segments for each byte of payloads, how quickly they are sealed and read.
//!
//! Two logs: executions that differ little, and those of orders that differ as orders of a shop do.
//! `cargo bench -p timeloom-archive --bench seal`; `events=60000` makes fewer.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark is run by hand, prints, measures time, and may stop at anything"
)]

use std::fs;
use std::sync::Arc;
use std::time::Instant;

use serde_json::value::RawValue;
use tempfile::TempDir;
use timeloom_archive::{Archiver, Job, Places, SegmentReader};
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
use timeloom_store::archive::Archivable;
use timeloom_store::bench::{argument, fill_with_executions};
use timeloom_store::{
    Append, Direction, DurabilityChoice, EventLog, Expected, Filter, Metadata, NewEvent, Position, StreamKey,
    SystemClock, TenantScope,
};
use timeloom_store_sqlite::{SqliteLog, SqliteOptions};
use uuid::Uuid;

const EVENTS: u64 = 300_000;
const PLACE: &str = "archive";

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run());
}

async fn run() {
    println!(
        "| executions | payload | metadata | segments | kept in the log's file | bytes per byte of payload | sealed | read of rows | read of segments |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let events = argument("events").unwrap_or(EVENTS);
    measure("alike", async |log| {
        fill_with_executions(log, events).await;
    })
    .await;
    measure("of orders", async |log| fill_with_orders(log, events).await).await;
}

async fn measure(name: &str, fill: impl AsyncFn(&dyn EventLog)) {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let places = Places::new(folder.path());
    let options = SqliteOptions {
        durability: DurabilityChoice::Relaxed { flush_ms: 1_000 },
        segments: Arc::new(SegmentReader::new(places.clone())),
        ..SqliteOptions::new(Uuid::from_u128(1), Arc::new(SystemClock))
    };
    let (log, _blobs) = SqliteLog::open(folder.path(), options).unwrap();
    fill(&*log).await;
    let read_rows = read(&*log).await;
    let rows = Arc::clone(&log) as Arc<dyn Archivable>;
    let archiver = Archiver::new(Arc::clone(&log) as Arc<dyn EventLog>, rows, places, Uuid::now_v7);
    let actor = Actor::System("archiver".to_owned());
    let job = Job { up_to: Position(u64::MAX), place: PLACE.to_owned(), segments_max: u64::MAX, actor };
    let began = Instant::now();
    let sealed = archiver.run(&job, |_| {}).await.unwrap();
    let sealing = sealed.events as f64 / began.elapsed().as_secs_f64();
    let read_segments = read(&*log).await;
    log.close().await;
    drop((log, archiver));
    let file = folder.path().join("log.db");
    rusqlite::Connection::open(&file).unwrap().execute_batch("VACUUM").unwrap();
    let left = fs::metadata(&file).unwrap().len();
    let per = |bytes: u64| bytes as f64 / sealed.events as f64;
    println!(
        "| {name}, {} events | {:.0} B | {:.0} B | {:.1} B | {:.0} B | {:.3} | {sealing:.0} events/s | {read_rows:.0} events/s | {read_segments:.0} events/s |",
        sealed.events,
        per(sealed.payload_bytes),
        per(sealed.metadata_bytes),
        per(sealed.bytes),
        per(left),
        sealed.bytes as f64 / sealed.payload_bytes as f64,
    );
}

/// Executions of orders: an item of their own each, which passes through four nodes, every event an append by itself, as
/// effects write them.
async fn fill_with_orders(log: &dyn EventLog, events: u64) {
    const NODES: u64 = 4;
    for number in 0..events / (NODES + 1) {
        let stream = StreamKey::new(TenantId(1), "execution", Uuid::now_v7().to_string());
        let item = order(number);
        let at_ms = 1_760_000_000_000 + number * 37;
        let mut cause = None;
        for node in 0..=NODES {
            let payload = format!(
                r#"{{"type":"node_completed","run":{{"node":"Node {node}","run_index":0,"execution_index":{node},"sources":[{{"previousNode":"Node {}"}}]}},"started_at_ms":{},"duration_us":{},"outputs":[[{{"json":{item},"pairedItem":{{"item":0}}}}]]}}"#,
                node.saturating_sub(1),
                at_ms + node * 11,
                300 + chance(number * 7 + node) % 90_000,
            );
            let (command_id, id) = (CommandId(Uuid::now_v7()), EventId(Uuid::now_v7()));
            let metadata = Metadata {
                causation_id: cause,
                correlation_id: cause,
                ..Metadata::new(Actor::System("engine-1".to_owned()), command_id)
            };
            cause = Some(id);
            let event = NewEvent {
                id,
                event_type: if node == 0 { "ExecutionStarted".into() } else { "NodeCompleted".into() },
                event_version: 1,
                payload: Arc::from(RawValue::from_string(payload).unwrap()),
                metadata: Arc::new(metadata),
            };
            log.append(Append::new(stream.clone(), Expected::Any, vec![event], command_id)).await.unwrap();
        }
    }
}

/// An order as JSON: names, an address, lines and amounts that chance makes.
fn order(number: u64) -> String {
    const WORDS: [&str; 24] = [
        "amber", "birch", "cobalt", "delta", "ember", "fjord", "garnet", "harbour", "indigo", "juniper", "kestrel",
        "lagoon", "maple", "nectar", "onyx", "pewter", "quartz", "raven", "saffron", "timber", "umber", "velvet",
        "willow", "zephyr",
    ];
    let word = |salt: u64| WORDS[usize::try_from(chance(number * 31 + salt) % 24).unwrap()];
    let lines: Vec<String> = (0..1 + chance(number) % 4)
        .map(|line| {
            let amount = chance(number * 13 + line) % 90_000;
            format!(
                r#"{{"sku":"{}-{:05}","title":"{} {}","quantity":{},"price":{}.{:02}}}"#,
                word(line + 40),
                chance(number * 17 + line) % 100_000,
                word(line + 50),
                word(line + 60),
                1 + chance(line + number) % 5,
                amount / 100,
                amount % 100,
            )
        })
        .collect();
    format!(
        r#"{{"order_id":"{}","customer":{{"name":"{} {}","email":"{}.{}@example.com","street":"{} {}","postcode":"{:05}"}},"lines":[{}],"note":"{} {} {}","token":"{:016x}"}}"#,
        Uuid::now_v7(),
        word(1),
        word(2),
        word(1),
        chance(number + 3) % 10_000,
        word(4),
        chance(number + 5) % 300,
        chance(number + 6) % 100_000,
        lines.join(","),
        word(7),
        word(8),
        word(9),
        chance(number ^ 0xabcd),
    )
}

/// A number that follows from another and looks like chance.
fn chance(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Events a second of a reading of everything.
async fn read(log: &dyn EventLog) -> f64 {
    let (began, mut at, mut read) = (Instant::now(), Position::START, 0);
    loop {
        let page = log.read_all(TenantScope::All, at, Direction::Forward, &Filter::default(), 1_000).await.unwrap();
        let Some(last) = page.last() else { break };
        at = last.position;
        read += page.len();
    }
    read as f64 / began.elapsed().as_secs_f64()
}
