//! Subjects: whose data there is, what is asked about it, and its erasure.
//!
//! Whoever may ask for erasures sees them, and that they looked is written down: names of subjects are told here.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use timeloom_commands::erasure::{Affected, SubjectEntry};
use timeloom_commands::{CommandContext, Outcome};
use timeloom_domain::access::Permission;
use timeloom_domain::subject::Subject as DomainSubject;
use timeloom_store::KeyId;
use uuid::Uuid;

use super::access::look;
use super::event::Actor;
use super::faults::{coded, fault};
use super::payloads::{UserError, Written, settle};
use super::permitted::check;
use super::reading::state;
use super::scalars::PositionScalar;
use crate::state::ApiState;

/// Most streams that one answer names.
const STREAMS_TOLD_MAX: usize = 100;

/// Something that somebody asked for, which another one has to approve.
#[derive(Debug, Clone, SimpleObject)]
struct ErasureRequest {
    /// Why.
    reason: String,
    /// Who asked, such as `user:ID`.
    by: String,
    /// The same, with what they are called.
    actor: Actor,
}

/// A hold on the data of a subject: while it is there, nothing is erased.
#[derive(Debug, Clone, SimpleObject)]
pub(super) struct LegalHold {
    /// What it is called.
    name: String,
    /// Why.
    reason: String,
    /// Who placed it, such as `user:ID`.
    by: String,
    /// The same, with what they are called.
    actor: Actor,
    /// Who asked for its end.
    release: Option<ErasureRequest>,
}

fn request(request: &timeloom_domain::subject::ErasureRequest) -> ErasureRequest {
    ErasureRequest { reason: request.reason.clone(), by: request.by.to_string(), actor: (&request.by).into() }
}

/// Holds, as they are shown.
pub(super) fn holds(holds: &timeloom_domain::subject::Holds) -> Vec<LegalHold> {
    let shown = |(name, hold): (&String, &timeloom_domain::subject::LegalHold)| LegalHold {
        name: name.clone(),
        reason: hold.reason.clone(),
        by: hold.by.to_string(),
        actor: (&hold.by).into(),
        release: hold.release.as_ref().map(request),
    };
    holds.iter().map(shown).collect()
}

/// How the data of a subject is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
enum DataSubjectStatus {
    /// Kept, and nothing is asked.
    Kept,
    /// A hold is on it.
    OnHold,
    /// Somebody asked for its erasure, and nobody has approved it yet.
    ErasureRequested,
    /// Its key is gone. What was made of the data goes now.
    Erased,
    /// Nothing is left of it.
    Completed,
}

/// A person, or whatever else data is kept about, of whom something was asked or decided.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name = "DataSubject")]
struct SubjectOut {
    /// What stands for it in the log.
    id: ID,
    /// Its name; `[erased]` once it is erased, null where nothing was asked yet.
    name: Option<String>,
    /// How it is.
    status: DataSubjectStatus,
    /// Who asked for its erasure.
    request: Option<ErasureRequest>,
    /// Who approved that, such as `user:ID`.
    approved_by: Option<String>,
    /// The same, with what they are called.
    approver: Option<Actor>,
    /// When it was erased.
    erased_at: Option<DateTime<Utc>>,
    /// When everything made of its data was gone as well.
    completed_at: Option<DateTime<Utc>>,
    /// How many streams had data of it.
    streams: u64,
    /// How many events had data of it.
    events: u64,
    /// The holds on it.
    holds: Vec<LegalHold>,
}

impl SubjectOut {
    fn of(id: KeyId, subject: &DomainSubject) -> Self {
        let time = |at_ms: Option<i64>| at_ms.and_then(DateTime::from_timestamp_millis);
        Self {
            id: ID(id.to_string()),
            name: (!subject.name.is_empty()).then(|| subject.name.clone()),
            status: status(subject),
            request: subject.request.as_ref().map(request),
            approved_by: subject.approved_by.as_ref().map(ToString::to_string),
            approver: subject.approved_by.as_ref().map(Actor::from),
            erased_at: time(subject.erased_at_ms),
            completed_at: time(subject.completed_at_ms),
            streams: subject.streams,
            events: subject.events,
            holds: holds(&subject.holds),
        }
    }
}

fn status(subject: &DomainSubject) -> DataSubjectStatus {
    match (subject.erased_at_ms, subject.completed_at_ms, &subject.request) {
        (_, Some(_), _) => DataSubjectStatus::Completed,
        (Some(_), None, _) => DataSubjectStatus::Erased,
        (None, None, Some(_)) => DataSubjectStatus::ErasureRequested,
        (None, None, None) if !subject.holds.is_empty() => DataSubjectStatus::OnHold,
        (None, None, None) => DataSubjectStatus::Kept,
    }
}

