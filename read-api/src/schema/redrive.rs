//! Dead letters, and trying many of them again in one call.
//!
//! Each retry is a command of its own, whose id follows from the call's. Invariant: which failures a call is about is
//! fixed by its first retry: those that were unresolved right before it. So a call that is sent again is about the same
//! ones, and retries none twice, however many of them it had done.

use std::sync::Arc;

use async_graphql::{InputObject, Object, Result, SimpleObject};
use futures::{StreamExt as _, stream};
use timeloom_commands::{CommandContext, CommandError, Outcome, Refusal, RetryExecution};
use timeloom_domain::access::Permission;
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::{ExecutionEvent as Facts, ExecutionStatus, TriggerFacts};
use timeloom_domain::ids::{CommandId, ExecutionId, WorkflowId};
use timeloom_projections::{AsOf, ExecutionFilter, PAGE_ROWS_MAX, Page};
use timeloom_store::{Direction, Position, Revision, StreamKey, codec};
use uuid::Uuid;

use super::control::{RetryFrom, RetryVersion};
use super::execution_facts::{ExecutionTrigger, SavedFact};
use super::faults::fault;
use super::payloads::{UserError, Written, refused, settle};
use super::reading::{rows, wait_for_rows};
use super::scalars::PositionScalar;
use crate::state::ApiState;

/// Failures that one call retries when nothing else is said.
const REDRIVES_DEFAULT: i32 = 100;
/// Most failures that one call retries.
const REDRIVES_MAX: i32 = 1_000;
/// Retries of one call that are under way at the same time.
const REDRIVES_AT_ONCE_MAX: usize = 16;

/// Which dead letters; what is absent does not narrow the list.
#[derive(Debug, Clone, Default, InputObject)]
pub(crate) struct DeadLetterFilter {
    /// Of this workflow only.
    workflow_id: Option<Uuid>,
    /// Started by this only.
    trigger: Option<ExecutionTrigger>,
    /// Only those about which this was saved.
    saved: Option<SavedFact>,
    /// Only failures of this `errorFingerprint`.
    error_fingerprint: Option<String>,
}

impl From<DeadLetterFilter> for ExecutionFilter {
    fn from(filter: DeadLetterFilter) -> Self {
        Self {
            workflow_id: filter.workflow_id.map(WorkflowId),
            status: None,
            trigger: filter.trigger.map(Into::into),
            unresolved: Some(true),
            saved: filter.saved.map(Into::into),
            forked_from: None,
            error_fingerprint: filter.error_fingerprint,
            from: None,
            until: None,
        }
    }
}

/// Failures to try again, the newest first.
#[derive(Debug, InputObject)]
pub(crate) struct RedriveExecutionsInput {
    /// Makes this the same call as an earlier one with this id: none is retried twice.
    command_id: Option<Uuid>,
    /// Which dead letters; absent = all.
    #[graphql(default)]
    filter: DeadLetterFilter,
    /// Where each retry begins.
    #[graphql(default_with = "RetryFrom::FailedNode")]
    from: RetryFrom,
    /// What each retry runs.
    #[graphql(default_with = "RetryVersion::Same")]
    version: RetryVersion,
    /// How many at most, 1 to 1,000.
    #[graphql(default_with = "REDRIVES_DEFAULT")]
    limit: i32,
}

/// What became of one dead letter.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct Redriven {
    /// The execution that had failed.
    pub execution_id: Uuid,
    /// The one that tries it again; absent when it was refused.
    pub retried_as: Option<Uuid>,
    /// Why it is not tried again.
    pub error: Option<UserError>,
}

/// What trying many again came to.
#[derive(Debug, Default)]
pub(crate) struct RedriveExecutionsPayload {
    redriven: Vec<Redriven>,
    has_more: bool,
    written: Written,
}

#[Object]
impl RedriveExecutionsPayload {
    /// What became of each.
    async fn redriven(&self) -> &[Redriven] {
        &self.redriven
    }

    /// How many are tried again.
    async fn retried_count(&self) -> usize {
        self.redriven.iter().filter(|one| one.retried_as.is_some()).count()
    }

    /// How many are not.
    async fn refused_count(&self) -> usize {
        self.redriven.iter().filter(|one| one.error.is_some()).count()
    }

    /// Whether there were more dead letters than `limit`: call again, with another `commandId`.
    async fn has_more(&self) -> bool {
        self.has_more
    }

