//! The one thread that writes: takes what waits, checks it, writes it in one transaction, commits once, answers each.
//!
//! Invariants: an answer comes after the commit; subscribers have the events before the answer; a request that is refused
//! changes nothing for its neighbours; after a failure nothing is believed that was not read from the file again.

mod batch;
mod flush;
mod indexing;
mod intake;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use timeloom_store::admission::Measured;
use timeloom_store::archive::{Archived, Segment};
use timeloom_store::clock::RecordingTime;
use timeloom_store::heads::Heads;
use timeloom_store::queue::Held;
use timeloom_store::spill::References;
use timeloom_store::tail::Tail;
use timeloom_store::{
    Append, AppendError, Appended, Clock, DurabilityChoice, LogError, Position, RecordedEvent, StoredEvent,
};
use tokio::sync::{mpsc, oneshot, watch};

use self::batch::{Failure, IdCheck};
use self::flush::Flush;
use self::indexing::Indexing;
use self::intake::{BATCH_REQUESTS_MAX, Intake};
use crate::archive;
use crate::blobs::BlobFiles;
use crate::connections::LogFile;
use crate::error::log_error;
use crate::kinds::indexed_up_to;
use crate::packed::Packer;
use crate::payloads::restore;
use crate::readers;
use crate::recorded::Head;

/// The write-ahead log is emptied by force over this many bytes: readers that never rest keep it growing otherwise.
const WAL_BYTES_MAX: u64 = 256 << 20;
/// Commits between two looks at the size of the write-ahead log.
const COMMITS_PER_WAL_CHECK: u32 = 256;

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

/// What the archiver asks the writer for.
#[derive(Debug)]
pub(crate) enum ArchiveRequest {
    /// Take note of a segment.
    Register(Box<Segment>, oneshot::Sender<Result<(), LogError>>),
    /// Drop some rows that are registered.
    Drop(oneshot::Sender<Result<Archived, LogError>>),
    /// Bring back rows that were dropped.
    Restore(Vec<StoredEvent>, oneshot::Sender<Result<Archived, LogError>>),
    /// Forget the segment whose rows came back.
    Forget(Box<Segment>, oneshot::Sender<Result<(), LogError>>),
}

/// What the writer can be asked for.
#[derive(Debug)]
pub(crate) enum Message {
    Append(Box<Request>),
    Archive(ArchiveRequest),
    /// Finish what waits, take nothing more, and say so.
    Close(oneshot::Sender<()>),
}

/// Everything that the writing thread owns.
pub(crate) struct Writer {
    file: LogFile,
    connection: Connection,
    clock: Arc<dyn Clock>,
    tail: Arc<Tail>,
    blobs: Arc<BlobFiles>,
    heads: Heads<Head>,
    /// As committed; a batch works on a copy.
    end: End,
    scratch: Scratch,
    commits: u32,
    flush: Flush,
    indexing: Indexing,
}

/// Buffers that are kept from append to append.
#[derive(Debug, Default)]
struct Scratch {
    /// For the record that a leaf is the hash of.
    record: Vec<u8>,
    packer: Packer,
}

/// Where the log ends.
#[derive(Debug, Clone, Copy)]
struct End {
    position: Position,
    time: RecordingTime,
    last_stream_no: i64,
    /// Up to where rows were dropped.
    dropped: Position,
}

impl End {
    fn read(connection: &Connection) -> Result<Self, rusqlite::Error> {
        let (position, last_us) = readers::newest(connection)?;
        let last_stream_no =
            connection.query_row("SELECT coalesce(max(stream_no), 0) FROM streams", [], |row| row.get(0))?;
        let dropped = archive::dropped(connection)?;
        Ok(Self { position, time: RecordingTime::after(last_us), last_stream_no, dropped })
    }
}

impl Writer {
    pub(crate) fn new(
        file: LogFile,
        connection: Connection,
        clock: Arc<dyn Clock>,
        blobs: Arc<BlobFiles>,
        durability: DurabilityChoice,
    ) -> Result<Self, rusqlite::Error> {
        // What is there after a crash is shown to everybody from now on: the disk has to have it.
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        let end = End::read(&connection)?;
        let indexed = indexed_up_to(&connection)?;
        Ok(Self {
            file,
            connection,
            clock,
            tail: Tail::new(end.position),
            blobs,
            heads: Heads::default(),
            end,
            scratch: Scratch::default(),
            commits: 0,
            flush: Flush::new(durability),
            indexing: Indexing::new(indexed),
        })
    }

    /// How far the index of kinds goes.
    pub(crate) fn indexed(&self) -> watch::Receiver<Position> {
        self.indexing.progress()
    }

    pub(crate) fn tail(&self) -> Arc<Tail> {
        Arc::clone(&self.tail)
    }

    /// Works until every sender is gone or the log is closed.
    pub(crate) fn run(mut self, queue: mpsc::Receiver<Message>) {
        let mut batch = Vec::with_capacity(BATCH_REQUESTS_MAX);
        let mut intake = Intake::new(queue);
        loop {
            // Before anything else: however many appends come, the disk does not wait for longer.
            if self.flush.due_in() == Some(Duration::ZERO) {
                self.flush();
            }
            intake.fill(&mut batch);
            let appended = !batch.is_empty();
            if appended {
                let began = Instant::now();
                self.commit(&mut batch);
                intake.committed(began.elapsed(), self.flush.waits());
                self.bound_wal();
                self.indexing.appended();
            }
            // One at a time, so that no append waits for more than one.
            if let Some(request) = intake.next_archiving() {
                self.archive(request);
                continue;
            }
            if appended {
                continue;
            }
            let index_in = self.indexing.due_in(self.end.position);
            if index_in == Some(Duration::ZERO) {
                self.indexing.go_on(&self.connection, &mut self.flush);
            } else if !intake.wait(&mut batch, self.flush.due_in().into_iter().chain(index_in).min()) {
                break;
            }
        }
        if self.flush.due_in().is_some() {
            self.flush();
        }
        if let Err(error) = self.checkpoint() {
            tracing::warn!(%error, "the write-ahead log was not emptied; the next start does it");
        }
        drop(self);
        intake.tell_closers();
    }

