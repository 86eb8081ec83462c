//! Agents as the read models have them.

use async_graphql::{Context, Enum, Object, Result, SimpleObject};
use serde_json::Value;
use timeloom_domain::agent::{AgentState as Known, AgentVersion as KnownVersion};
use timeloom_projections::{AgentRow, AgentRunFilter, AsOf};

use super::run::{AgentRun, AgentRunList};
use super::session::{AgentSession, sessions};
use crate::schema::faults::fault;
use crate::schema::history::History;
use crate::schema::paging::{Pages, Paging, page_cost};

/// Where an agent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum AgentState {
    /// It has no version yet.
    Draft,
    /// It can be run.
    Active,
    /// It can be run, and should not be.
    Deprecated,
    /// It was put away.
    Retired,
}

impl From<Known> for AgentState {
    fn from(known: Known) -> Self {
        match known {
            Known::Draft => Self::Draft,
            Known::Active => Self::Active,
            Known::Deprecated => Self::Deprecated,
            Known::Retired => Self::Retired,
        }
    }
}

/// One version of an agent.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct AgentVersion {
    /// 1 for the first.
    version: u32,
    /// SHA-256 of the record, hexadecimal.
    digest: String,
    /// What kind of agent it is: `llm`, `ml`, `cv`, `nlp` or `custom`.
    kind: String,
    /// What it can do.
    capabilities: Vec<String>,
    /// The route by which its model is asked.
    model: String,
    /// The tools that it was granted.
    tools: Vec<String>,
    /// All of it.
    record: Value,
}

impl AgentVersion {
    fn of(known: &KnownVersion) -> Result<Self> {
        let record = &known.record;
        Ok(Self {
            version: known.version,
            digest: known.digest.clone(),
            kind: record.kind.name().to_owned(),
            capabilities: record.capabilities.clone(),
            model: record.model.clone(),
            tools: record.tools.iter().map(|tool| tool.name.clone()).collect(),
            record: serde_json::to_value(record).map_err(|error| fault(&error))?,
        })
    }
}

/// An agent.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    pub row: AgentRow,
    /// As of when it was read; its parts are read as of the same moment.
    pub as_of: AsOf,
}

#[Object]
impl Agent {
    /// Its name.
    async fn name(&self) -> &str {
        self.row.name.as_str()
    }

    /// What it is for.
    async fn description(&self) -> &str {
        &self.row.agent.description
    }

    /// Who answers for it.
    async fn owner(&self) -> &str {
        &self.row.agent.owner
    }

    /// Where it stands.
    async fn state(&self) -> AgentState {
        self.row.agent.state().into()
    }

    /// Why it should not be used any more.
    async fn deprecated_reason(&self) -> Option<&str> {
        self.row.agent.deprecated.as_ref().map(|(reason, _)| reason.as_str())
    }

    /// The agent to use instead.
    async fn replacement(&self) -> Option<&str> {
        self.row.agent.deprecated.as_ref().and_then(|(_, replacement)| replacement.as_ref()).map(|name| name.as_str())
    }

    /// The configuration with which runs begin.
    async fn config(&self) -> Value {
        Value::Object(self.row.agent.config.clone())
    }

    /// The version that runs take.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn newest_version(&self) -> Result<Option<AgentVersion>> {
        self.row.agent.versions.last().map(AgentVersion::of).transpose()
    }

    /// Its versions, oldest first.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn versions(&self) -> Result<Vec<AgentVersion>> {
        self.row.agent.versions.iter().map(AgentVersion::of).collect()
    }

    /// Its runs, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn runs(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Pages<AgentRun>> {
        let filter = AgentRunFilter { agent: Some(self.row.name.clone()), ..AgentRunFilter::default() };
        AgentRunList { paging: Paging::new(first, after, last, before), filter, as_of: self.as_of }.read(context).await
    }

    /// The sessions that it remembers, at most 100, those that were spoken in last first. Looked for among the newest 10,000
    /// exchanges of all agents.
    #[graphql(complexity = "child_complexity + 50")]
    async fn sessions(&self, context: &Context<'_>) -> Result<Vec<AgentSession>> {
        sessions(context, &self.row.name, self.as_of).await
    }

    /// Which events made it what it is.
    async fn history(&self) -> History {
        self.row.provenance.into()
    }
}
