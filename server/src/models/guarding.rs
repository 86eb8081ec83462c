//! The task that ends trials whose guard says so: it counts what is recorded of each trial with a guard since it began, and
//! issues the command with the figures.
//!
//! Of several processes of a log the one does it that has the lease of the shard into which its name falls; where two do it
//! for a moment, the trial is ended once. After a start it counts anew from where each trial began.

use std::sync::Arc;
use std::time::Duration;

use timeloom_commands::{CommandContext, CommandError, Commands, ModelListing};
use timeloom_domain::ids::{Actor, CommandId, Slug, TenantId};
use timeloom_domain::model::{RolloutFigures, RolloutGuard};
use timeloom_store::leases::{Held, Shard};
use timeloom_store::{Leases, Position};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Time from one look at the trials to the next, while there are any with a guard.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Most pages of events that are counted of one trial before the others have their turn.
const PAGES_MAX: usize = 20;
/// Who ends trials.
const NAME: &str = "rollout-guard";

/// Watches the trials that have a guard, until it is stopped.
pub struct Guarding {
    stopping: CancellationToken,
    task: JoinSet<()>,
}

/// A trial that has a guard.
struct Guarded {
    tenant: TenantId,
    name: Slug,
    version: u32,
    /// Position of the event with which it began.
    began: Position,
    guard: RolloutGuard,
}

impl Guarding {
    /// Begins, where this process has the lease.
    pub fn start(commands: Commands, leases: &Arc<dyn Leases>) -> Self {
        let stopping = CancellationToken::new();
        let stopped = stopping.clone();
        let mut task = JoinSet::new();
        let held = leases.held();
        task.spawn(async move {
            stopped.run_until_cancelled(guard(&commands, held)).await;
        });
        Self { stopping, task }
    }

    /// Stops, wherever it is.
    pub async fn stop(mut self) {
        self.stopping.cancel();
        if let Some(Err(error)) = self.task.join_next().await {
            tracing::error!(%error, "what watches trials of models ended early");
        }
    }
}

async fn guard(commands: &Commands, mut held: watch::Receiver<Held>) {
    let mut changes = commands.models().changes();
    loop {
        if held.wait_for(|held| held.shards.contains_key(&Shard::of(NAME))).await.is_err() {
            return;
        }
        changes.mark_unchanged();
        let guarded = guarded(&commands.models().now());
        for trial in &guarded {
            look(commands, trial).await;
        }
        let changed = if guarded.is_empty() {
            changes.changed().await
        } else {
            tokio::time::timeout(LOOK_EVERY, changes.changed()).await.unwrap_or(Ok(()))
        };
        if changed.is_err() {
            return;
        }
    }
}

/// The trials that have a guard.
fn guarded(listing: &ModelListing) -> Vec<Guarded> {
    let all = listing.models().filter_map(|(tenant, name, model)| {
        let rollout = model.rollout.as_ref()?;
        let (version, guard) = (rollout.version, rollout.guard.clone()?);
        let began = listing.times(tenant, name)?.trial?;
        Some(Guarded { tenant, name: name.clone(), version, began, guard })
    });
    all.collect()
}

/// Counts on, and ends the trial where that breaks its guard.
async fn look(commands: &Commands, trial: &Guarded) {
    let Guarded { tenant, name, version, guard, .. } = trial;
    let figures = match commands.rollout_figures(*tenant, name, PAGES_MAX).await {
        Ok(Some(figures)) => figures,
        // It ended meanwhile.
        Ok(None) => return,
        Err(error) => {
            tracing::warn!(%error, model = %name, "the trial of a model cannot be counted; it is tried again");
            return;
        }
    };
    let Some(reason) = guard.broken_by(&figures) else { return };
    match end(commands, trial, reason.clone(), figures).await {
        Ok(()) => tracing::warn!(model = %name, version, reason, "a trial was ended by its guard"),
        Err(error) => tracing::warn!(%error, model = %name, "a trial cannot be ended; it is tried again"),
    }
}

async fn end(
    commands: &Commands,
    trial: &Guarded,
    reason: String,
    figures: RolloutFigures,
) -> Result<(), CommandError> {
    let Guarded { tenant, name, version, began, .. } = trial;
    // The same trial is ended by the same command, whoever sends it.
    let of = format!("{}/{name}/{}", tenant.0, began.0);
    let id = CommandId(Uuid::new_v5(&Uuid::NAMESPACE_OID, of.as_bytes()));
    let context = CommandContext::trusted(*tenant, Actor::System(NAME.to_owned()), id);
    commands.guard_model_rollout(&context, name.clone(), *version, reason, figures).await.map(|_| ())
}
