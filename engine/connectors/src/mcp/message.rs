//! Messages of the protocol, which are those of JSON-RPC 2.0.
//!
//! Nothing is offered to servers: what they ask is refused, but for a ping. Pure.

use serde_json::{Value, json};

use super::error::{McpError, told};

/// The revisions of the protocol that are spoken; the first one is proposed.
pub(super) const REVISIONS: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];
/// The first revision, which servers speak that are programs, or have the transport of that time.
pub(super) const OLDER_REVISION: &str = "2024-11-05";
/// JSON-RPC's number for a method that there is not.
const METHOD_NOT_FOUND: i64 = -32_601;
/// Longest name of a method that a refusal repeats, in characters.
const METHOD_CHARACTERS_MAX: usize = 64;

/// What a message of a server is, to who waits for an answer.
#[derive(Debug, PartialEq)]
pub(super) enum Incoming {
    /// The answer.
    Answer(Result<Value, McpError>),
    /// A question of the server's, and the reply that it gets.
    Asked(Value),
    /// Something that needs no answer, such as how far it is.
    Told,
}

/// A question.
pub(super) fn question(id: u64, method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

/// Something that is told and not asked.
pub(super) fn notice(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "method": method, "params": params})
}

/// That a question need not be answered any more.
pub(super) fn cancelled(id: u64) -> Value {
    notice("notifications/cancelled", &json!({"requestId": id, "reason": "nobody waits for it any more"}))
}

/// The messages in a text: one, or those of a batch, which the revision of March 2025 lets servers send.
///
/// # Errors
/// [`McpError::NotMcp`] where it is no JSON.
pub(super) fn messages(text: &[u8]) -> Result<Vec<Value>, McpError> {
    match serde_json::from_slice(text) {
        Ok(Value::Array(batch)) => Ok(batch),
        Ok(one) => Ok(vec![one]),
        Err(_) => {
            let begins: String = String::from_utf8_lossy(text.get(..200).unwrap_or(text)).into_owned();
            Err(McpError::NotMcp(format!("it is no JSON, it begins with '{}'", begins.trim())))
        }
    }
}

/// What a message is to who waits for the answer to `id`.
///
/// # Errors
/// [`McpError`] where it is no message, or answers something else.
pub(super) fn incoming(message: &Value, id: u64) -> Result<Incoming, McpError> {
    if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(McpError::NotMcp("there is a message in it that is none of JSON-RPC 2.0".to_owned()));
    }
    let asked = message.get("id").filter(|id| !id.is_null());
    if let Some(method) = message.get("method").and_then(Value::as_str) {
        return Ok(asked.map_or(Incoming::Told, |asked| Incoming::Asked(reply(asked, method))));
    }
    let failed = message.get("error");
    // A server that could not even read the question answers nobody's.
    let is_ours = asked.and_then(Value::as_u64) == Some(id) || (asked.is_none() && failed.is_some());
    if !is_ours {
        return Err(McpError::OtherAnswer);
    }
    if let Some(error) = failed {
        let code = error.get("code").and_then(Value::as_i64).unwrap_or_default();
        let message = error.get("message").and_then(Value::as_str).unwrap_or("it does not say why");
        return Ok(Incoming::Answer(Err(McpError::Said { code, message: told(message) })));
    }
    match message.get("result") {
        Some(result @ Value::Object(_)) => Ok(Incoming::Answer(Ok(result.clone()))),
        _ => Err(McpError::NotMcp("there is no result in the answer".to_owned())),
    }
}

fn reply(id: &Value, method: &str) -> Value {
    if method == "ping" {
        return json!({"jsonrpc": "2.0", "id": id, "result": {}});
    }
    let method: String = method.chars().take(METHOD_CHARACTERS_MAX).collect();
    let message = format!("this client does not offer '{method}'");
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": METHOD_NOT_FOUND, "message": message}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_answer_that_was_waited_for_is_one() {
        let answer = json!({"jsonrpc": "2.0", "id": 7, "result": {"tools": []}});
        assert_eq!(incoming(&answer, 7).unwrap(), Incoming::Answer(Ok(json!({"tools": []}))));
        assert_eq!(incoming(&answer, 8), Err(McpError::OtherAnswer));
        for id in [json!("7"), json!(7.5), json!([7]), json!(-7), Value::Null] {
            let other = json!({"jsonrpc": "2.0", "id": id, "result": {}});
            assert_eq!(incoming(&other, 7), Err(McpError::OtherAnswer), "{other}");
        }
        let failed = json!({"jsonrpc": "2.0", "id": 7, "error": {"code": -32602, "message": "no"}});
        let said = McpError::Said { code: -32_602, message: "no".to_owned() };
        assert_eq!(incoming(&failed, 7).unwrap(), Incoming::Answer(Err(said)));
        for broken in [json!({"id": 7, "result": {}}), json!({"jsonrpc": "2.0", "id": 7}), json!(1), json!({})] {
            assert!(matches!(incoming(&broken, 7), Err(McpError::NotMcp(_))), "{broken}");
        }
    }

    #[test]
    fn a_server_gets_a_ping_answered_and_all_else_refused() {
        let ping = json!({"jsonrpc": "2.0", "id": "p", "method": "ping"});
        let answered = json!({"jsonrpc": "2.0", "id": "p", "result": {}});
        assert_eq!(incoming(&ping, 1).unwrap(), Incoming::Asked(answered));
        for method in ["sampling/createMessage", "roots/list", "elicitation/create", "tasks/get"] {
            let asked = json!({"jsonrpc": "2.0", "id": 3, "method": method, "params": {}});
            let Incoming::Asked(reply) = incoming(&asked, 1).unwrap() else { panic!("{method}") };
            assert_eq!((&reply["id"], &reply["error"]["code"]), (&json!(3), &json!(-32_601)), "{method}");
        }
        let told = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}});
        assert_eq!(incoming(&told, 1).unwrap(), Incoming::Told);
    }

    #[test]
    fn what_is_no_json_is_told_by_its_beginning_alone() {
        let page = format!("<!doctype html>{}", "x".repeat(10_000));
        let Err(McpError::NotMcp(why)) = messages(page.as_bytes()) else { panic!() };
        assert!(why.contains("<!doctype html>") && why.len() < 400, "{why}");
        assert_eq!(messages(b"[1,2]").unwrap().len(), 2);
    }
}
