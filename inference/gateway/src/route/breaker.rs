//! Leaves a target alone that fails too often, then lets one call through to see, then all or none.
//!
//! Pure: time comes in.

/// When a target is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerConfig {
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

impl Default for BreakerConfig {
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

/// How a target stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitState {
    /// It is asked.
    Closed,
    /// It is left alone.
    Open,
    /// One call is let through.
    HalfOpen,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Opened { for_ms: u64 },
    HalfOpened,
    Closed,
}

/// How a call began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begun {
    /// Whether it is the one call that is let through, to see.
    pub(super) is_probe: bool,
    pub(super) change: Option<Change>,
}

/// Whether a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    Yes,
    Probe,
    No { wait_ms: u64 },
}

/// Parts of the time of which calls are counted.
const SLICES: u64 = 10;

#[derive(Debug, Clone)]
pub(super) struct Breaker {
    state: State,
    in_a_row: u32,
    /// Times that it opened since it was closed last.
    opened: u32,
    slices: [Slice; SLICES as usize],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Open { until_ms: u64 },
    HalfOpen { probing: bool },
}

#[derive(Debug, Clone, Copy, Default)]
struct Slice {
    number: u64,
    calls: u32,
    failures: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { state: State::Closed, in_a_row: 0, opened: 0, slices: [Slice::default(); SLICES as usize] }
    }
}

impl Breaker {
    pub(super) fn state(&self) -> CircuitState {
        match self.state {
            State::Closed => CircuitState::Closed,
            State::Open { .. } => CircuitState::Open,
            State::HalfOpen { .. } => CircuitState::HalfOpen,
        }
    }

    pub(super) fn admits(&self, now_ms: u64) -> Admission {
        match self.state {
            State::Closed => Admission::Yes,
            State::Open { until_ms } if now_ms >= until_ms => Admission::Probe,
            State::Open { until_ms } => Admission::No { wait_ms: until_ms - now_ms },
            State::HalfOpen { probing: false } => Admission::Probe,
            State::HalfOpen { probing: true } => Admission::No { wait_ms: 100 },
        }
    }

    /// A call begins, as a probe where one is due; `None` when it may not: another call was quicker to probe.
    pub(super) fn begin(&mut self, now_ms: u64) -> Option<Begun> {
        let (is_probe, change) = match self.state {
            State::Closed => (false, None),
            State::Open { until_ms } if now_ms < until_ms => return None,
            State::HalfOpen { probing: true } => return None,
            State::Open { .. } => (true, Some(Change::HalfOpened)),
            State::HalfOpen { probing: false } => (true, None),
        };
        if is_probe {
            self.state = State::HalfOpen { probing: true };
        }
        Some(Begun { is_probe, change })
    }

    pub(super) fn succeeded(&mut self, config: &BreakerConfig, now_ms: u64) -> Option<Change> {
        self.in_a_row = 0;
        self.count(config, now_ms, false);
        if let State::HalfOpen { .. } = self.state {
            *self = Self::default();
            return Some(Change::Closed);
        }
        None
    }

    pub(super) fn failed(&mut self, config: &BreakerConfig, now_ms: u64) -> Option<Change> {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.count(config, now_ms, true);
        let opens = match self.state {
            State::HalfOpen { .. } => true,
            State::Closed => self.in_a_row >= config.failures_in_a_row_max || self.fails_often(config, now_ms),
            // A call that began before it opened.
            State::Open { .. } => false,
        };
        opens.then(|| {
            let for_ms = config.open_ms.saturating_mul(1 << self.opened.min(16)).min(config.open_ms_max);
            self.opened = self.opened.saturating_add(1);
            self.state = State::Open { until_ms: now_ms.saturating_add(for_ms) };
            Change::Opened { for_ms }
        })
    }

    /// A call ended that says nothing of the target. Only if it was the probe, the next may be one.
    pub(super) fn neither(&mut self, was_probe: bool) {
        if let State::HalfOpen { .. } = self.state
            && was_probe
        {
            self.state = State::HalfOpen { probing: false };
        }
    }

