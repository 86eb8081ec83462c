//! The trigger of a workflow that other workflows call.

use serde_json::Value;
use timeloom_domain::catalogue::{NodeDefinition, NodeRole, ParameterDefinition, ParameterKind};
use timeloom_domain::item::{Item, PairedItem};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use crate::describe::{TRIGGER, optional};
use crate::lenient_json;

/// The version from which on the trigger names the fields that it takes.
const NAMED_SINCE: f64 = 1.1;

const PARAMETERS: &[ParameterDefinition] = &[
    optional(
        "inputSource",
        ParameterKind::Options(&["workflowInputs", "jsonExample", "passthrough"]),
        "Which fields it takes: a list, those of an example, or all.",
    ),
    optional("workflowInputs", ParameterKind::Structure, "The fields with their types."),
    optional("jsonExample", ParameterKind::Text, "An object with the fields."),
];

/// When Executed by Another Workflow.
pub(crate) struct ExecuteWorkflowTrigger;

impl NodeType for ExecuteWorkflowTrigger {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.executeWorkflowTrigger",
            display_name: "When Executed by Another Workflow",
            description: "Starts when another workflow calls this one; gives the items that the caller passed.",
            versions: &[1.0, 1.1],
            role: NodeRole::Trigger,
            ports: TRIGGER,
            parameters: PARAMETERS,
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for ExecuteWorkflowTrigger {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let Some(fields) = fields(run)? else { return Ok(NodeOutput::single(items.to_vec())) };
        let taken = |(index, item): (usize, &Item)| {
            let value = |name: &String| (name.clone(), item.json.get(name).cloned().unwrap_or(Value::Null));
            let json = fields.iter().map(value).collect();
            Item { json, binary: item.binary.clone(), paired_item: Some(PairedItem::index(index)), error: None }
        };
        Ok(NodeOutput::single(items.iter().enumerate().map(taken).collect()))
    }
}

/// Names of the fields that are taken; `None` for all.
fn fields(run: &mut NodeRun<'_>) -> Result<Option<Vec<String>>, NodeError> {
    if run.version() < NAMED_SINCE {
        return Ok(None);
    }
    match run.text("inputSource", 0, "workflowInputs")?.as_str() {
        "passthrough" => Ok(None),
        "jsonExample" => {
            let example = run.raw_parameter("jsonExample").cloned().unwrap_or_default();
            let example = match example {
                Value::String(text) => lenient_json::parse(text.strip_prefix('=').unwrap_or(&text)),
                other => Some(other),
            };
            match example {
                Some(Value::Object(fields)) => Ok(Some(fields.into_iter().map(|(name, _)| name).collect())),
                _ => Err(NodeError::operation(
                    "the example of the input is not a JSON object: write one with its fields",
                )),
            }
        }
        _ => {
            let named = run.raw_parameter("workflowInputs.values").and_then(Value::as_array);
            let name = |entry: &Value| entry.get("name").and_then(Value::as_str).map(str::to_owned);
            Ok(Some(named.into_iter().flatten().filter_map(name).filter(|name| !name.is_empty()).collect()))
        }
    }
}
