//! How long a batch takes, guessed from those before, and how many rows get done: what decides who has a chance to keep
//! its deadline, and when there may be room again.

use std::time::Duration;

/// Weight of the newest batch in the mean, and in the deviation.
const WEIGHT: f64 = 0.125;

/// Means over the last batches.
#[derive(Debug, Clone, Default)]
pub(super) struct Estimate {
    seconds: f64,
    deviation: f64,
    rows: f64,
    runs: u64,
}

impl Estimate {
    pub(super) fn observe(&mut self, rows: usize, compute: Duration) {
        let (seconds, rows) = (compute.as_secs_f64(), rows as f64);
        self.runs += 1;
        if self.runs == 1 {
            (self.seconds, self.deviation, self.rows) = (seconds, seconds / 2.0, rows);
            return;
        }
        self.deviation += WEIGHT * ((seconds - self.seconds).abs() - self.deviation);
        self.seconds += WEIGHT * (seconds - self.seconds);
        self.rows += WEIGHT * (rows - self.rows);
    }

    /// What a batch rarely takes longer than.
    pub(super) fn compute(&self) -> Duration {
        Duration::from_secs_f64((self.seconds + 2.0 * self.deviation).max(0.0))
    }

    /// How long `instances` take for `rows` rows, as batches were lately.
    pub(super) fn time_for(&self, rows: usize, instances: usize) -> Duration {
        let per_row = self.seconds / self.rows.max(1.0);
        Duration::try_from_secs_f64(per_row * rows as f64 / instances.max(1) as f64).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_near_what_batches_take_and_not_below() {
        let mut estimate = Estimate::default();
        assert_eq!(estimate.compute(), Duration::ZERO);
        for run in 0..100_u64 {
            estimate.observe(32, Duration::from_micros(1000 + run % 2 * 100));
        }
        let compute = estimate.compute();
        assert!(compute > Duration::from_micros(1100) && compute < Duration::from_micros(1300), "{compute:?}");
        let time = estimate.time_for(320, 2);
        assert!(time > Duration::from_micros(5000) && time < Duration::from_micros(5500), "{time:?}");
    }
}
