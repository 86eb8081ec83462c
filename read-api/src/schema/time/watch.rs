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
use crate::schema::paging::{Paging, cursor};
use crate::schema::reading::{not_there, rows, wait_for_rows};
use crate::schema::rows::page;
use crate::schema::scalars::PositionScalar;
use crate::state::ApiState;

/// Most hits of one page: what comes after them in the same executions is left out, and that is said.
const HITS_MAX: usize = 1_000;
/// Longest expression, in characters.
const EXPRESSION_CHARACTERS_MAX: usize = 10_000;

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
    /// How many executions are looked at, 1 to 100.
    #[graphql(default = 20)]
    first: i32,
    /// Go on after this cursor.
    after: Option<String>,
}

/// Over what of a node run an expression is evaluated: `$json` is its first item, `$input` all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum WatchOver {
    /// What the node was given, as its own expressions and breakpoints see it.
    Input,
    /// What the node gave.
    Output,
}

/// A page of what was found.
#[derive(Debug, SimpleObject)]
pub(crate) struct Watch {
    /// Where it was true, or what it gave.
    pub hits: Vec<WatchHit>,
    /// How many executions were looked at.
    pub executions: usize,
    /// Executions that were passed over: they hold more data than is looked at, or are not all there.
    pub passed_over: usize,
    /// Whether there were more hits in these executions than the thousand that are told.
    pub is_cut: bool,
    /// Whether there are more executions.
    pub has_next_page: bool,
    /// Where to go on.
    pub end_cursor: Option<String>,
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

/// Looks at one page of executions.
pub(super) async fn watch(context: &Context<'_>, state: &ApiState, input: WatchInput) -> Result<Watch> {
    if input.expression.trim().is_empty() || input.expression.chars().count() > EXPRESSION_CHARACTERS_MAX {
        return Err(bad_input(format!("expression has to have 1 to {EXPRESSION_CHARACTERS_MAX} characters")));
    }
    let paging = Paging { first: Some(input.first), after: input.after.clone(), ..Paging::default() };
    let mut page = page(&paging)?;
    let began = bounds(state, &input, &mut page).await?;
    wait_for_rows(state, state.log().head()).await?;
    let filter = ExecutionFilter { workflow_id: Some(WorkflowId(input.workflow_id)), ..ExecutionFilter::default() };
    let found = rows(state.read_models().executions(state.tenant(), None, &page, &filter).await)?;
    let in_time: Vec<_> = found.rows.iter().filter(|row| began.is_none_or(|from| row.started_at_ms >= from)).collect();
    let is_past = in_time.len() < found.rows.len();
    let question = Arc::new(Question::of(&input.expression, input.node.clone(), input.over, input.all));
    let mut watch = Watch {
        hits: Vec::new(),
        executions: in_time.len(),
        passed_over: 0,
        is_cut: false,
        has_next_page: found.has_next && !is_past,
        end_cursor: found.end_cursor.map(|Cursor(position)| cursor(position.0)),
    };
    // Each link of a long execution is looked at as a part of its first.
    for row in in_time.into_iter().filter(|row| row.continued_from.is_none()) {
        look_at(context, state, row.id, &question, &mut watch).await?;
    }
    Ok(watch)
}

/// Lets the page begin at the time up to which is asked; answers the time from which, in milliseconds since 1970.
async fn bounds(state: &ApiState, input: &WatchInput, page: &mut Page) -> Result<Option<i64>> {
    if let (Some(to), None) = (input.to, &input.after) {
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
    watch: &mut Watch,
) -> Result<()> {
    if watch.is_cut {
        return Ok(());
    }
    let _turn = state.turn_to_fold().await;
    let story = match Story::load(state.past(), &super::stream(state, id.0), Moment::Newest).await {
        Ok(story) => story,
        Err(HistoryError::Log(error)) => return Err(fault(&error)),
        Err(_) => {
            watch.passed_over += 1;
            return Ok(());
        }
    };
    let (session, question) = (state.evaluator().session(), Arc::clone(question));
    let (id_text, left) = (id.to_string(), HITS_MAX - watch.hits.len());
    let computed = tokio::task::spawn_blocking(move || answers(session, story, &id_text, &question, left + 1));
    let mut found = computed.await.map_err(|error| fault(&error))?;
    if found.len() > left {
        found.truncate(left);
        watch.is_cut = true;
    }
    PayloadBudget::take(context, found.iter().filter_map(|answer| answer.value.as_ref()).map(json_bytes).sum())?;
    watch.hits.extend(found.into_iter().map(|answer| WatchHit {
        execution_id: id.0,
        node: answer.node,
        run_index: answer.run_index,
        position: answer.position.map(PositionScalar),
        value: answer.value,
        error: answer.error,
    }));
    Ok(())
}
