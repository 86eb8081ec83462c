//! Nodes that pass items on unchanged: No Operation and the triggers, whose items the start of an execution supplies.

use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole};
use timeloom_engine::node::{Behaviour, NodeType};

use crate::describe::{ONE_TO_ONE, TRIGGER, palette};

/// No Operation.
pub(crate) struct NoOp;

impl NodeType for NoOp {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.noOp",
            display_name: "No Operation, do nothing",
            description: "Passes its items on unchanged.",
            versions: &[1.0],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: &[],
            palette: palette(NodeGroup::Flow, "arrow-right", &["nothing", "pass", "placeholder"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}

/// The trigger that people start by hand.
pub(crate) struct ManualTrigger;

impl NodeType for ManualTrigger {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.manualTrigger",
            display_name: "Manual Trigger",
            description: "Starts an execution when someone asks for it.",
            versions: &[1.0],
            role: NodeRole::ManualTrigger,
            ports: TRIGGER,
            parameters: &[],
            palette: palette(NodeGroup::Triggers, "mouse-pointer-click", &["start", "run", "test", "click"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}

/// The start node of files from before triggers; the same as [`ManualTrigger`].
pub(crate) struct Start;

impl NodeType for Start {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.start",
            display_name: "Start",
            description: "Starts an execution when someone asks for it. Newer workflows use the Manual Trigger.",
            palette: palette(NodeGroup::Older, "mouse-pointer-click", &["manual"]),
            ..ManualTrigger.definition()
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}

/// The trigger of a workflow that handles other workflows' failures.
pub(crate) struct ErrorTrigger;

impl NodeType for ErrorTrigger {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.errorTrigger",
            display_name: "Error Trigger",
            description: "Starts when an execution of a workflow that names this one as its error workflow fails.",
            versions: &[1.0],
            role: NodeRole::Trigger,
            ports: TRIGGER,
            parameters: &[],
            palette: palette(NodeGroup::Triggers, "siren", &["failure", "alert", "error workflow", "catch"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}
