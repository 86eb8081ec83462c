//! What is refused, in the protocol's form.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, WWW_AUTHENTICATE};
use serde_json::{Value, json};

/// Why a request is refused, as clients tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// It is not known who asks.
    Unauthenticated,
    /// They may not.
    Forbidden,
    /// It is not there.
    Missing,
    /// The request is wrong.
    Invalid,
    /// Somebody else changed it at the same moment.
    Conflict,
    /// They ask too often.
    Limited,
    /// The protocol has it, and it is not done here.
    NotServed,
    /// Not now.
    Unavailable,
    /// Ours.
    Fault,
}

impl RefusalKind {
    /// The status of HTTP, and the protocol's word.
    fn words(self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "PERMISSION_DENIED"),
            Self::Missing => (StatusCode::NOT_FOUND, "RESOURCE_DOES_NOT_EXIST"),
            Self::Invalid => (StatusCode::BAD_REQUEST, "INVALID_PARAMETER_VALUE"),
            Self::Conflict => (StatusCode::CONFLICT, "RESOURCE_CONFLICT"),
            Self::Limited => (StatusCode::TOO_MANY_REQUESTS, "REQUEST_LIMIT_EXCEEDED"),
            Self::NotServed => (StatusCode::NOT_IMPLEMENTED, "NOT_IMPLEMENTED"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "TEMPORARILY_UNAVAILABLE"),
            Self::Fault => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
        }
    }
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// As clients tell it apart.
    pub kind: RefusalKind,
    /// What is wrong and what to do.
    pub message: String,
}

impl Refusal {
    /// A refusal of that kind.
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::Invalid, message)
    }

    /// The answer that refuses.
    pub(super) fn response(&self) -> HttpResponse {
        let (status, code) = self.kind.words();
        let mut response = HttpResponse::build(status).json(body(code, &self.message));
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The body for whoever the door did not let in.
pub fn error_body(status: u16, message: &str) -> Vec<u8> {
    let kind = match status {
        401 => RefusalKind::Unauthenticated,
        403 => RefusalKind::Forbidden,
        429 => RefusalKind::Limited,
        503 => RefusalKind::Unavailable,
        500.. => RefusalKind::Fault,
        _ => RefusalKind::Invalid,
    };
    body(kind.words().1, message).to_string().into_bytes()
}

fn body(code: &str, message: &str) -> Value {
    json!({ "error_code": code, "message": message })
}
