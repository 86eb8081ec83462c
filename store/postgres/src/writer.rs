//! The one task of a process that appends: takes what waits, checks it under the lock of the head, writes it in one
//! transaction, commits once, answers each. The same task follows what other processes append.
//!
//! Invariants: an answer comes after the commit; subscribers have the events before the answer, in the order of positions,
//! whoever appended them; a request that is refused changes nothing for its neighbours. When a connection is lost in the
//! middle of a commit, what was sent may have happened: it is sent again, and the command's id tells.

mod batch;
mod connection;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use timeloom_store::admission::Measured;
use timeloom_store::heads::Heads;
use timeloom_store::queue::Held;
use timeloom_store::spill::{References, restored_bytes};
use timeloom_store::tail::Tail;
use timeloom_store::{
    Append, AppendError, Appended, Clock, DurabilityChoice, LogError, Position, RecordedEvent, Revision,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use self::batch::{IdCheck, Staged, Written};
use self::connection::Connection;
use crate::connect::{Address, Listening};
use crate::error::{Kind, PostgresError, kind, log_error};
use crate::payloads::restore;
use crate::readers::{self, Readers};
use crate::recorded::{RowReader, signed};
use crate::schema::Meta;

/// Most requests in one commit.
const BATCH_REQUESTS_MAX: usize = 512;
/// Bytes of payload and metadata as stored from which a batch takes no more requests.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Longest time that the callers of the last commit are waited for.
const PATIENCE_MAX: Duration = Duration::from_micros(500);
/// How often the head is looked at without an announcement: one may be lost with its connection.
const POLL: Duration = Duration::from_secs(1);
/// How long appends wait for a database that cannot be reached before they are refused.
pub(crate) const OUTAGE_MAX: Duration = Duration::from_secs(15);
/// Longest time that one try may take, longer than the lock of the head is waited for: a server that has stopped is noticed.
const ATTEMPT_MAX: Duration = Duration::from_secs(30);
/// Events of others that are read at a time.
const SHOWN_EVENTS: u64 = 256;
/// Bytes of payload that are restored and shown at a time.
const SHOWN_BYTES: usize = 16 << 20;
/// Pause before the first new try; it doubles up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_millis(20);
/// Longest pause before a new try.
const RETRY_MAX: Duration = Duration::from_secs(1);

/// An append that waits for the writer.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) append: Append,
    pub(crate) measured: Measured,
    /// What is stored in place of payloads that are in blobs by now.
    pub(crate) references: References,
    /// Its place among what waits, given up with it.
    pub(crate) _held: Held,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// What the writer answers to an append.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It was written, had been written before, or was refused.
    Given(Result<Appended, AppendError>),
    /// Its command is in the archive, from the first to the last of these positions: what it wrote then is to be read there,
    /// and compared with what it brings now.
    InArchive { append: Append, references: References, first: Position, last: Position },
}

/// What the writer can be asked for.
#[derive(Debug)]
pub(crate) enum Message {
    Append(Box<Request>),
    /// Finish what waits, take nothing more, and say so.
    Close(oneshot::Sender<()>),
}

/// What a writer is told once.
pub(crate) struct Settings {
    pub(crate) address: Address,
    pub(crate) meta: Meta,
    pub(crate) clock: Arc<dyn Clock>,
    /// What appends survive that ask for nothing else.
    pub(crate) durability: DurabilityChoice,
    /// The milliseconds in which the server has relaxed appends on its disk, at most.
    pub(crate) loss_ms_max: u32,
    /// Owns what drives connections.
    pub(crate) tasks: TaskTracker,
}

/// Everything that the writing task owns.
pub(crate) struct Writer {
    settings: Settings,
    tail: Arc<Tail>,
    readers: Readers,
    connection: Option<Connection>,
    /// Where streams are, true as long as nobody else appended after `end`.
    heads: Heads<Revision>,
    /// Where the log ended when this process appended last.
    end: Position,
    /// Scratch space for the record that a leaf is the hash of.
    record: Vec<u8>,
    /// Since when the database is out of reach, if it is.
    out_since: Option<Instant>,
    /// What keeps events that are in the log from being shown. Nothing is appended meanwhile.
    blocked: bool,
    /// Whether the log lost what was shown already: this process cannot go on.
    went_back: bool,
}

