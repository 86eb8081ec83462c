//! Commands on roll-outs: a published version runs for a part of the calls and schedules beside the active one.
//!
//! Invariant: what listens is the active version alone, so that a version with other triggers is never rolled out.

use timeloom_domain::access::Permission;
use timeloom_domain::definition::WorkflowDefinition;
use timeloom_domain::ids::WorkflowId;
use timeloom_domain::workflow::{RollBack, RolloutFigures, RolloutGuard, WorkflowCommand};

use crate::directory::{TriggerNode, WorkflowFacts};
use crate::{CommandContext, CommandError, Commands, Outcome, Refusal};

/// A roll-out to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartWorkflowRollout {
    /// The published version; `None` takes the newest.
    pub version: Option<u32>,
    /// How many of a hundred production executions run it, 1 to 99.
    pub percent: u8,
    /// When it is rolled back without anybody asking.
    pub guard: Option<RolloutGuard>,
}

impl Commands {
    /// Lets a published version run for a part of what is called and scheduled, beside the active one.
    ///
    /// # Errors
    /// A refusal when it could not be active itself, has other triggers than the active one, or another one is being rolled
    /// out; or a conflict or fault.
    pub async fn start_rollout(
        &self,
        context: &CommandContext,
        id: WorkflowId,
        start: StartWorkflowRollout,
    ) -> Result<Outcome<WorkflowId>, CommandError> {
        context.require(Permission::WorkflowWrite)?;
        let workflow = &self.current_workflow(context, id).await?.aggregate;
        let version = start.version.or_else(|| workflow.versions.last().map(|newest| newest.version));
        let candidate = version.and_then(|version| workflow.definition(Some(version)));
        let active = workflow.active_version.and_then(|version| workflow.definition(Some(version)));
        // What is missing is refused by the workflow itself.
        if let (Some(candidate), Some(active)) = (candidate, active) {
            check_triggers(active, candidate)?;
            self.check_activation(context, id, candidate).await?;
        }
        let StartWorkflowRollout { percent, guard, .. } = start;
        self.change_in_force(context, id, WorkflowCommand::StartRollout { version, percent, guard }).await
    }

    /// Lets the version that is tried out run for another part.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn change_rollout(
        &self,
        context: &CommandContext,
        id: WorkflowId,
        percent: u8,
    ) -> Result<Outcome<WorkflowId>, CommandError> {
        context.require(Permission::WorkflowWrite)?;
        self.change_in_force(context, id, WorkflowCommand::ChangeRollout { percent }).await
    }

    /// Lets the version that is tried out be the active one.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn promote_rollout(
        &self,
        context: &CommandContext,
        id: WorkflowId,
    ) -> Result<Outcome<WorkflowId>, CommandError> {
        context.require(Permission::WorkflowWrite)?;
        self.change_in_force(context, id, WorkflowCommand::PromoteRollout).await
    }

    /// Lets everything run the active version again.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn roll_back_rollout(
        &self,
        context: &CommandContext,
        id: WorkflowId,
    ) -> Result<Outcome<WorkflowId>, CommandError> {
        context.require(Permission::WorkflowWrite)?;
        let command = WorkflowCommand::RollBackRollout { rollout: None, cause: RollBack::Person {} };
        self.change_in_force(context, id, command).await
    }

    /// The same for a guard, by what it counted. A roll-out that is over stays as it ended.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn roll_back_by_guard(
        &self,
        context: &CommandContext,
        id: WorkflowId,
        rollout: u32,
        figures: RolloutFigures,
    ) -> Result<Outcome<WorkflowId>, CommandError> {
        context.require(Permission::WorkflowWrite)?;
        let cause = RollBack::Guard { figures };
        self.change_in_force(context, id, WorkflowCommand::RollBackRollout { rollout: Some(rollout), cause }).await
    }
}

/// Refuses a version that other things would start than the active one.
fn check_triggers(active: &WorkflowDefinition, candidate: &WorkflowDefinition) -> Result<(), Refusal> {
    let (active, candidate) = (WorkflowFacts::of(active), WorkflowFacts::of(candidate));
    let differs = |(one, others): (&WorkflowFacts, &WorkflowFacts)| -> Option<String> {
        let is_there = |trigger: &TriggerNode| others.triggers.iter().any(|other| **other == *trigger);
        one.triggers.iter().find(|trigger| !is_there(trigger)).map(|trigger| trigger.name.clone())
    };
    let Some(name) = [(&active, &candidate), (&candidate, &active)].into_iter().find_map(differs) else {
        return Ok(());
    };
    let message = format!(
        "the trigger '{name}' is not the same in both versions: calls and schedules find the active one, so that only \
         versions with the same triggers can share them; activate the version instead"
    );
    Err(Refusal::new("ROLLOUT_TRIGGERS_DIFFER", message))
}
