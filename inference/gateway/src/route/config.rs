//! What a route is, as it is written down.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use timeloom_domain::chat::ErrorClass;

use super::breaker::BreakerConfig;
use crate::cache::CacheUse;

/// Most targets of a route.
pub const TARGETS_MAX: usize = 64;
/// Highest weight of a target.
pub const WEIGHT_MAX: u32 = 10_000;
/// Most attempts of a call.
pub const ATTEMPTS_MAX: u32 = 64;

/// A route to models that can stand in for each other.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteConfig {
    /// Its name, which callers give as the model.
    pub name: String,
    /// Groups of targets, in the order in which they are asked.
    pub tiers: Vec<Tier>,
    /// Most attempts of a call, at all targets together.
    pub attempts_max: u32,
    /// When the same target is asked again.
    pub retry: Retry,
    /// After which failures another target is asked.
    pub fall_back_on: BTreeSet<ErrorClass>,
    /// When a target is left alone.
    pub breaker: BreakerConfig,
    /// Which answers are kept.
    pub cache: CacheUse,
    /// Whether a model is told when its answer does not fit the schema, and asked once more.
    pub repair: bool,
}

impl RouteConfig {
    /// A route to those targets, with what suits most.
    pub fn new(name: impl Into<String>, tiers: Vec<Tier>) -> Self {
        Self {
            name: name.into(),
            tiers,
            attempts_max: 4,
            retry: Retry::default(),
            fall_back_on: ErrorClass::ALL.iter().copied().filter(|class| class.is_better_elsewhere()).collect(),
            breaker: BreakerConfig::default(),
            cache: CacheUse::Never,
            repair: true,
        }
    }
}

/// Targets among which one is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// How.
    pub balance: Balance,
    /// The targets.
    pub targets: Vec<Target>,
}

/// How one of several targets is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// The less busy and quicker one of two that are drawn by weight.
    Load,
    /// By the key of the call, in the proportion of the weights: the same key, the same target.
    Split,
}

/// A model at a provider.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// The provider.
    pub provider: String,
    /// Its name for the model.
    pub model: String,
    /// How much it can bear, beside the others of its tier; in a split, how much of the calls it gets.
    pub weight: u32,
}

/// When the same target is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
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

impl Default for Retry {
    fn default() -> Self {
        Self { retries_max: 1, backoff_ms: 200, backoff_ms_max: 2_000, wait_ms_max: 5_000, budget_percent: 20 }
    }
}

/// Why a route is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRoute {
    /// It has no name.
    #[error("a route needs a name of at most 200 characters")]
    Name,
    /// It leads nowhere.
    #[error("the route '{0}' leads nowhere: give each of its tiers a target")]
    NoTargets(String),
    /// It has too many targets.
    #[error("the route '{route}' has {found} targets: {TARGETS_MAX} is the most")]
    TooManyTargets {
        /// Which route.
        route: String,
        /// How many there are.
        found: usize,
    },
    /// A target is there twice.
    #[error("the route '{route}' leads to '{model}' of '{provider}' twice: remove one")]
    Twice {
        /// Which route.
        route: String,
        /// The provider.
        provider: String,
        /// The model.
        model: String,
    },
    /// A weight is none.
    #[error("a weight of {weight} in the route '{route}' is none: 1 to {WEIGHT_MAX} are")]
    Weight {
        /// Which route.
        route: String,
        /// What was written.
        weight: u32,
    },
    /// A number of attempts is none.
    #[error("{found} attempts in the route '{route}' are not possible: 1 to {ATTEMPTS_MAX} are")]
    Attempts {
        /// Which route.
        route: String,
        /// What was written.
        found: u32,
    },
    /// There is no such provider.
    #[error("the route '{route}' leads to the provider '{provider}', which is not known: add it, or correct the name")]
    NoProvider {
        /// Which route.
        route: String,
        /// The provider.
        provider: String,
    },
}

impl RouteConfig {
    /// All its targets, in order.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.tiers.iter().flat_map(|tier| &tier.targets)
    }

    /// Whether it can be one.
    ///
    /// # Errors
    /// [`InvalidRoute`]
    pub fn check(&self) -> Result<(), InvalidRoute> {
        let route = || self.name.clone();
        if self.name.is_empty() || self.name.chars().count() > 200 {
            return Err(InvalidRoute::Name);
        }
        if self.tiers.is_empty() || self.tiers.iter().any(|tier| tier.targets.is_empty()) {
            return Err(InvalidRoute::NoTargets(route()));
        }
        let found = self.targets().count();
        if found > TARGETS_MAX {
            return Err(InvalidRoute::TooManyTargets { route: route(), found });
        }
        if !(1..=ATTEMPTS_MAX).contains(&self.attempts_max) {
            return Err(InvalidRoute::Attempts { route: route(), found: self.attempts_max });
        }
        let mut seen = BTreeSet::new();
        for target in self.targets() {
            if !(1..=WEIGHT_MAX).contains(&target.weight) {
                return Err(InvalidRoute::Weight { route: route(), weight: target.weight });
            }
            if !seen.insert((&target.provider, &target.model)) {
                let (provider, model) = (target.provider.clone(), target.model.clone());
                return Err(InvalidRoute::Twice { route: route(), provider, model });
            }
        }
        Ok(())
    }

    /// SHA-256 over its name and its targets: answers of routes that differ in them are never taken for each other.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut put = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        put(&self.name);
        for target in self.targets() {
            put(&target.provider);
            put(&target.model);
        }
        hash.finalize().into()
    }
}
