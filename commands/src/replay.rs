//! Commands on replay checks.

use timeloom_domain::access::Permission;
use timeloom_domain::ids::{ExecutionId, WorkflowId};
use timeloom_domain::replay::{
    ReplayAgainst, ReplayCase, ReplayCheck, ReplayCheckCommand, ReplayCheckEvent, ReplayReport, ReplayRequest,
};
use timeloom_domain::workflow::WorkflowRefusal;
use uuid::Uuid;

use crate::bridge::Base;
use crate::fork::ForkVersion;
use crate::{CommandContext, CommandError, Commands, Outcome, Refusal};

/// A replay check to ask for.
#[derive(Debug, Clone)]
pub struct StartReplayCheck {
    /// The workflow whose executions they are.
    pub workflow_id: WorkflowId,
    /// The executions, by the ids with which they were started.
    pub executions: Vec<ExecutionId>,
    /// What they are run under.
    pub against: ForkVersion,
    /// Whether the test cases of the workflow are run as well.
    pub with_cases: bool,
}

impl Commands {
    /// Asks for a replay check; a worker does it. Its id is the answer.
    ///
    /// # Errors
    /// A refusal when there is nothing to check or the version is not there; or a conflict or fault.
    pub async fn start_replay_check(
        &self,
        context: &CommandContext,
        check: StartReplayCheck,
    ) -> Result<Outcome<Uuid>, CommandError> {
        context.require(Permission::ExecutionRun)?;
        let StartReplayCheck { workflow_id, executions, against, with_cases } = check;
        let against = match against {
            ForkVersion::Same => ReplayAgainst::Same,
            ForkVersion::Draft => self.against(context, workflow_id, None).await?,
            ForkVersion::Published(version) => self.against(context, workflow_id, Some(version)).await?,
        };
        let cases = match with_cases {
            true => self.test_cases(context, workflow_id).await?.cases,
            false => Vec::new(),
        };
        let named = cases.into_iter().map(|kept| kept.case);
        let cases = named.map(|case| ReplayCase { id: case.id, name: case.name, capsule: case.capsule }).collect();
        let at_ms = self.clock().now_ms();
        let request = ReplayRequest { workflow_id, executions, against, at_ms, cases };
        let command = ReplayCheckCommand::Request(Box::new(request));
        let id = context.command_id.0;
        let stream = self.stream::<ReplayCheckEvent>(context, id);
        Ok(self.execute::<ReplayCheck>(context, stream, command, Base::New).await?.with(id))
    }

    /// Takes down what came of a replay check, or why it cannot be carried out. The first word stands.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn end_replay_check(
        &self,
        context: &CommandContext,
        id: Uuid,
        result: Result<ReplayReport, String>,
    ) -> Result<Outcome<Uuid>, CommandError> {
        let at_ms = self.clock().now_ms();
        let command = match result {
            Ok(report) => ReplayCheckCommand::Complete { report, at_ms },
            Err(reason) => ReplayCheckCommand::Fail { reason, at_ms },
        };
        let stream = self.stream::<ReplayCheckEvent>(context, id);
        Ok(self.execute::<ReplayCheck>(context, stream, command, Base::Current).await?.with(id))
    }

    async fn against(
        &self,
        context: &CommandContext,
        workflow_id: WorkflowId,
        workflow_version: Option<u32>,
    ) -> Result<ReplayAgainst, CommandError> {
        let workflow = self.current_workflow(context, workflow_id).await?;
        if workflow.aggregate.draft.is_none() {
            return Err(Refusal::from(WorkflowRefusal::NotFound).into());
        }
        let definition = workflow.aggregate.definition(workflow_version).ok_or_else(|| {
            let version = workflow_version.unwrap_or_default();
            Refusal::new(
                "WORKFLOW_VERSION_NOT_FOUND",
                format!("the workflow has no version {version}: publish it first"),
            )
        })?;
        match workflow_version {
            Some(_) => self.check_complete(definition)?,
            None => self.check_runnable(definition, None)?,
        }
        Ok(ReplayAgainst::Definition { workflow_revision: workflow.revision.0, workflow_version })
    }
}
