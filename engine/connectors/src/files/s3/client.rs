//! Requests to a service that speaks S3, signed, and answers within bounds.

use std::time::Instant;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_LENGTH, DATE};
use reqwest::{Body, Client, Method, Response, StatusCode};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use timeloom_domain::inference::hexadecimal;
use timeloom_domain::item::BinaryData;
use timeloom_egress::OutboundPolicy;
use timeloom_engine::node::{Binaries, NodeError};
use timeloom_nodes::aws_signature::{Signed, Signer, escaped};
use url::Url;

use super::xml::text_of;

/// Codes that may be gone the next time.
const PASSING: [&str; 5] = ["InternalError", "OperationAborted", "RequestTimeout", "ServiceUnavailable", "SlowDown"];
/// The service's word for a time that is not its own.
const SKEWED: &str = "RequestTimeTooSkewed";

/// Where a service is, and who asks.
pub(super) struct Service {
    /// Its address.
    pub endpoint: Url,
    /// Whether buckets stand in the path instead of in the host.
    pub path_style: bool,
    /// Whether any certificate will do.
    pub any_certificate: bool,
    /// Who signs.
    pub signer: Signer,
    /// What may be reached, and how much may come back.
    pub policy: OutboundPolicy,
    /// The time at which the run began.
    pub began: DateTime<Utc>,
    /// When that was, as this process counts.
    pub since: Instant,
}

/// What is sent.
#[derive(Clone)]
pub(super) enum Sent {
    /// A text.
    Text(String),
    /// An attachment.
    File(Box<BinaryData>, Binaries),
}

/// A request.
pub(super) struct Request<'r> {
    pub method: Method,
    /// The bucket; empty for the service itself.
    pub bucket: &'r str,
    /// The key; empty for the bucket itself.
    pub key: &'r str,
    pub query: Vec<(&'r str, String)>,
    pub headers: Vec<(String, String)>,
    pub body: Option<Sent>,
}

impl<'r> Request<'r> {
    pub fn new(method: Method, bucket: &'r str, key: &'r str) -> Self {
        Self { method, bucket, key, query: Vec::new(), headers: Vec::new(), body: None }
    }
}

/// The lengths and the digest of a body.
struct Measure {
    bytes: u64,
    digest: String,
}

impl Service {
    /// Sends a request, whose answer has to tell of success.
    ///
    /// # Errors
    /// [`NodeError`] when the service cannot be reached or says no.
    pub async fn send(&self, request: &Request<'_>) -> Result<Response, NodeError> {
        let url = self.address(request)?;
        let measure = measured(request.body.as_ref()).await?;
        let now = self.began + chrono::Duration::from_std(self.since.elapsed()).unwrap_or_default();
        let response = self.once(request, &url, &measure, now).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        // A run that goes on after a crash has the time at which it first began.
        let told = response.headers().get(DATE).and_then(|date| date.to_str().ok());
        let theirs = told.and_then(|date| DateTime::parse_from_rfc2822(date).ok()).map(|date| date.to_utc());
        let failed = self.refused(response).await;
        match theirs.filter(|_| failed.data.as_ref().is_some_and(|data| data["code"] == SKEWED)) {
            None => Err(failed),
            Some(theirs) => {
                let again = self.once(request, &url, &measure, theirs).await?;
                if again.status().is_success() { Ok(again) } else { Err(self.refused(again).await) }
            }
        }
    }

    /// The answer's body as text.
    ///
    /// # Errors
    /// [`NodeError`] when it is too large or cut off.
    pub async fn text(&self, mut response: Response) -> Result<String, NodeError> {
        let bytes_max = self.policy.response_bytes_max;
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| self.failure(&error))? {
            if body.len() + part.len() > bytes_max {
                return Err(NodeError::api(format!("the answer of {} has more than {bytes_max} bytes", self.host()))
                    .described("ask for less, with a limit"));
            }
            body.extend_from_slice(&part);
        }
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// The next part of an answer's body.
    ///
    /// # Errors
    /// [`NodeError`] when it is cut off.
    pub async fn part(&self, response: &mut Response) -> Result<Option<Bytes>, NodeError> {
        response.chunk().await.map_err(|error| self.failure(&error))
    }

