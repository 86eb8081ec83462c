//! Notes on the canvas. They never run.

use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_engine::node::{Behaviour, NodeType};

use crate::describe::{long_text, number, palette, ports};

const PARAMETERS: &[ParameterDefinition] = &[
    long_text("content", "Text of the note, in Markdown."),
    number("height", "Height on the canvas."),
    number("width", "Width on the canvas."),
    number("color", "Number of the colour."),
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
            palette: palette(NodeGroup::Flow, "sticky-note", &["comment", "annotation", "text"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}
