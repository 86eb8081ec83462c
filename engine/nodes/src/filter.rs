//! Filter: keeps the items whose conditions hold.

use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use crate::conditions::{described, split};
use crate::describe::{ONE_TO_ONE, choice, list, options, palette};

const PARAMETERS: &[ParameterDefinition] = &[
    list("conditions", described::GROUPS, "The comparisons.").until(1.0),
    options("combineConditions", &[choice("AND", "AND"), choice("OR", "OR")], "Whether all must hold or any.")
        .or_text("AND")
        .until(1.0),
    described::FIRST.since(2.0).until(2.1),
    described::SECOND.since(2.2).until(2.2),
    described::THIRD.since(2.3),
];

/// The Filter node.
pub(crate) struct Filter;

impl NodeType for Filter {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.filter",
            display_name: "Filter",
            description: "Keeps the items whose conditions hold and drops the others.",
            versions: &[1.0, 2.0, 2.1, 2.2, 2.3],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Flow, "filter", &["condition", "keep", "drop", "where"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for Filter {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let any = |run: &mut NodeRun<'_>, item| Ok(run.text("combineConditions", item, "AND")? == "OR");
        let (kept, _dropped) = split(run, any)?;
        Ok(NodeOutput::single(kept))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Bench, pairs_of};

    #[test]
    fn kept_items_know_where_they_came_from() {
        let parameters = json!({"conditions": {
            "options": {"caseSensitive": false, "typeValidation": "loose"}, "combinator": "or",
            "conditions": [
                {"leftValue": "={{ $json.tag }}", "rightValue": "hot", "operator": {"type": "string", "operation": "equals"}},
                {"leftValue": "={{ $json.score }}", "rightValue": "9", "operator": {"type": "number", "operation": "gte"}},
            ],
        }});
        let items = json!([{"tag": "cold", "score": 1}, {"tag": "HOT"}, {"tag": "", "score": "10"}]);
        let mut bench = Bench::new(&Filter, 2.0, parameters).input(items);
        assert_eq!(bench.output(), json!([{"tag": "HOT"}, {"tag": "", "score": "10"}]));
        assert_eq!(pairs_of(&bench.run().unwrap()), json!([{"item": 1}, {"item": 2}]));
    }

    #[test]
    fn version_1_joins_with_and_or_or() {
        let condition = |text: &str| json!({"value1": "={{ $json.name }}", "operation": "contains", "value2": text});
        let parameters = json!({"conditions": {"string": [condition("a"), condition("b")]}});
        let items = json!([{"name": "ab"}, {"name": "b"}]);
        let mut bench = Bench::new(&Filter, 1.0, parameters).input(items.clone());
        assert_eq!(bench.output(), json!([{"name": "ab"}]));
        bench.node.parameters["combineConditions"] = json!("OR");
        assert_eq!(bench.output(), items);
    }

    #[test]
    fn an_expression_that_fails_fails_the_node() {
        let condition =
            json!({"leftValue": "={{ fail(\"boom\") }}", "operator": {"type": "string", "operation": "exists"}});
        let parameters = json!({"conditions": {"combinator": "and", "conditions": [condition]}});
        let bench = || Bench::new(&Filter, 2.0, parameters.clone()).input(json!([{"a": 1}]));
        assert!(bench().failure().contains("boom"));
        assert_eq!(bench().continue_on_fail().output(), json!([]));
    }
}
