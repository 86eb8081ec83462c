//! The Chat Trigger. The front that takes messages makes its item; here it is passed on.

use serde_json::Value;
use timeloom_domain::catalogue::{NodeDefinition, NodeRole, ParameterDefinition, ParameterKind};
use timeloom_domain::chat_trigger::CHAT_TRIGGER_TYPE;
use timeloom_domain::definition::{Node, Problem};
use timeloom_engine::node::{Behaviour, NodeType};

use crate::describe::{TRIGGER, optional};
use crate::values::has_expression;

const PARAMETERS: &[ParameterDefinition] = &[
    optional("public", ParameterKind::Boolean, "Whether others than those who are signed in may talk to it."),
    optional("mode", ParameterKind::Options(&["hostedChat", "webhook"]), "Changes nothing: no page is served."),
    optional(
        "authentication",
        ParameterKind::Options(&["none", "basicAuth", "n8nUserAuth"]),
        "How a caller of a public chat shows who it is.",
    ),
    optional("initialMessages", ParameterKind::Text, "For a page, which is not served."),
    optional("options", ParameterKind::Structure, "Origins that may read the answer, and who answers."),
];

/// The parameters that whoever takes the message reads.
const READ_BEFORE: [&str; 5] =
    ["/public", "/authentication", "/options/allowedOrigins", "/options/loadPreviousSession", "/options/responseMode"];

/// The trigger of a workflow that messages start.
pub(crate) struct ChatTrigger;

impl NodeType for ChatTrigger {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: CHAT_TRIGGER_TYPE,
            display_name: "Chat Trigger",
            description: "Starts when a message of a chat comes in; gives its session and what it says.",
            versions: &[1.0, 1.1, 1.2, 1.3],
            role: NodeRole::Trigger,
            ports: TRIGGER,
            parameters: PARAMETERS,
        }
    }

    fn problems(&self, node: &Node) -> Vec<Problem> {
        let value = |pointer: &str| node.parameters.pointer(pointer);
        let field = |pointer: &str| pointer.trim_start_matches('/').replace('/', ".");
        let expressions = READ_BEFORE.into_iter().filter(|pointer| value(pointer).is_some_and(has_expression));
        let mut problems: Vec<Problem> = expressions
            .map(|pointer| {
                let message = "is read before the workflow begins and cannot be an expression: write the value";
                Problem::of_parameter(node, &field(pointer), message)
            })
            .collect();
        let mode = "/options/responseMode";
        let advice = match value(mode).and_then(Value::as_str) {
            Some("streaming") => "answers of chats are not streamed: choose lastNode or responseNode",
            Some("responseNodes") => {
                "there is no node that responds to a chat by parts: choose lastNode or responseNode"
            }
            _ => return problems,
        };
        problems.push(Problem::of_parameter(node, &field(mode), advice));
        problems
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Bench;

    #[test]
    fn a_chat_that_would_be_answered_otherwise_than_it_says_is_not_active() {
        let told = |parameters: Value| -> Vec<String> {
            let bench = Bench::new(&ChatTrigger, 1.3, parameters);
            ChatTrigger.problems(&bench.node).into_iter().map(|problem| problem.to_string()).collect()
        };
        let page = json!({"public": true, "initialMessages": "={{ 'Hello' }}", "options": {"title": "=Hi"}});
        assert_eq!(told(page), Vec::<String>::new(), "what only a page would show does not matter");
        for (parameters, says) in [
            (json!({"options": {"responseMode": "streaming"}}), "are not streamed"),
            (json!({"options": {"responseMode": "responseNodes"}}), "choose lastNode or responseNode"),
            (json!({"public": "={{ true }}"}), "cannot be an expression"),
            (json!({"options": {"allowedOrigins": "={{ $env.ORIGIN }}"}}), "options.allowedOrigins"),
        ] {
            let told = told(parameters);
            assert!(told.len() == 1 && told[0].contains(says), "{told:?}");
        }
    }
}
