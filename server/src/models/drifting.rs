//! The task that watches whether models drift: it follows the log, and compares every so many inferences of a watched model
//! with its baseline.
//!
//! Of several processes of a log the one does it that has the lease of the shard into which its name falls; where two do it
//! for a moment, the first judgement of a window stands. Nothing of what inferences hold is kept from one look to the next.
//! Invariant: a window begins where the log says that the last one ended, so that the same inferences are judged however often
//! processes die meanwhile.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use timeloom_commands::{CommandContext, CommandError, Commands, Watched};
use timeloom_domain::drift::{DriftWatchSettings, JudgedWindow, Profile, SAMPLES_MAX, compare};
use timeloom_domain::ids::{Actor, CommandId, Slug, TenantId};
use timeloom_history::drift::{Follower, Range, filter, newest, profile};
use timeloom_store::leases::{Held, Shard};
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::{BlobStore, Direction, EventLog, Leases, LogError, Position, TenantScope};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Models;

/// Who judges.
const NAME: &str = "drift-watch";
/// Most pages of events that are looked at for one watch before the others have their turn.
const PAGES_MAX: usize = 20;
/// Time from one look at the log to the next while much is written, and before what failed is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// Longest wait until what was judged is seen.
const SEEN_MAX: Duration = Duration::from_secs(2);

/// Judges the windows of watches, until it is stopped.
pub struct Drifting {
    stopping: CancellationToken,
    task: JoinSet<()>,
}

/// Why a watch was not looked at.
#[derive(Debug, thiserror::Error)]
enum NotLooked {
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A judgement was not taken down.
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// A window that is not full.
struct Filling {
    /// Position of the event with which the watch began.
    began: Position,
    /// Number of the window.
    number: u32,
    /// Position after which it begins.
    after: Position,
    /// Position up to which the log was looked at.
    at: Position,
    follower: Follower,
    /// How many answers are in it.
    answered: usize,
}

struct Keeper {
    commands: Commands,
    log: Arc<dyn EventLog>,
    blobs: Arc<dyn BlobStore>,
    filling: HashMap<(TenantId, Slug), Filling>,
}

impl Drifting {
    /// Begins, where this process has the lease. Must be called within a runtime.
    pub fn start(models: &Models, leases: &Arc<dyn Leases>) -> Self {
        let stopping = CancellationToken::new();
        let stopped = stopping.clone();
        let mut keeper = Keeper {
            commands: models.commands().clone(),
            log: Arc::clone(&models.inner.log),
            blobs: Arc::clone(&models.inner.blobs),
            filling: HashMap::new(),
        };
        let held = leases.held();
        let mut task = JoinSet::new();
        task.spawn(async move {
            stopped.run_until_cancelled(keeper.keep(held)).await;
        });
        Self { stopping, task }
    }