    async fn once(
        &self,
        request: &Request<'_>,
        url: &Url,
        measure: &Measure,
        now: DateTime<Utc>,
    ) -> Result<Response, NodeError> {
        let time = now.format("%Y%m%dT%H%M%SZ").to_string();
        let headers = self.signer.headers(Signed {
            method: request.method.as_str(),
            url,
            headers: request.headers.clone(),
            body_digest: &measure.digest,
            time: &time,
        });
        let mut outgoing = self.client(url)?.request(request.method.clone(), url.clone());
        outgoing = outgoing.timeout(self.policy.request_time_max);
        for (name, value) in headers {
            outgoing = outgoing.header(name, value);
        }
        if let Some(body) = &request.body {
            outgoing = outgoing.header(CONTENT_LENGTH, measure.bytes).body(stream(body)?);
        }
        outgoing.send().await.map_err(|error| self.failure(&error))
    }

    fn client(&self, url: &Url) -> Result<Client, NodeError> {
        if self.any_certificate {
            timeloom_nodes::client_for_any_certificate(url, &self.policy)
        } else {
            timeloom_nodes::client_for(url, &self.policy)
        }
    }

    fn address(&self, request: &Request<'_>) -> Result<Url, NodeError> {
        let mut url = self.endpoint.clone();
        let bad = |_| NodeError::operation(format!("'{}' is no name of a bucket", request.bucket));
        let key = escaped(request.key, true);
        let is_host = !self.path_style && !request.bucket.is_empty() && !request.bucket.contains('.');
        if is_host {
            let host = format!("{}.{}", request.bucket, url.host_str().unwrap_or_default());
            url.set_host(Some(&host)).map_err(bad)?;
            url.set_path(&format!("/{key}"));
        } else if request.bucket.is_empty() {
            url.set_path("/");
        } else {
            url.set_path(&format!("/{}/{key}", escaped(request.bucket, false)));
        }
        url.set_query(None);
        if !request.query.is_empty() {
            let pairs: Vec<String> =
                request.query.iter().map(|(name, value)| format!("{name}={}", escaped(value, false))).collect();
            url.set_query(Some(&pairs.join("&")));
        }
        Ok(url)
    }

    fn host(&self) -> &str {
        self.endpoint.host_str().unwrap_or_default()
    }

    async fn refused(&self, response: Response) -> NodeError {
        let status = response.status();
        let body = self.text(response).await.unwrap_or_default();
        let code = text_of(&body, "Code").unwrap_or_else(|| code_of(status).to_owned());
        let message = text_of(&body, "Message")
            .unwrap_or_else(|| format!("{}: the service {} refused the request", status.as_u16(), self.host()));
        let retryable = status.is_server_error() || PASSING.contains(&code.as_str());
        let data = json!({"code": code, "httpCode": status.as_u16().to_string(), "retryable": retryable});
        NodeError { data: Some(data), ..NodeError::api(message) }
    }

    fn failure(&self, error: &reqwest::Error) -> NodeError {
        let mut cause: &(dyn std::error::Error + 'static) = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let message = format!("the service {} could not be reached: {cause}", self.host());
        NodeError::api(message).described("check the address of the credential, and whether the service is running")
    }
}

fn code_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        404 => "NotFound",
        403 => "AccessDenied",
        _ => "Error",
    }
}

/// Reads a body to its end to know its digest: what is signed is what is sent.
async fn measured(body: Option<&Sent>) -> Result<Measure, NodeError> {
    use futures::StreamExt as _;
    let mut digest = Sha256::new();
    let mut bytes = 0;
    match body {
        None => {}
        Some(Sent::Text(text)) => {
            digest.update(text);
            bytes = text.len() as u64;
        }
        Some(Sent::File(file, binaries)) => {
            let (mut parts, _) = binaries.stream(file)?;
            while let Some(part) = parts.next().await {
                let part = part?;
                digest.update(&part);
                bytes += part.len() as u64;
            }
        }
    }
    Ok(Measure { bytes, digest: hexadecimal(&digest.finalize()) })
}

fn stream(body: &Sent) -> Result<Body, NodeError> {
    Ok(match body {
        Sent::Text(text) => Body::from(text.clone()),
        Sent::File(file, binaries) => Body::wrap_stream(binaries.stream(file)?.0),
    })
}
