//! From where the debugger has an execution: a server, a data folder, or a capsule.

use serde_json::Value;

/// Why a source does not answer, in words for the person at the terminal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);

/// What an execution is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Its id.
    pub execution: String,
    /// The workflow that it ran.
    pub workflow: String,
    /// Where it comes from, such as `server http://…`.
    pub place: String,
    /// The nodes of the workflow, in the order of its file.
    pub nodes: Vec<String>,
}

/// One event of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Its place among the events of the execution; 1 is the first.
    pub revision: u64,
    /// Its place in the log.
    pub position: u64,
    /// When it was recorded, as RFC 3339 has it.
    pub recorded_at: String,
    /// Name of its type.
    pub event_type: String,
    /// The node that it is about, where it is about one.
    pub node: Option<String>,
}

/// Tells an execution. What it tells of an event is the same for ever, so that answers may be kept.
pub trait Source {
    /// What the execution is called.
    ///
    /// # Errors
    /// [`SourceError`] when there is none of that name, or it cannot be read.
    fn about(&mut self) -> Result<About, SourceError>;

    /// Its events after a revision, oldest first: all that there are by now.
    ///
    /// # Errors
    /// [`SourceError`] when they cannot be read.
    fn events(&mut self, after: u64) -> Result<Vec<EventRow>, SourceError>;

    /// Its exact state right after an event: an object with `status` and `node_runs`.
    ///
    /// # Errors
    /// [`SourceError`] when it cannot be folded.
    fn state(&mut self, revision: u64) -> Result<Value, SourceError>;

    /// What an event says.
    ///
    /// # Errors
    /// [`SourceError`] when it cannot be read.
    fn payload(&mut self, revision: u64) -> Result<Value, SourceError>;

    /// Whether more events may come.
    fn is_live(&self) -> bool;
}
