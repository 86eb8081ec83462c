//! Finds out by measuring how a model computes fastest on this machine: instances × threads of each × rows of a batch.
//!
//! It measures what will run, through the factory that will make it, and ends when its time is up with the best that it
//! has seen. However late it is, one way is measured: a machine that has much else to do must not keep a model from being
//! loaded. It never changes a policy: it tells.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::clock::Clock;
use super::policy::{BATCH_ROWS_MAX, INSTANCES_MAX};
use super::pool::Factory;
use crate::instance::{Inputs, Instance, RunError, Stop};

/// What is within this part of the best is as good.
const AS_GOOD: f64 = 0.95;
/// Longest measuring of one size.
const SLICE_MAX: Duration = Duration::from_millis(200);

/// Within what it may be found.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Threads that the machine computes at once.
    pub cores: NonZero<usize>,
    /// Most instances, as memory allows.
    pub instances_max: NonZero<usize>,
    /// Most rows of a batch.
    pub rows_max: NonZero<usize>,
    /// Time for all of it. A run that has begun is waited for.
    pub budget: Duration,
}

/// How fast it was one way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Instances that computed at once.
    pub instances: usize,
    /// Threads of each.
    pub intra_threads: usize,
    /// Rows of each batch.
    pub rows: usize,
    /// Rows a second, of all instances together.
    pub rows_per_second: f64,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuned {
    /// The best way.
    pub best: Measured,
    /// All that were measured.
    pub measured: Vec<Measured>,
    /// Whether all ways were.
    pub complete: bool,
    /// How long it took.
    pub took: Duration,
}

/// Measures. It computes on threads of its own and returns when it is done: call it where waiting is allowed.
///
/// # Errors
/// When no way could be measured at all, with what was said of the first.
pub fn tune(
    factory: &dyn Factory,
    sample: &(dyn Fn(usize) -> Option<Inputs> + Sync),
    room: &Room,
    clock: &dyn Clock,
) -> Result<Tuned, RunError> {
    let began = clock.now();
    let until = began + room.budget;
    let (ways, samples) = (ways(room), samples(sample, room.rows_max.get()));
    let steps = u32::try_from(ways.len() * samples.len()).unwrap_or(u32::MAX).max(1);
    let slice = (room.budget / steps).min(SLICE_MAX);
    let (mut measured, mut complete, mut first_error) = (Vec::new(), true, None);
    for (instances, intra_threads) in ways {
        if clock.now() >= until && !measured.is_empty() {
            complete = false;
            break;
        }
        let always = usize::from(measured.is_empty());
        let way = Way { factory, clock, instances, intra_threads, samples: &samples, slice, until, always };
        let (found, error) = way.measure();
        complete &= found.len() == samples.len();
        measured.extend(found);
        first_error = first_error.or(error);
    }
    let took = clock.now().saturating_sub(began);
    match choose(&measured) {
        Some(best) => Ok(Tuned { best, measured, complete, took }),
        None => Err(first_error.unwrap_or_else(|| RunError::Failed("there was no time to measure it".to_owned()))),
    }
}

/// Instances and threads of each, those that use the whole machine first.
fn ways(room: &Room) -> Vec<(usize, usize)> {
    let (cores, most) = (room.cores.get().min(INSTANCES_MAX), room.instances_max.get());
    let doubled = |from: usize| std::iter::successors(Some(from), |number| number.checked_mul(2));
    let all = doubled(1).take_while(|threads| *threads <= cores).flat_map(|threads| {
        doubled(1).take_while(move |instances| instances * threads <= cores).map(move |instances| (instances, threads))
    });
    let mut ways: Vec<(usize, usize)> = all.filter(|(instances, _)| *instances <= most).collect();
    ways.sort_by_key(|(instances, threads)| (std::cmp::Reverse(instances * threads), std::cmp::Reverse(*instances)));
    ways
}

/// Inputs of 1, 2, 4 … rows.
fn samples(sample: &(dyn Fn(usize) -> Option<Inputs> + Sync), rows_max: usize) -> Vec<Inputs> {
    let sizes = std::iter::successors(Some(1_usize), |rows| rows.checked_mul(2));
    let sizes = sizes.take_while(|rows| *rows <= rows_max.min(BATCH_ROWS_MAX));
    let mut samples: Vec<Inputs> = sizes.map_while(sample).collect();
    // A model that does not batch has one size, however many rows are asked for.
    samples.dedup_by_key(|inputs| inputs.rows);
    samples
}

/// The fastest; of those that are about as fast the one with the least rows, then instances, then threads.
fn choose(measured: &[Measured]) -> Option<Measured> {
    let best = measured.iter().map(|way| way.rows_per_second).max_by(f64::total_cmp)?;
    let good = measured.iter().filter(|way| way.rows_per_second >= best * AS_GOOD);
    good.min_by_key(|way| (way.rows, way.instances, way.intra_threads)).copied()
}

