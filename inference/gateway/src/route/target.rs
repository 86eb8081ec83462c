//! How a target does: how quick it is, how busy, and whether it is left alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use timeloom_domain::chat::ErrorClass;

use super::breaker::{Admission, Breaker, BreakerConfig, Change, CircuitState};
use super::choose::Known;
use super::config::Target;
use crate::error::CallError;
use crate::facts::{Fact, Sink};
use crate::ports::Clock;

/// After how many microseconds what was measured counts for about a third.
const MEMORY_US: f64 = 10_000_000.0;
/// After how many microseconds what was measured last is taken for about a third of it.
const FADING_US: f64 = 60_000_000.0;

/// How all targets do. Routes to the same target share what is known of it.
#[derive(Debug, Default)]
pub struct Health(Mutex<HashMap<(String, String), Arc<TargetState>>>);

impl Health {
    pub(super) fn of(&self, target: &Target) -> Arc<TargetState> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (target.provider.clone(), target.model.clone());
        Arc::clone(known.entry(key).or_default())
    }

    /// Forgets targets that no route leads to any more.
    pub(crate) fn sweep(&self) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, state| Arc::strong_count(state) > 1);
    }

    /// How all targets do now, by provider and model.
    pub fn all(&self) -> Vec<TargetHealth> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<TargetHealth> =
            known.iter().map(|((provider, model), state)| state.health(provider, model)).collect();
        all.sort_by(|one, two| (&one.provider, &one.model).cmp(&(&two.provider, &two.model)));
        all
    }
}

/// How a target does.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetHealth {
    /// The provider.
    pub provider: String,
    /// Its name for the model.
    pub model: String,
    /// Whether it is left alone.
    pub circuit: CircuitState,
    /// Calls under way.
    pub in_flight: u64,
    /// How long it takes to answer, or to begin to, in microseconds; nothing before it ever did.
    pub latency_us: Option<u64>,
    /// The last failure.
    pub last_error: Option<ErrorClass>,
}

#[derive(Debug, Default)]
pub(super) struct TargetState(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    breaker: Breaker,
    in_flight: u64,
    latency_us: Option<f64>,
    measured_us: u64,
    /// Until when the provider does not want to be asked.
    waits_until_us: u64,
    last_error: Option<ErrorClass>,
}

impl TargetState {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it may be asked.
    pub(super) fn admits(&self, now_us: u64) -> Admission {
        let state = self.state();
        match state.breaker.admits(now_us / 1000) {
            Admission::Yes | Admission::Probe if now_us < state.waits_until_us => {
                Admission::No { wait_ms: (state.waits_until_us - now_us).div_ceil(1000) }
            }
            admission => admission,
        }
    }

    /// Whether it is left alone because it failed.
    pub(super) fn is_open(&self) -> bool {
        self.state().breaker.state() == CircuitState::Open
    }

    /// How long it takes to answer, in microseconds, if it ever did; and how many calls are under way. What was measured
    /// long ago fades, so that who was slow once is tried again.
    pub(super) fn pace(&self, now_us: u64) -> (Option<f64>, u64) {
        let state = self.state();
        let age_us = now_us.saturating_sub(state.measured_us) as f64;
        (state.latency_us.map(|latency| latency * (-age_us / FADING_US).exp()), state.in_flight)
    }

    fn health(&self, provider: &str, model: &str) -> TargetHealth {
        let state = self.state();
        TargetHealth {
            provider: provider.to_owned(),
            model: model.to_owned(),
            circuit: state.breaker.state(),
            in_flight: state.in_flight,
            latency_us: state.latency_us.map(|latency| latency as u64),
            last_error: state.last_error,
        }
    }
}

impl State {
    fn measure(&mut self, took_us: u64, now_us: u64) {
        let age = now_us.saturating_sub(self.measured_us) as f64;
        let known = self.latency_us.map_or(took_us as f64, |known| {
            let weight = (-age / MEMORY_US).exp() * 0.9;
            known * weight + took_us as f64 * (1.0 - weight)
        });
        self.latency_us = Some(known);
        self.measured_us = now_us;
    }
}

