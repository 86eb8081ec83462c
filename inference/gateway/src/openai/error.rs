//! Errors, in and out.

use serde_json::{Value, json};
use timeloom_domain::chat::ErrorClass;

use crate::error::CallError;

/// Reads the body of an answer that is an error.
pub fn decode_error(status: u16, body: &[u8]) -> CallError {
    let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let error = value.get("error").unwrap_or(&value);
    let (message, code) = words_of(error);
    let class = class_of_code(&code).unwrap_or_else(|| class_of_status(status));
    CallError::new(class, told(status, &message)).with_status(status)
}

/// Reads the error in the middle of a stream.
pub(super) fn error_in_stream(error: &str) -> CallError {
    let value: Value = serde_json::from_str(error).unwrap_or(Value::Null);
    let (message, code) = words_of(&value);
    let status = value.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let class = class_of_code(&code).or_else(|| status.map(class_of_status)).unwrap_or(ErrorClass::Server);
    CallError::new(class, format!("the provider failed in the middle of its answer: {message}"))
}

/// The message, and the code or the type that tells most.
fn words_of(error: &Value) -> (String, String) {
    let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    let message = error.as_str().unwrap_or_else(|| text("message"));
    let code = [text("code"), text("type")].into_iter().find(|word| class_of_code(word).is_some());
    (message.to_owned(), code.unwrap_or_default().to_owned())
}

fn class_of_code(code: &str) -> Option<ErrorClass> {
    match code {
        "rate_limit_exceeded" | "rate_limit_error" | "tokens" | "requests" => Some(ErrorClass::RateLimited),
        "insufficient_quota" | "billing_hard_limit_reached" => Some(ErrorClass::OutOfCredit),
        "context_length_exceeded" | "string_above_max_length" => Some(ErrorClass::TooLong),
        "content_filter" | "content_policy_violation" => Some(ErrorClass::ContentFiltered),
        "invalid_api_key" | "authentication_error" | "permission_error" => Some(ErrorClass::Unauthorized),
        "model_not_found" => Some(ErrorClass::NotFound),
        "overloaded_error" | "engine_overloaded" => Some(ErrorClass::Overloaded),
        _ => None,
    }
}

/// What the status of an answer says, in all three protocols.
pub(crate) fn class_of_status(status: u16) -> ErrorClass {
    match status {
        401 | 403 => ErrorClass::Unauthorized,
        402 => ErrorClass::OutOfCredit,
        404 => ErrorClass::NotFound,
        408 | 504 => ErrorClass::Timeout,
        413 => ErrorClass::TooLong,
        429 => ErrorClass::RateLimited,
        502 => ErrorClass::Unreachable,
        503 | 529 => ErrorClass::Overloaded,
        400..=499 => ErrorClass::BadRequest,
        500..=599 => ErrorClass::Server,
        _ => ErrorClass::Garbage,
    }
}

/// What a provider's error is told as.
pub(crate) fn told(status: u16, message: &str) -> String {
    if message.is_empty() {
        format!("the provider answered with status {status}")
    } else {
        format!("the provider answered with status {status}: {message}")
    }
}

/// Writes an error for a client of the protocol.
pub fn encode_error(class: ErrorClass, message: &str, at: Option<&str>) -> Value {
    let (kind, code) = match class {
        ErrorClass::RateLimited => ("rate_limit_error", Some("rate_limit_exceeded")),
        ErrorClass::OutOfCredit => ("insufficient_quota", Some("insufficient_quota")),
        ErrorClass::Unauthorized => ("authentication_error", None),
        ErrorClass::NotFound => ("invalid_request_error", Some("model_not_found")),
        ErrorClass::ContentFiltered => ("invalid_request_error", Some("content_filter")),
        ErrorClass::TooLong => ("invalid_request_error", Some("context_length_exceeded")),
        ErrorClass::BadRequest | ErrorClass::Unsupported => ("invalid_request_error", None),
        ErrorClass::Overloaded
        | ErrorClass::Timeout
        | ErrorClass::Unreachable
        | ErrorClass::Server
        | ErrorClass::Garbage => ("server_error", Some(class.name())),
    };
    json!({ "error": { "message": message, "type": kind, "param": at, "code": code } })
}
