//! The live end of a log: committed batches go to subscribers and waiters in memory, never by reading again.
//!
//! A subscriber that is behind reads history from storage at its own pace, then is handed over under one lock, so that no
//! event is missed or brought twice. A live subscriber whose queue is full, by messages or by bytes, is told so and let
//! go; it never holds up the writer.

mod budget;
mod feed;
mod live;
mod state;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use self::budget::Spent;
use self::live::{Live, Outlet};
use self::state::State;
use crate::envelope::{Position, RecordedEvent, StreamKey};
use crate::log::{Filter, LogError, Subscription, SubscriptionMessage, TenantScope};

/// Most messages in one subscriber's queue, whatever it asks for.
pub const SUBSCRIPTION_CAPACITY_MAX: usize = 1 << 16;
/// Bytes of payload in one subscriber's queue; one event that is larger has the queue for itself.
pub const SUBSCRIPTION_BYTES_MAX: usize = 16 << 20;
/// Most recent events kept in memory, so that a subscriber a moment behind needs no storage.
const RECENT_EVENTS_MAX: usize = 4_096;
/// Most bytes of payload kept in memory with them.
const RECENT_BYTES_MAX: usize = 8 << 20;
/// A subscriber whose filter skips this many events hears how far the log is.
const CHECKPOINT_EVENTS: u64 = 256;

/// Events of history that pass a filter, and how far they were looked for.
#[derive(Debug)]
pub struct HistoryPage {
    /// The events, oldest first.
    pub events: Vec<Arc<RecordedEvent>>,
    /// Every event up to and with this position was looked at.
    pub looked_at: Position,
}

/// Storage that a subscription reads before it is live.
#[async_trait]
pub trait History: Send + Sync + 'static {
    /// Events after `after` and up to `up_to` that pass the filter. `looked_at` of the page is greater than `after`.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn page(
        &self,
        scope: TenantScope,
        after: Position,
        up_to: Position,
        filter: &Filter,
        limit: usize,
    ) -> Result<HistoryPage, LogError>;
}

/// The live end of one log.
pub struct Tail {
    head: AtomicU64,
    next_subscriber: AtomicU64,
    state: Mutex<State>,
    feeds: TaskTracker,
    closing: CancellationToken,
}

impl fmt::Debug for Tail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tail").field("head", &self.head()).finish_non_exhaustive()
    }
}

impl Tail {
    /// The tail of a log whose newest event is at `head`.
    pub fn new(head: Position) -> Arc<Self> {
        Arc::new(Self {
            head: AtomicU64::new(head.0),
            next_subscriber: AtomicU64::new(0),
            state: Mutex::new(State::new(head)),
            feeds: TaskTracker::new(),
            closing: CancellationToken::new(),
        })
    }

    /// Position of the newest visible event.
    pub fn head(&self) -> Position {
        Position(self.head.load(Ordering::Acquire))
    }

    /// Position of the newest visible event of a category; of one that has none since the tail began, where it began.
    pub fn newest_of(&self, category: &str) -> Position {
        self.lock().newest_of(category)
    }

    /// Whether [`Self::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Makes committed events visible. They must follow the head without a gap, and only the log's writer may call it.
    pub fn publish(&self, events: &[Arc<RecordedEvent>]) {
        let Some(last) = events.last() else { return };
        let mut state = self.lock();
        state.deliver(events);
        // Subscribers have it before `head` says so: who sees the head may rely on the tail.
        self.head.store(last.position.0, Ordering::Release);
        state.wake_waiters(last.position);
    }

    /// Events after `after` and then live ones; `history` is read when they are not in memory any more.
    pub fn subscribe(
        self: &Arc<Self>,
        history: &Arc<dyn History>,
        scope: TenantScope,
        after: Position,
        filter: Filter,
        capacity: usize,
    ) -> Subscription {
        // One slot more than asked for is kept for the last message, so that a full queue still ends with its reason.
        let (sender, receiver) = mpsc::channel(capacity.clamp(2, SUBSCRIPTION_CAPACITY_MAX) + 1);
        let id = self.next_subscriber.fetch_add(1, Ordering::Relaxed);
        let (budget, spent) = budget::budget();
        let registration = Registration { tail: Arc::downgrade(self), stream: filter.stream.clone(), id };
        let subscription = Subscription::registered(receiver, spent, registration);
        let outlet = Outlet { sender, budget };
        let Some(live) = Live::new(id, outlet, scope, filter, after) else { return subscription };
        if let Err(behind) = self.attach(live) {
            self.spawn_feed(Arc::clone(history), behind);
        }
        subscription
    }

    /// Waits until the head is at least `position`.
    ///
    /// # Errors
    /// [`LogError::Closed`] when the log is closed before.
    pub async fn wait_for(&self, position: Position) -> Result<(), LogError> {
        if self.head() >= position {
            return Ok(());
        }
        let reached = {
            let mut state = self.lock();
            if self.head() >= position {
                return Ok(());
            }
            if self.is_closed() {
                return Err(LogError::Closed);
            }
            let (sender, receiver) = oneshot::channel();
            state.add_waiter(position, sender);
            receiver
        };
        reached.await.map_err(|_| LogError::Closed)
    }

    /// Ends every subscription and every wait.
    pub fn close(&self) {
        let mut state = self.lock();
        self.closing.cancel();
        state.clear();
        self.feeds.close();
    }

    /// Waits until no subscription reads history any more; call [`Self::close`] before.
    pub async fn closed(&self) {
        self.feeds.wait().await;
    }

    /// How many subscribers are live now.
    pub fn subscriber_count(&self) -> usize {
        self.lock().subscriber_count()
    }

    /// Makes `live` live; gives it back when what it has not seen is not in memory or does not fit its queue.
    fn attach(&self, live: Live) -> Result<(), Box<Live>> {
        let mut state = self.lock();
        if self.is_closed() { Ok(()) } else { state.attach(live) }
    }

    fn spawn_feed(self: &Arc<Self>, history: Arc<dyn History>, behind: Box<Live>) {
        match Handle::try_current() {
            Ok(runtime) => {
                let feed = feed::feed(Arc::clone(self), history, behind, self.closing.clone());
                self.feeds.spawn_on(feed, &runtime);
            }
            Err(error) => behind.end(SubscriptionMessage::Failed(LogError::storage(error))),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in a critical section can fail half-way and leave a state that the next holder cannot use.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A subscriber's place in a tail; dropping it gives the place up.
pub(crate) struct Registration {
    tail: std::sync::Weak<Tail>,
    stream: Option<StreamKey>,
    id: u64,
}

impl fmt::Debug for Registration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Registration").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(tail) = self.tail.upgrade() {
            tail.lock().remove(self.stream.as_ref(), self.id);
        }
    }
}
