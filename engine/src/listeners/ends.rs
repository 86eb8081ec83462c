//! Which executions that messages have started are under way: each holds a place of its trigger until it ends or waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use timeloom_domain::event::Event as _;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::ids::ExecutionId;
use timeloom_store::{EventLog, Filter, Position, SubscriptionMessage, TenantScope};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

/// The events after which an execution is not under way. One that waits computes nothing, and may do so for weeks.
const ENDS: [&str; 5] =
    ["ExecutionCompleted", "ExecutionFailed", "ExecutionCancelled", "ExecutionWaiting", "ExecutionContinuedAsNew"];
/// Events that may wait to be looked at.
const QUEUE_EVENTS_MAX: usize = 4_096;
/// Pause before a log that failed is followed again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The places of executions that are under way.
pub(super) struct Ends {
    log: Arc<dyn EventLog>,
    places: Mutex<HashMap<ExecutionId, OwnedSemaphorePermit>>,
}

impl Ends {
    pub(super) fn new(log: Arc<dyn EventLog>) -> Self {
        Self { log, places: Mutex::default() }
    }

    /// Gives an execution a place until it is not under way any more. To be called before it begins: it may end at once.
    pub(super) fn hold(&self, id: ExecutionId, place: OwnedSemaphorePermit) {
        self.lock().insert(id, place);
    }

    /// It has not begun.
    pub(super) fn release(&self, id: ExecutionId) {
        self.lock().remove(&id);
    }

    /// Follows the log until it is stopped.
    pub(super) async fn follow(&self, mut after: Position, stopping: &CancellationToken) {
        loop {
            let filter = Filter {
                categories: vec![Arc::from(ExecutionEvent::CATEGORY)],
                event_types: ENDS.map(Arc::from).to_vec(),
                stream: None,
            };
            let mut events = self.log.subscribe(TenantScope::All, after, filter, QUEUE_EVENTS_MAX);
            loop {
                let message = tokio::select! {
                    message = events.next() => message,
                    () = stopping.cancelled() => return,
                };
                match message {
                    Some(SubscriptionMessage::Event(event)) => {
                        after = after.max(event.position);
                        if let Ok(id) = event.stream.id.parse() {
                            self.release(id);
                        }
                    }
                    Some(SubscriptionMessage::Checkpoint(position) | SubscriptionMessage::CaughtUp(position)) => {
                        after = after.max(position);
                    }
                    Some(SubscriptionMessage::FellBehind(_)) => break,
                    Some(SubscriptionMessage::Failed(error)) => {
                        tracing::error!(%error, "the ends of executions cannot be followed: trying again");
                        stopping.run_until_cancelled(tokio::time::sleep(RETRY_AFTER)).await;
                        break;
                    }
                    None => return,
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ExecutionId, OwnedSemaphorePermit>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
