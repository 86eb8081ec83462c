//! The projections themselves: how far each is, what it has parked, and their rebuild while everything goes on.
//!
//! Nothing here writes an event: a rebuild and a retry change rows alone, and asking for the same again does no harm.
//! Invariant: whoever waits has a time after which an answer comes, and what was begun goes on without them.

use std::time::Duration;

use async_graphql::{Enum, ID, InputObject, Result, SimpleObject};
use chrono::{DateTime, Utc};
use timeloom_domain::access::Permission;
use timeloom_projections::{
    ParkedEvent as Parked, ParkedRange, ProjectionError, ProjectionStatus, RebuildReport as Report, Rebuilding, Role,
};
use timeloom_store::{Position, TenantScope};

use super::faults::{bad_input, coded, fault};
use super::paging::{Pages, Paging};
use super::payloads::{UserError, busy, refused};
use super::reading::rows;
use super::scalars::PositionScalar;
use crate::state::ApiState;

/// How long a caller waits for the end when nothing else is said, in milliseconds.
const TIMEOUT_DEFAULT_MS: u64 = 30_000;
/// Longest time that a caller may wait, in milliseconds.
const TIMEOUT_MAX_MS: u64 = 300_000;
/// When to ask a process again that has not begun, in milliseconds.
const STARTING_RETRY_MS: u64 = 1_000;

/// Which part a process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum ProjectionRole {
    /// It has not begun, or cannot reach the database.
    Starting,
    /// It writes the rows, and can rebuild them.
    Writer,
    /// Another process of the same database writes the rows; this one reads them.
    Standby,
}

impl From<Role> for ProjectionRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Starting => Self::Starting,
            Role::Writer => Self::Writer,
            Role::Standby => Self::Standby,
        }
    }
}

/// An event that a projection could not fold and has set aside.
#[derive(Debug, SimpleObject)]
pub(crate) struct ParkedEvent {
    /// Its place in the log.
    position: PositionScalar,
    /// Kind of aggregate that it happened to.
    category: String,
    /// Id of the aggregate that it happened to.
    stream_id: ID,
    /// Its place among the events of that aggregate.
    revision: u64,
    /// Its type.
    #[graphql(name = "type")]
    event_type: String,
    /// When the log took it.
    recorded_at: DateTime<Utc>,
    /// Why it could not be folded; null when it waits for an earlier event of its stream.
    error: Option<String>,
}

impl From<Parked> for ParkedEvent {
    fn from(parked: Parked) -> Self {
        Self {
            position: PositionScalar(parked.position),
            category: parked.stream.category.to_string(),
            stream_id: ID(parked.stream.id.to_string()),
            revision: parked.revision.0,
            event_type: parked.event_type,
            recorded_at: parked.recorded_at,
            error: parked.error,
        }
    }
}

/// Why a projection stands still.
#[derive(Debug, SimpleObject)]
struct StoppedProjection {
    /// The event before which it stands.
    position: PositionScalar,
    /// What is wrong.
    reason: String,
}

/// Rows that are built beside those that serve.
#[derive(Debug, SimpleObject)]
struct ProjectionBuild {
    /// The last event that they hold.
    position: PositionScalar,
    /// How many events of the log they do not hold yet.
    lag: u64,
}

/// Something that went wrong, as far as this process saw it.
#[derive(Debug, SimpleObject)]
struct ProjectionFailure {
    /// What.
    message: String,
    /// How long ago it was first seen, in seconds.
    seconds_ago: u64,
    /// Whether it is over.
    over: bool,
}

/// How far one projection is, and what keeps it.
#[derive(Debug, SimpleObject)]
pub(crate) struct Projection {
    /// Its name.
    name: String,
    /// The last event that its rows hold.
    position: PositionScalar,
    /// How many events of the log are not folded yet.
    lag: u64,
    /// Events that it went through a second, over the last ten seconds.
    events_per_second: f64,
    /// How many events are parked; `parkedEvents` lists them.
    parked_count: usize,
    /// The first of them.
    first_parked: Option<ParkedEvent>,
    /// Why it stands still, if it does.
    stopped: Option<StoppedProjection>,
    /// How far the rows are that are to take the place of the present ones, if there are such.
    building: Option<ProjectionBuild>,
    /// The newest thing that went wrong with it.
    last_error: Option<ProjectionFailure>,
    /// Which part the process has that answers.
    role: ProjectionRole,
}

