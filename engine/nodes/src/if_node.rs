//! If: sends each item to the first output when its conditions hold, else to the second.

use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::Item;
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use crate::conditions::{described, split};
use crate::describe::{choice, list, options, outputs, palette, ports};

const PARAMETERS: &[ParameterDefinition] = &[
    list("conditions", described::GROUPS, "The comparisons.").until(1.0),
    options("combineOperation", &[choice("all", "ALL"), choice("any", "ANY")], "Whether all must hold or any.")
        .called("Combine")
        .or_text("all")
        .until(1.0),
    described::FIRST.since(2.0).until(2.1),
    described::SECOND.since(2.2).until(2.2),
    described::THIRD.since(2.3),
];

/// The If node.
pub(crate) struct If;

impl NodeType for If {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.if",
            display_name: "If",
            description: "Sends items to the true or the false output, by conditions.",
            versions: &[1.0, 2.0, 2.1, 2.2, 2.3],
            role: NodeRole::Pure,
            ports: ports(1, 2),
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Flow, "split", &["condition", "branch", "else", "route"]),
            port_names: outputs(&["true", "false"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for If {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let any = |run: &mut NodeRun<'_>, item| Ok(run.text("combineOperation", item, "all")? == "any");
        let (passed, failed): (Vec<Item>, Vec<Item>) = split(run, any)?;
        Ok(NodeOutput::many(vec![passed, failed]))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Bench;

    #[test]
    fn version_1_joins_groups_of_conditions() {
        let parameters = json!({
            "conditions": {
                "number": [{"value1": "={{ $json.age }}", "operation": "largerEqual", "value2": 18}],
                "string": [{"value1": "={{ $json.name }}", "operation": "startsWith", "value2": "A"}],
            },
            "combineOperation": "any",
        });
        let items = json!([{"name": "Ada", "age": 7}, {"name": "Bob", "age": 30}, {"name": "Cid", "age": 3}]);
        let mut bench = Bench::new(&If, 1.0, parameters.clone()).input(items.clone());
        assert_eq!(
            bench.outputs(),
            json!([[{"name": "Ada", "age": 7}, {"name": "Bob", "age": 30}], [{"name": "Cid", "age": 3}]])
        );
        bench.node.parameters["combineOperation"] = json!("all");
        assert_eq!(bench.outputs()[0], json!([]));
    }

    #[test]
    fn version_1_compares_with_the_defaults_of_the_group() {
        let parameters = json!({"conditions": {"boolean": [{"value1": "={{ $json.done }}"}]}});
        let mut bench = Bench::new(&If, 1.0, parameters).input(json!([{"done": true}, {"done": false}]));
        assert_eq!(bench.outputs(), json!([[{"done": false}], [{"done": true}]]));
    }

    #[test]
    fn version_2_uses_the_condition_model() {
        let parameters = json!({"conditions": {
            "options": {"caseSensitive": true, "typeValidation": "strict"}, "combinator": "and",
            "conditions": [{"leftValue": "={{ $json.n }}", "rightValue": 1, "operator": {"type": "number", "operation": "gt"}}],
        }});
        let mut bench = Bench::new(&If, 2.2, parameters.clone()).input(json!([{"n": 1}, {"n": 2}]));
        assert_eq!(bench.outputs(), json!([[{"n": 2}], [{"n": 1}]]));

        let wrong = || Bench::new(&If, 2.2, parameters.clone()).input(json!([{"n": 2}, {"n": "3"}]));
        let error = wrong().run().unwrap_err();
        assert_eq!((error.item_index, error.description.is_some()), (Some(1), true));
        assert_eq!(wrong().continue_on_fail().outputs(), json!([[{"n": 2}], [{"n": "3"}]]));
    }
}