    /// The position from which reads show it: give it as `waitFor`.
    async fn position(&self) -> Option<PositionScalar> {
        self.written.position()
    }

    /// Whether this call had retried all of them before.
    async fn repeated(&self) -> bool {
        self.written.repeated
    }

    /// Why nothing was done; empty when the call was carried out.
    async fn errors(&self) -> &[UserError] {
        &self.written.errors
    }
}

/// A call that is carried out.
struct Call<'a> {
    state: &'a ApiState,
    context: CommandContext,
    from: RetryFrom,
    version: RetryVersion,
}

/// What a retry came to: its position and whether it was a repeat, or why there is none.
type Tried = std::result::Result<Outcome<ExecutionId>, UserError>;

pub(crate) async fn redrive(state: &ApiState, input: RedriveExecutionsInput) -> Result<RedriveExecutionsPayload> {
    if let Err(forbidden) = state.require(Permission::ExecutionRun) {
        let written = Written { errors: vec![refused("FORBIDDEN", forbidden.to_string())], ..Written::default() };
        return Ok(RedriveExecutionsPayload { written, ..RedriveExecutionsPayload::default() });
    }
    if !(1..=REDRIVES_MAX).contains(&input.limit) {
        let message = format!("limit is {}, it must be 1 to {REDRIVES_MAX}: call several times", input.limit);
        let written = Written { errors: vec![refused("LIMIT_OUT_OF_RANGE", message)], ..Written::default() };
        return Ok(RedriveExecutionsPayload { written, ..RedriveExecutionsPayload::default() });
    }
    let (limit, filter) = (usize::try_from(input.limit).unwrap_or(1), ExecutionFilter::from(input.filter));
    let context = state.context(input.command_id);
    let call = Call { state, context, from: input.from, version: input.version };
    wait_for_rows(state, state.log().head()).await?;
    let (first, mut tried) = match call.begun().await? {
        Some(begun) => (Some(begun), Vec::new()),
        None => call.begin(&filter, limit).await?,
    };
    let mut has_more = false;
    if let Some((of, outcome)) = first {
        let before = Position(outcome.position.0.saturating_sub(1));
        let (mut others, more) = call.dead_letters(&filter, Some(before), limit + 1).await?;
        others.retain(|id| *id != of);
        has_more = more || others.len() >= limit;
        others.truncate(limit - 1);
        tried = vec![(of, Ok(outcome))];
        tried.extend(call.retry_all(others).await?);
    }
    Ok(payload(tried, has_more))
}

fn payload(tried: Vec<(ExecutionId, Tried)>, has_more: bool) -> RedriveExecutionsPayload {
    let done = tried.iter().filter_map(|(_, tried)| tried.as_ref().ok());
    let written = Written {
        position: done.clone().map(|outcome| outcome.position).max(),
        repeated: done.clone().count() > 0 && done.clone().all(|outcome| outcome.repeated),
        ..Written::default()
    };
    let redriven = tried.into_iter().map(|(id, tried)| {
        let (retried_as, error) = match tried {
            Ok(outcome) => (Some(outcome.value.0), None),
            Err(error) => (None, Some(error)),
        };
        Redriven { execution_id: id.0, retried_as, error }
    });
    RedriveExecutionsPayload { redriven: redriven.collect(), has_more, written }
}

