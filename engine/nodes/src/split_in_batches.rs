//! Loop Over Items: gives its items in batches, one batch each time the loop comes round.
//!
//! Its memory says how far it is, not what the items are: those are in the run data of the nodes they came from, so a
//! loop of many rounds does not write its items anew each time. Version 1 has one output; version 2 gives batches on
//! output 0 and all processed items on 1 when done; version 3 gives the processed items on 0 and batches on 1.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition, PortNames, Ports};
use timeloom_domain::definition::Node;
use timeloom_domain::item::{Item, Items, JsonObject, PairedItem, PairedReference, Source};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeShape, NodeType, PureNode, RequiredInputs};
use timeloom_expressions::scope::{Found, Lookup};

use crate::describe::{collection, number, palette, switch};

const PARAMETERS: &[ParameterDefinition] = &[
    number("batchSize", "Items in a batch.").or_number(10.0).until(2.0),
    number("batchSize", "Items in a batch.").or_number(1.0).since(3.0),
    collection(
        "options",
        &[switch("reset", "Whether the loop begins anew with the items at hand.").or_false()],
        "What else to decide.",
    ),
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
            palette: palette(NodeGroup::Flow, "repeat", &["loop", "batch", "iterate", "for each"]),
            port_names: PortNames {
                inputs: &[],
                outputs: &["done", "loop"],
                vary: Some("Version 2 has the outputs the other way round, and version 1 has the batches alone."),
            },
            ..NodeDefinition::BLANK
        }
    }

    fn shape(&self, node: &Node) -> NodeShape {
        let outputs = if node.type_version < 2.0 { 1 } else { 2 };
        NodeShape { inputs: 1, outputs, required_inputs: RequiredInputs::Any }
    }

    fn output_names(&self, node: &Node) -> Vec<String> {
        let names: &[&str] = match node.type_version {
            version if version < 2.0 => &[],
            version if version < 3.0 => &["loop", "done"],
            _ => &["done", "loop"],
        };
        names.iter().map(|name| (*name).to_owned()).collect()
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
        let mut memory = match Memory::recall(run.memory) {
            Some(memory) if !reset => memory.with_returned(run),
            _ => Memory::new(run, size as usize),
        };
        let batch = memory.next_batch(run, size as usize)?;
        let done = batch.is_empty();
        memory.no_items_left = memory.given == memory.total;
        // Version 1 has no word for being done, and no list of what came back.
        memory.done = (version >= 2.0).then_some(done);
        let processed = if done && version >= 2.0 { memory.processed(run)? } else { Vec::new() };
        *run.memory = memory.keep()?;
        Ok(NodeOutput::many(if version < 2.0 {
            if done { Vec::new() } else { vec![batch] }
        } else if version < 3.0 {
            vec![batch, processed]
        } else {
            vec![processed, batch]
        }))
    }
}

/// How far the loop is. Expressions read `noItemsLeft`, `done`, `currentRunIndex` and `maxRunIndex`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    current_run_index: usize,
    max_run_index: usize,
    no_items_left: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    done: Option<bool>,
    /// Where the items to give came from.
    source_data: Option<Source>,
    /// The items to give, where they are not in run data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    items: Option<Vec<Item>>,
    /// How many were given.
    given: usize,
    /// How many there are.
    total: usize,
    /// What came back, in order.
    returned: Vec<Returned>,
}

/// Items that came back to the loop.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Returned {
    /// They are in run data: those of this run, and of so many runs after it.
    Runs {
        /// The first run.
        first: Source,
        /// How many runs, the first included.
        runs: usize,
    },
    /// They are nowhere else.
    Here {
        /// Where they came from, as far as is known.
        source: Option<Source>,
        /// The items.
        items: Vec<Item>,
    },
}

