//! What may be asked of a workflow.

use std::sync::Arc;

use super::{Folder, RollBack, RolloutGuard};
use crate::definition::{Node, Settings, WorkflowDefinition};
use crate::item::Item;

/// A request to change one workflow. The structure of definitions was checked before; a draft may lack what it needs to run.
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
    /// Make the draft a version. Where one is active, it is the active one from then on.
    Publish,
    /// Make the draft a version, and leave active what is.
    PublishBeside,
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
    /// Take it out again.
    Unarchive,
    /// Let a part of what is called and scheduled run another version than the active one.
    StartRollout {
        /// The version; `None` takes the newest.
        version: Option<u32>,
        /// How many of a hundred production executions run it.
        percent: u8,
        /// When it is rolled back without anybody asking.
        guard: Option<RolloutGuard>,
    },
    /// Let another part run it.
    ChangeRollout {
        /// How many of a hundred production executions run it.
        percent: u8,
    },
    /// Let the version that is tried out be the active one.
    PromoteRollout,
    /// Let everything run the active version again.
    RollBackRollout {
        /// Only if it is this roll-out; `None`: whichever there is.
        rollout: Option<u32>,
        /// Who does it and by which figures.
        cause: RollBack,
    },
}
