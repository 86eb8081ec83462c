//! Commands on executions.

use std::collections::BTreeMap;
use std::sync::Arc;

use timeloom_domain::access::Permission;
use timeloom_domain::definition::{
    Graph, NoSubject, PRIORITY_MAX, PRIORITY_MIN, Settings, SubjectSource, WorkflowDefinition,
};
use timeloom_domain::event::{Aggregate as _, Event as _};
use timeloom_domain::execution::{
    Breakpoint, Execution, ExecutionCommand, ExecutionEvent, ExecutionMode, ExecutionStatus, RunOptions, StartFacts,
    TriggerFacts,
};
use timeloom_domain::ids::{ExecutionId, WorkflowId};
use timeloom_domain::item::Item;
use timeloom_domain::personal::ERASED;
use timeloom_domain::subject;
use timeloom_domain::workflow::{Workflow, WorkflowRefusal};
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
    /// The published version; `None` takes the draft in manual mode, and in production what
    /// [`Workflow::production_version`] says. Of a call, a message or a due time it is the active version that was found.
    pub version: Option<u32>,
    /// Why.
    pub mode: ExecutionMode,
    /// Name of the node with which it begins; `None` takes the workflow's trigger.
    pub start_node: Option<String>,
    /// Items for that node; `None` gives one empty item.
    pub items: Option<Vec<Item>>,
    /// Whom its data is about; `None` takes what the workflow says.
    pub subject: Option<String>,
    /// Whether the workflow's pinned items do not count although it is run by hand.
    pub is_without_pins: bool,
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
            subject: None,
            is_without_pins: false,
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
        let facts = match self.start_facts(context, id, start).await {
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

    async fn start_facts(
        &self,
        context: &CommandContext,
        id: ExecutionId,
        start: StartExecution,
    ) -> Result<StartFacts, CommandError> {
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
        let trigger = start.trigger.as_ref();
        let version = version_to_run(&workflow.aggregate, id, (start.version, start.mode), trigger)?;
        let definition = workflow.aggregate.definition(version).ok_or_else(|| {
            let message = format!("the workflow has no version {}: publish it first", version.unwrap_or_default());
            Refusal::new("WORKFLOW_VERSION_NOT_FOUND", message)
        })?;
        self.check_complete(definition)?;
        check_options(&start.options, definition)?;
        let start_node = Graph::new(definition)
            .start_node(definition, self.catalogue(), start.start_node.as_deref())
            .map_err(Refusal::from)?;
        // What was published was whole.
        if version.is_none() {
            self.check_runnable(definition, Some(start_node))?;
        }
        let subject =
            self.subject_of(context, start.subject, start.trigger.as_ref(), &definition.settings, &items).await?;
        let is_called = matches!(start.trigger, Some(TriggerFacts::SubWorkflow { .. }));
        let pins = match start.mode {
            // Pins are for those who look at the workflow itself.
            ExecutionMode::Manual if !is_called && !start.is_without_pins => definition.pin_data.clone(),
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
            subject,
        })
    }

    /// Whom a run is about: as its sender says, or its workflow, or the execution because of which it runs.
    async fn subject_of(
        &self,
        context: &CommandContext,
        asked: Option<String>,
        trigger: Option<&TriggerFacts>,
        settings: &Settings,
        items: &[Item],
    ) -> Result<Option<String>, CommandError> {
        if let Some(subject) = asked {
            if subject == ERASED {
                return Err(erased().into());
            }
            subject::check_name(&subject).map_err(Refusal::from)?;
            return Ok(Some(subject));
        }
        if let Some(setting) = settings.subject.as_deref().and_then(SubjectSource::parse) {
            return Ok(Some(setting.name(items).map_err(no_subject)?));
        }
        let Some(above) = trigger.and_then(TriggerFacts::execution) else { return Ok(None) };
        let stream = self.stream::<ExecutionEvent>(context, above);
        let first = self.inner.log.read_stream(&stream, Revision::default(), Direction::Forward, 1).await?;
        let Some(first) = first.first() else { return Ok(None) };
        match codec::decode::<ExecutionEvent>(first)?.subject(&stream.id) {
            Some(subject) if subject == ERASED => Err(erased().into()),
            inherited => Ok(inherited),
        }
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

/// Which version a run is of; `None` for the draft. What was found by what is active may run the version that is tried out
/// beside it, which has the same triggers.
fn version_to_run(
    workflow: &Workflow,
    id: ExecutionId,
    (version, mode): (Option<u32>, ExecutionMode),
    trigger: Option<&TriggerFacts>,
) -> Result<Option<u32>, Refusal> {
    let goes_by_active = goes_by_active(trigger);
    if goes_by_active {
        check_active(version, workflow.active_version)?;
    }
    match (version, mode) {
        (None, ExecutionMode::Production) => workflow.production_version(id).map(Some).ok_or_else(not_published),
        (Some(_), ExecutionMode::Production) if goes_by_active => Ok(workflow.production_version(id)),
        (wanted, _) => Ok(wanted),
    }
}

/// Whether a run was found by what is active: a call, a message or a due time.
fn goes_by_active(trigger: Option<&TriggerFacts>) -> bool {
    matches!(
        trigger,
        Some(
            TriggerFacts::Webhook { is_test: false, .. }
                | TriggerFacts::Message { is_test: false, .. }
                | TriggerFacts::Schedule { .. }
        )
    )
}

/// Refuses a version that is not active, or not any more: whoever sends a call or schedule may have looked before another
/// one was.
fn check_active(version: Option<u32>, active: Option<u32>) -> Result<(), Refusal> {
    if active.is_none() || version.is_some_and(|version| active != Some(version)) {
        let message = "the workflow is not active in this version: activate it, and look up which one is active";
        return Err(Refusal::new(WORKFLOW_NOT_ACTIVE, message));
    }
    Ok(())
}

/// Nothing goes on from what was erased.
pub(crate) fn erased() -> Refusal {
    let message = "the data of this execution was erased: nothing can go on from it, start a new one";
    Refusal::new("EXECUTION_ERASED", message)
}

fn no_subject(why: NoSubject) -> Refusal {
    match why {
        NoSubject::Missing => Refusal::new(
            "SUBJECT_MISSING",
            "the workflow's setting 'subject' names a field that the items do not have: give it in each of them, or \
             change the setting",
        ),
        NoSubject::Ambiguous => Refusal::new(
            "SUBJECT_AMBIGUOUS",
            "the items are about several subjects: start an execution for each, so that each can be erased by itself",
        ),
    }
}

fn not_published() -> Refusal {
    Refusal::new("WORKFLOW_NOT_PUBLISHED", "the workflow has no published version: publish it, or start it manually")
}