impl Memory {
    /// Begins with the items at hand.
    fn new(run: &NodeRun<'_>, size: usize) -> Self {
        let items = run.items();
        let source_data = source(run);
        let in_run_data = source_data.as_ref().is_some_and(|source| is_in_run_data(run, source, &items));
        Self {
            current_run_index: 0,
            max_run_index: items.len().div_ceil(size),
            no_items_left: false,
            done: None,
            source_data,
            items: (!in_run_data).then(|| items.to_vec()),
            given: 0,
            total: items.len(),
            returned: Vec::new(),
        }
    }

    fn recall(memory: &JsonObject) -> Option<Self> {
        if memory.is_empty() {
            return None;
        }
        serde_json::from_value(Value::Object(memory.clone())).ok()
    }

    fn keep(self) -> Result<JsonObject, NodeError> {
        match serde_json::to_value(self) {
            Ok(Value::Object(memory)) => Ok(memory),
            Ok(_) => Ok(JsonObject::new()),
            Err(error) => Err(NodeError::operation(format!("the loop could not keep its state: {error}"))),
        }
    }

    /// The same after another round, with what that brought back.
    fn with_returned(mut self, run: &NodeRun<'_>) -> Self {
        self.current_run_index += 1;
        let items = run.items();
        match source(run) {
            Some(source) if is_in_run_data(run, &source, &items) => match self.returned.last_mut() {
                Some(Returned::Runs { first, runs }) if later(first, *runs) == source => *runs += 1,
                _ => self.returned.push(Returned::Runs { first: source, runs: 1 }),
            },
            source => self.returned.push(Returned::Here { source, items: items.to_vec() }),
        }
        self
    }

    fn next_batch(&mut self, run: &NodeRun<'_>, size: usize) -> Result<Vec<Item>, NodeError> {
        let end = self.total.min(self.given.saturating_add(size));
        let positions = self.given..end;
        if positions.is_empty() {
            return Ok(Vec::new());
        }
        let all = match (&self.items, &self.source_data) {
            (None, Some(source)) => in_run_data(run, source).ok_or_else(lost)?,
            _ => Items::default(),
        };
        let all: &[Item] = self.items.as_deref().unwrap_or(&all);
        let chosen = all.get(positions.clone()).ok_or_else(lost)?;
        // From the second batch on, the items are not those of the input: say where they are from.
        let origin = if self.current_run_index == 0 { None } else { self.source_data.clone() };
        let batch = positions.zip(chosen).map(|(index, item)| placed(item, index, origin.clone())).collect();
        self.given = end;
        Ok(batch)
    }

    /// All items that came back.
    fn processed(&self, run: &NodeRun<'_>) -> Result<Vec<Item>, NodeError> {
        let mut processed = Vec::new();
        for returned in &self.returned {
            match returned {
                Returned::Here { source, items } => extend(&mut processed, items, source.clone()),
                Returned::Runs { first, runs } => {
                    for number in 0..*runs {
                        let source = later(first, number);
                        let items = in_run_data(run, &source).ok_or_else(lost)?;
                        extend(&mut processed, &items, Some(source));
                    }
                }
            }
        }
        Ok(processed)
    }
}

fn extend(processed: &mut Vec<Item>, items: &[Item], source: Option<Source>) {
    processed.extend(items.iter().enumerate().map(|(index, item)| placed(item, index, source.clone())));
}

/// Where the items at hand came from.
fn source(run: &NodeRun<'_>) -> Option<Source> {
    run.scope.previous.as_ref().map(|previous| Source {
        previous_node: previous.name.clone(),
        previous_node_output: previous.output_index,
        previous_node_run: previous.run_index,
    })
}

/// The source `number` runs after `first`.
fn later(first: &Source, number: usize) -> Source {
    Source { previous_node_run: first.previous_node_run + number, ..first.clone() }
}

