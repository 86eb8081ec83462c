//! GraphQL over server-sent events: a connection for each operation here, one for many of them in [`shared`]. The id of
//! an event is the log's position, so that a browser that lost the connection goes on after the last event that it had.

pub(super) mod shared;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponse};
use async_graphql::{Request, Response};
use bytes::Bytes;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use timeloom_store::Position;

use super::Api;
use super::answer::{Answer, refuse};
use super::door::seen;
use crate::schema::{Progress, prepared};

/// Silence after which a comment is sent, so that nobody on the way takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(12);
const KEPT_ALIVE: &str = ":\n\n";
const COMPLETE: &str = "event: complete\ndata:\n\n";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The answers of an operation as an event stream.
pub(super) fn stream(request: &HttpRequest, operation: Request, api: &Api) -> HttpResponse {
    let resume_after = match resume_after(request) {
        Ok(position) => position,
        Err(message) => return refuse(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", message),
    };
    let (operation, progress) = prepared(operation, seen(request, api), resume_after);
    let answers = Answers { responses: api.schema.execute_stream(operation), progress, complete: false };
    let closing = api.state.closing().clone().cancelled_owned();
    events(stream::unfold(answers, Answers::next).take_until(closing))
}

/// An operation that is not run, told as events: an event stream has no other place for errors.
pub(super) fn refused(answer: Answer) -> HttpResponse {
    let text = format!("event: next\ndata: {}\n\n{COMPLETE}", answer.text());
    events(stream::once(std::future::ready(Bytes::from(text))))
}

fn events(body: impl Stream<Item = Bytes> + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/event-stream; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(body.map(Ok::<Bytes, Infallible>))
}

fn last_event_id(request: &HttpRequest) -> Option<&str> {
    request.headers().get(LAST_EVENT_ID).map(|value| value.to_str().unwrap_or("?"))
}

fn resume_after(request: &HttpRequest) -> Result<Option<Position>, String> {
    let Some(id) = last_event_id(request) else { return Ok(None) };
    id.parse().map(|number| Some(Position(number))).map_err(|_| "Last-Event-ID is not a position".to_owned())
}

struct Answers {
    responses: BoxStream<'static, Response>,
    progress: Arc<Progress>,
    complete: bool,
}

impl Answers {
    fn id(&self) -> String {
        self.progress.position().map(|position| format!("id: {position}\n")).unwrap_or_default()
    }

    async fn next(mut self) -> Option<(Bytes, Self)> {
        if self.complete {
            return None;
        }
        let text = match tokio::time::timeout(KEEP_ALIVE, self.responses.next()).await {
            // A client that had no event yet learns where to go on, too.
            Err(_) => format!("{}{KEPT_ALIVE}", self.id()),
            Ok(Some(response)) => {
                let id = self.id();
                // JSON text has no line breaks, so one data line holds it.
                format!("event: next\n{id}data: {}\n\n", Answer::from(response).text())
            }
            Ok(None) => {
                self.complete = true;
                COMPLETE.to_owned()
            }
        };
        Some((Bytes::from(text), self))
    }
}
