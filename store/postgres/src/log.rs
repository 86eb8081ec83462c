//! The log in a database: opens it, hands appends to the writer and reads to the readers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::Pool;
use timeloom_store::admission::{Measured, answer_again, measure};
use timeloom_store::archive::{NoSegments, Segments};
use timeloom_store::queue::{Held, QueuedBytes};
use timeloom_store::spill::References;
use timeloom_store::tail::{History, Tail};
use timeloom_store::{
    Append, AppendError, Appended, Clock, Direction, Durability, DurabilityChoice, EventLog, Filter, LogError,
    Position, READ_EVENTS_MAX, RecordedEvent, Revision, StreamKey, Subscription, TenantScope, Wanted,
};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::blobs::PostgresBlobs;
use crate::connect::Address;
use crate::error::{OpenError, PostgresError};
use crate::payloads::{restore, spill};
use crate::readers::{self, Readers};
use crate::schema::{self, Meta};
use crate::writer::{Answer, Message, OUTAGE_MAX, Request, Settings, Writer};

/// Most appends that wait for the writer.
const QUEUE_REQUESTS_MAX: usize = 4_096;
/// When to try again after the queue was full.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// How to open a log.
pub struct PostgresOptions {
    /// Id of the log if it is made now; an existing log keeps its own.
    pub log_id: Uuid,
    /// Where times come from.
    pub clock: Arc<dyn Clock>,
    /// What appends survive. Of a relaxed choice the database's own settings say how long its moments are.
    pub durability: DurabilityChoice,
    /// What has the rows that were dropped.
    pub segments: Arc<dyn Segments>,
}

impl PostgresOptions {
    /// A log whose acknowledged appends are on the database's disk.
    pub fn new(log_id: Uuid, clock: Arc<dyn Clock>) -> Self {
        Self { log_id, clock, durability: DurabilityChoice::Strict, segments: Arc::new(NoSegments) }
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PostgresOptions").field("log_id", &self.log_id).finish_non_exhaustive()
    }
}

/// An [`EventLog`] in a schema of a PostgreSQL database. Other processes may have the same log open.
pub struct PostgresLog {
    meta: Meta,
    address: Address,
    queue: mpsc::Sender<Message>,
    queued_bytes: QueuedBytes,
    tail: Arc<Tail>,
    readers: Readers,
    history: Arc<dyn History>,
    pool: Pool,
    tasks: TaskTracker,
}

impl fmt::Debug for PostgresLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PostgresLog")
            .field("address", &self.address)
            .field("tail", &self.tail)
            .finish_non_exhaustive()
    }
}

impl PostgresLog {
    /// Opens the log at `address`, making its tables if there are none, and the blobs beside it. To be called within a
    /// tokio runtime, which must live as long as the log.
    ///
    /// # Errors
    /// [`OpenError`], whose message says what to do.
    pub async fn open(
        address: &Address,
        options: PostgresOptions,
    ) -> Result<(Arc<Self>, Arc<PostgresBlobs>), OpenError> {
        let tasks = TaskTracker::new();
        let failed = |error: PostgresError| OpenError::Database { address: address.to_string(), error };
        let mut connection = address.connect(&tasks).await.map_err(|error| failed(error.into()))?;
        let meta = schema::prepare(&mut connection.client, address, options.log_id, false).await?;
        if meta.unfinished {
            return Err(OpenError::UnfinishedCopy { address: address.to_string() });
        }
        // From here on nothing is missed: what is not at the head that is read now is announced.
        schema::prepare_writer(&connection.client, &meta).await.map_err(|error| failed(error.into()))?;
        let loss_ms_max = schema::loss_ms_max(&connection.client).await.map_err(failed)?;
        let (head, _) = readers::head(&connection.client).await.map_err(|error| failed(error.into()))?;
        let pool = address.pool().map_err(|error| failed(PostgresError::Other(error.to_string())))?;
        let readers = Readers::new(pool.clone(), options.segments, true);
        let blobs = Arc::new(readers.blobs().clone());
        let tail = Tail::new(head);
        let (queue, requests) = mpsc::channel(QUEUE_REQUESTS_MAX);
        let settings = Settings {
            address: address.clone(),
            meta: meta.clone(),
            clock: options.clock,
            durability: options.durability,
            loss_ms_max,
            tasks: tasks.clone(),
        };
        let writer = Writer::new(settings, connection, Arc::clone(&tail), readers.clone());
        tasks.spawn(writer.run(requests));
        let log = Self {
            meta,
            address: address.clone(),
            queue,
            queued_bytes: QueuedBytes::default(),
            tail,
            history: Arc::new(readers.clone()),
            readers,
            pool,
            tasks,
        };
        Ok((Arc::new(log), blobs))
    }