impl Projection {
    fn of(state: &ApiState, role: Role, status: ProjectionStatus) -> Self {
        let head = status.position.0.saturating_add(status.lag);
        let own = status.first_parked.filter(|event| event.stream.tenant == state.tenant());
        Self {
            name: status.name.to_owned(),
            position: PositionScalar(status.position),
            lag: status.lag,
            events_per_second: status.events_per_second,
            parked_count: status.parked,
            first_parked: own.map(ParkedEvent::from),
            stopped: status
                .stopped
                .map(|stopped| StoppedProjection { position: PositionScalar(stopped.position), reason: stopped.error }),
            building: status.building.map(|position| ProjectionBuild {
                position: PositionScalar(position),
                lag: head.saturating_sub(position.0),
            }),
            last_error: status.last_error.map(|last| ProjectionFailure {
                message: last.error,
                seconds_ago: last.ago.as_secs(),
                over: last.over,
            }),
            role: role.into(),
        }
    }
}

/// What a rebuild did.
#[derive(Debug, SimpleObject)]
struct RebuildReport {
    /// Events that were looked at.
    events: u64,
    /// Row versions that were written.
    rows: u64,
    /// How long it took, in seconds.
    seconds: f64,
    /// Up to which position all new rows were when they took the place of the old ones.
    position: PositionScalar,
}

impl From<&Report> for RebuildReport {
    fn from(report: &Report) -> Self {
        Self {
            events: report.events,
            rows: report.rows,
            seconds: report.took.as_secs_f64(),
            position: PositionScalar(report.position),
        }
    }
}

/// What to wait for before a rebuild is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
enum RebuildWaitFor {
    /// The new rows are begun; a build that has begun goes on after a restart, too.
    Started,
    /// The new rows have taken their place, or the time is up.
    Completed,
}

/// Projections to build again from the log.
#[derive(Debug, InputObject)]
pub(crate) struct RebuildProjectionsInput {
    /// Their names; absent or empty = all.
    #[graphql(default, validator(max_items = 50))]
    names: Vec<String>,
    /// What to wait for before answering.
    #[graphql(default_with = "RebuildWaitFor::Started")]
    wait_for: RebuildWaitFor,
    /// How long to wait, in milliseconds; at most 300,000.
    #[graphql(default_with = "TIMEOUT_DEFAULT_MS")]
    timeout_ms: u64,
}

/// Projections whose parked events are to be tried again.
#[derive(Debug, InputObject)]
pub(crate) struct RetryParkedEventsInput {
    /// Their names; absent or empty = all.
    #[graphql(default, validator(max_items = 50))]
    names: Vec<String>,
    /// How long to wait for the end, in milliseconds; at most 300,000.
    #[graphql(default_with = "TIMEOUT_DEFAULT_MS")]
    timeout_ms: u64,
}

/// What a rebuild came to.
#[derive(Debug, Default, SimpleObject)]
pub(crate) struct RebuildProjectionsPayload {
    /// What it did; null while it goes on.
    report: Option<RebuildReport>,
    /// Whether the time was up before it ended: it goes on, and `projections` shows how far it is.
    timed_out: bool,
    /// Every projection, as it is now.
    projections: Vec<Projection>,
    /// Why it was not begun; empty when it was.
    errors: Vec<UserError>,
}

/// What trying parked events again came to.
#[derive(Debug, Default, SimpleObject)]
pub(crate) struct RetryParkedEventsPayload {
    /// How many events of these projections are parked still; null while it goes on.
    parked_count: Option<usize>,
    /// Whether the time was up before it ended: it goes on.
    timed_out: bool,
    /// Every projection, as it is now.
    projections: Vec<Projection>,
    /// Why it was not done; empty when it was.
    errors: Vec<UserError>,
}

/// Every projection.
pub(crate) fn projections(state: &ApiState) -> Vec<Projection> {
    let (role, status) = (state.read_models().role(), state.read_models().status());
    status.into_iter().map(|status| Projection::of(state, role, status)).collect()
}

/// Every projection, for those who ask for nothing else: that there is none yet needs a word.
pub(crate) fn projections_now(state: &ApiState) -> Result<Vec<Projection>> {
    let projections = projections(state);
    if projections.is_empty() {
        let why = state.read_models().fault().unwrap_or_else(|| "they begin".to_owned());
        return Err(coded("BEHIND", format!("the projections are not there yet ({why}): ask again in a moment")));
    }
    Ok(projections)
}

