//! Writes down what a worker did: the events of many callers as one append, while the next ones gather.
//!
//! Whoever must not be answered before something is written down waits for [`Recorder::record`]; what may be written down
//! later is noted with [`Recorder::note`]. Invariant: events of one tenant come into the log in the order in which they were
//! handed over.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use timeloom_commands::Ids;
use timeloom_domain::event::Event;
use timeloom_domain::ids::{Actor, CommandId, EventId, InferenceWorkerId, TenantId};
use timeloom_store::{
    APPEND_BYTES_MAX, APPEND_EVENTS_MAX, Append, AppendError, EventLog, Expected, LogError, Metadata, NewEvent,
    StreamKey, codec,
};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Most events that wait to be written down.
const WAITING_EVENTS_MAX: usize = 16_384;
/// Most bytes of payloads that wait to be written down.
const WAITING_BYTES_MAX: usize = 64 << 20;
/// Room for the metadata of one event, in bytes.
const METADATA_BYTES_MAX: usize = 512;
/// How often an append is tried again that the log could not take.
const TRIES_MAX: u32 = 5;
/// Pause before the second try; it doubles with each.
const PAUSE: Duration = Duration::from_millis(50);

/// Why something was not written down.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRecorded {
    /// Too much waits already.
    #[error("the log does not keep up with what is to be recorded: try again later")]
    Behind,
    /// The log did not take it.
    #[error("it could not be recorded: {0}")]
    Failed(String),
    /// The worker ended before.
    #[error("the worker ended before it was recorded")]
    Closed,
}

/// For whom, by whom and because of what something happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Cause {
    /// Whose it is.
    pub tenant: TenantId,
    /// Who asked.
    pub actor: Actor,
    /// The event that led to it.
    pub causation: Option<EventId>,
    /// The event that everything of its story goes back to.
    pub correlation: Option<EventId>,
}

/// Events of one caller that go into the log together.
struct Entry {
    cause: Cause,
    events: Vec<codec::Encoded>,
    /// The stream that is about the same subject.
    subject_of: Option<StreamKey>,
    bytes: usize,
    answer: Option<oneshot::Sender<Result<(), NotRecorded>>>,
}

/// Writes down what one worker did. Cheap to clone.
pub struct Recorder<E> {
    inner: Arc<Inner>,
    events: PhantomData<fn(E)>,
}

impl<E> Clone for Recorder<E> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), events: PhantomData }
    }
}

struct Inner {
    log: Arc<dyn EventLog>,
    ids: Arc<dyn Ids>,
    worker: InferenceWorkerId,
    waiting: Mutex<Waiting>,
    came: Notify,
    closing: CancellationToken,
    tasks: TaskTracker,
}

#[derive(Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    events: usize,
    bytes: usize,
    is_closed: bool,
}

impl<E> std::fmt::Debug for Recorder<E> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Recorder").field("worker", &self.inner.worker).finish_non_exhaustive()
    }
}

