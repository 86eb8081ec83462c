//! What a subscriber holds. Never longer than its queue, which is bounded by messages and by bytes; a large event counts
//! until the reader asks for what follows it.

use std::sync::Arc;

use futures::FutureExt as _;
use tokio::sync::mpsc;

use crate::envelope::{Position, RecordedEvent};
use crate::log::LogError;
use crate::subjects::Opener;
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
    /// Opens what is sealed.
    opener: Option<Arc<Opener>>,
    /// What was taken from the queue and is not opened yet.
    taken: Option<SubscriptionMessage>,
    /// Whether something could not be opened: nothing comes after that.
    failed: bool,
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
            opener: None,
            taken: None,
            failed: false,
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

    /// The same subscription, which brings sealed events opened.
    pub(crate) fn opened_by(self, opener: Arc<Opener>) -> Self {
        Self { opener: Some(opener), ..self }
    }

    /// The next message; `None` when the log was closed. Dropped before it answers, it has lost nothing.
    pub async fn next(&mut self) -> Option<SubscriptionMessage> {
        #[cfg(feature = "conformance")]
        if let Some(ending) = self.cut_off() {
            return ending;
        }
        if self.failed {
            return None;
        }
        if self.taken.is_none() {
            self.done();
            self.taken = self.receiver.recv().await;
            let Self { spent: Some(spent), taken: Some(message), .. } = self else { return self.opened().await };
            spent.taken(message);
        }
        self.opened().await
    }

    /// What was taken from the queue, opened.
    async fn opened(&mut self) -> Option<SubscriptionMessage> {
        let message = match (&self.opener, &self.taken) {
            (Some(opener), Some(SubscriptionMessage::Event(event))) => match opener.open(Arc::clone(event)).await {
                Ok(opened) => Some(SubscriptionMessage::Event(opened)),
                Err(error) => Some(SubscriptionMessage::Failed(error)),
            },
            _ => None,
        };
        let message = match (message, self.taken.take()) {
            (Some(failed @ SubscriptionMessage::Failed(_)), _) => {
                self.receiver.close();
                self.failed = true;
                Some(failed)
            }
            (Some(opened), _) => Some(opened),
            (None, taken) => taken,
        };
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
        if self.failed {
            return None;
        }
        if self.taken.is_none() {
            self.done();
            self.taken = self.receiver.try_recv().ok();
            if let Self { spent: Some(spent), taken: Some(message), .. } = self {
                spent.taken(message);
            }
        }
        // A key that has to be waited for keeps the message for the next call.
        self.opened().now_or_never().flatten()
    }

    fn done(&mut self) {
        if let Some(spent) = &mut self.spent {
            spent.done();
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
