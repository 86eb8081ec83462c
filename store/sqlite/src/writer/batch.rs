//! One batch of appends in one transaction.

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, ErrorCode, OptionalExtension, params};
use timeloom_store::admission::{answer_again, check_expected, record};
use timeloom_store::heads::Heads;
use timeloom_store::leaf::leaf;
use timeloom_store::{AppendError, Appended, Durability, LogError, NewEvent, Position, RecordedEvent, Revision};

use super::flush::FlushError;
use super::{End, Request, Scratch, Staged, Writer, Written};
use crate::error::log_error;
use crate::packed::Texts;
use crate::readers;
use crate::recorded::{Head, signed, unsigned};

/// How ids of events that are taken already are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdCheck {
    /// By the index refusing them, which fails the transaction: cheap, as it does not happen.
    ByIndex,
    /// By looking for each before it is written.
    Before,
}

/// Why a transaction was rolled back.
#[derive(Debug)]
pub(super) enum Failure {
    /// An event has an id that is taken.
    IdTaken,
    /// The storage failed.
    Storage(LogError),
}

impl Failure {
    pub(super) fn into_error(self) -> LogError {
        match self {
            Self::Storage(error) => error,
            Self::IdTaken => LogError::Corrupt {
                position: Position::START,
                detail: "an id is taken that no event has: check the file with SQLite's integrity_check".to_owned(),
            },
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => Self::IdTaken,
            _ => Self::Storage(log_error(error)),
        }
    }
}

impl From<FlushError> for Failure {
    fn from(error: FlushError) -> Self {
        match error {
            FlushError::Sqlite(error) => Self::Storage(log_error(error)),
            other => Self::Storage(LogError::storage(other)),
        }
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        Self::Storage(error)
    }
}

impl Writer {
    /// Writes all requests that are allowed in one transaction. When it fails nothing has changed.
    pub(super) fn transact(&mut self, requests: &[Request], check: IdCheck) -> Result<Written, Failure> {
        let now_us = self.clock.now().timestamp_micros();
        let waits = self.flush.must_wait(requests.iter().map(|request| &request.append));
        self.flush.prepare(&self.connection, waits)?;
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let staged = Batch::new(&self.connection, &mut self.heads, &mut self.scratch, self.end, now_us, check)
            .and_then(|batch| batch.stage(requests, self.flush.durability(waits)));
        let finished = staged.and_then(|(written, end)| {
            let how = if written.0.is_empty() { "ROLLBACK" } else { "COMMIT" };
            self.connection.prepare_cached(how)?.execute([])?;
            if waits && written.0.is_empty() {
                // What is answered again may have been relaxed the first time.
                self.flush.flush(&self.connection, &self.file.path, end.position)?;
            }
            Ok((written, end))
        });
        match finished {
            Ok((written, end)) => {
                if !written.0.is_empty() {
                    self.flush.committed(waits);
                }
                self.end = end;
                Ok(written)
            }
            Err(failure) => {
                // What was remembered of these streams was not committed.
                requests.iter().for_each(|request| self.heads.forget(&request.append.stream));
                // Some failures have rolled back already.
                if !self.connection.is_autocommit() {
                    self.connection.execute_batch("ROLLBACK")?;
                }
                if let Failure::Storage(_) = failure {
                    self.flush.failed();
                }
                Err(failure)
            }
        }
    }
}

/// A transaction that is being filled.
struct Batch<'writer> {
    connection: &'writer Connection,
    heads: &'writer mut Heads<Head>,
    scratch: &'writer mut Scratch,
    end: End,
    now_us: i64,
    check: IdCheck,
    insert_event: CachedStatement<'writer>,
    insert_stream: CachedStatement<'writer>,
    find_command: CachedStatement<'writer>,
    find_revision: CachedStatement<'writer>,
    find_event_id: CachedStatement<'writer>,
    find_archived_id: CachedStatement<'writer>,
    find_archived_command: CachedStatement<'writer>,
}

