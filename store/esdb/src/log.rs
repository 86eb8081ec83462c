//! The log: hands appends to the writer and everything else to the replica.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use timeloom_store::admission::measure;
use timeloom_store::queue::QueuedBytes;
use timeloom_store::{
    Append, AppendError, Appended, Clock, Direction, EventLog, Filter, FollowedClock, LogError, Position,
    RecordedEvent, Replica, Revision, StreamKey, Subscription, TenantScope, Wanted,
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::blobs::EsdbBlobs;
use crate::error::EsdbError;
use crate::follower::{Follower, Waiting};
use crate::row::Row;
use crate::server::Server;
use crate::writer::{QUEUE_MAX, RETRY_AFTER, Request, Writer};

/// Name of the log's stream on the server.
pub(crate) const STREAM: &str = "timeloom_log-main";

/// How to open a log on a server.
#[derive(Clone)]
pub struct EsdbOptions {
    /// The server, as `esdb://NAME:PASSWORD@host:port?tls=false`.
    pub address: String,
    /// Where times come from.
    pub clock: Arc<dyn Clock>,
}

impl fmt::Debug for EsdbOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address has a password.
        formatter.debug_struct("EsdbOptions").finish_non_exhaustive()
    }
}

/// An [`EventLog`] on a server. Appends are as safe as the server keeps them; everything else is answered by the replica.
pub struct EsdbLog {
    replica: Arc<dyn Replica>,
    queue: mpsc::Sender<Request>,
    queued_bytes: QueuedBytes,
    state: Arc<State>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Why the log goes on no more, where it does not.
#[derive(Debug, Default)]
pub(crate) struct State(Mutex<Option<LogError>>);

impl State {
    pub(crate) fn fail(&self, error: LogError) {
        self.lock().get_or_insert(error);
    }

    pub(crate) fn check(&self) -> Result<(), LogError> {
        self.lock().clone().map_or(Ok(()), Err)
    }

    fn lock(&self) -> MutexGuard<'_, Option<LogError>> {
        // Nothing in a critical section can fail.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for EsdbLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EsdbLog").field("head", &self.head()).finish_non_exhaustive()
    }
}

impl EsdbLog {
    /// Opens the log on the server, with a replica that has nothing or follows this very log, and whose clock is `followed`.
    /// Returns when the replica has what the server had.
    ///
    /// # Errors
    /// [`EsdbError`], whose message says what to do.
    pub async fn open(
        options: EsdbOptions,
        replica: Arc<dyn Replica>,
        followed: Arc<FollowedClock>,
    ) -> Result<(Arc<Self>, EsdbBlobs), EsdbError> {
        let server = Server::connect(&options.address)?;
        let blobs = EsdbBlobs::new(server.clone());
        check_same(&server, &*replica).await?;
        let head = server.last(STREAM).await?.map_or(0, |last| last.get_original_event().revision + 1);
        let (state, waiting) = (Arc::<State>::default(), Arc::<Waiting>::default());
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let follower = Follower {
            server: server.clone(),
            blobs: blobs.clone(),
            replica: Arc::clone(&replica),
            clock: followed,
            waiting: Arc::clone(&waiting),
            state: Arc::clone(&state),
        };
        tasks.spawn(follower.run(stop.clone()));
        let (queue, requests) = mpsc::channel(QUEUE_MAX);
        let writer =
            Writer::new(server, blobs.clone(), Arc::clone(&replica), options.clock, waiting, Arc::clone(&state));
        tasks.spawn(writer.run(requests, stop.clone()));
        let log = Arc::new(Self { replica, queue, queued_bytes: QueuedBytes::default(), state, stop, tasks });
        log.caught_up(Position(head)).await?;
        Ok((log, blobs))
    }

    /// Waits until the replica has the server's events up to `head`.
    async fn caught_up(&self, head: Position) -> Result<(), LogError> {
        tokio::select! {
            reached = self.replica.wait_for(head) => reached,
            () = self.stop.cancelled() => Err(LogError::Closed),
            error = failed(&self.state) => Err(error),
        }
    }

    /// Refuses appends from now on, and follows the server no more. The replica is closed by whoever opened it.
    pub async fn close(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// The error with which the log stopped, once it did.
async fn failed(state: &State) -> LogError {
    /// How often it is looked for while a log is opened.
    const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(50);
    loop {
        if let Err(error) = state.check() {
            return error;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl Drop for EsdbLog {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Refuses a replica whose newest event is not the server's at that place.
async fn check_same(server: &Server, replica: &dyn Replica) -> Result<(), EsdbError> {
    let head = replica.head();
    let Some(revision) = head.0.checked_sub(1) else { return Ok(()) };
    let newest = Wanted::Positions(vec![head]);
    let ours = replica.look_up(TenantScope::All, &newest).await?.pop();
    let theirs = server.read(STREAM, revision, 1).await?.pop();
    let theirs = theirs.map(|event| Row::from_server(event.get_original_event())).transpose()?;
    match (ours, theirs) {
        (Some(ours), Some(theirs)) if ours.id == theirs.event.id => Ok(()),
        _ => Err(EsdbError::OtherLog { position: head }),
    }
}

#[async_trait]
impl EventLog for EsdbLog {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let measured = measure(&append)?;
        self.state.check()?;
        let busy = AppendError::Unavailable { retry_after: RETRY_AFTER };
        let Some(held) = self.queued_bytes.hold(measured.held_bytes()) else { return Err(busy) };
        let (answer, answered) = oneshot::channel();
        let request = Request { append, bytes: measured.bytes, _held: held, answer };
        self.queue.try_send(request).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => busy,
            mpsc::error::TrySendError::Closed(_) => LogError::Closed.into(),
        })?;
        answered.await.map_err(|_| LogError::Closed)?
    }

    async fn read_stream(
        &self,
        stream: &StreamKey,
        after: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.replica.read_stream(stream, after, direction, limit).await
    }

    async fn read_all(
        &self,
        scope: TenantScope,
        after: Position,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.replica.read_all(scope, after, direction, filter, limit).await
    }

    async fn look_up(&self, scope: TenantScope, wanted: &Wanted) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.replica.look_up(scope, wanted).await
    }

    fn subscribe(&self, scope: TenantScope, after: Position, filter: Filter, capacity: usize) -> Subscription {
        self.replica.subscribe(scope, after, filter, capacity)
    }

    fn head(&self) -> Position {
        self.replica.head()
    }

    async fn wait_for(&self, position: Position) -> Result<(), LogError> {
        tokio::select! {
            reached = self.replica.wait_for(position) => reached,
            () = self.stop.cancelled() => Err(LogError::Closed),
        }
    }

    async fn position_at(&self, time_us: i64) -> Result<Position, LogError> {
        self.replica.position_at(time_us).await
    }
}
