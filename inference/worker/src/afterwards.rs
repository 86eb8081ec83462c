//! How long it takes until a computed answer is written down. That much of a question's time has to be left when it is
//! computed: an answer that is there in time, but is told too late, was computed for nobody.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Weight of the newest in the means.
const WEIGHT: f64 = 0.125;
/// How many deviations beyond the mean are left.
const DEVIATIONS: f64 = 4.0;

/// Means over what was written down lately.
#[derive(Debug, Default)]
pub(crate) struct Afterwards(Mutex<Option<Means>>);

#[derive(Debug, Clone, Copy)]
struct Means {
    seconds: f64,
    deviation: f64,
}

impl Afterwards {
    /// Notes how long it took once.
    pub(crate) fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let means = known.get_or_insert(Means { seconds, deviation: seconds / 2.0 });
        means.deviation += WEIGHT * ((seconds - means.seconds).abs() - means.deviation);
        means.seconds += WEIGHT * (seconds - means.seconds);
    }

    /// How much of `within` is there to compute. Half of it at least: no deviation may take all of it.
    pub(crate) fn left(&self, within: Duration) -> Duration {
        let known = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rarely = known.map_or(0.0, |means| means.seconds + DEVIATIONS * means.deviation);
        within - Duration::try_from_secs_f64(rarely).unwrap_or(Duration::MAX).min(within / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_writing_takes_is_kept_free_but_never_more_than_half() {
        let afterwards = Afterwards::default();
        let within = Duration::from_millis(100);
        assert_eq!(afterwards.left(within), within);
        for run in 0..100_u64 {
            afterwards.observe(Duration::from_millis(4 + run % 2 * 2));
        }
        let left = afterwards.left(within);
        assert!(left > Duration::from_millis(88) && left < Duration::from_millis(94), "{left:?}");
        afterwards.observe(Duration::from_secs(9));
        assert_eq!(afterwards.left(within), within / 2);
    }
}
