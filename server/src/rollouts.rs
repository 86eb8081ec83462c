//! The task that gives up versions that are tried out and fail too often, as the guards of their roll-outs say. Of several
//! processes of a log the one does it that has the lease of the shard into which its name falls.
//!
//! It keeps nothing: what it goes by are the read models at a position, so that a restart changes nothing. Invariant: a
//! roll-out is rolled back once, by whichever process: the command's id follows from the event that began it, and a roll-out
//! that is over stays as it ended.

use std::sync::Arc;
use std::time::Duration;

use timeloom_commands::directory::{RolloutEntry, WorkflowEntry};
use timeloom_commands::{CommandContext, CommandError, Commands};
use timeloom_domain::ids::{Actor, CommandId};
use timeloom_domain::workflow::{ArmFigures, RolloutFigures, RolloutGuard};
use timeloom_projections::{ArmFilter, ProjectionError, ReadModels};
use timeloom_store::{Leases, Position};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::archiving::has_lease;

/// Time from one look to the next.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Who rolls back, and by whose lease.
const NAME: &str = "rollout-guard";

/// A guard could not do its work at this look.
#[derive(Debug, thiserror::Error)]
enum GuardError {
    /// The figures are not known.
    #[error("the executions cannot be counted: {0}")]
    Figures(#[from] ProjectionError),
    /// It is not rolled back.
    #[error("it cannot be rolled back: {0}")]
    Command(#[from] CommandError),
}

/// The guards of all roll-outs of one log.
pub struct Guards {
    commands: Commands,
    read_models: Arc<ReadModels>,
}

/// Looks after roll-outs until it is stopped.
pub struct Guarding {
    stopping: CancellationToken,
    task: JoinSet<()>,
}

impl Guarding {
    /// Begins, where this process has the lease.
    pub fn start(guards: Guards, leases: &dyn Leases) -> Self {
        let stopping = CancellationToken::new();
        let stopped = stopping.clone();
        let mut task = JoinSet::new();
        let mut held = leases.held();
        task.spawn(async move {
            loop {
                if !has_lease(NAME, &mut held, &stopped).await {
                    return;
                }
                tokio::select! {
                    () = stopped.cancelled() => return,
                    () = guards.look() => {}
                }
                tokio::select! {
                    () = stopped.cancelled() => return,
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                }
            }
        });
        Self { stopping, task }
    }

    /// Stops, wherever it is.
    pub async fn stop(mut self) {
        self.stopping.cancel();
        if let Some(Err(error)) = self.task.join_next().await {
            tracing::error!(%error, "what guards roll-outs ended early");
        }
    }
}

impl Guards {
    /// The guards of the roll-outs that `commands` knows, by what `read_models` show.
    pub fn new(commands: Commands, read_models: Arc<ReadModels>) -> Self {
        Self { commands, read_models }
    }

    /// Judges every roll-out that has a guard.
    async fn look(&self) {
        let listing = self.commands.directory().now();
        if !listing.is_caught_up() {
            return;
        }
        for entry in listing.workflows() {
            let Some(rollout) = &entry.rollout else { continue };
            let Some(guard) = &rollout.rollout.guard else { continue };
            if let Err(error) = self.judge(entry, rollout, guard).await {
                tracing::error!(workflow_id = %entry.id, %error, "a roll-out is not judged; it is tried again soon");
            }
        }
    }

    async fn judge(
        &self,
        entry: &WorkflowEntry,
        rollout: &RolloutEntry,
        guard: &RolloutGuard,
    ) -> Result<(), GuardError> {
        let Some(active) = &entry.active else { return Ok(()) };
        // What the rows show now, and nothing that comes between two questions.
        let at = self.read_models.position();
        let ended_from_ms = guard.window_ms.map(|window| {
            let window = i64::try_from(window).unwrap_or(i64::MAX);
            self.commands.clock().now_ms().saturating_sub(window)
        });
        let of = |version| ArmFilter { workflow_id: entry.id, version, since: rollout.since, ended_from_ms };
        let candidate = self.count(entry, at, of(rollout.rollout.version)).await?;
        if candidate.finished() < u64::from(guard.executions_min) {
            return Ok(());
        }
        let figures = RolloutFigures { candidate, active: self.count(entry, at, of(active.version)).await? };
        if guard.gives_up(&figures) {
            self.roll_back(entry, rollout, figures).await?;
        }
        Ok(())
    }

    async fn count(
        &self,
        entry: &WorkflowEntry,
        at: Position,
        filter: ArmFilter,
    ) -> Result<ArmFigures, ProjectionError> {
        self.read_models.arm_figures(entry.tenant, Some(at), filter).await
    }

    async fn roll_back(
        &self,
        entry: &WorkflowEntry,
        rollout: &RolloutEntry,
        figures: RolloutFigures,
    ) -> Result<(), CommandError> {
        let command_id = CommandId(Uuid::new_v5(&rollout.event.0, NAME.as_bytes()));
        let context = CommandContext {
            causation_id: Some(rollout.event),
            ..CommandContext::trusted(entry.tenant, Actor::System(NAME.to_owned()), command_id)
        };
        let (number, version) = (rollout.rollout.number, rollout.rollout.version);
        self.commands.roll_back_by_guard(&context, entry.id, number, figures).await?;
        tracing::warn!(
            workflow_id = %entry.id,
            version,
            failed = figures.candidate.failed,
            finished = figures.candidate.finished(),
            "a version that was tried out failed too often and is rolled back"
        );
        Ok(())
    }
}
