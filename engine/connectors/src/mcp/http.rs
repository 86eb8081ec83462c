//! Streamable HTTP: each message is a request of its own, whose answer is JSON or a stream of events. A stream that breaks off is
//! taken up again behind its last event, where events have ids.
//!
//! Goes only where the outbound policy lets nodes go, and follows no redirect: a credential is for the address it was given for.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use serde_json::Value;
use timeloom_egress::OutboundPolicy;
use timeloom_engine::node::NodeError;
use tokio::time::{sleep, timeout};

use super::error::{McpError, told};
use super::events::Events;
use super::message::{Incoming, cancelled, incoming, messages, question};
use super::{ANSWER_BYTES_MAX, MESSAGES_MAX};

/// Longest time to tell a server something that needs no answer.
const TELL_TIME_MAX: Duration = Duration::from_secs(2);
/// Most questions of a server that are replied to while it is waited for.
const REPLIES_MAX: usize = 100;
/// Most bytes of what a server says about a failure.
const EXCERPT_BYTES_MAX: usize = 4 << 10;
/// Longest name of a session, in bytes.
const SESSION_BYTES_MAX: usize = 1_024;
/// How often the stream of one answer is taken up again.
pub(super) const RESUMES_MAX: usize = 100;
/// How often in a row a server is asked for it that does not answer, or fails.
const RESUME_TRIES_MAX: usize = 3;
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const REVISION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A server at an address.
#[derive(Debug, Clone)]
pub(super) struct Http {
    client: Client,
    url: Url,
    /// What proves who asks.
    headers: HeaderMap,
    session: Option<HeaderValue>,
    revision: Option<&'static str>,
    bytes_max: usize,
}

impl Http {
    /// # Errors
    /// [`NodeError`] where the address is none, or may not be reached.
    pub(super) fn try_new(address: &str, headers: HeaderMap, policy: &OutboundPolicy) -> Result<Self, NodeError> {
        let url = Url::parse(address.trim()).map_err(|error| {
            NodeError::operation(format!("the address of the server is none: {error}"))
                .described("give one such as https://mcp.example.org/mcp")
        })?;
        if !url.username().is_empty() || url.password().is_some() {
            let message = "the address of the server has a user or a password in it";
            return Err(NodeError::operation(message).described("put them into a credential"));
        }
        let client = timeloom_nodes::client_for(&url, policy)?;
        let bytes_max = ANSWER_BYTES_MAX.min(policy.response_bytes_max);
        Ok(Self { client, url, headers, session: None, revision: None, bytes_max })
    }

    /// The same server at the address to which it says that messages are sent.
    ///
    /// # Errors
    /// [`McpError::Elsewhere`] where that is another server's.
    pub(super) fn at(&self, address: &str) -> Result<Self, McpError> {
        let url = self.url.join(address).ok().filter(|url| url.origin() == self.url.origin());
        let url = url.ok_or_else(|| McpError::Elsewhere(told(address)))?;
        Ok(Self { url, ..self.clone() })
    }

    /// From now on that revision is spoken.
    pub(super) fn agree(&mut self, revision: &'static str) {
        self.revision = Some(revision);
    }

    /// Forgets a session that has gone.
    pub(super) fn forget(&mut self) {
        (self.session, self.revision) = (None, None);
    }

    /// Asks, and waits for the answer.
    pub(super) async fn exchange(
        &mut self,
        id: u64,
        method: &str,
        params: &Value,
        key: Option<&str>,
    ) -> Result<Value, McpError> {
        let response = self.post(&question(id, method, params), key).await?;
        let response = self.accepted(response).await?;
        if method == "initialize" {
            let given = response.headers().get(SESSION).filter(|given| given.len() <= SESSION_BYTES_MAX);
            self.session = given.cloned();
        }
        match media_type(&response).as_str() {
            "application/json" => self.answer_in(&body(response, self.bytes_max).await?, id).await,
            "text/event-stream" => self.answer_among(response, id).await,
            other => Err(McpError::NotMcp(format!("it is of the type '{}'", told(other)))),
        }
    }

    /// Tells something that needs no answer.
    pub(super) async fn tell(&self, message: &Value) -> Result<(), McpError> {
        timeout(TELL_TIME_MAX, self.say(message, None)).await.unwrap_or(Err(McpError::TooSlow(TELL_TIME_MAX)))
    }

    /// Sends a message, for which nothing is answered here.
    pub(super) async fn say(&self, message: &Value, key: Option<&str>) -> Result<(), McpError> {
        let response = self.post(message, key).await?;
        self.accepted(response).await.map(drop)
    }

    /// Listens to a stream of events, from behind the event with that id; `None` where the server has no such stream.
    pub(super) async fn listen(&self, behind: Option<&str>) -> Result<Option<Events>, McpError> {
        Ok(self.stream(behind).await?.map(|response| Events::of(response, self.bytes_max)))
    }

    async fn stream(&self, behind: Option<&str>) -> Result<Option<Response>, McpError> {
        let mut request = self.of_session(self.client.get(self.url.clone())).header(ACCEPT, "text/event-stream");
        if let Some(id) = behind {
            request = request.header(LAST_EVENT_ID, id);
        }
        let response = request.send().await.map_err(|error| unreachable(&error))?;
        if response.status().is_server_error() {
            return Err(McpError::Status { status: response.status().as_u16(), excerpt: String::new() });
        }
        let is_stream = response.status().is_success() && media_type(&response) == "text/event-stream";
        Ok(is_stream.then_some(response))
    }

