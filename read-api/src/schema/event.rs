//! Events as the log has them.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use timeloom_domain::access::Permission;
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::ids::{AccountId, Actor as DomainActor, EventId};
use timeloom_history::is_known;
use timeloom_projections::Side;
use timeloom_store::{self as store, Filter, Position, RecordedEvent, RequestFacts, StreamKey, TenantScope};
use uuid::Uuid;

use super::access::{Account, Then, is_own};
use super::batch::Loads;
use super::budget::PayloadBudget;
use super::faults::{bad_input, coded, fault};
use super::paging::{Pages, Paging};
use super::permitted::check_categories;
use super::reading::state;
use super::scalars::{Direction, PositionScalar};
use crate::state::ApiState;

/// Events that are read at once where not all of them are wanted.
const READ_EVENTS: usize = 500;
/// Most events that are looked at for a page of those that are wanted.
const LOOKED_AT_EVENTS_MAX: usize = 50_000;

/// Who or what sent a command.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub(crate) struct Actor {
    /// `user`, `service` or `agent` for an account, `local` for somebody on the server's machine, `system` for a part of
    /// Timeloom, `external` for a role of the database that appended by itself.
    pub kind: &'static str,
    /// Which one: of an account, its id.
    pub name: String,
    #[graphql(skip)]
    id: Option<AccountId>,
}

#[ComplexObject]
impl Actor {
    /// What their account is called now, for everybody who may see what they did; `[erased]` once its data is erased, absent
    /// where they have no account.
    #[graphql(complexity = 2)]
    async fn display_name(&self, context: &Context<'_>) -> Result<Option<String>> {
        let (state, Some(id)) = (state(context)?, self.id) else { return Ok(None) };
        let row = Loads::of(context).access.account(state, id, None).await?;
        Ok(row.map(|row| row.name))
    }

    /// Their account as it is now, for those who may see it; absent where they have none.
    #[graphql(complexity = "child_complexity + 5")]
    async fn account(&self, context: &Context<'_>) -> Result<Option<Account>> {
        let (state, Some(id)) = (state(context)?, self.id) else { return Ok(None) };
        if !is_own(state, id) && state.require(Permission::AccountRead).is_err() {
            return Ok(None);
        }
        let row = Loads::of(context).access.account(state, id, None).await?;
        Ok(row.map(|row| Account { row, then: Then::now(state) }))
    }
}

impl From<&DomainActor> for Actor {
    fn from(actor: &DomainActor) -> Self {
        let id = match actor {
            DomainActor::User(id) | DomainActor::Service(id) | DomainActor::Agent(id) => Some(*id),
            DomainActor::Local(_) | DomainActor::System(_) | DomainActor::External(_) => None,
        };
        let (kind, name) = match actor {
            DomainActor::Local(name) => ("local", name.clone()),
            DomainActor::System(name) => ("system", name.clone()),
            DomainActor::External(role) => ("external", role.clone()),
            DomainActor::User(id) => ("user", id.to_string()),
            DomainActor::Service(id) => ("service", id.to_string()),
            DomainActor::Agent(id) => ("agent", id.to_string()),
        };
        Self { kind, name, id }
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
    #[graphql(validator(max_items = 100))]
    pub categories: Option<Vec<String>>,
    /// Types of events, for example `NodeCompleted`.
    #[graphql(validator(max_items = 50))]
    pub types: Option<Vec<String>>,
    /// One stream only.
    pub stream: Option<StreamInput>,
    /// Only what these brought about: ids of accounts, or kind and name such as `system:engine`. Looked for among at most
    /// 50,000 events at once.
    #[graphql(validator(max_items = 20))]
    pub actors: Option<Vec<String>>,
    /// Only what belongs to this story: events that have it as their `correlationId`. Looked for as actors are.
    pub correlation_id: Option<Uuid>,
    /// Only what this event led to. Looked for as actors are.
    pub causation_id: Option<Uuid>,
    /// Only what this request brought. Looked for as actors are.
    #[graphql(validator(max_length = 200))]
    pub request_id: Option<String>,
}

/// Of what the events that are wanted came: by whom, in which story, of which event and request. What is not said does not
/// narrow it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origins {
    actors: Vec<Wanted>,
    correlation: Option<EventId>,
    causation: Option<EventId>,
    request: Option<String>,
}

#[derive(Debug, Clone)]
enum Wanted {
    Account(AccountId),
    Actor(DomainActor),
}

impl Origins {
    /// Whether every event is wanted.
    fn is_any(&self) -> bool {
        self.actors.is_empty() && self.correlation.is_none() && self.causation.is_none() && self.request.is_none()
    }

    /// Whether an event came of them.
    pub(crate) fn has(&self, event: &RecordedEvent) -> bool {
        let metadata = &event.metadata;
        let request = || metadata.request.as_deref().and_then(|request| request.request_id.as_deref());
        self.correlation.is_none_or(|wanted| metadata.correlation_id == Some(wanted))
            && self.causation.is_none_or(|wanted| metadata.causation_id == Some(wanted))
            && self.request.as_deref().is_none_or(|wanted| request() == Some(wanted))
            && self.is_by_one(event)
    }

