//! The tree follows the log behind its head, and checkpoints are signed as it goes. Any process of a database may do it at
//! once: one is faster, and the others see it.
//!
//! An event is in the tree only some seconds after it was appended. Where appends are answered before the disk has them, the
//! loss of power may take what was seen: nothing is signed that could still be lost.

use std::sync::Arc;
use std::time::Duration;

use timeloom_monitor::Metrics;
use timeloom_read_api::Proofs;
use timeloom_store::proofs::{ProofLog, ProofsError};
use timeloom_store::{EventLog, Position};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::checkpoints::make_whole;
use super::keys::AuditKeys;
use super::tell::Teller;
use super::witness::Witness;
use crate::config::ServeConfig;

/// What was at the head a step before is taken: longer than any append waits for the disk.
const STEP: Duration = Duration::from_secs(2);

/// Between two looks at all of the tree, of which each step looks at a part.
const LOOK_AGAIN: Duration = Duration::from_secs(3_600);

/// What follows the log.
#[derive(Clone)]
pub struct AuditParts {
    /// The log and its tree.
    pub proofs: ProofLog,
    /// Where the head is known.
    pub log: Arc<dyn EventLog>,
    /// What signs.
    pub keys: AuditKeys,
    /// Where it is told how far the tree is.
    pub metrics: Arc<Metrics>,
}

/// When checkpoints are made.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// After this time, if anything is new.
    pub time: Duration,
    /// After this many events.
    pub events: u64,
}

impl From<&ServeConfig> for Pace {
    fn from(serve: &ServeConfig) -> Self {
        Self { time: Duration::from_secs(serve.checkpoint_seconds.into()), events: serve.checkpoint_events.into() }
    }
}

/// Lets the tree follow the log once it is started.
pub struct AuditFollower {
    parts: AuditParts,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl AuditFollower {
    /// Nothing happens yet.
    pub fn new(parts: AuditParts) -> Self {
        Self { parts, tasks: TaskTracker::new(), stop: CancellationToken::new() }
    }

    /// What proves the log to others.
    pub fn proofs(&self) -> Proofs {
        let keys = self.parts.keys.clone();
        let keys = Arc::new(move || keys.public().map_err(|error| format!("{error:#}")));
        Proofs { log: self.parts.proofs.clone(), keys }
    }

    /// Begins to follow.
    pub fn start(&self, pace: Pace, witnesses: Vec<Witness>) {
        let (newest, told) = watch::channel(0);
        let teller = Teller::new(self.parts.proofs.clone(), witnesses, told);
        let since = Instant::now();
        let follow = Follow { parts: self.parts.clone(), pace, newest, signed: 0, since, look_at: 0, look_from: since };
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            stop.run_until_cancelled(follow.run()).await;
        });
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            stop.run_until_cancelled(teller.run()).await;
        });
        self.tasks.close();
    }

    /// Ends what was started.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

struct Follow {
    parts: AuditParts,
    pace: Pace,
    /// Where witnesses are told of from.
    newest: watch::Sender<u64>,
    /// The size of the newest checkpoint.
    signed: u64,
    /// When it was made, or everything was signed already.
    since: Instant,
    /// The part of the tree that is looked at next.
    look_at: u64,
    /// When the next look at all of it begins.
    look_from: Instant,
}

impl Follow {
    async fn run(mut self) {
        let mut ticks = interval(STEP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut is_whole, mut seen) = (false, Position::START);
        loop {
            ticks.tick().await;
            let head = self.parts.log.head();
            let step = async {
                if !is_whole {
                    make_whole(&self.parts.proofs).await?;
                    is_whole = true;
                }
                self.look().await?;
                self.step(seen).await
            };
            match step.await {
                Ok(()) => {}
                Err(error @ ProofsError::HistoryChanged { .. }) => {
                    self.parts.metrics.history_changed();
                    tracing::error!(%error, "the log is not the one of which checkpoints were signed: nothing is signed any more");
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "the tree over the log does not follow it; it is tried again");
                    is_whole = false;
                }
            }
            seen = head;
        }
    }

    /// Looks at the next part of the tree: what a disk did to it is found and mended, also where nobody asks for proofs.
    async fn look(&mut self) -> Result<(), ProofsError> {
        if self.look_from > Instant::now() {
            return Ok(());
        }
        let next = self.parts.proofs.look_inside(self.look_at).await;
        if next.as_ref().is_ok_and(Option::is_none) {
            self.look_from = Instant::now() + LOOK_AGAIN;
        }
        self.look_at = next?.unwrap_or_default();
        Ok(())
    }

    async fn step(&mut self, up_to: Position) -> Result<(), ProofsError> {
        let proofs = &self.parts.proofs;
        let mut size = proofs.size().await?;
        while size < up_to.0 {
            let folded = proofs.fold(up_to).await?;
            size = folded.size;
            self.parts.metrics.proved(size, self.signed);
            if !folded.has_more {
                break;
            }
        }
        let newest = proofs.newest_checkpoint().await?.map_or(0, |newest| newest.size);
        // What another life of this process signed last may not have been told any more.
        if self.signed == 0 {
            self.newest.send_replace(newest);
        }
        if newest != self.signed || size <= newest {
            (self.signed, self.since) = (newest, Instant::now());
        }
        self.parts.metrics.proved(size, self.signed);
        let is_due = size.saturating_sub(newest) >= self.pace.events || self.since.elapsed() >= self.pace.time;
        if size > newest && is_due {
            self.since = Instant::now();
            self.sign().await?;
        }
        Ok(())
    }

    async fn sign(&mut self) -> Result<(), ProofsError> {
        let log_id = self.parts.proofs.log_id().await?;
        let keys = match self.parts.keys.read_or_make(log_id) {
            Ok(keys) => keys,
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "no checkpoint is signed: the keys cannot be used");
                return Ok(());
            }
        };
        let Some(made) = self.parts.proofs.make_checkpoint(&keys).await? else { return Ok(()) };
        self.signed = made.size;
        self.parts.metrics.proved(self.parts.proofs.size().await?, made.size);
        self.newest.send_replace(made.size);
        Ok(())
    }
}
