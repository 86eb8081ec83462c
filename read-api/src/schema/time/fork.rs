//! Forks over the API: begun, looked at beforehand, and told of as a tree.

use async_graphql::{ComplexObject, Context, Enum, InputObject, OneofObject, Result, SimpleObject};
use serde_json::Value;
use timeloom_commands::{CommandError, ForkAt, ForkExecution, ForkVersion};
use timeloom_domain::catalogue::NodeRole;
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::{ExecutionEvent, ForkChange, ForkEffects, ForkFacts};
use timeloom_domain::ids::ExecutionId;
use timeloom_history::{self as history, Moment, Story};
use timeloom_projections::ExecutionRow;
use timeloom_store::{Direction, Position, Revision, StreamKey, codec};
use uuid::Uuid;

use super::reach::effects_ahead;
use crate::schema::event::Actor;
use crate::schema::faults::fault;
use crate::schema::mutation::ExecutionPayload;
use crate::schema::payloads::{UserError, user_error};
use crate::schema::reading::{not_there, state};
use crate::schema::scalars::{AsOf, PositionScalar};
use crate::schema::start::items;
use crate::state::ApiState;

/// An execution that goes on from an event of another one.
#[derive(Debug, InputObject)]
pub(crate) struct ForkExecutionInput {
    /// Makes this the same command as an earlier one with this id; it is the new execution's id, too.
    command_id: Option<Uuid>,
    /// The execution from which it goes on.
    execution_id: Uuid,
    /// The moment from which it goes on: its last event by then. Absent = its newest event. A revision is one of the stream
    /// that `executionId` names.
    at: Option<AsOf>,
    /// What it runs; absent = what the execution ran.
    version: Option<RunVersion>,
    /// What is other than it was, at most a hundred changes.
    #[graphql(default)]
    changes: Vec<ForkChangeInput>,
    /// Which effects may happen. The others are answered from what the execution recorded.
    #[graphql(default_with = "EffectPolicy::Stub")]
    effects: EffectPolicy,
    /// Names of the nodes whose effects may happen, for `PER_NODE`.
    #[graphql(default)]
    live_nodes: Vec<String>,
    /// Why, for those who read its history.
    #[graphql(default)]
    reason: String,
}

/// What is run: exactly one of the two.
#[derive(Debug, Clone, Copy, OneofObject)]
pub(crate) enum RunVersion {
    /// The draft as it is now; give true.
    Draft(bool),
    /// A published version.
    Published(u32),
}

impl From<Option<RunVersion>> for ForkVersionOf {
    fn from(version: Option<RunVersion>) -> Self {
        Self(match version {
            None | Some(RunVersion::Draft(false)) => ForkVersion::Same,
            Some(RunVersion::Draft(true)) => ForkVersion::Draft,
            Some(RunVersion::Published(version)) => ForkVersion::Published(version),
        })
    }
}

/// What the commands know a version as.
pub(super) struct ForkVersionOf(pub(super) ForkVersion);

/// Which effects of a fork may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum EffectPolicy {
    /// None.
    Stub,
    /// All.
    Live,
    /// Those of the nodes that are named.
    PerNode,
}

/// Something that is other in a fork: exactly one of the three.
#[derive(Debug, OneofObject)]
pub(crate) enum ForkChangeInput {
    /// What a node run gives.
    Output(ForkOutputInput),
    /// A parameter of a node.
    Parameter(ForkParameterInput),
    /// A variable.
    Variable(ForkVariableInput),
}

/// What a node run gives: the node does not run.
#[derive(Debug, InputObject)]
pub(crate) struct ForkOutputInput {
    /// Name of the node.
    node: String,
    /// Which of its runs; 0 is the first.
    #[graphql(default)]
    run_index: u32,
    /// Items by output, each a list of objects, wrapped as `{"json": …}` or bare.
    outputs: Vec<Value>,
}

/// A parameter of a node.
#[derive(Debug, InputObject)]
pub(crate) struct ForkParameterInput {
    /// Name of the node.
    node: String,
    /// Where in its parameters, as a JSON pointer, such as /url.
    path: String,
    /// What is there now; an expression begins with `=`.
    value: Value,
}

/// A variable of the deployment, for the fork alone.
#[derive(Debug, InputObject)]
pub(crate) struct ForkVariableInput {
    /// Its name in `$vars`.
    name: String,
    /// What it says now.
    value: Value,
}

