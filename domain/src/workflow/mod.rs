//! The Workflow aggregate: its drafts, published versions, settings and pinned data.

mod command;
mod event;
mod folder;
mod refusal;
mod state;

pub use command::WorkflowCommand;
pub use event::WorkflowEvent;
pub use folder::{Folder, InvalidFolder};
pub use refusal::WorkflowRefusal;
pub use state::{PublishedVersion, Workflow};
