//! The archive of old ranges of the log: how far it goes, moving more into it, and back, one segment with each call.

use std::sync::Arc;

use async_graphql::{InputObject, Result, SimpleObject};
use chrono::{DateTime, Utc};
use timeloom_archive::{ArchiveError, Archiver, Job, Restored, Sealed};
use timeloom_domain::access::Permission;
use timeloom_domain::ids::Actor;
use timeloom_store::archive::Segment;
use timeloom_store::{LogError, Position};

use super::faults::{bad_input, fault};
use super::payloads::{UserError, refused};
use super::scalars::PositionScalar;
use crate::state::ApiState;

/// Most segments that are listed at once.
const SEGMENTS_MAX: usize = 1_000;
/// Where this log cannot be archived.
const NOT_HERE: &str = "this log cannot be archived: only one in a data folder or in PostgreSQL can";

/// How far the log is archived.
#[derive(Debug, SimpleObject)]
pub(crate) struct LogArchive {
    /// Every event up to here is in a segment.
    archived_up_to: PositionScalar,
    /// The rows up to here were dropped; those behind it are about to be.
    dropped_up_to: PositionScalar,
    /// The segments after the position that was asked for, oldest first.
    segments: Vec<LogSegment>,
}

/// A sealed segment with a range of the log.
#[derive(Debug, SimpleObject)]
pub(crate) struct LogSegment {
    /// Position of its first event.
    first: PositionScalar,
    /// Position of its last event.
    last: PositionScalar,
    /// When the log took its last event.
    recorded_until: Option<DateTime<Utc>>,
    /// Where it is: a folder, which is within the data folder where it does not begin at the root, or `s3://bucket/prefix`.
    place: String,
    /// Its name there.
    name: String,
    /// How many bytes it has.
    bytes: u64,
    /// SHA-256 of all of them, hexadecimal.
    sha256: String,
}

