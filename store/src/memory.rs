//! A log and blobs in memory: for tests and for servers that need to keep nothing. Nothing outlives the process.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use timeloom_domain::ids::{CommandId, EventId};

use crate::admission::{answer_again, check_expected, measure, record};
use crate::blobs::{BLOB_BYTES_MAX, BlobError, BlobHash, BlobMeter, BlobStore, BlobWriter, WrittenBlob};
use crate::clock::{Clock, RecordingTime};
use crate::envelope::{Position, RecordedEvent, Revision, StreamKey};
use crate::log::{
    Append, AppendError, Appended, Direction, Durability, EventLog, Filter, LogError, READ_EVENTS_MAX, Subscription,
    TenantScope, Wanted,
};
use crate::replica::Replica;
use crate::tail::{History, HistoryPage, Tail};

/// Events that one page of history looks at.
const PAGE_LOOKED_AT: usize = 10_000;

/// An [`EventLog`] in memory.
pub struct MemoryLog {
    clock: Arc<dyn Clock>,
    events: Arc<Mutex<Events>>,
    history: Arc<dyn History>,
    tail: Arc<Tail>,
}

impl fmt::Debug for MemoryLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MemoryLog").field("tail", &self.tail).finish_non_exhaustive()
    }
}

impl MemoryLog {
    /// An empty log whose times come from `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        let events = Arc::new(Mutex::new(Events {
            all: Vec::new(),
            streams: HashMap::new(),
            commands: HashMap::new(),
            ids: HashMap::new(),
            time: RecordingTime::after(i64::MIN),
        }));
        let history = Arc::new(MemoryHistory(Arc::clone(&events)));
        Arc::new(Self { clock, events, history, tail: Tail::new(Position::START) })
    }

    /// Refuses appends from now on and ends every subscription.
    pub async fn close(&self) {
        // Under the lock, so that no append that was let in publishes after the end.
        {
            let _events = lock(&self.events);
            self.tail.close();
        }
        self.tail.closed().await;
    }

    /// How many subscribers are live now.
    pub fn subscriber_count(&self) -> usize {
        self.tail.subscriber_count()
    }
}

impl Drop for MemoryLog {
    fn drop(&mut self) {
        self.tail.close();
    }
}

struct Events {
    /// The event at position p is at index p − 1.
    all: Vec<Arc<RecordedEvent>>,
    /// Indexes into `all`; revision r of a stream is at index r − 1.
    streams: HashMap<StreamKey, Vec<usize>>,
    /// Indexes into `all` of what a command appended to a stream.
    commands: HashMap<(StreamKey, CommandId), Range<usize>>,
    /// Indexes into `all`.
    ids: HashMap<EventId, usize>,
    time: RecordingTime,
}

impl Events {
    fn append(&mut self, append: Append, now_us: i64) -> Result<Appended, AppendError> {
        let command = (append.stream.clone(), append.command_id);
        if let Some(range) = self.commands.get(&command).filter(|_| !append.events.is_empty()) {
            let recorded = self.all.get(range.clone()).unwrap_or_default().to_vec();
            return answer_again(&append.events, recorded, Durability::Volatile);
        }
        let revision = Revision(self.streams.get(&append.stream).map_or(0, Vec::len) as u64);
        check_expected(&append.stream, append.expected, revision)?;
        let position = Position(self.all.len() as u64);
        if append.events.is_empty() {
            return Ok(Appended {
                position,
                revision,
                events: Vec::new(),
                repeated: false,
                durability: Durability::Volatile,
            });
        }
        let mut own_ids = HashSet::with_capacity(append.events.len());
        if append.events.iter().any(|event| self.ids.contains_key(&event.id) || !own_ids.insert(event.id)) {
            return Err(AppendError::DuplicateId);
        }
        let first = self.all.len();
        self.ids.extend(append.events.iter().enumerate().map(|(offset, event)| (event.id, first + offset)));
        for (offset, event) in (1u64..).zip(append.events) {
            self.all.push(Arc::new(record(
                event,
                append.stream.clone(),
                Position(position.0 + offset),
                Revision(revision.0 + offset),
                self.time.next(now_us),
            )));
        }
        let range = first..self.all.len();
        let events = self.all.get(range.clone()).unwrap_or_default().to_vec();
        self.streams.entry(append.stream).or_default().extend(range.clone());
        self.commands.insert(command, range);
        let added = events.len() as u64;
        Ok(Appended {
            position: Position(position.0 + added),
            revision: Revision(revision.0 + added),
            events,
            repeated: false,
            durability: Durability::Volatile,
        })
    }

    fn stream(
        &self,
        stream: &StreamKey,
        after: Revision,
        direction: Direction,
        limit: usize,
    ) -> Vec<Arc<RecordedEvent>> {
        let indexes = self.streams.get(stream).map(Vec::as_slice).unwrap_or_default();
        let middle = usize::try_from(after.0).unwrap_or(usize::MAX).min(indexes.len());
        let event = |index: &usize| self.all.get(*index).cloned();
        match direction {
            Direction::Forward => indexes.iter().skip(middle).take(limit).filter_map(event).collect(),
            Direction::Backward => indexes.iter().take(middle).rev().take(limit).filter_map(event).collect(),
        }
    }

    fn look_up(&self, scope: TenantScope, wanted: &Wanted) -> Vec<Arc<RecordedEvent>> {
        let index = |position: &Position| usize::try_from(position.0).unwrap_or(usize::MAX).checked_sub(1);
        let mut indexes: Vec<usize> = match wanted {
            Wanted::Positions(positions) => positions.iter().take(READ_EVENTS_MAX).filter_map(index).collect(),
            Wanted::Ids(ids) => ids.iter().take(READ_EVENTS_MAX).filter_map(|id| self.ids.get(id).copied()).collect(),
        };
        indexes.sort_unstable();
        indexes.dedup();
        let found = indexes.into_iter().filter_map(|index| self.all.get(index).cloned());
        found.filter(|event| Filter::default().matches(scope, event)).collect()
    }

