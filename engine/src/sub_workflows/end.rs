//! How an execution ended, and what its last node gave. Only reads.

use std::sync::Arc;

use serde_json::Value;
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::ids::ExecutionId;
use timeloom_domain::item::Item;
use timeloom_store::{
    Direction, EventLog, Filter, LogError, Position, RecordedEvent, StreamKey, SubscriptionMessage, TenantScope, codec,
};

use crate::chain::stream_of;

/// Events that end a stream.
const ENDS: [&str; 4] = ["ExecutionCompleted", "ExecutionFailed", "ExecutionCancelled", "ExecutionContinuedAsNew"];
/// Ends that may wait to be looked at: a stream has one.
const QUEUE_EVENTS_MAX: usize = 4;
/// Events that give items.
const RUNS: [&str; 2] = ["NodeCompleted", "NodeFailed"];
/// A position that no event reaches.
const END_OF_LOG: Position = Position(i64::MAX as u64);

/// How a stream of an execution ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum End {
    Completed,
    Failed { node: Option<String>, error: Value },
    Cancelled,
    ContinuedAs(ExecutionId),
}

impl End {
    /// Whether the execution is over, and not only this stream.
    pub(super) fn is_final(&self) -> bool {
        !matches!(self, Self::ContinuedAs(_))
    }

    fn of(event: &RecordedEvent) -> Result<Option<Self>, LogError> {
        Ok(match codec::decode::<ExecutionEvent>(event)? {
            ExecutionEvent::ExecutionCompleted { .. } => Some(Self::Completed),
            ExecutionEvent::ExecutionFailed { node, error, .. } => Some(Self::Failed { node, error }),
            ExecutionEvent::ExecutionCancelled { .. } => Some(Self::Cancelled),
            ExecutionEvent::ExecutionContinuedAsNew { next, .. } => Some(Self::ContinuedAs(next)),
            _ => None,
        })
    }
}

/// The end of an execution that is known as a stream, and the stream in which that is; waits for it.
pub(super) async fn of(log: &Arc<dyn EventLog>, mut stream: StreamKey) -> Result<(StreamKey, End), LogError> {
    loop {
        match in_stream(log, &stream).await? {
            End::ContinuedAs(next) => stream = stream_of(&stream, next),
            end => return Ok((stream, end)),
        }
    }
}

async fn in_stream(log: &Arc<dyn EventLog>, stream: &StreamKey) -> Result<End, LogError> {
    let filter = Filter {
        categories: vec![ExecutionEvent::CATEGORY.into()],
        event_types: ENDS.map(Arc::from).to_vec(),
        stream: Some(stream.clone()),
    };
    loop {
        // Before the look, so that an end in between is seen by one or the other.
        let scope = TenantScope::One(stream.tenant);
        let mut events = log.subscribe(scope, log.head(), filter.clone(), QUEUE_EVENTS_MAX);
        if let Some(end) = newest(log, stream).await? {
            return Ok(end);
        }
        loop {
            match events.next().await {
                Some(SubscriptionMessage::Event(event)) => {
                    if let Some(end) = End::of(&event)? {
                        return Ok(end);
                    }
                }
                Some(SubscriptionMessage::CaughtUp(_) | SubscriptionMessage::Checkpoint(_)) => {}
                Some(SubscriptionMessage::FellBehind(_)) => break,
                Some(SubscriptionMessage::Failed(error)) => return Err(error),
                None => return Err(LogError::Closed),
            }
        }
    }
}

/// How a stream has ended; `None` when it has not.
pub(super) async fn newest(log: &Arc<dyn EventLog>, stream: &StreamKey) -> Result<Option<End>, LogError> {
    let end = newest_of(log, stream, END_OF_LOG, &ENDS).await?;
    end.map_or(Ok(None), |event| End::of(&event))
}

/// The items on output 0 of the last node that ran, in this stream or one before it.
pub(super) async fn items(log: &Arc<dyn EventLog>, mut stream: StreamKey) -> Result<Vec<Item>, LogError> {
    loop {
        let mut to = END_OF_LOG;
        while let Some(event) = newest_of(log, &stream, to, &RUNS).await? {
            if let ExecutionEvent::NodeCompleted { outputs, .. }
            | ExecutionEvent::NodeFailed { outputs: Some(outputs), .. } = codec::decode(&event)?
            {
                return Ok(outputs.into_iter().next().map(Arc::unwrap_or_clone).unwrap_or_default());
            }
            to = Position(event.position.0.saturating_sub(1));
        }
        let first = newest_of(log, &stream, END_OF_LOG, &["ExecutionContinued"]).await?;
        match first.map(|first| codec::decode(&first)).transpose()? {
            Some(ExecutionEvent::ExecutionContinued(continuation)) => {
                stream = stream_of(&stream, continuation.previous);
            }
            _ => return Ok(Vec::new()),
        }
    }
}

/// The newest event of these types in a stream, up to a position. No other is read: events can be large.
async fn newest_of(
    log: &Arc<dyn EventLog>,
    stream: &StreamKey,
    to: Position,
    event_types: &[&str],
) -> Result<Option<Arc<RecordedEvent>>, LogError> {
    let filter = Filter {
        categories: Vec::new(),
        event_types: event_types.iter().copied().map(Arc::from).collect(),
        stream: Some(stream.clone()),
    };
    let scope = TenantScope::One(stream.tenant);
    Ok(log.read_all(scope, to, Direction::Backward, &filter, 1).await?.into_iter().next())
}
