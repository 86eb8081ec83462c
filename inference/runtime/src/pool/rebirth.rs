//! How often instances that broke down are made again: at once the first time, then after a wait that doubles, until it was
//! quiet for a while.

use std::time::Duration;

const WAIT_LEAST: Duration = Duration::from_millis(100);
const WAIT_MAX: Duration = Duration::from_secs(30);
/// After so long without a breakdown the next is the first again. Longer than any wait.
const QUIET: Duration = Duration::from_secs(120);

/// When the next may be made, of all instances of a pool together.
#[derive(Debug, Clone, Default)]
pub(super) struct Rebirth {
    last: Option<Duration>,
    wait: Duration,
}

impl Rebirth {
    /// One broke down; tells when it may be made again.
    pub(super) fn broke(&mut self, now: Duration) -> Duration {
        let at = match self.last {
            Some(last) if now < last + QUIET => {
                self.wait = (self.wait * 2).min(WAIT_MAX);
                now.max(last) + self.wait
            }
            _ => {
                self.wait = WAIT_LEAST;
                now
            }
        };
        self.last = Some(at);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_again_and_again_is_made_ever_more_seldom() {
        let (mut rebirth, mut now, mut made) = (Rebirth::default(), Duration::from_secs(1), 0);
        let end = now + Duration::from_secs(600);
        while now < end {
            now = rebirth.broke(now);
            made += 1;
        }
        assert!(made <= 30, "{made} times in ten minutes");
        let (mut flapping, mut often) = (Rebirth::default(), 0);
        for second in 0..600 {
            often += u32::from(flapping.broke(Duration::from_secs(second)) == Duration::from_secs(second));
        }
        assert_eq!(often, 1, "one that breaks every second is made at once the first time alone");
        let later = now + Duration::from_secs(3600);
        assert_eq!(rebirth.broke(later), later, "after an hour's quiet it is made at once");
    }
}
