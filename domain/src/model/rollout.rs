//! The trial of a version: which part of the requests it takes, and when it is over by itself.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::VersionReference;
use crate::ids::Slug;

/// All of something, where parts of it are told in millionths.
pub const MILLION: u64 = 1_000_000;
/// Most inferences that a guard waits for before it judges.
pub const GUARD_FEWEST_MAX: u32 = 1_000_000;
/// Longest latency that a guard may allow, in microseconds.
pub const GUARD_LATENCY_US_MAX: u64 = 600 * MILLION;

/// The trial of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// The version that is tried.
    pub version: u32,
    /// Of a hundred requests it answers so many.
    pub percent: u8,
    /// Whether it computes copies only, whose answers nobody gets.
    pub shadow: bool,
    /// The alias whose requests it takes part of; absent = those that name no version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Slug>,
    /// When it is over by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<RolloutGuard>,
}

/// On which side of a trial a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutArm {
    /// The version answers that answered before.
    Stable,
    /// The tried version answers.
    Candidate,
    /// The tried version computes a copy, whose answer nobody gets.
    Shadow,
}

/// When a trial is over by itself: as soon as what is measured of the tried version is above the bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutGuard {
    /// What is measured.
    pub metric: GuardMetric,
    /// The most that is allowed: millionths of the inferences, or microseconds for a latency.
    pub bound: u64,
    /// Fewest inferences of the tried version, or comparisons of it, before it is judged.
    pub fewest: u32,
    /// An answer disagrees when its numbers are further apart than so many millionths of the larger one (or of 1); absent =
    /// when its class is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<u64>,
}

/// What a guard measures of the tried version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardMetric {
    /// The part of its inferences that failed or were not begun.
    ErrorRate,
    /// The time within which it answers 95 of 100, waiting included.
    LatencyP95,
    /// The part of its answers to copies that are others than those of the version that answers.
    Disagreement,
}

/// Why a guard cannot watch a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGuard {
    /// A part that is more than all.
    #[error("a part of the inferences is wanted as bound: more than 0 and less than 1")]
    Rate,
    /// A latency that is none.
    #[error("a latency of up to {} s is wanted as bound", GUARD_LATENCY_US_MAX / MILLION)]
    Latency,
    /// Nothing, or too much, is waited for.
    #[error("a guard judges after 1 to {GUARD_FEWEST_MAX} inferences")]
    Fewest,
    /// Nothing is compared where nobody computes copies.
    #[error("only a shadow is compared with the version that answers: start one, or measure something else")]
    NoShadow,
    /// A tolerance where nothing is compared.
    #[error("a tolerance goes with a bound of disagreement, and is at most 1")]
    Tolerance,
    /// Too little is written down.
    #[error("a guard counts recorded inferences: let the model record all of them first (`--recording standard`)")]
    Sampled,
}

impl Rollout {
    /// Whether the request with that key falls to the tried version. The same key always falls to the same side, and who
    /// fell to it still does when the part grows.
    pub fn takes(&self, key: &str) -> bool {
        let hash = Sha256::digest(key.as_bytes());
        let number = hash.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        number % 100 < u64::from(self.percent)
    }

    /// Whether requests that name the model like this are those of which it takes a part.
    pub fn is_of(&self, reference: &VersionReference) -> bool {
        match (reference, &self.alias) {
            (VersionReference::Promoted, None) => true,
            (VersionReference::Alias(asked), Some(alias)) => asked == alias,
            _ => false,
        }
    }
}

impl RolloutGuard {
    /// Checks that it can watch a trial.
    ///
    /// # Errors
    /// Names what is wrong.
    pub fn check(&self, shadow: bool) -> Result<(), InvalidGuard> {
        let is_comparing = self.metric == GuardMetric::Disagreement;
        match self.metric {
            GuardMetric::ErrorRate | GuardMetric::Disagreement if !(1..MILLION).contains(&self.bound) => {
                return Err(InvalidGuard::Rate);
            }
            GuardMetric::LatencyP95 if !(1..=GUARD_LATENCY_US_MAX).contains(&self.bound) => {
                return Err(InvalidGuard::Latency);
            }
            _ => {}
        }
        if !(1..=GUARD_FEWEST_MAX).contains(&self.fewest) {
            return Err(InvalidGuard::Fewest);
        }
        if is_comparing && !shadow {
            return Err(InvalidGuard::NoShadow);
        }
        match self.tolerance {
            Some(tolerance) if !is_comparing || tolerance > MILLION => Err(InvalidGuard::Tolerance),
            _ => Ok(()),
        }
    }
}
