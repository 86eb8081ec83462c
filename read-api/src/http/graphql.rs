//! GraphQL over HTTP: JSON in, JSON or an event stream out. Reads may come by GET, changes only by POST.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Data, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use async_graphql::parser::types::OperationType;

use super::answer::{Answer, refuse, respond};
use super::negotiation::{Form, form};
use super::parameters::{Parameters, QueryString};
use super::{Api, BODY_BYTES_MAX, page, sse, ws};
use crate::schema::prepared;

/// `POST /graphql`.
pub(super) async fn post(request: HttpRequest, body: Payload, api: Data<Api>) -> HttpResponse {
    if let Err(refusal) = check_json(&request) {
        return refusal;
    }
    let body = match body.to_bytes_limited(BODY_BYTES_MAX).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) => {
            return refuse(StatusCode::BAD_REQUEST, "BAD_REQUEST", format!("the body could not be read: {error}"));
        }
        Err(_) => {
            let message = format!("the body has more than {BODY_BYTES_MAX} bytes: send less at a time");
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", message);
        }
    };
    match serde_json::from_slice::<Parameters>(&body) {
        Ok(parameters) => run(&request, parameters, &api).await,
        Err(error) => {
            let message = format!("the body is not a GraphQL request: {error}");
            refuse(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
        }
    }
}

/// `GET /graphql`: a query, an event stream, a WebSocket, or the page for people.
pub(super) async fn get(request: HttpRequest, body: Payload, text: Query<QueryString>, api: Data<Api>) -> HttpResponse {
    if ws::is_upgrade(&request) {
        return ws::connect(request, body, api).await;
    }
    let text = text.into_inner();
    if text.is_empty() && form(&request) == Some(Form::Page) {
        return page::graphiql().await;
    }
    match Parameters::try_from(text) {
        Ok(parameters) => run(&request, parameters, &api).await,
        Err(message) => refuse(StatusCode::BAD_REQUEST, "BAD_REQUEST", message),
    }
}

async fn run(request: &HttpRequest, parameters: Parameters, api: &Api) -> HttpResponse {
    // A page that asks a question with its own script still gets JSON.
    let Some(form) = form(request).map(|form| if form == Form::Page { Form::Json } else { form }) else {
        let message = "answers are application/json, application/graphql-response+json or text/event-stream";
        return refuse(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", message);
    };
    let parsed = match parameters.parse(api) {
        Ok(parsed) => parsed,
        Err(unacceptable) => return respond(&unacceptable.into(), form),
    };
    let operation = parsed.operation_type();
    if operation == OperationType::Mutation && request.method() != actix_web::http::Method::POST {
        let mut refusal = refuse(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "mutations need POST");
        refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return refusal;
    }
    if form == Form::Events {
        return sse::stream(request, parsed.into_request(), api);
    }
    if operation == OperationType::Subscription {
        let message = "subscriptions need Accept: text/event-stream, or a WebSocket with graphql-transport-ws";
        return refuse(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", message);
    }
    let (request, _) = prepared(parsed.into_request(), None);
    respond(&Answer::from(api.schema.execute(request).await), form)
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
