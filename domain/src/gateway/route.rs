//! A route to language models that can stand in for each other, as it is written down.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::GatewayRefusal;
use crate::chat::ErrorClass;
use crate::ids::Slug;

/// Most characters of a route's name.
pub const ROUTE_NAME_CHARACTERS_MAX: usize = 200;
/// Most characters of a model's name.
const MODEL_CHARACTERS_MAX: usize = 300;
/// Most targets of a route.
const TARGETS_MAX: usize = 64;
/// Highest weight of a target.
const WEIGHT_MAX: u32 = 10_000;
/// Most attempts of a call.
const ATTEMPTS_MAX: u32 = 64;
/// Longest time that anything of a route may take, in milliseconds: 31 days.
const TIME_MS_MAX: u64 = 31 * 24 * 3_600_000;

/// A route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GatewayRoute {
    /// Groups of targets, in the order in which they are asked.
    pub tiers: Vec<RouteTier>,
    /// Most attempts of a call, at all targets together.
    pub attempts_max: u32,
    /// When the same target is asked again.
    #[serde(default)]
    pub retry: RouteRetry,
    /// After which failures another target is asked.
    pub fall_back_on: BTreeSet<ErrorClass>,
    /// When a target is left alone.
    #[serde(default)]
    pub breaker: RouteBreaker,
    /// Which answers are kept, to be given again.
    #[serde(default)]
    pub cache: RouteCache,
    /// Whether a model is told when its answer does not fit the schema, and asked once more.
    pub repair: bool,
    /// Whether what was asked and answered is written down.
    #[serde(default)]
    pub content: ContentRecording,
}

/// Targets among which one is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTier {
    /// How.
    pub balance: RouteBalance,
    /// The targets.
    pub targets: Vec<RouteTarget>,
}

/// How one of several targets is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteBalance {
    /// The less busy and quicker one of two that are drawn by weight.
    #[default]
    Load,
    /// By the key of the call, in the proportion of the weights.
    Split,
}

/// A model at a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTarget {
    /// The provider.
    pub provider: Slug,
    /// Its name for the model.
    pub model: String,
    /// How much it can bear beside the others of its tier; in a split, how much of the calls it gets.
    pub weight: u32,
}

/// When the same target is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RouteRetry {
    /// Most times that a target is asked again in a call.
    pub retries_max: u32,
    /// Longest wait before the first time, in milliseconds; it doubles each time, and chance makes it shorter.
    pub backoff_ms: u64,
    /// Longest wait before any time, in milliseconds.
    pub backoff_ms_max: u64,
    /// Longest time to wait that a provider may ask for, in milliseconds.
    pub wait_ms_max: u64,
    /// Times that targets are asked again, for a hundred calls of the route.
    pub budget_percent: u32,
}

impl Default for RouteRetry {
    fn default() -> Self {
        Self { retries_max: 1, backoff_ms: 200, backoff_ms_max: 2_000, wait_ms_max: 5_000, budget_percent: 20 }
    }
}

/// When a target is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RouteBreaker {
    /// After so many failures in a row.
    pub failures_in_a_row_max: u32,
    /// After failures of so many of a hundred calls, in the time below.
    pub failures_percent_max: u32,
    /// Fewest calls of which a share is taken.
    pub calls_min: u32,
    /// The time of which calls are counted, in milliseconds.
    pub window_ms: u64,
    /// How long it is left alone, in milliseconds; it doubles each time that the call let through fails.
    pub open_ms: u64,
    /// How long at most, in milliseconds.
    pub open_ms_max: u64,
}

impl Default for RouteBreaker {
    fn default() -> Self {
        Self {
            failures_in_a_row_max: 5,
            failures_percent_max: 50,
            calls_min: 20,
            window_ms: 10_000,
            open_ms: 5_000,
            open_ms_max: 60_000,
        }
    }
}

