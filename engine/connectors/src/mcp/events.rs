//! A stream of events that a server answers with: read with bounds, and taken up again where it broke off.

use std::time::Duration;

use reqwest::Response;
use timeloom_gateway::wire::{EventReader, ServerEvent};

use super::MESSAGES_MAX;
use super::error::McpError;

/// Pause before a stream is taken up again where the server says nothing.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest pause that a server may ask for.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Longest id of an event that is sent back, in bytes.
const ID_BYTES_MAX: usize = 1_024;

/// A stream of events.
pub(super) struct Events {
    response: Response,
    reader: EventReader,
    /// Of the parts of the stream before this one.
    last_id: Option<String>,
    pause: Option<Duration>,
    bytes: usize,
    count: usize,
    bytes_max: usize,
}

impl Events {
    /// The stream in the body of a response, of which so many bytes are read for one answer.
    pub(super) fn of(response: Response, bytes_max: usize) -> Self {
        let reader = EventReader::default();
        Self { response, reader, last_id: None, pause: None, bytes: 0, count: 0, bytes_max }
    }

    /// From here on another answer is waited for: bytes and events count from none again.
    pub(super) fn begin_answer(&mut self) {
        (self.bytes, self.count) = (0, 0);
    }

    /// The next event; `None` when the stream has ended, or broke. May be given up at any time: nothing is lost.
    pub(super) async fn next(&mut self) -> Result<Option<ServerEvent>, McpError> {
        loop {
            let event = self.reader.next_event().map_err(|fault| McpError::NotMcp(format!("it has {fault}")))?;
            if event.is_some() {
                self.count += 1;
                return if self.count > MESSAGES_MAX { Err(McpError::TooMany(MESSAGES_MAX)) } else { Ok(event) };
            }
            let Ok(Some(chunk)) = self.response.chunk().await else { return Ok(None) };
            self.bytes += chunk.len();
            if self.bytes > self.bytes_max {
                return Err(McpError::TooLarge(self.bytes_max));
            }
            self.reader.push(&chunk);
        }
    }

    /// The id of the last event, where there is one that can be sent back.
    pub(super) fn last_id(&self) -> Option<&str> {
        let id = self.reader.last_id().or(self.last_id.as_deref());
        id.filter(|id| !id.is_empty() && id.len() <= ID_BYTES_MAX)
    }

    /// How long to wait before the stream is taken up again.
    pub(super) fn pause(&self) -> Duration {
        let told = self.reader.retry_ms().map(Duration::from_millis).or(self.pause);
        told.unwrap_or(PAUSE).min(PAUSE_MAX)
    }

    /// Goes on with what another response has of the same stream.
    pub(super) fn go_on(&mut self, response: Response) {
        self.last_id = self.last_id().map(str::to_owned);
        self.pause = Some(self.pause());
        // What was cut off is sent once more.
        self.reader = EventReader::default();
        self.response = response;
    }
}
