//! How many bytes of payload are in one subscriber's queue. The side that fills spends, the side that reads gives back.
//!
//! Invariant: what waits has at most [`SUBSCRIPTION_BYTES_MAX`] bytes, or is one event that alone has more.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::SUBSCRIPTION_BYTES_MAX;
use crate::envelope::RecordedEvent;
use crate::log::SubscriptionMessage;

/// The side that fills the queue.
#[derive(Debug, Clone)]
pub(super) struct Budget(Arc<Semaphore>);

/// The side that reads the queue; dropping it ends every wait for room.
#[derive(Debug)]
pub(crate) struct Spent(Arc<Semaphore>);

/// The budget of one queue.
pub(super) fn budget() -> (Budget, Spent) {
    let room = Arc::new(Semaphore::new(SUBSCRIPTION_BYTES_MAX));
    (Budget(Arc::clone(&room)), Spent(room))
}

impl Budget {
    /// Spends what `event` takes, if there is room.
    pub(super) fn try_spend(&self, event: &RecordedEvent) -> bool {
        let taken = self.0.try_acquire_many(weight(event));
        taken.map(tokio::sync::SemaphorePermit::forget).is_ok()
    }

    /// Spends what `event` takes once there is room; `Err` when the reader is gone.
    pub(super) async fn spend(&self, event: &RecordedEvent) -> Result<(), ()> {
        let taken = self.0.acquire_many(weight(event)).await;
        taken.map(tokio::sync::SemaphorePermit::forget).map_err(|_| ())
    }

    /// Whether there is room for all of `events` at once.
    pub(super) fn fits<'event>(&self, mut events: impl Iterator<Item = &'event Arc<RecordedEvent>>) -> bool {
        let mut room = self.0.available_permits();
        events.all(|event| {
            let weight = weight(event) as usize;
            let fits = weight <= room;
            room = room.saturating_sub(weight);
            fits
        })
    }
}

impl Spent {
    /// Gives back what `message` took.
    pub(crate) fn give_back(&self, message: &SubscriptionMessage) {
        if let SubscriptionMessage::Event(event) = message {
            self.0.add_permits(weight(event) as usize);
        }
    }
}

impl Drop for Spent {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// What an event takes: never more than there is, so that every event can be brought some time.
fn weight(event: &RecordedEvent) -> u32 {
    u32::try_from(event.payload.get().len().min(SUBSCRIPTION_BYTES_MAX)).unwrap_or(u32::MAX)
}