impl Call<'_> {
    /// The first retry of this very call, if it has made one.
    async fn begun(&self) -> Result<Option<(ExecutionId, Outcome<ExecutionId>)>> {
        let id = self.first_id();
        let stream = StreamKey::new(self.state.tenant(), Facts::CATEGORY, id.to_string());
        let read = self.state.log().read_stream(&stream, Revision::default(), Direction::Forward, 1).await;
        let Some(event) = read.map_err(|error| fault(&error))?.into_iter().next() else { return Ok(None) };
        let start = match codec::decode::<Facts>(&event).map_err(|error| fault(&error))? {
            Facts::ExecutionStarted(start) => Arc::unwrap_or_clone(start),
            Facts::ExecutionRetried(retry) => retry.start,
            _ => return Ok(None),
        };
        let Some(TriggerFacts::Retry { of }) = start.trigger else { return Ok(None) };
        // Only its note may be missing.
        let outcome = match self.retry(of, id).await? {
            Ok(outcome) => outcome,
            Err(_) => Outcome { value: id, position: event.position, revision: event.revision, repeated: true },
        };
        Ok(Some((of, Outcome { position: event.position, ..outcome })))
    }

    /// Makes the first retry: of the newest dead letter that is not refused. Without one, why each is refused.
    async fn begin(&self, filter: &ExecutionFilter, limit: usize) -> Result<Begun> {
        let (letters, _) = self.dead_letters(filter, None, limit).await?;
        let mut refused = Vec::new();
        for of in letters {
            match self.retry(of, self.first_id()).await? {
                Ok(outcome) => return Ok((Some((of, outcome)), Vec::new())),
                Err(error) => refused.push((of, Err(error))),
            }
        }
        Ok((None, refused))
    }

    /// The newest dead letters, and whether there are more.
    async fn dead_letters(
        &self,
        filter: &ExecutionFilter,
        as_of: AsOf,
        limit: usize,
    ) -> Result<(Vec<ExecutionId>, bool)> {
        let (mut ids, mut after) = (Vec::new(), None);
        loop {
            let page = Page { after, ..Page::first((limit - ids.len()).min(PAGE_ROWS_MAX)) };
            let found = rows(self.state.read_models().executions(self.state.tenant(), as_of, &page, filter).await)?;
            ids.extend(found.rows.iter().map(|row| row.id));
            if !found.has_next || ids.len() >= limit {
                return Ok((ids, found.has_next));
            }
            after = found.end_cursor;
        }
    }

    async fn retry_all(&self, letters: Vec<ExecutionId>) -> Result<Vec<(ExecutionId, Tried)>> {
        let retries = letters.into_iter().map(|of| async move {
            let id = ExecutionId(Uuid::new_v5(&self.context.command_id.0, of.0.as_bytes()));
            self.retry(of, id).await.map(|tried| (of, tried))
        });
        let all: Vec<_> = stream::iter(retries).buffered(REDRIVES_AT_ONCE_MAX).collect().await;
        all.into_iter().collect()
    }

    async fn retry(&self, of: ExecutionId, new_id: ExecutionId) -> Result<Tried> {
        settle(self.try_retry(of, new_id).await)
    }

    async fn try_retry(
        &self,
        of: ExecutionId,
        new_id: ExecutionId,
    ) -> std::result::Result<Outcome<ExecutionId>, CommandError> {
        self.check(of, new_id).await?;
        let context = self.context.following(CommandId(new_id.0));
        let (from, version) = (self.from.into(), self.version.into());
        let retry = RetryExecution { new_id: Some(new_id), execution_id: of, from, version };
        self.state.commands().retry_execution(&context, retry).await
    }

    /// Refuses what somebody has looked after meanwhile, and what runs again as a part of something else.
    async fn check(&self, of: ExecutionId, new_id: ExecutionId) -> std::result::Result<(), CommandError> {
        let commands = self.state.commands();
        let (_, letter) = commands.last_link(&self.context, of).await?;
        let letter = &letter.aggregate;
        if letter.retried_as.contains(&new_id) {
            return Ok(());
        }
        if let Some(other) = letter.retried_as.last() {
            let message = format!("it was retried meanwhile, as {other}: retry it by itself to try it once more");
            return Err(Refusal::new("EXECUTION_RETRIED", message).into());
        }
        if letter.dismissed.is_some() {
            let message = "it was dismissed meanwhile: retry it by itself to try it all the same";
            return Err(Refusal::new("EXECUTION_DISMISSED", message).into());
        }
        let trigger = letter.start.as_ref().and_then(|start| start.trigger.as_ref());
        if let Some(TriggerFacts::SubWorkflow { execution, node, .. }) = trigger {
            let (_, caller) = commands.last_link(&self.context, *execution).await?;
            let caller = &caller.aggregate;
            if caller.status == ExecutionStatus::Failed && caller.failed_node.as_deref() == Some(node.as_str()) {
                let message = format!("it failed as a part of {execution}: retry that one, which runs it again");
                return Err(Refusal::new("PART_OF_EXECUTION", message).into());
            }
        }
        Ok(())
    }

    fn first_id(&self) -> ExecutionId {
        ExecutionId(Uuid::new_v5(&self.context.command_id.0, b"first"))
    }
}

/// The first retry with the failure that it tries again, or why each failure is refused.
type Begun = (Option<(ExecutionId, Outcome<ExecutionId>)>, Vec<(ExecutionId, Tried)>);