    fn all(
        &self,
        scope: TenantScope,
        after: Position,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Vec<Arc<RecordedEvent>> {
        let middle = usize::try_from(after.0).unwrap_or(usize::MAX).min(self.all.len());
        let (before, behind) = self.all.split_at(middle);
        let wanted = |event: &&Arc<RecordedEvent>| filter.matches(scope, event);
        match direction {
            Direction::Forward => behind.iter().filter(wanted).take(limit).cloned().collect(),
            Direction::Backward => before.iter().rev().filter(wanted).take(limit).cloned().collect(),
        }
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        measure(&append)?;
        // Nothing here ever waits: without this, a task that appends in a loop would never let others run.
        tokio::task::coop::consume_budget().await;
        let now_us = self.clock.now().timestamp_micros();
        let mut events = lock(&self.events);
        if self.tail.is_closed() {
            return Err(LogError::Closed.into());
        }
        let appended = events.append(append, now_us)?;
        if !appended.repeated {
            // Still under the lock: the order of publishing is the order of positions.
            self.tail.publish(&appended.events);
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
        Ok(lock(&self.events).stream(stream, after, direction, limit.min(READ_EVENTS_MAX)))
    }

    async fn read_all(
        &self,
        scope: TenantScope,
        after: Position,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        Ok(lock(&self.events).all(scope, after, direction, filter, limit.min(READ_EVENTS_MAX)))
    }

    async fn look_up(&self, scope: TenantScope, wanted: &Wanted) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        Ok(lock(&self.events).look_up(scope, wanted))
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
        let events = lock(&self.events);
        Ok(Position(events.all.partition_point(|event| event.recorded_at.timestamp_micros() <= time_us) as u64))
    }
}

#[async_trait]
impl Replica for MemoryLog {
    async fn appended_by(
        &self,
        stream: &StreamKey,
        command_id: CommandId,
    ) -> Result<Option<Vec<Arc<RecordedEvent>>>, LogError> {
        let events = lock(&self.events);
        let range = events.commands.get(&(stream.clone(), command_id));
        Ok(range.and_then(|range| events.all.get(range.clone())).map(<[_]>::to_vec))
    }
}

struct MemoryHistory(Arc<Mutex<Events>>);

#[async_trait]
impl History for MemoryHistory {
    async fn page(
        &self,
        scope: TenantScope,
        after: Position,
        up_to: Position,
        filter: &Filter,
        limit: usize,
    ) -> Result<HistoryPage, LogError> {
        let events = lock(&self.0);
        let first = usize::try_from(after.0).unwrap_or(usize::MAX);
        let end = usize::try_from(up_to.0).unwrap_or(usize::MAX).min(first.saturating_add(PAGE_LOOKED_AT));
        let mut page = HistoryPage { events: Vec::new(), looked_at: after };
        for event in events.all.get(first..end.min(events.all.len())).unwrap_or_default() {
            if page.events.len() == limit {
                break;
            }
            page.looked_at = event.position;
            if filter.matches(scope, event) {
                page.events.push(Arc::clone(event));
            }
        }
        Ok(page)
    }
}

fn lock(events: &Mutex<Events>) -> MutexGuard<'_, Events> {
    // Every change is complete before anything in the critical section can fail.
    events.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A [`BlobStore`] in memory.
#[derive(Debug, Default)]
pub struct MemoryBlobs {
    blobs: Arc<Mutex<HashMap<BlobHash, Bytes>>>,
}

impl MemoryBlobs {
    /// An empty store.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    fn find(&self, hash: BlobHash) -> Result<Bytes, BlobError> {
        let blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        blobs.get(&hash).cloned().ok_or(BlobError::Missing(hash))
    }
}

#[async_trait]
impl BlobStore for MemoryBlobs {
    async fn put(&self, content: Bytes) -> Result<BlobHash, BlobError> {
        if content.len() > BLOB_BYTES_MAX {
            return Err(BlobError::TooLarge(content.len()));
        }
        let hash = BlobHash::of(&content);
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner).insert(hash, content);
        Ok(hash)
    }

    async fn get(&self, hash: BlobHash) -> Result<Bytes, BlobError> {
        self.find(hash)
    }

    async fn writer(&self) -> Result<Box<dyn BlobWriter>, BlobError> {
        let (blobs, meter) = (Arc::clone(&self.blobs), BlobMeter::default());
        Ok(Box::new(MemoryBlobWriter { blobs, meter, content: Vec::new() }))
    }

    async fn remove(&self, hash: BlobHash) -> Result<(), BlobError> {
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash);
        Ok(())
    }

    async fn part(&self, hash: BlobHash, offset: u64, bytes_max: usize) -> Result<Bytes, BlobError> {
        let content = self.find(hash)?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        Ok(content.slice(from..from.saturating_add(bytes_max).min(content.len())))
    }
}

struct MemoryBlobWriter {
    blobs: Arc<Mutex<HashMap<BlobHash, Bytes>>>,
    meter: BlobMeter,
    content: Vec<u8>,
}

#[async_trait]
impl BlobWriter for MemoryBlobWriter {
    async fn write(&mut self, content: Bytes) -> Result<(), BlobError> {
        self.meter.add(&content)?;
        self.content.extend_from_slice(&content);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<WrittenBlob, BlobError> {
        let written = self.meter.written();
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner).insert(written.hash, self.content.into());
        Ok(written)
    }
}
