//! The links of a long execution: when a new one begins, and what the earlier ones hold. Never writes.

use std::sync::Arc;

use timeloom_domain::event::Event;
use timeloom_domain::execution::{ChainPlace, Continuation, ExecutionEvent};
use timeloom_domain::ids::ExecutionId;
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::{
    APPEND_SPILLED_BYTES_MAX, Direction, EventLog, LogError, RecordedEvent, Revision, StreamKey, codec,
};

use crate::machine::{RunData, run_counts};

/// Events of one stream after which an execution goes on in another, when nothing else is said.
const LINK_EVENTS_MAX: u64 = 10_000;
/// Fewest events of a link: the one that begins it, and one of its own.
const LINK_EVENTS_MIN: u64 = 2;

/// When a long execution goes on in another stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContinueAsNew {
    /// Events of a stream after which it does. A stream may have a few more: a node run is not torn apart.
    pub events_max: u64,
    /// Largest summary with which a stream may begin, in bytes. While it is larger, the execution stays where it is.
    pub summary_bytes_max: usize,
}

impl Default for ContinueAsNew {
    fn default() -> Self {
        Self { events_max: LINK_EVENTS_MAX, summary_bytes_max: APPEND_SPILLED_BYTES_MAX }
    }
}

impl ContinueAsNew {
    /// The revision at which a stream that is at `revision` is looked at for a seam.
    pub(crate) fn next_look(self, revision: Revision) -> u64 {
        revision.0.saturating_add(self.events_max.max(LINK_EVENTS_MIN))
    }
}

/// Why the earlier links of a chain cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A link is not what the next one says of it.
    #[error("the execution goes on from {0}, whose stream is not what it was: restore the log from a backup")]
    Broken(ExecutionId),
}

/// The stream of a link.
pub(crate) fn stream_of(like: &StreamKey, link: ExecutionId) -> StreamKey {
    StreamKey::new(like.tenant, ExecutionEvent::CATEGORY, link.to_string())
}

/// The root of the chain in which a stream that begins with `first` is, and its place; `None` for a root.
pub(crate) fn place_of(first: Option<&ExecutionEvent>) -> Option<(ExecutionId, u32)> {
    match first {
        Some(ExecutionEvent::ExecutionContinued(continuation)) => Some((continuation.root, continuation.link)),
        _ => None,
    }
}

/// Where the link after `link` stands, which has that place itself.
pub(crate) fn place_after(link: ExecutionId, place: Option<(ExecutionId, u32)>) -> ChainPlace {
    let (root, number) = place.unwrap_or((link, 0));
    ChainPlace { previous: link, root, link: number.saturating_add(1) }
}

/// What the nodes gave in the links before the one that begins with `continuation`, whose stream is `stream`. Where the
/// chain is a retry, `data` has what they gave before it.
pub(crate) async fn earlier_data(
    log: &Arc<dyn EventLog>,
    stream: &StreamKey,
    mut data: RunData,
    continuation: &Continuation,
) -> Result<RunData, ChainError> {
    for link in links_before(log, stream, continuation).await? {
        let mut after = Revision::default();
        loop {
            let read = log.read_stream(&link, after, Direction::Forward, READ_EVENTS_MAX).await?;
            for recorded in read.iter().filter(|recorded| gives_items(recorded)) {
                data.take(&codec::decode(recorded)?);
            }
            match read.last() {
                Some(last) if read.len() == READ_EVENTS_MAX => after = last.revision,
                _ => break,
            }
        }
    }
    if run_counts(data.plan(), &data) == continuation.run_counts {
        Ok(data)
    } else {
        Err(ChainError::Broken(continuation.previous))
    }
}

fn gives_items(recorded: &RecordedEvent) -> bool {
    matches!(&*recorded.event_type, "NodeCompleted" | "NodeFailed")
}

/// The streams before a link, the root's first.
async fn links_before(
    log: &Arc<dyn EventLog>,
    stream: &StreamKey,
    continuation: &Continuation,
) -> Result<Vec<StreamKey>, ChainError> {
    let mut links = Vec::new();
    let mut previous = continuation.previous;
    for _ in 0..continuation.link {
        let link = stream_of(stream, previous);
        let first = log.read_stream(&link, Revision::default(), Direction::Forward, 1).await?;
        let first = first.first().ok_or(ChainError::Broken(previous))?;
        links.push(link);
        match codec::decode::<ExecutionEvent>(first)? {
            ExecutionEvent::ExecutionContinued(earlier) => previous = earlier.previous,
            _ => break,
        }
    }
    links.reverse();
    Ok(links)
}
