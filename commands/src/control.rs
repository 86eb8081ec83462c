//! What people ask of an execution under way, and of one that ended: pause, go on, breakpoints, the end of a wait, retry.

use std::collections::BTreeMap;
use std::sync::Arc;

use timeloom_domain::access::Permission;
use timeloom_domain::definition::WorkflowDefinition;
use timeloom_domain::execution::{
    Breakpoint, Execution, ExecutionCommand, ExecutionEvent, ExecutionMode, ExecutionRefusal, ExecutionStatus,
    ResumeCause, RetryFacts, RunOptions, StartFacts, TriggerFacts,
};
use timeloom_domain::ids::ExecutionId;
use timeloom_domain::item::Item;

use crate::bridge::{Base, StreamState};
use crate::execution::{CHAIN_LINKS_MAX, NOTES_MAX, REASON_CHARACTERS_MAX, erased, options};
use crate::{CommandContext, CommandError, Commands, Outcome, Refusal, StartExecution};

/// How often such a command is tried again when the engine appended first.
const CONFLICTS_MAX: usize = 100;
/// Most breakpoints of one execution.
const BREAKPOINTS_MAX: usize = 200;
/// Most items with which a waiting node goes on.
const RESUME_ITEMS_MAX: usize = 100_000;

/// Something to ask of an execution under way.
#[derive(Debug, Clone)]
pub struct ControlExecution {
    /// The execution: any link of its chain.
    pub execution_id: ExecutionId,
    /// What is asked.
    pub control: ExecutionControl,
}

/// What may be asked of an execution under way.
#[derive(Debug, Clone)]
pub enum ExecutionControl {
    /// Stand still before the next node.
    Pause {
        /// Why, for those who read its history.
        reason: String,
    },
    /// Go on.
    Unpause {
        /// Pause again before the node after the next.
        step: bool,
    },
    /// Pause before these nodes and no others.
    ChangeBreakpoints {
        /// All that count from now on.
        breakpoints: Vec<Breakpoint>,
    },
    /// End the wait of a node.
    Resume {
        /// What ends it.
        cause: ResumeCause,
        /// What the node gives; `None` passes its input on.
        items: Option<Vec<Item>>,
    },
}

/// An execution that ended, to be tried again as a new one.
#[derive(Debug, Clone)]
pub struct RetryExecution {
    /// Id of the new execution; `None` takes the command's.
    pub new_id: Option<ExecutionId>,
    /// The one that ended: any link of its chain.
    pub execution_id: ExecutionId,
    /// Where the new one begins.
    pub from: RetryFrom,
    /// What the new one runs.
    pub version: RetryVersion,
}

/// Where a retry begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryFrom {
    /// At the node that failed, with what the nodes before it gave.
    FailedNode,
    /// At its trigger, with the same items.
    Start,
}

/// What a retry runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryVersion {
    /// What the execution ran that ended.
    Same,
    /// What would run now.
    Newest,
}

impl Commands {
    /// Asks something of an execution under way. The answer is the link of its chain that took it.
    ///
    /// # Errors
    /// A refusal when there is none, it has ended, or the request does not fit; or a conflict or fault.
    pub async fn control_execution(
        &self,
        context: &CommandContext,
        request: ControlExecution,
    ) -> Result<Outcome<ExecutionId>, CommandError> {
        context.require(Permission::ExecutionRun)?;
        let command = self.control_command(request.control)?;
        let (mut id, mut conflicts) = (request.execution_id, 0);
        loop {
            let (last, _) = self.last_link(context, id).await?;
            id = last;
            let stream = self.stream::<ExecutionEvent>(context, id);
            match self.execute::<Execution>(context, stream, command.clone(), Base::Current).await {
                Err(CommandError::Conflict { .. }) if conflicts < CONFLICTS_MAX => conflicts += 1,
                // It went on in another stream between the look and the append.
                Err(CommandError::Refused(refusal))
                    if refusal.code == "EXECUTION_CONTINUED" && conflicts < CONFLICTS_MAX =>
                {
                    conflicts += 1;
                }
                other => return Ok(other?.with(id)),
            }
        }
    }

    fn control_command(&self, control: ExecutionControl) -> Result<ExecutionCommand, CommandError> {
        Ok(match control {
            ExecutionControl::Pause { reason } => {
                ExecutionCommand::Pause { reason: shorten(&reason), at_ms: self.clock().now_ms() }
            }
            ExecutionControl::Unpause { step } => ExecutionCommand::Unpause { step },
            ExecutionControl::ChangeBreakpoints { breakpoints } => {
                check_breakpoints(&breakpoints)?;
                ExecutionCommand::ChangeBreakpoints { breakpoints }
            }
            ExecutionControl::Resume { cause, items } => {
                if items.as_ref().is_some_and(|items| items.len() > RESUME_ITEMS_MAX) {
                    let message = format!("at most {RESUME_ITEMS_MAX} items are allowed");
                    return Err(Refusal::new("TOO_MANY_ITEMS", message).into());
                }
                ExecutionCommand::Resume { cause, items }
            }
        })
    }