    fn is_by_one(&self, event: &RecordedEvent) -> bool {
        let actor = &event.metadata.actor;
        let is_it = |wanted: &Wanted| match (wanted, actor) {
            (Wanted::Account(id), DomainActor::User(of) | DomainActor::Service(of) | DomainActor::Agent(of)) => {
                id == of
            }
            (Wanted::Account(_), _) => false,
            (Wanted::Actor(wanted), actor) => wanted == actor,
        };
        self.actors.is_empty() || self.actors.iter().any(is_it)
    }
}

impl EventFilter {
    /// Of what they came.
    pub(crate) fn origins(&self) -> Result<Origins> {
        let read = |text: &String| {
            let account = text.parse().map(Wanted::Account).ok();
            account.or_else(|| text.parse().map(Wanted::Actor).ok()).ok_or_else(|| {
                let shown: String = text.chars().take(100).collect();
                bad_input(format!(
                    "'{shown}' names nobody: give the id of an account, or kind and name as an event has them"
                ))
            })
        };
        Ok(Origins {
            actors: self.actors.iter().flatten().map(read).collect::<Result<_>>()?,
            correlation: self.correlation_id.map(EventId),
            causation: self.causation_id.map(EventId),
            request: self.request_id.clone(),
        })
    }

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

    /// For whom an agent did.
    async fn on_behalf_of(&self) -> Option<Actor> {
        self.request()?.on_behalf_of.as_ref().map(Actor::from)
    }

    /// What let them in: `session:ID` or `key:ID`.
    async fn via(&self) -> Option<&str> {
        self.request()?.via.as_deref()
    }

    /// Why, in their words.
    async fn reason(&self) -> Option<&str> {
        self.request()?.reason.as_deref()
    }

    /// The request that brought it, which the server's log lines name as well.
    async fn request_id(&self) -> Option<&str> {
        self.request()?.request_id.as_deref()
    }

    /// The span of a trace that it came of, as W3C's `traceparent` has it: where requests are traced the span of the one that
    /// brought it, or else the one that its caller named; where an execution brought it about, a span of that execution.
    async fn traceparent(&self) -> Option<&str> {
        self.0.metadata.traceparent()
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

    /// Name of the node that it is about, where it is about one.
    #[graphql(complexity = 2)]
    async fn node(&self) -> Option<String> {
        self.of_node().node
    }

    /// Which run of the node, where it is about one; 0 is the first.
    #[graphql(complexity = 2)]
    async fn run_index(&self) -> Option<usize> {
        self.of_node().run_index
    }

    /// What happened, as it was written down.
    #[graphql(complexity = 5)]
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn payload(&self, context: &Context<'_>) -> Result<Value> {
        payload(context, &self.0)
    }
}

/// The part of an execution's event that says about which node it is: the run of one, or itself.
#[derive(Default, Deserialize)]
struct AboutNode {
    run: Option<OfNode>,
    #[serde(flatten)]
    itself: OfNode,
}

#[derive(Default, Deserialize)]
struct OfNode {
    node: Option<String>,
    run_index: Option<usize>,
}

impl Event {
    fn request(&self) -> Option<&RequestFacts> {
        self.0.metadata.request.as_deref()
    }

    /// What of a node an event of an execution is about.
    fn of_node(&self) -> OfNode {
        if &*self.0.stream.category != ExecutionEvent::CATEGORY {
            return OfNode::default();
        }
        // A payload of another shape, which another build wrote, is about nothing that is known here.
        let told: AboutNode = serde_json::from_str(self.0.payload.get()).unwrap_or_default();
        told.run.unwrap_or(told.itself)
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
    /// Of what they came.
    pub origins: Origins,
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
        let events = self.found(state, (from, direction), (oldest, newest), window.size + 1).await?;
        Ok(window.pages(events.into_iter().map(|event| (event.position.0, Event(event))).collect()))
    }

    /// The first events from a place on, as many as are wanted.
    async fn found(
        &self,
        state: &ApiState,
        (mut from, direction): (Position, store::Direction),
        (oldest, newest): (Position, Position),
        wanted: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>> {
        let scope = TenantScope::One(state.tenant());
        let at_once = if self.origins.is_any() { wanted } else { READ_EVENTS };
        let (mut found, mut looked_at) = (Vec::new(), 0);
        loop {
            let read = state.log().read_all(scope, from, direction, &self.filter, at_once).await;
            let events = read.map_err(|error| fault(&error))?;
            let is_last = self.origins.is_any() || events.len() < at_once;
            looked_at += events.len();
            for event in events {
                from = match direction {
                    store::Direction::Forward => event.position,
                    store::Direction::Backward => Position(event.position.0.saturating_sub(1)),
                };
                if event.position <= oldest || event.position > newest {
                    return Ok(found);
                }
                if self.origins.has(&event) {
                    found.push(event);
                }
                if found.len() == wanted {
                    return Ok(found);
                }
            }
            if is_last {
                return Ok(found);
            }
            if looked_at >= LOOKED_AT_EVENTS_MAX {
                return Err(too_rare(looked_at, from));
            }
        }
    }
}

/// What is wanted is too rare to be found by looking at every event.
fn too_rare(looked_at: usize, reached: Position) -> async_graphql::Error {
    coded(
        "TOO_MANY_EVENTS",
        format!(
            "of {looked_at} events up to position {reached} too few are by these actors, of this story or of this request: name categories or types as \
             well, or begin there with `from` or `asOf`"
        ),
    )
}
