//! What the threads of a pool share: the desk under a lock, and how they are woken.
//!
//! The lock is held for decisions only: nothing is computed, sent or waited for under it.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use tokio::sync::watch;

use super::ask::NotComputed;
use super::clock::Clock;
use super::desk::{Desk, Stage, Tick};
use super::job::Job;
use super::pool::{LoadError, Spec};
use super::worker;

/// Where a pool is in its life, for those who wait for it.
#[derive(Debug, Clone)]
pub(super) enum Life {
    Loading,
    Ready,
    Failed(LoadError),
    /// It is over; so many instances did not stop for all that they were told to.
    Ended {
        stuck: usize,
    },
}

/// What the threads of a pool share.
pub(super) struct Shared {
    pub(super) spec: Spec,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) life: watch::Sender<Life>,
    desk: Mutex<Desk<Job>>,
    keeper: Condvar,
    threads: RwLock<HashMap<u64, Thread>>,
    handles: Mutex<Vec<JoinHandle<()>>>,
}

impl Shared {
    pub(super) fn new(spec: Spec, clock: Arc<dyn Clock>) -> Self {
        let desk = Desk::new(spec.policy.clone(), spec.batches(), clock.now());
        Self {
            spec,
            clock,
            life: watch::Sender::new(Life::Loading),
            desk: Mutex::new(desk),
            keeper: Condvar::new(),
            threads: RwLock::default(),
            handles: Mutex::default(),
        }
    }

    pub(super) fn desk(&self) -> MutexGuard<'_, Desk<Job>> {
        // Under the lock nothing but the desk's own decisions is carried out: a panic elsewhere leaves it whole.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the keeper look.
    pub(super) fn wake_keeper(&self) {
        self.keeper.notify_one();
    }

    /// Lets nobody in any more, and leaves those who are there `within`.
    pub(super) fn close(&self, within: Duration) {
        let mut desk = self.desk();
        desk.close(self.clock.now(), within);
        desk.call_keeper();
        drop(desk);
        self.wake_keeper();
    }

    /// The calling thread is that of an instance.
    pub(super) fn register(&self, instance: u64) {
        self.threads.write().unwrap_or_else(PoisonError::into_inner).insert(instance, thread::current());
    }

    /// An instance's thread is at its end.
    pub(super) fn gone(&self, instance: u64) {
        self.threads.write().unwrap_or_else(PoisonError::into_inner).remove(&instance);
        let mut desk = self.desk();
        desk.gone(instance);
        desk.call_keeper();
        drop(desk);
        self.wake_keeper();
    }

    pub(super) fn wake(&self, instance: Option<u64>) {
        let Some(instance) = instance else { return };
        if let Some(thread) = self.threads.read().unwrap_or_else(PoisonError::into_inner).get(&instance) {
            thread.unpark();
        }
    }

    /// The time jumped: everybody who sleeps until some time looks again.
    pub(super) fn jumped(&self) {
        self.desk().call_keeper();
        self.wake_keeper();
        for thread in self.threads.read().unwrap_or_else(PoisonError::into_inner).values() {
            thread.unpark();
        }
    }

    /// Starts the thread of an instance.
    pub(super) fn start(self: &Arc<Self>, instance: u64) -> std::io::Result<()> {
        let shared = Arc::clone(self);
        let thread = thread::Builder::new().name(format!("{}-{instance}", self.spec.thread_name()));
        let started = thread.spawn(move || worker::live(&shared, instance));
        match started {
            Ok(handle) => {
                let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
                handles.retain(|handle| !handle.is_finished());
                handles.push(handle);
                Ok(())
            }
            Err(error) => {
                self.gone(instance);
                Err(error)
            }
        }
    }

    /// Looks at what comes with time alone, from the pool's beginning to its end.
    pub(super) fn keep(self: &Arc<Self>) {
        let mut desk = self.desk();
        loop {
            let now = self.clock.now();
            match desk.keeper_sleep(now) {
                Some(Duration::ZERO) => {
                    let tick = desk.tick(now);
                    let stuck = desk.left();
                    drop(desk);
                    let ended = tick.stage == Stage::Ended;
                    self.carry_out(tick);
                    if ended {
                        return self.end(stuck);
                    }
                    desk = self.desk();
                }
                Some(time) => {
                    desk = self.keeper.wait_timeout(desk, time).unwrap_or_else(PoisonError::into_inner).0;
                }
                None => desk = self.keeper.wait(desk).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn carry_out(self: &Arc<Self>, tick: Tick<Job>) {
        for (job, why) in tick.failed {
            send(job, why);
        }
        for instance in tick.wake {
            self.wake(Some(instance));
        }
        if let Some(instance) = tick.make
            && let Err(error) = self.start(instance)
        {
            tracing::warn!(model = self.spec.name, %error, "no thread could be started for another instance");
        }
    }

    fn end(&self, stuck: usize) {
        let handles = std::mem::take(&mut *self.handles.lock().unwrap_or_else(PoisonError::into_inner));
        // One that does not stop cannot be waited for: it ends with the process.
        for handle in handles.into_iter().filter(|handle| stuck == 0 || handle.is_finished()) {
            if handle.join().is_err() {
                tracing::error!(model = self.spec.name, "a thread of an instance broke down");
            }
        }
        self.life.send_if_modified(|life| {
            let failed = matches!(life, Life::Failed(_));
            if !failed {
                *life = Life::Ended { stuck };
            }
            !failed
        });
    }
}

/// Tells somebody that nothing is computed. Who went away does not hear it.
pub(super) fn send(job: Job, why: NotComputed) {
    job.reply.send(Err(why)).unwrap_or_default();
}
