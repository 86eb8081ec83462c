//! Commands on executions.

use std::collections::BTreeMap;
use std::sync::Arc;

use timeloom_domain::access::Permission;
use timeloom_domain::definition::{Graph, PRIORITY_MAX, PRIORITY_MIN, Settings, WorkflowDefinition};
use timeloom_domain::event::Aggregate as _;
use timeloom_domain::execution::{
    Breakpoint, Execution, ExecutionCommand, ExecutionEvent, ExecutionMode, ExecutionStatus, RunOptions, StartFacts,
    TriggerFacts,
};
use timeloom_domain::ids::{ExecutionId, WorkflowId};
use timeloom_domain::item::Item;
use timeloom_domain::workflow::WorkflowRefusal;
use timeloom_store::{Direction, Revision, StreamKey, codec};

use crate::bridge::{Base, StreamState};
use crate::control::{check_breakpoints, has_node};
use crate::error::WORKFLOW_NOT_ACTIVE;
use crate::{CommandContext, CommandError, Commands, Outcome, Refusal};

/// Most items with which an execution may be started.
const START_ITEMS_MAX: usize = 100_000;
/// Longest reason for a cancellation, in characters.
pub(crate) const REASON_CHARACTERS_MAX: usize = 1_000;

/// Most notes that are kept after an execution's end, such as those of retries.
pub(crate) const NOTES_MAX: usize = 32;
/// How often a cancellation is tried again when the engine appended first.
const CANCEL_CONFLICTS_MAX: usize = 100;
/// Most streams through which a long execution is followed.
pub(crate) const CHAIN_LINKS_MAX: usize = 100_000;

/// A run to begin.
#[derive(Debug, Clone)]
pub struct StartExecution {
    /// What starts it; `None` for a person.
    pub trigger: Option<TriggerFacts>,
    /// How it is to be run. Lane and priority are the workflow's where nothing else is said.
    pub options: RunOptions,
    /// Its id; `None` takes the command's.
    pub execution_id: Option<ExecutionId>,
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// The published version; `None` takes the draft in manual mode and the newest version in production.
    pub version: Option<u32>,
    /// Why.
    pub mode: ExecutionMode,
    /// Name of the node with which it begins; `None` takes the workflow's trigger.
    pub start_node: Option<String>,
    /// Items for that node; `None` gives one empty item.
    pub items: Option<Vec<Item>>,
}

/// A run to stop.
#[derive(Debug, Clone)]
pub struct CancelExecution {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Why, for those who read its history.
    pub reason: String,
}

impl StartExecution {
    /// A run of a workflow that a person starts by hand: its draft, from its trigger, with one empty item.
    pub fn by_hand(workflow_id: WorkflowId) -> Self {
        Self {
            trigger: None,
            options: RunOptions::default(),
            execution_id: None,
            workflow_id,
            version: None,
            mode: ExecutionMode::Manual,
            start_node: None,
            items: None,
        }
    }

    /// A run of a workflow's published version that something else started.
    pub fn by_trigger(workflow_id: WorkflowId, trigger: TriggerFacts) -> Self {
        Self { trigger: Some(trigger), mode: ExecutionMode::Production, ..Self::by_hand(workflow_id) }
    }
}

impl Commands {
    /// Begins an execution. The engine goes on from its first event.
    ///
    /// # Errors
    /// A refusal when the workflow, version or start node is not there, or a conflict or fault.
    pub async fn start_execution(
        &self,
        context: &CommandContext,
        start: StartExecution,
    ) -> Result<Outcome<ExecutionId>, CommandError> {
        context.require(Permission::ExecutionRun)?;
        self.check_tenant(context)?;
        let id = start.execution_id.unwrap_or(ExecutionId(context.command_id.0));
        let stream = self.stream::<ExecutionEvent>(context, id);
        let facts = match self.start_facts(context, start).await {
            Ok(facts) => facts,
            // The workflow may have changed since the command was carried out: its answer stays the same.
            Err(refused @ CommandError::Refused(_)) => return self.begun_before(context, id).await?.ok_or(refused),
            Err(error) => return Err(error),
        };
        let command = ExecutionCommand::Start(Arc::new(facts));
        Ok(self.execute::<Execution>(context, stream, command, Base::New).await?.with(id))
    }

