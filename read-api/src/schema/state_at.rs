//! The exact state of anything at any position: its events up to there, folded.

use async_graphql::{Enum, ID, InputObject, Result, SimpleObject};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::execution::Execution;
use timeloom_domain::model::Model;
use timeloom_domain::plugin::Plugin;
use timeloom_domain::workflow::Workflow;
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::{Direction, Position, Revision, StreamKey, codec};

use super::faults::{coded, fault};
use super::scalars::PositionScalar;
use crate::state::ApiState;

/// Most events that are folded for one answer.
const FOLD_EVENTS_MAX: u64 = 200_000;

/// What kind of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum EntityKind {
    /// A workflow.
    Workflow,
    /// An execution.
    Execution,
    /// A plugin.
    Plugin,
    /// A model.
    Model,
}

/// One thing whose history is in the log.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct EntityInput {
    /// What kind of thing it is.
    pub kind: EntityKind,
    /// Its id; the name for plugins and models.
    pub id: ID,
}

/// The state of a thing right after one of its events.
#[derive(Debug, SimpleObject)]
pub(crate) struct StateView {
    /// What kind of thing it is.
    pub kind: EntityKind,
    /// Its id.
    pub id: ID,
    /// Position of the last event that was folded in.
    pub position: PositionScalar,
    /// How many events were folded in.
    pub revision: u64,
    /// When that last event was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Type of that last event.
    pub last_event_type: String,
    /// In one word how it is, for example `completed`.
    pub status: &'static str,
    /// Everything about it.
    pub state: Value,
}

/// Folds `entity` up to `as_of`; `None` when it had not come to be by then.
pub(crate) async fn state_at(
    state: &ApiState,
    entity: EntityInput,
    as_of: Option<Position>,
) -> Result<Option<StateView>> {
    match entity.kind {
        EntityKind::Workflow => fold::<Workflow>(state, entity, as_of, workflow_status).await,
        EntityKind::Execution => fold::<Execution>(state, entity, as_of, |execution| execution.status.name()).await,
        EntityKind::Plugin => fold::<Plugin>(state, entity, as_of, plugin_status).await,
        EntityKind::Model => fold::<Model>(state, entity, as_of, model_status).await,
    }
}

fn workflow_status(workflow: &Workflow) -> &'static str {
    match (workflow.archived, workflow.versions.is_empty()) {
        (true, _) => "archived",
        (false, true) => "draft",
        (false, false) => "published",
    }
}

fn plugin_status(plugin: &Plugin) -> &'static str {
    match (plugin.retired, &plugin.enabled_version) {
        (true, _) => "retired",
        (false, Some(_)) => "enabled",
        (false, None) => "disabled",
    }
}

fn model_status(model: &Model) -> &'static str {
    match (model.retired, model.disabled) {
        (true, _) => "retired",
        (false, true) => "disabled",
        (false, false) => "enabled",
    }
}

/// The aggregate of `stream` as of a position, and its last event.
pub(crate) async fn load<A>(
    state: &ApiState,
    stream: &StreamKey,
    as_of: Option<Position>,
) -> Result<Option<(A, std::sync::Arc<timeloom_store::RecordedEvent>)>>
where
    A: Aggregate,
    A::Event: DeserializeOwned,
{
    let last = as_of.unwrap_or(Position(u64::MAX));
    let mut aggregate = A::default();
    let mut newest = None;
    let mut after = Revision(0);
    loop {
        let page = state
            .log()
            .read_stream(stream, after, Direction::Forward, READ_EVENTS_MAX)
            .await
            .map_err(|error| fault(&error))?;
        let complete = page.len() < READ_EVENTS_MAX;
        for recorded in page {
            if recorded.position > last {
                return Ok(newest.map(|newest| (aggregate, newest)));
            }
            aggregate.apply(&codec::decode::<A::Event>(&recorded).map_err(|error| fault(&error))?);
            after = recorded.revision;
            newest = Some(recorded);
        }
        if complete {
            return Ok(newest.map(|newest| (aggregate, newest)));
        }
        if after.0 >= FOLD_EVENTS_MAX {
            let message =
                format!("it has more than {FOLD_EVENTS_MAX} events: ask for its state as of an earlier position");
            return Err(coded("STATE_TOO_LARGE", message));
        }
    }
}

async fn fold<A>(
    state: &ApiState,
    entity: EntityInput,
    as_of: Option<Position>,
    status: fn(&A) -> &'static str,
) -> Result<Option<StateView>>
where
    A: Aggregate + Serialize,
    A::Event: DeserializeOwned,
{
    let stream = StreamKey::new(state.tenant(), A::Event::CATEGORY, entity.id.as_str());
    let Some((aggregate, newest)) = load::<A>(state, &stream, as_of).await? else { return Ok(None) };
    Ok(Some(StateView {
        kind: entity.kind,
        id: entity.id,
        position: PositionScalar(newest.position),
        revision: newest.revision.0,
        recorded_at: newest.recorded_at,
        last_event_type: newest.event_type.to_string(),
        status: status(&aggregate),
        state: serde_json::to_value(&aggregate).map_err(|error| fault(&error))?,
    }))
}
