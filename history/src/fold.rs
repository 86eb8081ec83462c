//! The fold of one stream up to a position, which can go on to a later one.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use timeloom_domain::account::Account;
use timeloom_domain::agent::Agent;
use timeloom_domain::agent_memory::AgentMemory;
use timeloom_domain::agent_run::AgentRun;
use timeloom_domain::archive::Archive;
use timeloom_domain::audit::Audit;
use timeloom_domain::credential::Credential;
use timeloom_domain::data_table::{DataTables, TableRows};
use timeloom_domain::drift::DriftWatch;
use timeloom_domain::evaluation::Evaluation;
use timeloom_domain::evaluation_set::EvaluationSet;
use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::feature_flag::FeatureFlag;
use timeloom_domain::gateway::GatewayConfiguration;
use timeloom_domain::inference::{InferenceWorker, Inferences};
use timeloom_domain::listener::Listener;
use timeloom_domain::model::Model;
use timeloom_domain::model_call::ModelCalls;
use timeloom_domain::plugin::Plugin;
use timeloom_domain::recall::Recall;
use timeloom_domain::replay::ReplayCheck;
use timeloom_domain::retention::Retention;
use timeloom_domain::session::Session;
use timeloom_domain::subject::Subject;
use timeloom_domain::tenant::Tenant;
use timeloom_domain::test_case::TestCases;
use timeloom_domain::vectors::VectorCollection;
use timeloom_domain::workflow::Workflow;
use timeloom_store::{LogError, Position, Revision, StreamKey};

use crate::bare::{BareExecution, LeftOut};
use crate::error::HistoryError;
use crate::pages::{Pages, Place, Shelf};
use crate::part;
use crate::past::{Kept, Past};
use crate::state::as_json;

/// Most events that are folded for one answer.
pub const FOLD_EVENTS_MAX: u64 = 200_000;
/// Most bytes of payloads that are folded into a state that keeps them, for one answer.
pub const FOLD_BYTES_MAX: usize = 256 << 20;
/// Most unknown events that an answer tells one by one.
pub const UNKNOWN_EVENTS_MAX: usize = 100;

/// An event that this build does not know and did not fold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownEvent {
    /// Its place in the log.
    pub position: Position,
    /// Its place in the stream.
    pub revision: Revision,
    /// Name of its type.
    pub event_type: Arc<str>,
    /// Version of its payload's shape.
    pub event_version: u16,
}

impl From<&Place> for UnknownEvent {
    fn from(event: &Place) -> Self {
        Self {
            position: event.position,
            revision: event.revision,
            event_type: Arc::clone(&event.event_type),
            event_version: event.event_version,
        }
    }
}

/// The events that were not folded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnknownEvents {
    /// How many there are.
    pub count: u64,
    /// The first [`UNKNOWN_EVENTS_MAX`] of them.
    pub first: Vec<UnknownEvent>,
}

impl UnknownEvents {
    fn add(&mut self, event: &Place) {
        self.count += 1;
        if self.first.len() < UNKNOWN_EVENTS_MAX {
            self.first.push(event.into());
        }
    }
}

/// What the events of a stream come to when they are looked at.
pub(crate) trait Folding: Default {
    /// The events, as they are read and kept.
    type Event: Event + DeserializeOwned + Send + Sync + 'static;

    /// Folds an event in, of which something may have been left out.
    fn fold(&mut self, event: &Self::Event, left_out: Option<&Arc<LeftOut>>);

    /// All of it.
    fn json(&self) -> Result<Value, HistoryError>;
}

macro_rules! folded_whole {
    ($($aggregate:ty),+ $(,)?) => {
        $(impl Folding for $aggregate {
            type Event = <$aggregate as Aggregate>::Event;

            fn fold(&mut self, event: &Self::Event, _left_out: Option<&Arc<LeftOut>>) {
                self.apply(event);
            }

            fn json(&self) -> Result<Value, HistoryError> {
                as_json(self)
            }
        })+
    };
}

folded_whole!(
    Account,
    Archive,
    Audit,
    Credential,
    Inferences,
    InferenceWorker,
    GatewayConfiguration,
    ModelCalls,
    Model,
    Plugin,
    Agent,
    AgentMemory,
    AgentRun,
    FeatureFlag,
    Listener,
    Recall,
    ReplayCheck,
    TestCases,
    Evaluation,
    DriftWatch,
    EvaluationSet,
    Retention,
    Session,
    Subject,
    Tenant,
    VectorCollection,
    DataTables,
    TableRows,
    Workflow
);

/// Most of an execution is the data of its events, which is left out.
impl Folding for BareExecution {
    type Event = ExecutionEvent;

    fn fold(&mut self, event: &ExecutionEvent, left_out: Option<&Arc<LeftOut>>) {
        self.apply(event, left_out);
    }

    fn json(&self) -> Result<Value, HistoryError> {
        part::whole(self)
    }
}

