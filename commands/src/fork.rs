//! Forks: a new execution that goes on from an event of another one, with something changed or nothing.

use std::collections::HashMap;

use serde_json::Value;
use timeloom_domain::access::Permission;
use timeloom_domain::definition::{self, WorkflowDefinition};
use timeloom_domain::event::Aggregate as _;
use timeloom_domain::execution::{
    Execution, ExecutionCommand, ExecutionEvent, ExecutionMode, ExecutionRefusal, ForkChange, ForkEffects, ForkFacts,
    NodeFacts, RunOptions, StartFacts, set_parameter,
};
use timeloom_domain::ids::ExecutionId;
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::{Direction, Filter, Position, RecordedEvent, Revision, StreamKey, TenantScope, codec};

use crate::bridge::Base;
use crate::control::has_node;
use crate::execution::{CHAIN_LINKS_MAX, REASON_CHARACTERS_MAX, erased, options};
use crate::{CommandContext, CommandError, Commands, Outcome, Refusal};

/// Most changes of one fork.
pub const FORK_CHANGES_MAX: usize = 100;
/// Most nodes whose effects are lifted one by one.
const FORK_LIVE_NODES_MAX: usize = 2_000;
/// Most items that one changed output has.
const FORK_ITEMS_MAX: usize = 100_000;

/// A fork to begin.
#[derive(Debug, Clone)]
pub struct ForkExecution {
    /// Id of the new execution; `None` takes the command's.
    pub new_id: Option<ExecutionId>,
    /// The execution from which it goes on: any link of its chain.
    pub execution_id: ExecutionId,
    /// The event after which it goes on.
    pub at: ForkAt,
    /// What it runs.
    pub version: ForkVersion,
    /// What is other.
    pub changes: Vec<ForkChange>,
    /// Which effects may happen.
    pub effects: ForkEffects,
    /// Why, for those who read its history.
    pub reason: String,
}

/// The event after which a fork goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForkAt {
    /// The last one of the execution at or before a position of the log.
    Position(Position),
    /// The one at a revision of the stream that is named.
    Revision(Revision),
    /// Its newest one.
    Newest,
}

/// What a fork runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForkVersion {
    /// What the execution ran.
    Same,
    /// The draft as it is now.
    Draft,
    /// A published version.
    Published(u32),
}

/// The place of an event from which a fork goes on, and the execution as it was right after it.
struct ForkSource {
    of: ExecutionId,
    origin: ExecutionId,
    event: RecordedPlace,
    state: Execution,
}

#[derive(Clone, Copy)]
struct RecordedPlace {
    revision: Revision,
    position: Position,
}

impl Commands {
    /// Begins an execution that goes on from an event of another one. Its id is the answer.
    ///
    /// # Errors
    /// A refusal when there is no such event, or what is changed is not there; or a conflict or fault.
    pub async fn fork_execution(
        &self,
        context: &CommandContext,
        fork: ForkExecution,
    ) -> Result<Outcome<ExecutionId>, CommandError> {
        context.require(Permission::ExecutionRun)?;
        self.check_tenant(context)?;
        let id = fork.new_id.unwrap_or(ExecutionId(context.command_id.0));
        let facts = match self.fork_facts(context, fork).await {
            Ok(facts) => facts,
            // The workflow may have changed since the command was carried out: its answer stays the same.
            Err(refused @ CommandError::Refused(_)) => return self.begun_before(context, id).await?.ok_or(refused),
            Err(error) => return Err(error),
        };
        let stream = self.stream::<ExecutionEvent>(context, id);
        let command = ExecutionCommand::Fork(Box::new(facts));
        Ok(self.execute::<Execution>(context, stream, command, Base::New).await?.with(id))
    }

