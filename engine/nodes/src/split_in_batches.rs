//! Loop Over Items: gives its items in batches, one batch each time the loop comes round.
//!
//! Its memory holds what is left to give and what came back. Version 1 has one output; version 2 gives batches on
//! output 0 and all processed items on 1 when done; version 3 gives the processed items on 0 and batches on 1.

use serde_json::{Value, json};
use timeloom_domain::catalogue::{NodeDefinition, NodeRole, ParameterDefinition, ParameterKind, Ports};
use timeloom_domain::definition::Node;
use timeloom_domain::item::{Item, JsonObject, PairedItem, PairedReference, Source};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeShape, NodeType, PureNode, RequiredInputs};

use crate::describe::optional;

const PARAMETERS: &[ParameterDefinition] = &[
    optional("batchSize", ParameterKind::Number, "Items in a batch; 1 when absent, 10 before version 3."),
    optional("options", ParameterKind::Structure, "`reset`: begin anew with the items at hand."),
];

/// Loop Over Items.
pub(crate) struct SplitInBatches;

impl NodeType for SplitInBatches {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.splitInBatches",
            display_name: "Loop Over Items (Split in Batches)",
            description: "Gives items batch by batch, until a loop has seen them all.",
            versions: &[1.0, 2.0, 3.0],
            role: NodeRole::Pure,
            ports: Ports { inputs: 1, outputs: 1, closes_loops: true },
            parameters: PARAMETERS,
        }
    }

    fn shape(&self, node: &Node) -> NodeShape {
        let outputs = if node.type_version < 2.0 { 1 } else { 2 };
        NodeShape { inputs: 1, outputs, required_inputs: RequiredInputs::Any }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for SplitInBatches {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let version = run.version();
        let default = if version < 3.0 { 10.0 } else { 1.0 };
        let size = run.number("batchSize", 0, default)?;
        if size < 1.0 {
            return Err(NodeError::operation("the batch size must be at least 1"));
        }
        let reset = run.boolean("options.reset", 0, false)?;
        let batch = if reset || !run.memory.contains_key("items") {
            start(run, size as usize)?
        } else {
            go_on(run, size as usize)?
        };
        let left = run.memory.get("items").and_then(Value::as_array).is_some_and(|items| !items.is_empty());
        run.memory.insert("noItemsLeft".to_owned(), Value::Bool(!left));
        let done = batch.is_empty();
        // Version 1 has no word for being done, and no list of what came back.
        if version >= 2.0 {
            run.memory.insert("done".to_owned(), Value::Bool(done));
        }
        let processed = if done { processed(run.memory)? } else { Vec::new() };
        Ok(NodeOutput::many(if version < 2.0 {
            if done { Vec::new() } else { vec![batch] }
        } else if version < 3.0 {
            vec![batch, processed]
        } else {
            vec![processed, batch]
        }))
    }
}

/// Begins with the items at hand and gives the first batch.
fn start(run: &mut NodeRun<'_>, size: usize) -> Result<Vec<Item>, NodeError> {
    let items = run.items();
    let numbered = items.iter().enumerate().map(|(index, item)| item.clone().paired_with(index));
    let mut rest: Vec<Item> = numbered.collect();
    let first: Vec<Item> = rest.drain(..size.min(rest.len())).collect();
    let source = source(run);
    let memory = &mut *run.memory;
    memory.insert("currentRunIndex".to_owned(), json!(0));
    memory.insert("maxRunIndex".to_owned(), json!(items.len().div_ceil(size)));
    memory.insert("sourceData".to_owned(), source.map_or(Value::Null, |source| json!(source)));
    memory.insert("items".to_owned(), kept(rest)?);
    memory.insert("processedItems".to_owned(), json!([]));
    Ok(first)
}

/// Takes in what the loop brought back and gives the next batch.
fn go_on(run: &mut NodeRun<'_>, size: usize) -> Result<Vec<Item>, NodeError> {
    let items = run.items();
    let came_from = source(run);
    let returned: Vec<Item> = items
        .iter()
        .enumerate()
        .map(|(index, item)| Item { paired_item: Some(overwritten(index, came_from.clone())), ..item.clone() })
        .collect();
    let memory = &mut *run.memory;
    let round = memory.get("currentRunIndex").and_then(Value::as_u64).unwrap_or(0);
    memory.insert("currentRunIndex".to_owned(), json!(round + 1));
    let mut all_returned = taken(memory, "processedItems");
    if let Value::Array(returned) = kept(returned)? {
        all_returned.extend(returned);
    }
    memory.insert("processedItems".to_owned(), Value::Array(all_returned));
    let origin: Option<Source> =
        memory.get("sourceData").and_then(|source| serde_json::from_value(source.clone()).ok());
    let mut rest = taken(memory, "items");
    let batch: Vec<Value> = rest.drain(..size.min(rest.len())).collect();
    memory.insert("items".to_owned(), Value::Array(rest));
    batch
        .into_iter()
        .map(|item| {
            let mut item = recalled(item)?;
            let references = item.paired_item.as_ref().map(PairedItem::references).unwrap_or_default();
            let index = references.first().map_or(0, |reference| reference.item);
            item.paired_item = Some(overwritten(index, origin.clone()));
            Ok(item)
        })
        .collect()
}

