//! Failed executions by what they have in common.

use async_graphql::{Context, Enum, Object, Result};
use timeloom_projections::{AsOf, ExecutionFilter, FailureFilter, FailureGroup};

use super::batch::Loads;
use super::execution::{Execution, ExecutionList};
use super::paging::{Pages, Paging, page_cost};
use super::reading::{rows, state};
use super::rows::{page, row_pages};
use super::scalars::PositionScalar;
use crate::state::ApiState;

/// By what executions are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum ExecutionGroupBy {
    /// The kind and the message of the error of those that failed, without numbers, ids and quoted text.
    ErrorFingerprint,
}

/// Executions with something in common.
#[derive(Debug, Clone)]
pub(crate) struct ExecutionGroup {
    group: FailureGroup,
    filter: FailureFilter,
    as_of: AsOf,
}

#[Object]
impl ExecutionGroup {
    /// What their errors have in common: `executions` lists by it.
    async fn fingerprint(&self) -> &str {
        &self.group.fingerprint
    }

    /// How many there are.
    async fn execution_count(&self) -> u64 {
        self.group.executions
    }

    /// Of how many workflows.
    async fn workflow_count(&self) -> u64 {
        self.group.workflows
    }

    /// What went wrong with the newest of them, in words.
    async fn error_message(&self) -> Option<&str> {
        self.group.error.as_deref()
    }

    /// Name of the node to blame for the newest of them.
    async fn error_node(&self) -> Option<&str> {
        self.group.error_node.as_deref()
    }

    /// Position of the first event of the oldest of them.
    async fn oldest_position(&self) -> PositionScalar {
        PositionScalar(self.group.oldest_position)
    }

    /// Position of the first event of the newest of them.
    async fn newest_position(&self) -> PositionScalar {
        PositionScalar(self.group.newest_position)
    }

    /// The newest of them.
    #[graphql(complexity = "child_complexity + 5")]
    async fn newest(&self, context: &Context<'_>) -> Result<Option<Execution>> {
        let row = Loads::of(context).execution(state(context)?, self.group.newest, self.as_of).await?;
        Ok(row.map(|row| Execution::of(row, self.as_of)))
    }

    /// All of them, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn executions(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Pages<Execution>> {
        let filter = ExecutionFilter {
            workflow_id: self.filter.workflow_id,
            unresolved: self.filter.unresolved.then_some(true),
            error_fingerprint: Some(self.group.fingerprint.clone()),
            ..ExecutionFilter::default()
        };
        let paging = Paging::new(first, after, last, before);
        ExecutionList { paging, filter, as_of: self.as_of }.read(context).await
    }
}

/// A page of groups, those with the newest execution first.
pub(crate) async fn groups(
    state: &ApiState,
    as_of: AsOf,
    paging: &Paging,
    filter: FailureFilter,
) -> Result<Pages<ExecutionGroup>> {
    let found = rows(state.read_models().failure_groups(state.tenant(), as_of, &page(paging)?, filter).await)?;
    Ok(row_pages(found, |group| (group.newest_position, ExecutionGroup { group, filter, as_of })))
}
