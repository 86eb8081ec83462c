//! How many rows a batch may have after memory ran out: half of what was too much, and again the double after a while.
//!
//! Probing is done by batches that callers asked for: what turns out too large once more is computed in halves, so nobody
//! pays for it with an error.

use std::time::Duration;

/// Longest time for which a size is left alone.
const WAIT_MAX: Duration = Duration::from_secs(600);

/// The most rows of a batch, now.
#[derive(Debug, Clone)]
pub(super) struct Limit {
    full: usize,
    rows: usize,
    probe_at: Duration,
    wait: Duration,
    wait_least: Duration,
}

impl Limit {
    pub(super) fn new(full: usize, wait_least: Duration) -> Self {
        Self { full, rows: full, probe_at: Duration::ZERO, wait: wait_least, wait_least }
    }

    /// An instance takes no more than `rows`.
    pub(super) fn bound(&mut self, rows: usize) {
        self.full = self.full.min(rows.max(1));
        self.rows = self.rows.min(self.full);
    }

    /// As it is at `now`.
    pub(super) fn at(&mut self, now: Duration) -> usize {
        if self.is_degraded() && now >= self.probe_at {
            self.rows = self.rows.saturating_mul(2).min(self.full);
            self.probe_at = now + self.wait;
        }
        self.rows
    }

    /// Memory did not allow a batch of `rows`.
    pub(super) fn ran_out(&mut self, rows: usize, now: Duration) {
        // Soon after a probe it is the probe that failed: the next one is further away.
        let again = self.probe_at > Duration::ZERO && now < self.probe_at + self.wait;
        self.wait = if again { (self.wait * 2).min(WAIT_MAX) } else { self.wait_least };
        self.rows = self.rows.min((rows / 2).max(1));
        self.probe_at = now + self.wait;
    }

    pub(super) fn full(&self) -> usize {
        self.full
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn is_degraded(&self) -> bool {
        self.rows < self.full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_halves_and_comes_back_by_doubling() {
        let mut limit = Limit::new(32, SECOND);
        limit.ran_out(32, SECOND);
        assert_eq!((limit.at(SECOND), limit.is_degraded()), (16, true));
        limit.ran_out(16, SECOND);
        // The second time came at once, so the wait is twice as long.
        assert_eq!([2, 3, 4, 5].map(|at| limit.at(SECOND * at)), [8, 16, 16, 32]);
        assert!(!limit.is_degraded());
    }

    #[test]
    fn it_never_falls_below_one_row() {
        let mut limit = Limit::new(2, SECOND);
        limit.ran_out(1, SECOND);
        assert_eq!(limit.at(SECOND), 1);
    }

    #[test]
    fn probes_that_fail_come_ever_more_seldom() {
        let (mut limit, mut now, mut probes) = (Limit::new(32, SECOND), SECOND, 0);
        limit.ran_out(32, now);
        while now < SECOND * 1000 {
            now += SECOND;
            if limit.at(now) > 16 {
                probes += 1;
                limit.ran_out(32, now);
            }
        }
        assert!((5..=12).contains(&probes), "{probes}");
    }
}
