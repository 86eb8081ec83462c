//! Finds the runs that were left, however long ago they began.

use std::collections::HashSet;
use std::sync::Arc;

use timeloom_store::{Direction, LogError, Position, RecordedEvent, StreamKey, TenantScope};
use tokio::sync::mpsc;

use crate::follow::{BEGINNINGS, ENDS, PAUSE, filter};
use crate::runs::AgentRuns;

/// Events that are read at a time.
const PAGE_EVENTS: usize = 500;
/// Pages of beginnings that may wait to be taken in.
pub(crate) const PAGES_WAITING_MAX: usize = 4;

/// Sends the beginnings of the runs that had not ended at a position, the newest first.
///
/// The log is read backwards: an end is met before its beginning, so what is kept are the ends of the runs that were under
/// way at one moment, never all.
pub(crate) async fn look_back(runs: AgentRuns, to: Position, pages: mpsc::Sender<Vec<Arc<RecordedEvent>>>) {
    let (mut last, mut ended) = (to, HashSet::new());
    loop {
        let read = match page_before(&runs, last).await {
            Ok(read) => read,
            Err(error) => {
                tracing::warn!(%error, "the runs of agents that were left are not known; trying again");
                tokio::select! {
                    () = pages.closed() => return,
                    () = tokio::time::sleep(PAUSE) => continue,
                }
            }
        };
        let is_last = read.len() < PAGE_EVENTS;
        last = read.last().map_or(last, |oldest| Position(oldest.position.0.saturating_sub(1)));
        let left = read.into_iter().filter(|event| is_left(event, &mut ended)).collect();
        // Nobody takes them in any more: this process stops.
        if pages.send(left).await.is_err() || is_last {
            return;
        }
    }
}

async fn page_before(runs: &AgentRuns, last: Position) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
    let filter = filter(BEGINNINGS.into_iter().chain(ENDS));
    runs.inner.parts.log.read_all(TenantScope::All, last, Direction::Backward, &filter, PAGE_EVENTS).await
}

/// Whether an event is the beginning of a run whose end was not met.
fn is_left(event: &RecordedEvent, ended: &mut HashSet<StreamKey>) -> bool {
    if ENDS.contains(&&*event.event_type) {
        ended.insert(event.stream.clone());
        return false;
    }
    !ended.remove(&event.stream)
}
