//! All workflows at a glance: what is active, what starts it, and who is meant by a reference. A live fold of the log.
//!
//! It never changes anything and never holds a definition, only what starts workflows and what others ask of them. What
//! [`Directory::now`] gives is a moment that stays as it is; whoever needs what an append brought waits for its position
//! first. A workflow with an event that this build does not know is left out from then on: what it has become is not known.

mod entry;
mod listing;
mod routes;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use timeloom_domain::event::Event as _;
use timeloom_domain::workflow::WorkflowEvent;
use timeloom_store::{EventLog, Filter, LogError, Position, Subscription, SubscriptionMessage, TenantScope};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use entry::{ActiveVersion, TestListening, TriggerKind, TriggerNode, WorkflowEntry, WorkflowFacts};
pub use listing::Listing;
pub use routes::{PATH_BYTES_MAX, Route, RouteMatch, Routes, WebhookAddress};

/// Events that may wait to be folded.
const QUEUE_EVENTS_MAX: usize = 1_024;
/// Pause before a log that failed is asked again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The directory of all workflows of one log. Cheap to clone.
#[derive(Clone)]
pub struct Directory {
    inner: Arc<Inner>,
}

struct Inner {
    listing: watch::Sender<Arc<Listing>>,
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl fmt::Debug for Directory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Directory").field("position", &self.now().position()).finish_non_exhaustive()
    }
}

impl Directory {
    /// The directory of `log`, which it follows until it is closed. Must be called within a runtime.
    pub fn follow(log: Arc<dyn EventLog>) -> Self {
        let (listing, _) = watch::channel(Arc::default());
        let inner = Arc::new(Inner { listing, closing: CancellationToken::new(), tasks: TaskTracker::new() });
        let directory = Self { inner };
        directory.inner.tasks.spawn(follow(directory.clone(), log));
        directory.inner.tasks.close();
        directory
    }

    /// The workflows as they are known now.
    pub fn now(&self) -> Arc<Listing> {
        Arc::clone(&self.inner.listing.borrow())
    }

    /// Tells of every change; the first look brings what is known now.
    pub fn changes(&self) -> watch::Receiver<Arc<Listing>> {
        self.inner.listing.subscribe()
    }

    /// Whether it has seen everything that was in the log when it began.
    pub fn is_caught_up(&self) -> bool {
        self.inner.listing.borrow().is_caught_up()
    }

    /// Waits until it has seen everything that was in the log when it began.
    ///
    /// # Errors
    /// [`LogError::Closed`] when it is closed before.
    pub async fn caught_up(&self) -> Result<Arc<Listing>, LogError> {
        self.wait(Listing::is_caught_up).await
    }

    /// Waits until it has seen the event of a workflow at `position`, or a later one.
    ///
    /// # Errors
    /// [`LogError::Closed`] when it is closed before.
    pub async fn wait_for(&self, position: Position) -> Result<Arc<Listing>, LogError> {
        self.wait(|listing| listing.is_caught_up() && listing.position() >= position).await
    }

    async fn wait(&self, reached: impl Fn(&Listing) -> bool) -> Result<Arc<Listing>, LogError> {
        let mut changes = self.changes();
        tokio::select! {
            found = changes.wait_for(|listing| reached(listing)) => {
                found.map(|listing| Arc::clone(&listing)).map_err(|_| LogError::Closed)
            }
            () = self.inner.closing.cancelled() => Err(LogError::Closed),
        }
    }

    /// Follows the log no more.
    pub async fn close(&self) {
        self.inner.closing.cancel();
        self.inner.tasks.wait().await;
    }
}

/// Folds the log into the listing until the directory is closed.
async fn follow(directory: Directory, log: Arc<dyn EventLog>) {
    let closing = directory.inner.closing.clone();
    let mut listing = Listing::default();
    loop {
        let filter = Filter { categories: vec![WorkflowEvent::CATEGORY.into()], ..Filter::default() };
        let mut events = log.subscribe(TenantScope::All, listing.position(), filter, QUEUE_EVENTS_MAX);
        let pause = tokio::select! {
            pause = fold(&directory, &mut listing, &mut events) => pause,
            () = closing.cancelled() => return,
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = closing.cancelled() => return,
        }
    }
}

/// Folds what a subscription brings until it ends. The answer is how long to wait before the next one.
async fn fold(directory: &Directory, listing: &mut Listing, events: &mut Subscription) -> Duration {
    while let Some(message) = events.next().await {
        let (mut next, mut ended) = (Some(message), None);
        while let Some(message) = next {
            match message {
                SubscriptionMessage::Event(event) => listing.apply(&event),
                SubscriptionMessage::Checkpoint(position) => listing.passed(position),
                SubscriptionMessage::CaughtUp(position) => listing.caught_up_at(position),
                SubscriptionMessage::FellBehind(_) => ended = Some(Duration::ZERO),
                SubscriptionMessage::Failed(error) => {
                    tracing::error!(%error, "the directory of workflows cannot read the log: it tries again");
                    ended = Some(RETRY_AFTER);
                }
            }
            next = events.try_next();
        }
        // Nobody is told of history half-way: what was active once is not what is active.
        if listing.is_caught_up() {
            directory.inner.listing.send_replace(Arc::new(listing.clone()));
        }
        if let Some(pause) = ended {
            return pause;
        }
    }
    RETRY_AFTER
}
