//! The transport of 2024: one stream of events for as long as the session lasts, whose first event says where messages are sent to.
//!
//! A stream that breaks is not taken up again: servers of this transport keep nothing for that.

use std::pin::pin;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use super::error::McpError;
use super::events::Events;
use super::http::Http;
use super::message::{messages, question};

/// Longest wait for the event that says where messages are sent to.
const ENDPOINT_TIME_MAX: Duration = Duration::from_secs(5);
/// The name of that event.
const ENDPOINT: &str = "endpoint";
/// The name of events with messages, where they have one.
const MESSAGE: &str = "message";

/// A server that speaks the older transport.
pub(super) struct Older {
    /// Where messages are sent to.
    http: Http,
    events: Events,
}

impl Older {
    /// Listens at the address of a server; `None` where it is no server of this transport.
    ///
    /// # Errors
    /// [`McpError::Elsewhere`] where messages are to be sent to another server: what proves who asks is not for that.
    pub(super) async fn open(http: &Http) -> Result<Option<Self>, McpError> {
        let finding = async {
            let Some(mut events) = http.listen(None).await.unwrap_or_default() else { return Ok(None) };
            Ok::<_, McpError>(events.next().await?.filter(|event| event.name == ENDPOINT).map(|event| (event, events)))
        };
        let found = timeout(ENDPOINT_TIME_MAX, finding).await.unwrap_or(Ok(None))?;
        let Some((endpoint, events)) = found else { return Ok(None) };
        Ok(Some(Self { http: http.at(endpoint.data.trim())?, events }))
    }

    /// Where messages are sent to.
    pub(super) fn http(&self) -> &Http {
        &self.http
    }

    /// From now on that revision is spoken.
    pub(super) fn agree(&mut self, revision: &'static str) {
        self.http.agree(revision);
    }

    /// Asks, and waits for the answer.
    pub(super) async fn exchange(
        &mut self,
        id: u64,
        method: &str,
        params: &Value,
        key: Option<&str>,
    ) -> Result<Value, McpError> {
        self.events.begin_answer();
        let asked = question(id, method, params);
        let mut posting = pin!(self.http.say(&asked, key));
        let (mut is_posted, mut replies) = (false, 0);
        loop {
            // Some servers take a message only when all of its answer has been read.
            let event = tokio::select! {
                posted = &mut posting, if !is_posted => {
                    posted?;
                    is_posted = true;
                    continue;
                }
                event = self.events.next() => event?.ok_or(McpError::BrokenOff)?,
            };
            if !matches!(event.name.as_str(), "" | MESSAGE) || event.data.trim().is_empty() {
                continue;
            }
            for message in messages(event.data.as_bytes())? {
                if let Some(answer) = self.http.heard(&message, id, &mut replies).await? {
                    return Ok(answer);
                }
            }
        }
    }
}