    /// Tries an execution again that failed or was cancelled: a new execution, whose id is the answer.
    ///
    /// # Errors
    /// A refusal when there is none, it did not fail, or what it would run is not there; or a conflict or fault.
    pub async fn retry_execution(
        &self,
        context: &CommandContext,
        retry: RetryExecution,
    ) -> Result<Outcome<ExecutionId>, CommandError> {
        context.require(Permission::ExecutionRun)?;
        self.check_tenant(context)?;
        let (last, ended) = self.last_link(context, retry.execution_id).await?;
        match ended.aggregate.status {
            ExecutionStatus::New => return Err(Refusal::from(ExecutionRefusal::NotFound).into()),
            ExecutionStatus::Failed | ExecutionStatus::Cancelled => {}
            other => return Err(Refusal::from(ExecutionRefusal::NotFailed(other.name())).into()),
        }
        let new_id = retry.new_id.unwrap_or(ExecutionId(context.command_id.0));
        let before = self.begun_before(context, new_id).await?;
        if before.is_none() && ended.aggregate.retried_as.len() >= NOTES_MAX / 2 {
            let message = "it was retried many times already: retry its last retry, or start a new execution";
            return Err(Refusal::new("TOO_MANY_RETRIES", message).into());
        }
        let begun = match (before, retry.from) {
            // The workflow may have changed since: the answer stays the same. Only its note may be missing.
            (Some(begun), _) => begun,
            (None, RetryFrom::Start) => self.retry_from_start(context, new_id, &ended.aggregate, &retry).await?,
            (None, RetryFrom::FailedNode) => self.retry_from_node(context, new_id, last, &ended, &retry).await?,
        };
        let note = ExecutionCommand::NoteRetry { execution: new_id };
        let stream = self.stream::<ExecutionEvent>(context, last);
        self.execute::<Execution>(&self.child(context), stream, note, Base::Current).await?;
        Ok(begun)
    }

    /// Takes down that a failure needs no attention any more.
    ///
    /// # Errors
    /// A refusal when there is none or it did not fail; or a conflict or fault.
    pub async fn dismiss_execution(
        &self,
        context: &CommandContext,
        id: ExecutionId,
        reason: &str,
    ) -> Result<Outcome<ExecutionId>, CommandError> {
        context.require(Permission::ExecutionRun)?;
        let (last, _) = self.last_link(context, id).await?;
        let command = ExecutionCommand::Dismiss { reason: shorten(reason) };
        let stream = self.stream::<ExecutionEvent>(context, last);
        Ok(self.execute::<Execution>(context, stream, command, Base::Current).await?.with(last))
    }

    async fn retry_from_start(
        &self,
        context: &CommandContext,
        new_id: ExecutionId,
        ended: &Execution,
        retry: &RetryExecution,
    ) -> Result<Outcome<ExecutionId>, CommandError> {
        // The items for the start node are in the first link alone.
        let first = match ended.continued_from {
            Some(place) => {
                let first = self.load::<Execution>(&self.stream::<ExecutionEvent>(context, place.root)).await?;
                first.aggregate.start.clone()
            }
            None => ended.start.clone(),
        };
        let facts = first.ok_or_else(|| Refusal::from(ExecutionRefusal::NotFound))?;
        if facts.is_erased() {
            return Err(erased().into());
        }
        let start = StartExecution {
            trigger: Some(TriggerFacts::Retry { of: retry.execution_id }),
            options: RunOptions { breakpoints: Vec::new(), ..facts.options.clone() },
            execution_id: Some(new_id),
            workflow_id: facts.workflow_id,
            version: match retry.version {
                RetryVersion::Same => facts.workflow_version,
                RetryVersion::Newest => self.newest_of_side(context, &facts, retry.execution_id).await?,
            },
            mode: facts.mode,
            start_node: Some(facts.start_node.clone()),
            items: Some(facts.items.clone()),
            subject: facts.subject.clone(),
            is_without_pins: false,
        };
        match (retry.version, facts.workflow_version) {
            // A draft has no name but its revision.
            (RetryVersion::Same, None) => {
                let mut same = Arc::unwrap_or_clone(facts);
                same.trigger = start.trigger;
                same.options = start.options;
                (same.seed, same.at_ms) = (self.ids().seed(), self.clock().now_ms());
                let stream = self.stream::<ExecutionEvent>(context, new_id);
                let command = ExecutionCommand::Start(Arc::new(same));
                Ok(self.execute::<Execution>(context, stream, command, Base::New).await?.with(new_id))
            }
            _ => self.start_execution(context, start).await,
        }
    }

