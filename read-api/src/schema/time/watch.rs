//! Watches and breakpoints after the fact: an expression over executions of the past, a page of them at a time.

use std::sync::Arc;

use async_graphql::{Context, Enum, InputObject, Result, SimpleObject};
use chrono::{DateTime, Utc};
use serde_json::Value;
use timeloom_domain::ids::{ExecutionId, WorkflowId};
use timeloom_history::{self as history, HistoryError, Moment, Story};
use timeloom_projections::{Cursor, ExecutionFilter, Page};
use timeloom_store::codec::json_bytes;
use uuid::Uuid;

use super::watched::{Question, answers};
use crate::schema::budget::PayloadBudget;
use crate::schema::faults::{bad_input, fault};
use crate::schema::paging::{Pages, Paging, pages};
use crate::schema::reading::{not_there, rows, wait_for_rows};
use crate::schema::rows::page;
use crate::schema::scalars::PositionScalar;
use crate::state::ApiState;

/// Most hits of one execution: what comes after them is left out, and that is said. A page ends where it has as many.
const HITS_MAX: usize = 1_000;
/// Longest expression, in characters.
pub(super) const EXPRESSION_CHARACTERS_MAX: usize = 10_000;

/// An expression to watch over executions of the past.
#[derive(Debug, InputObject)]
pub(crate) struct WatchInput {
    /// The expression, with or without `{{ }}`.
    expression: String,
    /// The workflow whose executions they are.
    workflow_id: Uuid,
    /// Only executions that began at or after this time.
    from: Option<DateTime<Utc>>,
    /// Only executions that began before this time.
    to: Option<DateTime<Utc>>,
    /// Only runs of this node.
    node: Option<String>,
    /// Over what of each node run.
    #[graphql(default_with = "WatchOver::Output")]
    over: WatchOver,
    /// Give what the expression gave at every node run, not only where it was true.
    #[graphql(default)]
    all: bool,
}

/// Over what of a node run an expression is evaluated: `$json` is its first item, `$input` all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum WatchOver {
    /// What the node was given, as its own expressions and breakpoints see it.
    Input,
    /// What the node gave.
    Output,
}

/// An execution that was looked at.
#[derive(Debug, SimpleObject)]
pub(crate) struct WatchedExecution {
    /// Its id.
    pub execution_id: Uuid,
    /// Where it was true, or what it gave; empty where nothing was found.
    pub hits: Vec<WatchHit>,
    /// Whether there were more hits than the thousand that are told.
    pub is_cut: bool,
    /// Why it was passed over; absent when it was looked at.
    pub passed_over: Option<String>,
}

impl WatchedExecution {
    fn not_looked_at(id: ExecutionId, why: String) -> Self {
        Self { execution_id: id.0, hits: Vec::new(), is_cut: false, passed_over: Some(why) }
    }
}

/// What an expression gave at one node run.
#[derive(Debug, SimpleObject)]
pub(crate) struct WatchHit {
    /// The execution.
    pub execution_id: Uuid,
    /// Name of the node.
    pub node: String,
    /// Which of its runs; 0 is the first.
    pub run_index: usize,
    /// Position of the event that ended the run: fork there, or ask for the state then.
    pub position: Option<PositionScalar>,
    /// What the expression gave; absent for `undefined`.
    pub value: Option<Value>,
    /// Why it gave nothing.
    pub error: Option<String>,
}

