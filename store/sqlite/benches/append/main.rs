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
use std::time::Instant;

use tempfile::TempDir;
use timeloom_store::admission::record;
use timeloom_store::bench::{Maker, Sink, append_ratios, sink_of};
use timeloom_store::leaf::leaf;
use timeloom_store::{DurabilityChoice, MemoryLog, Position, Revision, SystemClock};
use timeloom_store_sqlite::{SqliteLog, SqliteOptions};
use uuid::Uuid;

use crate::bare::BareLog;

/// In the order in which [`open`] knows them.
const TARGETS: [&str; 4] = ["bare loop", "SQLite log", "relaxed", "in memory"];
const RELAXED: DurabilityChoice = DurabilityChoice::Relaxed { flush_ms: 50 };

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("a leaf takes {:.0} ns", leaf_ns());
    runtime.block_on(append_ratios(&TARGETS, async |target| open(target)));
}

fn open(target: usize) -> (Sink, TempDir) {
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
        2 => log(RELAXED),
        _ => sink_of(MemoryLog::new(Arc::new(SystemClock))),
    };
    (sink, folder)
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
