//! Events that a projection could not fold: they are set aside with their error, and with them every later event of the
//! same stream, while all others go on.
//!
//! They are tried again when the read models are opened, when a person asks for it, and by every rebuild. Folded late
//! they make the rows that they would have made in time, since a row comes of one stream alone. Invariant: the same log
//! and the same code park the same events, whatever the batches were.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use timeloom_domain::ids::TenantId;
use timeloom_store::{Position, RecordedEvent, Revision, StreamKey, TenantScope};

use crate::database::{Cells, Change, Column, Database, Dialect, Query, StorageError, damaged, integer, text};
use crate::page::Side;
use crate::payload::shorten;

/// Most events that one projection sets aside. One more stops it before that event: then it is not the events that are
/// wrong, but the build that reads them.
pub const PARKED_EVENTS_MAX: usize = 10_000;

/// An event that a projection has set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedEvent {
    /// Its place in the log.
    pub position: Position,
    /// Its stream.
    pub stream: StreamKey,
    /// Its place in the stream.
    pub revision: Revision,
    /// Its type.
    pub event_type: String,
    /// When the log took it.
    pub recorded_at: DateTime<Utc>,
    /// Why it could not be folded; `None` when it waits for an earlier event of its stream.
    pub error: Option<String>,
}

impl ParkedEvent {
    /// Why it could not be folded.
    pub fn reason(&self) -> &str {
        self.error.as_deref().unwrap_or("it waits for an earlier event of its stream")
    }

    fn new(event: &RecordedEvent, error: Option<String>) -> Self {
        Self {
            position: event.position,
            stream: event.stream.clone(),
            revision: event.revision,
            event_type: event.event_type.to_string(),
            recorded_at: event.recorded_at,
            error,
        }
    }
}

/// The streams of which a projection has set events aside.
#[derive(Debug, Clone, Default)]
pub(crate) struct ParkedStreams {
    /// By stream, the first event of it that waits.
    streams: Arc<BTreeMap<StreamKey, Revision>>,
    /// How many events wait.
    pub events: usize,
    /// The first of them.
    pub first: Option<ParkedEvent>,
    /// Why the last event waits that is not behind another one.
    pub newest_error: Option<String>,
}

impl ParkedStreams {
    /// Remembers one more event.
    pub fn add(&mut self, event: &ParkedEvent) {
        Arc::make_mut(&mut self.streams).entry(event.stream.clone()).or_insert(event.revision);
        self.events += 1;
        if event.error.is_some() {
            self.newest_error.clone_from(&event.error);
        }
        if self.first.as_ref().is_none_or(|first| event.position < first.position) {
            self.first = Some(event.clone());
        }
    }

    /// Begins a batch that may set more aside.
    pub fn parking(&self) -> Parking {
        let room = PARKED_EVENTS_MAX.saturating_sub(self.events);
        Parking { before: Arc::clone(&self.streams), now: BTreeSet::new(), room, events: Vec::new(), stopped: None }
    }

    /// Each stream, with the first event of it that waits.
    pub fn streams(&self) -> Vec<(StreamKey, Revision)> {
        self.streams.iter().map(|(stream, revision)| (stream.clone(), *revision)).collect()
    }

    /// The first event of a stream that waits.
    pub fn first_of(&self, stream: &StreamKey) -> Option<Revision> {
        self.streams.get(stream).copied()
    }

    /// The same without a stream of which events are tried again.
    pub fn without(&self, stream: &StreamKey) -> Self {
        let mut others = self.clone();
        Arc::make_mut(&mut others.streams).remove(stream);
        others
    }
}

/// What one batch sets aside.
#[derive(Debug)]
pub(crate) struct Parking {
    before: Arc<BTreeMap<StreamKey, Revision>>,
    now: BTreeSet<StreamKey>,
    room: usize,
    /// The events that it sets aside.
    pub events: Vec<ParkedEvent>,
    /// The event before which the projection stops, since there is no room for more.
    pub stopped: Option<ParkedEvent>,
}

/// There is no room for more.
#[derive(Debug)]
pub(crate) struct Stopped;

impl Parking {
    /// Whether the event's stream waits already.
    pub fn holds(&self, event: &RecordedEvent) -> bool {
        (!self.before.is_empty() && self.before.contains_key(&event.stream))
            || (!self.now.is_empty() && self.now.contains(&event.stream))
    }

    /// Sets aside the first event of a stream that waits.
    pub fn begin(&mut self, event: &RecordedEvent, error: String) -> Result<(), Stopped> {
        self.add(ParkedEvent::new(event, Some(shorten(error))))?;
        self.now.insert(event.stream.clone());
        Ok(())
    }

    /// Sets aside a later event of a stream that waits.
    pub fn follow(&mut self, event: &RecordedEvent) -> Result<(), Stopped> {
        self.add(ParkedEvent::new(event, None))
    }

    fn add(&mut self, event: ParkedEvent) -> Result<(), Stopped> {
        if self.events.len() >= self.room {
            self.stopped = Some(event);
            return Err(Stopped);
        }
        self.events.push(event);
        Ok(())
    }
}