/// Which answers of a route are kept, to be given again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "use", rename_all = "snake_case")]
pub enum RouteCache {
    /// None.
    #[default]
    Never,
    /// Those that the request decides: at temperature 0, and vectors.
    Deterministic {
        /// For how long, in milliseconds.
        age_ms_max: u64,
    },
    /// All.
    Always {
        /// For how long, in milliseconds.
        age_ms_max: u64,
    },
}

/// Whether what was asked and answered is written down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentRecording {
    /// It is, but for what is a secret of a credential.
    #[default]
    Recorded,
    /// Only its digest is.
    Digests,
}

impl GatewayRoute {
    /// A route to those targets, with what suits most.
    pub fn new(tiers: Vec<RouteTier>) -> Self {
        Self {
            tiers,
            attempts_max: 4,
            retry: RouteRetry::default(),
            fall_back_on: ErrorClass::ALL.iter().copied().filter(|class| class.is_better_elsewhere()).collect(),
            breaker: RouteBreaker::default(),
            cache: RouteCache::default(),
            repair: true,
            content: ContentRecording::default(),
        }
    }

    /// All its targets, in order.
    pub fn targets(&self) -> impl Iterator<Item = &RouteTarget> {
        self.tiers.iter().flat_map(|tier| &tier.targets)
    }

    /// Whether it can be one.
    pub(super) fn check(&self, name: &str) -> Result<(), GatewayRefusal> {
        let letters = name.chars().count();
        if letters == 0 || letters > ROUTE_NAME_CHARACTERS_MAX || name.chars().any(char::is_control) {
            return Err(GatewayRefusal::RouteName);
        }
        if self.tiers.is_empty() || self.tiers.iter().any(|tier| tier.targets.is_empty()) {
            return Err(GatewayRefusal::Route("it leads nowhere: give each of its tiers a target"));
        }
        if self.targets().count() > TARGETS_MAX {
            return Err(GatewayRefusal::Route("it has at most 64 targets"));
        }
        let mut seen = BTreeSet::new();
        for target in self.targets() {
            let letters = target.model.chars().count();
            if letters == 0 || letters > MODEL_CHARACTERS_MAX || target.model.chars().any(char::is_control) {
                return Err(GatewayRefusal::Route("each target names a model, in at most 300 characters"));
            }
            if !(1..=WEIGHT_MAX).contains(&target.weight) {
                return Err(GatewayRefusal::Route("a weight is 1 to 10,000"));
            }
            if !seen.insert((&target.provider, &target.model)) {
                return Err(GatewayRefusal::Route("it leads to the same model of the same provider twice: remove one"));
            }
        }
        if !(1..=ATTEMPTS_MAX).contains(&self.attempts_max) {
            return Err(GatewayRefusal::Route("a call makes 1 to 64 attempts"));
        }
        self.check_numbers()
    }

    fn check_numbers(&self) -> Result<(), GatewayRefusal> {
        let RouteRetry { retries_max, backoff_ms, backoff_ms_max, wait_ms_max, budget_percent } = self.retry;
        let breaker = self.breaker;
        if retries_max > ATTEMPTS_MAX || budget_percent > 100 {
            return Err(GatewayRefusal::Route("a target is asked again at most 64 times, for at most 100 % of calls"));
        }
        if breaker.failures_in_a_row_max == 0 || !(1..=100).contains(&breaker.failures_percent_max) {
            return Err(GatewayRefusal::Route(
                "a target is left alone after 1 failure or more, or 1 to 100 % of calls",
            ));
        }
        let age_ms = match self.cache {
            RouteCache::Never => 1,
            RouteCache::Deterministic { age_ms_max } | RouteCache::Always { age_ms_max } => age_ms_max,
        };
        let times = [backoff_ms, backoff_ms_max, wait_ms_max, breaker.open_ms, breaker.open_ms_max];
        let needed = [breaker.window_ms, age_ms];
        if times.iter().chain(&needed).any(|time| *time > TIME_MS_MAX) || needed.contains(&0) {
            return Err(GatewayRefusal::Route(
                "each of its times is at most 31 days, and those of windows and caches not 0",
            ));
        }
        Ok(())
    }
}
