//! How many bytes of payload are in one subscriber's queue. The side that fills spends, the side that reads gives back.
//!
//! A large event is given back when the reader asks for what follows it, so that the next one does not come into memory
//! while the reader works at this one.
//!
//! Invariant: what waits has at most [`SUBSCRIPTION_BYTES_MAX`] bytes, or is one event that alone has more.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::SUBSCRIPTION_BYTES_MAX;
use crate::envelope::RecordedEvent;
use crate::log::SubscriptionMessage;

/// An event of more bytes counts as long as the reader works at it; a smaller one until it is taken.
const HELD_BYTES_MIN: u32 = 1 << 20;
/// There is to be room for so many bytes before history is read.
const READ_BYTES_MIN: u32 = SUBSCRIPTION_BYTES_MAX as u32 / 2;

/// The side that fills the queue.
#[derive(Debug, Clone)]
pub(super) struct Budget(Arc<Semaphore>);

/// The side that reads the queue; dropping it ends every wait for room.
#[derive(Debug)]
pub(crate) struct Spent {
    room: Arc<Semaphore>,
    /// What the event takes that the reader works at, if it is large.
    held: u32,
}

/// The budget of one queue.
pub(super) fn budget() -> (Budget, Spent) {
    let room = Arc::new(Semaphore::new(SUBSCRIPTION_BYTES_MAX));
    (Budget(Arc::clone(&room)), Spent { room, held: 0 })
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

    /// Waits until what is read from history has room; `Err` when the reader is gone.
    pub(super) async fn room(&self) -> Result<(), ()> {
        self.0.acquire_many(READ_BYTES_MIN).await.map(drop).map_err(|_| ())
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
    /// The reader took `message`; what it had before it is done with.
    pub(crate) fn taken(&mut self, message: &SubscriptionMessage) {
        self.done();
        let SubscriptionMessage::Event(event) = message else { return };
        match weight(event) {
            large if large >= HELD_BYTES_MIN => self.held = large,
            small => self.room.add_permits(small as usize),
        }
    }

    /// The reader asks for more: it is done with what it had.
    pub(crate) fn done(&mut self) {
        self.room.add_permits(std::mem::take(&mut self.held) as usize);
    }
}

impl Drop for Spent {
    fn drop(&mut self) {
        self.room.close();
    }
}

/// What an event takes: never more than there is, so that every event can be brought some time.
fn weight(event: &RecordedEvent) -> u32 {
    u32::try_from(event.payload.get().len().min(SUBSCRIPTION_BYTES_MAX)).unwrap_or(u32::MAX)
}
