//! The trigger of a workflow that other workflows call.

use serde_json::Value;
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::{Item, PairedItem};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use crate::describe::{TRIGGER, choice, is, json, list, many, options, palette, text, told};
use crate::lenient_json;

/// The version from which on the trigger names the fields that it takes.
const NAMED_SINCE: f64 = 1.1;

const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "inputSource",
        &[
            told("workflowInputs", "Define using fields below", "The fields of a list."),
            told("jsonExample", "Define using JSON example", "The fields of an example."),
            told("passthrough", "Accept all data", "All fields, as they come."),
        ],
        "Which fields it takes.",
    )
    .called("Input data mode")
    .or_text("workflowInputs")
    .since(NAMED_SINCE),
    list(
        "workflowInputs",
        &[many(
            "values",
            "Field",
            &[
                text("name", "Name of the field.").like("orderId"),
                options(
                    "type",
                    &[
                        choice("any", "Allow any type"),
                        choice("string", "String"),
                        choice("number", "Number"),
                        choice("boolean", "Boolean"),
                        choice("array", "Array"),
                        choice("object", "Object"),
                    ],
                    "Type of the field, for whoever calls.",
                ),
            ],
        )],
        "The fields with their types.",
    )
    .called("Workflow input schema")
    .when(&[is("inputSource", &["workflowInputs"])])
    .since(NAMED_SINCE),
    json("jsonExample", "An object with the fields.")
        .called("JSON example")
        .like(r#"{"orderId": 1}"#)
        .when(&[is("inputSource", &["jsonExample"])])
        .since(NAMED_SINCE),
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
            palette: palette(NodeGroup::Triggers, "log-in", &["sub-workflow", "called", "subroutine"]),
            ..NodeDefinition::BLANK
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
