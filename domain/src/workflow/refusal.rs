//! Why a workflow says no.

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
    #[error("the workflow is archived and takes no changes: import its file as a new workflow")]
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
}
