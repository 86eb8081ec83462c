//! The single writer of an execution's stream: it holds the folded state and the revision, so that an append reads
//! nothing.

use std::sync::Arc;

use timeloom_commands::Ids;
use timeloom_domain::event::Aggregate;
use timeloom_domain::execution::{Execution, ExecutionCommand, ExecutionEvent, ExecutionRefusal};
use timeloom_domain::ids::{Actor, CommandId, EventId};
use timeloom_store::{
    APPEND_BYTES_MAX, APPEND_EVENTS_MAX, Append, AppendError, EventLog, Expected, LogError, Metadata, NewEvent,
    Revision, StreamKey, codec,
};

/// Bytes that the metadata of one event takes at most; what it says is of fixed length.
const METADATA_BYTES_MAX: usize = 512;

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
    causation_id: Option<EventId>,
}

impl ExecutionWriter {
    /// A writer for a stream of which nothing was read yet.
    pub fn new(log: Arc<dyn EventLog>, ids: Arc<dyn Ids>, stream: StreamKey) -> Self {
        Self { log, ids, stream, revision: Revision::default(), state: Execution::default(), causation_id: None }
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

    /// Folds an event in that is in the log already.
    pub fn fold(&mut self, event: &ExecutionEvent, id: EventId, revision: Revision) {
        self.state.apply(event);
        self.revision = revision;
        self.causation_id.get_or_insert(id);
    }

    /// Appends what the engine did, durably: in one batch, or in several where the log takes no batch of that size.
    ///
    /// # Errors
    /// [`WriteError::Overtaken`] when somebody else appended; what was not appended before that is not appended.
    pub async fn record(&mut self, events: &[ExecutionEvent]) -> Result<(), WriteError> {
        let mut state = self.state.clone();
        let mut batch = self.batch();
        for event in events {
            for decided in state.decide(&ExecutionCommand::Record(Box::new(event.clone())))? {
                let encoded = codec::encode(&decided)?;
                if !batch.has_room_for(&encoded) {
                    let full = std::mem::replace(&mut batch, self.batch());
                    self.revision = self.append(full).await?;
                    self.state = state.clone();
                }
                batch.push(EventId(self.ids.uuid()), encoded);
                state.apply(&decided);
            }
        }
        if !batch.events.is_empty() {
            self.revision = self.append(batch).await?;
            self.state = state;
        }
        Ok(())
    }

    fn batch(&self) -> Batch {
        let metadata = Metadata {
            actor: Actor::System("engine".to_owned()),
            command_id: CommandId(self.ids.uuid()),
            causation_id: self.causation_id,
            correlation_id: self.causation_id,
        };
        Batch { metadata: Arc::new(metadata), events: Vec::new(), bytes: 0 }
    }

    /// Appends, again while the log is busy: what was computed must not be lost to a full queue.
    async fn append(&self, batch: Batch) -> Result<Revision, WriteError> {
        let (command_id, expected) = (batch.metadata.command_id, Expected::Exact(self.revision));
        let append = Append { stream: self.stream.clone(), expected, events: batch.events, command_id };
        loop {
            match self.log.append(append.clone()).await {
                Ok(appended) => return Ok(appended.revision),
                Err(AppendError::Unavailable { retry_after }) => tokio::time::sleep(retry_after).await,
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
    fn has_room_for(&self, event: &codec::Encoded) -> bool {
        let bytes = self.bytes + event.payload.get().len() + METADATA_BYTES_MAX;
        self.events.is_empty() || (self.events.len() < APPEND_EVENTS_MAX && bytes <= APPEND_BYTES_MAX)
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