/// Why a batch was not written.
enum Failure {
    /// An event has an id that is taken.
    IdTaken,
    /// It may go well when it is tried again. If the connection was lost, what was sent may have happened.
    Again(PostgresError),
    /// It goes wrong again.
    Lasting(LogError),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        match kind(&error) {
            Kind::Taken => Self::IdTaken,
            Kind::Connection | Kind::Transient => Self::Again(error.into()),
            Kind::Lasting => Self::Lasting(log_error(error)),
        }
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        Self::Lasting(error)
    }
}

/// What wakes the writer.
enum Woken {
    Message(Message),
    /// There may be something new, or the connection is gone.
    Look,
    /// Nobody can send any more.
    Ended,
}

impl Writer {
    pub(crate) fn new(settings: Settings, connection: Listening, tail: Arc<Tail>, readers: Readers) -> Self {
        let end = tail.head();
        Self {
            settings,
            tail,
            readers,
            connection: Some(Connection::new(connection)),
            heads: Heads::default(),
            end,
            record: Vec::new(),
            out_since: None,
            blocked: false,
            went_back: false,
        }
    }

    /// Works until every sender is gone or the log is closed.
    pub(crate) async fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        let mut batch = Vec::with_capacity(BATCH_REQUESTS_MAX);
        let mut closers = Vec::new();
        let (mut expected, mut patience) = (0, Duration::ZERO);
        loop {
            match self.wait(&mut queue).await {
                Woken::Message(first) => {
                    gather(first, &mut queue, &mut batch, &mut closers, (expected, patience)).await;
                    if !batch.is_empty() {
                        expected = batch.len();
                        let began = Instant::now();
                        self.commit(&mut batch).await;
                        patience = (began.elapsed() / 4).min(PATIENCE_MAX);
                    }
                }
                Woken::Look => self.look().await,
                Woken::Ended => break,
            }
            if self.went_back {
                break;
            }
        }
        drop(self);
        for closer in closers {
            // Whoever does not wait for the end any more does not need to know.
            let _ = closer.send(());
        }
    }

    async fn wait(&mut self, queue: &mut mpsc::Receiver<Message>) -> Woken {
        let woken = |message: Option<Message>| message.map_or(Woken::Ended, Woken::Message);
        let poll = tokio::time::sleep(POLL);
        match &mut self.connection {
            Some(connection) => tokio::select! {
                biased;
                message = queue.recv() => woken(message),
                _ = connection.announced(self.tail.head()) => Woken::Look,
                () = poll => Woken::Look,
            },
            None => tokio::select! {
                biased;
                message = queue.recv() => woken(message),
                () = poll => Woken::Look,
            },
        }
    }

    /// Shows what other processes appended.
    async fn look(&mut self) {
        let looked = async {
            let connection = self.take_connection().await?;
            let (head, _) = readers::head(&connection.client).await?;
            self.check_not_back(head)?;
            self.catch_up(&connection, head).await?;
            self.connection = Some(connection);
            Result::<(), Failure>::Ok(())
        };
        match tokio::time::timeout(ATTEMPT_MAX, looked).await.unwrap_or_else(|_| Err(no_answer())) {
            Ok(()) => self.reached(),
            Err(Failure::Again(error)) => self.missed(&error),
            Err(Failure::Lasting(error)) => tracing::error!(%error, "the log cannot be followed; trying again"),
            Err(Failure::IdTaken) => {}
        }
    }

    async fn commit(&mut self, batch: &mut Vec<Request>) {
        // An outage is waited for once, not by each batch that waits behind.
        let give_up = self.out_since.unwrap_or_else(Instant::now) + OUTAGE_MAX;
        let (mut check, mut sent_before, mut pause) = (IdCheck::ByIndex, false, RETRY_MIN);
        let error = loop {
            let attempt = tokio::time::timeout(ATTEMPT_MAX, self.attempt(batch, check, sent_before)).await;
            match attempt.unwrap_or_else(|_| Err(no_answer())) {
                Ok(written) => {
                    self.reached();
                    for (request, answer) in batch.drain(..).zip(written.answers) {
                        let Request { append, references, answer: caller, .. } = request;
                        let _ = caller.send(match answer {
                            Staged::Given(answer) => Answer::Given(answer),
                            Staged::InArchive(first, last) => Answer::InArchive { append, references, first, last },
                        });
                    }
                    return;
                }
                // Somebody reuses an id. Looking every id up first finds out who without failing the others.
                Err(Failure::IdTaken) if check == IdCheck::ByIndex => check = IdCheck::Before,
                Err(Failure::IdTaken) => {
                    let detail = "an id is taken that no event has: check the indexes of the table events".to_owned();
                    break LogError::Corrupt { position: Position::START, detail }.into();
                }
                Err(Failure::Again(error)) => {
                    self.missed(&error);
                    if Instant::now() >= give_up {
                        break AppendError::Unavailable { retry_after: RETRY_MAX };
                    }
                    sent_before = true;
                    tokio::time::sleep(pause).await;
                    pause = (2 * pause).min(RETRY_MAX);
                }
                Err(Failure::Lasting(error)) => break error.into(),
            }
        };
        tracing::error!(%error, requests = batch.len(), "a batch was not written, or it is not known that it was");
        for request in batch.drain(..) {
            let _ = request.answer.send(Answer::Given(Err(error.clone())));
        }
    }

    /// Writes the batch once and makes it visible.
    async fn attempt(&mut self, requests: &[Request], check: IdCheck, sent_before: bool) -> Result<Written, Failure> {
        let connection = self.take_connection().await?;
        let done = async {
            if self.blocked {
                // Whatever is appended now could not be shown.
                let (head, _) = readers::head(&connection.client).await?;
                self.catch_up(&connection, head).await?;
            }
            let written = self.transact(&connection, requests, check, sent_before).await?;
            // What others appended before comes first.
            self.catch_up(&connection, written.end_before).await?;
            self.tail.publish(&written.events);
            Ok(written)
        };
        match done.await {
            Ok(written) => {
                self.end = Position(written.end_before.0 + written.events.len() as u64);
                let is_new = |appended: &&Appended| appended.position > written.end_before;
                for answer in written.answers.iter().filter_map(Staged::appended).filter(is_new) {
                    if let Some(last) = answer.events.last() {
                        self.heads.put(&last.stream, answer.revision);
                    }
                }
                self.connection = Some(connection);
                Ok(written)
            }
            Err(failure) => {
                // Nothing is believed that was not read from the database again.
                self.heads.clear();
                // Whatever state the transaction is in, it ends here. A connection that cannot do that is given up, and so
                // is one to a server that cannot write.
                let useless = matches!(&failure, Failure::Again(PostgresError::Unreachable(_)));
                if !useless && connection.client.batch_execute("ROLLBACK").await.is_ok() {
                    self.connection = Some(connection);
                }
                Err(failure)
            }
        }
    }

    async fn take_connection(&mut self) -> Result<Connection, Failure> {
        match self.connection.take().filter(|connection| !connection.client.is_closed()) {
            Some(mut connection) => {
                connection.prepare(&self.settings.meta).await?;
                Ok(connection)
            }
            None => {
                self.heads.clear();
                let mut connection =
                    Connection::new(self.settings.address.connect(&self.settings.tasks).await.map_err(again)?);
                connection.prepare(&self.settings.meta).await.map_err(again)?;
                Ok(connection)
            }
        }
    }

    /// Publishes the events up to `head` that were not seen yet.
    async fn catch_up(&mut self, connection: &Connection, head: Position) -> Result<(), Failure> {
        let caught_up = self.show_up_to(connection, head).await;
        self.blocked = matches!(caught_up, Err(Failure::Lasting(_)));
        caught_up
    }

    async fn show_up_to(&self, connection: &Connection, head: Position) -> Result<(), Failure> {
        while self.tail.head() < head {
            let after = self.tail.head();
            let up_to = head.min(Position(after.0.saturating_add(SHOWN_EVENTS)));
            let mut events = self.read_run(connection, Position(after.0 + 1), up_to).await?;
            if events.len() as u64 != up_to.0 - after.0 {
                // A process that slept long enough finds them in the archive.
                let positions: Vec<Position> = (after.0 + 1..=up_to.0).map(Position).collect();
                events = self.readers.at(&positions).await.map_err(unreadable)?;
            }
            if events.len() as u64 != up_to.0 - after.0 {
                let detail = "an event behind it is missing: the log has a gap".to_owned();
                return Err(LogError::Corrupt { position: after, detail }.into());
            }
            let mut events = events.into_iter().peekable();
            while events.peek().is_some() {
                let mut bytes = 0;
                let mut piece = Vec::new();
                while let Some(event) = events.next_if(|_| bytes < SHOWN_BYTES) {
                    bytes += restored_bytes(&event);
                    piece.push(event);
                }
                let piece = restore(self.readers.blobs(), piece).await.map_err(unreadable)?;
                self.tail.publish(&piece);
            }
        }
        Ok(())
    }

    /// A log that ends before what was shown already has lost events: a server that did not sync was started again, or
    /// another one took its place that had not got them.
    fn check_not_back(&mut self, head: Position) -> Result<(), Failure> {
        let shown = self.tail.head();
        if head >= shown {
            return Ok(());
        }
        self.went_back = true;
        let detail =
            format!("the database lost the events up to {shown} that were seen here: start this process again");
        Err(LogError::Corrupt { position: head, detail }.into())
    }

    /// The events from `first` on to `last` as they are stored: large payloads are references.
    async fn read_run(
        &self,
        connection: &Connection,
        first: Position,
        last: Position,
    ) -> Result<Vec<Arc<RecordedEvent>>, Failure> {
        let statement = &connection.statements()?.read_run;
        let rows = connection.client.query(statement, &[&signed(first.0), &signed(last.0)]).await?;
        Ok(RowReader::read_all(&rows)?)
    }

    fn missed(&mut self, error: &PostgresError) {
        if self.out_since.is_none() {
            self.out_since = Some(Instant::now());
            tracing::warn!(%error, address = %self.settings.address, "the log's database is out of reach; trying again");
        }
    }

    fn reached(&mut self) {
        if self.out_since.take().is_some() {
            tracing::info!(address = %self.settings.address, "the log's database is back");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // However the writer ends, nothing new will come: nobody is to wait for it.
        self.tail.close();
    }
}