    fn count(&mut self, config: &BreakerConfig, now_ms: u64, failed: bool) {
        let number = now_ms / (config.window_ms / SLICES).max(1);
        if let Some(slice) = self.slices.get_mut((number % SLICES) as usize) {
            if slice.number != number {
                *slice = Slice { number, ..Slice::default() };
            }
            slice.calls = slice.calls.saturating_add(1);
            slice.failures = slice.failures.saturating_add(u32::from(failed));
        }
    }

    fn fails_often(&self, config: &BreakerConfig, now_ms: u64) -> bool {
        let number = now_ms / (config.window_ms / SLICES).max(1);
        let recent = self.slices.iter().filter(|slice| slice.number + SLICES > number);
        let (calls, failures) = recent.fold((0_u64, 0_u64), |(calls, failures), slice| {
            (calls + u64::from(slice.calls), failures + u64::from(slice.failures))
        });
        calls >= u64::from(config.calls_min) && failures * 100 >= calls * u64::from(config.failures_percent_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: BreakerConfig = BreakerConfig {
        failures_in_a_row_max: 3,
        failures_percent_max: 50,
        calls_min: 10,
        window_ms: 1_000,
        open_ms: 100,
        open_ms_max: 250,
    };

    #[test]
    fn it_opens_lets_one_through_and_closes_or_opens_for_longer() {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.failed(&CONFIG, 0), None);
        assert_eq!(breaker.succeeded(&CONFIG, 1), None);
        assert_eq!([2, 3].map(|at| breaker.failed(&CONFIG, at)), [None, None], "a success begins the row anew");
        assert_eq!(breaker.failed(&CONFIG, 4), Some(Change::Opened { for_ms: 100 }));
        assert_eq!(breaker.admits(103), Admission::No { wait_ms: 1 });
        assert_eq!(breaker.admits(104), Admission::Probe);
        let probe = |change| Some(Begun { is_probe: true, change });
        assert_eq!(breaker.begin(103), None, "whoever chose it before it opened");
        assert_eq!(breaker.begin(104), probe(Some(Change::HalfOpened)));
        assert_eq!(breaker.begin(104), None, "whoever was to probe as well");
        assert!(matches!(breaker.admits(104), Admission::No { .. }), "one at a time");
        assert_eq!(breaker.failed(&CONFIG, 110), Some(Change::Opened { for_ms: 200 }));
        assert_eq!(breaker.begin(310), probe(Some(Change::HalfOpened)));
        breaker.neither(false);
        assert!(matches!(breaker.admits(310), Admission::No { .. }), "a call from before says nothing of the probe");
        breaker.neither(true);
        assert_eq!(breaker.admits(311), Admission::Probe, "a call that says nothing leaves it to the next");
        assert_eq!(breaker.begin(311), probe(None));
        assert_eq!(breaker.failed(&CONFIG, 312), Some(Change::Opened { for_ms: 250 }));
        assert_eq!(breaker.begin(562), probe(Some(Change::HalfOpened)));
        assert_eq!(breaker.succeeded(&CONFIG, 563), Some(Change::Closed));
        assert_eq!(breaker.admits(563), Admission::Yes);
        assert_eq!([564, 565].map(|at| breaker.failed(&CONFIG, at)), [None, None], "all is forgotten");
        assert_eq!(breaker.failed(&CONFIG, 566), Some(Change::Opened { for_ms: 100 }));
    }

    #[test]
    fn a_large_share_of_failures_opens_it_too_but_only_of_recent_calls() {
        let mut breaker = Breaker::default();
        let mut opened = None;
        for call in 0..10 {
            let change = if call % 2 == 0 { breaker.failed(&CONFIG, 0) } else { breaker.succeeded(&CONFIG, 0) };
            opened = opened.or(change.map(|_| call));
        }
        assert_eq!(opened, None, "a success came last");
        let mut old = breaker.clone();
        assert_eq!(breaker.failed(&CONFIG, 900), Some(Change::Opened { for_ms: 100 }));
        assert_eq!(old.failed(&CONFIG, 1_000), None);
    }
}
