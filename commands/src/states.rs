//! Folded states of streams: from the cache, else from a snapshot, else from the log, and always with what the log holds
//! after that.
//!
//! Invariant: whatever a state began from, it is the one that folding the whole stream gives. A snapshot is looked at
//! with suspicion (see [`timeloom_store::snapshots`]); one that does not stand the check is forgotten.

use std::sync::Arc;

use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::ids::{CommandId, EventId};
use timeloom_store::codec::json_bytes;
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::snapshots::SNAPSHOT_BYTES_MAX;
use timeloom_store::{
    Direction, EventLog, FoldHash, LogError, Position, RecordedEvent, Revision, SnapshotPlace, SnapshotStore,
    StreamKey, codec,
};

use crate::bridge::{AggregateBounds, EventBounds, StreamState};
use crate::cache::StateCache;
use crate::snapshots::SnapshotWriter;

/// Folded states that are kept when nothing else is said.
const STATES_MAX: usize = 4_096;
/// Bytes of folded states, as JSON, that are kept when nothing else is said. In memory they are a few times larger.
const STATES_BYTES_MAX: usize = 64 << 20;
/// Events after which a stream gets another snapshot when nothing else is said.
const SNAPSHOT_EVENTS: u64 = 256;
/// Snapshots that may wait to be written when nothing else is said; more are not written.
const SNAPSHOTS_QUEUED_MAX: usize = 64;

/// How folded states are kept.
#[derive(Clone)]
pub struct Keeping {
    /// Folded states in memory, of all aggregates together.
    pub states_max: usize,
    /// Bytes of them, as JSON.
    pub bytes_max: usize,
    /// Where snapshots are; `None` = there are none.
    pub snapshots: Option<Arc<dyn SnapshotStore>>,
    /// Events after which a stream gets another snapshot.
    pub snapshot_events: u64,
    /// Snapshots that may wait to be written; more are not written.
    pub snapshots_queued_max: usize,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            states_max: STATES_MAX,
            bytes_max: STATES_BYTES_MAX,
            snapshots: None,
            snapshot_events: SNAPSHOT_EVENTS,
            snapshots_queued_max: SNAPSHOTS_QUEUED_MAX,
        }
    }
}

/// A folded stream, and what is known of it besides.
#[derive(Debug, Clone, Default)]
pub(crate) struct Folded<A> {
    /// Shared with the cache until one of them goes on.
    pub(crate) state: Arc<StreamState<A>>,
    /// The last event folded in.
    last_event: Option<EventId>,
    /// Up to where there is a snapshot.
    snapshot: Revision,
    /// Bytes of the state as JSON when they were counted last.
    counted_bytes: usize,
    /// Bytes of payloads folded in since.
    added_bytes: usize,
}

impl<A: Default> From<Arc<StreamState<A>>> for Folded<A> {
    fn from(state: Arc<StreamState<A>>) -> Self {
        Self { state, ..Self::default() }
    }
}

impl<A: Clone + Default> Folded<A> {
    /// The aggregate, in place of which an empty one stays.
    pub(crate) fn take_aggregate(&mut self) -> A {
        std::mem::take(&mut Arc::make_mut(&mut self.state).aggregate)
    }

    /// Puts an aggregate in place of the one that is there.
    pub(crate) fn put_aggregate(&mut self, aggregate: A) {
        Arc::make_mut(&mut self.state).aggregate = aggregate;
    }
}

impl<A: AggregateBounds + Aggregate> Folded<A>
where
    A::Event: Event + EventBounds,
{
    fn fold(&mut self, recorded: &RecordedEvent) -> Result<(), LogError> {
        let event = codec::decode::<A::Event>(recorded)?;
        Arc::make_mut(&mut self.state).aggregate.apply(&event);
        self.passed(recorded);
        Ok(())
    }

    /// Takes down that the state has `recorded` in it.
    fn passed(&mut self, recorded: &RecordedEvent) {
        let state = Arc::make_mut(&mut self.state);
        state.revision = recorded.revision;
        state.position = recorded.position;
        self.last_event = Some(recorded.id);
        self.added_bytes += recorded.payload.get().len();
    }

    /// The state's size. It is counted again only after as much came in as it had, so that counting costs no more than
    /// folding.
    fn bytes(&mut self) -> usize {
        if self.added_bytes >= self.counted_bytes {
            self.counted_bytes = json_bytes(&self.state.aggregate);
            self.added_bytes = 0;
        }
        self.counted_bytes + self.added_bytes
    }
}

