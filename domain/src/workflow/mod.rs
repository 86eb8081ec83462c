//! The Workflow aggregate: its drafts, published versions, settings and pinned data, and which version runs.

mod command;
mod event;
mod folder;
mod refusal;
mod rollout;
mod state;

pub use command::WorkflowCommand;
pub use event::WorkflowEvent;
pub use folder::{Folder, InvalidFolder};
pub use refusal::WorkflowRefusal;
pub use rollout::{
    ArmFigures, ERROR_PERCENT_MAX, EXECUTIONS_MIN_MAX, RollBack, Rollout, RolloutFigures, RolloutGuard, WINDOW_MS_MAX,
    WINDOW_MS_MIN,
};
pub use state::{PublishedVersion, Workflow};
