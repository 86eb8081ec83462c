//! What happens to a workflow.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

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
    /// It was put away: it takes no more changes and starts no more executions.
    WorkflowArchived {},
}

impl Event for WorkflowEvent {
    const CATEGORY: &'static str = "workflow";
    const TYPES: &'static [(&'static str, u16)] = &[
        ("WorkflowCreated", 1),
        ("WorkflowUpdated", 1),
        ("WorkflowVersionPublished", 1),
        ("WorkflowSettingsChanged", 1),
        ("WorkflowPinsChanged", 1),
        ("WorkflowArchived", 1),
    ];

    fn event_type(&self) -> &'static str {
        match self {
            Self::WorkflowCreated { .. } => "WorkflowCreated",
            Self::WorkflowUpdated { .. } => "WorkflowUpdated",
            Self::WorkflowVersionPublished { .. } => "WorkflowVersionPublished",
            Self::WorkflowSettingsChanged { .. } => "WorkflowSettingsChanged",
            Self::WorkflowPinsChanged { .. } => "WorkflowPinsChanged",
            Self::WorkflowArchived {} => "WorkflowArchived",
        }
    }
}
