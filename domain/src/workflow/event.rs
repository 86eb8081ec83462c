//! What happens to a workflow.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Folder, RollBack, RolloutGuard};
use crate::definition::{Settings, WorkflowDefinition};
use crate::event::Event;
use crate::item::Item;

/// A fact about one workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum WorkflowEvent {
    /// It came to be, as a draft.
    WorkflowCreated {
        /// The whole definition.
        definition: Arc<WorkflowDefinition>,
    },
    /// The draft was replaced.
    WorkflowUpdated {
        /// The whole new definition.
        definition: Arc<WorkflowDefinition>,
    },
    /// The draft became a version, which never changes again.
    WorkflowVersionPublished {
        /// 1 for the first published version.
        version: u32,
    },
    /// The draft's settings were replaced.
    WorkflowSettingsChanged {
        /// The new settings.
        settings: Settings,
    },
    /// Items were pinned to a node of the draft, or unpinned.
    WorkflowPinsChanged {
        /// Name of the node.
        node: String,
        /// The items; absent = unpinned.
        items: Option<Vec<Item>>,
    },
    /// A version takes calls and schedules from now on, in place of any other.
    WorkflowActivated {
        /// The version.
        version: u32,
    },
    /// It takes no calls and schedules any more.
    WorkflowDeactivated {},
    /// The draft takes one call at its test address.
    WorkflowTestListeningStarted {
        /// Until when, in milliseconds since 1970.
        until_ms: i64,
    },
    /// It was put into a folder, or out of all.
    WorkflowMoved {
        /// The folder; empty = none.
        folder: Folder,
    },
    /// It was put away: it takes no more changes and starts no more executions.
    WorkflowArchived {},
    /// It was taken out again. None of its versions is active.
    WorkflowUnarchived {},
    /// A part of what is called and scheduled runs another version than the active one from now on.
    WorkflowRolloutStarted {
        /// 1 for the workflow's first roll-out.
        rollout: u32,
        /// The version that is tried out.
        version: u32,
        /// How many of a hundred production executions run it.
        percent: u8,
        /// When it is rolled back without anybody asking; absent = never.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        guard: Option<RolloutGuard>,
    },
    /// The part became another one.
    WorkflowRolloutChanged {
        /// Which roll-out.
        rollout: u32,
        /// How many of a hundred production executions run its version.
        percent: u8,
    },
    /// It ended well: its version is the active one, as the event after this says.
    WorkflowRolloutPromoted {
        /// Which roll-out.
        rollout: u32,
        /// The version that was tried out.
        version: u32,
    },
    /// It ended otherwise: everything runs the active version again.
    WorkflowRolloutRolledBack {
        /// Which roll-out.
        rollout: u32,
        /// The version that was tried out.
        version: u32,
        /// Who did it and by which figures.
        cause: RollBack,
    },
}

impl Event for WorkflowEvent {
    const CATEGORY: &'static str = "workflow";
    const TYPES: &'static [(&'static str, u16)] = &[
        ("WorkflowCreated", 2),
        ("WorkflowUpdated", 2),
        ("WorkflowVersionPublished", 1),
        ("WorkflowSettingsChanged", 1),
        ("WorkflowPinsChanged", 1),
        ("WorkflowActivated", 1),
        ("WorkflowDeactivated", 1),
        ("WorkflowTestListeningStarted", 1),
        ("WorkflowMoved", 1),
        ("WorkflowArchived", 1),
        ("WorkflowUnarchived", 1),
        ("WorkflowRolloutStarted", 1),
        ("WorkflowRolloutChanged", 1),
        ("WorkflowRolloutPromoted", 1),
        ("WorkflowRolloutRolledBack", 1),
    ];

    /// Definitions have optional fields more.
    fn reads_as_current(event_type: &str, version: u16) -> bool {
        version == 1 && matches!(event_type, "WorkflowCreated" | "WorkflowUpdated")
    }

    fn event_type(&self) -> &'static str {
        match self {
            Self::WorkflowCreated { .. } => "WorkflowCreated",
            Self::WorkflowUpdated { .. } => "WorkflowUpdated",
            Self::WorkflowVersionPublished { .. } => "WorkflowVersionPublished",
            Self::WorkflowSettingsChanged { .. } => "WorkflowSettingsChanged",
            Self::WorkflowPinsChanged { .. } => "WorkflowPinsChanged",
            Self::WorkflowActivated { .. } => "WorkflowActivated",
            Self::WorkflowDeactivated {} => "WorkflowDeactivated",
            Self::WorkflowTestListeningStarted { .. } => "WorkflowTestListeningStarted",
            Self::WorkflowMoved { .. } => "WorkflowMoved",
            Self::WorkflowArchived {} => "WorkflowArchived",
            Self::WorkflowUnarchived {} => "WorkflowUnarchived",
            Self::WorkflowRolloutStarted { .. } => "WorkflowRolloutStarted",
            Self::WorkflowRolloutChanged { .. } => "WorkflowRolloutChanged",
            Self::WorkflowRolloutPromoted { .. } => "WorkflowRolloutPromoted",
            Self::WorkflowRolloutRolledBack { .. } => "WorkflowRolloutRolledBack",
        }
    }
}