    async fn retry_from_node(
        &self,
        context: &CommandContext,
        new_id: ExecutionId,
        last: ExecutionId,
        ended: &StreamState<Execution>,
        retry: &RetryExecution,
    ) -> Result<Outcome<ExecutionId>, CommandError> {
        let state = &ended.aggregate;
        let facts = state.start.as_deref().ok_or_else(|| Refusal::from(ExecutionRefusal::NotFound))?;
        if facts.is_erased() {
            return Err(erased().into());
        }
        let mut start = StartFacts {
            trigger: Some(TriggerFacts::Retry { of: retry.execution_id }),
            options: RunOptions { breakpoints: Vec::new(), ..facts.options.clone() },
            at_ms: self.clock().now_ms(),
            ..facts.without_items()
        };
        if retry.version == RetryVersion::Newest {
            self.take_newest(context, &mut start, retry.execution_id, state.failed_node.as_deref()).await?;
        }
        let retried = RetryFacts { of: last, revision: ended.revision.0, start, earlier_runs: state.finished_runs() };
        let stream = self.stream::<ExecutionEvent>(context, new_id);
        let command = ExecutionCommand::Retry(Box::new(retried));
        Ok(self.execute::<Execution>(context, stream, command, Base::New).await?.with(new_id))
    }

    /// The version that a retry of what ran would run now, on the same side of a roll-out; `None` for the draft, or where
    /// nothing is published.
    async fn newest_of_side(
        &self,
        context: &CommandContext,
        ran: &StartFacts,
        of: ExecutionId,
    ) -> Result<Option<u32>, CommandError> {
        let workflow = self.current_workflow(context, ran.workflow_id).await?;
        Ok(match ran.mode {
            ExecutionMode::Manual => None,
            ExecutionMode::Production => workflow.aggregate.production_version_again(ran.workflow_version, of),
        })
    }

    /// Lets a retry run what would run now; the node where it goes on must be there.
    async fn take_newest(
        &self,
        context: &CommandContext,
        start: &mut StartFacts,
        of: ExecutionId,
        failed_node: Option<&str>,
    ) -> Result<(), CommandError> {
        let workflow = self.current_workflow(context, start.workflow_id).await?;
        let state = &workflow.aggregate;
        let version = self.newest_of_side(context, start, of).await?;
        let unknown = || Refusal::new("WORKFLOW_NOT_FOUND", "the workflow of the execution is not there any more");
        let definition = state.definition(version).ok_or_else(unknown)?;
        if let Some(node) = failed_node.filter(|node| !has_node(definition, node)) {
            let message = format!("the workflow has no node '{node}' any more: retry from the start");
            return Err(Refusal::new("NODE_NOT_FOUND", message).into());
        }
        if version.is_none() {
            self.check_runnable_from(definition, &start.start_node)?;
        }
        start.workflow_revision = workflow.revision.0;
        start.workflow_version = version;
        start.pins = match start.mode {
            ExecutionMode::Manual => definition.pin_data.clone(),
            ExecutionMode::Production => BTreeMap::new(),
        };
        let asked = RunOptions { lane: None, ..start.options.clone() };
        start.options = options(asked, start.workflow_id, &definition.settings);
        Ok(())
    }

    /// The last link of the chain in which `id` is, and its state.
    ///
    /// # Errors
    /// A refusal when the chain does not end, or a fault.
    pub async fn last_link(
        &self,
        context: &CommandContext,
        mut id: ExecutionId,
    ) -> Result<(ExecutionId, Arc<StreamState<Execution>>), CommandError> {
        for _ in 0..CHAIN_LINKS_MAX {
            let state = self.load::<Execution>(&self.stream::<ExecutionEvent>(context, id)).await?;
            match state.aggregate.continued_as {
                Some(next) => id = next,
                None => return Ok((id, state)),
            }
        }
        let message = format!("the execution goes on in more than {CHAIN_LINKS_MAX} streams");
        Err(Refusal::new("CHAIN_TOO_LONG", message).into())
    }

    /// The context of a command that is part of another one, whose id follows from that one's.
    fn child(&self, context: &CommandContext) -> CommandContext {
        let part = uuid::Uuid::new_v5(&context.command_id.0, b"note");
        context.following(timeloom_domain::ids::CommandId(part))
    }
}

pub(crate) fn has_node(definition: &WorkflowDefinition, name: &str) -> bool {
    definition.nodes.iter().any(|node| node.name == name)
}

pub(crate) fn check_breakpoints(breakpoints: &[Breakpoint]) -> Result<(), Refusal> {
    if breakpoints.len() > BREAKPOINTS_MAX {
        let message = format!("at most {BREAKPOINTS_MAX} breakpoints are allowed");
        return Err(Refusal::new("TOO_MANY_BREAKPOINTS", message));
    }
    match breakpoints.iter().any(|breakpoint| breakpoint.node.is_empty()) {
        true => Err(ExecutionRefusal::EmptyBreakpoint.into()),
        false => Ok(()),
    }
}

fn shorten(reason: &str) -> String {
    reason.chars().take(REASON_CHARACTERS_MAX).collect()
}