/// What a projection has parked, in the order of the log.
pub(crate) async fn parked_events(state: &ApiState, projection: &str, paging: &Paging) -> Result<Pages<ParkedEvent>> {
    let window = paging.window()?;
    let mut range = ParkedRange::after(Position(window.after.unwrap_or_default()), window.size + 1);
    range.before = window.before.map_or(range.before, Position);
    range.side = window.side;
    let scope = TenantScope::One(state.tenant());
    let found = match state.read_models().parked(projection, scope, range).await {
        Err(error @ ProjectionError::UnknownName { .. }) => return Err(bad_input(error.to_string())),
        other => rows(other)?,
    };
    Ok(window.pages(found.into_iter().map(|event| (event.position.0, ParkedEvent::from(event))).collect()))
}

/// Builds projections again, and waits as asked.
pub(crate) async fn rebuild(state: &ApiState, input: RebuildProjectionsInput) -> Result<RebuildProjectionsPayload> {
    if let Err(forbidden) = state.require(Permission::SystemWrite) {
        let errors = vec![refused("FORBIDDEN", forbidden.to_string())];
        return Ok(RebuildProjectionsPayload { errors, ..RebuildProjectionsPayload::default() });
    }
    let names: Vec<&str> = input.names.iter().map(String::as_str).collect();
    let building = async {
        let building = state.read_models().begin_rebuild(&names).await?;
        match input.wait_for {
            RebuildWaitFor::Started => Ok(None),
            RebuildWaitFor::Completed => Rebuilding::end(building).await.map(Some),
        }
    };
    let mut payload = RebuildProjectionsPayload::default();
    match in_time(state, input.timeout_ms, building).await? {
        Ok(Some(report)) => payload.report = report.as_ref().map(RebuildReport::from),
        Ok(None) => payload.timed_out = true,
        Err(error) => payload.errors.push(error),
    }
    payload.projections = projections(state);
    Ok(payload)
}

/// Folds parked events again.
pub(crate) async fn retry(state: &ApiState, input: RetryParkedEventsInput) -> Result<RetryParkedEventsPayload> {
    if let Err(forbidden) = state.require(Permission::SystemWrite) {
        let errors = vec![refused("FORBIDDEN", forbidden.to_string())];
        return Ok(RetryParkedEventsPayload { errors, ..RetryParkedEventsPayload::default() });
    }
    let names: Vec<&str> = input.names.iter().map(String::as_str).collect();
    let mut payload = RetryParkedEventsPayload::default();
    match in_time(state, input.timeout_ms, state.read_models().retry(&names)).await? {
        Ok(Some(parked)) => payload.parked_count = Some(parked),
        Ok(None) => payload.timed_out = true,
        Err(error) => payload.errors.push(error),
    }
    payload.projections = projections(state);
    Ok(payload)
}

/// What came of `work`, which goes on without whoever waits: `None` when the time was up before.
async fn in_time<T>(
    state: &ApiState,
    timeout_ms: u64,
    work: impl Future<Output = std::result::Result<T, ProjectionError>>,
) -> Result<std::result::Result<Option<T>, UserError>> {
    if timeout_ms > TIMEOUT_MAX_MS {
        let message = format!("timeoutMs is {timeout_ms}, at most {TIMEOUT_MAX_MS} are allowed");
        return Ok(Err(refused("TIMEOUT_TOO_LONG", message)));
    }
    if state.read_models().role() == Role::Starting {
        let message = format!("the projections have not begun yet: try again in {STARTING_RETRY_MS} ms");
        return Ok(Err(busy(message, STARTING_RETRY_MS)));
    }
    let closing = || coded("CLOSING", "the server is shutting down: a build that has begun goes on after its start");
    let done = tokio::select! {
        () = state.closing().cancelled() => return Err(closing()),
        done = tokio::time::timeout(Duration::from_millis(timeout_ms), work) => done,
    };
    match done {
        Err(_) => Ok(Ok(None)),
        Ok(Ok(value)) => Ok(Ok(Some(value))),
        Ok(Err(error @ ProjectionError::UnknownName { .. })) => {
            Ok(Err(refused("PROJECTION_NOT_FOUND", error.to_string())))
        }
        Ok(Err(ProjectionError::NotWriter)) => {
            let message = "this process stands by and does not write the projections: ask the server of the same \
                           database whose `projections` have the role WRITER";
            Ok(Err(refused("NOT_WRITER", message)))
        }
        Ok(Err(ProjectionError::Closed)) if state.closing().is_cancelled() => Err(closing()),
        Ok(Err(error)) => Err(fault(&error)),
    }
}
