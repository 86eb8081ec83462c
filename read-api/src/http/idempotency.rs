//! `Idempotency-Key`: a change that is sent again with the same key gets the answer that it got before.
//!
//! The ids of a request's commands follow from its key, and the log carries out a command once: so a change happens once
//! however often it is sent, to whichever process, and after a restart too. Beside that, the answers of the newest keys are
//! kept here, and another request under the same key is refused. Invariant: what is kept is bounded, and an answer that
//! says that something was refused is not kept: it is tried again. Nor is one that tells what is told once, such as a key
//! that was made: whoever sends that again is told that it was made, and not the key. Keys are everybody's own: nobody gets
//! an answer that somebody else got, or that they got themselves when they were let in by something else.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderName;
use async_graphql::Value;
use timeloom_domain::access::Principal;
use tokio::sync::Mutex as AsyncMutex;

use super::answer::Answer;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Longest key, in bytes.
const KEY_BYTES_MAX: usize = 255;
/// Most keys whose answers are kept.
const KEYS_MAX: usize = 10_000;
/// Longest answer that is kept, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Why a key is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyRefusal {
    #[error("the Idempotency-Key must have 1 to {KEY_BYTES_MAX} visible ASCII characters")]
    Invalid,
    #[error("another request was sent with this Idempotency-Key: a new request needs a new key")]
    Reused,
    #[error("answers to an Idempotency-Key are JSON: accept application/json or application/graphql-response+json")]
    Stream,
}

impl KeyRefusal {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Invalid | Self::Stream => StatusCode::BAD_REQUEST,
            Self::Reused => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }

    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Invalid => "INVALID_IDEMPOTENCY_KEY",
            Self::Reused => "IDEMPOTENCY_KEY_REUSED",
            Self::Stream => "NOT_ACCEPTABLE",
        }
    }
}

/// The key of a request, if it has one.
pub(super) fn key_of(request: &HttpRequest) -> Result<Option<String>, KeyRefusal> {
    let Some(value) = request.headers().get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = value.to_str().map_err(|_| KeyRefusal::Invalid)?.trim();
    let is_valid = !key.is_empty() && key.len() <= KEY_BYTES_MAX && key.bytes().all(|byte| byte.is_ascii_graphic());
    if is_valid { Ok(Some(key.to_owned())) } else { Err(KeyRefusal::Invalid) }
}

/// Whether a request has a key, whatever it is.
pub(super) fn has_key(request: &HttpRequest) -> bool {
    request.headers().contains_key(IDEMPOTENCY_KEY)
}

/// What is kept of one key: what was asked, and the answer once there is one. Whoever asks the same meanwhile waits.
#[derive(Debug)]
pub(super) struct Kept {
    fingerprint: String,
    answer: AsyncMutex<Option<Arc<Answer>>>,
}

impl Kept {
    /// The answer, made by `make` unless one is kept.
    pub(super) async fn answer(&self, make: impl Future<Output = Answer>) -> Arc<Answer> {
        let mut kept = self.answer.lock().await;
        if let Some(answer) = &*kept {
            return Arc::clone(answer);
        }
        let answer = Arc::new(make.await);
        if answer.may_be_kept() && answer.text().len() <= ANSWER_BYTES_MAX {
            *kept = Some(Arc::clone(&answer));
        }
        answer
    }
}

/// The answers of the newest keys.
#[derive(Debug, Default)]
pub(super) struct Answers {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_key: HashMap<String, Arc<Kept>>,
    oldest: VecDeque<String>,
}

impl Answers {
    /// What is kept of a key of somebody's; a fingerprint of what is asked tells whether it is the same request.
    pub(super) fn of(&self, whose: &Principal, key: &str, fingerprint: String) -> Result<Arc<Kept>, KeyRefusal> {
        let via = whose.via.as_deref().unwrap_or_default();
        let key = format!("{} {} {via} {key}", whose.tenant.0, whose.actor);
        // Each change leaves both parts in step.
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = inner.by_key.get(&key) {
            return if kept.fingerprint == fingerprint { Ok(Arc::clone(kept)) } else { Err(KeyRefusal::Reused) };
        }
        while inner.oldest.len() >= KEYS_MAX {
            let Some(oldest) = inner.oldest.pop_front() else { break };
            inner.by_key.remove(&oldest);
        }
        let kept = Arc::new(Kept { fingerprint, answer: AsyncMutex::new(None) });
        inner.oldest.push_back(key.clone());
        inner.by_key.insert(key, Arc::clone(&kept));
        Ok(kept)
    }
}

/// Whether every command of an answer's data was carried out, as far as the answer tells.
pub(super) fn all_done(data: &Value) -> bool {
    let Value::Object(payloads) = data else { return false };
    payloads.values().all(|payload| match payload {
        Value::Object(fields) => fields.get("errors").is_none_or(|errors| *errors == Value::List(Vec::new())),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use async_graphql::{Response, value};

    use timeloom_domain::ids::TenantId;

    use super::*;

    fn somebody() -> Principal {
        Principal::local(TenantId(1), "somebody")
    }

    fn answer(data: Value) -> Answer {
        Answer::from(Response::new(data))
    }

    #[tokio::test]
    async fn what_was_done_is_answered_again_and_what_was_refused_is_tried_again() {
        let answers = Answers::default();
        let done = answers.of(&somebody(), "a", "1".to_owned()).unwrap();
        let first = done.answer(async { answer(value!({ "x": { "id": 1, "errors": [] } })) }).await;
        let again = answers.of(&somebody(), "a", "1".to_owned()).unwrap();
        let second = again.answer(async { panic!("it was done") }).await;
        assert_eq!(first.text(), second.text());
        assert_eq!(answers.of(&somebody(), "a", "2".to_owned()).err(), Some(KeyRefusal::Reused));
        let refused = answers.of(&somebody(), "b", "1".to_owned()).unwrap();
        refused.answer(async { answer(value!({ "x": { "errors": [{ "message": "no" }] } })) }).await;
        let tried = refused.answer(async { answer(value!({ "x": { "id": 2, "errors": [] } })) }).await;
        assert!(tried.text().contains("2"));
    }

    #[test]
    fn the_oldest_key_makes_room() {
        let answers = Answers::default();
        for index in 0..=KEYS_MAX {
            answers.of(&somebody(), &index.to_string(), "1".to_owned()).unwrap();
        }
        assert!(answers.of(&somebody(), "0", "2".to_owned()).is_ok());
        assert_eq!(answers.of(&somebody(), &KEYS_MAX.to_string(), "2".to_owned()).err(), Some(KeyRefusal::Reused));
    }

    #[test]
    fn keys_are_everybodys_own() {
        let answers = Answers::default();
        let by_key = Principal { via: Some("key:a".into()), ..somebody() };
        let others = [by_key, Principal::local(TenantId(1), "else"), Principal { tenant: TenantId(2), ..somebody() }];
        answers.of(&somebody(), "a", "1".to_owned()).unwrap();
        for other in others {
            assert!(answers.of(&other, "a", "2".to_owned()).is_ok(), "{other:?}");
        }
    }
}