/// What the state of a stream began from, and what it came to.
pub(crate) struct Found<A> {
    pub(crate) folded: Folded<A>,
    /// Whether it began from a kept state. Of a command that is in there already, nothing is known then.
    pub(crate) from_kept: bool,
}

/// The folded states of one log.
pub(crate) struct States {
    log: Arc<dyn EventLog>,
    cache: StateCache,
    snapshots: Option<SnapshotWriter>,
    snapshot_events: u64,
}

impl States {
    pub(crate) fn new(log: Arc<dyn EventLog>, keeping: Keeping) -> Self {
        let Keeping { states_max, bytes_max, snapshots, snapshot_events, snapshots_queued_max } = keeping;
        Self {
            log,
            cache: StateCache::new(states_max, bytes_max),
            snapshots: snapshots.map(|store| SnapshotWriter::new(store, snapshots_queued_max)),
            snapshot_events: snapshot_events.max(1),
        }
    }

    /// Writes the snapshots that wait, and no more.
    pub(crate) async fn close(&self) {
        if let Some(snapshots) = &self.snapshots {
            snapshots.close().await;
        }
    }

    /// Lets go of everything that is kept of streams; snapshots of others go as well.
    pub(crate) async fn forget(&self, streams: &[StreamKey]) -> Result<(), LogError> {
        self.cache.forget(streams);
        match &self.snapshots {
            Some(snapshots) => snapshots.scrub().await,
            None => Ok(()),
        }
    }

    /// The state of `stream` as the log has it. Events of command `own` after the kept state, and what came after them,
    /// are left out: so a command that was carried out before is decided on what it was decided on then.
    pub(crate) async fn load<A>(&self, stream: &StreamKey, own: Option<CommandId>) -> Result<Found<A>, LogError>
    where
        A: Aggregate + AggregateBounds,
        A::Event: Event + EventBounds,
    {
        // Before the log is read: what is in it by now will have been looked through.
        let (head, newest) = (self.log.head(), self.log.newest_of(A::Event::CATEGORY));
        let cached = match self.cache.get::<Folded<A>>(stream) {
            Some((cached, looked_at)) if newest.is_some_and(|newest| newest <= looked_at) => {
                return Ok(Found { folded: (*cached).clone(), from_kept: true });
            }
            cached => cached.map(|(cached, _)| (*cached).clone()),
        };
        let known = cached.as_ref().map_or(Revision::default(), |cached| cached.state.revision);
        let kept = match cached {
            None => self.snapshot_of::<A>(stream).await?,
            cached => cached,
        };
        let from_kept = kept.is_some();
        let mut folded = self.fold_on(stream, kept.unwrap_or_default(), own).await?;
        let StreamState { revision, position, .. } = *folded.state;
        // What comes after the command's own events was not looked at.
        let looked_at = if own.is_none() { head.max(position) } else { position };
        if revision > known {
            self.remember(stream, &mut folded, looked_at);
        } else {
            self.cache.looked(stream, revision, looked_at);
        }
        Ok(Found { folded, from_kept })
    }

    /// The state that command `own` was decided on; `None` when it is not in `stream`.
    pub(crate) async fn before<A>(
        &self,
        stream: &StreamKey,
        own: CommandId,
    ) -> Result<Option<Arc<StreamState<A>>>, LogError>
    where
        A: Aggregate + AggregateBounds,
        A::Event: Event + EventBounds,
    {
        // Mostly it is not there: the stream is looked through first, and folded only when it is.
        if !self.is_in(stream, own).await? {
            return Ok(None);
        }
        Ok(Some(self.fold_on::<A>(stream, Folded::default(), Some(own)).await?.state))
    }

    async fn is_in(&self, stream: &StreamKey, command: CommandId) -> Result<bool, LogError> {
        let mut after = Revision::default();
        loop {
            let events = self.log.read_stream(stream, after, Direction::Forward, READ_EVENTS_MAX).await?;
            if events.iter().any(|event| event.metadata.command_id == command) {
                return Ok(true);
            }
            match events.last() {
                Some(last) if events.len() == READ_EVENTS_MAX => after = last.revision,
                _ => return Ok(false),
            }
        }
    }

