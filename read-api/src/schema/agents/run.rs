//! Runs of agents: rows for lists, and what was said and done from their events.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use serde_json::Value;
use timeloom_domain::agent_run::{AgentAction, AgentRun as Folded, AgentRunEvent, AgentRunStatus as Known, CallState};
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::AgentRunId;
use timeloom_history::{self as history, HistoryError};
use timeloom_projections::{AgentRunFilter, AgentRunRow, AsOf};
use timeloom_store::{Direction, Revision, StreamKey};
use uuid::Uuid;

use crate::schema::event::Event;
use crate::schema::execution::{Execution, execution, time};
use crate::schema::faults::{bad_input, fault};
use crate::schema::history::History;
use crate::schema::paging::{Pages, Paging, page_cost};
use crate::schema::reading::{not_there, rows, state};
use crate::schema::rows::{page, row_pages};
use crate::state::ApiState;

/// Most events that are read at a time.
const EVENTS_MAX: usize = 100;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum AgentRunStatus {
    /// It is under way.
    Running,
    /// It waits for somebody's approval.
    WaitingForApproval,
    /// It stands still until somebody says so.
    Paused,
    /// It came to its answer.
    Completed,
    /// It came to no answer.
    Failed,
    /// Somebody ended it.
    Cancelled,
}

impl AgentRunStatus {
    /// The word that rows have for it.
    pub(crate) fn word(self) -> &'static str {
        let known = match self {
            Self::Running => Known::Running,
            Self::WaitingForApproval => Known::WaitingForApproval,
            Self::Paused => Known::Paused,
            Self::Completed => Known::Completed,
            Self::Failed => Known::Failed,
            Self::Cancelled => Known::Cancelled,
        };
        known.name()
    }
}

impl From<Known> for AgentRunStatus {
    fn from(known: Known) -> Self {
        match known {
            Known::New | Known::Running => Self::Running,
            Known::WaitingForApproval => Self::WaitingForApproval,
            Known::Paused => Self::Paused,
            Known::Completed => Self::Completed,
            Known::Failed => Self::Failed,
            Known::Cancelled => Self::Cancelled,
        }
    }
}

/// A call of a tool about which somebody is asked.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct AgentApproval {
    /// The call: its turn and its place in it.
    call: String,
    /// The tool.
    tool: String,
    /// All of its arguments.
    arguments: Value,
    /// Why somebody is asked: `granted` = the agent's record says so, `interrupted` = it was begun and cut off, `tools_changed` =
    /// nothing is called, a server lists other tools than those it was granted for.
    reason: String,
    /// Until when that is waited for.
    expires_at: Option<DateTime<Utc>>,
}

/// From where a run goes on.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct AgentLineage {
    /// The run from which it goes on.
    run_id: Uuid,
    /// The run from which all of its line come.
    origin_id: Uuid,
    /// Revision of the last event that it took over.
    revision: u64,
    /// The turn that it began with.
    turn: u32,
}

/// A run of an agent: one task of it.
#[derive(Debug, Clone)]
pub(crate) struct AgentRun {
    pub row: AgentRunRow,
    /// As of when it was read; its parts are read as of the same moment.
    pub as_of: AsOf,
}

impl AgentRun {
    /// All of it, folded from its events.
    async fn folded(&self, state: &ApiState) -> Result<Folded> {
        let moment = self.as_of.map_or(history::Moment::Newest, history::Moment::Position);
        let stream = stream(state, self.row.id);
        let found = history::state_at(state.past(), &stream, moment).await.map_err(|error| match error {
            HistoryError::Log(error) => fault(&error),
            other => not_there(&other),
        })?;
        serde_json::from_value(found.state).map_err(|error| fault(&error))
    }
}

#[Object]
impl AgentRun {
    /// Its id.
    async fn id(&self) -> ID {
        self.row.id.0.into()
    }

    /// The agent.
    async fn agent_name(&self) -> &str {
        self.row.run.agent.as_str()
    }

    /// The agent's version.
    async fn version(&self) -> u32 {
        self.row.run.version
    }

    /// The route by which its model is asked.
    async fn model(&self) -> &str {
        &self.row.run.model
    }

    /// How far it is.
    async fn status(&self) -> AgentRunStatus {
        self.row.run.status.into()
    }

    /// The question that is asked, or was last; 1 is the first.
    async fn turn(&self) -> u32 {
        self.row.run.turn
    }

