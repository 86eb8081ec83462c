//! Notes on the canvas. They never run.

use timeloom_domain::catalogue::{NodeDefinition, NodeRole, ParameterDefinition, ParameterKind};
use timeloom_engine::node::{Behaviour, NodeType};

use crate::describe::{optional, ports};

const PARAMETERS: &[ParameterDefinition] = &[
    optional("content", ParameterKind::Text, "Text of the note, in Markdown."),
    optional("height", ParameterKind::Number, "Height on the canvas."),
    optional("width", ParameterKind::Number, "Width on the canvas."),
    optional("color", ParameterKind::Number, "Number of the colour."),
];

/// A note on the canvas.
pub(crate) struct StickyNote;

impl NodeType for StickyNote {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.stickyNote",
            display_name: "Sticky Note",
            description: "A note for people on the canvas; never runs.",
            versions: &[1.0],
            role: NodeRole::Annotation,
            ports: ports(0, 0),
            parameters: PARAMETERS,
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}
