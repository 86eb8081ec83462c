//! Appends a second, against a bare loop on the same engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio::task::JoinSet;

use super::made::{Maker, PAYLOAD_BYTES};
use super::{argument, median, percentile_ms};
use crate::log::{Append, EventLog};

const ROUNDS: u64 = 5;
const MILLISECONDS: u64 = 2_000;
/// Tasks, events in an append.
const SHAPES: [(u64, usize); 6] = [(1, 1), (1, 10), (16, 1), (16, 10), (64, 1), (64, 10)];
/// Events after which a run ends early: the log in memory keeps them all.
const EVENTS_MAX: u64 = 400_000;

/// Where appends go.
pub type Sink = Arc<dyn Fn(Append) -> BoxFuture<'static, ()> + Send + Sync>;

/// Appends to `log`, which has to take them.
pub fn sink_of(log: Arc<dyn EventLog>) -> Sink {
    Arc::new(move |append| {
        let log = Arc::clone(&log);
        Box::pin(async move {
            log.append(append).await.unwrap();
        })
    })
}

struct Run {
    rate: f64,
    took: Vec<Duration>,
}

/// Prints a table: tasks and events of an append, and for each target what it reaches and its ratio to the first.
///
/// `open` opens the target of that index anew, with what must live as long. `rounds=`, `ms=` and `tasks=` on the command
/// line say how often, how long and which shapes only.
pub async fn append_ratios<Keep>(targets: &[&str], open: impl AsyncFn(usize) -> (Sink, Keep)) {
    let rounds = argument("rounds").unwrap_or(ROUNDS);
    let time = Duration::from_millis(argument("ms").unwrap_or(MILLISECONDS));
    println!("{PAYLOAD_BYTES} B payloads, {rounds} rounds of {time:?} each, medians");
    let headings: String =
        targets[1..].iter().map(|target| format!(" {target}, events/s | ratio | p50 / p99 ms |")).collect();
    println!("| tasks x events | {}, events/s |{headings}", targets[0]);
    println!("|---|---|{}", "---|---|---|".repeat(targets.len() - 1));
    let only = argument("tasks");
    for (tasks, events) in SHAPES.into_iter().filter(|(tasks, _)| only.is_none_or(|only| only == *tasks)) {
        let mut runs: Vec<Vec<Run>> = targets.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            for (index, runs) in runs.iter_mut().enumerate() {
                let (sink, keep) = open(index).await;
                runs.push(drive(time, tasks, events, sink).await);
                drop(keep);
            }
        }
        let rate = |runs: &Vec<Run>| median(runs.iter().map(|run| run.rate).collect());
        let baseline = rate(&runs[0]);
        let mut line = format!("| {tasks} x {events} | {baseline:.0} |");
        for runs in &mut runs[1..] {
            let rate = rate(runs);
            let mut took: Vec<Duration> = runs.iter_mut().flat_map(|run| run.took.drain(..)).collect();
            took.sort_unstable();
            let (half, most) = (percentile_ms(&took, 50), percentile_ms(&took, 99));
            line += &format!(" {rate:.0} | {:.2} | {half:.2} / {most:.2} |", rate / baseline);
        }
        println!("{line}");
    }
}

/// `tasks` tasks that each wait for an append before they send the next.
async fn drive(time: Duration, tasks: u64, events: usize, sink: Sink) -> Run {
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut running = JoinSet::new();
    for task in 0..tasks {
        let (stop, done, sink) = (Arc::clone(&stop), Arc::clone(&done), Arc::clone(&sink));
        running.spawn(async move {
            let mut maker = Maker::new(task, events);
            let mut took = Vec::new();
            while !stop.load(Ordering::Relaxed) && done.load(Ordering::Relaxed) < EVENTS_MAX {
                let next = maker.next();
                let began = Instant::now();
                sink(next).await;
                took.push(began.elapsed());
                done.fetch_add(events as u64, Ordering::Relaxed);
            }
            took
        });
    }
    while began.elapsed() < time && done.load(Ordering::Relaxed) < EVENTS_MAX {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let rate = done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    Run { rate, took: running.join_all().await.into_iter().flatten().collect() }
}
