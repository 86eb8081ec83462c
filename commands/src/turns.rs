//! Turns at a stream that several commands of this process want to append to at the same time.
//!
//! Commands decide and append without waiting for each other, and mostly they may: one stream has one writer. Where one meets
//! a conflict, the stream is contended, and as long as it is, commands on it go one after the other in the order in which they
//! came. So each of them gets through; without turns, the one that is slower than the others would lose to them again and again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use timeloom_store::StreamKey;
use tokio::sync::OwnedMutexGuard;

type Queue = Arc<tokio::sync::Mutex<()>>;

/// The contended streams, and who is next at each.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    queues: Mutex<HashMap<StreamKey, Queue>>,
}

impl Turns {
    fn queues(&self) -> MutexGuard<'_, HashMap<StreamKey, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn at a stream if it is contended.
    pub(crate) async fn if_contended<'t>(&'t self, stream: &StreamKey) -> Option<Turn<'t>> {
        let queue = self.queues().get(stream).map(Arc::clone)?;
        Some(self.wait(stream, queue).await)
    }

    /// Waits for a turn at a stream, which is contended from now on.
    pub(crate) async fn take<'t>(&'t self, stream: &StreamKey) -> Turn<'t> {
        let queue = Arc::clone(self.queues().entry(stream.clone()).or_default());
        self.wait(stream, queue).await
    }

    async fn wait<'t>(&'t self, stream: &StreamKey, queue: Queue) -> Turn<'t> {
        // Made before the wait: whoever gives up while waiting leaves nothing behind.
        let mut turn = Turn { turns: self, stream: stream.clone(), held: None };
        turn.held = Some(queue.lock_owned().await);
        turn
    }
}

/// A turn at a stream. Dropped, it is the next one's.
pub(crate) struct Turn<'t> {
    turns: &'t Turns,
    stream: StreamKey,
    held: Option<OwnedMutexGuard<()>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut queues = self.turns.queues();
        drop(self.held.take());
        // Counted under the lock, under which others join: one is the map's own.
        if queues.get(&self.stream).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            queues.remove(&self.stream);
        }
    }
}