    /// Does what the archiver asks for, on the disk before it is answered.
    fn archive(&mut self, request: ArchiveRequest) {
        let prepared = self.flush.prepare(&self.connection, true).map_err(LogError::storage);
        match request {
            ArchiveRequest::Register(segment, answer) => {
                let registered = prepared.and_then(|()| archive::register(&self.connection, &segment));
                self.flushed(registered.is_ok());
                let _ = answer.send(registered);
            }
            ArchiveRequest::Drop(answer) => {
                let indexed = *self.indexing.progress().borrow();
                let archived = prepared.and_then(|()| archive::drop_some(&self.connection, indexed));
                self.moved(&archived);
                let _ = answer.send(archived);
            }
            ArchiveRequest::Restore(rows, answer) => {
                let archived = prepared.and_then(|()| archive::restore_some(&self.connection, &rows));
                self.moved(&archived);
                let _ = answer.send(archived);
            }
            ArchiveRequest::Forget(segment, answer) => {
                let forgotten = prepared.and_then(|()| archive::forget(&self.connection, &segment));
                self.flushed(forgotten.is_ok());
                let _ = answer.send(forgotten);
            }
        }
    }

    /// Rows went, or came back.
    fn moved(&mut self, archived: &Result<Archived, LogError>) {
        self.flushed(archived.is_ok());
        if let Ok(archived) = archived {
            self.end.dropped = archived.dropped;
            self.bound_wal();
        }
    }

    fn flushed(&mut self, done: bool) {
        if done { self.flush.committed(true) } else { self.flush.failed() }
    }

    fn flush(&mut self) {
        if let Err(error) = self.flush.flush(&self.connection, &self.file.path, self.end.position) {
            tracing::error!(%error, "the disk was not flushed; it is tried again");
        }
    }

    fn commit(&mut self, batch: &mut Vec<Request>) {
        let outcome = match self.transact(batch, IdCheck::ByIndex) {
            // Somebody reuses an id. Looking every id up first finds out who without failing the others.
            Err(Failure::IdTaken) => self.transact(batch, IdCheck::Before),
            outcome => outcome,
        };
        match outcome {
            Ok((events, answers)) => {
                self.tail.publish(&events);
                for (request, answer) in batch.drain(..).zip(answers) {
                    let Request { append, references, answer: caller, .. } = request;
                    let _ = caller.send(match answer {
                        Staged::Given(answer) => Answer::Given(answer),
                        Staged::InArchive(first, last) => Answer::InArchive { append, references, first, last },
                    });
                }
            }
            Err(failure) => {
                let error = failure.into_error();
                tracing::error!(%error, requests = batch.len(), "nothing of a batch was written");
                self.recover();
                for request in batch.drain(..) {
                    let _ = request.answer.send(Answer::Given(Err(error.clone().into())));
                }
            }
        }
    }

    /// After a failure: finds out from the file where the log ends, with a new connection when the old one does not know.
    fn recover(&mut self) {
        self.heads.clear();
        if self.catch_up().is_ok() {
            return;
        }
        let reopened = self.file.open_writer().map_err(log_error).and_then(|connection| {
            self.connection = connection;
            self.flush.reopened();
            self.catch_up()
        });
        if let Err(error) = reopened {
            tracing::error!(%error, "the log's file cannot be read; the next append tries again");
        }
    }

    fn catch_up(&mut self) -> Result<(), LogError> {
        let end = End::read(&self.connection).map_err(log_error)?;
        // A commit whose success could not be told has happened after all: its events are facts.
        let (first, last) = (self.tail.head().0 + 1, end.position.0);
        if first <= last {
            let events =
                readers::read_run(&self.connection, crate::recorded::signed(first), crate::recorded::signed(last))?;
            self.tail.publish(&restore(&self.blobs, events)?);
        }
        self.end = end;
        Ok(())
    }

    fn bound_wal(&mut self) {
        self.commits = self.commits.wrapping_add(1);
        if self.commits.is_multiple_of(COMMITS_PER_WAL_CHECK) {
            let wal = self.file.path.with_extension("db-wal");
            if std::fs::metadata(wal).is_ok_and(|wal| wal.len() > WAL_BYTES_MAX)
                && let Err(error) = self.checkpoint()
            {
                tracing::warn!(%error, "the write-ahead log was not emptied; it is tried again later");
            }
        }
    }

    fn checkpoint(&self) -> Result<(), rusqlite::Error> {
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // However the writer ends, nothing new will come: nobody is to wait for it.
        self.tail.close();
    }
}

/// Events of a batch, and an answer for each of its requests.
type Written = (Vec<Arc<RecordedEvent>>, Vec<Staged>);

/// What came of a request in a batch.
#[derive(Debug)]
enum Staged {
    Given(Result<Appended, AppendError>),
    /// Its command is in the archive: the first and the last position of what it wrote.
    InArchive(Position, Position),
}
