//! A collector of OpenTelemetry, reached over HTTP.
//!
//! Never follows a redirect: the headers may have a secret in them. Invariant: of an answer no more is read than
//! [`ANSWER_BYTES_MAX`].

use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use timeloom_monitor::{Collector, NotSent};
use url::Url;

/// What a collector needs to say takes no more.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Longest time for a connection.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// The media type of batches.
const PROTOBUF: &str = "application/x-protobuf";

/// A collector at an address.
pub struct HttpCollector {
    client: Client,
    address: Url,
}

impl HttpCollector {
    /// The collector at `address`, which wants these headers.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn try_new(address: Url, headers: HeaderMap) -> anyhow::Result<Self> {
        let client =
            Client::builder().default_headers(headers).redirect(Policy::none()).connect_timeout(CONNECT_TIME_MAX);
        Ok(Self { client: client.build().context("no client for the collector can be made")?, address })
    }
}

#[async_trait]
impl Collector for HttpCollector {
    async fn send(&self, batch: Bytes) -> Result<Bytes, NotSent> {
        let request = self.client.post(self.address.clone()).header(CONTENT_TYPE, PROTOBUF).body(batch);
        let response = request.send().await.map_err(|error| later(&error))?;
        let status = response.status();
        if status.is_success() {
            return body(response).await;
        }
        let message = format!("it answered {status}");
        Err(match status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => NotSent::Later { message, after: after(&response) },
            _ => NotSent::Refused { message },
        })
    }
}

async fn body(mut response: Response) -> Result<Bytes, NotSent> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| later(&error))? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            // It took the batch: what else it says is not worth to know.
            return Ok(Bytes::new());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// When the collector wants to be asked again, where it says that in seconds.
fn after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The innermost cause says most, and has no address in it.
fn later(error: &reqwest::Error) -> NotSent {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    NotSent::Later { message: cause.to_string(), after: None }
}
