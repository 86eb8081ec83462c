//! A call along a route: attempts, one after the other, until one is answered or none is left.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::BoxFuture;
use timeloom_domain::chat::ErrorClass;
use tokio::time::{Duration, sleep};

use super::budget::Budget;
use super::choose::{Choosing, Known, choose, split_of};
use super::config::{RouteConfig, Target, Tier};
use super::target::{Health, Ongoing};
use crate::error::CallError;
use crate::facts::{Fact, RouteReason, Sink};
use crate::ports::{Chance, Clock};
use crate::upstream::Upstream;

/// A route that calls can be made by.
pub struct Route {
    config: RouteConfig,
    fingerprint: [u8; 32],
    tiers: Vec<(Tier, Vec<Known>)>,
    budget: Budget,
}

impl std::fmt::Debug for Route {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Route").field("config", &self.config).finish_non_exhaustive()
    }
}

/// What is asked of one target at a time.
pub trait Asking: Sync {
    /// What it answers.
    type Answer: Send;

    /// Asks once.
    fn ask<'u>(&'u self, upstream: &'u dyn Upstream, model: &'u str) -> BoxFuture<'u, Result<Self::Answer, CallError>>;
}

/// What a call has with it on its way.
pub struct Attempt<'c> {
    /// Finds what answers for a provider.
    pub find: &'c (dyn Fn(&str) -> Option<Arc<dyn Upstream>> + Send + Sync),
    /// Decides a split.
    pub key: Option<&'c str>,
    /// Attempts of the call so far; those to come are counted on from it.
    pub attempts: u32,
    /// The time.
    pub clock: &'c Arc<dyn Clock>,
    /// Chance.
    pub chance: &'c Arc<dyn Chance>,
    /// Takes what is told.
    pub sink: &'c Arc<dyn Sink>,
}

/// What came of a call.
pub struct Routed<T> {
    /// What was answered.
    pub value: T,
    /// Who answered.
    pub target: Target,
    /// Which attempt of the call it was.
    pub attempt: u32,
    /// When the attempt began, in the clock's microseconds.
    pub began_us: u64,
    pub(super) ongoing: Ongoing,
}

impl<T> Routed<T> {
    /// The same, answered with something else.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Routed<U> {
        let Self { value, target, attempt, began_us, ongoing } = self;
        Routed { value: make(value), target, attempt, began_us, ongoing }
    }

    /// It was answered to the end.
    pub fn succeeded(&mut self) {
        self.ongoing.succeeded();
    }

    /// It failed after all, in the middle of its answer.
    pub fn failed(&mut self, error: &CallError) {
        self.ongoing.failed(error);
    }
}

/// Why a call came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The last attempt failed.
    #[error("{error} (attempts: {attempts})")]
    Failed {
        /// How.
        error: CallError,
        /// How many there were.
        attempts: u32,
    },
    /// All targets are left alone.
    #[error("no provider of this route is to be asked now: ask again in {retry_after_ms} ms")]
    NoneLeft {
        /// After how many milliseconds one is.
        retry_after_ms: u64,
    },
}

/// Why no target is left: the failure of the last one that was asked says more than that none may be asked.
fn none_left(last: Option<CallError>, attempts: u32, soonest: Option<u64>) -> RouteError {
    match last {
        Some(error) => RouteError::Failed { error, attempts },
        None => RouteError::NoneLeft { retry_after_ms: soonest.unwrap_or(1_000) },
    }
}

/// What to do after a failure.
enum Next {
    Again { wait_ms: u64 },
    Another,
    GiveUp,
}

impl Route {
    /// A route. What is known of its targets is shared by `health`.
    pub fn new(config: RouteConfig, health: &Health) -> Self {
        let known = |target: &Target| Known { target: target.clone(), state: health.of(target) };
        let tiers = config.tiers.iter().map(|tier| (tier.clone(), tier.targets.iter().map(known).collect())).collect();
        Self { fingerprint: config.fingerprint(), config, tiers, budget: Budget::default() }
    }

    /// As it is written down.
    pub fn config(&self) -> &RouteConfig {
        &self.config
    }

