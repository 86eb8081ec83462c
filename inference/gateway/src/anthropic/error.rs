//! What Anthropic's interface says is wrong, by the classes that routes go by; and errors for clients of the protocol.

use serde_json::{Value, json};
use timeloom_domain::chat::ErrorClass;
use timeloom_domain::item::JsonObject;

use crate::error::CallError;
use crate::openai::{class_of_status, told};

/// The protocol's own status for whoever has more to do than they can.
const OVERLOADED_STATUS: u16 = 529;

/// Reads the body of an answer that is an error.
pub fn decode_error(status: u16, body: &[u8]) -> CallError {
    let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let error = value.get("error").unwrap_or(&Value::Null);
    let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    let class = class_of(text("type"), text("message")).unwrap_or_else(|| class_of_status(status));
    CallError::new(class, told(status, text("message"))).with_status(status)
}

/// Reads the error in the middle of a stream.
pub(super) fn error_in_stream(fields: &JsonObject) -> CallError {
    let error = fields.get("error").unwrap_or(&Value::Null);
    let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    let wrong = if text("type") == "invalid_request_error" { ErrorClass::BadRequest } else { ErrorClass::Server };
    let class = class_of(text("type"), text("message")).unwrap_or(wrong);
    CallError::new(class, format!("the provider failed in the middle of its answer: {}", text("message")))
}

fn class_of(kind: &str, message: &str) -> Option<ErrorClass> {
    match kind {
        "rate_limit_error" => Some(ErrorClass::RateLimited),
        "overloaded_error" => Some(ErrorClass::Overloaded),
        "authentication_error" | "permission_error" => Some(ErrorClass::Unauthorized),
        "billing_error" => Some(ErrorClass::OutOfCredit),
        "not_found_error" => Some(ErrorClass::NotFound),
        "request_too_large" => Some(ErrorClass::TooLong),
        "timeout_error" => Some(ErrorClass::Timeout),
        "api_error" => Some(ErrorClass::Server),
        "invalid_request_error" if message.contains("prompt is too long") => Some(ErrorClass::TooLong),
        _ => None,
    }
}

/// Writes an error for a client of the protocol, with the status that says it there.
pub fn encode_error(status: u16, message: &str, call: Option<&str>) -> Value {
    let kind = match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        OVERLOADED_STATUS => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    json!({ "type": "error", "error": { "type": kind, "message": message }, "request_id": call })
}

/// The status by which the protocol says what a status of HTTP says.
pub fn status_of(status: u16) -> u16 {
    if status == 503 { OVERLOADED_STATUS } else { status }
}
