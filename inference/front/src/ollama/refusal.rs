//! What is refused, in the protocol's form.

use actix_web::HttpResponse;
use serde_json::{Value, json};

use crate::refused::Refused;

/// The answer that refuses.
pub(super) fn response(refused: &Refused) -> HttpResponse {
    refused.response(refused.status, body(&refused.message).to_string())
}

/// The body for whoever the door did not let in.
pub fn error_body(_: u16, message: &str) -> Vec<u8> {
    body(message).to_string().into_bytes()
}

fn body(message: &str) -> Value {
    json!({ "error": message })
}
