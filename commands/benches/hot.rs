//! What a command costs on a stream that has become long: from the kept state, after a start with a snapshot, and as it
//! would be by folding the stream each time. All in turns over one log in memory, so that the ratios are of one run.
//!
//! `cargo bench -p timeloom-commands --bench hot [-- <events>]`; ten thousand when not said.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench stops at anything and prints what it measured")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use timeloom_commands::{AddPluginVersion, Clock, CommandContext, Commands, Ids as _, Keeping, SystemIds};
use timeloom_domain::catalogue::NodeCatalogue;
use timeloom_domain::ids::{Actor, CommandId, Slug, TenantId};
use timeloom_store::{EventLog, MemoryLog, MemorySnapshots, SnapshotStore, SystemClock};

/// Events of the stream when nothing else is said.
const EVENTS: usize = 10_000;
/// Commands that are measured, each way.
const SAMPLES: usize = 40;
/// Bytes for snapshots: more than are saved.
const SNAPSHOT_BYTES: u64 = 64 << 20;

struct Still;

impl Clock for Still {
    fn now_ms(&self) -> i64 {
        0
    }
}

fn commands(log: &Arc<MemoryLog>, keeping: Keeping) -> Commands {
    let log = Arc::clone(log) as Arc<dyn EventLog>;
    let catalogue = Arc::new(NodeCatalogue::new(std::iter::empty()));
    Commands::keeping(log, catalogue, Arc::new(Still), Arc::new(SystemIds), keeping)
}

fn context() -> CommandContext {
    CommandContext::trusted(TenantId(1), Actor::Local("bench".to_owned()), CommandId(SystemIds.uuid()))
}

/// Sends one command that appends one event and leaves the state as large as it was.
async fn change(commands: &Commands, number: usize) -> Duration {
    let (name, version) = (Slug::try_new("acme/mailer").unwrap(), (number % 2).to_string());
    let began = Instant::now();
    commands.enable_plugin(&context(), name, version).await.unwrap();
    began.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

async fn measure(events: usize) {
    let log = MemoryLog::new(Arc::new(SystemClock));
    let store = Arc::new(MemorySnapshots::new(SNAPSHOT_BYTES));
    let snapshots = || Some(Arc::clone(&store) as Arc<dyn SnapshotStore>);
    let kept = commands(&log, Keeping { snapshots: snapshots(), ..Keeping::default() });
    let name = Slug::try_new("acme/mailer").unwrap();
    kept.register_plugin(&context(), name.clone(), String::new()).await.unwrap();
    for version in 0..2 {
        let add = AddPluginVersion { version: version.to_string(), digest: "a".repeat(64) };
        kept.add_plugin_version(&context(), name.clone(), add).await.unwrap();
    }
    let mut number = 0;
    while number + 3 < events {
        change(&kept, number).await;
        number += 1;
    }
    let folding = commands(&log, Keeping { states_max: 0, ..Keeping::default() });
    let [mut from_kept, mut from_snapshot, mut folded] = [const { Vec::new() }; 3];
    for _ in 0..SAMPLES {
        from_kept.push(change(&kept, number).await);
        let started = commands(&log, Keeping { snapshots: snapshots(), ..Keeping::default() });
        from_snapshot.push(change(&started, number + 1).await);
        folded.push(change(&folding, number + 2).await);
        started.close().await;
        number += 3;
    }
    kept.close().await;
    let [from_kept, from_snapshot, folded] = [from_kept, from_snapshot, folded].map(median);
    println!("one command on a stream of {events} events, median of {SAMPLES}");
    println!("  folding the stream each time     {folded:>12.1?}");
    for (way, time) in [("from the kept state", from_kept), ("after a start, from a snapshot", from_snapshot)] {
        println!("  {way:<32} {time:>12.1?}   ratio {:.1}", folded.as_secs_f64() / time.as_secs_f64());
    }
}

fn main() {
    // Cargo adds arguments of its own; ours is a number.
    let events = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(EVENTS);
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(measure(events.max(3)));
}