impl From<Segment> for LogSegment {
    fn from(segment: Segment) -> Self {
        Self {
            first: PositionScalar(segment.first),
            last: PositionScalar(segment.last),
            recorded_until: DateTime::from_timestamp_micros(segment.last_us),
            place: segment.place,
            name: segment.name,
            bytes: segment.bytes,
            sha256: segment.sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

/// What is to go into the archive: exactly one of `upTo` and `before`.
#[derive(Debug, InputObject)]
pub(crate) struct ArchiveLogInput {
    /// Everything up to and with this position, as far as whole appends reach. The newest event always stays.
    up_to: Option<PositionScalar>,
    /// Everything that the log took before this time.
    before: Option<DateTime<Utc>>,
    /// Where to: a folder of the server's machine, within the data folder where it does not begin at the root, or
    /// `s3://bucket/prefix`, whose credentials the server has in its environment.
    to: String,
}

/// What archiving came to. Call again until `done`.
#[derive(Debug, Default, SimpleObject)]
pub(crate) struct ArchiveLogPayload {
    /// Whether everything that was asked for is in the archive.
    done: bool,
    /// How many events this call moved.
    events: u64,
    /// Bytes of their payloads as they were stored.
    payload_bytes: u64,
    /// Bytes of the segment that has them now.
    segment_bytes: u64,
    /// Every event up to here is in a segment.
    archived_up_to: Option<PositionScalar>,
    /// Up to where this call and those after it go.
    end: Option<PositionScalar>,
    /// Why nothing was moved; empty when it was.
    errors: Vec<UserError>,
}

impl ArchiveLogPayload {
    fn refused(code: &'static str, message: String) -> Self {
        Self { errors: vec![refused(code, message)], ..Self::default() }
    }
}

/// What is to come back out of the archive.
#[derive(Debug, InputObject)]
pub(crate) struct UnarchiveLogInput {
    /// Everything from this position on. As the archive is the beginning of the log, the newest segments come back first.
    from: PositionScalar,
}

/// What bringing back came to. Call again until `done`.
#[derive(Debug, Default, SimpleObject)]
pub(crate) struct UnarchiveLogPayload {
    /// Whether everything that was asked for is among the rows of the log again.
    done: bool,
    /// How many events this call brought back.
    events: u64,
    /// Every event up to here is still in a segment.
    archived_up_to: Option<PositionScalar>,
    /// Why nothing came back; empty when it did.
    errors: Vec<UserError>,
}

impl UnarchiveLogPayload {
    fn refused(code: &'static str, message: String) -> Self {
        Self { errors: vec![refused(code, message)], ..Self::default() }
    }
}

/// What a segment is found to be.
#[derive(Debug, SimpleObject)]
pub(crate) struct LogSegmentCheck {
    /// Whether it is there, and is what the log tells of it: its own hash, and those of the log's tree over its events.
    proved: bool,
    /// What is wrong with it, and what to do; null when it is proved.
    problem: Option<String>,
}

/// Reads a segment whole.
pub(crate) async fn check_segment(state: &ApiState, first: Position) -> Result<LogSegmentCheck> {
    let archiver = state.archiver().ok_or_else(|| bad_input(NOT_HERE.to_owned()))?;
    match archiver.check_segment(first).await {
        Ok(_) => Ok(LogSegmentCheck { proved: true, problem: None }),
        Err(ArchiveError::Refused(unknown)) => Err(bad_input(unknown)),
        Err(error) => Ok(LogSegmentCheck { proved: false, problem: Some(told(error)?) }),
    }
}

/// How far the log is archived; `None` where it cannot be.
pub(crate) async fn log_archive(state: &ApiState, after: Position, first: usize) -> Result<Option<LogArchive>> {
    if first > SEGMENTS_MAX {
        return Err(bad_input(format!("first is {first}, at most {SEGMENTS_MAX} are allowed")));
    }
    let Some(archiver) = state.archiver() else { return Ok(None) };
    let archived = archiver.rows().archived().await.map_err(|error| fault(&error))?;
    let segments = archiver.rows().segments(after, first).await.map_err(|error| fault(&error))?;
    Ok(Some(LogArchive {
        archived_up_to: PositionScalar(archived.registered),
        dropped_up_to: PositionScalar(archived.dropped),
        segments: segments.into_iter().map(LogSegment::from).collect(),
    }))
}

/// Moves one segment.
pub(crate) async fn archive_log(state: &ApiState, input: ArchiveLogInput) -> Result<ArchiveLogPayload> {
    if let Err(forbidden) = state.require(Permission::SystemWrite) {
        return Ok(ArchiveLogPayload::refused("FORBIDDEN", forbidden.to_string()));
    }
    let Some(archiver) = state.archiver() else {
        return Ok(ArchiveLogPayload::refused("NOTHING_TO_ARCHIVE", NOT_HERE.to_owned()));
    };
    let up_to = match (input.up_to, input.before) {
        (Some(up_to), None) => up_to.0,
        (None, Some(before)) => {
            // The time of an event is not before itself.
            let before_us = before.timestamp_micros().saturating_sub(1);
            state.log().position_at(before_us).await.map_err(|error| fault(&error))?
        }
        _ => {
            let message = "give one of upTo and before: how much of the log is to be archived".to_owned();
            return Ok(ArchiveLogPayload::refused("BAD_RANGE", message));
        }
    };
    let end = up_to.min(Position(state.log().head().0.saturating_sub(1)));
    let actor = state.principal().actor.clone();
    let job = Job { up_to: end, place: input.to, segments_max: 1, actor };
    match moved(state, archiver, job).await {
        Ok(sealed) => Ok(ArchiveLogPayload {
            // Only what fills a segment leaves something behind.
            done: !sealed.full || sealed.archived.registered >= end,
            events: sealed.events,
            payload_bytes: sealed.payload_bytes,
            segment_bytes: sealed.bytes,
            archived_up_to: Some(PositionScalar(sealed.archived.registered)),
            end: Some(PositionScalar(end)),
            errors: Vec::new(),
        }),
        Err(error) => Ok(ArchiveLogPayload::refused("NOT_ARCHIVED", told(error)?)),
    }
}

/// Brings back one segment.
pub(crate) async fn unarchive_log(state: &ApiState, input: UnarchiveLogInput) -> Result<UnarchiveLogPayload> {
    if let Err(forbidden) = state.require(Permission::SystemWrite) {
        return Ok(UnarchiveLogPayload::refused("FORBIDDEN", forbidden.to_string()));
    }
    let Some(archiver) = state.archiver() else {
        return Ok(UnarchiveLogPayload::refused("NOTHING_TO_ARCHIVE", NOT_HERE.to_owned()));
    };
    let from = input.from.0;
    let actor = state.principal().actor.clone();
    match brought_back(state, archiver, from, actor).await {
        Ok(restored) => Ok(UnarchiveLogPayload {
            done: restored.archived.registered < from.max(Position(1)),
            events: restored.events,
            archived_up_to: Some(PositionScalar(restored.archived.registered)),
            errors: Vec::new(),
        }),
        Err(error) => Ok(UnarchiveLogPayload::refused("NOT_RESTORED", told(error)?)),
    }
}

/// What whoever asked is told of a failure; a fault of the log itself is none of their business.
fn told(error: ArchiveError) -> Result<String> {
    match error {
        ArchiveError::Log(error) => Err(fault(&error)),
        error => {
            if !matches!(error, ArchiveError::BadPlace { .. } | ArchiveError::Refused(_)) {
                tracing::error!(%error, "the log's archive failed");
            }
            Ok(error.to_string())
        }
    }
}

/// Goes on when nobody waits for it any more; the end of the server waits for it as for those who are connected.
async fn moved(state: &ApiState, archiver: &Arc<Archiver>, job: Job) -> std::result::Result<Sealed, ArchiveError> {
    let archiver = Arc::clone(archiver);
    let moving = state.connections().spawn(async move { archiver.run(&job, |_| {}).await });
    moving.await.map_err(LogError::storage)?
}

/// As [`moved`].
async fn brought_back(
    state: &ApiState,
    archiver: &Arc<Archiver>,
    from: Position,
    actor: Actor,
) -> std::result::Result<Restored, ArchiveError> {
    let archiver = Arc::clone(archiver);
    let moving = state.connections().spawn(async move { archiver.restore(from, 1, &actor, |_| {}).await });
    moving.await.map_err(LogError::storage)?
}