    /// How a fork would begin, without beginning it.
    ///
    /// # Errors
    /// As [`Self::fork_execution`].
    pub async fn fork_facts(&self, context: &CommandContext, fork: ForkExecution) -> Result<ForkFacts, CommandError> {
        check_sizes(&fork)?;
        let source = self.fork_source(context, &fork).await?;
        let start = source.state.start.as_deref().ok_or_else(|| Refusal::from(ExecutionRefusal::NotFound))?;
        if start.is_erased() {
            return Err(erased().into());
        }
        let mut start = StartFacts {
            options: RunOptions { breakpoints: Vec::new(), ..start.options.clone() },
            at_ms: self.clock().now_ms(),
            ..start.without_items()
        };
        let definition = self.take_version(context, &mut start, fork.version).await?;
        check_changes(&fork, &definition)?;
        let ForkExecution { changes, effects, reason, .. } = fork;
        let facts = ForkFacts {
            of: source.of,
            origin: source.origin,
            revision: source.event.revision.0,
            position: source.event.position.0,
            reason: reason.chars().take(REASON_CHARACTERS_MAX).collect(),
            start,
            earlier_runs: source.state.finished_runs(),
            changes,
            effects,
        };
        if let Some(changed) = facts.changed(&definition) {
            definition::check_structure(&changed).map_err(Refusal::from)?;
            self.check_runnable_from(&changed, &facts.start.start_node)?;
        }
        Ok(facts)
    }

    /// Finds the event, and folds what came before it. Where the output of the very run that it ended is changed, that is what
    /// was before it.
    async fn fork_source(&self, context: &CommandContext, fork: &ForkExecution) -> Result<ForkSource, CommandError> {
        let (of, last) = self.fork_event(context, fork.execution_id, fork.at).await?;
        let stream = self.stream::<ExecutionEvent>(context, of);
        let mut folded = Folded::default();
        while folded.place.revision < last {
            let left = usize::try_from(last.0 - folded.place.revision.0).unwrap_or(READ_EVENTS_MAX);
            let limit = left.min(READ_EVENTS_MAX);
            let read = self.inner.log.read_stream(&stream, folded.place.revision, Direction::Forward, limit).await?;
            if read.is_empty() {
                break;
            }
            for recorded in &read {
                let event = codec::decode::<ExecutionEvent>(recorded)?;
                if recorded.revision == last && replaces(fork, &event) {
                    break;
                }
                folded.take(&event, recorded);
            }
            if read.last().is_some_and(|newest| newest.revision == last) {
                break;
            }
        }
        if folded.state.start.is_none() {
            return Err(Refusal::from(ExecutionRefusal::NotFound).into());
        }
        folded.check_outputs(fork)?;
        let origin = folded.state.continued_from.map_or(of, |place| place.root);
        Ok(ForkSource { of, origin, event: folded.place, state: folded.state })
    }

    /// The link that has the event, and the event's revision in it.
    async fn fork_event(
        &self,
        context: &CommandContext,
        id: ExecutionId,
        at: ForkAt,
    ) -> Result<(ExecutionId, Revision), CommandError> {
        let position = match at {
            ForkAt::Revision(wanted) => return self.fork_revision(context, id, wanted).await,
            ForkAt::Newest => self.inner.log.head(),
            ForkAt::Position(position) => position,
        };
        let mut id = id;
        for _ in 0..CHAIN_LINKS_MAX {
            let stream = self.stream::<ExecutionEvent>(context, id);
            let filter = Filter { stream: Some(stream.clone()), ..Filter::default() };
            let scope = TenantScope::One(stream.tenant);
            let newest = self.inner.log.read_all(scope, position, Direction::Backward, &filter, 1).await?;
            let Some(newest) = newest.first() else {
                id = self.link_before(&stream, position).await?;
                continue;
            };
            match codec::decode::<ExecutionEvent>(newest)? {
                ExecutionEvent::ExecutionContinuedAsNew { next, .. }
                    if self.begun_by(context, next, position).await? =>
                {
                    id = next;
                }
                _ => return Ok((id, newest.revision)),
            }
        }
        Err(Refusal::new("CHAIN_TOO_LONG", format!("the execution goes on in more than {CHAIN_LINKS_MAX} streams"))
            .into())
    }

    async fn fork_revision(
        &self,
        context: &CommandContext,
        id: ExecutionId,
        wanted: Revision,
    ) -> Result<(ExecutionId, Revision), CommandError> {
        let stream = self.stream::<ExecutionEvent>(context, id);
        let newest = self.inner.log.read_stream(&stream, Revision(u64::MAX), Direction::Backward, 1).await?;
        let newest = newest.first().ok_or_else(|| Refusal::from(ExecutionRefusal::NotFound))?.revision;
        if wanted == Revision(0) || wanted > newest {
            let message = format!("the execution has no revision {wanted}: its revisions go from 1 to {newest}");
            return Err(Refusal::new("REVISION_NOT_REACHED", message).into());
        }
        Ok((id, wanted))
    }

