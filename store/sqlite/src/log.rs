//! The log in a data folder: opens it, hands appends to the writer and reads to the readers.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_trait::async_trait;
use timeloom_domain::ids::CommandId;
use timeloom_store::admission::{Measured, answer_again, measure};
use timeloom_store::archive::{Archivable, Archived, NoSegments, Segment, Segments};
use timeloom_store::queue::{Held, QueuedBytes};
use timeloom_store::spill::References;
use timeloom_store::tail::{History, Tail};
use timeloom_store::{
    Append, AppendError, Appended, Clock, Direction, Durability, DurabilityChoice, EventLog, Filter, LogError,
    Position, READ_EVENTS_MAX, RecordedEvent, Replica, Revision, StoredEvent, StreamKey, Subscription, TenantScope,
    Wanted,
};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use crate::archive;
use crate::blobs::{BlobFiles, SqliteBlobs};
use crate::cold::recorded;
use crate::connections::LogFile;
use crate::error::{OpenError, StorageError};
use crate::folder::DataFolder;
use crate::payloads::spill;
use crate::readers::Readers;
use crate::schema;
use crate::writer::{Answer, ArchiveRequest, Message, Request, Writer};

/// Name of the log's file in its folder.
pub(crate) const LOG_FILE: &str = "log.db";
/// Most appends that wait for the writer.
const QUEUE_REQUESTS_MAX: usize = 4_096;
/// When to try again after the queue was full.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// How to open a log.
pub struct SqliteOptions {
    /// Id of the log if it is made now; an existing log keeps its own.
    pub log_id: Uuid,
    /// Where times come from.
    pub clock: Arc<dyn Clock>,
    /// Largest size of the log's file in pages of 8 KiB; appends that need more are refused. `None`: the disk decides.
    pub pages_max: Option<u32>,
    /// Name of the SQLite VFS that the file is read and written with; `None`: the operating system's. Tests take the power
    /// away with it.
    pub vfs: Option<String>,
    /// What appends survive.
    pub durability: DurabilityChoice,
    /// What has the rows that were dropped.
    pub segments: Arc<dyn Segments>,
}

impl SqliteOptions {
    /// A log as large as the disk allows, whose appends are all on the disk before they are answered.
    pub fn new(log_id: Uuid, clock: Arc<dyn Clock>) -> Self {
        Self {
            log_id,
            clock,
            pages_max: None,
            vfs: None,
            durability: DurabilityChoice::Strict,
            segments: Arc::new(NoSegments),
        }
    }
}

impl fmt::Debug for SqliteOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SqliteOptions").field("log_id", &self.log_id).finish_non_exhaustive()
    }
}

/// An [`EventLog`] in one SQLite file. Dropping it finishes what waits.
pub struct SqliteLog {
    log_id: Uuid,
    folder: Arc<DataFolder>,
    queue: Option<mpsc::Sender<Message>>,
    queued_bytes: QueuedBytes,
    blobs: Arc<BlobFiles>,
    tail: Arc<Tail>,
    indexed: watch::Receiver<Position>,
    readers: Readers,
    history: Arc<dyn History>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for SqliteLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SqliteLog")
            .field("folder", &self.folder)
            .field("tail", &self.tail)
            .finish_non_exhaustive()
    }
}

impl SqliteLog {
    /// Takes the folder at `path` for this process and opens the log and blobs in it; makes what is not there.
    ///
    /// # Errors
    /// [`OpenError`], whose message says what to do.
    pub fn open(path: impl Into<PathBuf>, options: SqliteOptions) -> Result<(Arc<Self>, Arc<SqliteBlobs>), OpenError> {
        Self::open_in(Arc::new(DataFolder::acquire(path)?), options)
    }

