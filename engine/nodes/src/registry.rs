//! All built-in node types. One line for each, in alphabetical order.

use std::sync::Arc;

use timeloom_engine::node::{NodeRegistry, SharedNodeType};

use crate::{no_op, sticky_note};

/// A registry of all built-in node types.
pub fn all() -> NodeRegistry {
    let types: Vec<SharedNodeType> = vec![
        Arc::new(no_op::ErrorTrigger),
        Arc::new(no_op::ExecuteWorkflowTrigger),
        Arc::new(no_op::ManualTrigger),
        Arc::new(no_op::NoOp),
        Arc::new(sticky_note::StickyNote),
    ];
    NodeRegistry::new(types)
}
