//! A capsule as a log that is only read: positions and revisions are those of the log that it comes from, with gaps between them.
//!
//! What is sealed is shown as what is erased is: whoever has the capsule alone cannot open it, and cannot tell the two apart.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::DateTime;
use timeloom_domain::definition::WorkflowDefinition;
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::{ExecutionEvent, StartFacts};
use timeloom_domain::ids::{Actor, CommandId, EventId, ExecutionId, TenantId, WorkflowId};
use timeloom_domain::workflow::WorkflowEvent;
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::spill::{PayloadReference, is_reference};
use timeloom_store::subjects::without_sealed;
use timeloom_store::tail::{History, HistoryPage, Tail};
use timeloom_store::{
    Append, AppendError, Appended, Direction, EventLog, Filter, LogError, Metadata, Position, RecordedEvent, Revision,
    StoredEvent, StreamKey, Subscription, TenantScope, codec,
};
use timeloom_verify::capsule::Capsule;
use timeloom_verify::line::Line;
use uuid::Uuid;

/// The events of a capsule.
pub struct CapsuleLog {
    events: Arc<Events>,
    history: Arc<dyn History>,
    tail: Arc<Tail>,
}

#[derive(Clone, Default)]
struct Events {
    /// In the order of the log.
    all: Vec<Arc<RecordedEvent>>,
    /// Indexes into `all`; revision r of a stream is at index r − 1.
    streams: HashMap<StreamKey, Vec<usize>>,
}

/// Nothing is written into a capsule.
#[derive(Debug, thiserror::Error)]
#[error("a capsule is only read: nothing can be added to it")]
struct OnlyRead;

impl fmt::Debug for CapsuleLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CapsuleLog").field("events", &self.events.all.len()).finish_non_exhaustive()
    }
}

impl CapsuleLog {
    /// The events of a capsule.
    ///
    /// # Errors
    /// [`LogError::Corrupt`] when an event of it cannot be read although it was proved: other programs may write anything.
    pub fn open(capsule: &Capsule) -> Result<Arc<Self>, LogError> {
        let mut events = Events::default();
        for line in capsule.events() {
            events.add(recorded(capsule, &line.map_err(LogError::storage)?)?);
        }
        Ok(Self::over(events))
    }