/// A call under way at a target. However it ends, the target knows.
pub(super) struct Ongoing {
    target: Target,
    state: Arc<TargetState>,
    config: BreakerConfig,
    clock: Arc<dyn Clock>,
    sink: Arc<dyn Sink>,
    attempt: u32,
    pub(super) began_us: u64,
    is_probe: bool,
    ended: bool,
}

impl Ongoing {
    /// A call begins; `None` when the target is left alone since it was chosen, or another call is the one that probes it.
    pub(super) fn begin(
        Known { target, state }: &Known,
        attempt: u32,
        config: BreakerConfig,
        clock: &Arc<dyn Clock>,
        sink: &Arc<dyn Sink>,
    ) -> Option<Self> {
        let begun = {
            let mut known = state.state();
            let begun = known.breaker.begin(clock.monotonic_us() / 1000)?;
            known.in_flight += 1;
            begun
        };
        let ongoing = Self {
            target: target.clone(),
            state: Arc::clone(state),
            config,
            clock: Arc::clone(clock),
            sink: Arc::clone(sink),
            attempt,
            began_us: clock.monotonic_us(),
            is_probe: begun.is_probe,
            ended: false,
        };
        ongoing.tell(begun.change);
        Some(ongoing)
    }

    /// It answered, or began to.
    pub(super) fn measured(&self, took_us: u64) {
        self.state.state().measure(took_us, self.clock.monotonic_us());
    }

    /// It answered to the end.
    pub(super) fn succeeded(&mut self) {
        let now_ms = self.clock.monotonic_us() / 1000;
        let change = self.state.state().breaker.succeeded(&self.config, now_ms);
        self.ended = true;
        self.tell(change);
    }

    /// It failed.
    pub(super) fn failed(&mut self, error: &CallError) {
        let now_us = self.clock.monotonic_us();
        let change = {
            let mut state = self.state.state();
            state.last_error = Some(error.class);
            let waits = matches!(error.class, ErrorClass::RateLimited | ErrorClass::Overloaded);
            if let Some(wait_ms) = error.retry_after_ms.filter(|_| waits) {
                let until = now_us.saturating_add(wait_ms.saturating_mul(1000));
                state.waits_until_us = state.waits_until_us.max(until);
            }
            if error.class.is_providers_fault() {
                state.breaker.failed(&self.config, now_us / 1000)
            } else {
                state.breaker.neither(self.is_probe);
                None
            }
        };
        self.ended = true;
        self.tell(change);
    }

    fn tell(&self, change: Option<Change>) {
        let Some(change) = change else { return };
        let (provider, model) = (self.target.provider.clone(), self.target.model.clone());
        self.sink.tell(match change {
            Change::Opened { for_ms } => Fact::CircuitOpened { provider, model, for_ms },
            Change::HalfOpened => Fact::CircuitHalfOpened { provider, model },
            Change::Closed => Fact::CircuitClosed { provider, model },
        });
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        let mut state = self.state.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        if self.ended {
            return;
        }
        state.breaker.neither(self.is_probe);
        drop(state);
        let after_us = self.clock.monotonic_us().saturating_sub(self.began_us);
        self.sink.tell(Fact::Cancelled { attempt: self.attempt, after_us });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_slow_once_is_not_taken_to_be_slow_for_ever() {
        let slow = TargetState::default();
        assert_eq!(slow.pace(0), (None, 0));
        slow.state().measure(8_000_000, 0);
        let latency = |seconds: u64| slow.pace(seconds * 1_000_000).0.map(|latency| latency as u64);
        assert_eq!(latency(0), Some(8_000_000));
        assert!(latency(60) < Some(3_000_000) && latency(300) < Some(100_000));
        slow.state().measure(1_000_000, 1_000_000);
        assert!(latency(1) > Some(5_000_000), "one quick answer does not make it quick");
        (0..30).for_each(|_| slow.state().measure(1_000_000, 1_000_000));
        assert!(latency(1) < Some(1_500_000));
    }
}