fn no_answer() -> Failure {
    Failure::Again(PostgresError::Unreachable(format!("no answer within {} s", ATTEMPT_MAX.as_secs())))
}

/// A blob or a segment that cannot be had now is not one that is lost.
fn unreadable(error: LogError) -> Failure {
    match error {
        LogError::Storage(error) => Failure::Again(PostgresError::Busy(error.to_string())),
        lost => Failure::Lasting(lost),
    }
}

/// Whatever goes wrong while a connection is made may go well later.
fn again(error: impl Into<PostgresError>) -> Failure {
    Failure::Again(error.into())
}

/// Takes what waits, up to the size of a batch.
///
/// Whoever got an answer sends the next append right after. So as many as came the last time are waited for, for a moment:
/// taking the first few of them would make every other commit a small one.
async fn gather(
    first: Message,
    queue: &mut mpsc::Receiver<Message>,
    batch: &mut Vec<Request>,
    closers: &mut Vec<oneshot::Sender<()>>,
    (expected, patience): (usize, Duration),
) {
    let began = Instant::now();
    let mut bytes = 0;
    let mut next = Some(first);
    while let Some(message) = next {
        match message {
            Message::Append(request) => {
                bytes += request.measured.bytes;
                batch.push(*request);
            }
            Message::Close(closer) => {
                queue.close();
                closers.push(closer);
            }
        }
        let room = batch.len() < BATCH_REQUESTS_MAX && bytes < BATCH_BYTES_MAX;
        next = if room { queue.try_recv().ok() } else { None };
        while next.is_none() && room && batch.len() < expected && closers.is_empty() && began.elapsed() < patience {
            tokio::task::yield_now().await;
            next = queue.try_recv().ok();
        }
    }
}

/// The distinct streams of `requests`.
fn streams(requests: &[Request]) -> HashSet<&timeloom_store::StreamKey> {
    requests.iter().map(|request| &request.append.stream).collect()
}
