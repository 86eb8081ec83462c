//! Appends a second: the SQLite log against a bare group-commit loop with nothing but a table, and the log in memory.
//!
//! `cargo bench -p timeloom-store-sqlite --bench append`; `ms=500` shortens each run, `tasks=16` runs the shapes with that
//! many tasks only.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark is run by hand, prints, and may stop at anything"
)]

mod bare;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use timeloom_store::admission::record;
use timeloom_store::bench::{Maker, Sink, append_ratios, sink_of};
use timeloom_store::leaf::leaf;
use timeloom_store::proofs::ProofLog;
use timeloom_store::{DurabilityChoice, EventLog as _, LogTransfer, MemoryLog, Position, Revision, SystemClock};
use timeloom_store_sqlite::{DataFolder, SqliteLog, SqliteOptions, SqliteTree};
use timeloom_verify::checkpoint::origin;
use timeloom_verify::key::{PrivateKey, Validity};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::bare::BareLog;

/// In the order in which [`open`] knows them.
const TARGETS: [&str; 5] = ["bare loop", "SQLite log", "with tree", "relaxed", "in memory"];
/// How often the tree follows the log, as in the program.
const FOLLOWS_EVERY: Duration = Duration::from_secs(2);
const RELAXED: DurabilityChoice = DurabilityChoice::Relaxed { flush_ms: 50 };

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("a leaf takes {:.0} ns", leaf_ns());
    runtime.block_on(append_ratios(&TARGETS, async |target| open(target)));
}

fn open(target: usize) -> (Sink, (JoinSet<()>, TempDir)) {
    let mut following = JoinSet::new();
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let log = |durability| {
        let options = SqliteOptions { durability, ..SqliteOptions::new(Uuid::from_u128(1), Arc::new(SystemClock)) };
        sink_of(SqliteLog::open(folder.path(), options).unwrap().0)
    };
    let sink = match target {
        0 => {
            let bare = Arc::new(BareLog::open(folder.path()));
            Arc::new(move |append| {
                let bare = Arc::clone(&bare);
                Box::pin(async move { bare.append(append).await }) as futures::future::BoxFuture<'static, ()>
            })
        }
        1 => log(DurabilityChoice::Strict),
        2 => {
            let data = Arc::new(DataFolder::acquire(folder.path()).unwrap());
            let options = SqliteOptions::new(Uuid::from_u128(1), Arc::new(SystemClock));
            let (log, _) = SqliteLog::open_in(Arc::clone(&data), options).unwrap();
            let proofs = ProofLog::new(Arc::clone(&log) as Arc<dyn LogTransfer>, SqliteTree::open(data).unwrap());
            following.spawn(follow(Arc::clone(&log), proofs));
            sink_of(log)
        }
        3 => log(RELAXED),
        _ => sink_of(MemoryLog::new(Arc::new(SystemClock))),
    };
    (sink, (following, folder))
}

/// Lets the tree follow the log, and signs it, as the program does.
async fn follow(log: Arc<SqliteLog>, proofs: ProofLog) {
    let name = origin(proofs.log_id().await.unwrap());
    let keys = [PrivateKey::from_seed(&name, &[1; 32], Validity::default()).unwrap()];
    loop {
        tokio::time::sleep(FOLLOWS_EVERY).await;
        let head = log.head();
        while proofs.fold(head).await.unwrap().has_more {}
        proofs.make_checkpoint(&keys).await.unwrap();
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
