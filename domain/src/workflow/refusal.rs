//! Why a workflow says no.

use super::rollout::{ERROR_PERCENT_MAX, EXECUTIONS_MIN_MAX, WINDOW_MS_MAX, WINDOW_MS_MIN};

/// A refused command, in words for the person who sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkflowRefusal {
    /// There is one already.
    #[error("a workflow with this id exists already: update it, or import without an id")]
    AlreadyExists,
    /// There is none.
    #[error("there is no workflow with this id: list the workflows to find it")]
    NotFound,
    /// It was put away.
    #[error("the workflow is archived and takes no changes: unarchive it first")]
    Archived,
    /// No version was published.
    #[error("the workflow has no published version: publish it first, drafts are never active")]
    NotPublished,
    /// There is no such version.
    #[error("the workflow has no version {0}: list its versions")]
    UnknownVersion(u32),
    /// The node was changed since its replacement was made.
    #[error("the node '{0}' was changed meanwhile: ask again")]
    ChangedNode(String),
    /// The node is not in the draft.
    #[error("the workflow has no node named '{0}'")]
    UnknownNode(String),
    /// Nothing runs beside which another version could.
    #[error("no version of the workflow is active: a roll-out needs one that takes the rest, activate one first")]
    NotActive,
    /// It is the active one.
    #[error("version {0} is the active one: roll another version out, `publish` with `keepActive` makes one beside it")]
    AlreadyActive(u32),
    /// One is under way.
    #[error("version {0} is being rolled out: promote it or roll it back first")]
    RolloutUnderWay(u32),
    /// None is under way.
    #[error("no version of the workflow is being rolled out: start a roll-out first")]
    NoRollout,
    /// None or all.
    #[error("the percentage is {0}: it goes from 1 to 99; to let everything run a version, promote or activate it")]
    InvalidPercent(u8),
    /// A guard that could not work.
    #[error(
        "the guard takes an error rate of 0 to {ERROR_PERCENT_MAX} percent, at least 1 and at most {EXECUTIONS_MIN_MAX} \
         executions before it judges, and a window of {WINDOW_MS_MIN} to {WINDOW_MS_MAX} milliseconds"
    )]
    InvalidGuard,
}
