//! What is found by measuring.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use timeloom_domain::inference::Provider;
use timeloom_inference::pool::{Clock, MachineClock, Room, tune, zeros};
use timeloom_inference::{Inputs, Instance, InstanceFacts, Ran, RunError, Stop};

use crate::support::{HandClock, signature};

/// Winds the clock by what a run of it would take.
struct Winds {
    clock: Arc<HandClock>,
    base: Duration,
    row: Duration,
    rows_max: usize,
}

impl Instance for Winds {
    fn run(&mut self, batch: &[Inputs], _: &Stop) -> Result<Ran, RunError> {
        let rows: usize = batch.iter().map(|inputs| inputs.rows).sum();
        if rows > self.rows_max {
            return Err(RunError::OutOfMemory { rows, detail: String::new() });
        }
        self.clock.advance(self.base + self.row * rows as u32);
        Ok(Ran { outputs: vec![Vec::new(); batch.len()], bucket: rows })
    }

    fn facts(&self) -> InstanceFacts {
        InstanceFacts { provider: Provider::Cpu, rows_max: self.rows_max }
    }
}

fn room(cores: usize, rows_max: usize) -> Room {
    let number = |number| NonZero::new(number).unwrap();
    Room { cores: number(cores), instances_max: number(1), rows_max: number(rows_max), budget: Duration::from_secs(5) }
}

#[test]
fn the_batch_and_the_threads_that_compute_fastest_are_found_in_time() {
    let clock = Arc::new(HandClock::default());
    let given = Arc::clone(&clock);
    // Two threads take half the time; beyond sixteen rows a batch gains nothing any more.
    let factory = move |threads: usize| {
        let (clock, base) = (Arc::clone(&given), Duration::from_micros(1600) / threads as u32);
        let row = Duration::from_micros(100) / threads as u32;
        Ok(Box::new(Winds { clock, base, row, rows_max: 1 << 20 }) as Box<dyn Instance>)
    };
    let tuned = tune(&factory, &|rows| zeros(&signature(), rows), &room(2, 64), &*clock).unwrap();
    assert_eq!((tuned.best.instances, tuned.best.intra_threads, tuned.best.rows), (1, 2, 64));
    assert!(tuned.took <= Duration::from_secs(6), "{:?}", tuned.took);
    assert!(tuned.complete && tuned.measured.len() == 14);
    let wanted = 64.0 / 0.004;
    assert!((tuned.best.rows_per_second - wanted).abs() < wanted * 0.1, "{}", tuned.best.rows_per_second);
}

#[test]
fn sizes_that_memory_does_not_allow_are_left_out() {
    let clock = Arc::new(HandClock::default());
    let given = Arc::clone(&clock);
    let factory = move |_: usize| {
        let (clock, base, row) = (Arc::clone(&given), Duration::from_millis(1), Duration::ZERO);
        Ok(Box::new(Winds { clock, base, row, rows_max: 8 }) as Box<dyn Instance>)
    };
    let tuned = tune(&factory, &|rows| zeros(&signature(), rows), &room(1, 64), &*clock).unwrap();
    assert_eq!((tuned.best.rows, tuned.complete), (8, false));
}

#[test]
fn a_model_too_slow_for_the_budget_ends_with_what_was_seen_and_one_that_cannot_be_made_with_why() {
    let clock = Arc::new(HandClock::default());
    let given = Arc::clone(&clock);
    let slow = move |_: usize| {
        let (clock, base, row) = (Arc::clone(&given), Duration::from_secs(2), Duration::ZERO);
        Ok(Box::new(Winds { clock, base, row, rows_max: 1 << 20 }) as Box<dyn Instance>)
    };
    let tuned = tune(&slow, &|rows| zeros(&signature(), rows), &room(2, 64), &*clock).unwrap();
    assert!(!tuned.complete && !tuned.measured.is_empty() && tuned.took < Duration::from_secs(10), "{tuned:?}");
    let broken = |_: usize| Err(RunError::Failed("it cannot be made".to_owned()));
    let refused = tune(&broken, &|rows| zeros(&signature(), rows), &room(2, 64), &*clock).unwrap_err();
    assert_eq!(refused, RunError::Failed("it cannot be made".to_owned()));
}

#[test]
fn a_model_that_takes_all_the_time_to_be_made_is_measured_once_all_the_same() {
    let clock = Arc::new(HandClock::default());
    let given = Arc::clone(&clock);
    let late = move |_: usize| {
        given.advance(Duration::from_secs(9));
        let (clock, base, row) = (Arc::clone(&given), Duration::from_millis(1), Duration::ZERO);
        Ok(Box::new(Winds { clock, base, row, rows_max: 1 << 20 }) as Box<dyn Instance>)
    };
    let tuned = tune(&late, &|rows| zeros(&signature(), rows), &room(2, 64), &*clock).unwrap();
    assert_eq!((tuned.measured.len(), tuned.complete), (1, false), "{tuned:?}");
    assert_eq!((tuned.best.intra_threads, tuned.best.rows), (2, 1));
}

#[test]
fn several_instances_are_measured_at_once_on_real_threads() {
    let clock = MachineClock::default();
    struct Spins;
    impl Instance for Spins {
        fn run(&mut self, batch: &[Inputs], _: &Stop) -> Result<Ran, RunError> {
            let sum: u64 = (0..2_000_u64).map(std::hint::black_box).sum();
            Ok(Ran { outputs: vec![Vec::new(); batch.len()], bucket: usize::from(sum > 0) })
        }

        fn facts(&self) -> InstanceFacts {
            InstanceFacts { provider: Provider::Cpu, rows_max: 1 }
        }
    }
    let factory = |_: usize| Ok(Box::new(Spins) as Box<dyn Instance>);
    let number = |number| NonZero::new(number).unwrap();
    let budget = Duration::from_secs(2);
    let room = Room { cores: number(4), instances_max: number(4), rows_max: number(4), budget };
    let began = clock.now();
    let tuned = tune(&factory, &|rows| zeros(&signature(), rows), &room, &clock).unwrap();
    assert!(clock.now() - began >= tuned.took);
    assert_eq!((tuned.measured[0].instances, tuned.measured[0].rows), (4, 1));
    assert!(tuned.measured.contains(&tuned.best) && tuned.best.rows_per_second > 0.0);
}