/// What a fork would come to before it does.
#[derive(Debug, Default, SimpleObject)]
pub(crate) struct ForkPreview {
    /// Position of the event from which it would go on.
    pub position: Option<PositionScalar>,
    /// Node runs that would come before it.
    pub earlier_runs: Option<usize>,
    /// The effects that may come after: those that would happen, and those that would be answered.
    pub effects: Vec<ForkEffect>,
    /// Why the fork would be refused; empty when it would not.
    pub errors: Vec<UserError>,
}

/// A node with an effect that may come after a fork.
#[derive(Debug, SimpleObject)]
pub(crate) struct ForkEffect {
    /// Name of the node.
    pub node: String,
    /// Its type.
    #[graphql(name = "type")]
    pub node_type: String,
    /// Whether its effect would really happen.
    pub happens: bool,
    /// How many of its runs after the event were recorded, and can be answered.
    pub recorded_runs: usize,
}

/// From where a fork goes on.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub(crate) struct ForkPoint {
    /// The execution, by the id with which it was started.
    pub execution_id: Uuid,
    /// Position of the event.
    pub position: PositionScalar,
    /// Why, in the person's words.
    pub reason: String,
    /// Id of the fork.
    #[graphql(skip)]
    pub fork: ExecutionId,
}

impl ForkPoint {
    /// From where an execution goes on; `None` when it is no fork.
    pub(crate) fn of(row: &ExecutionRow) -> Option<Self> {
        Some(Self {
            execution_id: row.forked_from?.0,
            position: PositionScalar(row.forked_position?),
            reason: row.fork_reason.clone().unwrap_or_default(),
            fork: row.id,
        })
    }
}

/// Which run of which node.
#[derive(Debug, SimpleObject)]
pub(crate) struct NodeRunPlace {
    /// Name of the node.
    pub node: String,
    /// 0 for the node's first run.
    pub run_index: usize,
}

#[ComplexObject]
impl ForkPoint {
    /// The node runs whose output was changed and that the fork has not come to: once it has ended it never does, and what was
    /// changed there made no difference.
    #[graphql(complexity = "child_complexity + 50")]
    async fn unused_outputs(&self, context: &Context<'_>) -> Result<Vec<NodeRunPlace>> {
        let state = state(context)?;
        let stream = super::stream(state, self.fork.0);
        let first = state.log().read_stream(&stream, Revision(0), Direction::Forward, 1).await;
        let first = first.map_err(|error| fault(&error))?;
        let first = first.first().map(|event| codec::decode::<ExecutionEvent>(event)).transpose();
        let Some(ExecutionEvent::ExecutionForked(facts)) = first.map_err(|error| fault(&error))? else {
            return Ok(Vec::new());
        };
        let changed = facts.changes.into_iter().filter_map(|change| match change {
            ForkChange::Output { node, run_index, .. } => Some(NodeRunPlace { node, run_index }),
            ForkChange::Parameter { .. } | ForkChange::Variable { .. } => None,
        });
        let changed: Vec<NodeRunPlace> = changed.collect();
        if changed.is_empty() {
            return Ok(changed);
        }
        let _turn = state.turn_to_fold().await;
        let story = Story::load(state.past(), &stream, Moment::Newest).await.map_err(|error| not_there(&error))?;
        Ok(changed.into_iter().filter(|place| story.find(&place.node, place.run_index).is_none()).collect())
    }

    /// Who forked it.
    #[graphql(complexity = 5)]
    async fn actor(&self, context: &Context<'_>) -> Result<Option<Actor>> {
        let state = state(context)?;
        let stream = super::stream(state, self.fork.0);
        let first = state.log().read_stream(&stream, Revision(0), Direction::Forward, 1).await;
        let first = first.map_err(|error| fault(&error))?;
        Ok(first.first().map(|event| Actor::from(&event.metadata.actor)))
    }
}

/// Forks, and answers the new execution.
pub(super) async fn fork(state: &ApiState, input: ForkExecutionInput) -> Result<ExecutionPayload> {
    let context = state.context(input.command_id);
    match asked(state, input).await? {
        Ok(fork) => ExecutionPayload::of(state.commands().fork_execution(&context, fork).await),
        Err(error) => Ok(error.into()),
    }
}