    /// The link before the one whose stream begins after a position.
    async fn link_before(&self, stream: &StreamKey, position: Position) -> Result<ExecutionId, CommandError> {
        let first = self.inner.log.read_stream(stream, Revision(0), Direction::Forward, 1).await?;
        let first = first.first().ok_or_else(|| Refusal::from(ExecutionRefusal::NotFound))?;
        match codec::decode::<ExecutionEvent>(first)? {
            ExecutionEvent::ExecutionContinued(continuation) => Ok(continuation.previous),
            _ => {
                let began = first.position;
                let message =
                    format!("the execution began at position {began}, after {position}: fork at that or later");
                Err(Refusal::new("NOT_YET", message).into())
            }
        }
    }

    async fn begun_by(
        &self,
        context: &CommandContext,
        id: ExecutionId,
        position: Position,
    ) -> Result<bool, CommandError> {
        let stream = self.stream::<ExecutionEvent>(context, id);
        let first = self.inner.log.read_stream(&stream, Revision(0), Direction::Forward, 1).await?;
        Ok(first.first().is_some_and(|first| first.position <= position))
    }

    /// Lets the fork run what it is asked to, and answers that.
    async fn take_version(
        &self,
        context: &CommandContext,
        start: &mut StartFacts,
        version: ForkVersion,
    ) -> Result<WorkflowDefinition, CommandError> {
        let not_there = |what: String| Refusal::new("WORKFLOW_VERSION_NOT_FOUND", what);
        let workflow = match version {
            ForkVersion::Same => {
                let id = start.workflow_id;
                let found = self.workflow_at(context, id, Revision(start.workflow_revision)).await?;
                let found = found.and_then(|found| found.definition(start.workflow_version).cloned());
                let gone = || not_there("what the execution ran is not in the log any more: name a version".to_owned());
                return Ok(found.as_deref().cloned().ok_or_else(gone)?);
            }
            ForkVersion::Draft | ForkVersion::Published(_) => self.current_workflow(context, start.workflow_id).await?,
        };
        let wanted = match version {
            ForkVersion::Published(version) => Some(version),
            _ => None,
        };
        let definition = workflow.aggregate.definition(wanted).ok_or_else(|| match wanted {
            Some(version) => not_there(format!("the workflow has no version {version}: publish it first")),
            None => not_there("the workflow of the execution is not there any more".to_owned()),
        })?;
        match wanted {
            Some(_) => self.check_complete(definition)?,
            None => self.check_runnable_from(definition, &start.start_node)?,
        }
        start.workflow_revision = workflow.revision.0;
        start.workflow_version = wanted;
        if start.mode == ExecutionMode::Manual {
            start.pins = definition.pin_data.clone();
        }
        let asked = RunOptions { lane: None, ..start.options.clone() };
        start.options = options(asked, start.workflow_id, &definition.settings);
        Ok((**definition).clone())
    }
}

/// An execution folded up to an event, without the items that nodes gave.
#[derive(Default)]
struct Folded {
    state: Execution,
    place: RecordedPlace,
    /// Where node runs ended.
    ended: HashMap<(String, usize), Position>,
    /// How many runs of each node came before the stream.
    before: HashMap<String, usize>,
}

impl Default for RecordedPlace {
    fn default() -> Self {
        Self { revision: Revision(0), position: Position::START }
    }
}

impl Folded {
    fn take(&mut self, event: &ExecutionEvent, recorded: &RecordedEvent) {
        self.state.apply(event);
        self.state.release_items(event);
        self.place = RecordedPlace { revision: recorded.revision, position: recorded.position };
        match event {
            ExecutionEvent::ExecutionContinued(continuation) => {
                self.before.extend(continuation.run_counts.iter().map(|(node, count)| (node.clone(), *count)));
            }
            _ => {
                if let Some(run) = ends(event) {
                    self.ended.insert((run.node.clone(), run.run_index), recorded.position);
                }
            }
        }
    }

