//! One batch of appends in one transaction, in two round trips: lock and look, then write and commit.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use timeloom_domain::ids::{CommandId, EventId, TenantId};
use timeloom_store::admission::{answer_again, check_expected, record};
use timeloom_store::clock::RecordingTime;
use timeloom_store::leaf::leaf;
use timeloom_store::{
    AppendError, Appended, Durability, LogError, NewEvent, Position, RecordedEvent, Revision, StreamKey,
};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::connection::Connection;
use super::{Failure, Request, Settings, Writer, streams};
use crate::columns::Rows;
use crate::recorded::{JsonText, signed, unsigned};

/// How ids of events that are taken already are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdCheck {
    /// By the index refusing them, which fails the transaction: cheap, as it does not happen.
    ByIndex,
    /// By looking for each before it is written.
    Before,
}

/// A batch that was written.
pub(super) struct Written {
    /// Where the log ended before it.
    pub(super) end_before: Position,
    /// Its new events.
    pub(super) events: Vec<Arc<RecordedEvent>>,
    /// An answer for each of its requests.
    pub(super) answers: Vec<Staged>,
}

/// What came of a request in a batch.
pub(super) enum Staged {
    Given(Result<Appended, AppendError>),
    /// Its command is in the archive: the first and the last position of what it wrote.
    InArchive(Position, Position),
}

impl Staged {
    /// What was appended by it, now or before, as far as that was read.
    pub(super) fn appended(&self) -> Option<&Appended> {
        match self {
            Self::Given(Ok(appended)) => Some(appended),
            Self::Given(Err(_)) | Self::InArchive(..) => None,
        }
    }
}

/// What a command did before.
enum Before {
    Appended(Vec<Arc<RecordedEvent>>),
    /// Its rows are in the archive, from the first to the last of these positions.
    InArchive(Position, Position),
}

/// What the database says before anything is written.
struct Found {
    position: Position,
    recorded_at_us: i64,
    revisions: HashMap<StreamKey, Revision>,
    commands: HashMap<(StreamKey, CommandId), Before>,
    /// Ids of events that are taken; `None` when the index is to say so.
    ids: Option<HashSet<EventId>>,
}

impl Writer {
    /// Writes all requests that are allowed in one transaction. After a failure the transaction is still to be ended.
    pub(super) async fn transact(
        &mut self,
        connection: &Connection,
        requests: &[Request],
        check: IdCheck,
        sent_before: bool,
    ) -> Result<Written, Failure> {
        let now_us = self.settings.clock.now().timestamp_micros();
        let durability = self.durability(requests);
        let found = self.look_up(connection, requests, check, durability).await?;
        let end_before = found.position;
        self.check_not_back(end_before)?;
        let mut stage = Stage {
            end: end_before,
            time: RecordingTime::after(found.recorded_at_us),
            found,
            now_us,
            durability,
            sent_before,
            record: &mut self.record,
            rows: Rows::default(),
            events: Vec::new(),
        };
        let answers: Vec<_> = requests.iter().map(|request| stage.take(request)).collect();
        let Stage { rows, events, .. } = stage;
        match events.last() {
            Some(last) => write(connection, &rows, last).await?,
            // What is answered again may have been relaxed the first time. The lock of the head is enough to be committed, and
            // with a commit everything before it is on the disk.
            None if durability == Durability::Strict
                && answers.iter().filter_map(Staged::appended).any(|answer| answer.repeated) =>
            {
                connection.client.batch_execute("COMMIT").await?;
            }
            None => connection.client.batch_execute("ROLLBACK").await?,
        }
        Ok(Written { end_before, events, answers })
    }

    /// What the batch will survive: one event that must be strict makes all of it strict.
    fn durability(&self, requests: &[Request]) -> Durability {
        let Settings { durability, loss_ms_max, .. } = self.settings;
        if requests.iter().any(|request| durability.is_strict_for(&request.append)) {
            return Durability::Strict;
        }
        Durability::Relaxed { loss_ms_max }
    }