    /// Opens the log and blobs in a folder that this process has.
    ///
    /// # Errors
    /// [`OpenError`], whose message says what to do.
    pub fn open_in(
        folder: Arc<DataFolder>,
        options: SqliteOptions,
    ) -> Result<(Arc<Self>, Arc<SqliteBlobs>), OpenError> {
        let path = folder.path().join(LOG_FILE);
        let storage =
            |error: rusqlite::Error| OpenError::Storage { path: path.clone(), error: StorageError::from(error) };
        let file = LogFile { path: path.clone(), pages_max: options.pages_max, vfs: options.vfs };
        schema::refuse_foreign(folder.path(), &file)?;
        let mut connection = file.open_writer().map_err(storage)?;
        let log_id = schema::prepare(&mut connection, folder.path(), &path, options.log_id)?;
        let blobs = SqliteBlobs::open(Arc::clone(&folder))?;
        let writer = Writer::new(file.clone(), connection, options.clock, blobs.files(), options.durability);
        let writer = writer.map_err(storage)?;
        let (tail, indexed) = (writer.tail(), writer.indexed());
        let readers = Readers::new(file, blobs.files(), options.segments);
        let (queue, requests) = mpsc::channel(QUEUE_REQUESTS_MAX);
        // The folder stays locked until the last commit is done, whoever drops the log when.
        let held = Arc::clone(&folder);
        let thread = thread::Builder::new().name("timeloom-log".to_owned()).spawn(move || {
            writer.run(requests);
            drop(held);
        });
        let thread = thread.map_err(|error| OpenError::Io { path, error })?;
        let log = Self {
            log_id,
            folder,
            queue: Some(queue),
            queued_bytes: QueuedBytes::default(),
            blobs: blobs.files(),
            tail,
            indexed,
            history: Arc::new(readers.clone()),
            readers,
            writer: Mutex::new(Some(thread)),
        };
        Ok((Arc::new(log), blobs))
    }

    /// The id that the log was given when it was made.
    pub fn log_id(&self) -> Uuid {
        self.log_id
    }

    pub(crate) fn readers(&self) -> &Readers {
        &self.readers
    }

    /// How far the index goes by which events of some categories and types are found: in steps of whole blocks, behind the
    /// head. Reads and subscriptions are right wherever it is; they look at every row behind it.
    pub fn indexed(&self) -> watch::Receiver<Position> {
        self.indexed.clone()
    }

    /// The folder that the log is in.
    pub fn folder(&self) -> &Arc<DataFolder> {
        &self.folder
    }

    /// How many subscribers are live now.
    pub fn subscriber_count(&self) -> usize {
        self.tail.subscriber_count()
    }

    /// Has the writer do something for the archive.
    async fn ask_writer<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, LogError>>) -> ArchiveRequest,
    ) -> Result<T, LogError> {
        let (answer, answered) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or(LogError::Closed)?;
        queue.send(Message::Archive(request(answer))).await.map_err(|_| LogError::Closed)?;
        answered.await.map_err(|_| LogError::Closed)?
    }

    /// Finishes the appends that wait, refuses new ones, ends every subscription, and empties the write-ahead log.
    pub async fn close(&self) {
        let (closer, closed) = oneshot::channel();
        if let Some(queue) = &self.queue
            && queue.send(Message::Close(closer)).await.is_ok()
        {
            // An error is the writer's end as well.
            let _ = closed.await;
        }
        self.readers.close();
        self.tail.close();
        self.tail.closed().await;
    }

    /// Puts the payloads that spill into blobs. An append that is refused later leaves blobs that nothing names.
    async fn spill(
        &self,
        append: Append,
        measured: &Measured,
        held: Held,
    ) -> Result<(Append, References, Held), LogError> {
        if measured.spilled_bytes == 0 {
            return Ok((append, References::default(), held));
        }
        // Whoever stops waiting stops neither the writing nor the counting, and the folder stays locked until the end.
        let (blobs, folder) = (Arc::clone(&self.blobs), Arc::clone(&self.folder));
        let spilled = tokio::task::spawn_blocking(move || {
            let references = spill(&blobs, &append.events);
            drop(folder);
            references.map(|references| (append, references, held))
        });
        spilled.await.map_err(LogError::storage)?
    }
}

