//! How often targets of a route may be asked again: a share of its calls, so that a provider in trouble is not asked ever
//! more.

use std::sync::{Mutex, PoisonError};

/// Times that may be saved up.
const SAVED_MAX: u64 = 20;
/// Times that a route begins with, so that few calls can be tried again too.
const SAVED_FIRST: u64 = 3;
/// What a time costs, in hundredths.
const PRICE: u64 = 100;

#[derive(Debug)]
pub(super) struct Budget(Mutex<u64>);

impl Default for Budget {
    fn default() -> Self {
        Self(Mutex::new(SAVED_FIRST * PRICE))
    }
}

impl Budget {
    /// A call begins.
    pub(super) fn earn(&self, percent: u32) {
        let mut saved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *saved = (*saved + u64::from(percent)).min(SAVED_MAX * PRICE);
    }

    /// Whether a target may be asked once more.
    pub(super) fn spend(&self) -> bool {
        let mut saved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(left) = saved.checked_sub(PRICE) else { return false };
        *saved = left;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_the_calls_can_be_tried_again_and_no_more() {
        let budget = Budget::default();
        let mut again = 0;
        for _ in 0..1_000 {
            budget.earn(20);
            again += u64::from(budget.spend());
        }
        assert!((200..=203).contains(&again), "{again}");
    }

    #[test]
    fn nothing_is_saved_without_end() {
        let budget = Budget::default();
        (0..10_000).for_each(|_| budget.earn(20));
        let again = (0..100).filter(|_| budget.spend()).count();
        assert_eq!(again as u64, SAVED_MAX);
    }
}
