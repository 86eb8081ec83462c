//! Old ranges of a log that are kept apart from its rows, in segments: the ports between a backend, which has dropped the
//! rows, and the archive, which has them. Never writes a segment.
//!
//! Invariants: what is archived is the beginning of the log, without a gap, cut after whole appends; a row is dropped only
//! after its segment was registered; what was dropped is read from its segment in the same order, or the read fails; rows
//! come back from the newest on, so that what is archived stays the beginning, and their segment is forgotten last.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::envelope::Position;
use crate::log::{Direction, Filter, LogError, TenantScope};
use crate::stored::{LogTransfer, StoredEvent};

/// Most events whose rows are dropped in one transaction.
pub const DROP_EVENTS_MAX: usize = 2_000;

/// A segment, as the log knows it whose range it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Position of its first event.
    pub first: Position,
    /// Position of its last event, which ends an append.
    pub last: Position,
    /// Where it is: the path of a folder, or `s3://bucket/prefix`. Has no secret in it.
    pub place: String,
    /// Its name there.
    pub name: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// SHA-256 of all of them.
    pub sha256: [u8; 32],
    /// SHA-256 of its index, which has one of every block: what is read in parts is checked by it.
    pub index_sha256: [u8; 32],
    /// When the log took its last event, in microseconds since 1970.
    pub last_us: i64,
}

impl Segment {
    /// Whether it has the event at `position`.
    pub fn has(&self, position: Position) -> bool {
        self.first <= position && position <= self.last
    }
}

/// Neighbouring rows of a segment, as they were stored.
pub type Rows = Arc<Vec<StoredEvent>>;

/// Reads segments, wherever they are.
#[async_trait]
pub trait Segments: Send + Sync + 'static {
    /// The rows around the event at `position`, which `segment` has: those that are read together with it, in order and
    /// without a gap.
    ///
    /// # Errors
    /// [`LogError`], which names the segment, when it is missing, cannot be reached, or is not what was registered.
    async fn rows(&self, segment: &Segment, position: Position) -> Result<Rows, LogError>;
}

/// For a log nothing of which is archived, or whose archive nobody gave to who opens it.
#[derive(Debug, Clone, Copy)]
pub struct NoSegments;

#[async_trait]
impl Segments for NoSegments {
    async fn rows(&self, segment: &Segment, _: Position) -> Result<Rows, LogError> {
        Err(LogError::Corrupt {
            position: segment.first,
            detail: format!(
                "the events up to {} are archived in {} in {}, and the log was opened without its archive",
                segment.last, segment.name, segment.place
            ),
        })
    }
}

/// How far a log is archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Archived {
    /// Segments are registered up to this position.
    pub registered: Position,
    /// Rows are dropped up to this position.
    pub dropped: Position,
}

/// The right to move rows, among the processes of a log. It ends with what it holds.
pub struct Turn(Box<dyn Any + Send + Sync>);

impl Turn {
    /// One that ends when `held` is dropped.
    pub fn holding(held: impl Any + Send + Sync) -> Self {
        Self(Box::new(held))
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Turn").field("holds_nothing", &self.0.is::<()>()).finish()
    }
}

/// A log whose old rows can be dropped once a segment has them.
#[async_trait]
pub trait Archivable: LogTransfer {
    /// How far it is archived.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn archived(&self) -> Result<Archived, LogError>;

    /// At most `limit` registered segments that end after `after`, in order.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn segments(&self, after: Position, limit: usize) -> Result<Vec<Segment>, LogError>;

    /// Takes note, durably, of where the events behind those that are registered are from now on. The caller has read the
    /// segment back and compared it, and the event that tells of it is durable.
    ///
    /// # Errors
    /// [`LogError::Corrupt`] when the segment does not follow, or does not end with an append before the newest event;
    /// [`LogError`] when the storage fails. Nothing was written then.
    async fn register(&self, segment: Segment) -> Result<(), LogError>;

    /// Drops rows of registered segments, at most [`DROP_EVENTS_MAX`] in one transaction, and tells how far it is.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails; nothing was dropped then.
    async fn drop_some(&self) -> Result<Archived, LogError>;

    /// The segment whose rows are being brought back, from the first of them on until it is forgotten.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn restoring(&self) -> Result<Option<Segment>, LogError>;

    /// Brings back the newest rows that were dropped, as their segment has them, in one transaction, and tells how far it is:
    /// at most [`DROP_EVENTS_MAX`] rows, whole appends. The caller has them from the segment that ends last.
    ///
    /// # Errors
    /// [`LogError::Corrupt`] when they are not the newest ones, or not of that segment; [`LogError`] when the storage fails.
    /// Nothing came back then.
    async fn restore_some(&self, rows: Vec<StoredEvent>) -> Result<Archived, LogError>;

    /// Forgets, durably, the segment whose rows all came back. The caller has compared them, and the event that tells of it is
    /// durable.
    ///
    /// # Errors
    /// [`LogError::Corrupt`] when it is not that segment, or a row of it is still dropped; [`LogError`] when the storage fails.
    /// Nothing was written then.
    async fn forget(&self, segment: Segment) -> Result<(), LogError>;

    /// Keeps other processes of the log from moving rows while it is kept; `None` while one of them does. A log that only one
    /// process can have open gives it at once.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn turn(&self) -> Result<Option<Turn>, LogError> {
        Ok(Some(Turn::holding(())))
    }
}

