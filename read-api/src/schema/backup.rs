//! Backups that were made of the log: which there are, and that one more is. Whoever makes one tells of it.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use timeloom_domain::access::Permission;
use timeloom_domain::audit::{AuditEvent, BACKUP_PLACE_CHARACTERS_MAX, Backup};
use timeloom_domain::event::Event as _;
use timeloom_store::{Direction, Filter, Position, RecordedEvent, TenantScope};
use uuid::Uuid;

use super::event::Actor;
use super::faults::fault;
use super::payloads::{UserError, Written, refused, settle};
use super::reading::state;
use super::scalars::PositionScalar;
use crate::state::ApiState;

/// Most backups that are listed.
const BACKUPS_MAX: usize = 100;

/// A backup of the log, as whoever made it told.
#[derive(Debug, SimpleObject)]
struct LogBackup {
    /// The position of the event that tells of it.
    position: PositionScalar,
    /// When that was.
    at: DateTime<Utc>,
    /// Who made it.
    actor: Actor,
    /// Where it is: a folder of the machine on which it was made.
    place: String,
    /// Everything up to here is in it.
    up_to: PositionScalar,
    /// How many events were written by this run; those of earlier runs to the same place were there already.
    events: u64,
    /// How many bytes these have.
    bytes: u64,
    /// How many bytes its files have, all together.
    size_bytes: u64,
    /// How long it took.
    took_ms: u64,
}

impl LogBackup {
    /// `None` where the event tells of something else.
    fn of(event: &RecordedEvent) -> Option<Self> {
        let told: AuditEvent = serde_json::from_str(event.payload.get()).ok()?;
        let AuditEvent::BackupTaken(backup) = told else { return None };
        Some(Self {
            position: PositionScalar(event.position),
            at: event.recorded_at,
            actor: (&event.metadata.actor).into(),
            place: backup.place,
            up_to: PositionScalar(Position(backup.up_to)),
            events: backup.events,
            bytes: backup.bytes,
            size_bytes: backup.size_bytes,
            took_ms: backup.took_ms,
        })
    }
}

/// A backup that was made.
#[derive(Debug, InputObject)]
struct NoteBackupInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// Where it is, at most 1,000 characters.
    place: String,
    /// Everything up to here is in it.
    up_to: PositionScalar,
    /// How many events were written.
    events: u64,
    /// How many bytes these have.
    bytes: u64,
    /// How many bytes its files have, all together.
    size_bytes: u64,
    /// How long it took.
    took_ms: u64,
}

/// What telling of a backup came to.
#[derive(Debug, SimpleObject)]
struct NoteBackupPayload {
    /// The position of what was written.
    position: Option<PositionScalar>,
    /// Whether the command had been carried out before.
    repeated: bool,
    /// Why it was not written down; empty when it was.
    errors: Vec<UserError>,
}

impl From<Written> for NoteBackupPayload {
    fn from(written: Written) -> Self {
        Self { position: written.position(), repeated: written.repeated, errors: written.errors }
    }
}

/// The reads about backups.
#[derive(Debug, Default)]
pub struct BackupQuery;

/// The changes to what is known of backups.
#[derive(Debug, Default)]
pub struct BackupMutation;

#[Object]
impl BackupQuery {
    /// The newest hundred backups of the log that this server was told of, newest first. Whether they are still there it cannot
    /// know.
    #[graphql(complexity = "child_complexity + 50")]
    async fn log_backups(&self, context: &Context<'_>) -> Result<Vec<LogBackup>> {
        let state = state(context)?;
        let filter = Filter {
            categories: vec![AuditEvent::CATEGORY.into()],
            event_types: vec![AuditEvent::BACKUP_TAKEN.into()],
            ..Filter::default()
        };
        let (scope, head) = (TenantScope::One(state.tenant()), state.log().head());
        let found = state.log().read_all(scope, head, Direction::Backward, &filter, BACKUPS_MAX).await;
        Ok(found.map_err(|error| fault(&error))?.iter().filter_map(|event| LogBackup::of(event)).collect())
    }
}

#[Object]
impl BackupMutation {
    /// Writes down that a backup of the log was made; `timeloom log backup` does. Needs `tenant:write`, as reading the whole log
    /// does.
    async fn note_backup(&self, context: &Context<'_>, input: NoteBackupInput) -> Result<NoteBackupPayload> {
        let state = state(context)?;
        if let Some(error) = mistake(state, &input) {
            return Ok(Written { errors: vec![error], ..Written::default() }.into());
        }
        let NoteBackupInput { command_id, place, up_to, events, bytes, size_bytes, took_ms } = input;
        let backup = Backup { place, up_to: up_to.0.0, events, bytes, size_bytes, took_ms };
        let noted = state.access().write_down(&state.context(command_id), AuditEvent::BackupTaken(backup)).await;
        Ok(Written::of(settle(noted)?).1.into())
    }
}

fn mistake(state: &ApiState, input: &NoteBackupInput) -> Option<UserError> {
    if let Err(forbidden) = state.require(Permission::TenantWrite) {
        return Some(refused("FORBIDDEN", forbidden.to_string()));
    }
    let characters = input.place.chars().count();
    if input.place.trim().is_empty() || characters > BACKUP_PLACE_CHARACTERS_MAX {
        let message =
            format!("place has to have 1 to {BACKUP_PLACE_CHARACTERS_MAX} characters: name the backup's folder");
        return Some(refused("INVALID_PLACE", message));
    }
    let head = state.log().head();
    (input.up_to.0 > head).then(|| {
        let message = format!("the log goes up to {head}: a backup of it cannot go up to {}", input.up_to.0);
        refused("NOT_THIS_LOG", message)
    })
}
