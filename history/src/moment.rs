//! A moment of the past as people name it, and the position that it is.

use chrono::{DateTime, Utc};
use timeloom_store::{Direction, EventLog, LogError, Position, Revision, StreamKey};

use crate::error::HistoryError;
use crate::past::Past;

/// A moment of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// After the newest event.
    Newest,
    /// Right after the event at this position.
    Position(Position),
    /// Right after the newest event that was recorded at or before this time. A time in the future is now.
    Time(DateTime<Utc>),
    /// Right after this event of the stream that is asked about.
    Revision(Revision),
}

/// The position of a moment: whatever shows the log up to that position shows the moment. `stream` is the one that is
/// asked about; questions about many have none.
///
/// # Errors
/// [`HistoryError`] when the position or revision is not there.
pub async fn position_of<'p>(
    past: impl Into<Past<'p>>,
    stream: Option<&StreamKey>,
    moment: Moment,
) -> Result<Position, HistoryError> {
    let log = past.into().log;
    match moment {
        Moment::Newest => Ok(log.head()),
        Moment::Time(time) => Ok(log.position_at(time.timestamp_micros()).await?),
        Moment::Position(wanted) => {
            let head = log.head();
            if wanted > head { Err(HistoryError::PositionNotReached { wanted, head }) } else { Ok(wanted) }
        }
        Moment::Revision(wanted) => {
            let stream = stream.ok_or(HistoryError::RevisionNeedsStream)?;
            position_of_revision(log, stream, wanted).await
        }
    }
}

async fn position_of_revision(
    log: &dyn EventLog,
    stream: &StreamKey,
    wanted: Revision,
) -> Result<Position, HistoryError> {
    if let Some(before) = wanted.0.checked_sub(1) {
        let found = log.read_stream(stream, Revision(before), Direction::Forward, 1).await?;
        if let Some(event) = found.first() {
            return Ok(event.position);
        }
    }
    let newest = log.read_stream(stream, Revision(u64::MAX), Direction::Backward, 1).await?;
    let newest = newest.first().map(|event| event.revision);
    let newest = newest.ok_or_else(|| HistoryError::UnknownStream(stream.clone()))?;
    Err(HistoryError::RevisionNotReached { stream: stream.clone(), wanted, newest })
}

/// Why a stream has no state at a moment: it came later, or there is no such stream.
pub(crate) async fn absent(past: Past<'_>, stream: &StreamKey) -> Result<HistoryError, LogError> {
    let first = past.log.read_stream(stream, Revision(0), Direction::Forward, 1).await?;
    Ok(match first.first() {
        None => HistoryError::UnknownStream(stream.clone()),
        Some(first) => {
            HistoryError::NotYet { stream: stream.clone(), first: first.position, first_at: first.recorded_at }
        }
    })
}
