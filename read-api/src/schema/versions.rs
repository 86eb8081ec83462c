//! Published versions of a workflow, with who made them and why.

use async_graphql::connection::Edge;
use async_graphql::{Context, Object, Result};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use timeloom_store::{Filter, Position, StreamKey};

use super::event::{Actor, Event, EventList, Origins};
use super::faults::fault;
use super::paging::{Pages, Paging};
use super::reading::{not_there, state};
use super::scalars::{Direction, PositionScalar};
use crate::state::ApiState;

/// The event that makes a version.
const PUBLISHED: &str = "WorkflowVersionPublished";

/// A published version, which never changes.
#[derive(Debug, Clone)]
pub(crate) struct WorkflowVersion {
    number: u32,
    event: Event,
    /// Whether it takes calls and schedules, as of when the workflow was read.
    is_active: bool,
}

#[derive(Deserialize)]
struct Published {
    version: u32,
}

#[Object]
impl WorkflowVersion {
    /// 1 for the first.
    async fn version(&self) -> u32 {
        self.number
    }

    /// Whether it takes calls and schedules.
    async fn active(&self) -> bool {
        self.is_active
    }

    /// When it was published.
    async fn published_at(&self) -> DateTime<Utc> {
        self.event.0.recorded_at
    }

    /// Position of the event that published it.
    async fn position(&self) -> PositionScalar {
        PositionScalar(self.event.0.position)
    }

    /// Who published it.
    async fn actor(&self) -> Actor {
        Actor::from(&self.event.0.metadata.actor)
    }

    /// Why, in their words.
    async fn reason(&self) -> Option<&str> {
        self.event.0.metadata.request.as_deref()?.reason.as_deref()
    }

    /// Its definition in the shape of a workflow file.
    #[graphql(complexity = 20)]
    async fn definition(&self, context: &Context<'_>) -> Result<Option<Value>> {
        let (state, event) = (state(context)?, &self.event.0);
        let loaded = timeloom_history::workflow_at(state.past(), &event.stream, event.position).await;
        let Some((workflow, _)) = loaded.map_err(|error| not_there(&error))? else { return Ok(None) };
        let definition = workflow.definition(Some(self.number)).map(|definition| serde_json::to_value(&**definition));
        definition.transpose().map_err(|error| fault(&error))
    }
}

/// A page of the versions of a workflow, newest first.
pub(super) async fn versions(
    state: &ApiState,
    stream: StreamKey,
    active: Option<u32>,
    paging: Paging,
    as_of: Option<Position>,
) -> Result<Pages<WorkflowVersion>> {
    let filter = Filter { stream: Some(stream), event_types: vec![PUBLISHED.into()], ..Filter::default() };
    let (from, direction, origins) = (None, Direction::Backward, Origins::default());
    let events = EventList { filter, origins, from, direction, paging, as_of }.read(state).await?;
    let mut pages = Pages::new(events.has_previous_page, events.has_next_page);
    for edge in events.edges {
        let event: Event = edge.node;
        let told: Published = serde_json::from_str(event.0.payload.get()).map_err(|error| fault(&error))?;
        let version = WorkflowVersion { number: told.version, event, is_active: active == Some(told.version) };
        pages.edges.push(Edge::new(edge.cursor, version));
    }
    Ok(pages)
}
