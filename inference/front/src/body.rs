//! What all doors of language models do with a request before they know its protocol.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use serde_json::Value;
use timeloom_domain::chat::ErrorClass;

use crate::refused::Refused;

/// Most bytes of the body of a request.
pub(crate) const BODY_BYTES_MAX: usize = timeloom_gateway::openai::BODY_BYTES_MAX;
/// Says under which key the same is asked again.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Most characters of such a key.
const KEY_CHARACTERS_MAX: usize = 255;

/// The body, which is only read now.
pub(crate) async fn whole(mut body: Payload) -> Result<Bytes, Refused> {
    let mut read = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| Refused::invalid(&format!("the body did not arrive whole: {error}")))?;
        if read.len() + chunk.len() > BODY_BYTES_MAX {
            let message = format!("the body is too large: {} MiB are the most", BODY_BYTES_MAX >> 20);
            return Err(Refused::new(413, ErrorClass::BadRequest, &message));
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read.freeze())
}

/// The body as JSON.
pub(crate) async fn whole_json(body: Payload) -> Result<Value, Refused> {
    let body = whole(body).await?;
    serde_json::from_slice(&body).map_err(|error| Refused::invalid(&format!("the body is no JSON: {error}")))
}

/// The key under which the same is asked again.
pub(crate) fn key(request: &HttpRequest) -> Result<Option<String>, Refused> {
    let Some(value) = request.headers().get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| (1..=KEY_CHARACTERS_MAX).contains(&key.len()));
    let wrong = || Refused::invalid("the header idempotency-key has 1 to 255 visible characters");
    key.map(|key| Some(key.to_owned())).ok_or_else(wrong)
}

/// Puts a header where its name and its value are ones.
pub(crate) fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        headers.insert(name, value);
    }
}

/// A moment as the protocols write it, RFC 3339; `at_ms` is milliseconds since 1970.
pub(crate) fn moment(at_ms: i64) -> String {
    let moment = chrono::DateTime::from_timestamp_millis(at_ms).unwrap_or_default();
    moment.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
