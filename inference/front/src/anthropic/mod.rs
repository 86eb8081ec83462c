//! The door at which language models are asked by the protocol of Anthropic's messages: answers whole and piece by piece, the
//! tokens of a request, the list of what can be asked.

mod models;
mod refusal;
mod routes;

use actix_web::dev::RequestHead;
use actix_web::http::header::HeaderName;

pub use refusal::error_body;
pub use routes::routes;

/// Says which version of the protocol is spoken, and that it is.
const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
/// Where messages are sent.
const MESSAGES: &str = "/v1/messages";

/// Whether a request below `/v1` is one of this protocol.
pub fn is_meant(head: &RequestHead) -> bool {
    head.headers().contains_key(VERSION) || head.uri.path().starts_with(MESSAGES)
}
