//! Switch: sends each item to the output of the rule that it meets, or to the output that an expression names.

mod condition_rules;
mod value_rules;

use serde_json::Value;
use timeloom_domain::catalogue::{Choice, Condition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::definition::Node;
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeShape, NodeType, PureNode, RequiredInputs};

use crate::conditions::described;
use crate::describe::{
    choice, collection, is, list, many, number, on, options, outputs_vary, palette, ports, switch, text, told,
};
use crate::values;

const RULE_OUTPUT: ParameterDefinition =
    number("output", "Index of the output, the first is 0.").or_number(0.0).until(1.0);

/// A rule of versions 1 and 2, with the comparisons of its type.
const fn rule(
    choices: &'static [Choice],
    default: &'static str,
    shown_when: &'static [Condition],
) -> ParameterDefinition {
    options("operation", choices, "The comparison.").or_text(default).when(shown_when)
}

const VALUE_RULES: &[ParameterDefinition] = &[
    rule(described::OF_BOOLEANS, "equal", &[is("/dataType", &["boolean"])]),
    rule(described::OF_DATES, "after", &[is("/dataType", &["dateTime"])]),
    rule(described::OF_NUMBERS, "smaller", &[is("/dataType", &["number"])]),
    rule(described::OF_TEXTS, "equal", &[is("/dataType", &["string"])]),
    switch("value2", "The value to compare with.").called("Value 2").or_false().when(&[is("/dataType", &["boolean"])]),
    text("value2", "The date to compare with.").called("Value 2").when(&[is("/dataType", &["dateTime"])]),
    number("value2", "The value to compare with.")
        .called("Value 2")
        .or_number(0.0)
        .when(&[is("/dataType", &["number"])]),
    text("value2", "The value to compare with.").called("Value 2").or_text("").when(&[is("/dataType", &["string"])]),
    RULE_OUTPUT,
];

const RENAME: ParameterDefinition =
    switch("renameOutput", "Whether the canvas shows a name of your own for the output.").or_false();
const OUTPUT_KEY: ParameterDefinition = text("outputKey", "The name that the canvas shows for the output.")
    .called("Output name")
    .when(&[on("renameOutput")]);

const CONDITION_RULES: &[ParameterDefinition] = &[
    described::FIRST.since(3.0).until(3.1),
    described::SECOND.since(3.2).until(3.3),
    described::THIRD.since(3.4),
    RENAME,
    OUTPUT_KEY,
];

const RULES: &[Condition] = &[is("mode", &["rules"])];
const EXPRESSION: &[Condition] = &[is("mode", &["expression"])];

const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "mode",
        &[
            told("rules", "Rules", "The first rule that holds chooses the output."),
            told("expression", "Expression", "A number chooses the output."),
        ],
        "Whether rules or an expression choose the output.",
    )
    .or_text("rules"),
    number("output", "Index of the output, the first is 0.").called("Output index").or_number(0.0).when(EXPRESSION),
    number("outputsAmount", "How many outputs there are.")
        .called("Number of outputs")
        .or_number(4.0)
        .when(EXPRESSION)
        .since(2.0)
        .until(2.0),
    number("numberOutputs", "How many outputs there are.")
        .called("Number of outputs")
        .or_number(4.0)
        .when(EXPRESSION)
        .since(3.0),
    options(
        "dataType",
        &[
            choice("boolean", "Boolean"),
            choice("dateTime", "Date & time"),
            choice("number", "Number"),
            choice("string", "String"),
        ],
        "Type of the values.",
    )
    .or_text("number")
    .when(RULES)
    .until(2.0),
    text("value1", "The value that the rules compare.").called("Value 1").when(RULES).until(2.0),
    list("rules", &[many("rules", "Rule", VALUE_RULES)], "The rules, in order.")
        .called("Routing rules")
        .when(RULES)
        .until(2.0),
    list("rules", &[many("values", "Rule", CONDITION_RULES)], "The rules, in order: each has an output of its own.")
        .called("Routing rules")
        .when(RULES)
        .since(3.0),
    number("fallbackOutput", "Index of the output for items that meet no rule; -1 drops them.")
        .or_number(-1.0)
        .when(RULES)
        .until(2.0),
    collection(
        "options",
        &[
            options(
                "fallbackOutput",
                &[
                    told("none", "None", "Items that meet no rule are dropped."),
                    told("extra", "Extra output", "Items that meet no rule go to an output of their own."),
                ],
                "Where items go that meet no rule; an expression may name the index of an output.",
            )
            .or_text("none"),
            switch("allMatchingOutputs", "Whether an item goes to the outputs of all rules that it meets.")
                .called("Send data to all matching outputs")
                .or_false(),
        ],
        "What else to decide.",
    )
    .when(RULES)
    .since(3.0),
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
            palette: palette(NodeGroup::Flow, "shuffle", &["route", "case", "router", "branch"]),
            port_names: outputs_vary(
                "It has an output for each rule, and one more for items that meet none where the fallback is an extra output; as many as are said where an expression chooses.",
            ),
            ..NodeDefinition::BLANK
        }
    }

    fn shape(&self, node: &Node) -> NodeShape {
        NodeShape { inputs: 1, outputs: outputs_of(node), required_inputs: RequiredInputs::Any }
    }

    fn output_names(&self, node: &Node) -> Vec<String> {
        let has_rules = node.parameters.get("mode").and_then(Value::as_str) != Some("expression");
        if node.type_version < 3.0 || !has_rules {
            return Vec::new();
        }
        let rules = node.parameters.pointer("/rules/values").and_then(Value::as_array);
        let name = |rule: &Value| rule.get("outputKey").and_then(Value::as_str).unwrap_or_default().to_owned();
        let named = rules.into_iter().flatten().map(name);
        let rest = (outputs_of(node) > rules.map_or(0, Vec::len)).then(|| "else".to_owned());
        named.chain(rest).collect()
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
