//! The single writer of an execution's stream: it holds the folded state and the revision, so that an append reads
//! nothing.

use std::sync::Arc;

use timeloom_commands::Ids;
use timeloom_domain::event::Aggregate;
use timeloom_domain::execution::{Execution, ExecutionCommand, ExecutionEvent, ExecutionRefusal};
use timeloom_domain::ids::{Actor, CommandId, EventId};
use timeloom_store::{
    Append, AppendError, EventLog, Expected, LogError, Metadata, NewEvent, Revision, StreamKey, codec,
};

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

    /// Appends what the engine did, durably, in one batch.
    ///
    /// # Errors
    /// [`WriteError::Overtaken`] when somebody else appended; nothing was appended then.
    pub async fn record(&mut self, events: &[ExecutionEvent]) -> Result<(), WriteError> {
        let mut state = self.state.clone();
        let command_id = CommandId(self.ids.uuid());
        let metadata = Arc::new(Metadata {
            actor: Actor::System("engine".to_owned()),
            command_id,
            causation_id: self.causation_id,
            correlation_id: self.causation_id,
        });
        let mut new_events = Vec::with_capacity(events.len());
        for event in events {
            for decided in state.decide(&ExecutionCommand::Record(Box::new(event.clone())))? {
                state.apply(&decided);
                let encoded = codec::encode(&decided)?;
                new_events.push(NewEvent {
                    id: EventId(self.ids.uuid()),
                    event_type: Arc::from(encoded.event_type),
                    event_version: encoded.event_version,
                    payload: encoded.payload,
                    metadata: Arc::clone(&metadata),
                });
            }
        }
        let expected = Expected::Exact(self.revision);
        let append = Append { stream: self.stream.clone(), expected, events: new_events, command_id };
        let appended = self.append(append).await?;
        self.revision = appended;
        self.state = state;
        Ok(())
    }

    /// Appends, again while the log is busy: what was computed must not be lost to a full queue.
    async fn append(&self, append: Append) -> Result<Revision, WriteError> {
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
