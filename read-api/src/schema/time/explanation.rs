//! From where a value comes, across the borders of executions, up to what started the first of them.

use async_graphql::{Context, Enum, ID, InputObject, Result, SimpleObject};
use timeloom_domain::execution::TriggerFacts;
use timeloom_history::{self as history, ItemValue, explain};
use timeloom_store::codec::json_bytes;
use uuid::Uuid;

use super::provenance::ProvenanceStep;
use super::stream;
use crate::schema::budget::PayloadBudget;
use crate::schema::reading::{not_there, state};

/// A value in what a node run gave.
#[derive(Debug, InputObject)]
pub(crate) struct ExplainInput {
    /// The execution.
    execution_id: Uuid,
    /// Name of the node.
    node: String,
    /// Which of its runs; 0 is the first.
    #[graphql(default)]
    run_index: usize,
    /// Index of the output.
    #[graphql(default)]
    output: usize,
    /// Index of the item.
    #[graphql(default)]
    item: usize,
    /// Where in the item, as a JSON pointer such as `/json/total`.
    path: String,
}

/// How one execution leads to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "timeloom_history::Border")]
pub(crate) enum ExplanationBorder {
    /// It has the value that was asked about.
    Asked,
    /// A node of the other one called it, and gave what it gave.
    Called,
    /// A node of it called the other one.
    Caller,
}

/// From where a value comes, execution by execution.
#[derive(Debug, SimpleObject)]
pub(crate) struct ValueExplanation {
    /// The executions that it goes through, that of the value first; at most 64.
    pub chapters: Vec<ExplanationChapter>,
    /// Whether there is more than is told.
    pub is_cut: bool,
}

/// The part of an explanation that lies in one execution.
#[derive(Debug, SimpleObject)]
pub(crate) struct ExplanationChapter {
    /// The execution.
    pub execution_id: ID,
    /// Why it is part of it.
    pub border: ExplanationBorder,
    /// The chapter from which it is reached, by its place in the list; absent for the first.
    pub from_chapter: Option<usize>,
    /// The step of that chapter.
    pub from_step: Option<usize>,
    /// The steps from there back.
    pub steps: Vec<ProvenanceStep>,
    /// What started the execution, in words.
    pub trigger: String,
    /// The runs of agents that the nodes of these steps asked.
    pub agent_runs: Vec<ExplainedAgentRun>,
}

/// A run of an agent that a node asked.
#[derive(Debug, SimpleObject)]
pub(crate) struct ExplainedAgentRun {
    /// Its id.
    pub id: ID,
    /// By which step of the chapter it was asked.
    pub step: usize,
    /// How often it asked its model.
    pub turns: u32,
    /// The tools that answered, in their order; at most 50.
    pub tools: Vec<String>,
}

/// Follows a value.
pub(super) async fn explanation(context: &Context<'_>, input: ExplainInput) -> Result<ValueExplanation> {
    let state = state(context)?;
    let _turn = state.turn_to_fold().await;
    let ExplainInput { execution_id, node, run_index, output, item, path } = input;
    let value = ItemValue { node, run_index, output, item: Some(item), path };
    let found = explain(state.past(), &stream(state, execution_id), value).await;
    let found = found.map_err(|error| not_there(&error))?;
    let values = found.chapters.iter().flat_map(|chapter| &chapter.steps).filter_map(|step| step.value.as_ref());
    PayloadBudget::take(context, values.map(json_bytes).sum())?;
    let chapters = found.chapters.into_iter().map(ExplanationChapter::from).collect();
    Ok(ValueExplanation { chapters, is_cut: found.is_cut })
}

impl From<history::Chapter> for ExplanationChapter {
    fn from(chapter: history::Chapter) -> Self {
        let agent_run = |run: history::AskedAgent| ExplainedAgentRun {
            id: ID(run.stream.id.to_string()),
            step: run.step,
            turns: run.turns,
            tools: run.tools,
        };
        Self {
            execution_id: ID(chapter.stream.id.to_string()),
            border: chapter.border.into(),
            from_chapter: chapter.from.map(|(from, _)| from),
            from_step: chapter.from.map(|(_, step)| step),
            steps: chapter.steps.into_iter().map(ProvenanceStep::from).collect(),
            trigger: in_words(chapter.trigger.as_ref()),
            agent_runs: chapter.agent_runs.into_iter().map(agent_run).collect(),
        }
    }
}

/// What started an execution.
fn in_words(trigger: Option<&TriggerFacts>) -> String {
    match trigger {
        None => "started by hand or by the API".to_owned(),
        Some(TriggerFacts::Webhook { method, path, .. }) => format!("started by the request {method} {path}"),
        Some(TriggerFacts::Schedule { due_at_ms }) => match chrono::DateTime::from_timestamp_millis(*due_at_ms) {
            Some(due) => format!("started by its schedule, due at {}", due.to_rfc3339()),
            None => "started by its schedule".to_owned(),
        },
        Some(TriggerFacts::Message { position, .. }) => format!("started by the message {position}"),
        Some(TriggerFacts::SubWorkflow { execution, node, .. }) => {
            format!("called by '{node}' of execution {execution}")
        }
        Some(TriggerFacts::Failure { execution }) => format!("started by the failure of execution {execution}"),
        Some(TriggerFacts::Retry { of }) => format!("tries execution {of} again"),
    }
}
