//! What every read does first: wait until what it asks for is there, and find the position as of which it answers.

use std::time::Duration;

use async_graphql::{Context, Result};
use timeloom_domain::event::Event;
use timeloom_history::{self as history, HistoryError};
use timeloom_projections::ProjectionError;
use timeloom_store::{Position, StreamKey};

use super::faults::{coded, fault};
use super::scalars::{AsOf, PositionScalar};
use crate::state::ApiState;

/// Longest time that a read waits for a position.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// When a read answers: after `wait_for` is there, as of `as_of`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Moment {
    as_of: Option<AsOf>,
    wait_for: Option<PositionScalar>,
    stream: Option<StreamKey>,
}

impl Moment {
    pub(crate) fn new(as_of: Option<AsOf>, wait_for: Option<PositionScalar>) -> Self {
        Self { as_of, wait_for, stream: None }
    }

    /// The same for a read of one thing, whose revisions are moments too.
    pub(crate) fn of_stream<E: Event>(self, state: &ApiState, id: impl ToString) -> Self {
        Self { stream: Some(StreamKey::new(state.tenant(), E::CATEGORY, id.to_string())), ..self }
    }

    /// As the history library has it.
    pub(crate) fn as_of(&self) -> history::Moment {
        self.as_of.map_or(history::Moment::Newest, history::Moment::from)
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
    pub(crate) async fn of_log(&self, state: &ApiState) -> Result<Option<Position>> {
        self.wait(state).await?;
        if self.as_of.is_none() {
            return Ok(None);
        }
        match history::position_of(state.past(), self.stream.as_ref(), self.as_of()).await {
            Ok(position) => Ok(Some(position)),
            // There is nothing of that name at any moment: the read itself says so in its own way.
            Err(HistoryError::UnknownStream(_)) => Ok(None),
            Err(error) => Err(not_there(&error)),
        }
    }

    /// Waits until the log has `wait_for`.
    pub(crate) async fn wait(&self, state: &ApiState) -> Result<()> {
        let Some(PositionScalar(wanted)) = self.wait_for else { return Ok(()) };
        match tokio::time::timeout(WAIT_MAX, state.log().wait_for(wanted)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(fault(&error)),
            Err(_) => Err(not_there(&HistoryError::PositionNotReached { wanted, head: state.log().head() })),
        }
    }
}

/// Why there is no answer about the past, as clients see it.
pub(crate) fn not_there(error: &HistoryError) -> async_graphql::Error {
    let code = match error {
        HistoryError::UnknownStream(_) => "STREAM_NOT_FOUND",
        HistoryError::NotYet { .. } => "NOT_YET",
        HistoryError::RevisionNotReached { .. } => "REVISION_NOT_REACHED",
        HistoryError::PositionNotReached { .. } => "POSITION_NOT_REACHED",
        HistoryError::RevisionNeedsStream
        | HistoryError::OtherKind { .. }
        | HistoryError::OtherWorkflow { .. }
        | HistoryError::OtherOrder { .. }
        | HistoryError::NotAnExecution(_)
        | HistoryError::NoState(_)
        | HistoryError::NoValue { .. } => "BAD_USER_INPUT",
        HistoryError::TooManyEvents | HistoryError::TooLarge | HistoryError::TooDeep => "STATE_TOO_LARGE",
        HistoryError::Log(error) => return fault(error),
    };
    coded(code, error.to_string())
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
