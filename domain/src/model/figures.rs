//! What is counted of a trial, inference by inference, and whether its guard ends it.
//!
//! A pure fold over what is recorded since the trial began: whoever reads the same events comes to the same figures.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::rollout::{GuardMetric, MILLION, Rollout, RolloutArm, RolloutGuard};
use crate::ids::{InferenceId, Slug};
use crate::inference::{InferenceEvent, InferenceRequest};

/// Most latencies of one side that are kept: the newest ones, of which the figures tell.
pub const LATENCIES_MAX: usize = 10_000;
/// Most inferences that were asked for by an event of their own and have not ended: older ones are given up.
const OPEN_MAX: usize = 10_000;

/// What is counted of one side of a trial.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmFigures {
    /// Inferences that were answered.
    pub answered: u64,
    /// Inferences that failed or were not begun.
    pub failed: u64,
    /// The time within which 95 of 100 of the newest were answered, waiting included, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_p95_us: Option<u64>,
}

/// What is counted of a trial.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutFigures {
    /// The tried version.
    pub candidate: ArmFigures,
    /// The version that answers the others.
    pub stable: ArmFigures,
    /// Answers of the tried version to copies that were compared.
    pub compared: u64,
    /// Of these, how many are other answers, as the guard tells them apart.
    pub disagreed: u64,
    /// Position in the log up to which all was counted.
    pub up_to: u64,
}

impl ArmFigures {
    /// Inferences of which it is known how they ended.
    pub fn ended(&self) -> u64 {
        self.answered + self.failed
    }

    /// The part that failed, in millionths; 0 where none ended.
    pub fn error_rate(&self) -> u64 {
        part(self.failed, self.ended())
    }
}

impl RolloutFigures {
    /// The part of the compared answers that are others, in millionths; 0 where none was compared.
    pub fn disagreement(&self) -> u64 {
        part(self.disagreed, self.compared)
    }
}

impl RolloutGuard {
    /// Why the trial is over; `None` while it is not, or too little is known.
    pub fn broken_by(&self, figures: &RolloutFigures) -> Option<String> {
        let candidate = &figures.candidate;
        let (of, found) = match self.metric {
            GuardMetric::ErrorRate => (candidate.ended(), candidate.error_rate()),
            GuardMetric::LatencyP95 => (candidate.answered, candidate.latency_p95_us.unwrap_or(0)),
            GuardMetric::Disagreement => (figures.compared, figures.disagreement()),
        };
        if of < u64::from(self.fewest) || found <= self.bound {
            return None;
        }
        let bound = self.bound;
        Some(match self.metric {
            GuardMetric::ErrorRate => format!("{} of {of} inferences failed, above {}", percent(found), percent(bound)),
            GuardMetric::LatencyP95 => format!("95 of 100 of {of} inferences took {found} us, above {bound} us"),
            GuardMetric::Disagreement => {
                format!("{} of {of} answers are others, above {}", percent(found), percent(bound))
            }
        })
    }
}

/// Millionths as percent with four digits at most.
fn percent(millionths: u64) -> String {
    let (whole, rest) = (millionths / 10_000, millionths % 10_000);
    if rest == 0 { format!("{whole} %") } else { format!("{whole}.{} %", format!("{rest:04}").trim_end_matches('0')) }
}

fn part(some: u64, all: u64) -> u64 {
    some.saturating_mul(MILLION).checked_div(all).unwrap_or(0)
}

/// The time within which so many of a hundred were done; `None` of none.
pub fn percentile(times_us: impl IntoIterator<Item = u64>, of_hundred: usize) -> Option<u64> {
    let mut times: Vec<u64> = times_us.into_iter().collect();
    times.sort_unstable();
    let rank = (times.len() * of_hundred).div_ceil(100);
    times.get(rank.saturating_sub(1)).copied()
}

/// Counts what is recorded of a trial.
#[derive(Debug, Clone)]
pub struct RolloutCount {
    model: Slug,
    version: u32,
    tolerance: Option<u64>,
    candidate: Counted,
    stable: Counted,
    compared: u64,
    disagreed: u64,
    /// Inferences whose request is an event of its own, and on which side they are. Their ids sort by time.
    open: BTreeMap<InferenceId, RolloutArm>,
}

#[derive(Debug, Clone, Default)]
struct Counted {
    answered: u64,
    failed: u64,
    latencies_us: VecDeque<u64>,
}

impl Counted {
    fn answered(&mut self, latency_us: u64) {
        self.answered += 1;
        if self.latencies_us.len() >= LATENCIES_MAX {
            self.latencies_us.pop_front();
        }
        self.latencies_us.push_back(latency_us);
    }

    fn figures(&self) -> ArmFigures {
        let latency_p95_us = percentile(self.latencies_us.iter().copied(), 95);
        ArmFigures { answered: self.answered, failed: self.failed, latency_p95_us }
    }
}

impl RolloutCount {
    /// Nothing yet of the trial of a model's version.
    pub fn new(model: Slug, rollout: &Rollout) -> Self {
        Self {
            model,
            version: rollout.version,
            tolerance: rollout.guard.as_ref().and_then(|guard| guard.tolerance),
            candidate: Counted::default(),
            stable: Counted::default(),
            compared: 0,
            disagreed: 0,
            open: BTreeMap::new(),
        }
    }

    /// Takes in what is recorded next. Inferences of others, and those that nobody waited for, count for nothing.
    pub fn take(&mut self, event: &InferenceEvent) {
        let (inference, request) = match event {
            InferenceEvent::InferenceRequested { inference, request } => {
                if let Some(arm) = self.arm_of(request) {
                    self.open.insert(*inference, arm);
                    if self.open.len() > OPEN_MAX {
                        self.open.pop_first();
                    }
                }
                return;
            }
            InferenceEvent::InferenceCancelled { inference, .. } => {
                self.open.remove(inference);
                return;
            }
            InferenceEvent::InferenceStarted { .. } | InferenceEvent::InferenceWindowClosed(_) => return,
            InferenceEvent::InferenceCompleted { inference, request, .. }
            | InferenceEvent::InferenceFailed { inference, request, .. }
            | InferenceEvent::InferenceRejected { inference, request, .. } => (inference, request),
        };
        let arm = match request {
            Some(request) => self.arm_of(request),
            None => self.open.remove(inference),
        };
        let Some(arm) = arm else { return };
        let InferenceEvent::InferenceCompleted { answer, .. } = event else {
            self.side(arm).failed += 1;
            return;
        };
        self.side(arm).answered(answer.queue_us.saturating_add(answer.compute_us));
        if let Some(compared) = &answer.compared {
            self.compared += 1;
            self.disagreed += u64::from(compared.disagrees(self.tolerance.map(|millionths| millionths as f64 / 1e6)));
        }
    }

    /// What was counted up to a position.
    pub fn figures(&self, up_to: u64) -> RolloutFigures {
        RolloutFigures {
            candidate: self.candidate.figures(),
            stable: self.stable.figures(),
            compared: self.compared,
            disagreed: self.disagreed,
            up_to,
        }
    }

    fn arm_of(&self, request: &InferenceRequest) -> Option<RolloutArm> {
        let arm = request.arm.filter(|_| request.model == self.model)?;
        (arm == RolloutArm::Stable || request.version == self.version).then_some(arm)
    }

    fn side(&mut self, arm: RolloutArm) -> &mut Counted {
        match arm {
            RolloutArm::Stable => &mut self.stable,
            RolloutArm::Candidate | RolloutArm::Shadow => &mut self.candidate,
        }
    }
}
