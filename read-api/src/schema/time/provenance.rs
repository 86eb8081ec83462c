//! From where a value of a state comes.

use async_graphql::{ComplexObject, Context, Enum, ID, Result, SimpleObject};
use serde_json::Value;
use timeloom_history::{self as history, Change, EventPlace, Look, Moment, Origin};
use timeloom_store::codec::json_bytes;
use timeloom_store::{Position, StreamKey};

use crate::schema::budget::PayloadBudget;
use crate::schema::reading::{not_there, state};
use crate::schema::scalars::PositionScalar;
use crate::schema::state_at::StateView;
use crate::state::ApiState;

/// An event of the log, by its place.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct EventReference {
    /// Its place in the log.
    pub position: PositionScalar,
    /// Its place in its stream.
    pub revision: u64,
    /// Its type.
    #[graphql(name = "type")]
    pub event_type: String,
}

impl From<EventPlace> for EventReference {
    fn from(place: EventPlace) -> Self {
        Self {
            position: PositionScalar(place.position),
            revision: place.revision.0,
            event_type: place.event_type.to_string(),
        }
    }
}

/// From where a value comes.
#[derive(Debug, SimpleObject)]
pub(crate) struct Provenance {
    /// The value.
    pub value: Value,
    /// The event that gave it its present form.
    pub written_by: EventReference,
    /// For a value in an item: how it came to be, itself first, back to the trigger.
    pub steps: Vec<ProvenanceStep>,
    /// Whether there are more steps than the two hundred that are told.
    pub is_cut: bool,
}

/// A value in what a node run gave, and how it came there.
#[derive(Debug, SimpleObject)]
pub(crate) struct ProvenanceStep {
    /// Id of the execution that has it.
    pub execution_id: ID,
    /// Name of the node.
    pub node: String,
    /// Which of its runs; 0 is the first.
    pub run_index: usize,
    /// Index of the output.
    pub output: usize,
    /// Index of the item; absent for all items of the output.
    pub item: Option<usize>,
    /// Where in the item, as a JSON pointer.
    pub path: String,
    /// What is there.
    pub value: Option<Value>,
    /// The event that has it.
    pub written_by: Option<EventReference>,
    /// How it came there.
    pub origin: ProvenanceOrigin,
    /// The parameters of the node that made it, as JSON pointers.
    pub parameters: Vec<String>,
    /// The expression that gave it.
    pub expression: Option<String>,
    /// The steps that it was made from, by their place in the list.
    pub inputs: Vec<usize>,
}

/// How a value came to be where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum ProvenanceOrigin {
    /// The execution was given it.
    Given,
    /// Pinned or changed items stood in for the node.
    Pinned,
    /// The node passed it on as it was.
    PassedOn,
    /// It is written down in the workflow.
    Written,
    /// An expression gave it.
    Expression,
    /// The node made it, from its parameters and its input.
    Computed,
}

impl From<history::Step> for ProvenanceStep {
    fn from(step: history::Step) -> Self {
        let (origin, parameters, expression) = match step.origin {
            Origin::Given => (ProvenanceOrigin::Given, Vec::new(), None),
            Origin::Pinned => (ProvenanceOrigin::Pinned, Vec::new(), None),
            Origin::PassedOn => (ProvenanceOrigin::PassedOn, Vec::new(), None),
            Origin::Written { parameter } => (ProvenanceOrigin::Written, vec![parameter], None),
            Origin::Expression { parameter, expression } => {
                (ProvenanceOrigin::Expression, vec![parameter], Some(expression))
            }
            Origin::Computed { parameters } => (ProvenanceOrigin::Computed, parameters, None),
        };
        Self {
            execution_id: ID(step.stream.id.to_string()),
            node: step.node,
            run_index: step.run_index,
            output: step.output,
            item: step.item,
            path: step.path,
            value: step.value,
            written_by: step.written_by.map(EventReference::from),
            origin,
            parameters,
            expression,
            inputs: step.inputs,
        }
    }
}

#[ComplexObject]
impl StateView {
    /// Everything about it. Without a `kind`: its newest `events` as they were written, and how many are `omitted`.
    async fn state(&self, context: &Context<'_>) -> Result<Value> {
        self.written(context, Look::state).await
    }

    /// One value of it; absent when there is nothing at that path. Of a large state it comes far sooner than all of it.
    #[graphql(complexity = "child_complexity + 5")]
    async fn part(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Where in the state, as a JSON pointer, such as /node_runs/1/outputs/0/0/json.")] path: String,
    ) -> Result<Option<Value>> {
        self.written(context, move |look| look.part(&path)).await
    }

    /// From where a value of it comes: the event that wrote it, and for a value in an item the chain back to the trigger.
    #[graphql(complexity = "child_complexity + 50")]
    async fn provenance(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Where in the state, as a JSON pointer, such as /node_runs/1/outputs/0/0/json/name.")]
        path: String,
    ) -> Result<Provenance> {
        let state = state(context)?;
        let stream = StreamKey::new(state.tenant(), self.category.as_str(), self.id.as_str());
        let _turn = self.in_turn().await;
        let moment = Moment::Position(self.position.0);
        let found =
            history::provenance(state.past(), &stream, moment, &path).await.map_err(|error| not_there(&error))?;
        let values = found.steps.iter().filter_map(|step| step.value.as_ref());
        PayloadBudget::take(context, json_bytes(&found.value) + values.map(json_bytes).sum::<usize>())?;
        Ok(Provenance {
            value: found.value,
            written_by: found.written_by.into(),
            steps: found.steps.into_iter().map(ProvenanceStep::from).collect(),
            is_cut: found.is_cut,
        })
    }
}

/// The events that brought changes about, where somebody asks for them.
pub(crate) async fn written_by(
    context: &Context<'_>,
    state: &ApiState,
    stream: &StreamKey,
    position: Position,
    changes: &[Change],
) -> Result<Vec<Option<EventReference>>> {
    if !context.look_ahead().field("changes").field("writtenBy").exists() {
        return Ok(Vec::new());
    }
    let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
    let found = history::writers(state.past(), stream, position, &paths).await.map_err(|error| not_there(&error))?;
    Ok(found.into_iter().map(|place| place.map(EventReference::from)).collect())
}
