//! What a pool tells of itself, as plain numbers. The names of Triton's metrics stand beside them: people's dashboards know
//! those.

use std::time::Duration;

use super::ask::Reason;

/// Bounds of the buckets of times, in microseconds.
pub const TIME_BOUNDS_US: &[u64] =
    &[50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000];
/// Bounds of the buckets of batch sizes, in rows.
pub const ROWS_BOUNDS: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/// How often something was how large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    bounds: &'static [u64],
    counts: Vec<u64>,
    sum: u64,
}

impl Histogram {
    /// Nothing yet; `bounds` are the upper ones of its buckets, ascending.
    pub fn new(bounds: &'static [u64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: 0 }
    }

    /// Counts a value.
    pub fn observe(&mut self, value: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum = self.sum.saturating_add(value);
    }

    pub(super) fn observe_time(&mut self, time: Duration) {
        self.observe(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// The upper bounds of its buckets but the last, which has none.
    pub fn bounds(&self) -> &'static [u64] {
        self.bounds
    }

    /// How many fell into each bucket; the last holds what was above all bounds.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The sum of all values.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// The numbers of one pool. All but the levels at the end only grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Requests that were answered: `nv_inference_request_success`.
    pub ok: u64,
    pub(super) failed: [u64; Reason::ALL.len()],
    /// Rows that were computed for somebody: `nv_inference_count`.
    pub inferences: u64,
    /// Batches that were computed: `nv_inference_exec_count`. Inferences by executions are the mean size of a batch.
    pub executions: u64,
    /// Rows that only filled up buckets.
    pub padding_rows: u64,
    /// Answers that were there after their deadline, though begun before.
    pub late: u64,
    /// From ask to run, in microseconds: `nv_inference_queue_duration_us`.
    pub queue_us: Histogram,
    /// The runs, in microseconds: `nv_inference_compute_infer_duration_us`.
    pub compute_us: Histogram,
    /// The same summed over the requests that were answered, each of which waited for the whole of its batch.
    pub answered_compute_us: u64,
    /// Rows of the batches.
    pub batch_rows: Histogram,
    /// How often memory ran out.
    pub out_of_memory: u64,
    /// Instances that broke down and were made again.
    pub replaced: u64,
    /// How often an instance was woken.
    pub wakes: u64,
    /// Requests that wait now: `nv_inference_pending_request_count`.
    pub pending: usize,
    /// Bytes of inputs that wait now.
    pub pending_bytes: usize,
    /// Requests that are being computed now.
    pub running: usize,
    /// Instances that can compute now.
    pub instances: usize,
    /// Most rows of a batch as memory allows now.
    pub batch_rows_max: usize,
    /// Whether that is less than it was loaded for.
    pub degraded: bool,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            ok: 0,
            failed: [0; Reason::ALL.len()],
            inferences: 0,
            executions: 0,
            padding_rows: 0,
            late: 0,
            queue_us: Histogram::new(TIME_BOUNDS_US),
            compute_us: Histogram::new(TIME_BOUNDS_US),
            answered_compute_us: 0,
            batch_rows: Histogram::new(ROWS_BOUNDS),
            out_of_memory: 0,
            replaced: 0,
            wakes: 0,
            pending: 0,
            pending_bytes: 0,
            running: 0,
            instances: 0,
            batch_rows_max: 0,
            degraded: false,
        }
    }
}

impl Counts {
    /// Requests that were not computed, by why: `nv_inference_request_failure`.
    pub fn failed(&self, reason: Reason) -> u64 {
        self.failed.get(reason as usize).copied().unwrap_or_default()
    }

    /// Requests that were not computed, whyever.
    pub fn failed_all(&self) -> u64 {
        self.failed.iter().sum()
    }

    pub(super) fn fail(&mut self, reason: Reason) {
        if let Some(count) = self.failed.get_mut(reason as usize) {
            *count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_bound_falls_below_it_and_one_above_all_into_the_last() {
        let mut rows = Histogram::new(ROWS_BOUNDS);
        for value in [1, 2, 3, 1024, 1025] {
            rows.observe(value);
        }
        assert_eq!(rows.counts(), [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!((rows.count(), rows.sum()), (5, 2055));
    }
}
