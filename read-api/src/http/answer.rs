//! Answers as JSON, with the status that the client's form of answer asks for. Never says how the server is built.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentType};
use async_graphql::{Response, ServerError, Value};
use serde::Serialize;
use serde_json::json;

use super::idempotency::all_done;
use super::negotiation::{Form, GRAPHQL_RESPONSE};
use crate::documents::Unacceptable;
use crate::options::PartialSuccess;

/// 294 Partial Success.
const PARTIAL_SUCCESS: u16 = 294;

/// An answer as it is written: without `data` when nothing was executed.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ServerError>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extensions: BTreeMap<String, Value>,
    /// Whether it tells something that is told once, such as a key that was made.
    #[serde(skip)]
    told_once: bool,
}

impl Answer {
    /// Whether nothing was executed, because the request as a whole is wrong.
    pub(super) fn is_refused(&self) -> bool {
        self.data.is_none()
    }

    /// Whether it says that everything that was asked was done.
    pub(super) fn says_done(&self) -> bool {
        self.errors.is_empty() && self.data.as_ref().is_some_and(all_done)
    }

    /// Whether it may be kept, to be given again.
    pub(super) fn may_be_kept(&self) -> bool {
        self.says_done() && !self.told_once
    }

    /// Whether there is data, and there are errors.
    fn is_partial(&self) -> bool {
        !self.errors.is_empty() && self.data.as_ref().is_some_and(|data| *data != Value::Null)
    }

    /// After how many seconds to try again, when too much was asked for.
    fn retry_after(&self) -> Option<u64> {
        let extensions = self.errors.first()?.extensions.as_ref()?;
        match extensions.get("retryAfterSeconds")? {
            Value::Number(seconds) => seconds.as_u64(),
            _ => None,
        }
    }

    /// Its errors.
    pub(super) fn errors(&self) -> &[ServerError] {
        &self.errors
    }

    /// As JSON text.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|error| {
            tracing::error!(error = %error, "an answer could not be written");
            json!({ "errors": [{ "message": "the answer could not be written" }] }).to_string()
        })
    }
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        let mut errors = response.errors;
        let refused =
            response.data == Value::Null && !errors.is_empty() && errors.iter().all(|error| error.path.is_empty());
        let code = if refused { "GRAPHQL_VALIDATION_FAILED" } else { "BAD_USER_INPUT" };
        errors.iter_mut().for_each(|error| add_code(error, code));
        let extensions = response.extensions.into_iter().collect();
        let told_once = response.http_headers.get("cache-control").is_some_and(|value| value.as_bytes() == b"no-store");
        Self { data: (!refused).then_some(response.data), errors, extensions, told_once }
    }
}

impl From<Unacceptable> for Answer {
    fn from(unacceptable: Unacceptable) -> Self {
        let mut error = unacceptable.error;
        add_code(&mut error, unacceptable.code);
        Self { data: None, errors: vec![error], extensions: BTreeMap::new(), told_once: false }
    }
}

/// Every error carries a code for programs.
fn add_code(error: &mut ServerError, code: &str) {
    let extensions = error.extensions.get_or_insert_default();
    if extensions.get("code").is_none() {
        extensions.set("code", code);
    }
}

/// An answer in the form that was asked for.
pub(super) fn respond(answer: &Answer, form: Form, partial: PartialSuccess) -> HttpResponse {
    if let Some(seconds) = answer.retry_after() {
        return HttpResponse::TooManyRequests()
            .insert_header((header::RETRY_AFTER, seconds))
            .content_type(ContentType::json())
            .body(answer.text());
    }
    if form != Form::GraphqlResponse {
        return HttpResponse::Ok().content_type("application/json; charset=utf-8").body(answer.text());
    }
    let status = if answer.is_refused() {
        StatusCode::BAD_REQUEST
    } else if partial == PartialSuccess::PartialSuccess && answer.is_partial() {
        StatusCode::from_u16(PARTIAL_SUCCESS).unwrap_or(StatusCode::OK)
    } else {
        StatusCode::OK
    };
    HttpResponse::build(status).content_type(format!("{GRAPHQL_RESPONSE}; charset=utf-8")).body(answer.text())
}

/// An answer to a request that is wrong as HTTP goes.
pub(super) fn refuse(status: StatusCode, code: &str, message: impl AsRef<str>) -> HttpResponse {
    let body = json!({ "errors": [{ "message": message.as_ref(), "extensions": { "code": code } }] });
    HttpResponse::build(status).content_type(ContentType::json()).body(body.to_string())
}