    /// The execution that a link of it belongs to, by its first link, and how that began; `None` where it does not begin here.
    ///
    /// # Errors
    /// [`LogError`] when its first event cannot be read.
    pub fn beginning(
        &self,
        tenant: TenantId,
        link: ExecutionId,
    ) -> Result<Option<(ExecutionId, StartFacts)>, LogError> {
        let mut id = link;
        for _ in 0..=self.events.streams.len() {
            let stream = StreamKey::new(tenant, ExecutionEvent::CATEGORY, id.to_string());
            let first = self.events.streams.get(&stream).and_then(|indexes| self.events.all.get(*indexes.first()?));
            let Some(first) = first else { return Ok(None) };
            match codec::decode::<ExecutionEvent>(first)? {
                ExecutionEvent::ExecutionContinued(continuation) => id = continuation.root,
                ExecutionEvent::ExecutionStarted(start) => return Ok(Some((id, StartFacts::clone(&start)))),
                ExecutionEvent::ExecutionRetried(retry) => return Ok(Some((id, retry.start))),
                ExecutionEvent::ExecutionForked(fork) => return Ok(Some((id, fork.start))),
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The same events, after which the draft of a workflow was replaced: to run what was recorded under another definition.
    /// Answers the log and the revision of the workflow that has it.
    ///
    /// # Errors
    /// [`LogError`] when the definition cannot be written down.
    pub fn with_draft(
        &self,
        tenant: TenantId,
        workflow: WorkflowId,
        definition: WorkflowDefinition,
    ) -> Result<(Arc<Self>, u64), LogError> {
        let encoded = codec::encode(&WorkflowEvent::WorkflowUpdated { definition: Arc::new(definition) })?;
        let stream = StreamKey::new(tenant, WorkflowEvent::CATEGORY, workflow.to_string());
        let revision = self.events.streams.get(&stream).map_or(0, Vec::len) as u64 + 1;
        let newest = self.events.all.last();
        let id = Uuid::new_v5(&workflow.0, b"another definition");
        let mut events = Events::clone(&self.events);
        events.add(RecordedEvent {
            position: Position(self.head().0 + 1),
            stream,
            revision: Revision(revision),
            id: EventId(id),
            event_type: encoded.event_type.into(),
            event_version: encoded.event_version,
            payload: encoded.payload,
            metadata: Arc::new(Metadata::new(Actor::System("capsule".to_owned()), CommandId(id))),
            recorded_at: newest.map_or(DateTime::UNIX_EPOCH, |newest| newest.recorded_at),
        });
        Ok((Self::over(events), revision))
    }

    fn over(events: Events) -> Arc<Self> {
        let events = Arc::new(events);
        let tail = Tail::new(events.head());
        Arc::new(Self { history: Arc::new(CapsuleHistory(Arc::clone(&events))), tail, events })
    }
}

fn recorded(capsule: &Capsule, line: &Line<'_>) -> Result<RecordedEvent, LogError> {
    let record = line.record();
    let position = Position(record.position);
    let stored = StoredEvent {
        position,
        stream: StreamKey::new(TenantId(record.tenant), record.category, record.stream),
        revision: Revision(record.revision),
        id: EventId(Uuid::from_bytes(record.id)),
        event_type: record.event_type.into(),
        event_version: record.event_version.to_string(),
        payload: record.payload.to_owned(),
        metadata: record.metadata.to_owned(),
        recorded_at_us: record.recorded_at_us,
        leaf: *line.leaf(),
        append: None,
    };
    let mut event = stored.into_recorded()?;
    if is_reference(&event.payload) {
        let corrupt = |detail: String| LogError::Corrupt { position, detail };
        let reference = PayloadReference::read(&event.payload).map_err(corrupt)?;
        let content = capsule.blobs().get(&reference.hash.to_string());
        let content = content.ok_or_else(|| corrupt("its payload is not in the capsule".to_owned()))?;
        event.payload = reference.payload(content.clone()).map_err(corrupt)?;
    }
    without_sealed(event)
}

impl Events {
    fn add(&mut self, event: RecordedEvent) {
        self.streams.entry(event.stream.clone()).or_default().push(self.all.len());
        self.all.push(Arc::new(event));
    }

    fn head(&self) -> Position {
        self.all.last().map_or(Position::START, |newest| newest.position)
    }

    /// How many events are up to and with a position.
    fn up_to(&self, position: Position) -> usize {
        self.all.partition_point(|event| event.position <= position)
    }
}

#[async_trait]
impl EventLog for CapsuleLog {
    async fn append(&self, _: Append) -> Result<Appended, AppendError> {
        Err(LogError::storage(OnlyRead).into())
    }

    async fn read_stream(
        &self,
        stream: &StreamKey,
        after: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        let limit = limit.min(READ_EVENTS_MAX);
        let indexes = self.events.streams.get(stream).map(Vec::as_slice).unwrap_or_default();
        let middle = usize::try_from(after.0).unwrap_or(usize::MAX).min(indexes.len());
        let event = |index: &usize| self.events.all.get(*index).cloned();
        Ok(match direction {
            Direction::Forward => indexes.iter().skip(middle).take(limit).filter_map(event).collect(),
            Direction::Backward => indexes.iter().take(middle).rev().take(limit).filter_map(event).collect(),
        })
    }

    async fn read_all(
        &self,
        scope: TenantScope,
        after: Position,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        let limit = limit.min(READ_EVENTS_MAX);
        let (before, behind) = self.events.all.split_at(self.events.up_to(after));
        let wanted = |event: &&Arc<RecordedEvent>| filter.matches(scope, event);
        Ok(match direction {
            Direction::Forward => behind.iter().filter(wanted).take(limit).cloned().collect(),
            Direction::Backward => before.iter().rev().filter(wanted).take(limit).cloned().collect(),
        })
    }

    fn subscribe(&self, scope: TenantScope, after: Position, filter: Filter, capacity: usize) -> Subscription {
        self.tail.subscribe(&self.history, scope, after, filter, capacity)
    }

    fn head(&self) -> Position {
        self.events.head()
    }

    async fn wait_for(&self, position: Position) -> Result<(), LogError> {
        // Nothing comes after its end.
        if position <= self.head() { Ok(()) } else { Err(LogError::Closed) }
    }

    async fn position_at(&self, time_us: i64) -> Result<Position, LogError> {
        let until = self.events.all.partition_point(|event| event.recorded_at.timestamp_micros() <= time_us);
        let newest = until.checked_sub(1).and_then(|index| self.events.all.get(index));
        Ok(newest.map_or(Position::START, |event| event.position))
    }
}

struct CapsuleHistory(Arc<Events>);

#[async_trait]
impl History for CapsuleHistory {
    async fn page(
        &self,
        scope: TenantScope,
        after: Position,
        up_to: Position,
        filter: &Filter,
        limit: usize,
    ) -> Result<HistoryPage, LogError> {
        let (first, end) = (self.0.up_to(after), self.0.up_to(up_to));
        let events = self.0.all.get(first..end).unwrap_or_default();
        let passing = |event: &&Arc<RecordedEvent>| filter.matches(scope, event);
        let found: Vec<_> = events.iter().filter(passing).take(limit).cloned().collect();
        let is_full = found.len() == limit;
        let looked_at = found.last().filter(|_| is_full).map_or(up_to, |last| last.position);
        Ok(HistoryPage { events: found, looked_at })
    }
}