    /// What this very command came to, if it has begun the execution before.
    pub(crate) async fn begun_before(
        &self,
        context: &CommandContext,
        id: ExecutionId,
    ) -> Result<Option<Outcome<ExecutionId>>, CommandError> {
        let stream = self.stream::<ExecutionEvent>(context, id);
        let first = self.inner.log.read_stream(&stream, Revision::default(), Direction::Forward, 1).await?;
        let own = first.first().filter(|event| event.metadata.command_id == context.command_id);
        Ok(own.map(|own| Outcome { value: id, position: own.position, revision: own.revision, repeated: true }))
    }

    async fn start_facts(&self, context: &CommandContext, start: StartExecution) -> Result<StartFacts, CommandError> {
        let items = start.items.unwrap_or_else(|| vec![Item::default()]);
        if items.len() > START_ITEMS_MAX {
            let message = format!("{} items, at most {START_ITEMS_MAX} are allowed: start several runs", items.len());
            return Err(Refusal::new("TOO_MANY_ITEMS", message).into());
        }
        let workflow = self.current_workflow(context, start.workflow_id).await?;
        if workflow.aggregate.draft.is_none() {
            return Err(Refusal::from(WorkflowRefusal::NotFound).into());
        }
        if workflow.aggregate.archived {
            return Err(Refusal::from(WorkflowRefusal::Archived).into());
        }
        let newest = || workflow.aggregate.versions.last().map(|published| published.version);
        check_active(start.trigger.as_ref(), start.version, workflow.aggregate.active_version)?;
        let version = match (start.version, start.mode) {
            (None, ExecutionMode::Production) => {
                Some(workflow.aggregate.active_version.or_else(newest).ok_or_else(not_published)?)
            }
            (wanted, _) => wanted,
        };
        let definition = workflow.aggregate.definition(version).ok_or_else(|| {
            let message = format!("the workflow has no version {}: publish it first", version.unwrap_or_default());
            Refusal::new("WORKFLOW_VERSION_NOT_FOUND", message)
        })?;
        self.check_complete(definition)?;
        check_options(&start.options, definition)?;
        let start_node = Graph::new(definition)
            .start_node(definition, self.catalogue(), start.start_node.as_deref())
            .map_err(Refusal::from)?;
        let is_called = matches!(start.trigger, Some(TriggerFacts::SubWorkflow { .. }));
        let pins = match start.mode {
            // Pins are for those who look at the workflow itself.
            ExecutionMode::Manual if !is_called => definition.pin_data.clone(),
            _ => BTreeMap::new(),
        };
        Ok(StartFacts {
            workflow_id: start.workflow_id,
            workflow_revision: workflow.revision.0,
            workflow_version: version,
            mode: start.mode,
            start_node: definition.nodes[start_node].name.clone(),
            items,
            pins,
            seed: self.ids().seed(),
            at_ms: self.clock().now_ms(),
            trigger: start.trigger,
            options: options(start.options, start.workflow_id, &definition.settings),
        })
    }

    /// Stops an execution: nothing of it begins after this; an effect under way may still happen. A long execution that
    /// goes on in other streams is stopped in its last one, whose id is the answer.
    ///
    /// # Errors
    /// A refusal when there is none or it has ended, or a conflict or fault.
    pub async fn cancel_execution(
        &self,
        context: &CommandContext,
        cancel: CancelExecution,
    ) -> Result<Outcome<ExecutionId>, CommandError> {
        context.require(Permission::ExecutionRun)?;
        let reason: String = cancel.reason.chars().take(REASON_CHARACTERS_MAX).collect();
        let (mut id, mut conflicts) = (cancel.execution_id, 0);
        for _ in 0..CHAIN_LINKS_MAX {
            let stream = self.stream::<ExecutionEvent>(context, id);
            let newest = self.newest(&stream).await?;
            if newest.revision == Revision::default() && id != cancel.execution_id {
                let message = "the execution goes on in another stream at this moment: try again".to_owned();
                return Err(CommandError::Conflict { message });
            }
            if let Some(next) = newest.aggregate.continued_as {
                id = next;
                continue;
            }
            let command = ExecutionCommand::Cancel { reason: reason.clone() };
            match self.execute::<Execution>(context, stream, command, Base::Known(newest)).await {
                Err(CommandError::Conflict { .. }) if conflicts < CANCEL_CONFLICTS_MAX => conflicts += 1,
                other => return Ok(other?.with(id)),
            }
        }
        let message = format!("the execution goes on in more than {CHAIN_LINKS_MAX} streams: cancel the last one");
        Err(Refusal::new("CHAIN_TOO_LONG", message).into())
    }

