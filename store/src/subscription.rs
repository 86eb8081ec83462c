//! What a subscriber holds. Never longer than its queue, which is bounded by messages and by bytes; a large event counts
//! until the reader asks for what follows it.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::envelope::{Position, RecordedEvent};
use crate::log::LogError;
use crate::tail::{Registration, Spent};

/// What a subscription brings.
#[derive(Debug, Clone)]
pub enum SubscriptionMessage {
    /// An event that passes the filter.
    Event(Arc<RecordedEvent>),
    /// Everything up to here was looked at: where to resume from.
    Checkpoint(Position),
    /// History is behind; what follows is live.
    CaughtUp(Position),
    /// The reader was too slow for its bounded queue: resume from here. The subscription ends with this.
    FellBehind(Position),
    /// The log failed. The subscription ends with this.
    Failed(LogError),
}

/// A stream of events from a position on, into live, without a gap or a double. Dropping it ends it.
#[derive(Debug)]
pub struct Subscription {
    // Dropped before the registration: a hand-over that is going on sees the closed queue, or its place is given up.
    receiver: mpsc::Receiver<SubscriptionMessage>,
    spent: Option<Spent>,
    _registration: Option<Registration>,
    #[cfg(feature = "conformance")]
    cut: Option<crate::conformance::Cut>,
}

impl Subscription {
    /// A subscription fed through `receiver`.
    pub fn new(receiver: mpsc::Receiver<SubscriptionMessage>) -> Self {
        Self {
            receiver,
            spent: None,
            _registration: None,
            #[cfg(feature = "conformance")]
            cut: None,
        }
    }

    /// A subscription that has a place in a tail.
    pub(crate) fn registered(
        receiver: mpsc::Receiver<SubscriptionMessage>,
        spent: Spent,
        registration: Registration,
    ) -> Self {
        Self { spent: Some(spent), _registration: Some(registration), ..Self::new(receiver) }
    }

    /// The next message; `None` when the log was closed.
    pub async fn next(&mut self) -> Option<SubscriptionMessage> {
        #[cfg(feature = "conformance")]
        if let Some(ending) = self.cut_off() {
            return ending;
        }
        self.done();
        let message = self.receiver.recv().await;
        self.taken(message.as_ref());
        #[cfg(feature = "conformance")]
        self.brought(message.as_ref());
        message
    }

    /// The next message, if there is one at once.
    pub fn try_next(&mut self) -> Option<SubscriptionMessage> {
        #[cfg(feature = "conformance")]
        if let Some(ending) = self.cut_off() {
            return ending;
        }
        self.done();
        let message = self.receiver.try_recv().ok();
        self.taken(message.as_ref());
        #[cfg(feature = "conformance")]
        self.brought(message.as_ref());
        message
    }

    fn done(&mut self) {
        if let Some(spent) = &mut self.spent {
            spent.done();
        }
    }

    fn taken(&mut self, message: Option<&SubscriptionMessage>) {
        if let (Some(spent), Some(message)) = (&mut self.spent, message) {
            spent.taken(message);
        }
    }
}

/// Endings that tests bring about.
#[cfg(feature = "conformance")]
impl Subscription {
    /// The same subscription, which ends early as `cut` says.
    pub(crate) fn ending_by(self, cut: crate::conformance::Cut) -> Self {
        Self { cut: Some(cut), ..self }
    }

    fn brought(&mut self, message: Option<&SubscriptionMessage>) {
        if let (Some(cut), Some(message)) = (&mut self.cut, message) {
            cut.brought(message);
        }
    }

    /// What comes in place of the next message, once it is to end; the outer `None` when it is not.
    fn cut_off(&mut self) -> Option<Option<SubscriptionMessage>> {
        let ending = self.cut.as_mut()?.ending()?;
        self.receiver.close();
        Some(ending)
    }
}
