//! An expression evaluated over what a node of a past execution was given, as an editor shows it while it is written.

use async_graphql::{Context, InputObject, Result, SimpleObject};
use serde_json::Value;
use timeloom_domain::ids::ExecutionId;
use timeloom_history::{Moment, Story};
use timeloom_store::codec::json_bytes;
use uuid::Uuid;

use super::watch::{EXPRESSION_CHARACTERS_MAX, WatchOver};
use super::watched::{Seen, preview};
use crate::schema::budget::PayloadBudget;
use crate::schema::faults::{bad_input, fault};
use crate::schema::reading::not_there;
use crate::schema::scalars::PositionScalar;
use crate::state::ApiState;

/// An expression, and over what it is evaluated.
#[derive(Debug, InputObject)]
pub(crate) struct ExpressionPreviewInput {
    /// The expression as a parameter holds it, with text around `{{ }}` or none; the `=` before it may be left out.
    expression: String,
    /// The execution whose items it sees.
    execution_id: Uuid,
    /// The node whose run it sees: the one that the expression belongs to, or one before it where that one has not run.
    node: String,
    /// Which of that node's runs; absent = the newest.
    run_index: Option<usize>,
    /// Over what of it.
    #[graphql(default_with = "WatchOver::Input")]
    over: WatchOver,
    /// Over which of its inputs or outputs; absent = the first that has items.
    branch: Option<usize>,
    /// For which item; 0 is the first.
    #[graphql(default)]
    item_index: usize,
}

/// What an expression gives for one item.
#[derive(Debug, SimpleObject)]
pub(crate) struct ExpressionPreview {
    /// What it gives; absent for `undefined`.
    value: Option<Value>,
    /// Why it gives nothing.
    error: Option<String>,
    /// How many items there are.
    item_count: usize,
    /// Which run of the node was taken.
    run_index: usize,
    /// Position of the event that ended that run.
    position: Option<PositionScalar>,
}

pub(super) async fn expression_preview(
    context: &Context<'_>,
    state: &ApiState,
    input: ExpressionPreviewInput,
) -> Result<ExpressionPreview> {
    if input.expression.chars().count() > EXPRESSION_CHARACTERS_MAX {
        return Err(bad_input(format!("expression has to have at most {EXPRESSION_CHARACTERS_MAX} characters")));
    }
    let _turn = state.turn_to_fold().await;
    let loaded = Story::load(state.past(), &super::stream(state, input.execution_id), Moment::Newest).await;
    let story = loaded.map_err(|error| not_there(&error))?;
    let place = match input.run_index {
        Some(run) => story.find(&input.node, run),
        None => story.newest_before(&input.node, story.runs.len()),
    };
    let place = place.ok_or_else(|| {
        bad_input(format!("the node '{}' did not run in that execution: give one that did", input.node))
    })?;
    let expression = input.expression.strip_prefix('=').unwrap_or(&input.expression);
    let template = Value::String(format!("={expression}"));
    let seen = Seen { place, over: input.over, branch: input.branch };
    let (run_index, session) = (story.runs[place].state.run_index, state.evaluator().session());
    let position = story.runs[place].written.as_ref().map(|written| PositionScalar(written.position));
    let (id, item) = (ExecutionId(input.execution_id).to_string(), input.item_index);
    let computed = tokio::task::spawn_blocking(move || preview(session, story, &id, &seen, &template, item));
    let (item_count, result) = computed.await.map_err(|error| fault(&error))?;
    let (value, error) = match result {
        Ok(value) => (value, None),
        Err(error) => (None, Some(error)),
    };
    PayloadBudget::take(context, value.as_ref().map_or(0, json_bytes))?;
    Ok(ExpressionPreview { value, error, item_count, run_index, position })
}