    /// What the newest event of an execution says of it: whether it runs, has ended, or goes on elsewhere. Whoever folds
    /// a stream to which the engine appends all the time is behind it when he is done.
    async fn newest(&self, stream: &StreamKey) -> Result<Arc<StreamState<Execution>>, CommandError> {
        let newest = self.inner.log.read_stream(stream, Revision(u64::MAX), Direction::Backward, NOTES_MAX).await?;
        // What is noted after the end says nothing about it.
        let is_note = |event_type: &str| matches!(event_type, "ExecutionRetriedAs" | "ExecutionDismissed");
        let found = newest.iter().find(|event| !is_note(&event.event_type)).or(newest.first());
        let Some(newest) = found else { return Ok(Arc::default()) };
        let mut aggregate = Execution { status: ExecutionStatus::Running, ..Execution::default() };
        aggregate.apply(&codec::decode::<ExecutionEvent>(newest)?);
        Ok(Arc::new(StreamState { aggregate, revision: newest.revision, position: newest.position }))
    }
}

/// Refuses what cannot be asked of a run of this workflow.
fn check_options(asked: &RunOptions, definition: &WorkflowDefinition) -> Result<(), Refusal> {
    if !(PRIORITY_MIN..=PRIORITY_MAX).contains(&asked.priority) {
        let message = format!("the priority is {}: give {PRIORITY_MIN} to {PRIORITY_MAX}", asked.priority);
        return Err(Refusal::new("PRIORITY_OUT_OF_RANGE", message));
    }
    check_breakpoints(&asked.breakpoints)?;
    match asked.breakpoints.iter().find(|breakpoint| !has_node(definition, &breakpoint.node)) {
        Some(Breakpoint { node, .. }) => {
            let message = format!("the workflow has no node '{node}' to pause before: name one of its nodes");
            Err(Refusal::new("NODE_NOT_FOUND", message))
        }
        None => Ok(()),
    }
}

/// How a run is to be run, with what its workflow says about all of them.
pub(crate) fn options(asked: RunOptions, workflow_id: WorkflowId, settings: &Settings) -> RunOptions {
    let priority = if asked.priority == 0 { settings.priority.unwrap_or(0) } else { asked.priority };
    // One process has to see all runs of a workflow that limits how many there may be at once.
    let lane = asked.lane.or_else(|| settings.concurrency.map(|_| workflow_id.to_string()));
    RunOptions { priority, lane, breakpoints: asked.breakpoints }
}

/// Refuses a call or schedule of a version that is not active, or not any more: whoever sends it may have looked before
/// another one was.
fn check_active(trigger: Option<&TriggerFacts>, version: Option<u32>, active: Option<u32>) -> Result<(), Refusal> {
    match trigger {
        Some(TriggerFacts::Webhook { is_test: false, .. } | TriggerFacts::Schedule { .. })
            if active.is_none() || version.is_some_and(|version| active != Some(version)) =>
        {
            let message = "the workflow is not active in this version: activate it, and look up which one is active";
            Err(Refusal::new(WORKFLOW_NOT_ACTIVE, message))
        }
        _ => Ok(()),
    }
}

fn not_published() -> Refusal {
    Refusal::new("WORKFLOW_NOT_PUBLISHED", "the workflow has no published version: publish it, or start it manually")
}
