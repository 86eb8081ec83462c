//! Batches: how many items are sent at once, and the pause between one batch and the next.

use std::ops::Range;
use std::time::Duration;

use timeloom_engine::node::{NodeError, NodeRun};

/// Requests of one node that are under way at once.
pub(super) const REQUESTS_AT_ONCE_MAX: usize = 32;
/// Requests that are made ready before the first of them is sent.
const READY_MAX: usize = 256;
/// Longest pause between two batches.
const PAUSE_MAX_MS: f64 = 600_000.0;

/// The author's batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Batching {
    /// Items of a batch; 0 when there is one batch of all.
    size: usize,
    pause: Duration,
}

impl Batching {
    /// Reads the parameters.
    pub fn read(run: &mut NodeRun<'_>) -> Result<Self, NodeError> {
        let (size, interval) = if run.version() < 3.0 {
            (run.number("options.batchSize", 0, -1.0)?, run.number("options.batchInterval", 0, 0.0)?)
        } else {
            let set = run.raw_parameter("options.batching.batch").is_some();
            let size = run.number("options.batching.batch.batchSize", 0, if set { 50.0 } else { -1.0 })?;
            (size, run.number("options.batching.batch.batchInterval", 0, if set { 1000.0 } else { 0.0 })?)
        };
        let pause = Duration::from_millis(interval.clamp(0.0, PAUSE_MAX_MS) as u64);
        Ok(Self { size: if size < 0.0 { 0 } else { size.max(1.0) as usize }, pause })
    }

    /// The batches of so many items, cut where more would be made ready at once than is allowed.
    pub fn ranges(self, count: usize) -> impl Iterator<Item = Range<usize>> {
        let size = if self.size == 0 { READY_MAX } else { self.size.min(READY_MAX) };
        let mut start = 0_usize;
        std::iter::from_fn(move || {
            let rest = start.checked_div(self.size).map_or(count, |batch| (batch + 1) * self.size);
            let end = (start + size).min(rest).min(count);
            let range = start..end;
            start = end;
            (!range.is_empty()).then_some(range)
        })
    }

    /// Waits before the batch that begins with item `start`.
    pub async fn pause_before(self, start: usize) {
        if start > 0 && self.size > 0 && start.is_multiple_of(self.size) && !self.pause.is_zero() {
            tokio::time::sleep(self.pause).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_every_item_once_and_never_too_many() {
        for (size, count) in [(0, 1_000), (1, 5), (50, 120), (300, 700), (50, 0)] {
            let batching = Batching { size, pause: Duration::ZERO };
            let ranges: Vec<Range<usize>> = batching.ranges(count).collect();
            let items: Vec<usize> = ranges.iter().cloned().flatten().collect();
            assert_eq!(items, (0..count).collect::<Vec<_>>(), "{size} of {count}");
            let inside = |range: &Range<usize>| size == 0 || range.start / size == (range.end - 1) / size;
            assert!(ranges.iter().all(|range| range.len() <= READY_MAX && inside(range)), "{ranges:?}");
        }
    }
}