/// A fold that stands after one of the events of a stream.
pub(crate) struct Fold<'a, A: Folding> {
    pub(crate) aggregate: A,
    /// The last event so far, known or not.
    pub(crate) newest: Option<Place>,
    pub(crate) unknown: UnknownEvents,
    past: Past<'a>,
    stream: &'a StreamKey,
    shelf: Shelf<A::Event>,
    bytes: usize,
    bytes_max: usize,
}

impl<'a, A: Folding> Fold<'a, A> {
    /// Nothing yet; at most `bytes_max` bytes of payloads will be folded.
    pub(crate) fn new(past: Past<'a>, stream: &'a StreamKey, bytes_max: usize) -> Self {
        let kept = past.kept.map(|kept| kept.pages(stream)).unwrap_or_default();
        Self {
            aggregate: A::default(),
            newest: None,
            unknown: UnknownEvents::default(),
            past,
            stream,
            shelf: Shelf::new(kept),
            bytes: 0,
            bytes_max,
        }
    }

    /// Bytes of payloads that were folded so far.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Goes on up to `last`; `seen` is told of each event on the way: the state after it, where it is, and what it says
    /// where this build knows it.
    pub(crate) async fn advance(
        &mut self,
        last: Position,
        mut seen: impl FnMut(&A, &Place, Option<&A::Event>) + Send,
    ) -> Result<(), HistoryError> {
        if self.fold_shelf(last, &mut seen)? {
            return Ok(());
        }
        let read = self.shelf.newest().or(self.newest.as_ref());
        let after = read.map_or(Revision(0), |newest| newest.revision);
        let bytes_max = self.past.kept.map_or(0, Kept::bytes_max);
        let mut pages = Pages::new(self.past, self.stream, after, last);
        while let Some(page) = pages.next().await? {
            self.shelf.take(page, bytes_max);
            if self.fold_shelf(last, &mut seen)? {
                break;
            }
        }
        if let (Some(kept), Some(pages)) = (self.past.kept, self.shelf.whole()) {
            kept.put(self.stream, pages);
        }
        Ok(())
    }

    /// Folds what was read already; whether `last` was reached.
    fn fold_shelf(
        &mut self,
        last: Position,
        seen: &mut impl FnMut(&A, &Place, Option<&A::Event>),
    ) -> Result<bool, HistoryError> {
        while let Some(event) = self.shelf.next() {
            if event.place.position > last {
                return Ok(true);
            }
            let place = &event.place;
            if place.revision.0 > FOLD_EVENTS_MAX {
                return Err(HistoryError::TooManyEvents);
            }
            if self.newest.as_ref().map_or(0, |newest| newest.revision.0) + 1 != place.revision.0 {
                let detail = format!("it is not the next one of {}", self.stream);
                return Err(LogError::Corrupt { position: place.position, detail }.into());
            }
            let said = event.said.as_ref().map_err(LogError::clone)?;
            match said {
                None => self.unknown.add(place),
                Some(said) => {
                    self.bytes = self.bytes.saturating_add(event.bytes);
                    if self.bytes > self.bytes_max {
                        return Err(HistoryError::TooLarge);
                    }
                    self.aggregate.fold(said, event.left_out.as_ref());
                }
            }
            seen(&self.aggregate, place, said.as_ref());
            let reached = place.position == last;
            self.newest = Some(place.clone());
            self.shelf.pass();
            if reached {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;
    use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
    use timeloom_domain::plugin::Plugin;
    use timeloom_store::{Append, EventLog as _, Expected, MemoryLog, Metadata, NewEvent, SystemClock};
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn more_data_than_is_kept_for_an_answer_is_refused() {
        let log = MemoryLog::new(Arc::new(SystemClock));
        let stream = StreamKey::new(TenantId(1), "plugin", "acme/mailer");
        let command_id = CommandId(Uuid::from_u128(1));
        let metadata = Arc::new(Metadata {
            actor: Actor::System("test".to_owned()),
            command_id,
            causation_id: None,
            correlation_id: None,
            request: None,
        });
        let payload = serde_json::json!({ "type": "plugin_enabled", "version": "1.0.0" });
        let event = |id| NewEvent {
            id: EventId(Uuid::from_u128(id)),
            event_type: "PluginEnabled".into(),
            event_version: 1,
            payload: Arc::from(to_raw_value(&payload).unwrap()),
            metadata: Arc::clone(&metadata),
        };
        let events = (2..252).map(event).collect();
        log.append(Append::new(stream.clone(), Expected::Any, events, command_id)).await.unwrap();

        let each = payload.to_string().len();
        let mut enough = Fold::<Plugin>::new(Past::from(&*log), &stream, each * 250);
        enough.advance(Position(250), |_, _, _| {}).await.unwrap();
        assert_eq!(enough.newest.unwrap().revision, Revision(250));
        let mut short = Fold::<Plugin>::new(Past::from(&*log), &stream, each * 249);
        let refused = short.advance(Position(250), |_, _, _| {}).await;
        assert!(matches!(refused, Err(HistoryError::TooLarge)), "{refused:?}");
    }
}
