//! The questions about agents and their runs.

use timeloom_domain::ids::{AgentRunId, Slug, TenantId};

use super::agent::{self, AgentRow, Agents};
use super::run::{self, AgentRunFilter, AgentRunRow, AgentRuns};
use crate::database::Named;
use crate::error::ProjectionError;
use crate::page::{AsOf, Page, PageOf};
use crate::read_models::ReadModels;

/// The questions.
impl ReadModels {
    /// One agent.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn agent(&self, tenant: TenantId, name: &Slug, as_of: AsOf) -> Result<Option<AgentRow>, ProjectionError> {
        let question = |named: &Named| agent::one(named, tenant, name, as_of);
        Ok(self.ask(&Agents, as_of, question, agent::read_row).await?.pop())
    }

    /// Agents, newest first.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn agents(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        page: &Page,
    ) -> Result<PageOf<AgentRow>, ProjectionError> {
        let question = |named: &Named| agent::page(named, tenant, as_of, page);
        let found = self.ask(&Agents, as_of, question, agent::read_row).await?;
        Ok(PageOf::cut(found, page, |row| row.provenance.created_position))
    }

    /// One run of an agent.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn agent_run(
        &self,
        tenant: TenantId,
        id: AgentRunId,
        as_of: AsOf,
    ) -> Result<Option<AgentRunRow>, ProjectionError> {
        let question = |named: &Named| run::one(named, tenant, id, as_of);
        Ok(self.ask(&AgentRuns, as_of, question, run::read_row).await?.pop())
    }

    /// Runs of agents, newest first.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn agent_runs(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        page: &Page,
        filter: &AgentRunFilter,
    ) -> Result<PageOf<AgentRunRow>, ProjectionError> {
        let question = |named: &Named| run::page(named, tenant, as_of, page, filter);
        let found = self.ask(&AgentRuns, as_of, question, run::read_row).await?;
        Ok(PageOf::cut(found, page, |row| row.provenance.created_position))
    }
}
