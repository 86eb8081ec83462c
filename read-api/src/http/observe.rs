//! Every request gets an id, and is counted when its answer begins.
//!
//! The id is the caller's where it sends a plain one, so that what it logs and what is logged here can be laid side by side.
//! Never counts by a path, only by the pattern of a route: paths are the callers' to choose.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _};
use tracing::Instrument as _;

use super::Api;

/// The header with a request's id, in requests and answers.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id of a caller's, in characters.
const ID_CHARS_MAX: usize = 128;
/// What a request counts as that no route takes.
const NO_ROUTE: &str = "none";

/// The id of a request, beside it.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub String);

/// Gives the request an id, which the answer and all that is logged for it carry, and counts it.
pub(super) async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let began = Instant::now();
    let Some(api) = request.app_data::<Data<Api>>().cloned() else { return next.call(request).await };
    let id = own_id(&request).unwrap_or_else(|| api.state.commands().ids().uuid().to_string());
    let method = name_of(request.method());
    request.extensions_mut().insert(RequestId(id.clone()));
    let span = tracing::info_span!("request", id, method);
    let mut response = next.call(request).instrument(span).await?;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let route = response.request().match_pattern();
    let route = route.as_deref().unwrap_or(NO_ROUTE);
    api.state.metrics().answered(route, method, response.status().as_u16(), began.elapsed());
    Ok(response)
}

/// The id that the caller gave, if it is a plain one: it goes into logs as it is.
fn own_id(request: &ServiceRequest) -> Option<String> {
    let id = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    ((1..=ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(is_plain)).then(|| id.to_owned())
}

/// The name of a method that the standards know; others are counted together.
fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
