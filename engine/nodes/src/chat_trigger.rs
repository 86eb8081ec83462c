//! The Chat Trigger. The front that takes messages makes its item; here it is passed on.

use serde_json::Value;
use timeloom_domain::catalogue::{
    Condition, CredentialDefinition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition,
};
use timeloom_domain::chat_trigger::CHAT_TRIGGER_TYPE;
use timeloom_domain::definition::{Node, Problem};
use timeloom_engine::node::{Behaviour, NodeType};

use crate::describe::{TRIGGER, choice, collection, is, long_text, needs, on, options, palette, switch, text, told};
use crate::values::has_expression;

const CREDENTIALS: &[CredentialDefinition] = &[needs("httpBasicAuth", &[is("authentication", &["basicAuth"])])];

const PARAMETERS: &[ParameterDefinition] = &[
    switch("public", "Whether others than those who are signed in may talk to it.")
        .called("Make chat publicly available")
        .or_false(),
    options(
        "mode",
        &[
            told("hostedChat", "Hosted chat", "For a page, which is not served: the same as the other."),
            told("webhook", "Embedded chat", "A page or program of your own sends the messages."),
        ],
        "Where people talk to it; changes nothing here.",
    )
    .when(PUBLIC),
    options(
        "authentication",
        &[
            choice("basicAuth", "Basic Auth"),
            told("n8nUserAuth", "User Auth", "By signing in, as for the API."),
            choice("none", "None"),
        ],
        "How a caller shows who it is.",
    )
    .or_text("none")
    .when(PUBLIC),
    long_text("initialMessages", "For a page, which is not served.").when(&[is("mode", &["hostedChat"])]),
    collection(
        "options",
        &[
            text("allowedOrigins", "Origins whose pages may read the answer, with commas between.")
                .called("Allowed origins (CORS)")
                .or_text("*")
                .when(&[on("/public")]),
            options(
                "loadPreviousSession",
                &[
                    told("notSupported", "Off", "A session begins anew."),
                    told("manually", "Manually", "The workflow is asked what was said before."),
                ],
                "What a session shows of what was said before.",
            )
            .or_text("notSupported")
            .when(&[on("/public")]),
            options(
                "responseMode",
                &[
                    told("lastNode", "When last node finishes", "With what the last node gives."),
                    told("responseNode", "Using 'Respond to Webhook' node", "A node of the workflow answers."),
                ],
                "Who answers.",
            )
            .or_text("lastNode"),
        ],
        "What else to decide.",
    ),
];

const PUBLIC: &[Condition] = &[on("public")];

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
            palette: palette(NodeGroup::Triggers, "message-circle", &["chat", "bot", "message", "conversation"]),
            credentials: CREDENTIALS,
            ..NodeDefinition::BLANK
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
