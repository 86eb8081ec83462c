//! One subscriber: its filter, its bounded queue, and how far it has been told. Never blocks once it is live.

use std::sync::Arc;

use tokio::sync::mpsc::{self, OwnedPermit, error::TrySendError};

use super::CHECKPOINT_EVENTS;
use super::budget::Budget;
use crate::envelope::{Position, RecordedEvent};
use crate::log::{Filter, SubscriptionMessage, TenantScope};

/// The filling end of a subscriber's queue, which is bounded by messages and by bytes.
pub(super) struct Outlet {
    pub(super) sender: mpsc::Sender<SubscriptionMessage>,
    pub(super) budget: Budget,
}

impl Outlet {
    /// Brings `event` once there is room; `Err` when the reader is gone.
    pub(super) async fn bring(&self, event: Arc<RecordedEvent>) -> Result<(), Ended> {
        self.budget.spend(&event).await.map_err(|()| Ended::Gone)?;
        self.sender.send(SubscriptionMessage::Event(event)).await.map_err(|_| Ended::Gone)
    }

    fn try_bring(&self, event: &Arc<RecordedEvent>) -> Result<(), Ended> {
        if self.sender.is_closed() {
            return Err(Ended::Gone);
        }
        if !self.budget.try_spend(event) {
            return Err(Ended::TooSlow);
        }
        self.sender.try_send(SubscriptionMessage::Event(Arc::clone(event))).map_err(|refused| match refused {
            TrySendError::Full(_) => Ended::TooSlow,
            TrySendError::Closed(_) => Ended::Gone,
        })
    }
}

/// A subscriber. Everything up to `cursor` was delivered or skipped by the filter.
pub(super) struct Live {
    pub(super) id: u64,
    pub(super) outlet: Outlet,
    pub(super) scope: TenantScope,
    pub(super) filter: Filter,
    pub(super) cursor: Position,
    /// Position that the reader can know of; the cursor runs ahead of it while the filter skips.
    pub(super) told: Position,
    /// The slot for the message that ends the subscription.
    last: OwnedPermit<SubscriptionMessage>,
}

impl Live {
    /// A subscriber that has seen everything up to `after`; `None` when the queue has no room even for its last message.
    pub(super) fn new(id: u64, outlet: Outlet, scope: TenantScope, filter: Filter, after: Position) -> Option<Self> {
        let last = outlet.sender.clone().try_reserve_owned().ok()?;
        Some(Self { id, outlet, scope, filter, cursor: after, told: after, last })
    }

    /// Whether `event` is to be delivered.
    pub(super) fn wants(&self, event: &RecordedEvent) -> bool {
        event.position > self.cursor && self.filter.matches(self.scope, event)
    }

    /// Delivers what passes the filter. `Err` when the reader is gone or was too slow.
    pub(super) fn offer(&mut self, events: &[Arc<RecordedEvent>]) -> Result<(), Ended> {
        for event in events {
            if self.wants(event) {
                self.outlet.try_bring(event)?;
                self.told = event.position;
            }
            self.cursor = self.cursor.max(event.position);
        }
        let skipped = self.cursor.0.saturating_sub(self.told.0);
        // A full queue has newer news than a checkpoint: the next one will do.
        if skipped >= CHECKPOINT_EVENTS
            && self.outlet.sender.try_send(SubscriptionMessage::Checkpoint(self.cursor)).is_ok()
        {
            self.told = self.cursor;
        }
        Ok(())
    }

    /// Ends the subscription with `message`, for which room was kept.
    pub(super) fn end(self, message: SubscriptionMessage) {
        self.last.send(message);
    }
}

/// Why a subscriber does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Its queue is full.
    TooSlow,
    /// It was dropped.
    Gone,
}
