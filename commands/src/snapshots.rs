//! Writes snapshots behind the commands' back. No command ever waits for one: what finds the queue full is not written.

use std::sync::Arc;

use timeloom_store::{FoldHash, LogError, Snapshot, SnapshotError, SnapshotPlace, SnapshotStore, StreamKey};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Writes a state down.
type Write = Box<dyn FnOnce() -> serde_json::Result<Vec<u8>> + Send>;

enum Message {
    Save(SnapshotPlace, FoldHash, Write),
    Forget(StreamKey),
    Scrub(oneshot::Sender<Result<(), SnapshotError>>),
}

/// The one task that writes snapshots, and the way to it.
pub(crate) struct SnapshotWriter {
    store: Arc<dyn SnapshotStore>,
    queue: mpsc::Sender<Message>,
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl SnapshotWriter {
    /// A writer for whom at most so many snapshots wait. Must be called within a runtime.
    pub(crate) fn new(store: Arc<dyn SnapshotStore>, queued_max: usize) -> Self {
        let (queue, messages) = mpsc::channel(queued_max.max(1));
        let (closing, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(write(Arc::clone(&store), messages, closing.clone()));
        tasks.close();
        Self { store, queue, closing, tasks }
    }

    /// The snapshot of `stream`; `None` as well when it cannot be read: the log has everything.
    pub(crate) async fn load(&self, stream: &StreamKey, fold_hash: FoldHash) -> Option<Snapshot> {
        self.store.load(stream, fold_hash).await.unwrap_or_else(|error| {
            tracing::warn!(%stream, %error, "a snapshot was not read: the stream is folded from its start");
            None
        })
    }

    /// Lets a snapshot be written when its turn comes.
    pub(crate) fn save(
        &self,
        place: SnapshotPlace,
        fold_hash: FoldHash,
        write: impl FnOnce() -> serde_json::Result<Vec<u8>> + Send + 'static,
    ) {
        self.offer(Message::Save(place, fold_hash, Box::new(write)));
    }

    /// Lets the snapshots of a stream be dropped when their turn comes.
    pub(crate) fn forget(&self, stream: &StreamKey) {
        self.offer(Message::Forget(stream.clone()));
    }

    /// Drops all snapshots, those that wait to be written too, so that nothing is left of them.
    pub(crate) async fn scrub(&self) -> Result<(), LogError> {
        let (done, scrubbed) = oneshot::channel();
        self.queue.send(Message::Scrub(done)).await.map_err(|_| LogError::Closed)?;
        scrubbed.await.map_err(|_| LogError::Closed)?.map_err(LogError::storage)
    }

    fn offer(&self, message: Message) {
        if self.queue.try_send(message).is_err() {
            tracing::debug!("a snapshot was not written: others wait already");
        }
    }

    /// Writes what waits, and no more.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        self.tasks.wait().await;
    }
}

async fn write(store: Arc<dyn SnapshotStore>, mut messages: mpsc::Receiver<Message>, closing: CancellationToken) {
    loop {
        let message = tokio::select! {
            biased;
            message = messages.recv() => message,
            // Looked at last: what waits is written first.
            () = closing.cancelled() => None,
        };
        let result = match message {
            None => return,
            Some(Message::Forget(stream)) => store.forget(&stream).await,
            Some(Message::Scrub(done)) => {
                // Whoever asked may have gone.
                let _ = done.send(store.scrub().await);
                continue;
            }
            Some(Message::Save(place, fold_hash, write)) => {
                let stream = place.stream.clone();
                let sealed = tokio::task::spawn_blocking(move || {
                    write().map(|state| Snapshot::new(place, fold_hash, state.into()))
                });
                match sealed.await {
                    Ok(Ok(snapshot)) => store.save(snapshot).await,
                    Ok(Err(error)) => {
                        tracing::warn!(%stream, %error, "a state cannot be written down as a snapshot");
                        continue;
                    }
                    Err(error) => {
                        tracing::warn!(%stream, %error, "writing a snapshot was torn down");
                        continue;
                    }
                }
            }
        };
        if let Err(error) = result {
            tracing::warn!(%error, "a snapshot was not written: its stream is read from further back");
        }
    }
}