/// Looks at one page of executions. It ends before its time once there are [`HITS_MAX`] hits.
pub(super) async fn watch(
    context: &Context<'_>,
    state: &ApiState,
    input: WatchInput,
    paging: &Paging,
) -> Result<Pages<WatchedExecution>> {
    if input.expression.trim().is_empty() || input.expression.chars().count() > EXPRESSION_CHARACTERS_MAX {
        return Err(bad_input(format!("expression has to have 1 to {EXPRESSION_CHARACTERS_MAX} characters")));
    }
    let question = Arc::new(Question::of(&input.expression, input.node.clone(), input.over, input.all));
    refuse_broken(state, &question).await?;
    let mut page = page(paging)?;
    let began = bounds(state, &input, paging, &mut page).await?;
    wait_for_rows(state, state.log().head()).await?;
    let filter = ExecutionFilter { workflow_id: Some(WorkflowId(input.workflow_id)), ..ExecutionFilter::default() };
    let found = rows(state.read_models().executions(state.tenant(), None, &page, &filter).await)?;
    let mut in_time: Vec<_> = found.rows;
    let (has_previous, mut has_next, count) = (found.has_previous, found.has_next, in_time.len());
    in_time.retain(|row| began.is_none_or(|from| row.started_at_ms >= from));
    has_next &= in_time.len() == count;
    let (mut watched, mut hits, mut passed) = (Vec::new(), 0, None);
    for row in in_time {
        if hits >= HITS_MAX {
            has_next = true;
            break;
        }
        // Each link of a long execution is looked at as a part of its first.
        if row.continued_from.is_some() {
            passed = Some(row);
            continue;
        }
        let found = look_at(context, state, row.id, &question).await?;
        hits += found.hits.len();
        watched.push((row.created_position.0, found));
    }
    // A page of nothing else has one of them all the same, so that there is a cursor to go on from.
    if let (true, true, Some(link)) = (watched.is_empty(), has_next, passed) {
        let why = "it is a part of a long execution, and is looked at with its beginning".to_owned();
        watched.push((link.created_position.0, WatchedExecution::not_looked_at(link.id, why)));
    }
    Ok(pages(has_previous, has_next, watched))
}

/// Refuses an expression that is none: it would be true nowhere, and nobody would learn why.
async fn refuse_broken(state: &ApiState, question: &Arc<Question>) -> Result<()> {
    let (evaluator, question) = (Arc::clone(state.evaluator()), Arc::clone(question));
    let looked = tokio::task::spawn_blocking(move || evaluator.broken(&[question.template()]).pop().flatten()).await;
    match looked.map_err(|error| fault(&error))? {
        Some(why) => Err(bad_input(format!("expression cannot be read: {why}"))),
        None => Ok(()),
    }
}

/// Lets the page begin at the time up to which is asked; answers the time from which, in milliseconds since 1970.
async fn bounds(state: &ApiState, input: &WatchInput, paging: &Paging, page: &mut Page) -> Result<Option<i64>> {
    if let (Some(to), None) = (input.to, &paging.after) {
        let position = history::position_of(state.past(), None, Moment::Time(to)).await;
        let position = position.map_err(|error| not_there(&error))?;
        page.after = Some(Cursor(timeloom_store::Position(position.0.saturating_add(1))));
    }
    Ok(input.from.map(|from| from.timestamp_millis()))
}

async fn look_at(
    context: &Context<'_>,
    state: &ApiState,
    id: ExecutionId,
    question: &Arc<Question>,
) -> Result<WatchedExecution> {
    let _turn = state.turn_to_fold().await;
    let story = match Story::load(state.past(), &super::stream(state, id.0), Moment::Newest).await {
        Ok(story) => story,
        Err(HistoryError::Log(error)) => return Err(fault(&error)),
        Err(why) => return Ok(WatchedExecution::not_looked_at(id, why.to_string())),
    };
    let (session, question, id_text) = (state.evaluator().session(), Arc::clone(question), id.to_string());
    let computed = tokio::task::spawn_blocking(move || answers(session, story, &id_text, &question, HITS_MAX + 1));
    let mut found = computed.await.map_err(|error| fault(&error))?;
    let is_cut = found.len() > HITS_MAX;
    found.truncate(HITS_MAX);
    PayloadBudget::take(context, found.iter().filter_map(|answer| answer.value.as_ref()).map(json_bytes).sum())?;
    let hits = found.into_iter().map(|answer| WatchHit {
        execution_id: id.0,
        node: answer.node,
        run_index: answer.run_index,
        position: answer.position.map(PositionScalar),
        value: answer.value,
        error: answer.error,
    });
    Ok(WatchedExecution { execution_id: id.0, hits: hits.collect(), is_cut, passed_over: None })
}
