//! The questions that read models answer.

use std::sync::Arc;

use timeloom_domain::execution::ExecutionStatus;
use timeloom_domain::ids::{CredentialId, ExecutionId, Slug, TenantId, WorkflowId};
use timeloom_domain::workflow::ArmFigures;
use timeloom_store::{Position, RecordedEvent};

use crate::credentials::{self, CredentialRow, Credentials};
use crate::database::Named;
use crate::error::ProjectionError;
use crate::executions::{self, ArmFilter, ExecutionFilter, ExecutionRow, Executions, FailureFilter, FailureGroup};
use crate::feed::{self, FeedFilter, FeedOrder};
use crate::models::{self, ModelRow, Models};
use crate::node_runs::{self, NODE_RUNS_MAX, NodeRunRange, NodeRunRow, NodeRuns};
use crate::page::{AsOf, Page, PageOf, Side};
use crate::plugins::{self, PluginRow, Plugins};
use crate::read_models::ReadModels;
use crate::workflows::{self, WorkflowFilter, WorkflowRow, Workflows};

/// The questions.
impl ReadModels {
    /// One workflow.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn workflow(
        &self,
        tenant: TenantId,
        id: WorkflowId,
        as_of: AsOf,
    ) -> Result<Option<WorkflowRow>, ProjectionError> {
        let found = self.ask(&Workflows, as_of, |named| workflows::one(named, tenant, id, as_of), workflows::read_row);
        Ok(found.await?.pop())
    }

    /// Workflows, newest first.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn workflows(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        page: &Page,
        filter: &WorkflowFilter,
    ) -> Result<PageOf<WorkflowRow>, ProjectionError> {
        let question = |named: &Named| workflows::page(named, tenant, as_of, page, filter);
        let found = self.ask(&Workflows, as_of, question, workflows::read_row).await?;
        Ok(PageOf::cut(found, page, |row| row.provenance.created_position))
    }

    /// One plugin.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn plugin(
        &self,
        tenant: TenantId,
        name: &Slug,
        as_of: AsOf,
    ) -> Result<Option<PluginRow>, ProjectionError> {
        let found = self.ask(&Plugins, as_of, |named| plugins::one(named, tenant, name, as_of), plugins::read_row);
        Ok(found.await?.pop())
    }

    /// Plugins, newest first.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn plugins(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        page: &Page,
    ) -> Result<PageOf<PluginRow>, ProjectionError> {
        let found = self.ask(&Plugins, as_of, |named| plugins::page(named, tenant, as_of, page), plugins::read_row);
        Ok(PageOf::cut(found.await?, page, |row| row.provenance.created_position))
    }

    /// One model.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn model(&self, tenant: TenantId, name: &Slug, as_of: AsOf) -> Result<Option<ModelRow>, ProjectionError> {
        let found = self.ask(&Models, as_of, |named| models::one(named, tenant, name, as_of), models::read_row);
        Ok(found.await?.pop())
    }

    /// Models, newest first.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn models(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        page: &Page,
    ) -> Result<PageOf<ModelRow>, ProjectionError> {
        let found = self.ask(&Models, as_of, |named| models::page(named, tenant, as_of, page), models::read_row);
        Ok(PageOf::cut(found.await?, page, |row| row.provenance.created_position))
    }

    /// One credential, a deleted one too.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn credential(
        &self,
        tenant: TenantId,
        id: CredentialId,
        as_of: AsOf,
    ) -> Result<Option<CredentialRow>, ProjectionError> {
        let question = |named: &Named| credentials::one(named, tenant, id, as_of);
        Ok(self.ask(&Credentials, as_of, question, credentials::read_row).await?.pop())
    }

    /// Credentials that are not deleted, newest first.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn credentials(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        page: &Page,
    ) -> Result<PageOf<CredentialRow>, ProjectionError> {
        let question = |named: &Named| credentials::page(named, tenant, as_of, page);
        let found = self.ask(&Credentials, as_of, question, credentials::read_row).await?;
        Ok(PageOf::cut(found, page, |row| row.provenance.created_position))
    }

    /// One execution.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn execution(
        &self,
        tenant: TenantId,
        id: ExecutionId,
        as_of: AsOf,
    ) -> Result<Option<ExecutionRow>, ProjectionError> {
        let found =
            self.ask(&Executions, as_of, |named| executions::one(named, tenant, id, as_of), executions::read_row);
        Ok(found.await?.pop())
    }

    /// Executions, newest first.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn executions(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        page: &Page,
        filter: &ExecutionFilter,
    ) -> Result<PageOf<ExecutionRow>, ProjectionError> {
        let question = |named: &Named| executions::page(named, tenant, as_of, page, filter);
        let found = self.ask(&Executions, as_of, question, executions::read_row).await?;
        Ok(PageOf::cut(found, page, |row| row.created_position))
    }

    /// Failed executions by what their errors have in common, those with the newest failure first. A cursor is the position
    /// of the first event of a group's newest execution.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn failure_groups(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        page: &Page,
        filter: FailureFilter,
    ) -> Result<PageOf<FailureGroup>, ProjectionError> {
        let question = |named: &Named| executions::failure_groups(named, tenant, as_of, page, filter);
        let found = self.ask(&Executions, as_of, question, executions::read_group).await?;
        Ok(PageOf::cut(found, page, |group| group.newest_position))
    }

    /// How the production executions of one version of a workflow ended: of those that finished, the newest
    /// [`crate::ARM_EXECUTIONS_MAX`].
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn arm_figures(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        filter: ArmFilter,
    ) -> Result<ArmFigures, ProjectionError> {
        let question = |named: &Named| executions::count_arm(named, tenant, as_of, filter);
        let mut figures = ArmFigures::default();
        for (status, count) in self.ask(&Executions, as_of, question, executions::read_count).await? {
            if status == ExecutionStatus::Failed { figures.failed = count } else { figures.completed = count }
        }
        Ok(figures)
    }

    /// Node runs of one execution in the order of execution: the first [`NODE_RUNS_MAX`].
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn node_runs(
        &self,
        tenant: TenantId,
        execution_id: ExecutionId,
        as_of: AsOf,
    ) -> Result<Vec<NodeRunRow>, ProjectionError> {
        let all = NodeRunRange { from: 0, to: u64::MAX, limit: NODE_RUNS_MAX, side: Side::First };
        self.node_runs_in(tenant, execution_id, as_of, all).await
    }

    /// Node runs of one execution in a range, those from the end in the other order.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn node_runs_in(
        &self,
        tenant: TenantId,
        execution_id: ExecutionId,
        as_of: AsOf,
        range: NodeRunRange,
    ) -> Result<Vec<NodeRunRow>, ProjectionError> {
        let question = |named: &Named| node_runs::of_execution(named, tenant, execution_id, as_of, range);
        self.ask(&NodeRuns, as_of, question, node_runs::read_row).await
    }

    /// Events themselves, from the log.
    ///
    /// # Errors
    /// [`ProjectionError::Log`] when the log fails.
    pub async fn events(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        page: &Page,
        filter: FeedFilter,
        order: FeedOrder,
    ) -> Result<PageOf<Arc<RecordedEvent>>, ProjectionError> {
        feed::page(&*self.log, tenant, as_of, page, filter, order).await
    }

    /// The event at a position, from the log: the data of a row is read by its `event_position`.
    ///
    /// # Errors
    /// [`ProjectionError::Log`] when the log fails.
    pub async fn event(
        &self,
        tenant: TenantId,
        position: Position,
    ) -> Result<Option<Arc<RecordedEvent>>, ProjectionError> {
        Ok(feed::one(&*self.log, tenant, position).await?)
    }
}
