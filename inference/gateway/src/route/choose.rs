//! Which target is asked next.

use std::collections::BTreeSet;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::breaker::Admission;
use super::config::{Balance, Target, Tier};
use super::target::TargetState;
use crate::facts::RouteReason;
use crate::ports::Chance;

/// A target and how it does.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) target: Target,
    pub(super) state: Arc<TargetState>,
}

/// What is known of the call that a target is chosen for.
pub(super) struct Choosing<'c> {
    /// Decides a split.
    pub(super) split: u64,
    /// Targets, by their place in the route, that failed already.
    pub(super) tried: &'c BTreeSet<usize>,
    pub(super) chance: &'c dyn Chance,
    pub(super) now_us: u64,
}

/// The place among the parts of a split that a key falls to: the same everywhere and always.
pub(super) fn split_of(route: &str, key: &str) -> u64 {
    let mut hash = Sha256::new();
    hash.update((route.len() as u64).to_le_bytes());
    hash.update(route.as_bytes());
    hash.update(key.as_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    digest.first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

/// The target that is asked next and its place in the route, or after how many milliseconds one may be asked.
pub(super) fn choose(
    tiers: &[(Tier, Vec<Known>)],
    choosing: &Choosing<'_>,
) -> Result<(usize, RouteReason), Option<u64>> {
    let mut first_place = 0;
    let mut soonest: Option<u64> = None;
    let fell_back = !choosing.tried.is_empty();
    for (depth, (tier, known)) in tiers.iter().enumerate() {
        let mut open = Vec::with_capacity(known.len());
        let mut probes = Vec::new();
        for (place, one) in known.iter().enumerate() {
            if choosing.tried.contains(&(first_place + place)) {
                continue;
            }
            match one.state.admits(choosing.now_us) {
                Admission::Yes => open.push(place),
                Admission::Probe => probes.push(place),
                Admission::No { wait_ms } => soonest = Some(soonest.map_or(wait_ms, |known| known.min(wait_ms))),
            }
        }
        // Calls of a split stay with their target: only its own find out whether it does better.
        let probe = match tier.balance {
            Balance::Load => probes.first().copied(),
            Balance::Split => owner(known, choosing.split).filter(|owner| probes.contains(owner)),
        };
        if let Some(place) = probe {
            return Ok((first_place + place, RouteReason::Probe));
        }
        let alone = known.len() == 1 && tiers.len() == 1;
        let fell_back = fell_back || depth > 0;
        if let Some((place, reason)) = among(tier, known, &open, choosing) {
            let reason = if fell_back {
                RouteReason::FellBack
            } else if alone {
                RouteReason::Only
            } else {
                reason
            };
            return Ok((first_place + place, reason));
        }
        if let Some(place) = probes.first() {
            return Ok((first_place + place, RouteReason::Probe));
        }
        first_place += known.len();
    }
    Err(soonest)
}

fn among(tier: &Tier, known: &[Known], open: &[usize], choosing: &Choosing<'_>) -> Option<(usize, RouteReason)> {
    if let [only] = open {
        let reason = if known.len() == 1 { RouteReason::Only } else { RouteReason::FellBack };
        if tier.balance == Balance::Load {
            return Some((*only, reason));
        }
    }
    if tier.balance == Balance::Split {
        let owner = owner(known, choosing.split)?;
        if open.contains(&owner) {
            return Some((owner, RouteReason::Split));
        }
        return Some((by_weight(known, open, choosing.split)?, RouteReason::FellBack));
    }
    let one = by_weight(known, open, choosing.chance.draw())?;
    let others: Vec<usize> = open.iter().copied().filter(|place| *place != one).collect();
    let Some(two) = by_weight(known, &others, choosing.chance.draw()) else { return Some((one, RouteReason::Only)) };
    let (first, second) = (known.get(one)?, known.get(two)?);
    Some((if is_less_loaded(second, first, choosing.now_us) { two } else { one }, RouteReason::LeastLoaded))
}

/// Whether a call would have to wait less for `one` than for `two`, the higher its weight the less. What was never measured
/// is taken to be as quick as the other: it is tried, and not by all at once.
fn is_less_loaded(one: &Known, two: &Known, now_us: u64) -> bool {
    let ((one_us, one_calls), (two_us, two_calls)) = (one.state.pace(now_us), two.state.pace(now_us));
    let load = |own: Option<f64>, other: Option<f64>, calls: u64, known: &Known| {
        own.or(other).unwrap_or(1.0).max(1.0) * (calls + 1) as f64 / f64::from(known.target.weight)
    };
    load(one_us, two_us, one_calls, one) < load(two_us, one_us, two_calls, two)
}

/// The target that a part of a split belongs to, whether or not it may be asked.
fn owner(known: &[Known], split: u64) -> Option<usize> {
    let all: Vec<usize> = (0..known.len()).collect();
    by_weight(known, &all, split)
}

/// One of `places`, by weight: that to which `point` falls.
fn by_weight(known: &[Known], places: &[usize], point: u64) -> Option<usize> {
    let weight = |place: &usize| known.get(*place).map_or(0, |one| u64::from(one.target.weight));
    let total: u64 = places.iter().map(weight).sum();
    let mut rest = point.checked_rem(total)?;
    for place in places {
        let weight = weight(place);
        if rest < weight {
            return Some(*place);
        }
        rest -= weight;
    }
    None
}
