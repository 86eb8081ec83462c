//! The reads of agents and their runs.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use timeloom_domain::agent::AgentEvent;
use timeloom_domain::agent_run::AgentRunEvent;
use timeloom_domain::ids::{AgentRunId, ExecutionId, Slug};
use timeloom_projections::AgentRunFilter;
use uuid::Uuid;

use super::agent::Agent;
use super::run::{AgentRun, AgentRunList, AgentRunStatus, agent_run};
use super::{agent, found};
use crate::schema::faults::bad_input;
use crate::schema::paging::{Pages, Paging, page_cost};
use crate::schema::reading::{Moment, rows, state};
use crate::schema::rows::{page, row_pages};
use crate::schema::scalars::{AsOf, PositionScalar};

/// Which runs to list.
#[derive(Debug, Default, InputObject)]
pub(crate) struct AgentRunFilterInput {
    /// Only those of this agent.
    agent: Option<String>,
    /// Only those that are so far.
    status: Option<AgentRunStatus>,
    /// Only those that this execution asked for.
    execution: Option<Uuid>,
    /// Only those that go on from this run.
    forks_of: Option<Uuid>,
    /// Only those of the line that this run began.
    origin: Option<Uuid>,
}

/// What came of doing a run again from its records. Nobody is asked, nothing is called.
#[derive(Debug, SimpleObject)]
pub(crate) struct AgentRunReplay {
    /// Whether every event is what would have come next.
    same: bool,
    /// Events that were looked at.
    events: u64,
    /// Questions that would have been asked with the same words.
    questions: u32,
    /// The first event that is not what would have come next.
    deviation: Option<AgentRunDeviation>,
}

/// An event of a run that is not what would have come next.
#[derive(Debug, SimpleObject)]
pub(crate) struct AgentRunDeviation {
    /// Its place among the events of the run.
    revision: u64,
    /// Its type.
    event_type: String,
    /// What is other, in words.
    message: String,
}

/// The reads of agents.
#[derive(Debug, Default)]
pub struct AgentQuery;

#[Object]
impl AgentQuery {
    /// An agent; null when there is none.
    #[graphql(complexity = "child_complexity + 1")]
    async fn agent(
        &self,
        context: &Context<'_>,
        name: String,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Option<Agent>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_stream::<AgentEvent>(state, &name).of_rows(state).await?;
        let Ok(name) = Slug::try_new(name) else { return Ok(None) };
        agent(state, name, as_of).await
    }

    /// Agents, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    pub(crate) async fn agents(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Pages<Agent>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_rows(state).await?;
        let page = page(&Paging::new(first, after, last, before))?;
        let found = rows(state.read_models().agents(state.tenant(), as_of, &page).await)?;
        Ok(row_pages(found, |row| (row.provenance.created_position, Agent { row, as_of })))
    }

    /// A run of an agent; null when there is none.
    #[graphql(complexity = "child_complexity + 1")]
    async fn agent_run(
        &self,
        context: &Context<'_>,
        id: Uuid,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Option<AgentRun>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_stream::<AgentRunEvent>(state, id).of_rows(state).await?;
        agent_run(state, AgentRunId(id), as_of).await
    }

    /// Runs of agents, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    async fn agent_runs(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(default)] filter: AgentRunFilterInput,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Pages<AgentRun>> {
        let state = state(context)?;
        let agent = filter.agent.map(|name| Slug::try_new(name).map_err(|error| bad_input(error.to_string())));
        let filter = AgentRunFilter {
            agent: agent.transpose()?,
            status: filter.status.map(AgentRunStatus::word),
            execution: filter.execution.map(ExecutionId),
            forks_of: filter.forks_of.map(AgentRunId),
            origin: filter.origin.map(AgentRunId),
        };
        let as_of = Moment::new(as_of, wait_for).of_rows(state).await?;
        AgentRunList { paging: Paging::new(first, after, last, before), filter, as_of }.read(context).await
    }

    /// Does a run again from its records, and tells whether they are what would have come. Null when there is no such run.
    #[graphql(complexity = "child_complexity + 50")]
    async fn agent_run_replay(&self, context: &Context<'_>, id: Uuid) -> Result<Option<AgentRunReplay>> {
        let state = state(context)?;
        let replayed = state.commands().replay_agent_run(&state.context(None), AgentRunId(id)).await;
        Ok(found(replayed)?.map(|replay| AgentRunReplay {
            same: replay.deviation.is_none(),
            events: replay.events,
            questions: replay.questions,
            deviation: replay.deviation.map(|deviation| AgentRunDeviation {
                revision: deviation.revision,
                event_type: deviation.event_type.to_owned(),
                message: deviation.message,
            }),
        }))
    }
}
