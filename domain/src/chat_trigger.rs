//! The Chat Trigger: what a node says with which people and programs talk to a workflow.

use serde_json::Value;

/// Type of the node that a message starts a workflow with.
pub const CHAT_TRIGGER_TYPE: &str = "@n8n/n8n-nodes-langchain.chatTrigger";

/// When the request is answered that a workflow begins with, in the word of its trigger; `None` where that says nothing.
///
/// A chat has it among its options, and is answered at the end unless a node of the workflow answers.
pub fn response_mode<'a>(node_type: &str, parameters: &'a Value) -> Option<&'a str> {
    if node_type != CHAT_TRIGGER_TYPE {
        return parameters.get("responseMode")?.as_str();
    }
    match option(parameters, "responseMode") {
        Some("responseNode") => Some("responseNode"),
        _ => Some("lastNode"),
    }
}

/// Whether whoever talks to a chat with these parameters must be signed in: where it is not public, or says so.
pub fn needs_sign_in(parameters: &Value) -> bool {
    let is_public = parameters.get("public") == Some(&Value::Bool(true));
    !is_public || parameters.get("authentication").and_then(Value::as_str) == Some("n8nUserAuth")
}

/// Whether the workflow itself is asked for what was said before in a session.
pub fn tells_earlier_messages(parameters: &Value) -> bool {
    option(parameters, "loadPreviousSession") == Some("manually")
}

fn option<'a>(parameters: &'a Value, name: &str) -> Option<&'a str> {
    parameters.get("options")?.get(name)?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_chat_is_open_to_others_only_where_it_says_so() {
        assert!(needs_sign_in(&json!({})) && needs_sign_in(&json!({"public": false})));
        assert!(needs_sign_in(&json!({"public": "={{ true }}"})), "an expression is no word of its author");
        assert!(needs_sign_in(&json!({"public": true, "authentication": "n8nUserAuth"})));
        assert!(!needs_sign_in(&json!({"public": true})));
        assert!(!needs_sign_in(&json!({"public": true, "authentication": "basicAuth"})));
    }

    #[test]
    fn a_chat_is_answered_at_the_end_and_a_webhook_as_it_says() {
        let by_node = json!({"responseMode": "onReceived", "options": {"responseMode": "responseNode"}});
        assert_eq!(response_mode(CHAT_TRIGGER_TYPE, &by_node), Some("responseNode"));
        assert_eq!(response_mode("n8n-nodes-base.webhook", &by_node), Some("onReceived"));
        assert_eq!(response_mode(CHAT_TRIGGER_TYPE, &json!({})), Some("lastNode"));
        assert_eq!(response_mode("n8n-nodes-base.webhook", &json!({})), None);
    }
}
