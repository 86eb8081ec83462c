//! Time travel over the API: from where values come, executions side by side. What is told is in the history library;
//! nothing is computed here that the log does not say.

mod comparison;
mod provenance;

use async_graphql::{Context, Object, Result};
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_store::StreamKey;
use uuid::Uuid;

use self::comparison::ExecutionComparison;
pub(crate) use self::provenance::{EventReference, written_by};
use super::reading::{Moment, state};
use super::scalars::{AsOf, PositionScalar};
use crate::state::ApiState;

/// The reads of time travel.
#[derive(Debug, Default)]
pub struct TimeQuery;

#[Object]
impl TimeQuery {
    /// How an execution differs from another one, node run by node run: what differs, where that begins, and because of
    /// what. A retry or a fork is compared with what it goes on from.
    #[graphql(complexity = "child_complexity + 200")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    async fn compare_executions(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The one.")] left: Uuid,
        #[graphql(desc = "The moment of the one; absent = now.")] left_as_of: Option<AsOf>,
        #[graphql(desc = "The other.")] right: Uuid,
        #[graphql(desc = "The moment of the other; absent = now.")] right_as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<ExecutionComparison> {
        let state = state(context)?;
        let moments = (Moment::new(left_as_of, wait_for), Moment::new(right_as_of, None));
        comparison::compare(state, (stream(state, left), moments.0), (stream(state, right), moments.1)).await
    }
}

fn stream(state: &ApiState, execution: Uuid) -> StreamKey {
    StreamKey::new(state.tenant(), ExecutionEvent::CATEGORY, execution.to_string())
}
