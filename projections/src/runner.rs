//! Follows the log on a thread of its own and has every batch written, then says how far the rows are.
//!
//! The thread owns the only connection that writes. It begins at the checkpoints, so that a crash anywhere costs nothing
//! but time. Never: two batches at once, an announcement before the commit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use timeloom_store::{EventLog, Filter, Position, RecordedEvent, Subscription, SubscriptionMessage, TenantScope};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::ProjectionError;
use crate::writer::{BATCH_EVENTS_MAX, State, Writer};

/// Events that wait in the subscription: two batches, so that one fills while one is written.
const SUBSCRIPTION_EVENTS: usize = 2 * BATCH_EVENTS_MAX;
/// Pause after a failure of the file or the log.
const RETRY: Duration = Duration::from_millis(500);

/// What the writing thread tells the others.
pub(crate) struct Progress {
    position: watch::Sender<Position>,
    states: Mutex<(Vec<State>, Option<String>)>,
}

impl Progress {
    pub fn of(writer: &Writer) -> Self {
        let position = writer.position().unwrap_or_default();
        Self { position: watch::Sender::new(position), states: Mutex::new((writer.states().to_vec(), None)) }
    }

    pub fn position(&self) -> watch::Receiver<Position> {
        self.position.subscribe()
    }

    /// Every projection's state, and why the thread does not go on, if it does not.
    pub fn states(&self) -> (Vec<State>, Option<String>) {
        self.lock().clone()
    }

    pub fn publish(&self, writer: &Writer) {
        *self.lock() = (writer.states().to_vec(), None);
        if let Some(reached) = writer.position() {
            self.position.send_if_modified(|position| std::mem::replace(position, reached) != reached);
        }
    }

    fn fault(&self, error: &ProjectionError) {
        tracing::error!(%error, "read models do not go on; trying again");
        self.lock().1 = Some(error.to_string());
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<State>, Option<String>)> {
        // It is replaced as a whole, so that no holder leaves it half-way.
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why following the log ended.
enum Ended {
    /// For good: closed, or every projection is parked.
    Done,
    /// To be taken up again at the checkpoints.
    Again,
}

/// The writing thread.
pub(crate) struct Runner {
    pub log: Arc<dyn EventLog>,
    pub progress: Arc<Progress>,
    pub closing: CancellationToken,
    pub runtime: Handle,
}

impl Runner {
    /// Follows the log until closed; gives the writer back.
    pub fn run(&self, mut writer: Writer) -> Writer {
        // Subscriptions and pauses belong to the runtime, whichever thread makes them.
        let _context = self.runtime.enter();
        while let Some(position) = writer.position() {
            let subscription = self.log.subscribe(TenantScope::All, position, Filter::default(), SUBSCRIPTION_EVENTS);
            match self.follow(&mut writer, subscription) {
                Ok(Ended::Done) => break,
                Ok(Ended::Again) => {}
                Err(error) => {
                    self.progress.fault(&error);
                    let pause = tokio::time::sleep(RETRY);
                    self.runtime.block_on(self.closing.run_until_cancelled(pause));
                }
            }
            if self.closing.is_cancelled() {
                break;
            }
        }
        writer
    }

    fn follow(&self, writer: &mut Writer, mut subscription: Subscription) -> Result<Ended, ProjectionError> {
        let mut batch = Batch::default();
        loop {
            let next = self.runtime.block_on(self.closing.run_until_cancelled(subscription.next()));
            let Some(Some(message)) = next else { return Ok(Ended::Done) };
            let mut ended = batch.take(message);
            while ended.is_none() && batch.events.len() < BATCH_EVENTS_MAX {
                let Some(message) = subscription.try_next() else { break };
                ended = batch.take(message);
            }
            if let Some(up_to) = batch.up_to.take() {
                writer.apply(&batch.events, up_to)?;
                batch.events.clear();
                self.progress.publish(writer);
            }
            match ended {
                Some(Ok(())) => return Ok(Ended::Again),
                Some(Err(error)) => return Err(error),
                None if writer.position().is_none() => return Ok(Ended::Done),
                None => {}
            }
        }
    }
}

/// What was taken from the subscription and is not written yet.
#[derive(Default)]
struct Batch {
    events: Vec<Arc<RecordedEvent>>,
    up_to: Option<Position>,
}

impl Batch {
    /// Takes a message; `Some` when the subscription ends with it.
    fn take(&mut self, message: SubscriptionMessage) -> Option<Result<(), ProjectionError>> {
        match message {
            SubscriptionMessage::Event(event) => {
                self.up_to = Some(event.position);
                self.events.push(event);
            }
            SubscriptionMessage::Checkpoint(position) | SubscriptionMessage::CaughtUp(position) => {
                self.up_to = self.up_to.max(Some(position));
            }
            // Where to resume from is what the checkpoints say.
            SubscriptionMessage::FellBehind(_) => return Some(Ok(())),
            SubscriptionMessage::Failed(error) => return Some(Err(error.into())),
        }
        None
    }
}
