//! The fold of one stream up to a position, which can go on to a later one.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use timeloom_domain::event::Aggregate;
use timeloom_store::{Direction, EventLog, Position, RecordedEvent, Revision, StreamKey, codec};

use crate::error::HistoryError;
use crate::kind::knows;

/// Most events that are folded for one answer.
pub const FOLD_EVENTS_MAX: u64 = 200_000;
/// Most bytes of payloads that are folded into a state that keeps them, for one answer.
pub const FOLD_BYTES_MAX: usize = 256 << 20;
/// Most unknown events that an answer tells one by one.
pub const UNKNOWN_EVENTS_MAX: usize = 100;
/// Events that are read at a time: few, as each may have a large payload.
const PAGE_EVENTS: usize = 100;

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

impl From<&RecordedEvent> for UnknownEvent {
    fn from(event: &RecordedEvent) -> Self {
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
    fn add(&mut self, event: &RecordedEvent) {
        self.count += 1;
        if self.first.len() < UNKNOWN_EVENTS_MAX {
            self.first.push(event.into());
        }
    }
}

/// The aggregate of `stream` right after the event at `position` and the last event of it by then; `None` when it had none.
/// Unknown events are left out.
///
/// # Errors
/// [`HistoryError`] when it has too many events or the log fails.
pub async fn load<A>(
    log: &dyn EventLog,
    stream: &StreamKey,
    position: Position,
) -> Result<Option<(A, Arc<RecordedEvent>)>, HistoryError>
where
    A: Aggregate,
    A::Event: DeserializeOwned,
{
    let mut fold = Fold::<A>::new(usize::MAX);
    fold.advance(log, stream, position, |_, _, _| {}).await?;
    Ok(fold.newest.map(|newest| (fold.aggregate, newest)))
}

/// A fold that stands after one of the events.
pub(crate) struct Fold<A> {
    pub(crate) aggregate: A,
    /// The last event so far, known or not.
    pub(crate) newest: Option<Arc<RecordedEvent>>,
    pub(crate) unknown: UnknownEvents,
    bytes: usize,
    bytes_max: usize,
}

impl<A> Fold<A>
where
    A: Aggregate,
    A::Event: DeserializeOwned,
{
    /// Nothing yet; at most `bytes_max` bytes of payloads will be folded.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { aggregate: A::default(), newest: None, unknown: UnknownEvents::default(), bytes: 0, bytes_max }
    }

    /// Bytes of payloads that were folded so far.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Goes on up to `last`; `seen` is told of each event on the way: the state after it, the event as it was recorded, and
    /// what it says where this build knows it.
    pub(crate) async fn advance(
        &mut self,
        log: &dyn EventLog,
        stream: &StreamKey,
        last: Position,
        mut seen: impl FnMut(&A, &RecordedEvent, Option<&A::Event>) + Send,
    ) -> Result<(), HistoryError> {
        loop {
            let after = self.newest.as_ref().map_or(Revision(0), |newest| newest.revision);
            let page = log.read_stream(stream, after, Direction::Forward, PAGE_EVENTS).await?;
            let complete = page.len() < PAGE_EVENTS;
            for event in page {
                if event.position > last {
                    return Ok(());
                }
                if event.revision.0 > FOLD_EVENTS_MAX {
                    return Err(HistoryError::TooManyEvents);
                }
                let known = self.apply(&event)?;
                seen(&self.aggregate, &event, known.as_ref());
                self.newest = Some(event);
            }
            if complete {
                return Ok(());
            }
        }
    }

    fn apply(&mut self, event: &RecordedEvent) -> Result<Option<A::Event>, HistoryError> {
        if !knows::<A::Event>(event) {
            self.unknown.add(event);
            return Ok(None);
        }
        self.bytes = self.bytes.saturating_add(event.payload.get().len());
        if self.bytes > self.bytes_max {
            return Err(HistoryError::TooLarge);
        }
        let known = codec::decode::<A::Event>(event)?;
        self.aggregate.apply(&known);
        Ok(Some(known))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;
    use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
    use timeloom_domain::plugin::Plugin;
    use timeloom_store::{Append, Expected, MemoryLog, Metadata, NewEvent, SystemClock};
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
        let mut enough = Fold::<Plugin>::new(each * 250);
        enough.advance(&*log, &stream, Position(250), |_, _, _| {}).await.unwrap();
        assert_eq!(enough.newest.unwrap().revision, Revision(250));
        let refused = Fold::<Plugin>::new(each * 249).advance(&*log, &stream, Position(250), |_, _, _| {}).await;
        assert!(matches!(refused, Err(HistoryError::TooLarge)), "{refused:?}");
    }
}
