//! Why a language model does not answer, before it is said in the words of a protocol.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use timeloom_domain::chat::ErrorClass;

/// Names the call of an answer, or of a refusal that is written down.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// The status of HTTP.
    pub status: u16,
    /// What kind of failure it is.
    pub class: ErrorClass,
    /// What is wrong and what to do.
    pub message: String,
    /// The reason as a word, such as `LIMIT_REACHED`, where nobody was asked.
    pub code: Option<&'static str>,
    /// When to ask again, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// By which it is found, where it is written down.
    pub call: Option<String>,
}

impl Refused {
    /// A refusal of that class.
    pub fn new(status: u16, class: ErrorClass, message: &str) -> Self {
        Self { status, class, message: message.to_owned(), code: None, retry_after_ms: None, call: None }
    }

    /// The same with the reason as a word.
    #[must_use]
    pub fn coded(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// What is wrong with a request.
    pub(crate) fn invalid(message: &str) -> Self {
        Self::new(400, ErrorClass::BadRequest, message)
    }

    /// What is asked for is not there.
    pub(crate) fn not_found(message: &str) -> Self {
        Self::new(404, ErrorClass::NotFound, message)
    }

    /// Its answer with that body, and the headers that all protocols share.
    pub(crate) fn response(&self, status: u16, body: String) -> HttpResponse {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        response.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
        if status == StatusCode::UNAUTHORIZED {
            response.insert_header((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        if let Some(after_ms) = self.retry_after_ms {
            // The header knows whole seconds only; stock clients look at the other one first.
            response.insert_header((RETRY_AFTER, after_ms.div_ceil(1_000).max(1).to_string()));
            response.insert_header((HeaderName::from_static("retry-after-ms"), after_ms.to_string()));
        }
        if let Some(call) = &self.call {
            response.insert_header((REQUEST_ID, call.as_str()));
        }
        response.body(body)
    }
}
