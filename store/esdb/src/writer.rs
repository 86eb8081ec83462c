//! Takes the appends that wait, judges them as every backend does against what the replica has, and sends those that are
//! taken to the server as one append, which expects that nothing came in between. When something did, it is waited for and
//! they are judged again.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use timeloom_domain::ids::{CommandId, EventId};
use timeloom_store::admission::{answer_again, check_expected};
use timeloom_store::clock::RecordingTime;
use timeloom_store::queue::Held;
use timeloom_store::spill::{PayloadReference, spills};
use timeloom_store::{
    APPEND_EVENTS_MAX, Append, AppendError, Appended, BlobStore as _, Clock, Direction, Durability, LogError, Position,
    Replica, Revision, StreamKey, TenantScope, Wanted,
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::blobs::EsdbBlobs;
use crate::error::EsdbError;
use crate::follower::Waiting;
use crate::log::{STREAM, State};
use crate::row::Row;
use crate::server::{Sent, Server};

/// Most appends that wait.
pub(crate) const QUEUE_MAX: usize = 4_096;
/// When to try again after the queue was full.
pub(crate) const RETRY_AFTER: Duration = Duration::from_millis(250);
/// Bytes after which no more appends are sent together. One by itself may have more.
const BATCH_BYTES_MAX: usize = 512 << 10;
/// How long the replica may take to have what the server has.
const FOLLOW_TIME_MAX: Duration = Duration::from_secs(15);

/// An append that waits.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) append: Append,
    /// Bytes on the server, its payloads in blobs apart.
    pub(crate) bytes: usize,
    pub(crate) _held: Held,
    pub(crate) answer: oneshot::Sender<Result<Appended, AppendError>>,
}

pub(crate) struct Writer {
    server: Server,
    blobs: EsdbBlobs,
    replica: Arc<dyn Replica>,
    clock: Arc<dyn Clock>,
    waiting: Arc<Waiting>,
    state: Arc<State>,
}

/// What the appends of a batch that were taken add to what the replica has.
struct Batch {
    position: Position,
    time: RecordingTime,
    heads: HashMap<StreamKey, Revision>,
    commands: HashSet<(StreamKey, CommandId)>,
    ids: HashSet<EventId>,
    rows: Vec<Row>,
    taken: Vec<Request>,
}

/// What is to be done with an append.
enum Judged {
    /// It is sent with the others.
    Taken,
    /// It is answered.
    Answered(Box<Result<Appended, AppendError>>),
    /// It waits for one before it, with the same command.
    Later,
}

impl Writer {
    pub(crate) fn new(
        server: Server,
        blobs: EsdbBlobs,
        replica: Arc<dyn Replica>,
        clock: Arc<dyn Clock>,
        waiting: Arc<Waiting>,
        state: Arc<State>,
    ) -> Self {
        Self { server, blobs, replica, clock, waiting, state }
    }

