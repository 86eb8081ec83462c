//! Messages of chats, as the clients of chats send them: an action, a session and what is said.
//!
//! They are JSON and nothing else, so that no form of another site's page is one.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use serde_json::{Value, json};
use timeloom_commands::directory::TriggerNode;
use timeloom_domain::chat_trigger::tells_earlier_messages;
use timeloom_domain::item::{Item, JsonObject};

use super::refusal::Refusal;

/// Longest name of a session, in bytes.
const SESSION_BYTES_MAX: usize = 255;

/// The message that a body holds, as the item of the workflow; `None` for the question what was said before in the session,
/// where the workflow does not answer it.
///
/// # Errors
/// A refusal that says what a message looks like.
pub(super) fn message(headers: &HeaderMap, body: &[u8], node: &TriggerNode) -> Result<Option<Item>, Refusal> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a message is sent as application/json"));
    }
    let message: JsonObject = serde_json::from_slice(body).map_err(|error| unreadable(&error.to_string()))?;
    let text = |name: &str| message.get(name).and_then(Value::as_str);
    if text("sessionId").is_none_or(|session| session.is_empty() || session.len() > SESSION_BYTES_MAX) {
        return Err(unreadable(&format!("its sessionId is no text of 1 to {SESSION_BYTES_MAX} bytes")));
    }
    match text("action") {
        Some("sendMessage") if text("chatInput").is_some() => {}
        Some("sendMessage") => return Err(unreadable("its chatInput is no text")),
        Some("loadPreviousSession") if tells_earlier_messages(&node.parameters) => {}
        Some("loadPreviousSession") => return Ok(None),
        _ => return Err(unreadable("its action is neither sendMessage nor loadPreviousSession")),
    }
    Ok(Some(Item::new(message)))
}

fn unreadable(why: &str) -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the message cannot be read: {why}"))
        .hint(r#"send {"action": "sendMessage", "sessionId": "…", "chatInput": "…"}"#)
}

/// The answer to the question what was said before: no messages are shown again.
pub(super) fn nothing_earlier() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "data": [] }))
}

/// The answer to a browser that looks for a page.
pub(super) fn no_page() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "there is no page of this chat: messages are sent to this address with POST")
        .hint("put a chat client into a page of your own and give it this address")
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use timeloom_commands::directory::TriggerKind;

    use super::*;

    fn read(content_type: &'static str, body: Value, options: Value) -> Result<Option<Item>, String> {
        let node = TriggerNode {
            kind: TriggerKind::Webhook,
            name: "Chat".to_owned(),
            node_type: timeloom_domain::chat_trigger::CHAT_TRIGGER_TYPE.to_owned(),
            type_version: 1.1,
            parameters: json!({ "public": true, "options": options }),
            credentials: None,
            webhook_id: Some("c".to_owned()),
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        message(&headers, body.to_string().as_bytes(), &node).map_err(|refusal| refusal.words().0.to_owned())
    }

    #[test]
    fn a_message_is_an_item_as_it_came() {
        let sent = json!({"action": "sendMessage", "sessionId": "s", "chatInput": "Hi", "metadata": {"page": 1}});
        let item = read("application/json; charset=utf-8", sent.clone(), json!({})).unwrap().unwrap();
        assert_eq!(item.json.to_value(), sent);
    }

    #[test]
    fn what_was_said_before_is_asked_of_the_workflow_only_where_it_tells() {
        let sent = json!({"action": "loadPreviousSession", "sessionId": "s"});
        assert_eq!(read("application/json", sent.clone(), json!({})), Ok(None));
        let manually = json!({"loadPreviousSession": "manually"});
        assert!(read("application/json", sent, manually).unwrap().is_some());
    }

    #[test]
    fn what_is_no_message_is_refused_with_what_is_wrong() {
        let sent = json!({"action": "sendMessage", "sessionId": "s", "chatInput": "Hi"});
        let with = |name: &str, value: Value| {
            let mut changed = sent.clone();
            changed[name] = value;
            read("application/json", changed, json!({})).unwrap_err()
        };
        assert!(read("text/plain", sent.clone(), json!({})).unwrap_err().contains("application/json"));
        assert!(read("application/json", json!(["Hi"]), json!({})).unwrap_err().contains("cannot be read"));
        assert!(with("sessionId", json!("s".repeat(256))).contains("sessionId"));
        assert!(with("sessionId", json!(7)).contains("sessionId"));
        assert!(with("chatInput", json!({"a": 1})).contains("chatInput"));
        assert!(with("action", json!("dance")).contains("neither"));
    }
}
