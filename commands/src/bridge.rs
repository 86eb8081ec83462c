//! The bridge between cqrs-es and our log.
//!
//! Two newtypes, [`Es`] and [`EsEvent`], give every domain aggregate the framework's traits. A framework value is made
//! for one command over a [`LogStore`], which holds the expected revision, the metadata, and a slot for what was
//! appended (the framework's `execute` returns nothing). No `Query` is registered: projections read the log. The
//! framework's own persisted store is not used, since it folds new events twice into its snapshots.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use cqrs_es::event_sink::EventSink;
use cqrs_es::{
    Aggregate as EsAggregate, AggregateContext, AggregateError, CqrsFramework, DomainEvent, EventEnvelope, EventStore,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::ids::EventId;
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::{Append, Direction, EventLog, Expected, LogError, NewEvent, Position, Revision, StreamKey, codec};

use crate::context::{CommandContext, Outcome};
use crate::error::{CommandError, Refusal};
use crate::ports::Ids;
use crate::states::{Folded, States};

/// What an aggregate must be for the framework.
pub trait AggregateBounds: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {}
impl<T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> AggregateBounds for T {}

/// What an event must be for the framework.
pub trait EventBounds: Clone + PartialEq + Debug + Serialize + DeserializeOwned + Send + Sync + 'static {}
impl<T: Clone + PartialEq + Debug + Serialize + DeserializeOwned + Send + Sync + 'static> EventBounds for T {}

/// A domain aggregate as cqrs-es sees it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Es<A>(pub A);

/// A domain event as cqrs-es sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EsEvent<E>(pub E);

impl<E: Event + EventBounds> DomainEvent for EsEvent<E> {
    fn event_type(&self) -> String {
        self.0.event_type().to_owned()
    }

    fn event_version(&self) -> String {
        self.0.event_version().to_string()
    }
}

impl<A> EsAggregate for Es<A>
where
    A: Aggregate + AggregateBounds,
    A::Event: Event + EventBounds,
    A::Command: Send,
    A::Refusal: Send + Sync,
{
    const TYPE: &'static str = <A::Event as Event>::CATEGORY;
    type Command = A::Command;
    type Event = EsEvent<A::Event>;
    type Error = A::Refusal;
    type Services = ();

    async fn handle(&mut self, command: A::Command, (): &(), sink: &EventSink<Self>) -> Result<(), A::Refusal> {
        for event in self.0.decide(&command)? {
            sink.write(EsEvent(event), self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Self::Event) {
        self.0.apply(&event.0);
    }
}

/// A folded stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StreamState<A> {
    /// The aggregate.
    pub aggregate: A,
    /// Revision of the last event folded in; 0 = none.
    pub revision: Revision,
    /// Position of the last event folded in.
    pub position: Position,
}

/// Where the state of a command begins.
pub(crate) enum Base<A> {
    /// There is no stream: nothing is loaded.
    New,
    /// As the log has it.
    Current,
    /// As the caller knows it: what the command was decided on the first time, or as much of it as it needs.
    Known(Arc<StreamState<A>>),
    /// Whatever the stream has: it decides nothing, so that nothing is loaded and no revision expected.
    Whatever,
}

/// The framework's store for one command on one stream.
pub(crate) struct LogStore<'c> {
    pub(crate) log: &'c Arc<dyn EventLog>,
    pub(crate) states: &'c States,
    pub(crate) ids: &'c Arc<dyn Ids>,
    pub(crate) context: &'c CommandContext,
    pub(crate) stream: StreamKey,
}

/// What the framework carries from load to commit.
pub(crate) struct Loaded<A> {
    aggregate: Es<A>,
    /// The rest of what was loaded; its aggregate is the one above.
    folded: Folded<A>,
}

impl<A> AggregateContext<Es<A>> for Loaded<A>
where
    Es<A>: EsAggregate,
{
    fn aggregate(&mut self) -> &mut Es<A> {
        &mut self.aggregate
    }
}

/// What became of the append: the framework's own errors cannot carry ours.
#[derive(Default)]
struct Slot {
    outcome: Option<Outcome<()>>,
    failure: Option<CommandError>,
    from_kept: bool,
}

/// What one attempt at a command came to.
pub(crate) struct Attempted {
    pub(crate) result: Result<Outcome<()>, CommandError>,
    /// Whether it was decided on a kept state, in which the command's own events may be.
    pub(crate) from_kept: bool,
}

struct Attempt<'s, 'c, A> {
    store: &'s LogStore<'c>,
    slot: &'s Mutex<Slot>,
    base: &'s Base<A>,
}

impl<A> Attempt<'_, '_, A> {
    fn fill(&self, change: impl FnOnce(&mut Slot)) {
        change(&mut self.slot.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn fail<T: std::error::Error>(&self, failure: impl Into<CommandError>) -> AggregateError<T> {
        self.fill(|slot| slot.failure = Some(failure.into()));
        AggregateError::AggregateConflict
    }
}

impl<A> EventStore<Es<A>> for Attempt<'_, '_, A>
where
    A: Aggregate + AggregateBounds,
    A::Event: Event + EventBounds,
    A::Command: Send,
    A::Refusal: Send + Sync,
{
    type AC = Loaded<A>;

    async fn load_events(&self, aggregate_id: &str) -> Result<Vec<EventEnvelope<Es<A>>>, AggregateError<A::Refusal>> {
        let mut found = Vec::new();
        let mut after = Revision::default();
        loop {
            let read = self.store.log.read_stream(&self.store.stream, after, Direction::Forward, READ_EVENTS_MAX).await;
            let events = read.map_err(|error| self.fail(error))?;
            for recorded in &events {
                let event = codec::decode::<A::Event>(recorded).map_err(|error| self.fail(error))?;
                after = recorded.revision;
                found.push(envelope(aggregate_id, recorded.revision, event));
            }
            if events.len() < READ_EVENTS_MAX {
                return Ok(found);
            }
        }
    }

    async fn load_aggregate(&self, _aggregate_id: &str) -> Result<Loaded<A>, AggregateError<A::Refusal>> {
        let mut folded = match self.base {
            Base::New | Base::Whatever => Folded::default(),
            Base::Known(state) => Folded::from(Arc::clone(state)),
            Base::Current => {
                let own = Some(self.store.context.command_id);
                let found = self.store.states.load::<A>(&self.store.stream, own).await;
                let found = found.map_err(|error| self.fail(error))?;
                self.fill(|slot| slot.from_kept = found.from_kept);
                found.folded
            }
        };
        let aggregate = Es(folded.take_aggregate());
        Ok(Loaded { aggregate, folded })
    }

    async fn commit(
        &self,
        events: Vec<EsEvent<A::Event>>,
        context: Loaded<A>,
        _metadata: HashMap<String, String>,
    ) -> Result<Vec<EventEnvelope<Es<A>>>, AggregateError<A::Refusal>> {
        let Loaded { aggregate: Es(aggregate), mut folded } = context;
        let actual = folded.state.revision;
        if let Some(expected) = self.store.context.expected_revision.filter(|expected| *expected != actual) {
            return Err(self.fail(CommandError::Unexpected { expected, actual }));
        }
        if events.is_empty() {
            let (position, revision) = (folded.state.position, folded.state.revision);
            self.fill(|slot| slot.outcome = Some(Outcome { value: (), position, revision, repeated: true }));
            return Ok(Vec::new());
        }
        let expected = match (self.base, folded.state.revision) {
            (Base::Whatever, _) => Expected::Any,
            (_, Revision(0)) => Expected::NoStream,
            (_, loaded) => Expected::Exact(loaded),
        };
        let append = self.store.append(&events, expected).map_err(|error| self.fail(error))?;
        let appended = self.store.log.append(append).await.map_err(|error| self.fail(error))?;
        let (position, revision, repeated) = (appended.position, appended.revision, appended.repeated);
        self.fill(|slot| slot.outcome = Some(Outcome { value: (), position, revision, repeated }));
        if matches!(self.base, Base::Current) && !repeated {
            // The framework folded the new events in when they were decided on.
            folded.put_aggregate(aggregate);
            self.store.states.appended(&self.store.stream, folded, &appended.events);
        }
        let id = self.store.stream.id.to_string();
        Ok(appended.events.iter().zip(events).map(|(stored, event)| envelope(&id, stored.revision, event.0)).collect())
    }
}

fn envelope<A>(aggregate_id: &str, revision: Revision, event: A::Event) -> EventEnvelope<Es<A>>
where
    A: Aggregate + AggregateBounds,
    A::Event: Event + EventBounds,
    A::Command: Send,
    A::Refusal: Send + Sync,
{
    EventEnvelope {
        aggregate_id: aggregate_id.to_owned(),
        sequence: usize::try_from(revision.0).unwrap_or(usize::MAX),
        payload: EsEvent(event),
        metadata: HashMap::new(),
    }
}

impl LogStore<'_> {
    fn append<E: Event + EventBounds>(&self, events: &[EsEvent<E>], expected: Expected) -> Result<Append, LogError> {
        let metadata = Arc::new(self.context.metadata());
        let mut new_events = Vec::with_capacity(events.len());
        for event in events {
            let encoded = codec::encode(&event.0)?;
            new_events.push(NewEvent {
                id: EventId(self.ids.uuid()),
                event_type: Arc::from(encoded.event_type),
                event_version: encoded.event_version,
                payload: encoded.payload,
                metadata: Arc::clone(&metadata),
            });
        }
        let command_id = self.context.command_id;
        let subject = events.iter().find_map(|event| event.0.subject(&self.stream.id));
        let subject_of = events.iter().find_map(|event| event.0.subject_stream());
        let subject_of = subject_of.map(|(category, id)| StreamKey::new(self.stream.tenant, category, id));
        let append = Append::new(self.stream.clone(), expected, new_events, command_id);
        Ok(append.about(subject).about_the_same_as(subject_of))
    }

    /// Runs one command through the framework.
    pub(crate) async fn execute<A>(&self, command: A::Command, base: &Base<A>) -> Attempted
    where
        A: Aggregate + AggregateBounds,
        A::Event: Event + EventBounds,
        A::Command: Send,
        A::Refusal: Send + Sync + Into<Refusal>,
    {
        let slot = Mutex::new(Slot::default());
        let framework: CqrsFramework<Es<A>, Attempt<'_, '_, A>> =
            CqrsFramework::new(Attempt { store: self, slot: &slot, base }, Vec::new(), ());
        let result = framework.execute(&self.stream.id, command).await;
        drop(framework);
        let Slot { outcome, failure, from_kept } = slot.into_inner().unwrap_or_else(PoisonError::into_inner);
        let result = match (result, failure, outcome) {
            (_, Some(failure), _) => Err(failure),
            (Err(AggregateError::UserError(refusal)), ..) => Err(CommandError::Refused(refusal.into())),
            (Ok(()), None, Some(outcome)) => Ok(outcome),
            (Ok(()), None, None) | (Err(_), None, _) => Err(CommandError::Fault(LogError::Closed)),
        };
        Attempted { result, from_kept }
    }
}
