//! Answers to requests that start nothing, in the shape that callers of webhooks know: a code, a message and a hint.
//!
//! Never says how the server is built, and never what a workflow that is not the caller's business is called.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde_json::json;
use timeloom_commands::CommandError;
use timeloom_domain::ids::ExecutionId;

/// When a caller may try again while this process is not ready.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A request that is not carried out.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
    hint: Option<String>,
    execution: Option<ExecutionId>,
    retry_after: Option<Duration>,
    challenge: Option<&'static str>,
}

impl Refusal {
    /// A refusal with that status and message.
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), hint: None, execution: None, retry_after: None, challenge: None }
    }

    /// The same with what to do.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same with the execution that it is about.
    pub(super) fn of(self, execution: ExecutionId) -> Self {
        Self { execution: Some(execution), ..self }
    }

    /// The same with the way in which the caller shows who it is.
    pub(super) fn challenge(self, challenge: &'static str) -> Self {
        Self { challenge: Some(challenge), ..self }
    }

    /// This process cannot take the call now.
    pub(super) fn not_ready(message: impl Into<String>, retry_after: Option<Duration>) -> Self {
        let retry_after = Some(retry_after.unwrap_or(RETRY_AFTER));
        Self { retry_after, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, message) }
    }

    /// A fault of ours: what it is goes to the server's own log.
    pub(super) fn fault(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a webhook could not be served");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed: its own log says why")
    }

    /// Its status.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// What went wrong, and what to do where that is known.
    pub(super) fn words(&self) -> (&str, Option<&str>) {
        (&self.message, self.hint.as_deref())
    }

    /// As it is sent.
    pub(super) fn into_response(self) -> HttpResponse {
        let mut body = json!({ "code": self.status.as_u16(), "message": self.message });
        if let Some(hint) = &self.hint {
            body["hint"] = json!(hint);
        }
        if let Some(execution) = self.execution {
            body["executionId"] = json!(execution.0);
        }
        self.head().json(body)
    }

    /// The status and the headers that go along with it.
    pub(super) fn head(&self) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(self.status);
        if let Some(retry_after) = self.retry_after {
            let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
            response.insert_header((header::RETRY_AFTER, HeaderValue::from(seconds.max(1))));
        }
        if let Some(challenge) = self.challenge {
            response.insert_header((header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge)));
        }
        response
    }
}

impl From<CommandError> for Refusal {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused(refusal) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, refusal.message),
            CommandError::Conflict { message } => Self::not_ready(message, None),
            error @ CommandError::Unexpected { .. } => Self::not_ready(error.to_string(), None),
            CommandError::Busy { retry_after } => Self::not_ready("the server is busy", Some(retry_after)),
            CommandError::Fault(error) => Self::fault(&error),
        }
    }
}
