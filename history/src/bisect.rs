//! Which change made something bad: the one of many, in order, after which what was good is bad, found by trying few of them.
//!
//! Pure: it says which point to try next, and is told what came of it. A point is what there is after so many changes; point 0 is
//! before all of them. Of the last point it is known that it is bad. Invariant: a change that is found lies between a point
//! that was seen to be good and one that was seen to be bad, or at the end; where several changes go from good to bad, it is one
//! of them.

use std::collections::BTreeMap;

/// Most points that one search tries.
pub const TRIES_MAX: usize = 64;

/// What is known of a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it should be.
    Good,
    /// It is as it should not be.
    Bad,
    /// That cannot be told, for this reason.
    Untestable(String),
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Try this point.
    Try(usize),
    /// The search is over.
    Done(Found),
}

/// What a search came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// This change did it; 1 is the first.
    Change(usize),
    /// One of these changes did it: the points between cannot be tested.
    OneOf {
        /// The first of them.
        first: usize,
        /// The last of them.
        last: usize,
    },
    /// It is bad before all changes already: something else did it.
    NoneOfThem,
    /// One of these changes did it, and it was tried often enough.
    GaveUp {
        /// The first of them.
        first: usize,
        /// The last of them.
        last: usize,
    },
}

/// A search among a number of changes.
#[derive(Debug, Clone)]
pub struct Bisection {
    /// The newest point that is good; point 0 is taken to be until it is tried.
    good: usize,
    /// The oldest point after it that is bad.
    bad: usize,
    /// Whether `good` was seen to be.
    is_seen: bool,
    tried: BTreeMap<usize, Verdict>,
}

impl Bisection {
    /// A search among so many changes, after all of which it is bad.
    pub fn new(changes: usize) -> Self {
        Self { good: 0, bad: changes, is_seen: false, tried: BTreeMap::new() }
    }

    /// Which point to try next, or what was found.
    pub fn next(&self) -> Next {
        let (first, last) = (self.good + 1, self.bad);
        if let Some(point) = self.candidate() {
            return if self.tried.len() >= TRIES_MAX {
                Next::Done(Found::GaveUp { first, last })
            } else {
                Next::Try(point)
            };
        }
        // Where everything that was tried was bad, it may have been bad from the start.
        if !self.is_seen && self.good == 0 && !self.tried.contains_key(&0) {
            return Next::Try(0);
        }
        Next::Done(match () {
            () if self.tried.get(&0) == Some(&Verdict::Bad) => Found::NoneOfThem,
            () if first == last => Found::Change(last),
            () => Found::OneOf { first, last },
        })
    }

    /// What came of a point that was tried.
    pub fn tell(&mut self, point: usize, verdict: Verdict) {
        match verdict {
            Verdict::Good if (self.good..self.bad).contains(&point) => (self.good, self.is_seen) = (point, true),
            Verdict::Bad if (self.good + 1..self.bad).contains(&point) => self.bad = point,
            _ => {}
        }
        self.tried.insert(point, verdict);
    }

    /// The points that were tried, with what came of them.
    pub fn tried(&self) -> &BTreeMap<usize, Verdict> {
        &self.tried
    }

    /// How many more tries there may be, where every point can be tested.
    pub fn tries_left(&self) -> u32 {
        (self.bad - self.good).next_power_of_two().trailing_zeros()
    }

    /// The untried point between good and bad that is nearest to their middle.
    fn candidate(&self) -> Option<usize> {
        let middle = self.good + (self.bad - self.good) / 2;
        let is_open = |point: &usize| *point > self.good && *point < self.bad && !self.tried.contains_key(point);
        let widest = self.bad - self.good;
        (0..=widest)
            .find_map(|away| [middle.checked_sub(away), Some(middle + away)].into_iter().flatten().find(is_open))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Searches where `verdict` tells of every point how it is; what was found, and how many points were tried.
    fn search(changes: usize, verdict: impl Fn(usize) -> Verdict) -> (Found, usize) {
        let mut bisection = Bisection::new(changes);
        loop {
            match bisection.next() {
                Next::Done(found) => return (found, bisection.tried().len()),
                Next::Try(point) => bisection.tell(point, verdict(point)),
            }
        }
    }

    #[test]
    fn a_planted_change_among_a_thousand_is_found_in_at_most_ten_tries() {
        for planted in 1..=1_000 {
            let (found, tries) = search(1_000, |point| if point < planted { Verdict::Good } else { Verdict::Bad });
            assert_eq!(found, Found::Change(planted));
            assert!(tries <= 10, "{planted} took {tries} tries");
        }
    }

    #[test]
    fn what_was_bad_before_all_changes_is_blamed_on_none_of_them() {
        assert_eq!(search(1_000, |_| Verdict::Bad), (Found::NoneOfThem, 10));
        assert_eq!(search(1, |_| Verdict::Bad), (Found::NoneOfThem, 1));
        assert_eq!(search(0, |_| Verdict::Bad), (Found::NoneOfThem, 1));
        assert_eq!(search(1, |_| Verdict::Good), (Found::Change(1), 1));
    }

    #[test]
    fn points_that_cannot_be_tested_are_gone_round() {
        let hidden = |point: usize| match point {
            40..=60 => Verdict::Untestable("it does not run".to_owned()),
            point if point < 70 => Verdict::Good,
            _ => Verdict::Bad,
        };
        assert_eq!(search(100, hidden).0, Found::Change(70));
        let around = |point: usize| match point {
            6..=8 => Verdict::Untestable("it does not run".to_owned()),
            point if point < 6 => Verdict::Good,
            _ => Verdict::Bad,
        };
        assert_eq!(search(10, around).0, Found::OneOf { first: 6, last: 9 });
        let nothing = |_| Verdict::Untestable("it does not run".to_owned());
        assert_eq!(search(3, nothing).0, Found::OneOf { first: 1, last: 3 });
        let (found, tries) = search(1_000, nothing);
        assert_eq!((found, tries), (Found::GaveUp { first: 1, last: 1_000 }, TRIES_MAX));
    }

    proptest! {
        #[test]
        fn whatever_the_points_are_what_is_found_goes_from_good_to_bad(bad in proptest::collection::vec(any::<bool>(), 2..300)) {
            let changes = bad.len() - 1;
            let is_bad = |point: usize| point == changes || (point > 0 && bad[point]);
            let (found, tries) = search(changes, |point| if is_bad(point) { Verdict::Bad } else { Verdict::Good });
            let Found::Change(change) = found else { panic!("{found:?}") };
            prop_assert!(is_bad(change) && !is_bad(change - 1), "{change}");
            prop_assert!(tries as u32 <= (changes + 1).next_power_of_two().trailing_zeros() + 1);
        }
    }
}
