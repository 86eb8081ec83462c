//! What calls came to in this process, for those who watch it. Counted when a call is in the log, so that both tell the same.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use timeloom_domain::ids::TenantId;
use timeloom_domain::model_call::{CallAttempt, ModelCall, ModelCallEvent};
use timeloom_inference::pool::Histogram;

/// Most routes, and most models of providers, that are told apart; the others are counted together without a name.
const NAMES_MAX: usize = 1_000;
/// Upper bounds of what is told of times, in microseconds.
const BOUNDS_US: [u64; 14] = [
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
];

/// Whose, and of what: a route, or a provider and its model.
pub type Named<N> = (TenantId, N);

/// The calls of a route. All only grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteNumbers {
    /// Answered by a provider.
    pub answered: u64,
    /// Answered out of the cache.
    pub cached: u64,
    /// Nobody could answer.
    pub failed: u64,
    /// Nobody was asked.
    pub refused: u64,
    /// Nobody waited for the answer.
    pub cancelled: u64,
    /// Tokens that models read, and wrote.
    pub tokens: (u64, u64),
    /// What they cost by currency, in billionths.
    pub cost: BTreeMap<String, u64>,
    /// From coming in to the end, in microseconds.
    pub took_us: Histogram,
}

impl Default for RouteNumbers {
    fn default() -> Self {
        Self {
            answered: 0,
            cached: 0,
            failed: 0,
            refused: 0,
            cancelled: 0,
            tokens: (0, 0),
            cost: BTreeMap::new(),
            took_us: Histogram::new(&BOUNDS_US),
        }
    }
}

/// The attempts at a provider's model. All only grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetNumbers {
    /// Those that were answered.
    pub answered: u64,
    /// Those that came to nothing.
    pub failed: u64,
    /// How long they took, in microseconds.
    pub took_us: Histogram,
}

impl Default for TargetNumbers {
    fn default() -> Self {
        Self { answered: 0, failed: 0, took_us: Histogram::new(&BOUNDS_US) }
    }
}

/// All numbers of a process.
#[derive(Debug, Clone, Default)]
pub struct CallNumbers {
    /// By route.
    pub routes: BTreeMap<Named<String>, RouteNumbers>,
    /// By provider and model.
    pub targets: BTreeMap<Named<(String, String)>, TargetNumbers>,
}

/// Where they are counted.
#[derive(Debug, Default)]
pub(super) struct Counting(Mutex<CallNumbers>);

impl Counting {
    pub(super) fn now(&self) -> CallNumbers {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts a call that ended.
    pub(super) fn count(&self, tenant: TenantId, event: &ModelCallEvent) {
        let mut numbers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (call, outcome): (&ModelCall, fn(&mut RouteNumbers) -> &mut u64) = match event {
            ModelCallEvent::ModelCallCompleted { call, answer } if answer.cached_from.is_some() => {
                (call, |route| &mut route.cached)
            }
            ModelCallEvent::ModelCallCompleted { call, .. } => (call, |route| &mut route.answered),
            ModelCallEvent::ModelCallFailed { call, .. } => (call, |route| &mut route.failed),
            ModelCallEvent::ModelCallRefused { call, .. } => (call, |route| &mut route.refused),
            ModelCallEvent::ModelCallCancelled { call } => (call, |route| &mut route.cancelled),
            _ => return,
        };
        let mut key = (tenant, call.request.route.clone());
        // Who is refused may have asked for anything: a name that never did anything else is not kept.
        let is_new = !numbers.routes.contains_key(&key);
        if is_new && (call.attempts.is_empty() || numbers.routes.len() >= NAMES_MAX) {
            key.1 = String::new();
        }
        let route = numbers.routes.entry(key).or_default();
        *outcome(route) += 1;
        if let Some(usage) = &call.usage {
            route.tokens.0 = route.tokens.0.saturating_add(usage.input_tokens);
            route.tokens.1 = route.tokens.1.saturating_add(usage.output_tokens);
        }
        if let (Some(cost), Some(currency)) = (call.cost, &call.currency) {
            let sum = route.cost.entry(currency.clone()).or_default();
            *sum = sum.saturating_add(cost.0);
        }
        route.took_us.observe(call.took_us);
        call.attempts.iter().for_each(|attempt| numbers.attempt(tenant, attempt));
    }
}

impl CallNumbers {
    fn attempt(&mut self, tenant: TenantId, attempt: &CallAttempt) {
        let mut key = (tenant, (attempt.provider.clone(), attempt.model.clone()));
        if !self.targets.contains_key(&key) && self.targets.len() >= NAMES_MAX {
            key.1 = (String::new(), String::new());
        }
        let target = self.targets.entry(key).or_default();
        *(if attempt.failure.is_some() { &mut target.failed } else { &mut target.answered }) += 1;
        target.took_us.observe(attempt.took_us);
    }
}
