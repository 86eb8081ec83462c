//! Every request gets an id, and is counted and traced when its answer begins.
//!
//! The id is the caller's where it sends a plain one, so that what it logs and what is logged here can be laid side by side.
//! So is the trace, as W3C's Trace Context says it. Never counts or traces by a path, only by the pattern of a route: paths
//! are the callers' to choose, and some have a secret in them.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _, HttpRequest};
use async_graphql::parser::types::OperationType;
use timeloom_domain::trace::TraceParent;
use timeloom_monitor::{Answered, Operation};
use timeloom_store::RequestFacts;
use tracing::Instrument as _;

use super::Api;
use super::deprecated::{self, DEPRECATED};

/// The header with a request's id, in requests and answers.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id of a caller's, in characters.
const ID_CHARS_MAX: usize = 128;
/// What a request counts as that no route takes.
const NO_ROUTE: &str = "none";
/// What a method counts as that no standard knows.
const OTHER_METHOD: &str = "other";
/// The header by which callers tell of their span.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The header by which answers tell of the span that they came of.
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");
/// Routes that machines ask all the time: their spans would be most of all.
const NOT_TRACED: [&str; 11] = [
    "/assets/{name}",
    "/graphiql/graphiql.css",
    "/graphiql/graphiql.js",
    "/health/live",
    "/health/ready",
    "/healthz",
    "/icons/{name}",
    "/manifest.webmanifest",
    "/metrics",
    "/readyz",
    "/sw.js",
];

/// What is known of a request, beside it.
#[derive(Debug, Clone)]
struct Told {
    id: String,
    /// The span under which what comes of it belongs: its own, or else the caller's.
    within: Option<TraceParent>,
}

/// What a request asks of GraphQL, beside it.
#[derive(Debug, Clone)]
struct Asked {
    kind: &'static str,
    name: Option<String>,
}

/// Takes down what a request asks of GraphQL.
pub(super) fn asked(request: &HttpRequest, kind: OperationType, name: Option<&str>) {
    let kind = match kind {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    };
    request.extensions_mut().insert(Asked { kind, name: name.map(str::to_owned) });
}

/// What is kept of a request from whoever it is.
pub(super) fn facts(request: &HttpRequest) -> RequestFacts {
    let extensions = request.extensions();
    let Some(Told { id, within }) = extensions.get::<Told>() else { return RequestFacts::default() };
    let (request_id, traceparent) = (Some(id.clone()), within.map(|within| within.to_string()));
    RequestFacts { request_id, traceparent, ..RequestFacts::default() }
}

/// Gives the request an id, which the answer and all that is logged for it carry, and a place in a trace; and counts it.
pub(super) async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let began = Instant::now();
    let Some(api) = request.app_data::<Data<Api>>().cloned() else { return next.call(request).await };
    let ids = api.state.commands().ids();
    let id = own_id(&request).unwrap_or_else(|| ids.uuid().to_string());
    let method = name_of(request.method());
    let route = request.match_pattern();
    let is_traced = !route.as_deref().is_some_and(|route| NOT_TRACED.contains(&route));
    let caller = callers_span(&request);
    let traced = api.state.tracer().filter(|_| is_traced).map(|tracer| (tracer, tracer.begin(caller, ids.uuid())));
    let within = traced.map(|(_, span)| span.own).or(caller);
    request.extensions_mut().insert(Told { id: id.clone(), within });
    let span = tracing::info_span!("request", id, method);
    let mut response = next.call(request).instrument(span).await?;
    let (status, took) = (response.status().as_u16(), began.elapsed());
    tell(&mut response, REQUEST_ID, &id);
    deprecated::tell(response.headers_mut(), route.as_deref(), DEPRECATED);
    if let Some((tracer, span)) = traced {
        tell(&mut response, TRACERESPONSE, &span.own.to_string());
        let method = Some(method).filter(|method| *method != OTHER_METHOD);
        let asked = response.request().extensions().get::<Asked>().cloned();
        let operation = asked.as_ref().map(|asked| Operation { kind: asked.kind, name: asked.name.as_deref() });
        let answered = Answered { route: route.as_deref(), method, status, request_id: &id, took, operation };
        tracer.answered(&span, &answered);
    }
    api.state.metrics().answered(route.as_deref().unwrap_or(NO_ROUTE), method, status, took);
    Ok(response)
}

fn tell<B>(response: &mut ServiceResponse<B>, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().insert(name, value);
    }
}

/// The span that the caller tells of. What is malformed or there twice is none: a trace begins here then.
fn callers_span(request: &ServiceRequest) -> Option<TraceParent> {
    let mut told = request.headers().get_all(&TRACEPARENT);
    match (told.next(), told.next()) {
        (Some(span), None) => span.to_str().ok()?.parse().ok(),
        _ => None,
    }
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
        _ => OTHER_METHOD,
    }
}