/// One number of instances and threads.
struct Way<'tuning> {
    factory: &'tuning dyn Factory,
    clock: &'tuning dyn Clock,
    instances: usize,
    intra_threads: usize,
    samples: &'tuning [Inputs],
    slice: Duration,
    until: Duration,
    /// So many sizes are measured whatever the time is.
    always: usize,
}

/// What the threads of one way share. They go from size to size together.
struct Together {
    barrier: Barrier,
    over: AtomicBool,
    rows: AtomicUsize,
    error: Mutex<Option<RunError>>,
}

impl Way<'_> {
    fn measure(&self) -> (Vec<Measured>, Option<RunError>) {
        let together = Together {
            barrier: Barrier::new(self.instances),
            over: AtomicBool::new(false),
            rows: AtomicUsize::new(0),
            error: Mutex::new(None),
        };
        let mut measured = Vec::new();
        // The calling thread is one of them, so that a single instance needs no thread.
        thread::scope(|scope| {
            let others: Vec<_> = (1..self.instances).map(|_| scope.spawn(|| self.compute(&together))).collect();
            measured = self.compute(&together);
            for other in others {
                if other.join().is_err() {
                    together.fail(RunError::Failed("a thread broke down".to_owned()));
                }
            }
        });
        (measured, together.error.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Computes all sizes on one instance. However it goes, all threads come to every meeting.
    fn compute(&self, together: &Together) -> Vec<Measured> {
        let made = guarded(|| self.factory.make(self.intra_threads));
        let mut instance = made.map_err(|error| together.fail(error)).ok();
        let mut measured = Vec::new();
        for (place, sample) in self.samples.iter().enumerate() {
            if let Some(instance) = &mut instance {
                // Not measured: the first run of a size is slower.
                together.run(&mut **instance, sample);
            }
            together.barrier.wait();
            let is_late = place >= self.always && self.clock.now() >= self.until;
            if together.over.load(Ordering::Acquire) || is_late {
                together.over.store(true, Ordering::Release);
            }
            let began = self.clock.now();
            together.barrier.wait();
            if together.over.load(Ordering::Acquire) {
                break;
            }
            if let Some(instance) = &mut instance {
                self.run_for_a_slice(&mut **instance, sample, began, together);
            }
            let last = together.barrier.wait().is_leader();
            let took = self.clock.now().saturating_sub(began).as_secs_f64();
            let rows = together.rows.load(Ordering::Acquire);
            together.barrier.wait();
            if last {
                together.rows.store(0, Ordering::Release);
            }
            if rows > 0 && took > 0.0 && !together.over.load(Ordering::Acquire) {
                let (instances, intra_threads) = (self.instances, self.intra_threads);
                let rows_per_second = rows as f64 / took;
                measured.push(Measured { instances, intra_threads, rows: sample.rows, rows_per_second });
            }
        }
        drop(guarded(|| {
            drop(instance);
            Ok(())
        }));
        measured
    }

    fn run_for_a_slice(&self, instance: &mut dyn Instance, sample: &Inputs, began: Duration, together: &Together) {
        let end = (began + self.slice).min(self.until);
        loop {
            if !together.run(instance, sample) {
                return;
            }
            together.rows.fetch_add(sample.rows, Ordering::AcqRel);
            if self.clock.now() >= end {
                return;
            }
        }
    }
}

impl Together {
    /// Runs once; a failure is the end for all.
    fn run(&self, instance: &mut dyn Instance, sample: &Inputs) -> bool {
        match guarded(|| instance.run(std::slice::from_ref(sample), &Stop::default())) {
            Ok(_) => true,
            Err(error) => {
                self.fail(error);
                false
            }
        }
    }

    fn fail(&self, error: RunError) {
        self.over.store(true, Ordering::Release);
        self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

fn guarded<T>(compute: impl FnOnce() -> Result<T, RunError>) -> Result<T, RunError> {
    let computed = catch_unwind(AssertUnwindSafe(compute));
    computed.unwrap_or_else(|_| Err(RunError::Failed("the instance broke down".to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(cores: usize, instances_max: usize) -> Room {
        let number = |number| NonZero::new(number).unwrap();
        let (cores, instances_max, rows_max) = (number(cores), number(instances_max), number(8));
        Room { cores, instances_max, rows_max, budget: Duration::from_secs(5) }
    }

    #[test]
    fn the_whole_machine_is_tried_first_and_never_more_than_it() {
        assert_eq!(ways(&room(4, 8)), [(4, 1), (2, 2), (1, 4), (2, 1), (1, 2), (1, 1)]);
        assert_eq!(ways(&room(2, 1)), [(1, 2), (1, 1)]);
    }

    #[test]
    fn of_those_about_as_fast_the_smallest_is_chosen() {
        let way = |instances, rows, rows_per_second| Measured { instances, intra_threads: 1, rows, rows_per_second };
        let ways = [way(2, 32, 1000.0), way(1, 16, 960.0), way(2, 16, 980.0), way(1, 1, 100.0)];
        assert_eq!(choose(&ways), Some(way(1, 16, 960.0)));
        assert_eq!(choose(&[]), None);
    }
}
