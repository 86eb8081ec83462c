//! One event stream for many operations: `PUT` reserves it, `GET` opens it, `POST` runs an operation whose answers come on
//! it, `DELETE` stops one.
//!
//! The id of an event is the log's position and the event's number on the stream, such as `1234-17`. A client that lost the
//! connection opens the stream again with `Last-Event-ID`, and gets what came after that event, once. Invariant: what is
//! kept for it is bounded, operations wait while it is full, and a stream that nobody opens for [`ABANDONED_AFTER`] is
//! given up with its operations.

mod reservation;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderName;
use actix_web::web::{Data, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use futures::stream::{self, StreamExt};
use serde::Deserialize;

use self::reservation::{Connected, Reservation, run};
use super::super::Api;
use super::super::answer::{refuse, respond};
use super::super::door::seen;
use super::super::graphql;
use super::super::negotiation::{Accepted, Form};
use super::super::parameters::{Parameters, QueryString};
use super::{events, last_event_id};
use crate::schema::prepared;
use crate::state::ApiState;

/// How long a stream is kept that nobody has opened.
const ABANDONED_AFTER: Duration = Duration::from_secs(30);
/// Most streams of one process.
const RESERVATIONS_MAX: usize = 10_000;
/// Most operations of one stream at a time.
const OPERATIONS_MAX: usize = 100;
const TOKEN: HeaderName = HeaderName::from_static("x-graphql-event-stream-token");

/// The streams that are reserved, by their tokens.
#[derive(Debug, Default)]
pub(in crate::http) struct Reservations {
    known: Mutex<HashMap<String, Arc<Reservation>>>,
}

impl Reservations {
    fn known(&self) -> MutexGuard<'_, HashMap<String, Arc<Reservation>>> {
        // Each change of it is one step.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a query string says about a stream.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct StreamQuery {
    token: Option<String>,
    operation_id: Option<String>,
}

/// `PUT /graphql/stream`: reserves a stream, and answers its token.
pub(in crate::http) async fn reserve(request: HttpRequest, api: Data<Api>) -> HttpResponse {
    let token = api.state.commands().ids().uuid().to_string();
    let state = seen(&request, &api);
    let reservation = Arc::new(Reservation::of(state.principal()));
    {
        let mut known = api.reservations.known();
        if known.len() >= RESERVATIONS_MAX {
            let message = format!("{RESERVATIONS_MAX} event streams are open here: close some, or try again later");
            return refuse(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_STREAMS", message);
        }
        known.insert(token.clone(), Arc::clone(&reservation));
    }
    let (reservations, closing) = (Arc::clone(&api.reservations), api.state.closing().clone());
    let given_up = token.clone();
    api.state.connections().spawn(async move {
        tokio::select! {
            () = closing.cancelled() => {}
            () = reservation.abandoned(ABANDONED_AFTER) => {}
            _ = state.let_out() => {}
        }
        reservation.close();
        reservations.known().remove(&given_up);
    });
    HttpResponse::Created().content_type("text/plain; charset=utf-8").body(token)
}

/// `GET /graphql/stream`: opens a reserved stream; without a token it is an operation with a stream of its own.
pub(in crate::http) async fn open(
    request: HttpRequest,
    body: Payload,
    place: Query<StreamQuery>,
    text: Query<QueryString>,
    api: Data<Api>,
) -> HttpResponse {
    let Some(token) = token(&request, &place) else { return graphql::get(request, body, text, api).await };
    if Accepted::of(&request).best_for_many() != Some(Form::Events) {
        return refuse(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", "a stream needs Accept: text/event-stream");
    }
    let Some(reservation) = find(&request, &api, &token) else { return unknown() };
    match reservation.connect(last_event_id(&request)) {
        Ok(number) => {
            let closing = api.state.closing().clone().cancelled_owned();
            let connected = Connected::new(reservation, number);
            events(stream::unfold(connected, Connected::next).take_until(closing))
        }
        Err(refusal) => refuse(refusal.status(), refusal.code(), refusal.to_string()),
    }
}

/// `POST /graphql/stream`: runs an operation on a reserved stream; without a token it has a stream of its own.
pub(in crate::http) async fn operate(
    request: HttpRequest,
    body: Payload,
    place: Query<StreamQuery>,
    api: Data<Api>,
) -> HttpResponse {
    let Some(token) = token(&request, &place) else { return graphql::post(request, body, api).await };
    let Some(reservation) = find(&request, &api, &token) else { return unknown() };
    let parameters = match graphql::read(&request, body, &api).await {
        Ok(parameters) => parameters,
        Err(refusal) => return refusal,
    };
    begin(&api, seen(&request, &api), &reservation, parameters)
}

/// `DELETE /graphql/stream`: stops an operation of a reserved stream.
pub(in crate::http) async fn stop(request: HttpRequest, place: Query<StreamQuery>, api: Data<Api>) -> HttpResponse {
    let found = token(&request, &place).and_then(|token| find(&request, &api, &token));
    let Some(reservation) = found else { return unknown() };
    let Some(id) = &place.operation_id else {
        return refuse(StatusCode::BAD_REQUEST, "BAD_REQUEST", "the parameter operationId is missing");
    };
    reservation.stop(id);
    HttpResponse::Ok().finish()
}

fn begin(api: &Api, state: ApiState, reservation: &Arc<Reservation>, parameters: Parameters) -> HttpResponse {
    let Some(id) = parameters.operation_id().map(str::to_owned) else {
        let message = "extensions.operationId is missing: it names the operation on the stream";
        return refuse(StatusCode::BAD_REQUEST, "BAD_REQUEST", message);
    };
    let parsed = match parameters.parse(api) {
        Ok(parsed) => parsed,
        Err(unacceptable) => {
            return respond(&unacceptable.into(), Form::GraphqlResponse, api.state.graphql().partial_success);
        }
    };
    let registration = match reservation.register(&id, OPERATIONS_MAX) {
        Ok(registration) => registration,
        Err(refusal) => return refuse(refusal.status(), refusal.code(), refusal.to_string()),
    };
    let (request, progress) = prepared(parsed.into_request(), state, None);
    let operation = run(Arc::clone(reservation), id, api.schema.clone(), (request, progress));
    api.state.connections().spawn(futures::stream::Abortable::new(operation, registration));
    HttpResponse::Accepted().finish()
}

fn token(request: &HttpRequest, place: &StreamQuery) -> Option<String> {
    let header = request.headers().get(TOKEN).map(|value| value.to_str().unwrap_or("?").to_owned());
    header.or_else(|| place.token.clone())
}

/// A stream of whoever asks: the token alone opens nobody else's.
fn find(request: &HttpRequest, api: &Api, token: &str) -> Option<Arc<Reservation>> {
    let reservation = api.reservations.known().get(token).map(Arc::clone)?;
    reservation.is_of(seen(request, api).principal()).then_some(reservation)
}

fn unknown() -> HttpResponse {
    let message = "there is no such stream, or it was given up: reserve one by PUT, and begin its operations again";
    refuse(StatusCode::NOT_FOUND, "STREAM_NOT_RESERVED", message)
}