/// The table of events that are set aside.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE parked_events (
        projection  TEXT NOT NULL,
        generation  INTEGER NOT NULL,
        position    INTEGER NOT NULL,
        tenant      INTEGER NOT NULL,
        category    TEXT NOT NULL,
        stream_id   TEXT NOT NULL,
        revision    INTEGER NOT NULL,
        event_type  TEXT NOT NULL,
        recorded_at INTEGER NOT NULL,
        error       TEXT,
        PRIMARY KEY (projection, generation, position)
    ) STRICT, WITHOUT ROWID;";

const COLUMNS: [Column; 10] = [
    text("projection"),
    integer("generation"),
    integer("position"),
    integer("tenant"),
    text("category"),
    text("stream_id"),
    integer("revision"),
    text("event_type"),
    integer("recorded_at"),
    text("error"),
];

/// The change that writes events set aside.
pub(crate) fn insert<'a>(dialect: Dialect) -> Change<'a> {
    Change::insert(dialect, "parked_events", &COLUMNS, "")
}

/// Adds an event to that change.
pub(crate) fn add_row<'a>(change: &mut Change<'a>, projection: &'static str, generation: u32, event: &'a ParkedEvent) {
    change.values.extend([
        projection.into(),
        generation.into(),
        event.position.into(),
        event.stream.tenant.into(),
        (&*event.stream.category).into(),
        (&*event.stream.id).into(),
        event.revision.into(),
        (&event.event_type).into(),
        event.recorded_at.timestamp_micros().into(),
        event.error.as_ref().into(),
    ]);
}

/// Which events set aside: those between two positions, at most so many, from one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParkedRange {
    /// Only events after this position.
    pub after: Position,
    /// Only events before this position.
    pub before: Position,
    /// At most so many.
    pub limit: usize,
    /// From which end.
    pub side: Side,
}

impl ParkedRange {
    /// The first events after a position.
    pub fn after(after: Position, limit: usize) -> Self {
        Self { after, before: Position(i64::MAX.unsigned_abs()), limit, side: Side::First }
    }
}

/// A page of what a build of a projection has set aside, in the order of the log; from the end in the other order.
pub(crate) fn select(
    dialect: Dialect,
    projection: &str,
    generation: u32,
    scope: TenantScope,
    range: ParkedRange,
) -> Query {
    let limit = (range.limit as u64).into();
    let mut values =
        vec![projection.to_owned().into(), generation.into(), range.after.into(), limit, range.before.into()];
    let of_tenant = match scope {
        TenantScope::One(tenant) => {
            values.push(tenant.into());
            " AND tenant = ?6"
        }
        TenantScope::All => "",
    };
    let order = match range.side {
        Side::First => "ASC",
        Side::Last => "DESC",
    };
    let sql = format!(
        "SELECT position, tenant, category, stream_id, revision, event_type, recorded_at, error FROM parked_events \
         WHERE projection = ?1 AND generation = ?2 AND position > ?3 AND position < ?5{of_tenant} \
         ORDER BY position {order} LIMIT ?4"
    );
    Query::new(dialect, sql, values)
}

/// Forgets what a build of a projection has set aside of one stream, up to a position.
pub(crate) fn delete(
    dialect: Dialect,
    projection: &str,
    generation: u32,
    stream: &StreamKey,
    up_to: Position,
) -> Query {
    let sql = "DELETE FROM parked_events WHERE projection = ?1 AND generation = ?2 AND tenant = ?3 AND category = ?4 \
               AND stream_id = ?5 AND position <= ?6";
    let values = vec![
        projection.to_owned().into(),
        generation.into(),
        stream.tenant.into(),
        stream.category.to_string().into(),
        stream.id.to_string().into(),
        up_to.into(),
    ];
    Query::new(dialect, sql.to_owned(), values)
}

/// Forgets everything that a build of a projection has set aside.
pub(crate) fn delete_all(dialect: Dialect, projection: &str, generation: u32) -> Query {
    let sql = "DELETE FROM parked_events WHERE projection = ?1 AND generation = ?2";
    Query::new(dialect, sql.to_owned(), vec![projection.to_owned().into(), generation.into()])
}

/// An event set aside from its cells.
pub(crate) fn read(cells: &mut Cells<'_>) -> Result<ParkedEvent, StorageError> {
    let position = cells.take()?;
    let tenant = TenantId(cells.take()?);
    let (category, id): (String, String) = (cells.take()?, cells.take()?);
    let (revision, event_type) = (cells.take()?, cells.take()?);
    let recorded_at = cells.take()?;
    let recorded_at = DateTime::from_timestamp_micros(recorded_at).ok_or_else(|| damaged("a time is out of range"))?;
    let stream = StreamKey::new(tenant, category, id);
    Ok(ParkedEvent { position, stream, revision, event_type, recorded_at, error: cells.take()? })
}

/// What a build of a projection has set aside.
pub(crate) fn load(
    database: &mut dyn Database,
    projection: &str,
    generation: u32,
) -> Result<ParkedStreams, StorageError> {
    let mut parked = ParkedStreams::default();
    let scope = TenantScope::All;
    let all = ParkedRange::after(Position::START, PARKED_EVENTS_MAX);
    let query = select(database.dialect(), projection, generation, scope, all);
    database.query(&query, &mut |cells| {
        parked.add(&read(cells)?);
        Ok(())
    })?;
    Ok(parked)
}
