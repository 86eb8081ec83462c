//! The single writer of an execution's stream: it holds the folded state and the revision, so that an append reads
//! nothing.

use std::sync::Arc;

use timeloom_commands::Ids;
use timeloom_domain::event::{Aggregate, Event as _};
use timeloom_domain::execution::{Continuation, Execution, ExecutionEvent, ExecutionRefusal};
use timeloom_domain::ids::{Actor, CommandId, EventId};
use timeloom_store::{
    APPEND_BYTES_MAX, APPEND_EVENTS_MAX, Append, AppendError, Appended, AskedDurability, EventLog, Expected, LogError,
    Metadata, NewEvent, RecordedEvent, RequestFacts, Revision, StreamKey, codec,
};
use tokio_util::sync::CancellationToken;

use crate::machine::{Place, Written};

/// Who does what the engine does.
pub(crate) const ENGINE_ACTOR: &str = "engine";
/// Bytes that the metadata of one event takes at most; what it says is of fixed length.
const METADATA_BYTES_MAX: usize = 512;
/// Bytes of a batch whose data is sealed on its way: that makes it a third larger, and each event longer by its seal.
const SEALED_BYTES_MAX: usize = APPEND_BYTES_MAX / 2;

/// Why the engine could not take down what it did.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Somebody else appended to the execution: it was cancelled, or another process took it over.
    #[error("the execution's stream has moved on")]
    Overtaken,
    /// The engine's event cannot follow the ones before.
    #[error(transparent)]
    Refused(#[from] ExecutionRefusal),
    /// The log refused or failed.
    #[error(transparent)]
    Append(AppendError),
    /// An event could not be written down.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// The single writer of one execution's stream.
pub struct ExecutionWriter {
    log: Arc<dyn EventLog>,
    ids: Arc<dyn Ids>,
    stream: StreamKey,
    revision: Revision,
    state: Execution,
    /// The stream's first event: what the engine does comes of it.
    first_event: Option<EventId>,
    /// The event that the whole execution goes back to: the first of its first stream.
    root_event: Option<EventId>,
    last_event: Option<EventId>,
    /// The span under which the execution was begun, for the stream after this one.
    within: Option<Arc<RequestFacts>>,
    /// Node runs that the log has, which nobody was told yet.
    written: Vec<Written>,
    /// What its appends survive.
    asked: AskedDurability,
    /// Whom its data is about.
    subject: Option<String>,
    /// Ends the waiting for a log that is busy or out of reach.
    stopping: CancellationToken,
}

/// The first event of a stream in which an execution goes on, ready to be appended.
pub struct FirstEvent {
    event: ExecutionEvent,
    encoded: codec::Encoded,
}

impl FirstEvent {
    /// Writes the summary down.
    ///
    /// # Errors
    /// [`WriteError::Log`] when it cannot be written as JSON.
    pub fn try_new(continuation: Continuation) -> Result<Self, WriteError> {
        let event = ExecutionEvent::ExecutionContinued(Box::new(continuation));
        let encoded = codec::encode(&event)?;
        Ok(Self { event, encoded })
    }

    /// The event.
    pub fn event(&self) -> &ExecutionEvent {
        &self.event
    }

    /// How many bytes the summary has.
    pub fn bytes(&self) -> usize {
        self.encoded.payload.get().len()
    }
}

impl ExecutionWriter {
    /// A writer for a stream of which nothing was read yet.
    pub fn new(log: Arc<dyn EventLog>, ids: Arc<dyn Ids>, stream: StreamKey) -> Self {
        let (revision, state) = (Revision::default(), Execution::default());
        let stopping = CancellationToken::new();
        Self {
            log,
            ids,
            stream,
            revision,
            state,
            first_event: None,
            root_event: None,
            last_event: None,
            within: None,
            written: Vec::new(),
            asked: AskedDurability::default(),
            subject: None,
            stopping,
        }
    }

    /// The same, which does not wait for the log any more once `stopping` says so. What it had to write is computed again at
    /// the next start, as after a crash.
    #[must_use]
    pub fn until(self, stopping: CancellationToken) -> Self {
        Self { stopping, ..self }
    }

    /// Says what the appends from now on survive.
    pub fn ask(&mut self, durability: AskedDurability) {
        self.asked = durability;
    }

    /// What its appends survive.
    pub fn asked(&self) -> AskedDurability {
        self.asked
    }

    /// The execution as written so far.
    pub fn state(&self) -> &Execution {
        &self.state
    }

    /// The stream.
    pub fn stream(&self) -> &StreamKey {
        &self.stream
    }

    /// Revision of the last event folded in.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Folds an event in that is in the log already, as which it is `recorded`.
    pub fn fold(&mut self, event: &ExecutionEvent, recorded: &RecordedEvent) {
        self.state.apply(event);
        self.revision = recorded.revision;
        if self.first_event.is_none() {
            self.subject = event.subject(&self.stream.id);
            let within =
                |span: &str| Arc::new(RequestFacts { traceparent: Some(span.to_owned()), ..RequestFacts::default() });
            self.within = recorded.metadata.traceparent().map(within);
        }
        self.first_event.get_or_insert(recorded.id);
        let begins_chain = matches!(event, ExecutionEvent::ExecutionStarted(_));
        let goes_back_to = recorded.metadata.correlation_id.filter(|_| !begins_chain).unwrap_or(recorded.id);
        self.root_event.get_or_insert(goes_back_to);
        self.last_event = Some(recorded.id);
        self.note(event, recorded.revision, recorded.payload.get().len());
    }

    /// The node runs that the log has since this was asked last, with where it has them.
    pub fn take_written(&mut self) -> Vec<Written> {
        std::mem::take(&mut self.written)
    }

    /// Keeps where the log has what a node gave in place of that itself.
    fn note(&mut self, event: &ExecutionEvent, revision: Revision, bytes: usize) {
        self.state.release_items(event);
        if let ExecutionEvent::NodeCompleted { run, .. } | ExecutionEvent::NodeFailed { run, outputs: Some(_), .. } =
            event
        {
            let place = Place { stream: self.stream.clone(), revision };
            let (node, run_index, execution_index) = (run.node.clone(), run.run_index, run.execution_index);
            self.written.push(Written { node, run_index, execution_index, place, bytes });
        }
    }

    /// Begins the stream of the next link after `previous`, which has ended. Sent again, it is the same append.
    ///
    /// # Errors
    /// [`WriteError::Overtaken`] when the stream has begun otherwise.
    pub async fn begin(&mut self, first: &FirstEvent, previous: &Self) -> Result<Appended, WriteError> {
        let command_id = CommandId(self.stream.id.parse().unwrap_or_else(|_| self.ids.uuid()));
        let metadata = Metadata {
            actor: Actor::System(ENGINE_ACTOR.to_owned()),
            command_id,
            causation_id: previous.last_event,
            correlation_id: previous.root_event,
            request: previous.within.clone(),
        };
        let mut batch = Batch { metadata: Arc::new(metadata), events: Vec::new(), bytes: 0 };
        batch.push(EventId(self.ids.uuid()), first.encoded.clone());
        self.subject = first.event.subject(&self.stream.id);
        let appended = self.append(batch, Expected::NoStream).await?;
        for recorded in &appended.events {
            self.fold(&first.event, recorded);
        }
        Ok(appended)
    }

    /// Appends what the engine did, durably: in one batch, or in several where the log takes no batch of that size.
    ///
    /// # Errors
    /// [`WriteError::Overtaken`] when somebody else appended; what was not appended before that is not appended. After
    /// any error the writer is of no more use, because its state has what was not written: the stream is to be read again.
    pub async fn record(&mut self, events: &[ExecutionEvent]) -> Result<(), WriteError> {
        let mut batch = self.batch();
        let mut revision = self.revision;
        for event in events {
            self.state.check_next(event)?;
            let encoded = codec::encode(event)?;
            if !batch.has_room_for(&encoded, self.subject.is_some()) {
                let full = std::mem::replace(&mut batch, self.batch());
                self.append_next(full).await?;
            }
            let bytes = encoded.payload.get().len();
            batch.push(EventId(self.ids.uuid()), encoded);
            self.state.apply(event);
            revision = Revision(revision.0 + 1);
            self.note(event, revision, bytes);
        }
        if batch.events.is_empty() { Ok(()) } else { self.append_next(batch).await }
    }

    fn batch(&self) -> Batch {
        let metadata = Metadata {
            actor: Actor::System(ENGINE_ACTOR.to_owned()),
            command_id: CommandId(self.ids.uuid()),
            causation_id: self.first_event,
            correlation_id: self.root_event,
            request: None,
        };
        Batch { metadata: Arc::new(metadata), events: Vec::new(), bytes: 0 }
    }

    async fn append_next(&mut self, batch: Batch) -> Result<(), WriteError> {
        let last_event = batch.events.last().map(|event| event.id);
        self.revision = self.append(batch, Expected::Exact(self.revision)).await?.revision;
        self.last_event = last_event;
        Ok(())
    }

    /// Appends, again while the log is busy: what was computed must not be lost to a full queue.
    async fn append(&self, batch: Batch, expected: Expected) -> Result<Appended, WriteError> {
        let command_id = batch.metadata.command_id;
        // What the first event says is so for the whole stream.
        let subject = self.subject.as_deref().filter(|_| expected == Expected::NoStream);
        let append =
            Append::new(self.stream.clone(), expected, batch.events, command_id).asking(self.asked).about(subject);
        loop {
            match self.log.append(append.clone()).await {
                Ok(appended) => return Ok(appended),
                Err(busy @ AppendError::Unavailable { retry_after }) => tokio::select! {
                    () = tokio::time::sleep(retry_after) => {}
                    () = self.stopping.cancelled() => return Err(WriteError::Append(busy)),
                },
                Err(AppendError::WrongRevision { .. }) => return Err(WriteError::Overtaken),
                Err(error) => return Err(WriteError::Append(error)),
            }
        }
    }
}

/// Events that go into the log together.
struct Batch {
    metadata: Arc<Metadata>,
    events: Vec<NewEvent>,
    bytes: usize,
}

impl Batch {
    /// Whether the log takes the batch with this event; an event alone is tried in any case.
    fn has_room_for(&self, event: &codec::Encoded, is_sealed: bool) -> bool {
        let bytes = self.bytes + event.payload.get().len() + METADATA_BYTES_MAX;
        let bytes_max = if is_sealed { SEALED_BYTES_MAX } else { APPEND_BYTES_MAX };
        self.events.is_empty() || (self.events.len() < APPEND_EVENTS_MAX && bytes <= bytes_max)
    }

    fn push(&mut self, id: EventId, event: codec::Encoded) {
        self.bytes += event.payload.get().len() + METADATA_BYTES_MAX;
        self.events.push(NewEvent {
            id,
            event_type: Arc::from(event.event_type),
            event_version: event.event_version,
            payload: event.payload,
            metadata: Arc::clone(&self.metadata),
        });
    }
}