    /// What tells its answers from those of others.
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// Makes a call: `ask` asks one target once.
    ///
    /// # Errors
    /// [`RouteError`] when no target answered.
    pub async fn call<A: Asking>(&self, with: &Attempt<'_>, ask: &A) -> Result<Routed<A::Answer>, RouteError> {
        self.budget.earn(self.config.retry.budget_percent);
        let split = self.split(with);
        let mut tried = BTreeSet::new();
        let mut again: Option<(usize, u32)> = None;
        let mut last: Option<CallError> = None;
        let mut attempts = 0;
        loop {
            let (place, reason, retries) = match again {
                Some((place, retries)) => (place, RouteReason::Retry, retries),
                None => {
                    let now_us = with.clock.monotonic_us();
                    let choosing = Choosing { split, tried: &tried, chance: with.chance.as_ref(), now_us };
                    let (place, reason) =
                        choose(&self.tiers, &choosing).map_err(|soonest| none_left(last.take(), attempts, soonest))?;
                    (place, reason, 0)
                }
            };
            let Some(attempted) = self.attempt(with, place, with.attempts + attempts + 1, reason, ask).await else {
                // Others were quicker: it is left alone now, and is not chosen again.
                again = None;
                continue;
            };
            attempts += 1;
            let error = match attempted {
                Ok(routed) => return Ok(routed),
                Err(error) => error,
            };
            if attempts >= self.config.attempts_max {
                return Err(RouteError::Failed { error, attempts });
            }
            tried.insert(place);
            match self.after(&error, retries, with, &tried, place) {
                Next::Again { wait_ms } => {
                    sleep(Duration::from_millis(wait_ms)).await;
                    again = Some((place, retries + 1));
                }
                Next::Another => again = None,
                Next::GiveUp => return Err(RouteError::Failed { error, attempts }),
            }
            last = Some(error);
        }
    }

    /// A call without a key falls to a part of a split by chance.
    fn split(&self, with: &Attempt<'_>) -> u64 {
        with.key.map_or_else(|| with.chance.draw(), |key| split_of(&self.config.name, key))
    }

    /// Asks one target once; `None` when it may not be asked any more.
    async fn attempt<A: Asking>(
        &self,
        with: &Attempt<'_>,
        place: usize,
        attempt: u32,
        reason: RouteReason,
        ask: &A,
    ) -> Option<Result<Routed<A::Answer>, CallError>> {
        let Some(known) = self.known(place) else {
            return Some(Err(CallError::new(ErrorClass::NotFound, "the route has changed")));
        };
        let Target { provider, model, .. } = &known.target;
        let mut ongoing = Ongoing::begin(known, attempt, self.config.breaker, with.clock, with.sink)?;
        let began_us = ongoing.began_us;
        with.sink.tell(Fact::AttemptStarted { attempt, provider: provider.clone(), model: model.clone(), reason });
        let answered = match (with.find)(provider) {
            Some(upstream) => ask.ask(upstream.as_ref(), model).await,
            None => Err(CallError::new(ErrorClass::NotFound, format!("there is no provider '{provider}': add it"))),
        };
        let after_us = with.clock.monotonic_us().saturating_sub(began_us);
        Some(match answered {
            Ok(value) => {
                ongoing.measured(after_us);
                Ok(Routed { value, target: known.target.clone(), attempt, began_us, ongoing })
            }
            Err(error) => {
                with.sink.tell(Fact::AttemptFailed {
                    attempt,
                    class: error.class,
                    status: error.status,
                    retry_after_ms: error.retry_after_ms,
                    message: error.message.clone(),
                    after_us,
                });
                ongoing.failed(&error);
                Err(error)
            }
        })
    }

    /// Where the provider says that it has too much to do, others are asked before it is waited for.
    fn after(
        &self,
        error: &CallError,
        retries: u32,
        with: &Attempt<'_>,
        tried: &BTreeSet<usize>,
        place: usize,
    ) -> Next {
        let may_fall_back = self.config.fall_back_on.contains(&error.class);
        let choosing = Choosing { split: 0, tried, chance: with.chance.as_ref(), now_us: with.clock.monotonic_us() };
        let has_others = may_fall_back && choose(&self.tiers, &choosing).is_ok();
        let retry = &self.config.retry;
        let is_busy = matches!(error.class, ErrorClass::RateLimited | ErrorClass::Overloaded);
        let wait_ms = error.retry_after_ms.unwrap_or_else(|| self.backoff_ms(retries, with));
        let is_open = self.known(place).is_some_and(|known| known.state.is_open());
        let may_retry = error.class.may_pass()
            && !is_open
            && retries < retry.retries_max
            && wait_ms <= retry.wait_ms_max
            && !(is_busy && has_others);
        if may_retry && self.budget.spend() {
            Next::Again { wait_ms }
        } else if has_others {
            Next::Another
        } else {
            Next::GiveUp
        }
    }

    fn known(&self, place: usize) -> Option<&Known> {
        self.tiers.iter().flat_map(|(_, known)| known).nth(place)
    }

    fn backoff_ms(&self, retries: u32, with: &Attempt<'_>) -> u64 {
        let retry = &self.config.retry;
        let most = retry.backoff_ms.saturating_mul(1 << retries.min(16)).min(retry.backoff_ms_max);
        with.chance.draw() % (most + 1)
    }
}