    /// Takes in what a command appended to `folded`, whose aggregate has the events in it.
    pub(crate) fn appended<A>(&self, stream: &StreamKey, mut folded: Folded<A>, events: &[Arc<RecordedEvent>])
    where
        A: Aggregate + AggregateBounds,
        A::Event: Event + EventBounds,
    {
        events.iter().for_each(|event| folded.passed(event));
        let position = folded.state.position;
        self.remember(stream, &mut folded, position);
    }

    /// Folds in what the log holds after `folded`, up to the events of `own`.
    async fn fold_on<A>(
        &self,
        stream: &StreamKey,
        mut folded: Folded<A>,
        own: Option<CommandId>,
    ) -> Result<Folded<A>, LogError>
    where
        A: Aggregate + AggregateBounds,
        A::Event: Event + EventBounds,
    {
        loop {
            let after = folded.state.revision;
            let events = self.log.read_stream(stream, after, Direction::Forward, READ_EVENTS_MAX).await?;
            for recorded in &events {
                if own == Some(recorded.metadata.command_id) {
                    return Ok(folded);
                }
                folded.fold(recorded)?;
            }
            if events.len() < READ_EVENTS_MAX {
                return Ok(folded);
            }
        }
    }

    /// The state that a snapshot of `stream` holds, if there is one that counts.
    async fn snapshot_of<A>(&self, stream: &StreamKey) -> Result<Option<Folded<A>>, LogError>
    where
        A: Aggregate + AggregateBounds,
        A::Event: Event + EventBounds,
    {
        let Some(snapshots) = &self.snapshots else { return Ok(None) };
        let Some(snapshot) = snapshots.load(stream, FoldHash::of::<A>()).await else { return Ok(None) };
        let place = snapshot.place.clone();
        let before = Revision(place.revision.0.saturating_sub(1));
        let found = self.log.read_stream(stream, before, Direction::Forward, 1).await?;
        let is_current = place.stream == *stream
            && snapshot.fold_hash == FoldHash::of::<A>()
            && found.first().is_some_and(|event| place.is_of(event));
        // A large state takes a while to read: not on a thread that others wait for.
        let read = tokio::task::spawn_blocking(move || {
            let whole = is_current && snapshot.is_whole();
            whole.then(|| serde_json::from_slice::<A>(&snapshot.state).ok().map(|state| (state, snapshot.state.len())))
        });
        let Some((aggregate, bytes)) = read.await.map_err(LogError::storage)?.flatten() else {
            tracing::warn!(%stream, revision = %place.revision, "a snapshot does not fit the log and is forgotten");
            snapshots.forget(stream);
            return Ok(None);
        };
        let (revision, position) = (place.revision, place.position);
        Ok(Some(Folded {
            state: Arc::new(StreamState { aggregate, revision, position }),
            last_event: Some(place.event_id),
            snapshot: revision,
            counted_bytes: bytes,
            added_bytes: 0,
        }))
    }

    /// Keeps a state, which is the newest up to `looked_at`, and lets a snapshot be written when the last one is far behind.
    fn remember<A>(&self, stream: &StreamKey, folded: &mut Folded<A>, looked_at: Position)
    where
        A: Aggregate + AggregateBounds,
        A::Event: Event + EventBounds,
    {
        let bytes = folded.bytes();
        let StreamState { revision, position, .. } = *folded.state;
        let far_behind = revision.0.saturating_sub(folded.snapshot.0) >= self.snapshot_events;
        let worth = far_behind && bytes <= SNAPSHOT_BYTES_MAX;
        let due = self.snapshots.as_ref().filter(|_| worth).zip(folded.last_event);
        if due.is_some() {
            // Written or not: the next one is as many events away.
            folded.snapshot = revision;
        }
        let kept = Arc::new(folded.clone());
        if let Some((snapshots, event_id)) = due {
            let place = SnapshotPlace { stream: stream.clone(), revision, position, event_id };
            let state = Arc::clone(&kept);
            snapshots.save(place, FoldHash::of::<A>(), move || serde_json::to_vec(&state.state.aggregate));
        }
        self.cache.put(stream, (revision, looked_at), kept, bytes);
    }
}