impl<E: Event + Serialize + 'static> Recorder<E> {
    /// Writes into the stream of `worker`, of which this must be the only writer. Must be called within a runtime.
    pub fn new(log: Arc<dyn EventLog>, ids: Arc<dyn Ids>, worker: InferenceWorkerId) -> Self {
        let inner = Arc::new(Inner {
            log,
            ids,
            worker,
            waiting: Mutex::default(),
            came: Notify::new(),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        let recorder = Self { inner, events: PhantomData };
        recorder.inner.tasks.spawn(write(recorder.clone()));
        recorder.inner.tasks.close();
        recorder
    }

    /// Writes events down, all or none, and answers when they are safe.
    ///
    /// # Errors
    /// When they are not in the log.
    pub async fn record(&self, cause: Cause, events: &[E]) -> Result<(), NotRecorded> {
        let (answer, written) = oneshot::channel();
        self.put(cause, events, Some(answer))?;
        written.await.unwrap_or(Err(NotRecorded::Closed))
    }

    /// Writes events down when there is time, all or none.
    ///
    /// # Errors
    /// When too much waits, so that they never will be.
    pub fn note(&self, cause: Cause, events: &[E]) -> Result<(), NotRecorded> {
        self.put(cause, events, None)
    }

    /// Writes down what waits, and takes nothing more.
    pub async fn close(&self) {
        self.waiting().is_closed = true;
        self.inner.closing.cancel();
        self.inner.tasks.wait().await;
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(
        &self,
        cause: Cause,
        events: &[E],
        answer: Option<oneshot::Sender<Result<(), NotRecorded>>>,
    ) -> Result<(), NotRecorded> {
        let subject_of = events.iter().find_map(E::subject_stream);
        let subject_of = subject_of.map(|(category, id)| StreamKey::new(cause.tenant, category, id));
        let encoded = events.iter().map(codec::encode::<E>).collect::<Result<Vec<_>, _>>();
        let encoded = encoded.map_err(|error| NotRecorded::Failed(error.to_string()))?;
        let bytes = encoded.iter().map(|event| event.payload.get().len() + METADATA_BYTES_MAX).sum();
        let mut waiting = self.waiting();
        if waiting.is_closed {
            return Err(NotRecorded::Closed);
        }
        if waiting.events + events.len() > WAITING_EVENTS_MAX || waiting.bytes + bytes > WAITING_BYTES_MAX {
            return Err(NotRecorded::Behind);
        }
        waiting.events += encoded.len();
        waiting.bytes += bytes;
        waiting.entries.push_back(Entry { cause, events: encoded, subject_of, bytes, answer });
        drop(waiting);
        self.inner.came.notify_one();
        Ok(())
    }

    /// What goes into the next append: entries of one tenant and about the same subject, as many as one append takes; at least one, however large.
    fn take(&self) -> Vec<Entry> {
        let mut waiting = self.waiting();
        let (mut taken, mut events, mut bytes) = (Vec::new(), 0, 0);
        while let Some(next) = waiting.entries.front() {
            let first: Option<&Entry> = taken.first();
            let fits = first.is_none_or(|first| {
                first.cause.tenant == next.cause.tenant
                    && first.subject_of == next.subject_of
                    && events + next.events.len() <= APPEND_EVENTS_MAX
                    && bytes + next.bytes <= APPEND_BYTES_MAX
            });
            if !fits {
                break;
            }
            let Some(entry) = waiting.entries.pop_front() else { break };
            events += entry.events.len();
            bytes += entry.bytes;
            taken.push(entry);
        }
        waiting.events -= events;
        waiting.bytes -= bytes;
        taken
    }

    async fn append(&self, entries: &mut [Entry]) -> Result<(), NotRecorded> {
        let Some(tenant) = entries.first().map(|entry| entry.cause.tenant) else { return Ok(()) };
        let command_id = CommandId(self.inner.ids.uuid());
        let subject_of = entries.first().and_then(|entry| entry.subject_of.clone());
        let mut events = Vec::new();
        for entry in entries {
            let Cause { actor, causation, correlation, .. } = entry.cause.clone();
            let mut metadata = Metadata::new(actor, command_id);
            (metadata.causation_id, metadata.correlation_id) = (causation, correlation);
            let metadata = Arc::new(metadata);
            events.extend(std::mem::take(&mut entry.events).into_iter().map(|event| NewEvent {
                id: EventId(self.inner.ids.uuid()),
                event_type: Arc::from(event.event_type),
                event_version: event.event_version,
                payload: event.payload,
                metadata: Arc::clone(&metadata),
            }));
        }
        let stream = StreamKey::new(tenant, E::CATEGORY, self.inner.worker.to_string());
        let append = Append::new(stream, Expected::Any, events, command_id).about_the_same_as(subject_of);
        let mut pause = PAUSE;
        for _ in 1..TRIES_MAX {
            match self.inner.log.append(append.clone()).await {
                Ok(_) => return Ok(()),
                Err(AppendError::Unavailable { retry_after }) => tokio::time::sleep(retry_after).await,
                // The same command again finds out whether an append whose answer was lost came in.
                Err(AppendError::Log(LogError::Storage(error))) => {
                    tracing::warn!(%error, "what an inference worker did could not be written down: it is tried again");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Err(error) => return Err(NotRecorded::Failed(error.to_string())),
            }
        }
        let last = self.inner.log.append(append).await;
        last.map(|_| ()).map_err(|error| NotRecorded::Failed(error.to_string()))
    }
}

/// Appends what waits until the recorder is closed and nothing waits.
async fn write<E: Event + Serialize + 'static>(recorder: Recorder<E>) {
    loop {
        let mut entries = recorder.take();
        if entries.is_empty() {
            if recorder.inner.closing.is_cancelled() {
                return;
            }
            tokio::select! {
                () = recorder.inner.came.notified() => {}
                () = recorder.inner.closing.cancelled() => {}
            }
            continue;
        }
        let outcome = recorder.append(&mut entries).await;
        if let Err(error) = &outcome {
            let lost = entries.iter().filter(|entry| entry.answer.is_none()).count();
            tracing::error!(%error, lost, "what an inference worker did was not written down");
        }
        for entry in entries {
            if let Some(answer) = entry.answer {
                // Who does not wait any more needs no answer.
                let _ = answer.send(outcome.clone());
            }
        }
    }
}
