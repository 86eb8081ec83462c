//! A fold of the log that goes on by itself: what some kinds of things are like right now, at a glance.
//!
//! It never changes anything. What [`Live::now`] gives is a moment that stays as it is; whoever needs what an append brought
//! waits for its position first.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use timeloom_store::{
    EventLog, Filter, LogError, Position, RecordedEvent, Subscription, SubscriptionMessage, TenantScope,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Events that may wait to be folded.
const QUEUE_EVENTS_MAX: usize = 1_024;
/// Pause before a log that failed is asked again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What is folded. Clones are cheap: one is made for every change that is told.
pub trait Listing: Clone + Default + Send + Sync + 'static {
    /// What it lists, for those who read log lines.
    const NAME: &'static str;

    /// The categories whose events it folds.
    fn categories() -> Vec<Arc<str>>;

    /// Up to where it has folded.
    fn position(&self) -> Position;

    /// Whether everything is in it that was in the log when it began.
    fn is_caught_up(&self) -> bool;

    /// Folds one event in.
    fn apply(&mut self, event: &RecordedEvent);

    /// Nothing of its concern happened up to `position`.
    fn passed(&mut self, position: Position);

    /// It has seen everything that was in the log when it began.
    fn caught_up_at(&mut self, position: Position);
}

/// A listing that follows a log. Cheap to clone.
pub struct Live<L> {
    inner: Arc<Inner<L>>,
}

struct Inner<L> {
    listing: watch::Sender<Arc<L>>,
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl<L> Clone for Live<L> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<L: Listing> fmt::Debug for Live<L> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct(L::NAME).field("position", &self.now().position()).finish_non_exhaustive()
    }
}

impl<L: Listing> Live<L> {
    /// The listing of `log`, which it follows until it is closed. Must be called within a runtime.
    pub fn follow(log: Arc<dyn EventLog>) -> Self {
        let (listing, _) = watch::channel(Arc::default());
        let inner = Arc::new(Inner { listing, closing: CancellationToken::new(), tasks: TaskTracker::new() });
        let live = Self { inner };
        live.inner.tasks.spawn(follow(live.clone(), log));
        live.inner.tasks.close();
        live
    }

    /// What is known now.
    pub fn now(&self) -> Arc<L> {
        Arc::clone(&self.inner.listing.borrow())
    }

    /// Tells of every change; the first look brings what is known now.
    pub fn changes(&self) -> watch::Receiver<Arc<L>> {
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
    pub async fn caught_up(&self) -> Result<Arc<L>, LogError> {
        self.wait(L::is_caught_up).await
    }

    /// Waits until it has seen the event of its concern at `position`, or a later one.
    ///
    /// # Errors
    /// [`LogError::Closed`] when it is closed before.
    pub async fn wait_for(&self, position: Position) -> Result<Arc<L>, LogError> {
        self.wait(|listing| listing.is_caught_up() && listing.position() >= position).await
    }

    async fn wait(&self, reached: impl Fn(&L) -> bool) -> Result<Arc<L>, LogError> {
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

/// Folds the log into the listing until it is closed.
async fn follow<L: Listing>(live: Live<L>, log: Arc<dyn EventLog>) {
    let closing = live.inner.closing.clone();
    let mut listing = L::default();
    loop {
        let filter = Filter { categories: L::categories(), ..Filter::default() };
        let mut events = log.subscribe(TenantScope::All, listing.position(), filter, QUEUE_EVENTS_MAX);
        let pause = tokio::select! {
            pause = fold(&live, &mut listing, &mut events) => pause,
            () = closing.cancelled() => return,
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = closing.cancelled() => return,
        }
    }
}

/// Folds what a subscription brings until it ends. The answer is how long to wait before the next one.
async fn fold<L: Listing>(live: &Live<L>, listing: &mut L, events: &mut Subscription) -> Duration {
    while let Some(message) = events.next().await {
        let (mut next, mut ended) = (Some(message), None);
        while let Some(message) = next {
            match message {
                SubscriptionMessage::Event(event) => listing.apply(&event),
                SubscriptionMessage::Checkpoint(position) => listing.passed(position),
                SubscriptionMessage::CaughtUp(position) => listing.caught_up_at(position),
                SubscriptionMessage::FellBehind(_) => ended = Some(Duration::ZERO),
                SubscriptionMessage::Failed(error) => {
                    tracing::error!(%error, listing = L::NAME, "a live listing cannot read the log: it tries again");
                    ended = Some(RETRY_AFTER);
                }
            }
            next = events.try_next();
        }
        // Nobody is told of history half-way: what was so once is not what is so.
        if listing.is_caught_up() {
            live.inner.listing.send_replace(Arc::new(listing.clone()));
        }
        if let Some(pause) = ended {
            return pause;
        }
    }
    RETRY_AFTER
}
