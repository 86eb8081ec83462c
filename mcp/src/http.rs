//! MCP over HTTP: one message a request, one answer a response. No session is kept and no stream is held open, so that any
//! process behind a balancer answers.
//!
//! Who may come in is decided before a request comes here. A body is read within bounds of size and time.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderMap};
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::api::Api;
use crate::message::{Fault, code};
use crate::server::{Heads, Server};

/// Where it is.
pub const PATH: &str = "/mcp";
/// Longest time in which a body comes in.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);
/// Most bytes of a refused body that are thrown away before the connection is closed.
const DRAINED_BYTES_MAX: usize = 32 << 20;
/// Longest time for that.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);
/// How a header begins and ends whose text is encoded.
const ENCODED: (&str, &str) = ("=?base64?", "?=");

/// Whoever sends a request.
pub trait Callers: Send + Sync {
    /// The API as they see it; `None` where nobody let them in.
    fn caller(&self, request: &HttpRequest) -> Option<Box<dyn Api>>;
}

/// The server behind HTTP.
pub struct Front {
    /// What answers.
    pub server: Server,
    /// Who asks.
    pub callers: Box<dyn Callers>,
    /// Largest body of a request, in bytes.
    pub body_bytes_max: usize,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Front").field("server", &self.server).finish_non_exhaustive()
    }
}

/// Adds the routes.
pub fn routes(front: Arc<Front>, config: &mut ServiceConfig) {
    let resource = web::resource(PATH).app_data(Data::from(front)).route(web::post().to(post));
    config.service(resource.default_service(web::to(other)));
}

/// The body that tells whoever sent a request a status and a message, where it is not answered here.
pub fn error_body(status: u16, message: &str) -> Vec<u8> {
    let data = Some(Box::new(json!({ "status": status })));
    let fault = Fault { data, ..Fault::new(code::NOT_TAKEN, message) };
    fault.answer(&Value::Null).to_string().into_bytes()
}

/// Other methods: no stream is held open, and there is no session to end.
async fn other() -> HttpResponse {
    let body = error_body(405, "send messages by POST: there are no sessions and no streams here");
    let mut response = HttpResponse::MethodNotAllowed();
    response.insert_header((ALLOW, "POST")).insert_header((CONTENT_TYPE, "application/json")).body(body)
}

async fn post(front: Data<Front>, request: HttpRequest, body: Payload) -> HttpResponse {
    let Some(api) = front.callers.caller(&request) else { return refuse(401, "nobody let you in") };
    let headers = request.headers();
    if !is_json(headers) {
        return refuse(415, "send Content-Type: application/json");
    }
    if !takes_json(headers) {
        return refuse(406, "answers are application/json: accept it");
    }
    let Ok((version, method, name)) = heads(headers) else {
        let fault = Fault::new(code::HEADER_MISMATCH, "a header of the protocol is there twice, or is no text");
        return answer(400, Some(&fault.answer(&Value::Null)));
    };
    let body = match tokio::time::timeout(BODY_TIME_MAX, read(body, front.body_bytes_max)).await {
        Ok(Ok(body)) => body,
        Ok(Err(NotRead::TooLarge)) => {
            let message = format!("the body has more than {} bytes: send less at a time", front.body_bytes_max);
            return refuse(413, &message);
        }
        Ok(Err(NotRead::Broken)) => return refuse(400, "the body did not arrive whole"),
        Err(_) => return refuse(408, "the body did not arrive in time"),
    };
    let name = name.map(decoded);
    let heads = Heads { version, method, name: name.as_deref() };
    let reply = front.server.answer(&*api, &body, Some(heads)).await;
    answer(reply.status, reply.body.as_ref())
}

/// A refusal before there was a message.
fn refuse(status: u16, message: &str) -> HttpResponse {
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    HttpResponse::build(code).insert_header((CONTENT_TYPE, "application/json")).body(error_body(status, message))
}

fn answer(status: u16, body: Option<&Value>) -> HttpResponse {
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    response.insert_header((CACHE_CONTROL, "no-store"));
    match body {
        Some(body) => response.insert_header((CONTENT_TYPE, "application/json")).body(body.to_string()),
        None => response.finish(),
    }
}

/// Why a body was not read.
enum NotRead {
    TooLarge,
    Broken,
}

async fn read(mut body: Payload, bytes_max: usize) -> Result<Bytes, NotRead> {
    let mut taken = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| NotRead::Broken)?;
        if taken.len() + chunk.len() > bytes_max {
            drop(taken);
            drain(body).await;
            return Err(NotRead::TooLarge);
        }
        taken.extend_from_slice(&chunk);
    }
    Ok(taken.freeze())
}

/// Throws away what is left of a refused body, as much of it as comes soon: who is cut off while it sends never reads why.
async fn drain(mut rest: Payload) {
    let draining = async {
        let mut left = DRAINED_BYTES_MAX;
        while let Some(Ok(chunk)) = rest.next().await {
            match left.checked_sub(chunk.len()) {
                Some(less) => left = less,
                None => return,
            }
        }
    };
    // What does not come in time is cut off.
    let _ = tokio::time::timeout(DRAIN_TIME_MAX, draining).await;
}

/// Only JSON is taken: other types can be sent by forms of any web page without asking first.
fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// Whether JSON may be answered. Whoever says nothing takes everything.
fn takes_json(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(ACCEPT).filter_map(|value| value.to_str().ok()).peekable();
    if accepted.peek().is_none() {
        return true;
    }
    let essence = |part: &str| part.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    accepted
        .flat_map(|value| value.split(','))
        .any(|part| matches!(essence(part).as_str(), "application/json" | "application/*" | "*/*"))
}

/// The headers of the protocol; version, method and name.
type HeadTexts<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>);

/// Reads them.
///
/// # Errors
/// When one is there twice or is no text: what stands between may have read another one.
fn heads(headers: &HeaderMap) -> Result<HeadTexts<'_>, ()> {
    Ok((only(headers, "mcp-protocol-version")?, only(headers, "mcp-method")?, only(headers, "mcp-name")?))
}

/// The text of a header that is there once at most.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

/// The text of a header that may be encoded.
fn decoded(text: &str) -> String {
    let inner = text.strip_prefix(ENCODED.0).and_then(|rest| rest.strip_suffix(ENCODED.1));
    let decoded = inner.and_then(|inner| String::from_utf8(STANDARD.decode(inner).ok()?).ok());
    decoded.unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(given: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn json_alone_is_taken_and_given() {
        assert!(is_json(&headers(&[("content-type", "application/json; charset=utf-8")])));
        assert!(!is_json(&headers(&[("content-type", "text/plain")])) && !is_json(&headers(&[])));
        assert!(
            takes_json(&headers(&[]))
                && takes_json(&headers(&[("accept", "text/event-stream, application/json;q=0.5")]))
        );
        assert!(!takes_json(&headers(&[("accept", "text/event-stream")])));
    }

    #[test]
    fn headers_that_are_there_twice_are_not_believed() {
        assert_eq!(heads(&headers(&[("mcp-method", "ping")])), Ok((None, Some("ping"), None)));
        assert_eq!(heads(&headers(&[("mcp-name", "a"), ("mcp-name", "a")])), Err(()));
    }

    #[test]
    fn names_may_be_encoded() {
        assert_eq!(decoded("list_workflows"), "list_workflows");
        assert_eq!(decoded("=?base64?Z3LDvG4=?="), "grün");
        assert_eq!(decoded("=?base64?***?="), "=?base64?***?=");
    }
}
