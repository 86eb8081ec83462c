//! What may be asked of a workflow.

use std::sync::Arc;

use super::Folder;
use crate::definition::{Node, Settings, WorkflowDefinition};
use crate::item::Item;

/// A request to change one workflow. Definitions were validated against the catalogue before.
#[derive(Debug, Clone, PartialEq)]
pub enum WorkflowCommand {
    /// Bring it to be.
    Create {
        /// Its definition.
        definition: Arc<WorkflowDefinition>,
    },
    /// Replace the draft.
    Update {
        /// The new definition.
        definition: Arc<WorkflowDefinition>,
    },
    /// Put nodes in the place of others of the draft.
    ReplaceNodes {
        /// Each node as it was when its replacement was made, and the replacement.
        replacements: Vec<(Node, Node)>,
    },
    /// Make the draft a version.
    Publish,
    /// Replace the draft's settings.
    ChangeSettings {
        /// The new settings.
        settings: Settings,
    },
    /// Pin items to a node of the draft, or unpin it.
    ChangePins {
        /// Name of the node.
        node: String,
        /// The items; `None` unpins.
        items: Option<Vec<Item>>,
    },
    /// Let a version take calls and schedules.
    Activate {
        /// The version; `None` takes the newest.
        version: Option<u32>,
    },
    /// Let it take no calls and schedules any more.
    Deactivate,
    /// Let the draft take one call at its test address.
    ListenForTest {
        /// Until when, in milliseconds since 1970.
        until_ms: i64,
    },
    /// Put it into a folder, or out of all.
    Move {
        /// The folder.
        folder: Folder,
    },
    /// Put it away.
    Archive,
}