impl Drop for SqliteLog {
    fn drop(&mut self) {
        self.queue = None;
        self.tail.close();
        let thread = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the log's writer ended early");
        }
    }
}

#[async_trait]
impl Archivable for SqliteLog {
    async fn archived(&self) -> Result<Archived, LogError> {
        self.readers.read(archive::archived).await
    }

    async fn segments(&self, after: Position, limit: usize) -> Result<Vec<Segment>, LogError> {
        self.readers.read(move |connection| archive::segments(connection, after, limit)).await
    }

    async fn register(&self, segment: Segment) -> Result<(), LogError> {
        self.ask_writer(|answer| ArchiveRequest::Register(Box::new(segment), answer)).await
    }

    async fn drop_some(&self) -> Result<Archived, LogError> {
        self.ask_writer(ArchiveRequest::Drop).await
    }

    async fn restoring(&self) -> Result<Option<Segment>, LogError> {
        self.readers.read(archive::restoring).await
    }

    async fn restore_some(&self, rows: Vec<StoredEvent>) -> Result<Archived, LogError> {
        self.ask_writer(|answer| ArchiveRequest::Restore(rows, answer)).await
    }

    async fn forget(&self, segment: Segment) -> Result<(), LogError> {
        self.ask_writer(|answer| ArchiveRequest::Forget(Box::new(segment), answer)).await
    }
}

#[async_trait]
impl EventLog for SqliteLog {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let measured = measure(&append)?;
        let busy = AppendError::Unavailable { retry_after: RETRY_AFTER };
        let queue = self.queue.as_ref().filter(|queue| !queue.is_closed()).ok_or(LogError::Closed)?;
        let Some(held) = self.queued_bytes.hold(measured.held_bytes()) else { return Err(busy) };
        let (append, references, held) = self.spill(append, &measured, held).await?;
        let (answer, answered) = oneshot::channel();
        let request = Request { append, measured, references, _held: held, answer };
        queue.try_send(Message::Append(Box::new(request))).map_err(|refused| match refused {
            TrySendError::Full(_) => busy,
            TrySendError::Closed(_) => LogError::Closed.into(),
        })?;
        let mut appended = match answered.await.map_err(|_| LogError::Closed)? {
            Answer::Given(answer) => answer?,
            Answer::InArchive { append, references, first, last } => {
                let positions = (first.0..=last.0).map(Position).collect();
                let recorded = recorded(self.readers.cold_at(positions).await?)?;
                let stored = references.stored_events(&append.events);
                answer_again(stored.as_deref().unwrap_or(&append.events), recorded, Durability::Strict)?
            }
        };
        if appended.repeated {
            appended.events = self.readers.restore(appended.events).await?;
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
        self.readers.stream(stream.clone(), after, direction, limit.min(READ_EVENTS_MAX)).await
    }

    async fn read_all(
        &self,
        scope: TenantScope,
        after: Position,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.readers.all(scope, after, direction, filter.clone(), limit.min(READ_EVENTS_MAX)).await
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

    fn newest_of(&self, category: &str) -> Option<Position> {
        Some(self.tail.newest_of(category))
    }

    async fn wait_for(&self, position: Position) -> Result<(), LogError> {
        self.tail.wait_for(position).await
    }

    async fn position_at(&self, time_us: i64) -> Result<Position, LogError> {
        self.readers.position_at(self.tail.head(), time_us).await
    }
}

#[async_trait]
impl Replica for SqliteLog {
    async fn appended_by(
        &self,
        stream: &StreamKey,
        command_id: CommandId,
    ) -> Result<Option<Vec<Arc<RecordedEvent>>>, LogError> {
        self.readers.appended_by(stream.clone(), command_id).await
    }
}
