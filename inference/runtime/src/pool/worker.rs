//! The thread of one instance: makes it, warms it up, computes batches with it, and makes it again when it broke down.
//!
//! The instance is made, used and dropped on this thread alone. A panic in it never gets further than here.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::ask::{NotComputed, Reason};
use super::desk::{Stage, Work};
use super::execute::{Executed, Executor};
use super::job::{Batch, Job};
use super::pool::LoadError;
use super::queue::Waiting;
use super::shared::{Life, Shared, send};
use crate::instance::{RunError, Stop};

/// Says that the thread is at its end, however it comes to it.
struct Presence<'pool> {
    shared: &'pool Shared,
    number: u64,
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        self.shared.gone(self.number);
    }
}

/// The life of an instance's thread.
pub(super) fn live(shared: &Arc<Shared>, number: u64) {
    shared.register(number);
    let _presence = Presence { shared, number };
    loop {
        let broke = match make(shared, number) {
            Ok(executor) => {
                announce(shared, &executor);
                serve(shared, executor)
            }
            Err(error) => Some(error),
        };
        let Some(why) = broke else { return };
        let again = shared.desk().broke(number, shared.clock.now());
        tracing::warn!(model = shared.spec.name, instance = number, error = %why, again = again.is_some(), "an instance broke down");
        shared.failed_to_load(why);
        let Some(at) = again else { return };
        if !wait_until(shared, at) {
            return;
        }
    }
}

fn make(shared: &Shared, number: u64) -> Result<Executor<'_>, RunError> {
    let spec = &shared.spec;
    let made = catch_unwind(AssertUnwindSafe(|| spec.factory.make(spec.policy.intra_threads)));
    let instance = made.unwrap_or_else(|_| Err(RunError::Failed("it broke down while it was made".to_owned())))?;
    let mut executor = Executor::new(instance, number, &*shared.clock, spec.batches());
    let warm = executor.warm_up(&spec.warm_up);
    match warm {
        Ok(()) => Ok(executor),
        Err(error) => {
            discard(executor);
            Err(error)
        }
    }
}

/// Drops an instance; one that broke down may do so once more.
fn discard(executor: Executor<'_>) {
    if catch_unwind(AssertUnwindSafe(|| drop(executor))).is_err() {
        tracing::warn!("an instance broke down while it was dropped");
    }
}

fn announce(shared: &Shared, executor: &Executor<'_>) {
    if shared.desk().ready(executor.number, &executor.instance.facts()) {
        shared.life.send_if_modified(|life| {
            let loading = matches!(life, Life::Loading);
            if loading {
                *life = Life::Ready;
            }
            loading
        });
    }
}

/// Computes until there is no more to do, or the instance is broken.
fn serve(shared: &Shared, mut executor: Executor<'_>) -> Option<RunError> {
    loop {
        let now = shared.clock.now();
        let taken = shared.desk().take(now, executor.number);
        shared.wake(taken.wake);
        for missed in taken.missed {
            send(missed.payload, NotComputed::DeadlineMissed);
        }
        match taken.work {
            Work::End => {
                discard(executor);
                return None;
            }
            Work::Sleep(until) => sleep(until.map(|until| until.saturating_sub(now))),
            Work::Run { batch, rows_max, stop } => {
                compute(shared, &mut executor, batch, rows_max, &stop);
                if executor.is_broken(&shared.spec.warm_up) {
                    discard(executor);
                    return Some(RunError::Failed("it does not compute any more".to_owned()));
                }
            }
        }
    }
}

fn sleep(time: Option<Duration>) {
    match time {
        Some(time) => thread::park_timeout(time),
        None => thread::park(),
    }
}

fn compute(shared: &Shared, executor: &mut Executor<'_>, batch: Vec<Waiting<Job>>, rows_max: usize, stop: &Stop) {
    let Executed { mut report, mut ended } = executor.execute(Batch::new(batch), rows_max, stop);
    let mut desk = shared.desk();
    if matches!(desk.stage(), Stage::Stopping { .. } | Stage::Ended) {
        for (outcome, ended) in report.outcomes.iter_mut().zip(&mut ended) {
            if ended.result == Err(NotComputed::Cancelled) {
                (outcome.failed, ended.result) = (Some(Reason::Unloaded), Err(NotComputed::Unloaded));
            }
        }
    }
    desk.finish(shared.clock.now(), executor.number, &report);
    drop(desk);
    for ended in ended {
        // Who went away does not hear it, and was counted when it went.
        ended.reply.send(ended.result).unwrap_or_default();
    }
}

/// Sleeps until then; false when nobody needs the instance any more.
fn wait_until(shared: &Shared, at: Duration) -> bool {
    loop {
        if !shared.desk().goes_on() {
            return false;
        }
        let now = shared.clock.now();
        if now >= at {
            return true;
        }
        thread::park_timeout(at - now);
    }
}

impl Shared {
    /// If the pool is not loaded yet it will not be.
    fn failed_to_load(&self, why: RunError) {
        let failed = self.life.send_if_modified(|life| {
            let loading = matches!(life, Life::Loading);
            if loading {
                *life = Life::Failed(LoadError::Instance(why));
            }
            loading
        });
        if failed {
            self.close(Duration::ZERO);
        }
    }
}
