//! Limit: keeps the first or last items. Never changes an item.

use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use super::fields::passed_on;
use crate::describe::{ONE_TO_ONE, choice, number, options, palette};

const PARAMETERS: &[ParameterDefinition] = &[MAX, KEEP];

pub(super) const MAX: ParameterDefinition =
    number("maxItems", "How many items to keep.").called("Max items").or_number(1.0);
pub(super) const KEEP: ParameterDefinition =
    options("keep", &[choice("firstItems", "First items"), choice("lastItems", "Last items")], "Which items to keep.")
        .or_text("firstItems");

/// Limit.
pub(crate) struct Limit;

impl NodeType for Limit {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.limit",
            display_name: "Limit",
            description: "Keeps the first or last items.",
            versions: &[1.0],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Data, "list-end", &["first", "last", "top", "head", "take"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for Limit {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        limit(run)
    }
}

/// The operation.
pub(super) fn limit(run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
    let items = run.items();
    let max = run.number("maxItems", 0, 1.0)?.max(0.0) as usize;
    let first = match run.text("keep", 0, "firstItems")?.as_str() {
        "lastItems" => items.len().saturating_sub(max),
        _ => 0,
    };
    let kept = items.iter().enumerate().skip(first).take(max);
    Ok(NodeOutput::single(kept.map(|(index, item)| passed_on(item, index)).collect()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Bench, pairs_of};

    #[test]
    fn keeps_the_first_or_last_items() {
        let input = json!([{"n": 1}, {"n": 2}, {"n": 3}]);
        assert_eq!(Bench::new(&Limit, 1.0, json!({})).input(input.clone()).output(), json!([{"n": 1}]));
        let mut last = Bench::new(&Limit, 1.0, json!({"maxItems": 2, "keep": "lastItems"})).input(input.clone());
        assert_eq!(last.output(), json!([{"n": 2}, {"n": 3}]));
        assert_eq!(pairs_of(&last.run().unwrap()), json!([{"item": 1}, {"item": 2}]));
        let mut all = Bench::new(&Limit, 1.0, json!({"maxItems": 9})).input(input.clone());
        assert_eq!(all.output(), input);
    }
}