    /// Locks the head and reads what the requests need to know, in one round trip as a rule.
    async fn look_up(
        &mut self,
        connection: &Connection,
        requests: &[Request],
        check: IdCheck,
        durability: Durability,
    ) -> Result<Found, Failure> {
        let (client, statements) = (&connection.client, connection.statements()?);
        let begin = match durability {
            Durability::Strict | Durability::Volatile => "BEGIN ISOLATION LEVEL READ COMMITTED",
            Durability::Relaxed { .. } => "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = off",
        };
        let streams = streams(requests);
        let mut revisions: HashMap<StreamKey, Revision> = HashMap::with_capacity(streams.len());
        let (known, unknown): (Vec<&StreamKey>, Vec<&StreamKey>) =
            streams.into_iter().partition(|stream| self.heads.get(stream).is_some());
        let commands: Vec<Uuid> = requests.iter().map(|request| request.append.command_id.0).collect();
        let of_commands: [&(dyn ToSql + Sync); 1] = [&commands];
        // Sent one after the other without waiting; each sees what the statements before it did, the lock first of all.
        let (begun, locked, dropped, newest, appends) = tokio::join!(
            client.batch_execute(begin),
            client.query_one(&statements.lock_head, &[]),
            client.query_one(&statements.find_dropped, &[]),
            find_revisions(connection, &unknown),
            client.query(&statements.find_commands, &of_commands),
        );
        begun?;
        let locked = locked?;
        let position = Position(unsigned(locked.try_get(0)?));
        revisions.extend(newest?);
        // Ids of archived events are refused by no index of the rows. No row moves while the head is locked.
        if check == IdCheck::ByIndex && dropped?.try_get::<_, i64>(0)? > 0 {
            let ids = requests.iter().flat_map(|request| &request.append.events).map(|event| event.id.0);
            if !client.query(&statements.find_archived_ids, &[&ids.collect::<Vec<Uuid>>()]).await?.is_empty() {
                return Err(Failure::IdTaken);
            }
        }
        if position == self.end {
            revisions.extend(known.into_iter().filter_map(|stream| Some((stream.clone(), self.heads.get(stream)?))));
        } else {
            // Somebody else appended: what is remembered may be wrong.
            self.heads.clear();
            revisions.extend(find_revisions(connection, &known).await?);
        }
        let mut commands = HashMap::new();
        for row in appends? {
            let tenant = TenantId(u32::try_from(row.try_get::<_, i64>(3)?).unwrap_or(u32::MAX));
            let stream = StreamKey::new(tenant, row.try_get::<_, &str>(1)?, row.try_get::<_, &str>(2)?);
            let command_id = CommandId(row.try_get(0)?);
            let wanted = |request: &Request| {
                request.append.command_id == command_id
                    && request.append.stream == stream
                    && !request.append.events.is_empty()
            };
            if requests.iter().any(wanted) {
                let (last, added): (i64, i32) = (row.try_get(4)?, row.try_get(5)?);
                let first = Position(unsigned(last - i64::from(added) + 1));
                let last = Position(unsigned(last));
                let run = self.read_run(connection, first, last).await?;
                let before = match run.len() as u64 == last.0 + 1 - first.0 {
                    true => Before::Appended(run),
                    false => Before::InArchive(first, last),
                };
                commands.insert((stream, command_id), before);
            }
        }
        let ids = match check {
            IdCheck::ByIndex => None,
            IdCheck::Before => {
                let ids = requests.iter().flat_map(|request| &request.append.events).map(|event| event.id.0);
                let taken = client.query(&statements.find_event_ids, &[&ids.collect::<Vec<Uuid>>()]).await?;
                Some(taken.iter().map(|row| row.try_get(0).map(EventId)).collect::<Result<_, _>>()?)
            }
        };
        Ok(Found { position, recorded_at_us: locked.try_get(1)?, revisions, commands, ids })
    }
}

async fn find_revisions(
    connection: &Connection,
    streams: &[&StreamKey],
) -> Result<Vec<(StreamKey, Revision)>, Failure> {
    if streams.is_empty() {
        return Ok(Vec::new());
    }
    let categories: Vec<&str> = streams.iter().map(|stream| &*stream.category).collect();
    let ids: Vec<&str> = streams.iter().map(|stream| &*stream.id).collect();
    let tenants: Vec<i64> = streams.iter().map(|stream| i64::from(stream.tenant.0)).collect();
    let statement = &connection.statements()?.find_revisions;
    let rows = connection.client.query(statement, &[&categories, &ids, &tenants]).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let number: i64 = row.try_get(0)?;
        let stream = usize::try_from(number - 1).ok().and_then(|index| streams.get(index));
        if let Some(stream) = stream {
            found.push((StreamKey::clone(stream), Revision(unsigned(row.try_get(1)?))));
        }
    }
    Ok(found)
}

/// A batch on its way from requests to rows. Never waits.
struct Stage<'batch> {
    found: Found,
    end: Position,
    time: RecordingTime,
    now_us: i64,
    durability: Durability,
    /// Whether the requests were sent before, to an end that nobody knows.
    sent_before: bool,
    record: &'batch mut Vec<u8>,
    rows: Rows<'batch>,
    events: Vec<Arc<RecordedEvent>>,
}

impl<'batch> Stage<'batch> {
    fn take(&mut self, request: &'batch Request) -> Staged {
        let append = &request.append;
        let command = (append.stream.clone(), append.command_id);
        match self.found.commands.get(&command).filter(|_| !append.events.is_empty()) {
            Some(Before::Appended(recorded)) => Staged::Given(self.answer_again(request, recorded.clone())),
            Some(Before::InArchive(first, last)) => Staged::InArchive(*first, *last),
            None => Staged::Given(self.take_new(request, command)),
        }
    }