/// Events of one category.
#[derive(Debug, Clone, SimpleObject)]
struct AffectedCategory {
    /// The category of their streams, such as `execution`.
    category: String,
    /// How many events have data of the subject.
    events: u64,
}

/// A stream that has data of the subject.
#[derive(Debug, Clone, SimpleObject)]
struct AffectedStream {
    /// Its category.
    category: String,
    /// Its id.
    id: String,
    /// How many of its events have data of the subject.
    events: u64,
}

/// What an erasure would take, and what is in its way. Nothing was changed.
#[derive(Debug, Clone, SimpleObject)]
struct ErasurePreview {
    /// The subject.
    subject: SubjectOut,
    /// Events that would lose their personal fields.
    events: u64,
    /// The same by category.
    categories: Vec<AffectedCategory>,
    /// How many streams they are in.
    stream_count: u64,
    /// The first hundred of these streams.
    streams: Vec<AffectedStream>,
    /// Attachments that would be removed: nothing else names them.
    attachments: u64,
    /// Executions that have not ended, which are in the way.
    executions_under_way: u64,
    /// Whether it is an account that still lets somebody in, which is in the way.
    lets_in: bool,
}

impl From<Affected> for ErasurePreview {
    fn from(affected: Affected) -> Self {
        let found = &affected.found;
        let streams = found.streams.iter().take(STREAMS_TOLD_MAX).map(|(stream, events)| AffectedStream {
            category: stream.category.to_string(),
            id: stream.id.to_string(),
            events: *events,
        });
        let categories = found.events.iter();
        Self {
            subject: SubjectOut::of(affected.id, &affected.subject),
            events: found.count(),
            categories: categories
                .map(|(category, events)| AffectedCategory { category: category.clone(), events: *events })
                .collect(),
            stream_count: found.streams.len() as u64,
            streams: streams.collect(),
            attachments: found.attachments.len() as u64,
            executions_under_way: found.under_way,
            lets_in: affected.lets_in,
        }
    }
}

/// What a command on a subject came to.
pub(crate) struct SubjectPayload {
    id: Option<KeyId>,
    written: Written,
}

impl SubjectPayload {
    fn of(result: std::result::Result<Outcome<KeyId>, timeloom_commands::CommandError>) -> Result<Self> {
        let (id, written) = Written::of(settle(result)?);
        Ok(Self { id, written })
    }
}

#[Object]
impl SubjectPayload {
    /// What stands for the subject: the id under which another one approves.
    async fn subject_id(&self) -> Option<ID> {
        self.id.map(|id| ID(id.to_string()))
    }

    /// The subject as it is now.
    #[graphql(complexity = "child_complexity + 5")]
    async fn subject(&self, context: &Context<'_>) -> Result<Option<SubjectOut>> {
        let (state, Some(id)) = (state(context)?, self.id) else { return Ok(None) };
        let subject = state.erasures().subject(state.tenant(), id).await;
        subject.map(|subject| Some(SubjectOut::of(id, &subject))).map_err(told)
    }

    /// The position of what was written.
    async fn position(&self) -> Option<PositionScalar> {
        self.written.position()
    }

    /// Whether the command had been carried out before.
    async fn repeated(&self) -> bool {
        self.written.repeated
    }

    /// Why the command was not carried out; empty when it was.
    async fn errors(&self) -> &[UserError] {
        &self.written.errors
    }
}

/// Something to ask for about a subject.
#[derive(Debug, InputObject)]
struct RequestErasureInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// The name of the subject; of an account `account:ID`.
    subject: String,
    /// Why. It stays when the data is gone: name nobody in it.
    reason: String,
}

/// A request to take back.
#[derive(Debug, InputObject)]
struct WithdrawErasureInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// What stands for the subject.
    subject_id: ID,
    /// Why.
    reason: String,
}

/// A request of another one to approve.
#[derive(Debug, InputObject)]
struct ApproveErasureInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// What stands for the subject.
    subject_id: ID,
}

/// A hold to place.
#[derive(Debug, InputObject)]
struct PlaceLegalHoldInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// The name of the subject.
    subject: String,
    /// What the hold is called.
    hold: String,
    /// Why.
    reason: String,
}

/// A hold to end.
#[derive(Debug, InputObject)]
struct ReleaseLegalHoldInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// What stands for the subject.
    subject_id: ID,
    /// What the hold is called.
    hold: String,
    /// Why.
    #[graphql(default)]
    reason: String,
}

/// The reads about subjects.
#[derive(Debug, Default)]
pub struct ErasureQuery;

/// The changes to what is decided about subjects.
#[derive(Debug, Default)]
pub struct ErasureMutation;

pub(super) fn told(error: timeloom_commands::CommandError) -> async_graphql::Error {
    match error {
        timeloom_commands::CommandError::Refused(refusal) => coded("BAD_USER_INPUT", refusal.message),
        timeloom_commands::CommandError::Fault(error) => fault(&error),
        other => coded("BUSY", other.to_string()),
    }
}

