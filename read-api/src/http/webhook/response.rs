//! What an execution answers, as HTTP: read from its event's own text, checked, and kept apart from the API's pages.
//!
//! Invariant: no header of a workflow ends a line or decides about the connection; no page that a workflow answers with is
//! of the same origin as the API, so that its scripts cannot ask the API in the name of who opened it.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use timeloom_domain::execution::{Response, ResponseBody};
use timeloom_domain::item::BinaryData;
use timeloom_store::BlobStore;

use super::refusal::Refusal;

/// Media type of JSON.
pub(super) const JSON: &str = "application/json; charset=utf-8";
/// Media type of text of which the workflow says no other.
pub(super) const TEXT: &str = "text/html; charset=utf-8";
/// Most headers of an answer.
const HEADERS_MAX: usize = 100;
/// Most bytes of their names and values.
const HEADER_BYTES_MAX: usize = 32 << 10;
/// What pages of workflows may do: scripts and forms, in an origin of their own.
const SANDBOX: HeaderValue =
    HeaderValue::from_static("sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts");
/// What decides about the connection or its framing and is never a workflow's: it is left out, for copied answers have it.
const CONNECTION_HEADERS: [&str; 11] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The payload of `ExecutionResponded`, without a copy of what it says.
#[derive(Debug, Deserialize)]
pub(super) struct Responded<'a> {
    /// Present where a node answers.
    #[serde(default)]
    pub(super) node: Option<IgnoredAny>,
    #[serde(borrow)]
    pub(super) response: Stored<'a>,
    /// Whether more of the same answer follows.
    #[serde(default)]
    pub(super) more: bool,
}

/// An answer as it is stored.
#[derive(Debug, Deserialize)]
pub(super) struct Stored<'a> {
    status: u16,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(borrow)]
    body: StoredBody<'a>,
}

#[derive(Debug, Deserialize)]
struct StoredBody<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(default)]
    binary: Option<BinaryData>,
}

impl Stored<'_> {
    /// Status and headers of the answer.
    ///
    /// # Errors
    /// A refusal when a header cannot be sent.
    pub(super) fn head(&self) -> Result<HttpResponseBuilder, Refusal> {
        let media_type = match (&*self.body.kind, &self.body.binary) {
            ("json", _) => Some(JSON),
            ("text", _) => Some(TEXT),
            ("binary", Some(binary)) => Some(media_type_of(binary)),
            _ => None,
        };
        head(self.status, &self.headers, media_type)
    }

    /// What it says.
    ///
    /// # Errors
    /// A refusal when an attachment is not there.
    pub(super) async fn body(&self, blobs: Option<&dyn BlobStore>) -> Result<Bytes, Refusal> {
        match (&*self.body.kind, self.body.value, &self.body.text, &self.body.binary) {
            ("json", Some(value), _, _) => Ok(Bytes::copy_from_slice(value.get().as_bytes())),
            ("text", _, Some(text), _) => Ok(Bytes::copy_from_slice(text.as_bytes())),
            ("binary", _, _, Some(binary)) => content(binary, blobs).await,
            _ => Ok(Bytes::new()),
        }
    }
}

/// An answer as HTTP.
///
/// # Errors
/// A refusal when a header cannot be sent, or an attachment is not there.
pub(super) async fn respond(answer: &Response, blobs: Option<&dyn BlobStore>) -> Result<HttpResponse, Refusal> {
    let (media_type, body) = match &answer.body {
        ResponseBody::Empty => (None, Bytes::new()),
        ResponseBody::Json { value } => (Some(JSON), Bytes::from(value.to_string())),
        ResponseBody::Text { text } => (Some(TEXT), Bytes::from(text.clone())),
        ResponseBody::Binary { binary } => (Some(media_type_of(binary)), content(binary, blobs).await?),
        // Pages are drawn where forms are shown; who called otherwise has nothing to look at.
        ResponseBody::Page { .. } => (None, Bytes::new()),
    };
    Ok(head(answer.status, &answer.headers, media_type)?.body(body))
}

fn media_type_of(binary: &BinaryData) -> &str {
    if binary.mime_type.is_empty() { "application/octet-stream" } else { &binary.mime_type }
}

