//! How long data of each category is kept, and who decides it.
//!
//! Whoever may ask for erasures sees it.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, NaiveDate, Utc};
use timeloom_commands::erasure::RetentionEntry;
use timeloom_commands::{CommandError, Outcome};
use timeloom_domain::access::Permission;
use timeloom_domain::retention::Retention;
use uuid::Uuid;

use super::access::look;
use super::erasure::{LegalHold, holds, told};
use super::payloads::{UserError, Written, settle};
use super::permitted::check;
use super::reading::state;
use super::scalars::PositionScalar;

/// That data is to be kept less long, which another one has to approve.
#[derive(Debug, Clone, SimpleObject)]
struct RetentionRequest {
    /// For how many days.
    days: u32,
    /// Why.
    reason: String,
    /// Who asked, such as `user:ID`.
    by: String,
}

/// How long data of a category is kept.
#[derive(Debug, Clone, SimpleObject)]
struct DataRetention {
    /// The category of streams, such as `execution`.
    category: String,
    /// For how many days; null: for ever.
    days: Option<u32>,
    /// Why.
    reason: Option<String>,
    /// Since when what begins is kept for a limited time: nothing older goes.
    since: Option<DateTime<Utc>>,
    /// What somebody asked for, and nobody has approved yet.
    request: Option<RetentionRequest>,
    /// The holds on all data of the category.
    holds: Vec<LegalHold>,
    /// The newest day (UTC) whose data went, such as `2026-11-27`.
    last_day: Option<String>,
    /// When data went last.
    applied_at: Option<DateTime<Utc>>,
    /// How many streams had data that went.
    streams: u64,
    /// How many events had data that went.
    events: u64,
}

/// A day, of days since 1970.
fn day(day: i64) -> Option<String> {
    NaiveDate::from_epoch_days(i32::try_from(day).ok()?).map(|day| day.to_string())
}

impl DataRetention {
    fn of(category: &str, retention: &Retention) -> Self {
        let time = |at_ms: Option<i64>| at_ms.and_then(DateTime::from_timestamp_millis);
        let request = retention.request.as_ref().map(|request| RetentionRequest {
            days: request.days,
            reason: request.reason.clone(),
            by: request.by.to_string(),
        });
        Self {
            category: category.to_owned(),
            days: retention.days,
            reason: (!retention.reason.is_empty()).then(|| retention.reason.clone()),
            since: time(retention.since_ms),
            request,
            holds: holds(&retention.holds),
            last_day: retention.last_day.and_then(day),
            applied_at: time(retention.applied_at_ms),
            streams: retention.streams,
            events: retention.events,
        }
    }
}

/// What a command on the retention of a category came to.
pub(crate) struct RetentionPayload {
    category: Option<String>,
    written: Written,
}

impl RetentionPayload {
    fn of(result: std::result::Result<Outcome<String>, CommandError>) -> Result<Self> {
        let (category, written) = Written::of(settle(result)?);
        Ok(Self { category, written })
    }
}

#[Object]
impl RetentionPayload {
    /// The category.
    async fn category(&self) -> Option<&str> {
        self.category.as_deref()
    }

    /// How long it is kept now.
    #[graphql(complexity = "child_complexity + 5")]
    async fn retention(&self, context: &Context<'_>) -> Result<Option<DataRetention>> {
        let (state, Some(category)) = (state(context)?, &self.category) else { return Ok(None) };
        let retention = state.erasures().retention(state.tenant(), category).await;
        retention.map(|retention| Some(DataRetention::of(category, &retention))).map_err(told)
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

/// For how long a category is to be kept.
#[derive(Debug, InputObject)]
struct SetRetentionInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// The category of streams, such as `execution`.
    category: String,
    /// For how many days; null: for ever.
    days: Option<u32>,
    /// Why.
    reason: String,
}

/// A category of which something was asked.
#[derive(Debug, InputObject)]
struct RetentionInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// The category of streams, such as `execution`.
    category: String,
    /// Why; not needed to approve.
    #[graphql(default)]
    reason: String,
}

