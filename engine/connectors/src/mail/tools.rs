//! Mail as tools of agents.

use std::sync::Arc;

use timeloom_domain::catalogue::ParameterDefinition;
use timeloom_engine::node::SharedNodeType;
use timeloom_nodes::describe::joined;

use super::send;
use crate::tool::{TOLD, Tool};

const SEND_EMAIL: [ParameterDefinition; send::PARAMETERS.len() + 1] = joined([TOLD], send::PARAMETERS, []);

/// The node types.
pub(super) fn node_types() -> Vec<SharedNodeType> {
    vec![Arc::new(Tool {
        node: send::EmailSend,
        node_type: "n8n-nodes-base.emailSendTool",
        display_name: "Send Email Tool",
        description: "Serves as a tool of an agent: does what Send Email does, filled in by $fromAI.",
        parameters: &SEND_EMAIL,
    })]
}