    /// Works until it is stopped or nobody appends any more.
    pub(crate) async fn run(self, mut queue: mpsc::Receiver<Request>, stop: CancellationToken) {
        let mut waiting = VecDeque::new();
        loop {
            if waiting.is_empty() {
                let next = tokio::select! {
                    () = stop.cancelled() => return,
                    next = queue.recv() => next,
                };
                let Some(next) = next else { return };
                waiting.push_back(next);
            }
            while let Ok(next) = queue.try_recv() {
                waiting.push_back(next);
                if waiting.len() >= APPEND_EVENTS_MAX {
                    break;
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.work(&mut waiting) => {}
            }
        }
    }

    /// Judges and sends what waits, as much as goes together; answers it.
    async fn work(&self, waiting: &mut VecDeque<Request>) {
        let batch = match self.gather(waiting).await {
            Ok(batch) if batch.taken.is_empty() => return,
            Ok(batch) => batch,
            Err((requests, error)) => return answer_all(requests, &error.into()),
        };
        let events = match self.encode(&batch.rows).await {
            Ok(events) => events,
            Err(error) => return answer_all(batch.taken, &LogError::from(error).into()),
        };
        let firsts: Vec<EventId> =
            batch.taken.iter().filter_map(|request| request.append.events.first().map(|event| event.id)).collect();
        let answers: Vec<_> = firsts.iter().map(|first| self.waiting.register(*first)).collect();
        let sent = self.server.append(STREAM, batch.position.0, &events).await;
        match sent {
            Ok(Sent::Done(_)) => self.answer(batch.taken, answers).await,
            Ok(Sent::Elsewhere) => {
                firsts.iter().for_each(|first| self.waiting.forget(*first));
                match self.follow_on(batch.position).await {
                    Ok(()) => batch.taken.into_iter().rev().for_each(|request| waiting.push_front(request)),
                    Err(error) => answer_all(batch.taken, &error),
                }
            }
            Err(error) => {
                firsts.iter().for_each(|first| self.waiting.forget(*first));
                // It may have got through all the same: the command sent again finds it out.
                tracing::error!(%error, "the server of the log took nothing");
                let error = match error {
                    EsdbError::Server(_) => AppendError::Unavailable { retry_after: RETRY_AFTER },
                    error => LogError::from(error).into(),
                };
                answer_all(batch.taken, &error);
            }
        }
    }

    /// Waits for what came in between.
    async fn follow_on(&self, seen: Position) -> Result<(), AppendError> {
        self.state.check()?;
        let reached = tokio::time::timeout(FOLLOW_TIME_MAX, self.replica.wait_for(Position(seen.0 + 1))).await;
        match reached {
            Ok(reached) => Ok(reached?),
            Err(_) => Err(AppendError::Unavailable { retry_after: RETRY_AFTER }),
        }
    }

    /// Answers appends that are on the server once they are in the replica.
    async fn answer(&self, taken: Vec<Request>, answers: Vec<oneshot::Receiver<Appended>>) {
        let until = tokio::time::Instant::now() + FOLLOW_TIME_MAX;
        for (request, answer) in taken.into_iter().zip(answers) {
            let answer = match tokio::time::timeout_at(until, answer).await {
                Ok(Ok(appended)) => Ok(Appended { durability: Durability::Strict, ..appended }),
                Ok(Err(_)) => Err(LogError::Closed.into()),
                Err(_) => {
                    let failed = self.state.check().err().map(AppendError::from);
                    Err(failed.unwrap_or(AppendError::Unavailable { retry_after: RETRY_AFTER }))
                }
            };
            let _ = request.answer.send(answer);
        }
    }

    /// Takes from what waits what goes into one append of the server; what is refused is answered at once.
    async fn gather(&self, waiting: &mut VecDeque<Request>) -> Result<Batch, (Vec<Request>, LogError)> {
        let position = self.replica.head();
        let newest = self.replica.look_up(TenantScope::All, &Wanted::Positions(vec![position])).await;
        let last_us = match newest {
            Ok(newest) => newest.first().map_or(i64::MIN, |event| event.recorded_at.timestamp_micros()),
            Err(error) => return Err((waiting.drain(..).collect(), error)),
        };
        let mut batch = Batch {
            position,
            time: RecordingTime::after(last_us),
            heads: HashMap::new(),
            commands: HashSet::new(),
            ids: HashSet::new(),
            rows: Vec::new(),
            taken: Vec::new(),
        };
        let mut bytes = 0;
        while let Some(request) = waiting.pop_front() {
            let is_full = batch.rows.len() + request.append.events.len() > APPEND_EVENTS_MAX
                || bytes + request.bytes > BATCH_BYTES_MAX;
            if is_full && !batch.taken.is_empty() {
                waiting.push_front(request);
                break;
            }
            match self.judge(&mut batch, &request.append).await {
                Ok(Judged::Taken) => {
                    bytes += request.bytes;
                    batch.taken.push(request);
                }
                Ok(Judged::Answered(answer)) => {
                    let _ = request.answer.send(*answer);
                }
                Ok(Judged::Later) => {
                    waiting.push_front(request);
                    break;
                }
                Err(error) => {
                    let _ = request.answer.send(Err(error.into()));
                }
            }
        }
        Ok(batch)
    }

    async fn judge(&self, batch: &mut Batch, append: &Append) -> Result<Judged, LogError> {
        let answered = |answer| Ok(Judged::Answered(Box::new(answer)));
        let command = (append.stream.clone(), append.command_id);
        if batch.commands.contains(&command) {
            return Ok(Judged::Later);
        }
        if !append.events.is_empty()
            && let Some(recorded) = self.replica.appended_by(&append.stream, append.command_id).await?
        {
            return answered(answer_again(&append.events, recorded, Durability::Strict));
        }
        let revision = match batch.heads.get(&append.stream) {
            Some(revision) => *revision,
            None => self.revision(&append.stream).await?,
        };
        if let Err(refused) = check_expected(&append.stream, append.expected, revision) {
            return answered(Err(refused));
        }
        if append.events.is_empty() {
            if !batch.taken.is_empty() {
                return Ok(Judged::Later);
            }
            let position = batch.position;
            let durability = Durability::Strict;
            return answered(Ok(Appended { position, revision, events: Vec::new(), repeated: false, durability }));
        }
        let ids: Vec<EventId> = append.events.iter().map(|event| event.id).collect();
        let own: HashSet<EventId> = ids.iter().copied().collect();
        let is_twice = own.len() < ids.len() || !own.is_disjoint(&batch.ids);
        if is_twice || !self.replica.look_up(TenantScope::All, &Wanted::Ids(ids)).await?.is_empty() {
            return answered(Err(AppendError::DuplicateId));
        }
        batch.take(append, revision, own, self.clock.now().timestamp_micros());
        Ok(Judged::Taken)
    }

    async fn revision(&self, stream: &StreamKey) -> Result<Revision, LogError> {
        let last = self.replica.read_stream(stream, Revision(u64::MAX), Direction::Backward, 1).await?;
        Ok(last.first().map_or(Revision(0), |event| event.revision))
    }

    /// The rows as the server takes them. Large payloads are on the server, by themselves, before the event that names them.
    async fn encode(&self, rows: &[Row]) -> Result<Vec<eventstore::EventData>, EsdbError> {
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let payload = &row.event.payload;
            if !spills(payload) {
                events.push(row.to_server(payload)?);
                continue;
            }
            self.blobs.put(bytes::Bytes::copy_from_slice(payload.get().as_bytes())).await?;
            let reference = PayloadReference::to(payload).to_string();
            let reference = serde_json::value::RawValue::from_string(reference).map_err(LogError::storage)?;
            events.push(row.to_server(&Arc::from(reference))?);
        }
        Ok(events)
    }
}

impl Batch {
    fn take(&mut self, append: &Append, revision: Revision, own: HashSet<EventId>, now_us: i64) {
        let count = append.events.len();
        for (index, event) in append.events.iter().enumerate() {
            let is_last = index + 1 == count;
            self.rows.push(Row {
                event: event.clone(),
                stream: append.stream.clone(),
                revision: Revision(revision.0 + index as u64 + 1),
                // The replica gives the events of one append the times that follow its first one.
                at_us: self.time.next(now_us),
                append: is_last.then(|| u32::try_from(count).unwrap_or(u32::MAX)),
                command_id: append.command_id,
            });
        }
        self.heads.insert(append.stream.clone(), Revision(revision.0 + count as u64));
        self.commands.insert((append.stream.clone(), append.command_id));
        self.ids.extend(own);
    }
}

fn answer_all(requests: Vec<Request>, error: &AppendError) {
    for request in requests {
        let _ = request.answer.send(Err(error.clone()));
    }
}
