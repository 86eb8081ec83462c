//! Who has access, at a glance: a live fold of accounts, tenants and the sessions of the last hours.
//!
//! It never changes anything. What [`AccessDirectory::now`] gives is a moment that stays as it is; whoever needs what an
//! append brought waits for its position first. An account with an event that this build does not know lets nobody in
//! from then on: what was taken from it is not known.

mod entry;
mod listing;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use timeloom_domain::account::AccountEvent;
use timeloom_domain::event::Event as _;
use timeloom_domain::session::{SESSION_TIME_MAX_MS, SessionEvent};
use timeloom_domain::subject::SubjectEvent;
use timeloom_domain::tenant::TenantEvent;
use timeloom_store::{
    Direction, EventLog, Filter, LogError, Position, READ_EVENTS_MAX, SubscriptionMessage, TenantScope,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use entry::{AccountEntry, KeyEntry, SessionEntry, TenantEntry};
pub use listing::AccessListing;

use crate::Clock;

/// Events that may wait to be folded.
const QUEUE_EVENTS_MAX: usize = 1_024;
/// Events after which data is gone: the key is destroyed between the two.
const ERASURE_TYPES: [&str; 2] = ["SubjectErased", "ErasureCompleted"];
/// Pause before a log that failed is asked again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Who has access to one log. Cheap to clone.
#[derive(Clone)]
pub struct AccessDirectory {
    inner: Arc<Inner>,
}

struct Inner {
    listing: watch::Sender<Arc<AccessListing>>,
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl fmt::Debug for AccessDirectory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AccessDirectory").field("position", &self.now().position()).finish_non_exhaustive()
    }
}

impl AccessDirectory {
    /// The directory of `log`, which it follows until it is closed. Must be called within a runtime.
    pub(super) fn follow(log: Arc<dyn EventLog>, clock: Arc<dyn Clock>) -> Self {
        let (listing, _) = watch::channel(Arc::default());
        let inner = Arc::new(Inner { listing, closing: CancellationToken::new(), tasks: TaskTracker::new() });
        let directory = Self { inner };
        directory.inner.tasks.spawn(follow(directory.clone(), log, clock));
        directory.inner.tasks.close();
        directory
    }

    /// Who has access as it is known now. Before it is caught up, nobody.
    pub fn now(&self) -> Arc<AccessListing> {
        Arc::clone(&self.inner.listing.borrow())
    }

    /// Tells of every change; the first look brings what is known now.
    pub fn changes(&self) -> watch::Receiver<Arc<AccessListing>> {
        self.inner.listing.subscribe()
    }

    /// Waits until it has seen everything that was in the log when it began.
    ///
    /// # Errors
    /// [`LogError::Closed`] when it is closed before.
    pub async fn caught_up(&self) -> Result<Arc<AccessListing>, LogError> {
        self.wait_for(Position::START).await
    }

    /// Waits until it has seen the event of an account, a session or a tenant at `position`.
    ///
    /// # Errors
    /// [`LogError::Closed`] when it is closed before.
    pub async fn wait_for(&self, position: Position) -> Result<Arc<AccessListing>, LogError> {
        let mut changes = self.changes();
        tokio::select! {
            found = changes.wait_for(|listing| listing.is_caught_up() && listing.position() >= position) => {
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

    fn tell(&self, listing: &AccessListing) {
        self.inner.listing.send_replace(Arc::new(listing.clone()));
    }
}

/// Folds the log into the listing until the directory is closed.
async fn follow(directory: AccessDirectory, log: Arc<dyn EventLog>, clock: Arc<dyn Clock>) {
    let closing = directory.inner.closing.clone();
    let work = async {
        let mut listing = AccessListing::default();
        loop {
            let ended = if listing.is_caught_up() {
                go_on(&directory, &mut listing, &*log).await
            } else {
                begin(&directory, &mut listing, &*log, &*clock).await
            };
            if let Err(error) = ended {
                tracing::error!(%error, "the directory of accounts cannot read the log: it tries again");
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = closing.cancelled() => {}
    }
}

/// Reads what happened so far. Of sessions only those that may still let in: there are many, and none lives for long.
async fn begin(
    directory: &AccessDirectory,
    listing: &mut AccessListing,
    log: &dyn EventLog,
    clock: &dyn Clock,
) -> Result<(), LogError> {
    *listing = AccessListing::default();
    let head = log.head();
    let accounts = vec![AccountEvent::CATEGORY.into(), TenantEvent::CATEGORY.into()];
    read(listing, log, (Position::START, head), accounts).await?;
    let since_us = clock.now_ms().saturating_sub(SESSION_TIME_MAX_MS).saturating_mul(1_000);
    let since = log.position_at(since_us.max(0)).await?;
    read(listing, log, (since, head), vec![SessionEvent::CATEGORY.into()]).await?;
    listing.caught_up_at(head);
    directory.tell(listing);
    Ok(())
}

/// Folds the events of `categories` after the first position, up to the second.
async fn read(
    listing: &mut AccessListing,
    log: &dyn EventLog,
    (mut after, head): (Position, Position),
    categories: Vec<Arc<str>>,
) -> Result<(), LogError> {
    let filter = Filter { categories, ..Filter::default() };
    loop {
        let page = log.read_all(TenantScope::All, after, Direction::Forward, &filter, READ_EVENTS_MAX).await?;
        let is_last = page.len() < READ_EVENTS_MAX;
        for event in page {
            if event.position > head {
                return Ok(());
            }
            after = event.position;
            listing.apply(&event);
        }
        if is_last {
            return Ok(());
        }
    }
}

/// Folds what happens from where the listing is.
async fn go_on(directory: &AccessDirectory, listing: &mut AccessListing, log: &dyn EventLog) -> Result<(), LogError> {
    let categories = [AccountEvent::CATEGORY, SessionEvent::CATEGORY, TenantEvent::CATEGORY, SubjectEvent::CATEGORY];
    let categories = categories.into_iter().map(Into::into).collect();
    let filter = Filter { categories, ..Filter::default() };
    let mut events = log.subscribe(TenantScope::All, listing.position(), filter, QUEUE_EVENTS_MAX);
    while let Some(message) = events.next().await {
        let mut next = Some(message);
        while let Some(message) = next {
            match message {
                SubscriptionMessage::Event(event) if *event.stream.category == *SubjectEvent::CATEGORY => {
                    if ERASURE_TYPES.contains(&&*event.event_type) {
                        // What is held in memory of an erased account goes as well: it is read again.
                        *listing = AccessListing::default();
                        return Ok(());
                    }
                    listing.passed(event.position);
                }
                SubscriptionMessage::Event(event) => listing.apply(&event),
                SubscriptionMessage::Checkpoint(position) | SubscriptionMessage::CaughtUp(position) => {
                    listing.passed(position);
                }
                SubscriptionMessage::FellBehind(_) => return Ok(()),
                SubscriptionMessage::Failed(error) => return Err(error),
            }
            next = events.try_next();
        }
        directory.tell(listing);
    }
    Err(LogError::Closed)
}
