//! What one holder took of one thing.

use std::collections::VecDeque;

use super::Form;

/// After how many seconds something that was taken in a second is sure to be a minute ago.
const MINUTE_SECONDS: i64 = 61;
/// How soon it is worth asking for a place among the calls at once: nobody knows when one of them ends.
const CALL_WAIT_MS: u64 = 1_000;

/// What was taken.
#[derive(Debug)]
pub(super) enum Account {
    /// In the last minute, by second.
    Minute { seconds: VecDeque<(i64, u64)>, sum: u64 },
    /// Now.
    Now(u64),
    /// In the window that is under way.
    Window { window_ms: i64, number: i64, sum: u64 },
}

impl Account {
    pub(super) fn new(form: Form) -> Self {
        match form {
            Form::Requests | Form::Tokens => Self::Minute { seconds: VecDeque::new(), sum: 0 },
            Form::Calls => Self::Now(0),
            Form::Money(window_ms) => Self::Window { window_ms, number: i64::MIN, sum: 0 },
        }
    }

    /// How long it takes until `amount` more fits under `most`; nothing when it fits now.
    pub(super) fn wait_ms(&mut self, most: u64, amount: u64, now_ms: i64) -> Option<u64> {
        self.forget(now_ms);
        let sum = match self {
            Self::Minute { sum, .. } | Self::Now(sum) | Self::Window { sum, .. } => *sum,
        };
        let over = sum.saturating_add(amount).checked_sub(most).filter(|over| *over > 0)?;
        Some(match self {
            Self::Minute { seconds, .. } => {
                let mut freed = 0_u64;
                let enough = seconds.iter().find(|(_, taken)| {
                    freed = freed.saturating_add(*taken);
                    freed >= over
                });
                let (second, _) = enough.or_else(|| seconds.back()).copied().unwrap_or((now_ms.div_euclid(1000), 0));
                milliseconds((second + MINUTE_SECONDS) * 1000 - now_ms)
            }
            Self::Now(_) => CALL_WAIT_MS,
            Self::Window { window_ms, number, .. } => milliseconds((*number + 1) * *window_ms - now_ms),
        })
    }

    /// How much is taken, and after how many milliseconds nothing of it counts any more.
    pub(super) fn standing(&mut self, now_ms: i64) -> (u64, u64) {
        self.forget(now_ms);
        match self {
            Self::Minute { seconds, sum } => {
                let reset_ms =
                    seconds.back().map_or(0, |(second, _)| milliseconds((second + MINUTE_SECONDS) * 1000 - now_ms));
                (*sum, reset_ms)
            }
            Self::Now(sum) => (*sum, 0),
            Self::Window { window_ms, number, sum } if *sum > 0 => {
                (*sum, milliseconds((*number + 1) * *window_ms - now_ms))
            }
            Self::Window { .. } => (0, 0),
        }
    }

    pub(super) fn add(&mut self, amount: u64, at_ms: i64) {
        match self {
            Self::Minute { seconds, sum } => {
                let second = at_ms.div_euclid(1000);
                let place = seconds.partition_point(|(known, _)| *known < second);
                match seconds.get_mut(place) {
                    Some((known, taken)) if *known == second => *taken = taken.saturating_add(amount),
                    _ => seconds.insert(place, (second, amount)),
                }
                *sum = sum.saturating_add(amount);
            }
            Self::Now(sum) => *sum = sum.saturating_add(amount),
            Self::Window { window_ms, number, sum } => {
                let found = at_ms.div_euclid(*window_ms);
                if found > *number {
                    (*number, *sum) = (found, 0);
                }
                if found == *number {
                    *sum = sum.saturating_add(amount);
                }
            }
        }
    }

    /// Puts `took` in the place of what was reserved at `at_ms`.
    pub(super) fn correct(&mut self, reserved: u64, took: u64, at_ms: i64, now_ms: i64) {
        if took >= reserved {
            // What is taken beyond is of now: it was not known before.
            if !matches!(self, Self::Now(_)) && took > reserved {
                self.forget(now_ms);
                self.add(took - reserved, now_ms);
            }
            return;
        }
        let back = reserved - took;
        match self {
            Self::Minute { seconds, sum } => {
                let second = at_ms.div_euclid(1000);
                if let Some((_, taken)) = seconds.iter_mut().find(|(known, _)| *known == second) {
                    *taken = taken.saturating_sub(back);
                    *sum = sum.saturating_sub(back);
                }
            }
            Self::Window { window_ms, number, sum } if at_ms.div_euclid(*window_ms) == *number => {
                *sum = sum.saturating_sub(back);
            }
            Self::Window { .. } | Self::Now(_) => {}
        }
    }

    pub(super) fn release(&mut self, amount: u64) {
        if let Self::Now(sum) = self {
            *sum = sum.saturating_sub(amount);
        }
    }

    pub(super) fn is_empty(&mut self, now_ms: i64) -> bool {
        self.forget(now_ms);
        match self {
            Self::Minute { sum, .. } | Self::Now(sum) | Self::Window { sum, .. } => *sum == 0,
        }
    }

    fn forget(&mut self, now_ms: i64) {
        match self {
            Self::Minute { seconds, sum } => {
                let oldest = now_ms.div_euclid(1000) - MINUTE_SECONDS;
                while let Some((_, taken)) = seconds.pop_front_if(|(second, _)| *second <= oldest) {
                    *sum = sum.saturating_sub(taken);
                }
            }
            Self::Now(_) => {}
            Self::Window { window_ms, number, sum } => {
                let found = now_ms.div_euclid(*window_ms);
                if found > *number {
                    (*number, *sum) = (found, 0);
                }
            }
        }
    }
}

fn milliseconds(wait: i64) -> u64 {
    u64::try_from(wait).unwrap_or(0).max(1)
}
