//! When an instance is to be added: when the oldest has waited too long, at every look during a while.
//!
//! That an idle one ends is decided where it idles; the times are so far apart that the number does not swing.

use std::time::Duration;

/// How often it is looked at while too long a wait lasts: a part of the while.
const LOOKS: u32 = 5;

/// Decides whether to add an instance.
#[derive(Debug, Clone)]
pub(super) struct Scale {
    delay: Duration,
    after: Duration,
    slow_since: Option<Duration>,
}

impl Scale {
    pub(super) fn new(delay: Duration, after: Duration) -> Self {
        Self { delay, after, slow_since: None }
    }

    /// How long until the next look.
    pub(super) fn look_every(&self) -> Duration {
        self.after / LOOKS
    }

    /// Looks: `waited` is how long the oldest has waited. True when an instance is to be added now; the while begins anew.
    pub(super) fn look(&mut self, waited: Option<Duration>, now: Duration) -> bool {
        if waited.is_none_or(|waited| waited < self.delay) {
            self.slow_since = None;
            return false;
        }
        let since = *self.slow_since.get_or_insert(now);
        let add = now.saturating_sub(since) >= self.after;
        if add {
            self.slow_since = Some(now);
        }
        add
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn only_a_wait_that_lasts_adds_one_and_each_takes_a_while_of_its_own() {
        let mut scale = Scale::new(ms(20), ms(500));
        let mut added = Vec::new();
        for at in (0..2_000).step_by(100) {
            // One short wait at 400 begins the while anew.
            let waited = if at == 400 { ms(10) } else { ms(30) };
            if scale.look(Some(waited), ms(at)) {
                added.push(at);
            }
        }
        assert_eq!(added, [1000, 1500]);
        assert!(!scale.look(None, ms(9_000)));
    }
}