    /// Stops; a window that is not full is filled anew by the next who judges.
    pub async fn stop(mut self) {
        self.stopping.cancel();
        if let Some(Err(error)) = self.task.join_next().await {
            tracing::error!(%error, "what watches the drift of models ended early");
        }
    }
}

impl Keeper {
    async fn keep(&mut self, mut held: watch::Receiver<Held>) {
        let watches = self.commands.drift_watches().clone();
        // What is known halfway would be judged once more, for nothing.
        if watches.caught_up().await.is_err() {
            return;
        }
        let mut changes = watches.changes();
        loop {
            if !is_held(&held.borrow()) {
                // Another process judges meanwhile.
                self.filling.clear();
            }
            if held.wait_for(is_held).await.is_err() {
                return;
            }
            changes.mark_unchanged();
            let seen = self.log.head();
            let running: Vec<_> = {
                let listing = watches.now();
                listing.running().map(|(tenant, model, watched)| (tenant, model.clone(), Arc::clone(watched))).collect()
            };
            self.filling.retain(|(tenant, model), _| running.iter().any(|(of, name, _)| of == tenant && name == model));
            let mut is_more = false;
            for (tenant, model, watched) in &running {
                is_more |= match self.look(*tenant, model, watched).await {
                    Ok(is_more) => is_more,
                    Err(error) => {
                        tracing::warn!(%error, %model, "the drift of a model cannot be judged; it is tried again");
                        tokio::time::sleep(PAUSE).await;
                        true
                    }
                };
            }
            if is_more {
                continue;
            }
            let is_idle = running.is_empty();
            let goes_on = tokio::select! {
                changed = changes.changed() => changed.is_ok(),
                written = self.log.wait_for(Position(seen.0 + 1)), if !is_idle => {
                    tokio::time::sleep(PAUSE).await;
                    written.is_ok()
                }
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Looks on at one watch, and judges a window where that fills it. Whether there is more to look at.
    async fn look(&mut self, tenant: TenantId, model: &Slug, watched: &Watched) -> Result<bool, NotLooked> {
        let Some(settings) = watched.watch.running() else { return Ok(false) };
        let key = (tenant, model.clone());
        let filling = self.filling.entry(key.clone()).or_insert_with(|| Filling::next(watched, settings));
        if filling.began != watched.began {
            *filling = Filling::next(watched, settings);
        }
        for _ in 0..PAGES_MAX {
            let scope = TenantScope::One(tenant);
            let page = self.log.read_all(scope, filling.at, Direction::Forward, &filter(), READ_EVENTS_MAX).await?;
            for event in &page {
                filling.at = event.position;
                filling.answered += usize::from(filling.follower.take(event));
                if filling.answered >= settings.window as usize {
                    // Whatever comes of it, the next window begins where the log says.
                    let Some(full) = self.filling.remove(&key) else { return Ok(true) };
                    self.judge(tenant, model, (watched, settings), full).await?;
                    return Ok(true);
                }
            }
            if page.len() < READ_EVENTS_MAX {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn judge(
        &self,
        tenant: TenantId,
        model: &Slug,
        (watched, settings): (&Watched, &DriftWatchSettings),
        full: Filling,
    ) -> Result<(), NotLooked> {
        let baseline = self.baseline(tenant, watched.began, settings).await?;
        let range = Range { after: full.after, up_to: full.at, newest: SAMPLES_MAX };
        let answered = newest(&*self.log, tenant, &settings.target, range).await?;
        let now = profile(&answered, Some(&*self.blobs)).await?;
        let window = JudgedWindow {
            number: full.number,
            counts: now.counts,
            after: full.after.0,
            up_to: full.at.0,
            from_ms: answered.last().map_or(0, |first| first.at_ms),
            until_ms: answered.first().map_or(0, |last| last.at_ms),
        };
        let bounds = settings.bounds;
        let (watch, at_ms) = (watched.watch.watches, self.commands.clock().now_ms());
        let compared = tokio::task::spawn_blocking(move || {
            compare(&baseline, &now, &bounds).judgement(watch, &window, &bounds, at_ms)
        });
        let (judgement, findings) = compared.await.map_err(|error| LogError::storage(std::io::Error::other(error)))?;
        for finding in &findings {
            tracing::warn!(%model, feature = finding.feature, psi = finding.value, "a model drifts");
        }
        // The same window is judged by the same command, whoever sends it.
        let of = format!("{}/{model}/{}/{}", tenant.0, watched.began.0, full.number);
        let id = CommandId(Uuid::new_v5(&Uuid::NAMESPACE_OID, of.as_bytes()));
        let context = CommandContext::trusted(tenant, Actor::System(NAME.to_owned()), id);
        let outcome = self.commands.judge_drift(&context, model.clone(), judgement, findings).await?;
        // Where another process judged it, what the log has may be no event of this one's concern.
        let seen = self.commands.drift_watches().wait_for(outcome.position);
        tokio::time::timeout(SEEN_MAX, seen).await.unwrap_or(Ok(Arc::default()))?;
        Ok(())
    }

    /// What the inferences of a baseline show. It is read each time: what was erased meanwhile counts no more.
    async fn baseline(
        &self,
        tenant: TenantId,
        began: Position,
        settings: &DriftWatchSettings,
    ) -> Result<Profile, LogError> {
        let range = Range::of_baseline(&*self.log, &settings.baseline, began).await?;
        let answered = newest(&*self.log, tenant, &settings.target, range).await?;
        profile(&answered, Some(&*self.blobs)).await
    }
}

impl Filling {
    /// The window that comes next, as the log says.
    fn next(watched: &Watched, settings: &DriftWatchSettings) -> Self {
        let after = Position(watched.watch.up_to).max(watched.began);
        Self {
            began: watched.began,
            number: watched.watch.judged + 1,
            after,
            at: after,
            follower: Follower::new(settings.target.clone()),
            answered: 0,
        }
    }
}

fn is_held(held: &Held) -> bool {
    held.shards.contains_key(&Shard::of(NAME))
}