    /// Says that nobody waits for an answer any more, as far as that can be said.
    pub(super) async fn give_up(&self, id: u64) {
        // A server that does not listen finds out by itself.
        let _ = self.tell(&cancelled(id)).await;
    }

    /// Ends the session, where the server keeps one.
    pub(super) async fn close(self) {
        if self.session.is_none() {
            return;
        }
        // One that is not ended ends by itself.
        let request = self.of_session(self.client.delete(self.url.clone()));
        let _ = timeout(TELL_TIME_MAX, request.send()).await;
    }

    /// A request with what proves who asks, and of which session it is.
    fn of_session(&self, request: RequestBuilder) -> RequestBuilder {
        let mut request = request.headers(self.headers.clone());
        if let Some(session) = &self.session {
            request = request.header(SESSION, session.clone());
        }
        if let Some(revision) = self.revision {
            request = request.header(REVISION, revision);
        }
        request
    }

    async fn post(&self, message: &Value, key: Option<&str>) -> Result<Response, McpError> {
        let mut request = self
            .of_session(self.client.post(self.url.clone()))
            .header(ACCEPT, "application/json, text/event-stream")
            .header(CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        request.body(message.to_string()).send().await.map_err(|error| unreachable(&error))
    }

    /// The response, where its status is no failure.
    async fn accepted(&self, response: Response) -> Result<Response, McpError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if status.is_redirection() {
            return Err(McpError::Redirected(status.as_u16()));
        }
        if status == StatusCode::NOT_FOUND && self.session.is_some() {
            return Err(McpError::SessionGone);
        }
        let text = body(response, EXCERPT_BYTES_MAX).await.unwrap_or_default();
        let excerpt = told(String::from_utf8_lossy(&text).trim());
        Err(McpError::Status { status: status.as_u16(), excerpt })
    }

    async fn answer_in(&self, text: &[u8], id: u64) -> Result<Value, McpError> {
        let batch = messages(text)?;
        if batch.len() > MESSAGES_MAX {
            return Err(McpError::TooMany(MESSAGES_MAX));
        }
        let mut replies = 0;
        for message in &batch {
            if let Some(answer) = self.heard(message, id, &mut replies).await? {
                return Ok(answer);
            }
        }
        Err(McpError::NotMcp("there is no answer in it".to_owned()))
    }

    async fn answer_among(&self, response: Response, id: u64) -> Result<Value, McpError> {
        let mut events = Events::of(response, self.bytes_max);
        let (mut replies, mut resumes) = (0, 0);
        loop {
            while let Some(event) = events.next().await? {
                // An event without a message says only from where a stream could be read on.
                if event.data.trim().is_empty() {
                    continue;
                }
                for message in messages(event.data.as_bytes())? {
                    if let Some(answer) = self.heard(&message, id, &mut replies).await? {
                        return Ok(answer);
                    }
                }
            }
            if resumes == RESUMES_MAX {
                return Err(McpError::NotResumed);
            }
            resumes += 1;
            self.resume(&mut events).await?;
        }
    }

    /// Takes a stream up again that broke off. Never asks the question again: the server may have done what it was asked.
    async fn resume(&self, events: &mut Events) -> Result<(), McpError> {
        let last = events.last_id().ok_or(McpError::BrokenOff)?.to_owned();
        if HeaderValue::from_str(&last).is_err() {
            return Err(McpError::BrokenOff);
        }
        for _ in 0..RESUME_TRIES_MAX {
            sleep(events.pause()).await;
            match self.stream(Some(&last)).await {
                Ok(Some(response)) => {
                    events.go_on(response);
                    return Ok(());
                }
                // It does not do that, or knows the session or the event no more.
                Ok(None) => return Err(McpError::NotResumed),
                Err(_) => {}
            }
        }
        Err(McpError::NotResumed)
    }

    /// The answer, where a message is that; a question of the server's is replied to.
    pub(super) async fn heard(&self, message: &Value, id: u64, replies: &mut usize) -> Result<Option<Value>, McpError> {
        match incoming(message, id)? {
            Incoming::Answer(answer) => answer.map(Some),
            Incoming::Told => Ok(None),
            Incoming::Asked(reply) => {
                *replies += 1;
                if *replies > REPLIES_MAX {
                    return Err(McpError::TooMany(REPLIES_MAX));
                }
                // Whether it hears the reply is its own affair.
                let _ = self.tell(&reply).await;
                Ok(None)
            }
        }
    }
}

async fn body(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, McpError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| McpError::BrokenOff)? {
        if body.len() + chunk.len() > bytes_max {
            return Err(McpError::TooLarge(bytes_max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The media type in lower case, without parameters.
fn media_type(response: &Response) -> String {
    let value = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Why no answer came, from the innermost cause: those around it repeat the address.
fn unreachable(error: &reqwest::Error) -> McpError {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    McpError::Unreachable(told(&cause.to_string()))
}