/// Where the items at hand came from.
fn source(run: &NodeRun<'_>) -> Option<Source> {
    run.scope.previous.as_ref().map(|previous| Source {
        previous_node: previous.name.clone(),
        previous_node_output: previous.output_index,
        previous_node_run: previous.run_index,
    })
}

fn overwritten(item: usize, source_overwrite: Option<Source>) -> PairedItem {
    PairedItem::One(PairedReference { item, input: None, source_overwrite })
}

/// Takes the list out of memory; empty where it is missing. The caller puts it back.
fn taken(memory: &mut JsonObject, name: &str) -> Vec<Value> {
    match memory.get_mut(name).map(Value::take) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

fn processed(memory: &JsonObject) -> Result<Vec<Item>, NodeError> {
    let list = memory.get("processedItems").and_then(Value::as_array);
    list.into_iter().flatten().cloned().map(recalled).collect()
}

fn kept(items: Vec<Item>) -> Result<Value, NodeError> {
    serde_json::to_value(items).map_err(|error| NodeError::operation(format!("the loop could not keep items: {error}")))
}

fn recalled(item: Value) -> Result<Item, NodeError> {
    serde_json::from_value(item)
        .map_err(|error| NodeError::operation(format!("the loop's memory is not readable: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Bench, items, json_of};

    /// Runs the loop as a workflow would: what it gives comes back with `seen`.
    fn rounds(version: f64, batch_output: usize, done_output: usize) -> (Vec<Value>, Value) {
        let input = json!([{"n": 1}, {"n": 2}, {"n": 3}]);
        let mut bench = Bench::new(&SplitInBatches, version, json!({"batchSize": 2})).input(input);
        let mut batches = Vec::new();
        loop {
            let output = bench.run().unwrap();
            let batch = json_of(&output, batch_output);
            if batch == json!([]) {
                return (batches, json_of(&output, done_output));
            }
            let returned = batch.as_array().unwrap().iter().map(|item| json!({"seen": item["n"]})).collect();
            bench.inputs = vec![items(returned)];
            batches.push(batch);
            assert!(batches.len() < 9, "the loop does not end");
        }
    }

    #[test]
    fn version_3_gives_batches_on_output_1_and_all_on_0() {
        let (batches, done) = rounds(3.0, 1, 0);
        assert_eq!(batches, [json!([{"n": 1}, {"n": 2}]), json!([{"n": 3}])]);
        assert_eq!(done, json!([{"seen": 1}, {"seen": 2}, {"seen": 3}]));
    }

    #[test]
    fn version_2_gives_batches_on_output_0() {
        let (batches, done) = rounds(2.0, 0, 1);
        assert_eq!(batches.len(), 2);
        assert_eq!(done.as_array().map(Vec::len), Some(3));
    }

    #[test]
    fn version_1_just_ends() {
        let mut bench = Bench::new(&SplitInBatches, 1.0, json!({})).input(json!([{"n": 1}]));
        assert_eq!(bench.outputs(), json!([[{"n": 1}]]));
        assert_eq!(bench.memory["noItemsLeft"], json!(true));
        assert_eq!(bench.outputs(), json!([]));
    }

    #[test]
    fn memory_tells_expressions_how_far_the_loop_is() {
        let mut bench = Bench::new(&SplitInBatches, 3.0, json!({})).input(json!([{"n": 1}, {"n": 2}]));
        bench.run().unwrap();
        assert_eq!((&bench.memory["currentRunIndex"], &bench.memory["maxRunIndex"]), (&json!(0), &json!(2)));
        assert_eq!((&bench.memory["noItemsLeft"], &bench.memory["done"]), (&json!(false), &json!(false)));
        bench.run().unwrap();
        assert_eq!((&bench.memory["currentRunIndex"], &bench.memory["noItemsLeft"]), (&json!(1), &json!(true)));
        bench.run().unwrap();
        assert_eq!(bench.memory["done"], json!(true));
    }

    #[test]
    fn reset_begins_anew() {
        let mut bench =
            Bench::new(&SplitInBatches, 3.0, json!({"options": {"reset": true}})).input(json!([{"n": 1}, {"n": 2}]));
        assert_eq!(bench.outputs()[1], json!([{"n": 1}]));
        assert_eq!(bench.outputs()[1], json!([{"n": 1}]));
    }
}
