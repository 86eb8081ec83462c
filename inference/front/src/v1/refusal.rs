//! What is refused, in the protocol's form.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::{Value, json};
use timeloom_domain::chat::ErrorClass;
use timeloom_gateway::openai::encode_error;

/// Names the call of an answer, or of a refusal that is written down.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The status of HTTP.
    pub status: u16,
    /// The body.
    pub body: Value,
    /// When to ask again, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// By which it is found, where it is written down.
    pub call: Option<String>,
}

impl Refusal {
    /// A refusal of that class.
    pub fn new(status: u16, class: ErrorClass, message: &str) -> Self {
        Self { status, body: encode_error(class, message, None), retry_after_ms: None, call: None }
    }

    /// The same with the reason as a word.
    #[must_use]
    pub fn coded(mut self, code: &str) -> Self {
        self.body["error"]["code"] = code.to_ascii_lowercase().into();
        self
    }

    /// What is wrong with a request.
    pub(super) fn invalid(message: &str) -> Self {
        Self::new(400, ErrorClass::BadRequest, message)
    }

    pub(super) fn response(&self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        response.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
        if status == StatusCode::UNAUTHORIZED {
            response.insert_header((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        if let Some(after_ms) = self.retry_after_ms {
            // The header knows whole seconds only; stock clients look at the other one first.
            response.insert_header((RETRY_AFTER, after_ms.div_ceil(1_000).max(1).to_string()));
            response.insert_header((HeaderName::from_static("retry-after-ms"), after_ms.to_string()));
        }
        if let Some(call) = &self.call {
            response.insert_header((REQUEST_ID, call.as_str()));
        }
        response.body(self.body.to_string())
    }
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
