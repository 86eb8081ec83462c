//! What Anthropic's interface says is wrong, by the classes that routes go by.

use serde_json::Value;
use timeloom_domain::chat::ErrorClass;
use timeloom_domain::item::JsonObject;

use crate::error::CallError;
use crate::openai::{class_of_status, told};

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
