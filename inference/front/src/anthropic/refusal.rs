//! What is refused, in the protocol's form.

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue};
use timeloom_gateway::anthropic::{encode_error, status_of};

use crate::refused::Refused;

/// Names the call, as the protocol's clients look for it.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// The answer that refuses.
pub(super) fn response(refused: &Refused) -> HttpResponse {
    let status = status_of(refused.status);
    let body = encode_error(status, &refused.message, refused.call.as_deref());
    let mut response = refused.response(status, body.to_string());
    if let Some(call) = refused.call.as_deref().and_then(|call| HeaderValue::from_str(call).ok()) {
        response.headers_mut().insert(REQUEST_ID, call);
    }
    response
}

/// The body for whoever the door did not let in.
pub fn error_body(status: u16, message: &str) -> Vec<u8> {
    encode_error(status_of(status), message, None).to_string().into_bytes()
}
