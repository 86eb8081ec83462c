//! Subscriptions as parts of one answer over plain HTTP, as Apollo's clients ask for them (`subscriptionSpec=1.0`).
//!
//! A client that lost the connection gives the position of its last event as `resumeFrom`: parts have no ids.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header;
use async_graphql::{Request, Response};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use serde::Serialize;

use super::Api;
use super::answer::Answer;
use crate::schema::prepared;
use crate::state::ApiState;

/// Silence after which an empty part is sent, so that nobody on the way takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
const CONTENT_TYPE: &str = "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0";
/// A boundary follows each part at once: clients know a part's end by it.
const FIRST: &str = "--graphql";
const EMPTY: &str = "{}";

#[derive(Serialize)]
struct Part {
    payload: Answer,
}

/// The answers of an operation, a part for each.
pub(super) fn stream(operation: Request, state: ApiState, api: &Api) -> HttpResponse {
    let (operation, _) = prepared(operation, state, None);
    let answers = Parts { responses: api.schema.execute_stream(operation), complete: false };
    let closing = api.state.closing().clone().cancelled_owned();
    let first = stream::once(std::future::ready(Bytes::from_static(FIRST.as_bytes())));
    let body = first.chain(stream::unfold(answers, Parts::next).take_until(closing));
    HttpResponse::Ok()
        .content_type(CONTENT_TYPE)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(body.map(Ok::<Bytes, Infallible>))
}

struct Parts {
    responses: BoxStream<'static, Response>,
    complete: bool,
}

impl Parts {
    async fn next(mut self) -> Option<(Bytes, Self)> {
        if self.complete {
            return None;
        }
        let text = match tokio::time::timeout(KEEP_ALIVE, self.responses.next()).await {
            Err(_) => part(EMPTY),
            Ok(Some(response)) => part(&written(&Part { payload: Answer::from(response) })),
            Ok(None) => {
                self.complete = true;
                "--\r\n".to_owned()
            }
        };
        Some((Bytes::from(text), self))
    }
}

fn part(json: &str) -> String {
    format!("\r\ncontent-type: application/json\r\n\r\n{json}\r\n--graphql")
}

fn written(part: &Part) -> String {
    serde_json::to_string(part).unwrap_or_else(|error| {
        tracing::error!(error = %error, "a part could not be written");
        EMPTY.to_owned()
    })
}
