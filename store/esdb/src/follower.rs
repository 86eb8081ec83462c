//! Brings what is on the server into the replica, in order, whoever appended it; and tells those who wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use eventstore::{StreamPosition, SubscribeToStreamOptions};
use timeloom_domain::ids::EventId;
use timeloom_store::spill::PayloadReference;
use timeloom_store::{
    Append, Appended, AskedDurability, BlobStore as _, Expected, FollowedClock, LogError, Position, Replica, Revision,
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::blobs::EsdbBlobs;
use crate::error::EsdbError;
use crate::log::{STREAM, State};
use crate::row::Row;
use crate::server::{Server, is_passing};

/// Between two tries to follow.
const PAUSE: Duration = Duration::from_millis(250);

/// Those who wait until an append is in the replica, by its first event.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Mutex<HashMap<EventId, oneshot::Sender<Appended>>>);

impl Waiting {
    pub(crate) fn register(&self, first: EventId) -> oneshot::Receiver<Appended> {
        let (sender, receiver) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(first, sender);
        receiver
    }

    pub(crate) fn forget(&self, first: EventId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&first);
    }

    fn tell(&self, first: EventId, appended: Appended) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&first);
        if let Some(waiting) = waiting {
            // Whoever waited may have given up.
            let _ = waiting.send(appended);
        }
    }
}

pub(crate) struct Follower {
    pub(crate) server: Server,
    pub(crate) blobs: EsdbBlobs,
    pub(crate) replica: Arc<dyn Replica>,
    pub(crate) clock: Arc<FollowedClock>,
    pub(crate) waiting: Arc<Waiting>,
    pub(crate) state: Arc<State>,
}

impl Follower {
    /// Follows until it is stopped, or something is on the server that is no log.
    pub(crate) async fn run(self, stop: CancellationToken) {
        loop {
            let ended = tokio::select! {
                () = stop.cancelled() => return,
                ended = self.follow() => ended,
            };
            match ended {
                Err(EsdbError::Server(error)) if is_passing(&error) || is_slow(&error) => {
                    tracing::debug!(%error, "the server of the log is followed again");
                }
                Err(error) => {
                    tracing::error!(%error, "the server of the log is followed no more: nothing can be appended");
                    self.state.fail(error.into());
                    return;
                }
                Ok(never) => match never {},
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    async fn follow(&self) -> Result<std::convert::Infallible, EsdbError> {
        let head = self.replica.head();
        let position = head.0.checked_sub(1).map_or(StreamPosition::Start, StreamPosition::Position);
        let options = SubscribeToStreamOptions::default().start_from(position);
        let mut subscription = self.server.client.subscribe_to_stream(STREAM, &options).await;
        let (mut next, mut rows) = (head.0, Vec::new());
        loop {
            let event = subscription.next().await?;
            let event = event.get_original_event();
            if event.revision < next {
                continue;
            }
            let row = Row::from_server(event)?;
            if event.revision != next {
                let detail =
                    format!("it follows revision {next}, which is missing: streams of a log are never truncated");
                return Err(EsdbError::Foreign { revision: event.revision, detail });
            }
            next += 1;
            let is_last = row.append.is_some();
            rows.push(row);
            if is_last {
                self.apply(Position(next), std::mem::take(&mut rows)).await?;
            }
        }
    }

    /// Appends to the replica what ends at `position`.
    async fn apply(&self, position: Position, rows: Vec<Row>) -> Result<(), EsdbError> {
        let damaged = |detail: &str| LogError::Corrupt { position, detail: detail.to_owned() };
        let (Some(first), count) = (rows.first(), rows.len()) else { return Ok(()) };
        if rows.last().and_then(|last| last.append).is_none_or(|events| events as usize != count) {
            return Err(damaged("an append on the server is not whole").into());
        }
        let (stream, command_id, first_id) = (first.stream.clone(), first.command_id, first.event.id);
        let expected = Expected::Exact(Revision(first.revision.0.saturating_sub(1)));
        self.clock.set(first.at_us);
        let times: Vec<i64> = rows.iter().map(|row| row.at_us).collect();
        let mut events = Vec::with_capacity(count);
        for row in rows {
            let mut event = row.event;
            if let Some(reference) = PayloadReference::find(event.payload.get()).map_err(|detail| damaged(&detail))? {
                let content = self.blobs.get(reference.hash).await?;
                event.payload = reference.payload(content.into()).map_err(|detail| damaged(&detail))?;
            }
            events.push(event);
        }
        let append = Append::new(stream, expected, events, command_id).asking(AskedDurability::Relaxed);
        // What the server took is judged as it was: anything else but a full disk is a fault in one of both.
        let appended = self.replica.append(append).await.map_err(|error| match error {
            timeloom_store::AppendError::Log(error) => error,
            error => damaged(&format!("the replica does not take it: {error}")),
        })?;
        let same_times = appended.events.iter().map(|event| event.recorded_at.timestamp_micros()).eq(times);
        if appended.position != position || appended.repeated || !same_times {
            return Err(damaged("the replica has it at another place or time").into());
        }
        self.waiting.tell(first_id, appended);
        Ok(())
    }
}

/// Whether the server let go of this process for being slow.
fn is_slow(error: &eventstore::Error) -> bool {
    matches!(error, eventstore::Error::Grpc { message, .. } if message.starts_with("Consumer too slow"))
}