    fn take_new(&mut self, request: &'batch Request, command: (StreamKey, CommandId)) -> Result<Appended, AppendError> {
        let append = &request.append;
        let revision = self.found.revisions.get(&append.stream).copied().unwrap_or_default();
        check_expected(&append.stream, append.expected, revision)?;
        if append.events.is_empty() {
            let (position, durability) = (self.end, self.durability);
            return Ok(Appended { position, revision, events: Vec::new(), repeated: false, durability });
        }
        let is_taken = |event: &NewEvent| self.found.ids.as_ref().is_some_and(|ids| ids.contains(&event.id));
        if append.events.iter().any(is_taken) || has_own_double(&append.events) {
            return Err(AppendError::DuplicateId);
        }
        let appended = self.write(request, revision);
        self.found.revisions.insert(append.stream.clone(), appended.revision);
        self.found.commands.insert(command, Before::Appended(stored_again(request, &appended.events)));
        if let Some(ids) = &mut self.found.ids {
            ids.extend(append.events.iter().map(|event| event.id));
        }
        Ok(appended)
    }

    fn answer_again(&self, request: &Request, recorded: Vec<Arc<RecordedEvent>>) -> Result<Appended, AppendError> {
        let events = &request.append.events;
        let own = recorded.iter().map(|event| event.id).eq(events.iter().map(|event| event.id));
        let stored = request.references.stored_events(events);
        let answer = answer_again(stored.as_deref().unwrap_or(events), recorded, self.durability)?;
        if !(self.sent_before && own) {
            return Ok(answer);
        }
        // The first try had got through after all: this is its answer.
        let with_payload = |(event, new): (&Arc<RecordedEvent>, &NewEvent)| {
            Arc::new(RecordedEvent { payload: Arc::clone(&new.payload), ..RecordedEvent::clone(event) })
        };
        let events = answer.events.iter().zip(events).map(with_payload).collect();
        Ok(Appended { events, repeated: false, ..answer })
    }

    fn write(&mut self, request: &'batch Request, revision: Revision) -> Appended {
        let Request { append, measured, references, .. } = request;
        let added = append.events.len() as u64;
        let mut events = Vec::with_capacity(append.events.len());
        for (index, (event, metadata)) in append.events.iter().zip(&measured.metadata).enumerate() {
            let offset = index as u64 + 1;
            let payload = references.stored(index, event).get();
            let recorded = record(
                event.clone(),
                append.stream.clone(),
                Position(self.end.0 + offset),
                Revision(revision.0 + offset),
                self.time.next(self.now_us),
            );
            let leaf = leaf(&recorded, payload, metadata, self.record);
            let ends = (offset == added).then(|| (i32::try_from(added).unwrap_or(i32::MAX), append.command_id.0));
            self.rows.push(&append.stream, event, &recorded, JsonText(payload), JsonText(metadata), leaf, ends);
            events.push(Arc::new(recorded));
        }
        self.events.extend(events.iter().cloned());
        self.end = Position(self.end.0 + added);
        let (position, revision) = (self.end, Revision(revision.0 + added));
        Appended { position, revision, events, repeated: false, durability: self.durability }
    }
}

/// The events as their rows have them, for the same command sent again in the same batch.
fn stored_again(request: &Request, events: &[Arc<RecordedEvent>]) -> Vec<Arc<RecordedEvent>> {
    let stored = |(index, (event, new)): (usize, (&Arc<RecordedEvent>, &NewEvent))| {
        let payload = Arc::clone(request.references.stored(index, new));
        Arc::new(RecordedEvent { payload, ..RecordedEvent::clone(event) })
    };
    match request.measured.spilled_bytes {
        0 => events.to_vec(),
        _ => events.iter().zip(&request.append.events).enumerate().map(stored).collect(),
    }
}

fn has_own_double(events: &[NewEvent]) -> bool {
    let mut seen = HashSet::with_capacity(events.len());
    events.len() > 1 && !events.iter().all(|event| seen.insert(event.id))
}

/// Writes the rows, moves the head to `last` and commits.
async fn write(connection: &Connection, rows: &Rows<'_>, last: &RecordedEvent) -> Result<(), Failure> {
    let (client, statements) = (&connection.client, connection.statements()?);
    let (position, time_us) = (signed(last.position.0), last.recorded_at.timestamp_micros());
    let head: [&(dyn ToSql + Sync); 2] = [&position, &time_us];
    let leaves = rows.leaves();
    let parameters = rows.parameters(&leaves);
    let (inserted, moved, committed) = tokio::join!(
        client.execute(&statements.insert_events, &parameters),
        client.query(&statements.move_head, &head),
        client.batch_execute("COMMIT"),
    );
    // After an error in between, the server takes COMMIT for ROLLBACK and calls that a success.
    let inserted = inserted?;
    let moved = moved?.len();
    committed?;
    if inserted != rows.len() as u64 || moved != 1 {
        let detail = "the table log_head does not have its one row".to_owned();
        return Err(LogError::Corrupt { position: last.position, detail }.into());
    }
    Ok(())
}