    /// Calls of tools that were made.
    async fn tool_calls(&self) -> u32 {
        self.row.run.spent.tool_calls
    }

    /// Calls of tools that were refused: not granted, or with arguments that do not fit.
    async fn refused_calls(&self) -> u32 {
        self.row.run.refused
    }

    /// Tokens that its model read.
    async fn input_tokens(&self) -> u64 {
        self.row.run.spent.input_tokens
    }

    /// Tokens that its model wrote.
    async fn output_tokens(&self) -> u64 {
        self.row.run.spent.output_tokens
    }

    /// What the answers cost whose price is known, as a decimal number.
    async fn cost(&self) -> String {
        self.row.run.spent.cost.to_string()
    }

    /// The session whose earlier runs are remembered.
    async fn session(&self) -> Option<&str> {
        self.row.run.session.as_deref()
    }

    /// The node that asked for it.
    async fn node(&self) -> Option<&str> {
        self.row.run.asked_by.as_ref().map(|(_, node)| node.as_str())
    }

    /// The execution that asked for it.
    #[graphql(complexity = "child_complexity + 5")]
    async fn execution(&self, context: &Context<'_>) -> Result<Option<Execution>> {
        let Some((id, _)) = &self.row.run.asked_by else { return Ok(None) };
        execution(state(context)?, *id, self.as_of).await
    }

    /// From where it goes on, if it is a fork.
    async fn lineage(&self) -> Option<AgentLineage> {
        let lineage = self.row.run.lineage?;
        let (revision, turn) = (lineage.revision, lineage.turn);
        Some(AgentLineage { run_id: lineage.of.0, origin_id: lineage.origin.0, revision, turn })
    }

    /// When it began.
    async fn started_at(&self) -> Option<DateTime<Utc>> {
        time(self.row.run.started_at_ms)
    }

    /// When it ended.
    async fn ended_at(&self) -> Option<DateTime<Utc>> {
        time(self.row.run.ended_at_ms?)
    }

    /// Why it came to no answer, as a word such as `TURNS_EXHAUSTED`.
    async fn failure_code(&self) -> Option<&str> {
        self.row.run.failure.as_ref().map(|(code, _)| code.as_str())
    }

    /// Why it came to no answer, and what to do.
    async fn failure_message(&self) -> Option<&str> {
        self.row.run.failure.as_ref().map(|(_, message)| message.as_str())
    }

    /// What it was given.
    #[graphql(complexity = "child_complexity + 20")]
    async fn input(&self, context: &Context<'_>) -> Result<Value> {
        Ok(self.folded(state(context)?).await?.facts.map(|facts| facts.input).unwrap_or_default())
    }

    /// Its answer.
    #[graphql(complexity = "child_complexity + 20")]
    async fn output(&self, context: &Context<'_>) -> Result<Option<Value>> {
        Ok(self.folded(state(context)?).await?.output)
    }

    /// What its model is told to be and do.
    #[graphql(complexity = "child_complexity + 20")]
    async fn prompt(&self, context: &Context<'_>) -> Result<String> {
        Ok(self.folded(state(context)?).await?.facts.map(|facts| facts.plan.prompt).unwrap_or_default())
    }

    /// What was said, as its model is shown it: a list of messages.
    #[graphql(complexity = "child_complexity + 20")]
    async fn messages(&self, context: &Context<'_>) -> Result<Value> {
        let request = self.folded(state(context)?).await?.request();
        serde_json::to_value(request.messages).map_err(|error| fault(&error))
    }

    /// The call that waits for somebody's approval.
    #[graphql(complexity = "child_complexity + 20")]
    async fn waits_for(&self, context: &Context<'_>) -> Result<Option<AgentApproval>> {
        if self.row.run.waits_for.is_none() {
            return Ok(None);
        }
        Ok(approval(self.folded(state(context)?).await?))
    }

