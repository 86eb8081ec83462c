//! Callers, instances and time by chance: whatever happens, everybody gets one answer and it is right.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use timeloom_domain::chance;
use timeloom_inference::pool::{Ask, NotComputed, Policy, Priority, Reason};

use crate::support::{Turn, assert_computed, house, rows};

struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(chance::STEP);
        chance::mixed(self.0) % most
    }
}

const ASKS: u64 = 400;
const CALLERS: u64 = 8;

async fn run(seed: u64) {
    let mut chance = Chance(seed);
    let policy = Policy {
        batch_rows_max: 1 + chance.below(8) as usize,
        queue_requests_max: 4 + chance.below(20) as usize,
        queue_delay_max: Duration::from_millis(chance.below(2) * 3),
        instances_min: 1 + chance.below(2) as usize,
        instances_max: 3,
        grow_after: Duration::from_millis(50),
        idle_after: Duration::from_millis(200),
        ..Policy::default()
    };
    let rows_max = policy.batch_rows_max as u64;
    let house = house(policy).await;
    let turns = (0..ASKS).map(|_| match chance.below(30) {
        0 => Turn::Panics,
        1 => Turn::Fails,
        2 | 3 => Turn::Holds(1 + chance.below(4) as usize),
        4 => Turn::Forgets,
        _ => Turn::Computes,
    });
    house.stage.plan(turns.collect::<Vec<_>>());
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (pool, mut chance) = (Arc::clone(&house.pool), Chance(seed ^ (caller + 1) << 32));
        callers.spawn(async move {
            let mut told = [0_u64; 3];
            for _ in 0..ASKS / CALLERS {
                let first = chance.below(1000) as f32;
                let firsts: Vec<f32> = (0..1 + chance.below(rows_max)).map(|row| first + row as f32).collect();
                let priority = Priority::ALL[chance.below(4) as usize];
                let within = Some(Duration::from_millis(1 + chance.below(400)));
                let asked = pool.infer(rows(&firsts), Ask { priority, within });
                if chance.below(10) == 0 {
                    // Gives up after one look.
                    let looked = tokio::time::timeout(Duration::ZERO, asked).await;
                    let at = looked.map_or(2, |answer| usize::from(answer.is_err()));
                    told[at] += 1;
                    continue;
                }
                match asked.await {
                    Ok(answer) => {
                        assert_computed(&answer, &firsts);
                        told[0] += 1;
                    }
                    Err(error) => {
                        assert!(!matches!(error, NotComputed::Cancelled | NotComputed::Unfit(_)), "{error:?}");
                        told[1] += 1;
                    }
                }
            }
            told
        });
    }
    let mut told = [0_u64; 3];
    while !callers.is_empty() {
        house.clock.advance(Duration::from_millis(chance.below(20)));
        tokio::task::yield_now().await;
        while let Some(caller) = callers.try_join_next() {
            caller.unwrap().into_iter().zip(&mut told).for_each(|(more, told)| *told += more);
        }
    }
    // A run whose only caller gave up may still be under way.
    house.until(|counts| counts.pending == 0 && counts.running == 0).await;
    let counts = house.pool.counts();
    assert_eq!(told.iter().sum::<u64>(), ASKS, "seed {seed}");
    assert_eq!(counts.ok + counts.failed_all(), ASKS, "seed {seed}: {counts:?}");
    assert!(counts.ok >= told[0] && counts.failed(Reason::Cancelled) <= told[2], "seed {seed}: {told:?} {counts:?}");
    assert!(house.stage.batches().iter().all(|batch| batch.len() as u64 <= rows_max), "seed {seed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn whatever_happens_everybody_gets_one_answer_and_it_is_right() {
    for seed in 0..24 {
        run(seed).await;
    }
}