/// The items of a source, as this node gets them.
fn in_run_data(run: &NodeRun<'_>, source: &Source) -> Option<Items> {
    let lookup = Lookup::Items {
        node: source.previous_node.clone(),
        output: Some(source.previous_node_output),
        run: Some(source.previous_node_run),
    };
    match run.scope.nodes.look_up(&lookup) {
        Ok(Found::Items(items)) if run.node.execute_once => Some(Arc::new(items.iter().take(1).cloned().collect())),
        Ok(Found::Items(items)) => Some(items),
        _ => None,
    }
}

fn is_in_run_data(run: &NodeRun<'_>, source: &Source, items: &[Item]) -> bool {
    let same = |(left, right): (&Item, &Item)| left.json == right.json && left.binary == right.binary;
    in_run_data(run, source).is_some_and(|found| found.len() == items.len() && found.iter().zip(items).all(same))
}

fn lost() -> NodeError {
    NodeError::operation("the items of the loop are no longer in the run data: run the workflow again")
}

fn placed(item: &Item, index: usize, source_overwrite: Option<Source>) -> Item {
    let paired_item = Some(PairedItem::One(PairedReference { item: index, input: None, source_overwrite }));
    Item { paired_item, ..item.clone() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use timeloom_expressions::scope::{LookupError, NodeLookup, PreviousNode};

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
    fn outputs_are_called_as_the_version_has_them() {
        let names = |version| SplitInBatches.output_names(&Bench::new(&SplitInBatches, version, json!({})).node);
        assert_eq!((names(3.0), names(2.0)), (vec!["done".into(), "loop".into()], vec!["loop".into(), "done".into()]));
        assert_eq!(names(1.0), [""; 0]);
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

    /// Run data with one node, `Source`, whose runs are these.
    struct Runs(Vec<Items>);

    impl NodeLookup for Runs {
        fn look_up(&self, lookup: &Lookup) -> Result<Found, LookupError> {
            match lookup {
                Lookup::Items { node, output: Some(0), run: Some(run) } if node == "Source" => {
                    let items = self.0.get(*run).cloned();
                    items.map(Found::Items).ok_or_else(|| LookupError::NotExecuted(node.clone()))
                }
                _ => Err(LookupError::UnknownNode("other".to_owned())),
            }
        }
    }

    #[test]
    fn items_that_are_in_run_data_are_not_kept_again() {
        let numbers = |range: std::ops::Range<usize>| items(range.map(|n| json!({"n": n})).collect());
        let runs: Vec<Items> = std::iter::once(numbers(0..100)).chain((0..100).map(|n| numbers(n..n + 1))).collect();
        let mut bench = Bench::new(&SplitInBatches, 3.0, json!({}));
        bench.nodes = Arc::new(Runs(runs.clone()));
        let mut done = Vec::new();
        for (run_index, input) in runs.iter().enumerate() {
            bench.inputs = vec![Arc::clone(input)];
            bench.previous = Some(PreviousNode { name: "Source".to_owned(), output_index: 0, run_index });
            let mut output = bench.run().unwrap();
            assert!(serde_json::to_string(&bench.memory).unwrap().len() < 400, "{:?}", bench.memory);
            done = output.outputs.swap_remove(0);
            assert_eq!(output.outputs[0].len(), usize::from(run_index < 100));
        }
        let given: Vec<&Value> = done.iter().map(|item| &item.json["n"]).collect();
        assert_eq!(given, (0..100).map(Value::from).collect::<Vec<_>>().iter().collect::<Vec<_>>());
        let pair = json!({"item": 0, "sourceOverwrite": {"previousNode": "Source", "previousNodeRun": 100}});
        assert_eq!(json!(done[99].paired_item), pair);
    }

    #[test]
    fn reset_begins_anew() {
        let mut bench =
            Bench::new(&SplitInBatches, 3.0, json!({"options": {"reset": true}})).input(json!([{"n": 1}, {"n": 2}]));
        assert_eq!(bench.outputs()[1], json!([{"n": 1}]));
        assert_eq!(bench.outputs()[1], json!([{"n": 1}]));
    }
}