fn key_id(id: &ID) -> Result<KeyId> {
    let id = id.parse().map_err(|_| coded("BAD_USER_INPUT", "this is no id of a subject".to_owned()))?;
    Ok(KeyId(id))
}

fn command(state: &ApiState, command_id: Option<Uuid>) -> CommandContext {
    state.context(command_id)
}

#[Object]
impl ErasureQuery {
    /// What an erasure would take, and what is in its way; reads the whole log. Needs `erasure:request`.
    #[graphql(complexity = "child_complexity + 100")]
    async fn erasure_preview(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The name of the subject; of an account `account:ID`.")] subject: String,
    ) -> Result<ErasurePreview> {
        let state = state(context)?;
        check(state, Permission::ErasureRequest)?;
        look(context, state, "erasure preview", None).await?;
        let affected = state.erasures().affected(&command(state, None), &subject).await;
        affected.map(ErasurePreview::from).map_err(told)
    }

    /// The keys of all subjects, wrapped under the master key, as a text to be kept apart from the data. Needs
    /// `tenant:write`.
    #[graphql(complexity = "100")]
    async fn subject_key_backup(&self, context: &Context<'_>) -> Result<String> {
        let state = state(context)?;
        check(state, Permission::TenantWrite)?;
        look(context, state, "keys of subjects", None).await?;
        state.erasures().backup(&command(state, None)).await.map_err(told)
    }

    /// The subjects about which something was asked or decided, at most 1,000, the newest first. Needs `erasure:request`.
    #[graphql(complexity = "child_complexity + 50")]
    async fn erasures(&self, context: &Context<'_>) -> Result<Vec<SubjectOut>> {
        let state = state(context)?;
        check(state, Permission::ErasureRequest)?;
        look(context, state, "erasures", None).await?;
        let entries = state.erasures().list(&command(state, None)).await.map_err(told)?;
        Ok(entries.iter().map(|SubjectEntry { id, subject }| SubjectOut::of(*id, subject)).collect())
    }
}

#[Object]
impl ErasureMutation {
    /// Asks for the data of a subject to be erased. Another user has to approve it.
    async fn request_erasure(&self, context: &Context<'_>, input: RequestErasureInput) -> Result<SubjectPayload> {
        let state = state(context)?;
        let RequestErasureInput { command_id, subject, reason } = input;
        SubjectPayload::of(state.erasures().request(&command(state, command_id), &subject, reason).await)
    }

    /// Takes such a request back.
    async fn withdraw_erasure(&self, context: &Context<'_>, input: WithdrawErasureInput) -> Result<SubjectPayload> {
        let state = state(context)?;
        let WithdrawErasureInput { command_id, subject_id, reason } = input;
        let id = key_id(&subject_id)?;
        SubjectPayload::of(state.erasures().withdraw(&command(state, command_id), id, reason).await)
    }

    /// Approves what another one asked for, and erases: the key is destroyed when this answers, and what was made of the data
    /// goes at once afterwards; `erasures` tells when that is done. It cannot be undone.
    async fn approve_erasure(&self, context: &Context<'_>, input: ApproveErasureInput) -> Result<SubjectPayload> {
        let state = state(context)?;
        let id = key_id(&input.subject_id)?;
        SubjectPayload::of(state.erasures().approve(&command(state, input.command_id), id).await)
    }

    /// Holds the data of a subject: it is not erased before the hold is released.
    async fn place_legal_hold(&self, context: &Context<'_>, input: PlaceLegalHoldInput) -> Result<SubjectPayload> {
        let state = state(context)?;
        let PlaceLegalHoldInput { command_id, subject, hold, reason } = input;
        SubjectPayload::of(state.erasures().place_hold(&command(state, command_id), &subject, hold, reason).await)
    }

    /// Asks for the end of a hold. Another user has to approve it.
    async fn request_legal_hold_release(
        &self,
        context: &Context<'_>,
        input: ReleaseLegalHoldInput,
    ) -> Result<SubjectPayload> {
        let state = state(context)?;
        let ReleaseLegalHoldInput { command_id, subject_id, hold, reason } = input;
        let id = key_id(&subject_id)?;
        SubjectPayload::of(state.erasures().request_release(&command(state, command_id), id, hold, reason).await)
    }

    /// Approves the end of a hold that another one asked for.
    async fn approve_legal_hold_release(
        &self,
        context: &Context<'_>,
        input: ReleaseLegalHoldInput,
    ) -> Result<SubjectPayload> {
        let state = state(context)?;
        let id = key_id(&input.subject_id)?;
        SubjectPayload::of(state.erasures().approve_release(&command(state, input.command_id), id, input.hold).await)
    }
}
