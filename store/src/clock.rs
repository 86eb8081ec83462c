//! Where time comes from. Never read anywhere else: whoever needs the time is given a [`Clock`].

use chrono::{DateTime, Utc};

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the port's one adapter to the machine's clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// A function is a clock, which is handy in tests.
impl<F: Fn() -> DateTime<Utc> + Send + Sync + 'static> Clock for F {
    fn now(&self) -> DateTime<Utc> {
        self()
    }
}

/// The times that a log writes down: microseconds since 1970 that never repeat and never go back.
#[derive(Debug, Clone, Copy)]
pub struct RecordingTime {
    last_us: i64,
}

impl RecordingTime {
    /// Goes on after `last_us`, the time of the newest event in the log; `i64::MIN` when there is none.
    pub fn after(last_us: i64) -> Self {
        Self { last_us }
    }

    /// The time for the next event: `now_us`, or one microsecond after the last event when the clock stands or went back.
    pub fn next(&mut self, now_us: i64) -> i64 {
        self.last_us = now_us.max(self.last_us.saturating_add(1));
        self.last_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recording_time_never_repeats_nor_goes_back() {
        let mut time = RecordingTime::after(i64::MIN);
        let taken: Vec<i64> = [100, 100, 50, 101, 500].into_iter().map(|now| time.next(now)).collect();
        assert_eq!(taken, [100, 101, 102, 103, 500]);
    }
}