impl<'writer> Batch<'writer> {
    fn new(
        connection: &'writer Connection,
        heads: &'writer mut Heads<Head>,
        scratch: &'writer mut Scratch,
        end: End,
        now_us: i64,
        check: IdCheck,
    ) -> Result<Self, Failure> {
        Ok(Self {
            connection,
            heads,
            scratch,
            end,
            now_us,
            check,
            insert_event: connection.prepare_cached(
                "INSERT INTO events (position, tenant_id, aggregate_type, aggregate_id, sequence, event_id, event_type, \
                 event_version, payload, metadata, recorded_at, leaf, stream_no, append_events, command_id, packed) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            )?,
            insert_stream: connection.prepare_cached(
                "INSERT INTO streams (stream_no, tenant_id, aggregate_type, aggregate_id) VALUES (?1, ?2, ?3, ?4)",
            )?,
            find_command: connection.prepare_cached(
                "SELECT position - append_events + 1, position FROM events \
                 WHERE command_id = ?1 AND stream_no = ?2 AND append_events IS NOT NULL \
                 UNION ALL SELECT position - append_events + 1, position FROM archived_appends \
                 WHERE command_id = ?1 AND stream_no = ?2",
            )?,
            find_revision: connection.prepare_cached(
                "SELECT coalesce((SELECT max(sequence) FROM events WHERE stream_no = ?1 AND append_events IS NOT NULL), \
                 (SELECT max(sequence) FROM archived_appends WHERE stream_no = ?1), 0)",
            )?,
            find_event_id: connection.prepare_cached(
                "SELECT 1 FROM events WHERE event_id = ?1 UNION ALL SELECT 1 FROM archived_ids WHERE event_id = ?1",
            )?,
            find_archived_id: connection.prepare_cached("SELECT 1 FROM archived_ids WHERE event_id = ?1")?,
            find_archived_command: connection.prepare_cached(
                "SELECT 1 FROM archived_appends WHERE command_id = ?1 AND stream_no = ?2",
            )?,
        })
    }

    fn stage(mut self, requests: &[Request], durability: Durability) -> Result<(Written, End), Failure> {
        let mut events = Vec::new();
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            let mut answer = self.stage_one(request)?;
            if let Staged::Given(Ok(appended)) = &mut answer {
                appended.durability = durability;
                if !appended.repeated {
                    events.extend(appended.events.iter().cloned());
                }
            }
            answers.push(answer);
        }
        Ok(((events, answers), self.end))
    }

    /// The outer error fails the batch, the inner one only this request.
    fn stage_one(&mut self, request: &Request) -> Result<Staged, Failure> {
        let append = &request.append;
        let known = self.head(request)?;
        let revision = known.map_or(Revision(0), |head| head.revision);
        let fits = check_expected(&append.stream, append.expected, revision);
        // A command that comes again is refused by its index. It is looked for when that happened, or when the stream has
        // gone on, as it has when the command comes again.
        if (self.check == IdCheck::Before || fits.is_err())
            && let Some(head) = known
            && let Some((first, last)) = self.find_command(request, head)?
        {
            if unsigned(last) <= self.end.dropped.0 {
                return Ok(Staged::InArchive(Position(unsigned(first)), Position(unsigned(last))));
            }
            let recorded = readers::read_run(self.connection, first, last)?;
            // As stored: the writer reads no blobs, and a lost one fails only who asks for it.
            let stored = request.references.stored_events(&append.events);
            let again = answer_again(stored.as_deref().unwrap_or(&append.events), recorded, Durability::Strict);
            return Ok(Staged::Given(again));
        }
        if let Err(refused) = fits {
            return Ok(Staged::Given(Err(refused)));
        }
        if append.events.is_empty() {
            let position = self.end.position;
            return Ok(Staged::Given(Ok(Appended {
                position,
                revision,
                events: Vec::new(),
                repeated: false,
                durability: Durability::Strict,
            })));
        }
        if self.check == IdCheck::Before && self.any_id_taken(&append.events)? {
            return Ok(Staged::Given(Err(AppendError::DuplicateId)));
        }
        if self.check == IdCheck::ByIndex && self.is_archived(request, known)? {
            return Err(Failure::IdTaken);
        }
        self.write(request, known, revision).map(|appended| Staged::Given(Ok(appended)))
    }

    fn head(&mut self, request: &Request) -> Result<Option<Head>, Failure> {
        let stream = &request.append.stream;
        if let Some(head) = self.heads.get(stream) {
            return Ok(Some(head));
        }
        let Some(stream_no) = readers::stream_no(self.connection, stream)? else { return Ok(None) };
        let revision: i64 = self.find_revision.query_row([stream_no], |row| row.get(0))?;
        let head = Head { stream_no, revision: Revision(unsigned(revision)) };
        self.heads.put(stream, head);
        Ok(Some(head))
    }