    /// Refuses to change what a node run gave that ended before.
    fn check_outputs(&self, fork: &ForkExecution) -> Result<(), Refusal> {
        for change in &fork.changes {
            let ForkChange::Output { node, run_index, .. } = change else { continue };
            let earlier = self.before.get(node).is_some_and(|before| run_index < before);
            let ended = self.ended.get(&(node.clone(), *run_index));
            let advice = match ended {
                Some(position) => format!("fork at position {position} or before"),
                None if earlier => "fork at an event of an earlier link of the execution".to_owned(),
                None => continue,
            };
            let message =
                format!("run {run_index} of '{node}' had ended by then, so that its output cannot change: {advice}");
            return Err(Refusal::new("NODE_RUN_ENDED", message));
        }
        Ok(())
    }
}

/// The node run that an event ends with an output.
fn ends(event: &ExecutionEvent) -> Option<&NodeFacts> {
    match event {
        ExecutionEvent::NodeCompleted { run, .. } | ExecutionEvent::NodeFailed { run, outputs: Some(_), .. } => {
            Some(run)
        }
        _ => None,
    }
}

/// Whether an event ends a node run whose output the fork changes.
fn replaces(fork: &ForkExecution, event: &ExecutionEvent) -> bool {
    let Some(run) = ends(event) else { return false };
    fork.changes.iter().any(|change| {
        matches!(change, ForkChange::Output { node, run_index, .. } if *node == run.node && *run_index == run.run_index)
    })
}

fn check_sizes(fork: &ForkExecution) -> Result<(), Refusal> {
    if fork.changes.len() > FORK_CHANGES_MAX {
        let message = format!(
            "{} changes, at most {FORK_CHANGES_MAX} are allowed: import a changed workflow",
            fork.changes.len()
        );
        return Err(Refusal::new("TOO_MANY_CHANGES", message));
    }
    let items = |change: &ForkChange| match change {
        ForkChange::Output { outputs, .. } => outputs.iter().map(|items| items.len()).sum(),
        _ => 0,
    };
    if fork.changes.iter().map(items).any(|count: usize| count > FORK_ITEMS_MAX) {
        return Err(Refusal::new(
            "TOO_MANY_ITEMS",
            format!("at most {FORK_ITEMS_MAX} items are allowed in one output"),
        ));
    }
    match &fork.effects {
        ForkEffects::PerNode { live } if live.len() > FORK_LIVE_NODES_MAX => {
            Err(Refusal::new("TOO_MANY_CHANGES", format!("at most {FORK_LIVE_NODES_MAX} nodes can be lifted by name")))
        }
        _ => Ok(()),
    }
}

/// Refuses changes of what the workflow does not have.
fn check_changes(fork: &ForkExecution, definition: &WorkflowDefinition) -> Result<(), Refusal> {
    let known = |node: &str| {
        if has_node(definition, node) {
            return Ok(());
        }
        Err(Refusal::new("NODE_NOT_FOUND", format!("the workflow has no node '{node}': name one of its nodes")))
    };
    for change in &fork.changes {
        match change {
            ForkChange::Output { node, .. } => known(node)?,
            ForkChange::Parameter { node, path, value } => {
                known(node)?;
                check_parameter(definition, node, path, value)?;
            }
            ForkChange::Variable { name, .. } if name.is_empty() => {
                return Err(Refusal::new("INVALID_VARIABLE", "a variable needs a name"));
            }
            ForkChange::Variable { .. } => {}
        }
    }
    match &fork.effects {
        ForkEffects::PerNode { live } => live.iter().try_for_each(|node| known(node)),
        ForkEffects::Stub | ForkEffects::Live => Ok(()),
    }
}

fn check_parameter(definition: &WorkflowDefinition, node: &str, path: &str, value: &Value) -> Result<(), Refusal> {
    let found = definition.nodes.iter().find(|candidate| candidate.name == node);
    let mut parameters = found.map(|node| node.parameters.clone()).unwrap_or_default();
    if path.starts_with('/') && set_parameter(&mut parameters, path, value.clone()) {
        return Ok(());
    }
    let message =
        format!("'{node}' has no parameter at '{path}': give a JSON pointer into its parameters, such as /url");
    Err(Refusal::new("PARAMETER_NOT_FOUND", message))
}
