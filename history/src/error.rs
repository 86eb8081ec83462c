//! Why there is no answer about the past, in words that say what to ask instead.

use chrono::{DateTime, Utc};
use timeloom_store::{LogError, Position, Revision, StreamKey};

use crate::fold::{FOLD_BYTES_MAX, FOLD_EVENTS_MAX};
use crate::story::STORY_DEEP_MAX;

/// Why a question about the past was not answered.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HistoryError {
    /// The stream has no event.
    #[error("there is nothing called {0}: check its kind and id")]
    UnknownStream(StreamKey),
    /// The stream had no event by then.
    #[error("{stream} came to be at position {first} ({}): ask for that or a later moment", first_at.to_rfc3339())]
    NotYet {
        /// The stream.
        stream: StreamKey,
        /// Position of its first event.
        first: Position,
        /// When that was recorded.
        first_at: DateTime<Utc>,
    },
    /// The stream does not have so many events.
    #[error("{stream} has no revision {wanted}: its revisions go from 1 to {newest}")]
    RevisionNotReached {
        /// The stream.
        stream: StreamKey,
        /// What was asked for.
        wanted: Revision,
        /// What is there.
        newest: Revision,
    },
    /// The log does not have so many events.
    #[error("position {wanted} is not in the log, which ends at {head}: ask for an earlier one")]
    PositionNotReached {
        /// What was asked for.
        wanted: Position,
        /// What is there.
        head: Position,
    },
    /// A revision is a place in one stream, and this question is about several.
    #[error("a revision is a place in one stream, and this is about many: give a position or a time")]
    RevisionNeedsStream,
    /// Two things of different kinds cannot be compared.
    #[error("{left} and {right} are of different kinds: compare two of the same")]
    OtherKind {
        /// The one.
        left: StreamKey,
        /// The other.
        right: StreamKey,
    },
    /// Two executions of different workflows have no changes between them.
    #[error("{left} and {right} ran different workflows: name two executions of the same")]
    OtherWorkflow {
        /// The one.
        left: StreamKey,
        /// The other.
        right: StreamKey,
    },
    /// The one that is to be the earlier ran what is newer.
    #[error("{left} ran later than {right}, or a newer definition: name the one that ran first before the other")]
    OtherOrder {
        /// The one.
        left: StreamKey,
        /// The other.
        right: StreamKey,
    },
    /// Only executions have node runs.
    #[error("{0} is no execution: name one as execution/ID")]
    NotAnExecution(StreamKey),
    /// This build folds no state of streams of that category.
    #[error("there is no state of {0} in this version, only its events")]
    NoState(StreamKey),
    /// There is nothing at that path.
    #[error("the state of {stream} has nothing at '{path}' then: give a JSON pointer into it, such as /status")]
    NoValue {
        /// The stream.
        stream: StreamKey,
        /// The path.
        path: String,
    },
    /// The execution goes on from another one, that from another, and so on.
    #[error(
        "the execution goes on from more than {STORY_DEEP_MAX} others, one after the other: ask for an earlier one"
    )]
    TooDeep,
    /// The stream has more events than are folded for one answer.
    #[error("it has more than {FOLD_EVENTS_MAX} events: ask for its state as of an earlier moment")]
    TooManyEvents,
    /// The events hold more data than is kept for one answer.
    #[error(
        "the data in it has more than {FOLD_BYTES_MAX} bytes: ask for an earlier moment, or for its node runs one by one"
    )]
    TooLarge,
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
}