/// Looks at a fork beforehand.
pub(super) async fn preview(state: &ApiState, input: ForkExecutionInput) -> Result<ForkPreview> {
    let refused = |error| ForkPreview { errors: vec![error], ..ForkPreview::default() };
    let context = state.context(input.command_id);
    let fork = match asked(state, input).await? {
        Ok(fork) => fork,
        Err(error) => return Ok(refused(error)),
    };
    let facts = match state.commands().fork_facts(&context, fork).await {
        Ok(facts) => facts,
        Err(error) => return Ok(refused(user_error(error)?)),
    };
    let effects = effects(state, &context, &facts).await?;
    let (position, earlier_runs) = (Some(PositionScalar(Position(facts.position))), Some(facts.earlier_runs));
    Ok(ForkPreview { position, earlier_runs, effects, errors: Vec::new() })
}

/// The effects that may come after.
async fn effects(
    state: &ApiState,
    context: &timeloom_commands::CommandContext,
    facts: &ForkFacts,
) -> Result<Vec<ForkEffect>> {
    let id = facts.start.workflow_id;
    let workflow = state.commands().workflow_at(context, id, Revision(facts.start.workflow_revision)).await;
    let workflow = workflow.map_err(|error| match error {
        CommandError::Fault(error) => fault(&error),
        other => async_graphql::Error::new(other.to_string()),
    })?;
    let definition = workflow.and_then(|workflow| workflow.definition(facts.start.workflow_version).cloned());
    let Some(definition) = definition else { return Ok(Vec::new()) };
    let _turn = state.turn_to_fold().await;
    let stream = super::stream(state, facts.of.0);
    let story = Story::load(state.past(), &stream, Moment::Newest).await.map_err(|error| not_there(&error))?;
    let touches = |node_type: &str| {
        state.catalogue().get(node_type).is_some_and(|definition| definition.role == NodeRole::Effect)
    };
    let ahead = effects_ahead(&definition, &story, facts, touches);
    let told = ahead.into_iter().map(|(node, recorded_runs)| ForkEffect {
        happens: facts.effects.is_live(&node.name),
        node: node.name.clone(),
        node_type: node.node_type.clone(),
        recorded_runs,
    });
    Ok(told.collect())
}

/// The fork as the commands know it.
async fn asked(state: &ApiState, input: ForkExecutionInput) -> Result<std::result::Result<ForkExecution, UserError>> {
    let id = ExecutionId(input.execution_id);
    let at = match input.at {
        None => ForkAt::Newest,
        Some(AsOf::Revision(revision)) => ForkAt::Revision(Revision(revision)),
        Some(moment) => {
            let stream = StreamKey::new(state.tenant(), ExecutionEvent::CATEGORY, id.to_string());
            let position = history::position_of(state.past(), Some(&stream), moment.into()).await;
            ForkAt::Position(position.map_err(|error| not_there(&error))?)
        }
    };
    let effects = match input.effects {
        EffectPolicy::Stub => ForkEffects::Stub,
        EffectPolicy::Live => ForkEffects::Live,
        EffectPolicy::PerNode => ForkEffects::PerNode { live: input.live_nodes },
    };
    let changes: std::result::Result<Vec<ForkChange>, UserError> = input.changes.into_iter().map(change).collect();
    Ok(changes.map(|changes| ForkExecution {
        new_id: None,
        execution_id: id,
        at,
        version: ForkVersionOf::from(input.version).0,
        changes,
        effects,
        reason: input.reason,
    }))
}

fn change(input: ForkChangeInput) -> std::result::Result<ForkChange, UserError> {
    Ok(match input {
        ForkChangeInput::Output(ForkOutputInput { node, run_index, outputs }) => {
            let outputs: std::result::Result<Vec<_>, _> = outputs.into_iter().map(items).collect();
            let outputs = outputs?.into_iter().map(std::sync::Arc::new).collect();
            ForkChange::Output { node, run_index: run_index as usize, outputs }
        }
        ForkChangeInput::Parameter(ForkParameterInput { node, path, value }) => {
            ForkChange::Parameter { node, path, value }
        }
        ForkChangeInput::Variable(ForkVariableInput { name, value }) => ForkChange::Variable { name, value },
    })
}
