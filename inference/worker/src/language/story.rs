//! What the gateway tells of a call, kept until the call is written down.

use std::sync::{Mutex, PoisonError};

use timeloom_domain::chat::Usage;
use timeloom_domain::model_call::{CallAttempt, CallFailure, ModelCallEvent};
use timeloom_domain::money::Money;
use timeloom_gateway::facts::{Fact, Sink};

/// Most characters of a provider's words that are written down.
pub(super) const WORDS_CHARACTERS_MAX: usize = 500;
/// Most violations of an answer that are written down.
const VIOLATIONS_MAX: usize = 32;

/// Keeps what is told.
#[derive(Default)]
pub(super) struct Story(Mutex<Told>);

/// What was told so far.
#[derive(Default)]
pub(super) struct Told {
    /// Who was asked.
    pub attempts: Vec<CallAttempt>,
    /// Tokens of all attempts.
    pub usage: Option<Usage>,
    /// What they cost.
    pub cost: Option<Money>,
    /// What limits were charged with.
    pub charged: (u64, Option<Money>),
    /// The call that the answer was first one to.
    pub cached_from: Option<String>,
    /// How targets changed.
    pub circuits: Vec<ModelCallEvent>,
}

impl Story {
    /// Takes out what was told.
    pub fn take(&self) -> Told {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sink for Story {
    fn tell(&self, fact: Fact) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).hear(fact);
    }
}

impl Told {
    fn attempt(&mut self, number: u32) -> Option<&mut CallAttempt> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        self.attempts.get_mut(place)
    }

    fn hear(&mut self, fact: Fact) {
        match fact {
            Fact::CacheHit { source } => self.cached_from = Some(source),
            // The refusal says it.
            Fact::LimitReached(_) => {}
            Fact::AttemptStarted { provider, model, reason, .. } => self.attempts.push(CallAttempt {
                provider,
                model,
                reason: reason.name().to_owned(),
                left_out: Vec::new(),
                first_token_us: None,
                took_us: 0,
                failure: None,
                answered_by: None,
                finish: None,
                usage: None,
                cost: None,
                request_id: None,
                system_fingerprint: None,
                violations: Vec::new(),
            }),
            Fact::LeftOut { attempt, what } => {
                if let Some(attempt) = self.attempt(attempt) {
                    attempt.left_out = what.into_iter().map(str::to_owned).collect();
                }
            }
            Fact::AttemptFailed { attempt, class, status, retry_after_ms, message, after_us } => {
                let message = message.chars().take(WORDS_CHARACTERS_MAX).collect();
                let failure = CallFailure { class: Some(class), status, retry_after_ms, message };
                self.ended(attempt, after_us, failure);
            }
            Fact::Cancelled { attempt, after_us } => {
                let failure = CallFailure { class: None, status: None, retry_after_ms: None, message: String::new() };
                self.ended(attempt, after_us, failure);
            }
            Fact::FirstToken { attempt, after_us } => {
                if let Some(attempt) = self.attempt(attempt) {
                    attempt.first_token_us = Some(after_us);
                }
            }
            Fact::Charged { tokens, money } => {
                let (charged, cost) = self.charged;
                let money = money.map_or(cost, |money| Some(cost.unwrap_or_default().plus(money)));
                self.charged = (charged.saturating_add(tokens), money);
            }
            Fact::OutputSchemaViolated { attempt, violations, .. } => {
                if let Some(attempt) = self.attempt(attempt) {
                    attempt.violations = violations.into_iter().take(VIOLATIONS_MAX).collect();
                }
            }
            Fact::CircuitOpened { provider, model, for_ms } => {
                self.circuits.push(ModelCallEvent::CircuitOpened { provider, model, for_ms });
            }
            Fact::CircuitHalfOpened { provider, model } => {
                self.circuits.push(ModelCallEvent::CircuitHalfOpened { provider, model });
            }
            Fact::CircuitClosed { provider, model } => {
                self.circuits.push(ModelCallEvent::CircuitClosed { provider, model });
            }
            completed @ Fact::Completed { .. } => self.completed(completed),
        }
    }

    fn ended(&mut self, attempt: u32, after_us: u64, failure: CallFailure) {
        if let Some(attempt) = self.attempt(attempt) {
            attempt.took_us = after_us;
            attempt.failure = Some(failure);
        }
    }

    fn completed(&mut self, fact: Fact) {
        let Fact::Completed { attempt, model, finish, usage, cost, request_id, system_fingerprint, after_us, .. } =
            fact
        else {
            return;
        };
        self.usage = match (self.usage, usage) {
            (Some(known), Some(more)) => Some(known.plus(more)),
            (known, more) => known.or(more),
        };
        self.cost = match (self.cost, cost) {
            (Some(known), Some(more)) => Some(known.plus(more)),
            (known, more) => known.or(more),
        };
        if let Some(attempt) = self.attempt(attempt) {
            attempt.took_us = after_us;
            attempt.answered_by = Some(model);
            attempt.finish = finish;
            attempt.usage = usage;
            attempt.cost = cost;
            attempt.request_id = request_id;
            attempt.system_fingerprint = system_fingerprint;
        }
    }
}
