//! The Webhook trigger. The front that takes requests makes its item; here it is passed on, to the output of its method.

use serde_json::Value;
use timeloom_domain::catalogue::{NodeDefinition, NodeRole, ParameterDefinition, ParameterKind};
use timeloom_domain::definition::Node;
use timeloom_engine::node::{Behaviour, NodeShape, NodeType, RequiredInputs};

use crate::describe::{TRIGGER, optional};

/// Most outputs of one node.
const OUTPUTS_MAX: usize = 16;

const PARAMETERS: &[ParameterDefinition] = &[
    optional("path", ParameterKind::Text, "Path of its address; parts that begin with ':' are named."),
    optional("httpMethod", ParameterKind::Structure, "Its method, or a list of them with an output each."),
    optional("multipleMethods", ParameterKind::Boolean, "Whether it has several methods."),
    optional(
        "authentication",
        ParameterKind::Options(&["none", "basicAuth", "headerAuth", "jwtAuth"]),
        "How a caller shows who it is.",
    ),
    optional(
        "responseMode",
        ParameterKind::Options(&["onReceived", "lastNode", "responseNode", "streaming"]),
        "What the answer waits for.",
    ),
    optional("responseCode", ParameterKind::Number, "Status of the answer."),
    optional(
        "responseData",
        ParameterKind::Text,
        "What of the last node's items is answered, or the text that is answered at once.",
    ),
    optional("responseBinaryPropertyName", ParameterKind::Text, "The attachment that is answered."),
    optional("options", ParameterKind::Structure, "Raw body, files, allowed callers, headers of the answer."),
];

/// The trigger of a workflow that requests start.
pub(crate) struct Webhook;

impl NodeType for Webhook {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.webhook",
            display_name: "Webhook",
            description: "Starts when a request comes in; gives its headers, params, query and body.",
            versions: &[1.0, 1.1, 2.0, 2.1],
            role: NodeRole::Trigger,
            ports: TRIGGER,
            parameters: PARAMETERS,
        }
    }

    fn shape(&self, node: &Node) -> NodeShape {
        let methods = node.parameters.get("httpMethod").and_then(Value::as_array).map_or(1, Vec::len);
        NodeShape { inputs: 0, outputs: methods.clamp(1, OUTPUTS_MAX), required_inputs: RequiredInputs::Any }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}
