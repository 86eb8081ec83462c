//! What happens to a workflow.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Folder;
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
        }
    }
}
