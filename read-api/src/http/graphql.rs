//! GraphQL over HTTP: JSON in, JSON or a stream of answers out. Reads may come by GET, changes only by POST.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Data, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use async_graphql::parser::types::OperationType;

use super::answer::{Answer, refuse, respond};
use super::door::seen;
use super::idempotency::{KeyRefusal, has_key, key_of};
use super::intake::{self, NotRead};
use super::negotiation::{Accepted, Form};
use super::parameters::{Parameters, Parsed, QueryString};
use super::{Api, multipart, observe, page, sse, ws};
use crate::schema::prepared;

/// `POST /graphql`.
pub(super) async fn post(request: HttpRequest, body: Payload, api: Data<Api>) -> HttpResponse {
    match read(&request, body, &api).await {
        Ok(parameters) => run(&request, parameters, &api).await,
        Err(refusal) => refusal,
    }
}

/// `GET /graphql`: a query, a stream, a WebSocket, or the page for people.
pub(super) async fn get(request: HttpRequest, body: Payload, text: Query<QueryString>, api: Data<Api>) -> HttpResponse {
    if ws::is_upgrade(&request) {
        return ws::connect(request, body, api).await;
    }
    let text = text.into_inner();
    if text.is_empty() && Accepted::of(&request).best() == Some(Form::Page) {
        return page::graphiql().await;
    }
    match Parameters::try_from(text) {
        Ok(parameters) => run(&request, parameters, &api).await,
        Err(message) => refuse(StatusCode::BAD_REQUEST, "BAD_REQUEST", message),
    }
}

/// Reads what a body asks for, or says why it cannot be read.
pub(super) async fn read(request: &HttpRequest, body: Payload, api: &Api) -> Result<Parameters, HttpResponse> {
    check_json(request)?;
    let bytes_max = api.state.graphql().limits.body_bytes;
    let body = match intake::read(body, bytes_max).await {
        Ok(body) => body,
        Err(NotRead::Broken(error)) => {
            let message = format!("the body could not be read: {error}");
            return Err(refuse(StatusCode::BAD_REQUEST, "BAD_REQUEST", message));
        }
        Err(NotRead::TooLarge) => {
            let message = format!("the body has more than {bytes_max} bytes: send less at a time");
            return Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", message));
        }
    };
    Parameters::read(&body).map_err(|error| {
        let message = format!("the body is not a GraphQL request: {error}");
        refuse(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
    })
}

async fn run(request: &HttpRequest, parameters: Parameters, api: &Api) -> HttpResponse {
    let (accepted, partial) = (Accepted::of(request), api.state.graphql().partial_success);
    let Some(form) = accepted.best_for_one().or_else(|| accepted.best_for_many()) else {
        let message = "answers are application/json, application/graphql-response+json, text/event-stream or, of \
                       subscriptions, multipart/mixed;subscriptionSpec=1.0";
        return refuse(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", message);
    };
    let parsed = match parameters.parse(api) {
        Ok(parsed) => parsed,
        Err(unacceptable) if form == Form::Events => return sse::refused(unacceptable.into()),
        Err(unacceptable) => return respond(&unacceptable.into(), form, partial),
    };
    observe::asked(request, parsed.operation_type(), parsed.operation_name());
    if let Err(refusal) = check_method(request, &parsed) {
        return refusal;
    }
    if form.is_stream() && parsed.operation_type() == OperationType::Mutation && has_key(request) {
        let refusal = KeyRefusal::Stream;
        return refuse(refusal.status(), refusal.code(), refusal.to_string());
    }
    let is_subscription = parsed.operation_type() == OperationType::Subscription;
    match if is_subscription { accepted.best_for_many() } else { Some(form) } {
        Some(Form::Events) => sse::stream(request, parsed.into_request(), api),
        Some(Form::Parts) => multipart::stream(parsed.into_request(), seen(request, api), api),
        Some(form) => match answer(request, parsed, api).await {
            Ok(answer) => respond(&answer, form, partial),
            Err(refusal) => refuse(refusal.status(), refusal.code(), refusal.to_string()),
        },
        None => {
            let message = "subscriptions need Accept: text/event-stream or multipart/mixed;subscriptionSpec=1.0, or a \
                           WebSocket with graphql-transport-ws";
            refuse(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", message)
        }
    }
}

/// The one answer of an operation: of a change with a key, the one that it got before.
async fn answer(request: &HttpRequest, parsed: Parsed, api: &Api) -> Result<Arc<Answer>, KeyRefusal> {
    let is_change = parsed.operation_type() == OperationType::Mutation;
    let key = if is_change { key_of(request)? } else { None };
    let state = seen(request, api);
    let Some(key) = key else {
        let (operation, _) = prepared(parsed.into_request(), state, None);
        return Ok(Arc::new(Answer::from(api.schema.execute(operation).await)));
    };
    let kept = api.answers.of(state.principal(), &key, parsed.fingerprint())?;
    let (operation, _) = prepared(parsed.into_request(), state.with_key(key), None);
    Ok(kept.answer(async { Answer::from(api.schema.execute(operation).await) }).await)
}

/// Changes come by POST alone: a GET can be sent by a link.
fn check_method(request: &HttpRequest, parsed: &Parsed) -> Result<(), HttpResponse> {
    if parsed.operation_type() != OperationType::Mutation || request.method() == actix_web::http::Method::POST {
        return Ok(());
    }
    let mut refusal = refuse(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "mutations need POST");
    refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    Err(refusal)
}

/// Only JSON is taken: other types can be sent by forms of any web page without asking first.
fn check_json(request: &HttpRequest) -> Result<(), HttpResponse> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut parts = content_type.unwrap_or_default().split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    let is_utf8 = parts.filter_map(|part| part.split_once('=')).all(|(name, value)| {
        !name.eq_ignore_ascii_case("charset") || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    if is_json && is_utf8 {
        return Ok(());
    }
    let message = "send Content-Type: application/json, in UTF-8";
    Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message))
}
