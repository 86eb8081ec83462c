//! The Webhook trigger. The front that takes requests makes its item; here it is passed on, to the output of its method.

pub(crate) mod parameters;

use serde_json::Value;
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole};
use timeloom_domain::definition::{Node, Problem};
use timeloom_engine::node::{Behaviour, NodeShape, NodeType, RequiredInputs};

use self::parameters::{CREDENTIALS, PARAMETERS};
use crate::describe::{TRIGGER, outputs_vary, palette};
use crate::values::has_expression;

/// Most outputs of one node.
const OUTPUTS_MAX: usize = 16;

/// The trigger of a workflow that requests start.
pub(crate) struct Webhook;

impl NodeType for Webhook {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.webhook",
            display_name: "Webhook",
            description: "Starts when a request comes in; gives its headers, params, query and body.",
            versions: &[1.0, 1.1, 2.0, 2.1],
            role: NodeRole::Trigger,
            ports: TRIGGER,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Triggers, "webhook", &["http", "api", "request", "endpoint", "callback"]),
            port_names: outputs_vary("It has an output for each method where it allows several."),
            credentials: CREDENTIALS,
        }
    }

    fn shape(&self, node: &Node) -> NodeShape {
        let methods = node.parameters.get("httpMethod").and_then(Value::as_array).map_or(1, Vec::len);
        NodeShape { inputs: 0, outputs: methods.clamp(1, OUTPUTS_MAX), required_inputs: RequiredInputs::Any }
    }

    fn output_names(&self, node: &Node) -> Vec<String> {
        let methods = node.parameters.get("httpMethod").and_then(Value::as_array);
        methods.into_iter().flatten().map(|method| method.as_str().unwrap_or_default().to_owned()).collect()
    }

    fn problems(&self, node: &Node) -> Vec<Problem> {
        let fields = read_before(&node.parameters).filter(|(_, value)| has_expression(value));
        let problem = |(name, _): (&str, &Value)| Problem {
            node: Some(node.name.clone()),
            field: format!("parameters.{name}"),
            message: "is read before the workflow begins and cannot be an expression: write the value, or answer by a \
                      Respond to Webhook node"
                .to_owned(),
        };
        fields.map(problem).collect()
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}

/// The parameters that whoever takes the request reads: all but those of an answer that the end of the workflow gives.
fn read_before(parameters: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let mode = parameters.get("responseMode").and_then(Value::as_str).unwrap_or("onReceived");
    let at_once = mode == "onReceived";
    let is_read = move |name: &str| at_once || !name.starts_with("response") || name == "responseMode";
    let own = parameters.as_object().into_iter().flatten();
    let options = parameters.get("options").and_then(Value::as_object).into_iter().flatten();
    let named = own.filter(|(name, _)| *name != "options").chain(options);
    named.map(|(name, value)| (name.as_str(), value)).filter(move |(name, _)| is_read(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Bench;

    fn fields(parameters: Value) -> Vec<String> {
        let bench = Bench::new(&Webhook, 2.0, parameters);
        Webhook.problems(&bench.node).into_iter().map(|problem| problem.field).collect()
    }

    #[test]
    fn what_is_read_before_the_workflow_begins_is_no_expression() {
        let answer = json!({"responseData": "={{ $json.body }}", "responseHeaders": {"entries": [{"name": "a", "value": "=b"}]}});
        let at_once = json!({"path": "orders", "options": answer});
        assert_eq!(fields(at_once), ["parameters.responseData", "parameters.responseHeaders"]);
        let at_end = json!({"path": "orders", "responseMode": "lastNode", "responseData": "={{ 'allEntries' }}", "options": answer});
        assert_eq!(fields(at_end), Vec::<String>::new(), "the end evaluates them");
        assert_eq!(fields(json!({"authentication": "={{ $env.auth }}"})), ["parameters.authentication"]);
        assert_eq!(
            fields(json!({"responseMode": "lastNode", "options": {"rawBody": "={{ true }}"}})),
            ["parameters.rawBody"]
        );
    }
}