    /// The id that the log was given when it was made.
    pub fn log_id(&self) -> Uuid {
        self.meta.log_id
    }

    /// Where the log is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The connections for reads.
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) fn readers(&self) -> &Readers {
        &self.readers
    }

    /// How many subscribers are live now.
    pub fn subscriber_count(&self) -> usize {
        self.tail.subscriber_count()
    }

    /// Finishes the appends that wait, refuses new ones, ends every subscription and closes the connections.
    pub async fn close(&self) {
        let (closer, closed) = oneshot::channel();
        if self.queue.send(Message::Close(closer)).await.is_ok() {
            // An error is the writer's end as well.
            let _ = closed.await;
        }
        self.readers.close();
        self.tail.close();
        self.tail.closed().await;
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Puts the payloads that spill into blobs, waiting for a database that is out of reach as appends do. An append that
    /// is refused later leaves blobs that nothing names.
    async fn spill(&self, append: &Append, measured: &Measured) -> Result<References, AppendError> {
        if measured.spilled_bytes == 0 {
            return Ok(References::default());
        }
        let give_up = Instant::now() + OUTAGE_MAX;
        loop {
            match spill(self.readers.blobs(), &append.events).await {
                Err(LogError::Storage(error)) if is_outage(&*error) => {
                    if Instant::now() >= give_up {
                        return Err(AppendError::Unavailable { retry_after: RETRY_AFTER });
                    }
                    tokio::time::sleep(RETRY_AFTER).await;
                }
                spilled => return Ok(spilled?),
            }
        }
    }
}

fn is_outage(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let failure = error.downcast_ref::<PostgresError>();
    matches!(failure, Some(PostgresError::Unreachable(_) | PostgresError::Busy(_)))
}

impl Drop for PostgresLog {
    fn drop(&mut self) {
        // The writer ends with the last sender, after what waits; subscribers end now.
        self.tail.close();
        self.pool.close();
    }
}

#[async_trait]
impl EventLog for PostgresLog {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let measured = measure(&append)?;
        let busy = AppendError::Unavailable { retry_after: RETRY_AFTER };
        if self.queue.is_closed() {
            return Err(LogError::Closed.into());
        }
        let held: Held = self.queued_bytes.hold(measured.held_bytes()).ok_or_else(|| busy.clone())?;
        let references = self.spill(&append, &measured).await?;
        let (answer, answered) = oneshot::channel();
        let request = Request { append, measured, references, _held: held, answer };
        self.queue.try_send(Message::Append(Box::new(request))).map_err(|refused| match refused {
            TrySendError::Full(_) => busy,
            TrySendError::Closed(_) => LogError::Closed.into(),
        })?;
        let mut appended = match answered.await.map_err(|_| LogError::Closed)? {
            Answer::Given(answer) => answer?,
            Answer::InArchive { append, references, first, last } => {
                let positions: Vec<Position> = (first.0..=last.0).map(Position).collect();
                let recorded = self.readers.at(&positions).await?;
                let stored = references.stored_events(&append.events);
                answer_again(stored.as_deref().unwrap_or(&append.events), recorded, Durability::Strict)?
            }
        };
        if appended.repeated {
            appended.events = restore(self.readers.blobs(), appended.events).await?;
        }
        Ok(appended)
    }

    async fn read_stream(
        &self,
        stream: &StreamKey,
        after: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.readers.stream(stream, after, direction, limit.min(READ_EVENTS_MAX)).await
    }

    async fn read_all(
        &self,
        scope: TenantScope,
        after: Position,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.readers.all(scope, after, direction, filter, limit.min(READ_EVENTS_MAX)).await
    }

    async fn look_up(&self, scope: TenantScope, wanted: &Wanted) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.readers.look_up(scope, wanted).await
    }

    fn subscribe(&self, scope: TenantScope, after: Position, filter: Filter, capacity: usize) -> Subscription {
        self.tail.subscribe(&self.history, scope, after, filter, capacity)
    }

    fn head(&self) -> Position {
        self.tail.head()
    }

    async fn wait_for(&self, position: Position) -> Result<(), LogError> {
        self.tail.wait_for(position).await
    }

    async fn position_at(&self, time_us: i64) -> Result<Position, LogError> {
        self.readers.position_at(self.tail.head(), time_us).await
    }
}
