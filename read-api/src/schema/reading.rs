//! What every read does first: wait until what it asks for is there, and find the position as of which it answers.

use std::time::Duration;

use async_graphql::{Context, Result};
use timeloom_projections::ProjectionError;
use timeloom_store::Position;

use super::faults::{coded, fault};
use super::scalars::{AsOf, PositionScalar};
use crate::state::ApiState;

/// Longest time that a read waits for a position.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// When a read answers: after `wait_for` is there, as of `as_of`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Moment {
    pub as_of: Option<AsOf>,
    pub wait_for: Option<PositionScalar>,
}

impl Moment {
    pub(crate) fn new(as_of: Option<AsOf>, wait_for: Option<PositionScalar>) -> Self {
        Self { as_of, wait_for }
    }

    /// For reads of rows. `None` = as they are now.
    pub(crate) async fn of_rows(self, state: &ApiState) -> Result<Option<Position>> {
        let as_of = self.of_log(state).await?;
        let needed = as_of.max(self.wait_for.map(|position| position.0));
        if let Some(needed) = needed {
            wait_for_rows(state, needed).await?;
        }
        Ok(as_of)
    }

    /// For reads of events. `None` = up to the newest.
    pub(crate) async fn of_log(self, state: &ApiState) -> Result<Option<Position>> {
        if let Some(PositionScalar(wanted)) = self.wait_for {
            match tokio::time::timeout(WAIT_MAX, state.log().wait_for(wanted)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(fault(&error)),
                Err(_) => return Err(not_reached(wanted, state.log().head())),
            }
        }
        match self.as_of {
            None => Ok(None),
            Some(AsOf::Time(time)) => {
                let position = state.log().position_at(time.timestamp_micros()).await;
                position.map(Some).map_err(|error| fault(&error))
            }
            Some(AsOf::Position(PositionScalar(position))) => {
                let head = state.log().head();
                if position > head { Err(not_reached(position, head)) } else { Ok(Some(position)) }
            }
        }
    }
}

/// Waits until the rows show everything up to `position`.
pub(crate) async fn wait_for_rows(state: &ApiState, position: Position) -> Result<()> {
    if state.read_models().wait_for(position, WAIT_MAX).await.is_ok() {
        return Ok(());
    }
    let seconds = WAIT_MAX.as_secs();
    let message = format!(
        "the read models are at position {}, not yet at {position}, after {seconds} s: try again",
        state.read_models().position()
    );
    Err(coded("BEHIND", message))
}

fn not_reached(wanted: Position, head: Position) -> async_graphql::Error {
    let message = format!("position {wanted} is not in the log, which ends at {head}: ask for an earlier one");
    coded("POSITION_NOT_REACHED", message)
}

/// The state of the API.
pub(crate) fn state<'a>(context: &Context<'a>) -> Result<&'a ApiState> {
    context.data::<ApiState>()
}

/// Rows, or why there are none, as clients see it.
pub(crate) fn rows<T>(found: std::result::Result<T, ProjectionError>) -> Result<T> {
    found.map_err(|error| match error {
        ProjectionError::Behind(behind) => coded("BEHIND", behind.to_string()),
        ProjectionError::NotMade { .. } => coded("BEHIND", error.to_string()),
        other => fault(&other),
    })
}
