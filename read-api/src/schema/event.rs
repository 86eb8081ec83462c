//! Events as the log has them.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use serde_json::Value;
use timeloom_domain::ids::Actor as DomainActor;
use timeloom_history::is_known;
use timeloom_projections::Side;
use timeloom_store::{self as store, Filter, Position, RecordedEvent, StreamKey, TenantScope};
use uuid::Uuid;

use super::budget::PayloadBudget;
use super::faults::fault;
use super::paging::{Pages, Paging};
use super::permitted::check_categories;
use super::scalars::{Direction, PositionScalar};
use crate::state::ApiState;

/// Who or what sent a command.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct Actor {
    /// `user`, `service` or `agent` for an account, `local` for somebody on the server's machine, `system` for a part of
    /// Timeloom, `external` for a role of the database that appended by itself.
    pub kind: &'static str,
    /// Which one: of an account, its id.
    pub name: String,
}

impl From<&DomainActor> for Actor {
    fn from(actor: &DomainActor) -> Self {
        let (kind, name) = match actor {
            DomainActor::Local(name) => ("local", name.clone()),
            DomainActor::System(name) => ("system", name.clone()),
            DomainActor::External(role) => ("external", role.clone()),
            DomainActor::User(id) => ("user", id.to_string()),
            DomainActor::Service(id) => ("service", id.to_string()),
            DomainActor::Agent(id) => ("agent", id.to_string()),
        };
        Self { kind, name }
    }
}

/// Name of a stream of events: what happened to one workflow, execution, plugin or model.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct StreamInput {
    /// Kind of aggregate, for example `execution`.
    pub category: String,
    /// Its id.
    pub id: ID,
}

/// Which events to list; what is absent does not narrow the list.
#[derive(Debug, Clone, Default, InputObject)]
pub(crate) struct EventFilter {
    /// Kinds of aggregates, for example `workflow`.
    #[graphql(validator(max_items = 20))]
    pub categories: Option<Vec<String>>,
    /// Types of events, for example `NodeCompleted`.
    #[graphql(validator(max_items = 50))]
    pub types: Option<Vec<String>>,
    /// One stream only.
    pub stream: Option<StreamInput>,
}

impl EventFilter {
    /// The same for the log.
    ///
    /// # Errors
    /// A refusal of whoever may not see what passes it.
    pub(crate) fn into_store(self, state: &ApiState) -> Result<Filter> {
        match &self.stream {
            Some(stream) => check_categories(state, [stream.category.as_str()])?,
            None => check_categories(state, self.categories.iter().flatten().map(String::as_str))?,
        }
        let texts = |list: Option<Vec<String>>| list.unwrap_or_default().into_iter().map(Arc::from).collect();
        Ok(Filter {
            categories: texts(self.categories),
            event_types: texts(self.types),
            stream: self.stream.map(|stream| StreamKey::new(state.tenant(), stream.category, stream.id.as_str())),
        })
    }
}

/// A fact in the log. It never changes.
#[derive(Debug, Clone)]
pub(crate) struct Event(pub Arc<RecordedEvent>);

#[Object]
impl Event {
    /// Its id.
    pub(crate) async fn id(&self) -> ID {
        self.0.id.0.into()
    }

    /// Its place in the log.
    async fn position(&self) -> PositionScalar {
        PositionScalar(self.0.position)
    }

    /// Kind of aggregate that it happened to, for example `execution`.
    async fn category(&self) -> &str {
        &self.0.stream.category
    }

    /// Id of the aggregate that it happened to.
    async fn stream_id(&self) -> ID {
        ID(self.0.stream.id.to_string())
    }

    /// Its place among the events of that aggregate; 1 is the first.
    async fn revision(&self) -> u64 {
        self.0.revision.0
    }

    /// Its type, for example `NodeCompleted`.
    #[graphql(name = "type")]
    async fn event_type(&self) -> &str {
        &self.0.event_type
    }

    /// Version of the payload's shape.
    async fn schema_version(&self) -> u16 {
        self.0.event_version
    }

    /// Whether this build knows its type and version. The payload of others can be read as well.
    async fn known(&self) -> bool {
        is_known(&self.0)
    }

    /// When the log took it.
    async fn recorded_at(&self) -> DateTime<Utc> {
        self.0.recorded_at
    }

    /// Who or what brought it about.
    async fn actor(&self) -> Actor {
        Actor::from(&self.0.metadata.actor)
    }

    /// The command that it came of.
    async fn command_id(&self) -> Uuid {
        self.0.metadata.command_id.0
    }

    /// The event that led to it.
    async fn causation_id(&self) -> Option<Uuid> {
        self.0.metadata.causation_id.map(|id| id.0)
    }

    /// The event that everything of one story goes back to.
    async fn correlation_id(&self) -> Option<Uuid> {
        self.0.metadata.correlation_id.map(|id| id.0)
    }

    /// What happened, as it was written down.
    #[graphql(complexity = 5)]
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn payload(&self, context: &Context<'_>) -> Result<Value> {
        payload(context, &self.0)
    }
}

/// The payload as JSON, within the request's budget.
pub(crate) fn payload(context: &Context<'_>, event: &RecordedEvent) -> Result<Value> {
    PayloadBudget::take(context, event.payload.get().len())?;
    serde_json::from_str(event.payload.get()).map_err(|error| fault(&error))
}

/// What a list of events is about.
pub(crate) struct EventList {
    /// Which ones.
    pub filter: Filter,
    /// Only events after this position.
    pub from: Option<PositionScalar>,
    /// Which way.
    pub direction: Direction,
    /// Which page of them.
    pub paging: Paging,
    /// None after this position.
    pub as_of: Option<Position>,
}

impl EventList {
    /// Reads one page.
    pub(crate) async fn read(self, state: &ApiState) -> Result<Pages<Event>> {
        let window = self.paging.window()?;
        let head = self.as_of.unwrap_or_else(|| state.log().head());
        // Everything in between is wanted, the cursors' own events apart.
        let (above, below) = match self.direction {
            Direction::Forward => (window.after, window.before),
            Direction::Backward => (window.before, window.after),
        };
        let newest = below.map_or(head, |below| Position(below.saturating_sub(1)).min(head));
        let oldest = Position(above.unwrap_or(0)).max(self.from.map_or(Position::START, |from| from.0));
        let is_forward = (self.direction == Direction::Forward) == (window.side == Side::First);
        let (from, direction) =
            if is_forward { (oldest, store::Direction::Forward) } else { (newest, store::Direction::Backward) };
        let scope = TenantScope::One(state.tenant());
        let read = state.log().read_all(scope, from, direction, &self.filter, window.size + 1).await;
        let mut events = read.map_err(|error| fault(&error))?;
        events.retain(|event| event.position > oldest && event.position <= newest);
        Ok(window.pages(events.into_iter().map(|event| (event.position.0, Event(event))).collect()))
    }
}
