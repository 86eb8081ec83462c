//! How often something may be done: so many times at once, and again as time goes by.
//!
//! Invariant: what is remembered is bounded. When there are too many to tell apart, those that come last share one measure.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Most keys that are told apart.
const KEYS_MAX: usize = 100_000;

/// A measure for each key.
#[derive(Debug)]
pub struct Limiter<K> {
    /// How often at once.
    burst: u32,
    /// How long until one more time.
    each: Duration,
    kept: Mutex<Kept<K>>,
}

#[derive(Debug)]
struct Kept<K> {
    /// When each key will have everything back.
    full_at: HashMap<K, Instant>,
    /// The same of all those that are not told apart.
    others_full_at: Option<Instant>,
}

/// What is left after something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// How often it may be done at once.
    pub times: u32,
    /// When it will be all of it again.
    pub full_in: Duration,
}

impl<K: Eq + Hash> Limiter<K> {
    /// So many times at once, and as many in each minute.
    pub fn per_minute(times: u32) -> Self {
        let times = times.max(1);
        let kept = Kept { full_at: HashMap::new(), others_full_at: None };
        Self { burst: times, each: Duration::from_secs(60) / times, kept: Mutex::new(kept) }
    }

    /// Does something `times` times over.
    ///
    /// # Errors
    /// How long to wait, when it has been done too often.
    pub fn take(&self, key: K, times: u32, now: Instant) -> Result<Left, Duration> {
        // Each change of it is one step.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.full_at.len() >= KEYS_MAX && !kept.full_at.contains_key(&key) {
            kept.full_at.retain(|_, full_at| *full_at > now);
        }
        let is_told_apart = kept.full_at.len() < KEYS_MAX || kept.full_at.contains_key(&key);
        let before = if is_told_apart { kept.full_at.get(&key).copied() } else { kept.others_full_at };
        let whole = self.each * self.burst;
        let full_at = before.unwrap_or(now).max(now) + self.each * times;
        let missing = full_at.duration_since(now);
        // Whoever asks for more than there ever is gets it once they have everything.
        if missing > whole.max(self.each * times) {
            return Err(missing - whole.max(self.each * times));
        }
        if is_told_apart {
            kept.full_at.insert(key, full_at);
        } else {
            kept.others_full_at = Some(full_at);
        }
        let left = whole.saturating_sub(missing).as_nanos() / self.each.as_nanos().max(1);
        Ok(Left { times: u32::try_from(left).unwrap_or(u32::MAX), full_in: missing })
    }
}

/// Whole seconds, at least one, for a header that tells when to try again.
pub(crate) fn seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_often_at_once_and_then_as_time_goes_by() {
        let (limiter, now) = (Limiter::per_minute(6), Instant::now());
        for left in (0..6).rev() {
            assert_eq!(limiter.take("a", 1, now).map(|left| left.times), Ok(left));
        }
        assert_eq!(limiter.take("a", 1, now), Err(Duration::from_secs(10)));
        assert!(limiter.take("b", 1, now).is_ok(), "nobody pays for somebody else");
        assert_eq!(limiter.take("a", 1, now + Duration::from_secs(4)), Err(Duration::from_secs(6)));
        assert_eq!(limiter.take("a", 1, now + Duration::from_secs(10)).map(|left| left.times), Ok(0));
        assert_eq!(limiter.take("a", 1, now + Duration::from_secs(600)).map(|left| left.times), Ok(5));
    }

    #[test]
    fn whoever_asks_for_more_than_there_is_gets_it_when_they_have_everything() {
        let (limiter, now) = (Limiter::per_minute(60), Instant::now());
        assert!(limiter.take("a", 120, now).is_ok());
        assert_eq!(limiter.take("a", 1, now), Err(Duration::from_secs(61)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (limiter, now) = (Limiter::per_minute(2), Instant::now());
        for key in 0..KEYS_MAX {
            assert!(limiter.take(key, 1, now).is_ok());
        }
        assert!(limiter.take(KEYS_MAX, 1, now).is_ok() && limiter.take(KEYS_MAX + 1, 1, now).is_ok());
        assert!(limiter.take(KEYS_MAX + 2, 1, now).is_err(), "the last ones share a measure");
        assert!(limiter.take(0, 1, now).is_ok(), "who is known keeps their own");
        let later = now + Duration::from_secs(60);
        assert!(limiter.take(KEYS_MAX + 3, 1, later).is_ok(), "those who have everything back are forgotten");
        assert_eq!(limiter.kept.lock().unwrap().full_at.len(), 1);
    }
}
