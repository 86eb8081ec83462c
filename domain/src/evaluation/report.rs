//! What comes of an evaluation, and how it is counted case by case.

use serde::{Deserialize, Serialize};

use super::{CASES_TOLD_MAX, REASON_CHARACTERS_MAX, ScoredReport};
use crate::ids::InferenceId;
use crate::inference::OutputComparison;
use crate::model::{MILLION, percentile};

/// What came of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EvaluationReport {
    /// Recorded inferences were computed by another version, and compared.
    Backtest(BacktestReport),
    /// Outputs for the cases of a set were judged.
    Scored(ScoredReport),
}

/// What came of computing recorded inferences by another version.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BacktestReport {
    /// Inferences that were found.
    pub cases: u32,
    /// The same answer to the last bit.
    pub same: u32,
    /// Numbers within the tolerance.
    pub near: u32,
    /// Other answers.
    pub different: u32,
    /// Of the other answers, those whose class is another one.
    pub class_changed: u32,
    /// The version had no answer.
    pub failed: u32,
    /// They cannot be computed again: their inputs or outputs were not kept, or were erased.
    pub skipped: u32,
    /// How far numbers are apart at most, relative to the larger one or 1; absent where nothing was compared like this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<f64>,
    /// How long the recorded answers took to compute.
    pub recorded: Latencies,
    /// How long those of the version took.
    pub candidate: Latencies,
    /// The worst cases that are not the same, the worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<BacktestCase>,
}

/// Times of computing, without waiting, in microseconds; absent where nothing was computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latencies {
    /// Half of them took no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_us: Option<u64>,
    /// 95 of 100 took no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_us: Option<u64>,
}

/// One case that is not the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BacktestCase {
    /// The recorded inference.
    pub inference: InferenceId,
    /// What came of it.
    pub verdict: BacktestVerdict,
    /// How far numbers are apart at most; absent where they cannot be told apart like this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apart: Option<f64>,
    /// Whether its class is another one.
    #[serde(default)]
    pub class_changed: bool,
    /// Why there is nothing to compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What came of one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BacktestVerdict {
    /// The same answer to the last bit.
    Same,
    /// It cannot be computed again.
    Skipped,
    /// Numbers within the tolerance.
    Near,
    /// Another answer.
    Different,
    /// The version had no answer.
    Failed,
}

/// What came of one case, as whoever tried it tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Compared {
    /// The version answered.
    Answered {
        /// How its answer compares with the recorded one.
        outputs: OutputComparison,
        /// How long the recorded answer took to compute, in microseconds.
        recorded_us: u64,
        /// How long the version's took.
        candidate_us: u64,
    },
    /// The version had no answer.
    Failed(String),
    /// It cannot be computed again.
    Skipped(String),
}

/// Counts the cases of a backtest.
#[derive(Debug, Clone)]
pub struct BacktestCounter {
    tolerance: f64,
    report: BacktestReport,
    recorded_us: Vec<u64>,
    candidate_us: Vec<u64>,
    told: Vec<BacktestCase>,
}

impl BacktestCounter {
    /// Nothing yet; numbers that are no further apart than so many millionths are near.
    pub fn new(tolerance: u64) -> Self {
        Self {
            tolerance: tolerance as f64 / MILLION as f64,
            report: BacktestReport::default(),
            recorded_us: Vec::new(),
            candidate_us: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Takes a case in.
    pub fn take(&mut self, inference: InferenceId, compared: Compared) {
        let report = &mut self.report;
        report.cases += 1;
        let without = |verdict, reason: String| {
            let reason = Some(reason.chars().take(REASON_CHARACTERS_MAX).collect());
            BacktestCase { inference, verdict, apart: None, class_changed: false, reason }
        };
        let case = match compared {
            Compared::Failed(reason) => {
                report.failed += 1;
                without(BacktestVerdict::Failed, reason)
            }
            Compared::Skipped(reason) => {
                report.skipped += 1;
                without(BacktestVerdict::Skipped, reason)
            }
            Compared::Answered { outputs, recorded_us, candidate_us } => {
                self.recorded_us.push(recorded_us);
                self.candidate_us.push(candidate_us);
                report.worst = match (report.worst, outputs.apart) {
                    (Some(worst), Some(apart)) => Some(worst.max(apart)),
                    (worst, apart) => worst.or(apart),
                };
                let verdict = if outputs.same {
                    report.same += 1;
                    return;
                } else if outputs.is_within(self.tolerance) {
                    report.near += 1;
                    BacktestVerdict::Near
                } else {
                    report.different += 1;
                    report.class_changed += u32::from(outputs.class_changed);
                    BacktestVerdict::Different
                };
                let OutputComparison { apart, class_changed, .. } = outputs;
                BacktestCase { inference, verdict, apart, class_changed, reason: None }
            }
        };
        self.told.push(case);
    }

    /// What came of all of them.
    pub fn report(mut self) -> BacktestReport {
        let far = |case: &BacktestCase| case.apart.unwrap_or(f64::INFINITY);
        let worse = |one: &BacktestCase, other: &BacktestCase| {
            let by_class = other.class_changed.cmp(&one.class_changed);
            other.verdict.cmp(&one.verdict).then(by_class).then(far(other).total_cmp(&far(one)))
        };
        self.told.sort_by(worse);
        self.told.truncate(CASES_TOLD_MAX);
        let of = |times: Vec<u64>| Latencies {
            p50_us: percentile(times.iter().copied(), 50),
            p95_us: percentile(times.iter().copied(), 95),
        };
        let (recorded, candidate) = (of(self.recorded_us), of(self.candidate_us));
        BacktestReport { recorded, candidate, told: self.told, ..self.report }
    }
}
