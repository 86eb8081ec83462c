//! A node type whose items come from a file: it stands in for a node whose data or service is not at hand.

use serde_json::Value;
use timeloom_domain::catalogue::{NodeDefinition, NodeRole, Ports};
use timeloom_domain::definition::wrap_item;
use timeloom_domain::item::Item;
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

/// How many records a node gives that asks for a list without saying how many.
const LIMIT_DEFAULT: f64 = 5.0;

/// The stand-in.
pub struct Fixture {
    node_type: &'static str,
    versions: &'static [f64],
    records: Vec<Item>,
}

impl Fixture {
    /// A stand-in for `node_type` with the records of a JSON list.
    ///
    /// # Errors
    /// When the text is not a list of objects.
    pub fn try_new(node_type: &str, text: &str) -> anyhow::Result<Self> {
        let records: Vec<Value> = serde_json::from_str(text)
            .map_err(|error| anyhow::anyhow!("the fixture for '{node_type}' is not a JSON list: {error}"))?;
        let records = records.into_iter().map(wrap_item).collect::<Result<_, _>>()?;
        // A program makes a handful of fixtures once, when it starts: their names live as long as it does.
        let node_type = Box::leak(node_type.to_owned().into_boxed_str());
        Ok(Self { node_type, versions: &[1.0, 1.1, 2.0, 3.0, 4.0], records })
    }
}

impl NodeType for Fixture {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: self.node_type,
            display_name: "Fixture",
            description: "Gives the records of a file in place of the node's own data.",
            versions: self.versions,
            role: NodeRole::Pure,
            ports: Ports { inputs: 1, outputs: 1, closes_loops: false },
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for Fixture {
    /// For each item: one record, or a list of them as `returnAll` and `limit` say.
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let mut items = Vec::new();
        for index in 0..run.items().len() {
            let operation = run.text("operation", index, "getAll")?;
            let count = if !operation.starts_with("getAll") {
                1
            } else if run.boolean("returnAll", index, false)? {
                self.records.len()
            } else {
                run.number("limit", index, LIMIT_DEFAULT)?.max(0.0) as usize
            };
            items.extend(self.records.iter().take(count).cloned());
        }
        Ok(NodeOutput::single(items))
    }
}