    /// Whether an id of the append is in the archive, which no index of the rows refuses.
    fn is_archived(&mut self, request: &Request, known: Option<Head>) -> Result<bool, Failure> {
        let Request { append, .. } = request;
        if self.end.dropped == Position::START {
            return Ok(false);
        }
        if let Some(head) = known
            && self.find_archived_command.exists((append.command_id.0.as_bytes(), head.stream_no))?
        {
            return Ok(true);
        }
        for event in &append.events {
            if self.find_archived_id.exists([event.id.0.as_bytes()])? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The first and the last position of what the command appended to the stream before, if it did.
    fn find_command(&mut self, request: &Request, head: Head) -> Result<Option<(i64, i64)>, Failure> {
        if request.append.events.is_empty() {
            return Ok(None);
        }
        let command_id = request.append.command_id.0.as_bytes();
        let run = self.find_command.query_row((command_id, head.stream_no), |row| Ok((row.get(0)?, row.get(1)?)));
        Ok(run.optional()?)
    }

    fn any_id_taken(&mut self, events: &[NewEvent]) -> Result<bool, Failure> {
        let mut own = HashSet::with_capacity(events.len());
        for event in events {
            if !own.insert(event.id) || self.find_event_id.exists([event.id.0.as_bytes()])? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn write(&mut self, request: &Request, known: Option<Head>, revision: Revision) -> Result<Appended, Failure> {
        let Request { append, measured, references, .. } = request;
        let stream_no = match known {
            Some(head) => head.stream_no,
            None => self.add_stream(request)?,
        };
        let first = self.end.position;
        let added = append.events.len() as u64;
        let mut events = Vec::with_capacity(append.events.len());
        let mut rest = append.events.iter().zip(&measured.metadata).enumerate().map(|(index, (event, metadata))| {
            let payload = references.stored(index, event).get();
            Texts { payload, metadata }
        });
        self.scratch.packer.begin_append();
        for (offset, event) in (1..).zip(&append.events) {
            let Some(texts) = rest.next() else { break };
            let event = record(
                event.clone(),
                append.stream.clone(),
                Position(first.0 + offset),
                Revision(revision.0 + offset),
                self.end.time.next(self.now_us),
            );
            let ends = (offset == added).then_some((signed(added), append.command_id.0.as_bytes()));
            self.insert(&event, texts, rest.clone(), stream_no, ends)?;
            events.push(Arc::new(event));
        }
        let (position, last) = (Position(first.0 + added), Revision(revision.0 + added));
        self.end.position = position;
        self.heads.put(&append.stream, Head { stream_no, revision: last });
        Ok(Appended { position, revision: last, events, repeated: false, durability: Durability::Strict })
    }

    fn add_stream(&mut self, request: &Request) -> Result<i64, Failure> {
        let stream = &request.append.stream;
        let stream_no = self.end.last_stream_no + 1;
        self.insert_stream.execute((stream_no, stream.tenant.0, &*stream.category, &*stream.id))?;
        self.end.last_stream_no = stream_no;
        Ok(stream_no)
    }

    /// Writes one event with its texts; `rest` has those of the events after it in its append. `ends` is the number of
    /// events and the command of the append that it is the last of.
    fn insert<'text>(
        &mut self,
        event: &RecordedEvent,
        texts: Texts<'text>,
        rest: impl Iterator<Item = Texts<'text>>,
        stream_no: i64,
        ends: Option<(i64, &[u8; 16])>,
    ) -> Result<(), Failure> {
        let Scratch { record, packer } = &mut *self.scratch;
        let leaf = leaf(event, texts.payload, texts.metadata, record);
        let row = packer.row(texts, rest);
        let mut version = [0; 5];
        self.insert_event.execute(params![
            signed(event.position.0),
            event.stream.tenant.0,
            &*event.stream.category,
            &*event.stream.id,
            signed(event.revision.0),
            event.id.0.as_bytes(),
            &*event.event_type,
            decimal(event.event_version, &mut version),
            row.texts.payload,
            row.texts.metadata,
            event.recorded_at.timestamp_micros(),
            leaf,
            stream_no,
            ends.map(|(added, _)| added),
            ends.map(|(_, command_id)| command_id),
            row.packed,
        ])?;
        Ok(())
    }
}

/// `number` in decimal digits, without an allocation.
fn decimal(mut number: u16, digits: &mut [u8; 5]) -> &str {
    let mut start = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        start -= 1;
        if number == 0 {
            break;
        }
    }
    digits.get(start..).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn versions_are_written_in_decimal() {
        let written = [0, 1, 9, 10, 65_535].map(|number| decimal(number, &mut [0; 5]).to_owned());
        assert_eq!(written, ["0", "1", "9", "10", "65535"]);
    }
}