    /// Its events, oldest first: everything that was asked, answered, called, refused and approved.
    #[graphql(complexity = "child_complexity * 20 + 5")]
    async fn events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 100.", default = 50)] first: u32,
        #[graphql(desc = "Only those after this revision.", default = 0)] after_revision: u64,
    ) -> Result<Vec<Event>> {
        let limit = usize::try_from(first).unwrap_or(usize::MAX);
        if limit == 0 || limit > EVENTS_MAX {
            return Err(bad_input(format!("first is {first}: give 1 to {EVENTS_MAX}")));
        }
        let state = state(context)?;
        let stream = stream(state, self.row.id);
        let read = state.log().read_stream(&stream, Revision(after_revision), Direction::Forward, limit).await;
        let read = read.map_err(|error| fault(&error))?;
        let seen = read.into_iter().filter(|event| self.as_of.is_none_or(|as_of| event.position <= as_of));
        Ok(seen.map(|event| Event(Arc::clone(&event))).collect())
    }

    /// The runs that go on from it, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn forks(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Pages<AgentRun>> {
        let filter = AgentRunFilter { forks_of: Some(self.row.id), ..AgentRunFilter::default() };
        AgentRunList { paging: Paging::new(first, after, last, before), filter, as_of: self.as_of }.read(context).await
    }

    /// Which events made it what it is.
    async fn history(&self) -> History {
        self.row.provenance.into()
    }
}

fn approval(run: Folded) -> Option<AgentApproval> {
    let open = run.open_call()?;
    let CallState::Asked { expires_at_ms, reason, .. } = open.state else { return None };
    // What is asked about is what would be called.
    let mut approved = run.clone();
    // Neither does a pause change what that is.
    approved.status = Known::Running;
    approved.calls.iter_mut().filter(|call| call.call == open.call).for_each(|call| call.state = CallState::Approved);
    let (AgentAction::CallTool { arguments, .. } | AgentAction::AskSomebody { arguments, .. }) =
        approved.next(i64::MIN)
    else {
        return None;
    };
    Some(AgentApproval {
        call: open.call.clone(),
        tool: open.tool.clone(),
        arguments: Value::Object(arguments),
        reason: match reason {
            timeloom_domain::agent_run::ApprovalReason::Granted => "granted".to_owned(),
            timeloom_domain::agent_run::ApprovalReason::Interrupted => "interrupted".to_owned(),
            timeloom_domain::agent_run::ApprovalReason::ToolsChanged => "tools_changed".to_owned(),
        },
        expires_at: time(expires_at_ms),
    })
}

pub(crate) fn stream(state: &ApiState, id: AgentRunId) -> StreamKey {
    StreamKey::new(state.tenant(), AgentRunEvent::CATEGORY, id.to_string())
}

/// One run as of a moment.
pub(crate) async fn agent_run(state: &ApiState, id: AgentRunId, as_of: AsOf) -> Result<Option<AgentRun>> {
    let found = rows(state.read_models().agent_run(state.tenant(), id, as_of).await)?;
    Ok(found.map(|row| AgentRun { row, as_of }))
}

/// A list of runs.
pub(crate) struct AgentRunList {
    pub paging: Paging,
    pub filter: AgentRunFilter,
    pub as_of: AsOf,
}

impl AgentRunList {
    pub(crate) async fn read(self, context: &Context<'_>) -> Result<Pages<AgentRun>> {
        let (state, as_of) = (state(context)?, self.as_of);
        let page = page(&self.paging)?;
        let found = rows(state.read_models().agent_runs(state.tenant(), as_of, &page, &self.filter).await)?;
        Ok(row_pages(found, |row| (row.provenance.created_position, AgentRun { row, as_of })))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use timeloom_domain::agent_run::{ApprovalReason, ToolCall};

    use super::*;

    #[test]
    fn what_waits_for_approval_is_told_of_a_paused_run_too() {
        let tool =
            json!({ "name": "pay", "does": { "kind": "workflow", "workflow": "Pay" }, "fixed": { "currency": "EUR" } });
        let facts = json!({
            "agent": "a", "version": 1, "agent_revision": 1, "input": "x", "seed": 1, "at_ms": 1,
            "plan": { "kind": "llm", "model": "m", "prompt_digest": "00", "tools": [tool] },
        });
        let state = CallState::Asked { since_ms: 1, expires_at_ms: 9, reason: ApprovalReason::Granted };
        let call = ToolCall {
            call: "1.0".to_owned(),
            provider_call: "p".to_owned(),
            tool: "pay".to_owned(),
            arguments: "{}".to_owned(),
            state,
            attempts: 0,
        };
        let facts = Some(serde_json::from_value(facts).unwrap());
        for status in [Known::WaitingForApproval, Known::Paused] {
            let told =
                approval(Folded { facts: facts.clone(), status, calls: vec![call.clone()], ..Folded::default() });
            assert_eq!(told.unwrap().arguments, json!({ "currency": "EUR" }), "{status:?}");
        }
    }
}
