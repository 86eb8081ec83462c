//! Scalars and inputs that many fields share.

use async_graphql::{Enum, InputValueError, InputValueResult, OneofObject, Scalar, ScalarType, Value};
use chrono::{DateTime, Utc};
use timeloom_domain::execution::{
    ExecutionMode as DomainMode, ExecutionStatus as DomainStatus, NodeRunStatus as DomainRun,
};
use timeloom_history::Moment as HistoryMoment;
use timeloom_store::{Position, Revision};

/// A place in the log's one order of events: a whole number, written as a string because it may need 64 bits.
/// Taken as a decimal string or as an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PositionScalar(pub Position);

#[Scalar(name = "Position")]
impl ScalarType for PositionScalar {
    fn parse(value: Value) -> InputValueResult<Self> {
        let number = match &value {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => number.as_u64(),
            _ => None,
        };
        number
            .map(|number| Self(Position(number)))
            .ok_or_else(|| InputValueError::custom("a position is a whole number from 0 on, as a string or an integer"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// The moment as of which a read answers: exactly one of the three.
#[derive(Debug, Clone, Copy, OneofObject)]
pub(crate) enum AsOf {
    /// Right after the event at this position.
    Position(PositionScalar),
    /// Right after the newest event recorded at or before this time; a time in the future is now.
    Time(DateTime<Utc>),
    /// Right after this event of the one thing that is read, 1 for its first. Not for lists.
    Revision(u64),
}

impl From<AsOf> for HistoryMoment {
    fn from(as_of: AsOf) -> Self {
        match as_of {
            AsOf::Position(position) => Self::Position(position.0),
            AsOf::Time(time) => Self::Time(time),
            AsOf::Revision(revision) => Self::Revision(Revision(revision)),
        }
    }
}

/// Which way a list goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum Direction {
    /// From old to new.
    Forward,
    /// From new to old.
    Backward,
}

/// How far an execution is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum ExecutionStatus {
    /// Nothing of it has happened yet.
    New,
    /// Nodes run.
    Running,
    /// A node waits for a time, a request or a person.
    Waiting,
    /// It stands still until it is let go.
    Paused,
    /// Every branch ended.
    Completed,
    /// A node failed and the workflow stopped there.
    Failed,
    /// Somebody stopped it.
    Cancelled,
    /// It goes on as another execution, the next link of its chain.
    Continued,
}

impl From<DomainStatus> for ExecutionStatus {
    fn from(status: DomainStatus) -> Self {
        match status {
            DomainStatus::New => Self::New,
            DomainStatus::Running => Self::Running,
            DomainStatus::Waiting => Self::Waiting,
            DomainStatus::Paused => Self::Paused,
            DomainStatus::Completed => Self::Completed,
            DomainStatus::Failed => Self::Failed,
            DomainStatus::Cancelled => Self::Cancelled,
            DomainStatus::Continued => Self::Continued,
        }
    }
}

impl From<ExecutionStatus> for DomainStatus {
    fn from(status: ExecutionStatus) -> Self {
        match status {
            ExecutionStatus::New => Self::New,
            ExecutionStatus::Running => Self::Running,
            ExecutionStatus::Waiting => Self::Waiting,
            ExecutionStatus::Paused => Self::Paused,
            ExecutionStatus::Completed => Self::Completed,
            ExecutionStatus::Failed => Self::Failed,
            ExecutionStatus::Cancelled => Self::Cancelled,
            ExecutionStatus::Continued => Self::Continued,
        }
    }
}

impl ExecutionStatus {
    /// The status after an event of this type; `None` when the type leaves it as it was.
    pub(crate) fn after(event_type: &str) -> Option<Self> {
        match event_type {
            "ExecutionStarted" | "ExecutionResumed" | "ExecutionContinued" | "ExecutionUnpaused"
            | "ExecutionRetried" | "ExecutionForked" => Some(Self::Running),
            "ExecutionPaused" => Some(Self::Paused),
            "ExecutionWaiting" => Some(Self::Waiting),
            "ExecutionCompleted" => Some(Self::Completed),
            "ExecutionFailed" => Some(Self::Failed),
            "ExecutionCancelled" => Some(Self::Cancelled),
            "ExecutionContinuedAsNew" => Some(Self::Continued),
            _ => None,
        }
    }

    /// Whether nothing more happens to it.
    pub(crate) fn has_ended(self) -> bool {
        DomainStatus::from(self).has_ended()
    }
}

/// Types of the events that change an execution's status.
pub(crate) const STATUS_EVENT_TYPES: [&str; 12] = [
    "ExecutionStarted",
    "ExecutionContinued",
    "ExecutionRetried",
    "ExecutionForked",
    "ExecutionWaiting",
    "ExecutionResumed",
    "ExecutionPaused",
    "ExecutionUnpaused",
    "ExecutionCompleted",
    "ExecutionFailed",
    "ExecutionCancelled",
    "ExecutionContinuedAsNew",
];

/// How far a run of a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum NodeRunStatus {
    /// Due.
    Scheduled,
    /// An attempt is under way.
    Running,
    /// It waits for a time, a request or a person.
    Waiting,
    /// Between two attempts.
    Retrying,
    /// It gave its output.
    Completed,
    /// It failed.
    Failed,
}

impl From<DomainRun> for NodeRunStatus {
    fn from(status: DomainRun) -> Self {
        match status {
            DomainRun::Scheduled => Self::Scheduled,
            DomainRun::Running => Self::Running,
            DomainRun::Waiting => Self::Waiting,
            DomainRun::Retrying => Self::Retrying,
            DomainRun::Completed => Self::Completed,
            DomainRun::Failed => Self::Failed,
        }
    }
}

/// Why an execution was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum ExecutionMode {
    /// By a person: pinned items count, drafts may run.
    Manual,
    /// As by a trigger: a published version runs, pinned items do not count.
    Production,
}

impl From<ExecutionMode> for DomainMode {
    fn from(mode: ExecutionMode) -> Self {
        match mode {
            ExecutionMode::Manual => Self::Manual,
            ExecutionMode::Production => Self::Production,
        }
    }
}

impl From<DomainMode> for ExecutionMode {
    fn from(mode: DomainMode) -> Self {
        match mode {
            DomainMode::Manual => Self::Manual,
            DomainMode::Production => Self::Production,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_taken_as_string_or_integer_and_given_as_string() {
        let parsed = |value: Value| PositionScalar::parse(value).map(|position| position.0.0).ok();
        assert_eq!(parsed(Value::from("18446744073709551615")), Some(u64::MAX));
        assert_eq!(parsed(Value::from(12)), Some(12));
        for wrong in [Value::from("-1"), Value::from("1.5"), Value::from(-1), Value::from("x"), Value::Null] {
            assert_eq!(parsed(wrong.clone()), None, "{wrong}");
        }
        assert_eq!(PositionScalar(Position(7)).to_value(), Value::from("7"));
    }

    #[test]
    fn every_status_event_type_has_a_status() {
        assert!(STATUS_EVENT_TYPES.iter().all(|name| ExecutionStatus::after(name).is_some()));
        assert_eq!(ExecutionStatus::after("NodeCompleted"), None);
    }
}
