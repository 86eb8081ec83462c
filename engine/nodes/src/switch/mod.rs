//! Switch: sends each item to the output of the rule that it meets, or to the output that an expression names.

mod condition_rules;
mod value_rules;

use serde_json::Value;
use timeloom_domain::catalogue::{NodeDefinition, NodeRole, ParameterDefinition, ParameterKind};
use timeloom_domain::definition::Node;
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeShape, NodeType, PureNode, RequiredInputs};

use crate::describe::{optional, ports};
use crate::values;

const PARAMETERS: &[ParameterDefinition] = &[
    optional(
        "mode",
        ParameterKind::Options(&["rules", "expression"]),
        "Whether rules or an expression choose the output.",
    ),
    optional("rules", ParameterKind::Structure, "The rules, in order."),
    optional("output", ParameterKind::Number, "Mode expression: index of the output, the first is 0."),
    optional("numberOutputs", ParameterKind::Number, "Mode expression, from version 3: how many outputs there are."),
    optional("outputsAmount", ParameterKind::Number, "Mode expression, version 2: how many outputs there are."),
    optional(
        "dataType",
        ParameterKind::Options(&["boolean", "dateTime", "number", "string"]),
        "Versions 1 and 2: type of the values.",
    ),
    optional("value1", ParameterKind::Text, "Versions 1 and 2: the value that the rules compare."),
    optional(
        "fallbackOutput",
        ParameterKind::Number,
        "Versions 1 and 2: output for items that meet no rule; -1 drops them.",
    ),
    optional(
        "options",
        ParameterKind::Structure,
        "From version 3: fallback output, all matching outputs, letter case.",
    ),
];

/// Most outputs that a Switch may have.
const OUTPUTS_MAX: f64 = 1_000.0;

/// The Switch node.
pub(crate) struct Switch;

impl NodeType for Switch {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.switch",
            display_name: "Switch",
            description: "Sends items to one of several outputs, by rules or by an expression.",
            versions: &[1.0, 2.0, 3.0, 3.1, 3.2, 3.3, 3.4],
            role: NodeRole::Pure,
            ports: ports(1, 1),
            parameters: PARAMETERS,
        }
    }

    fn shape(&self, node: &Node) -> NodeShape {
        NodeShape { inputs: 1, outputs: outputs_of(node), required_inputs: RequiredInputs::Any }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for Switch {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let by_expression = run.raw_parameter("mode").and_then(Value::as_str) == Some("expression");
        let outputs = outputs_of(run.node);
        let routes = if by_expression {
            let chosen = run.parameter_for_items("output");
            chosen.into_iter().map(|output| Ok(vec![index_of(output?.as_ref(), outputs)?])).collect()
        } else if run.version() < 3.0 {
            value_rules::routes(run, outputs)
        } else {
            condition_rules::routes(run, outputs)
        };
        distribute(run, routes, outputs)
    }
}

/// Where an item goes: the indices of its outputs.
type Route = Result<Vec<usize>, NodeError>;

fn distribute(run: &NodeRun<'_>, routes: Vec<Route>, outputs: usize) -> Result<NodeOutput, NodeError> {
    let items = run.items();
    let mut output = NodeOutput::many(vec![Vec::new(); outputs.max(1)]);
    for (index, (item, route)) in items.iter().zip(routes).enumerate() {
        match route {
            Ok(route) => {
                for target in route {
                    output.outputs[target].push(item.clone().paired_with(index));
                }
            }
            Err(error) if run.continues_on_fail() => output.outputs[0].push(run.failed_item(index, &error)),
            Err(error) => return Err(error.at_item(index)),
        }
    }
    Ok(output)
}

/// How many outputs the node has.
fn outputs_of(node: &Node) -> usize {
    let parameter = |name: &str| node.parameters.get(name);
    let count = |name: &str| {
        let count = parameter(name).map(values::number).filter(|count| *count >= 1.0).unwrap_or(4.0);
        count.min(OUTPUTS_MAX) as usize
    };
    let rules = |name: &str| {
        let rules = parameter("rules").and_then(|rules| rules.get(name)).and_then(Value::as_array);
        rules.map_or(0, Vec::len)
    };
    let by_expression = parameter("mode").and_then(Value::as_str) == Some("expression");
    match (by_expression, node.type_version) {
        (_, version) if version < 2.0 => 4,
        (true, version) if version < 3.0 => count("outputsAmount"),
        (true, _) => count("numberOutputs"),
        (false, version) if version < 3.0 => rules("rules"),
        (false, _) => {
            let fallback = parameter("options").and_then(|options| options.get("fallbackOutput"));
            rules("values") + usize::from(fallback.and_then(Value::as_str) == Some("extra"))
        }
    }
}

/// The output that a value names.
fn index_of(value: Option<&Value>, outputs: usize) -> Result<usize, NodeError> {
    let number = value.map_or(0.0, values::number);
    if number.fract() == 0.0 && number >= 0.0 && number < outputs as f64 {
        return Ok(number as usize);
    }
    let shown = value.map(values::text).unwrap_or_default();
    let last = outputs.saturating_sub(1);
    Err(NodeError::operation(format!("there is no output {shown}: it must be a whole number from 0 to {last}")))
}

#[cfg(test)]
mod tests;