/// The bytes of an attachment.
///
/// # Errors
/// A refusal when they are not there.
pub(super) async fn content(binary: &BinaryData, blobs: Option<&dyn BlobStore>) -> Result<Bytes, Refusal> {
    let Some(id) = binary.id.as_deref().filter(|id| !id.is_empty()) else {
        return STANDARD.decode(&binary.data).map(Bytes::from).map_err(|error| Refusal::fault(&error));
    };
    let hash = id.strip_prefix("blob:").unwrap_or(id).parse().map_err(|error| Refusal::fault(&error))?;
    let blobs = blobs.ok_or_else(|| Refusal::fault(&"an answer names a blob and there is no blob store"))?;
    blobs.get(hash).await.map_err(|error| Refusal::fault(&error))
}

/// Status and headers of an answer, with what keeps it apart from the API.
///
/// # Errors
/// A refusal when a header cannot be sent.
pub(super) fn head(
    status: u16,
    headers: &[(String, String)],
    media_type: Option<&str>,
) -> Result<HttpResponseBuilder, Refusal> {
    let unusable = |name: &str| {
        let message = format!("the workflow answers with a header that cannot be sent: '{}'", name.escape_debug());
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    };
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if headers.len() > HEADERS_MAX || bytes > HEADER_BYTES_MAX {
        let message =
            format!("the workflow answers with more than {HEADERS_MAX} headers or {HEADER_BYTES_MAX} bytes of them");
        return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message));
    }
    let status = StatusCode::from_u16(status).ok().filter(|status| status.as_u16() >= 200);
    let mut response = HttpResponse::build(status.unwrap_or(StatusCode::OK));
    let mut is_json = media_type.is_some_and(is_json_type);
    let mut names_type = false;
    for (name, value) in headers {
        let shown: String = name.chars().take(100).collect();
        let name = HeaderName::try_from(name.trim()).map_err(|_| unusable(&shown))?;
        let value = HeaderValue::from_str(value).map_err(|_| unusable(&shown))?;
        if CONNECTION_HEADERS.contains(&name.as_str()) {
            continue;
        }
        if name == header::CONTENT_TYPE {
            is_json = value.to_str().is_ok_and(is_json_type);
            names_type = true;
            response.insert_header((name, value));
        } else {
            response.append_header((name, value));
        }
    }
    if let Some(media_type) = media_type.filter(|_| !names_type) {
        let value = HeaderValue::from_str(media_type).map_err(|_| unusable("content-type"))?;
        response.insert_header((header::CONTENT_TYPE, value));
    }
    response.insert_header((header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")));
    if !is_json {
        // Beside a policy of the workflow's own, which can then only forbid more.
        response.append_header((header::CONTENT_SECURITY_POLICY, SANDBOX));
    }
    Ok(response)
}

fn is_json_type(media_type: &str) -> bool {
    media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(headers: &[(&str, &str)]) -> Vec<(String, String)> {
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn headers_that_end_a_line_are_refused_and_those_of_the_connection_left_out() {
        for (name, value) in [("x", "a\r\nset-cookie: b"), ("x\r\ny", "a"), ("x y", "a"), ("", "a"), ("x", "\u{0}")] {
            assert!(head(200, &pairs(&[(name, value)]), None).is_err(), "{name:?}: {value:?}");
        }
        let copied = pairs(&[
            ("Transfer-Encoding", "chunked"),
            ("Content-Length", "1"),
            ("X-Own", "kept"),
            ("Connection", "close"),
        ]);
        let response = head(201, &copied, None).unwrap().finish();
        let names: Vec<&str> = response.headers().keys().map(HeaderName::as_str).collect();
        assert!(names.contains(&"x-own") && !names.contains(&"transfer-encoding") && !names.contains(&"connection"));
        assert_eq!(response.status(), StatusCode::CREATED);
        let many: Vec<(String, String)> =
            (0..=HEADERS_MAX).map(|index| (format!("x-{index}"), String::new())).collect();
        assert!(head(200, &many, None).is_err());
    }

    #[test]
    fn everything_but_json_is_put_into_a_sandbox_that_a_workflow_cannot_leave() {
        let policies = |headers: &[(&str, &str)], media_type| -> Vec<String> {
            let response = head(200, &pairs(headers), media_type).unwrap().finish();
            let policies = response.headers().get_all(header::CONTENT_SECURITY_POLICY);
            policies.map(|policy| policy.to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(policies(&[], Some("application/json; charset=utf-8")), Vec::<String>::new());
        assert_eq!(policies(&[("content-type", "text/html")], Some("application/json")).len(), 1);
        let own = policies(&[("Content-Security-Policy", "default-src *")], Some("text/html"));
        assert!(own.len() == 2 && own.iter().any(|policy| policy.starts_with("sandbox ")), "{own:?}");
        assert!(own.iter().all(|policy| !policy.contains("allow-same-origin")));
    }
}