/// A hold on a category.
#[derive(Debug, InputObject)]
struct RetentionHoldInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// The category of streams, such as `execution`.
    category: String,
    /// What the hold is called.
    hold: String,
    /// Why; not needed to approve.
    #[graphql(default)]
    reason: String,
}

/// The reads about retention.
#[derive(Debug, Default)]
pub struct RetentionQuery;

/// The changes of retention.
#[derive(Debug, Default)]
pub struct RetentionMutation;

#[Object]
impl RetentionQuery {
    /// How long data of each category is kept that can have a retention. Needs `erasure:request`.
    #[graphql(complexity = "child_complexity + 10")]
    async fn retentions(&self, context: &Context<'_>) -> Result<Vec<DataRetention>> {
        let state = state(context)?;
        check(state, Permission::ErasureRequest)?;
        look(context, state, "retentions", None).await?;
        let entries = state.erasures().retentions(&state.context(None)).await.map_err(told)?;
        let shown = |entry: &RetentionEntry| DataRetention::of(entry.category, &entry.retention);
        Ok(entries.iter().map(shown).collect())
    }
}

#[Object]
impl RetentionMutation {
    /// Keeps data of a category for so many days, or for ever. What keeps it longer counts at once; what keeps it less long is
    /// asked for, and another user has to approve it. It is about what begins afterwards.
    async fn set_retention(&self, context: &Context<'_>, input: SetRetentionInput) -> Result<RetentionPayload> {
        let state = state(context)?;
        let SetRetentionInput { command_id, category, days, reason } = input;
        let set = state.erasures().set_retention(&state.context(command_id), &category, days, reason).await;
        RetentionPayload::of(set)
    }

    /// Approves that a category is kept less long, as another one asked for. Data whose time is over goes within the hour; that
    /// cannot be undone.
    async fn approve_retention(&self, context: &Context<'_>, input: RetentionInput) -> Result<RetentionPayload> {
        let state = state(context)?;
        let approved = state.erasures().approve_retention(&state.context(input.command_id), &input.category).await;
        RetentionPayload::of(approved)
    }

    /// Takes back what was asked for.
    async fn withdraw_retention(&self, context: &Context<'_>, input: RetentionInput) -> Result<RetentionPayload> {
        let state = state(context)?;
        let RetentionInput { command_id, category, reason } = input;
        RetentionPayload::of(state.erasures().withdraw_retention(&state.context(command_id), &category, reason).await)
    }

    /// Holds all data of a category: none of it goes because of its age before the hold is released.
    async fn place_retention_hold(&self, context: &Context<'_>, input: RetentionHoldInput) -> Result<RetentionPayload> {
        let state = state(context)?;
        let RetentionHoldInput { command_id, category, hold, reason } = input;
        let placed = state.erasures().place_retention_hold(&state.context(command_id), &category, hold, reason).await;
        RetentionPayload::of(placed)
    }

    /// Asks for the end of such a hold. Another user has to approve it.
    async fn request_retention_hold_release(
        &self,
        context: &Context<'_>,
        input: RetentionHoldInput,
    ) -> Result<RetentionPayload> {
        let state = state(context)?;
        let RetentionHoldInput { command_id, category, hold, reason } = input;
        let command = state.context(command_id);
        RetentionPayload::of(state.erasures().request_retention_release(&command, &category, hold, reason).await)
    }

    /// Approves the end of a hold on a category that another one asked for.
    async fn approve_retention_hold_release(
        &self,
        context: &Context<'_>,
        input: RetentionHoldInput,
    ) -> Result<RetentionPayload> {
        let state = state(context)?;
        let command = state.context(input.command_id);
        RetentionPayload::of(state.erasures().approve_retention_release(&command, &input.category, input.hold).await)
    }
}