/// Checks that rows are the newest that were dropped, whole appends of the segment that ends last, in order.
///
/// # Errors
/// [`LogError::Corrupt`], which says what is wrong.
pub fn check_restored(archived: Archived, segment: &Segment, rows: &[StoredEvent]) -> Result<(), LogError> {
    let wrong = |detail: &str| LogError::Corrupt { position: archived.dropped, detail: detail.to_owned() };
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Err(wrong("there is nothing to bring back"));
    };
    let in_order = rows.iter().zip(first.position.0..).all(|(row, position)| row.position.0 == position);
    let newest = last.position == archived.dropped && last.append.is_some();
    if !in_order || !newest || first.position < segment.first || rows.len() > DROP_EVENTS_MAX {
        return Err(wrong("these are not the newest rows that were dropped: the ones before them come later"));
    }
    Ok(())
}

/// Whether an event as it is stored passes.
pub fn passes(scope: TenantScope, filter: &Filter, event: &StoredEvent) -> bool {
    (match scope {
        TenantScope::All => true,
        TenantScope::One(tenant) => event.stream.tenant == tenant,
    }) && (filter.categories.is_empty() || filter.categories.contains(&event.stream.category))
        && (filter.event_types.is_empty() || filter.event_types.contains(&event.event_type))
        && filter.stream.as_ref().is_none_or(|stream| *stream == event.stream)
}

/// The rows at `positions`, in their order, which `known` segments have.
///
/// # Errors
/// As [`Segments::rows`]; [`LogError::Corrupt`] when no segment has one of them.
pub async fn pick(
    segments: &dyn Segments,
    known: &[Segment],
    positions: &[Position],
) -> Result<Vec<StoredEvent>, LogError> {
    let mut picked = Vec::with_capacity(positions.len());
    let mut rows: Option<Rows> = None;
    for position in positions {
        let row = match rows.as_ref().and_then(|rows| row_at(rows, *position)) {
            Some(row) => row.clone(),
            None => {
                let found = rows.insert(rows_at(segments, known, *position).await?);
                row_at(found, *position).ok_or_else(|| missing(*position))?.clone()
            }
        };
        picked.push(row);
    }
    Ok(picked)
}

/// Looks at the rows after `after` and up to `up_to`, which `known` segments have, until `limit` of them pass, and tells how
/// far it looked: forward up to and with that position, backward down to but without it.
///
/// # Errors
/// As [`pick`].
pub async fn scan(
    segments: &dyn Segments,
    known: &[Segment],
    (after, up_to): (Position, Position),
    direction: Direction,
    limit: usize,
    passes: impl Fn(&StoredEvent) -> bool + Send,
) -> Result<(Vec<StoredEvent>, Position), LogError> {
    let mut found = Vec::new();
    let (mut after, mut up_to) = (after, up_to);
    while after < up_to && found.len() < limit {
        let at = match direction {
            Direction::Forward => Position(after.0 + 1),
            Direction::Backward => up_to,
        };
        let rows = rows_at(segments, known, at).await?;
        let within = rows.iter().filter(|row| row.position > after && row.position <= up_to);
        let mut take = |row: &StoredEvent| {
            if passes(row) {
                found.push(row.clone());
            }
            found.len() < limit
        };
        match direction {
            Direction::Forward => {
                let last = within.clone().find(|row| !take(row)).or_else(|| within.clone().next_back());
                after = last.ok_or_else(|| missing(at))?.position;
            }
            Direction::Backward => {
                let first = within.clone().rev().find(|row| !take(row)).or(within.clone().next());
                up_to = Position(first.ok_or_else(|| missing(at))?.position.0 - 1);
            }
        }
    }
    Ok((
        found,
        match direction {
            Direction::Forward => after,
            Direction::Backward => up_to,
        },
    ))
}

/// The position of the newest event of `segment` that was recorded at or before `time_us`; that before its first one when
/// there is none. Times grow with positions.
///
/// # Errors
/// As [`pick`].
pub async fn newest_at(segments: &dyn Segments, segment: &Segment, time_us: i64) -> Result<Position, LogError> {
    let (mut at_or_before, mut later) = (segment.first.0.saturating_sub(1), segment.last.0 + 1);
    while later - at_or_before > 1 {
        let middle = Position(at_or_before + (later - at_or_before) / 2);
        let rows = rows_at(segments, std::slice::from_ref(segment), middle).await?;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Err(missing(middle)) };
        if first.recorded_at_us > time_us {
            later = first.position.0;
        } else if last.recorded_at_us <= time_us {
            at_or_before = last.position.0;
        } else {
            let within = rows.partition_point(|row| row.recorded_at_us <= time_us) as u64;
            return Ok(Position(first.position.0 + within - 1));
        }
    }
    Ok(Position(at_or_before))
}

async fn rows_at(segments: &dyn Segments, known: &[Segment], position: Position) -> Result<Rows, LogError> {
    let segment = known.iter().find(|segment| segment.has(position)).ok_or_else(|| missing(position))?;
    let rows = segments.rows(segment, position).await?;
    row_at(&rows, position).ok_or_else(|| missing(position))?;
    Ok(rows)
}

fn row_at(rows: &Rows, position: Position) -> Option<&StoredEvent> {
    let first = rows.first()?.position.0;
    let row = rows.get(usize::try_from(position.0.checked_sub(first)?).ok()?)?;
    (row.position == position).then_some(row)
}

fn missing(position: Position) -> LogError {
    LogError::Corrupt { position, detail: "no segment of the archive has the event".to_owned() }
}
