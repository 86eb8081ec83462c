//! One execution run again for whoever asks this moment, such as a test by a capsule or a search for a change. Nothing is written.

use serde_json::Value;
use timeloom_domain::ids::{ExecutionId, WorkflowId};
use timeloom_domain::item::Outputs;
use timeloom_domain::replay::{ReplayAgainst, ReplayDifference};
use timeloom_store::{LogError, StreamKey};

use super::outcome::Compared;
use super::run::{self, ReplayError};
use crate::runner::Engine;

/// An execution that was run again.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// How the two compare.
    pub replayed: Replayed,
    /// What was recorded.
    pub recorded: Came,
    /// What came of it now.
    pub came: Came,
}

/// What an execution came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Came {
    /// The node runs that ended, in their order.
    pub runs: Vec<CameRun>,
    /// What went wrong, where it failed.
    pub failure: Option<Failure>,
}

/// What one node run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct CameRun {
    /// Name of the node.
    pub node: String,
    /// 0 for its first run.
    pub run_index: usize,
    /// Items by output index; absent where it failed for good.
    pub outputs: Option<Outputs>,
}

/// How an execution failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The node to blame, where one is.
    pub node: Option<String>,
    /// What went wrong: `name`, `message`, `description`, …
    pub error: Value,
}

/// How an execution that was run again compares with what was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// The same.
    Same,
    /// Something else.
    Differs(Box<ReplayDifference>),
    /// An effect of this node was not answered, since the node is written down otherwise or reads something else: what would
    /// have come of it is not known.
    NotAnswered {
        /// The node.
        node: String,
        /// How it differs until there.
        difference: Box<ReplayDifference>,
    },
    /// It cannot be held against what was recorded: it was cancelled, or never ended.
    NotComparable,
}

/// Why an execution was not run again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayOnceError {
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// It cannot be run under that definition.
    #[error("it cannot be run again: {0}")]
    CannotRun(String),
}

/// Runs the execution with that id, of the same tenant as `like`, again under a definition of its workflow.
///
/// # Errors
/// [`ReplayOnceError`] when there is no such execution, or it cannot be run under that definition.
pub async fn replay_once(
    engine: &Engine,
    like: &StreamKey,
    workflow: WorkflowId,
    against: ReplayAgainst,
    id: ExecutionId,
) -> Result<Replay, ReplayOnceError> {
    let outcomes = match run::outcomes(engine, like, (workflow, against), id).await {
        Ok(outcomes) => outcomes,
        Err(ReplayError::Log(error)) => return Err(error.into()),
        Err(error) => return Err(ReplayOnceError::CannotRun(error.to_string())),
    };
    let Some((before, now)) = outcomes else {
        let (recorded, came) = (Came::default(), Came::default());
        return Ok(Replay { replayed: Replayed::NotComparable, recorded, came });
    };
    let replayed = match before.compared(id, &now) {
        Compared::Same => Replayed::Same,
        Compared::Skipped => Replayed::NotComparable,
        Compared::Differs(difference) => match now.not_answered() {
            // What was recorded may have that very failure: a fork has.
            Some(node) if before.not_answered() != Some(node) => {
                Replayed::NotAnswered { node: node.to_owned(), difference }
            }
            _ => Replayed::Differs(difference),
        },
    };
    Ok(Replay { replayed, recorded: before.came(), came: now.came() })
}
