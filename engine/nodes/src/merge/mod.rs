//! Merge: brings the items of several inputs together.
//!
//! Version 1 lives in [`legacy`]. Every item that is given names the input items that it was made from.

mod by_fields;
mod by_position;
mod by_sql;
mod clash;
mod legacy;
mod matching;
mod parameters;

use serde_json::Value;
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, PortNames};
use timeloom_domain::definition::Node;
use timeloom_domain::item::{Item, Items, JsonObject, PairedItem};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeShape, NodeType, PureNode, RequiredInputs};

use crate::describe::{palette, ports};
use crate::values;
use parameters::PARAMETERS;

/// Most inputs that a Merge may have.
const INPUTS_MAX: f64 = 10.0;

/// The Merge node.
pub(crate) struct Merge;

impl NodeType for Merge {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.merge",
            display_name: "Merge",
            description: "Appends or combines the items of several inputs.",
            versions: &[1.0, 2.0, 2.1, 3.0, 3.1, 3.2],
            role: NodeRole::Pure,
            ports: ports(2, 1),
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Flow, "merge", &["join", "combine", "append", "union", "sql", "lookup"]),
            port_names: PortNames {
                inputs: &["Input 1", "Input 2"],
                outputs: &[],
                vary: Some("From version 3 it has as many inputs as are said, up to 10."),
            },
            ..NodeDefinition::BLANK
        }
    }

    fn shape(&self, node: &Node) -> NodeShape {
        let waits_for_all =
            node.type_version >= 2.0 && node.parameters.get("mode").and_then(Value::as_str) == Some("chooseBranch");
        let required_inputs = if waits_for_all { RequiredInputs::All } else { RequiredInputs::Any };
        NodeShape { inputs: inputs_of(node), outputs: 1, required_inputs }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for Merge {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let mode = run.text("mode", 0, "append")?;
        if run.version() < 2.0 {
            return legacy::run(run, &mode).map(NodeOutput::single);
        }
        match mode.as_str() {
            "append" => Ok(NodeOutput::single(inputs(run).into_iter().flatten().collect())),
            "combine" => combine(run).map(NodeOutput::single),
            "chooseBranch" => choose_branch(run).map(NodeOutput::single),
            "combineBySql" if run.version() >= 3.0 => by_sql::run(run).map(NodeOutput::single),
            other => Err(unknown("mode", other)),
        }
    }
}

fn combine(run: &mut NodeRun<'_>) -> Result<Vec<Item>, NodeError> {
    let by = if run.version() < 3.0 {
        run.text("combinationMode", 0, "mergeByFields")?
    } else {
        run.text("combineBy", 0, "combineByFields")?
    };
    match by.as_str() {
        "mergeByFields" | "combineByFields" => by_fields::run(run),
        "mergeByPosition" if run.version() < 3.0 => by_position::pairs(run),
        "combineByPosition" => by_position::rows(run),
        "multiplex" | "combineAll" => by_position::all(run),
        other => Err(unknown("way to combine", other)),
    }
}

fn choose_branch(run: &mut NodeRun<'_>) -> Result<Vec<Item>, NodeError> {
    let inputs = inputs(run);
    let output = run.text("output", 0, if run.version() < 3.0 { "input1" } else { "specifiedInput" })?;
    if output == "empty" {
        let pairs: Vec<PairedItem> = inputs.into_iter().flatten().filter_map(|item| item.paired_item).collect();
        let mut item = Item::new(JsonObject::new());
        item.paired_item = (!pairs.is_empty()).then_some(PairedItem::Many(pairs));
        return Ok(vec![item]);
    }
    let number = match output.as_str() {
        "input1" => 1.0,
        "input2" => 2.0,
        _ => run.number("useDataOfInput", 0, 1.0)?,
    };
    let index = if number >= 1.0 { number as usize - 1 } else { usize::MAX };
    inputs.into_iter().nth(index).ok_or_else(|| {
        NodeError::operation(format!("there is no input {number} to use")).described("choose one of the node's inputs")
    })
}

/// How many inputs the node has.
fn inputs_of(node: &Node) -> usize {
    let count = node.parameters.get("numberInputs").map_or(2.0, values::number);
    if node.type_version >= 3.0 && count >= 2.0 { count.min(INPUTS_MAX) as usize } else { 2 }
}

/// The items of all inputs, each with its own place as its origin.
fn inputs(run: &NodeRun<'_>) -> Vec<Vec<Item>> {
    (0..inputs_of(run.node)).map(|index| input(run, index)).collect()
}

/// The items of one input, each with its own place as its origin.
fn input(run: &NodeRun<'_>, index: usize) -> Vec<Item> {
    let items: Items = run.input(index);
    let with_origin =
        |(place, item): (usize, &Item)| Item { paired_item: Some(PairedItem::of(place, index)), ..item.clone() };
    items.iter().enumerate().map(with_origin).collect()
}

/// The origins of several items as one.
fn origins<'i>(items: impl IntoIterator<Item = &'i Item>) -> Option<PairedItem> {
    let origins: Vec<PairedItem> = items.into_iter().filter_map(|item| item.paired_item.clone()).collect();
    (!origins.is_empty()).then_some(PairedItem::Many(origins))
}

fn unknown(what: &str, found: &str) -> NodeError {
    NodeError::operation(format!("unknown {what} '{found}'")).described("choose it again in the node")
}

#[cfg(test)]
mod tests;
