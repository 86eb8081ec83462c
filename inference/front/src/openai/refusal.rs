//! What is refused, in the protocol's form.

use actix_web::HttpResponse;
use serde_json::json;
use timeloom_gateway::openai::encode_error;

use crate::refused::Refused;

/// The answer that refuses.
pub(super) fn response(refused: &Refused) -> HttpResponse {
    let mut body = encode_error(refused.class, &refused.message, None);
    if let Some(code) = refused.code {
        body["error"]["code"] = match code {
            // As the protocol's own clients know them.
            "LIMIT_REACHED" => "rate_limit_exceeded".into(),
            "ROUTE_NOT_FOUND" => "model_not_found".into(),
            other => other.to_ascii_lowercase().into(),
        };
    }
    refused.response(refused.status, body.to_string())
}

/// The body for whoever the door did not let in.
pub fn error_body(status: u16, message: &str) -> Vec<u8> {
    let (kind, code) = match status {
        401 => ("authentication_error", Some("invalid_api_key")),
        403 => ("permission_error", Some("forbidden")),
        429 => ("rate_limit_error", Some("rate_limit_exceeded")),
        500.. => ("server_error", None),
        _ => ("invalid_request_error", None),
    };
    json!({ "error": { "message": message, "type": kind, "param": null, "code": code } }).to_string().into_bytes()
}
