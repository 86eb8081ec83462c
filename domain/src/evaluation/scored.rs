//! What came of trying something on a set of cases, and how it is counted.

use serde::{Deserialize, Serialize};

use super::{CASES_TOLD_MAX, Judgement, REASON_CHARACTERS_MAX, Score};
use crate::ids::{AgentRunId, ExecutionId};

/// What came of trying something on all cases of a version of a set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoredReport {
    /// Cases that were tried.
    pub cases: u32,
    /// Of them, those that came to no output: each of their scores is 0.
    pub failed: u32,
    /// Each scorer in sums, in the order in which they were asked for.
    pub scorers: Vec<ScorerReport>,
    /// The scores of each case, in the order of the set.
    pub scores: Vec<CaseScores>,
    /// Why, for the worst cases that are not perfect, the worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<ToldCase>,
}

/// One scorer in sums.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ScorerReport {
    /// Its name.
    pub name: String,
    /// The mean of its scores; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// How many scores it has.
    pub count: u32,
    /// In how many cases it had nothing to judge: they are not in its mean.
    pub failed: u32,
}

/// The scores of one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseScores {
    /// The case.
    pub case: String,
    /// From 0 to 1 by each scorer, in their order; `null` where it had nothing to judge.
    pub scores: Vec<Option<f64>>,
    /// What was run for it; absent where that is not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<CaseRun>,
    /// What the judges among the scorers said, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub judgements: Vec<Judgement>,
}

/// What was run for a case: who wants to know what came out finds it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CaseRun {
    /// An execution.
    Execution {
        /// The execution.
        execution: ExecutionId,
    },
    /// A run of an agent.
    AgentRun {
        /// The run.
        run: AgentRunId,
    },
}

/// One case that is not perfect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToldCase {
    /// The case.
    pub case: String,
    /// Why it came to no output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// What the scorers say that do not give 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<ScoreVerdict>,
}

/// What one scorer says of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreVerdict {
    /// Its name.
    pub scorer: String,
    /// From 0 to 1; absent where it had nothing to judge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What came of one case, as whoever tried it tells.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseResult {
    /// What was run for it.
    pub run: Option<CaseRun>,
    /// What each scorer says of its output, in their order, or why it has nothing to judge; `Err` when there is no output.
    pub scores: Result<Vec<Result<Score, String>>, String>,
    /// What the judges among the scorers said of it, in their order.
    pub judgements: Vec<Judgement>,
}

/// Counts the cases of a scored evaluation, in the order of the set.
#[derive(Debug, Clone)]
pub struct ScoreCounter {
    report: ScoredReport,
    sums: Vec<f64>,
    told: Vec<(f64, ToldCase)>,
}

impl ScoreCounter {
    /// Nothing yet, by scorers with these names.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let of = |name: &str| ScorerReport { name: name.to_owned(), ..ScorerReport::default() };
        let scorers: Vec<ScorerReport> = names.into_iter().map(of).collect();
        let sums = vec![0.0; scorers.len()];
        Self { report: ScoredReport { scorers, ..ScoredReport::default() }, sums, told: Vec::new() }
    }

    /// Takes a case in.
    pub fn take(&mut self, case: String, result: CaseResult) {
        self.report.cases += 1;
        let CaseResult { run, scores, judgements } = result;
        let (judged, failure) = match scores {
            Ok(judged) => (judged, None),
            Err(why) => {
                self.report.failed += 1;
                let none = Ok(Score { value: 0.0, reason: None });
                (vec![none; self.report.scorers.len()], Some(short(why)))
            }
        };
        let mut told = ToldCase { case: case.clone(), failure, verdicts: Vec::new() };
        let mut scores = Vec::with_capacity(judged.len());
        for ((scorer, sum), judged) in self.report.scorers.iter_mut().zip(&mut self.sums).zip(judged) {
            let (score, reason) = match judged {
                Ok(Score { value, reason }) => {
                    scorer.count += 1;
                    *sum += value;
                    (Some(value), reason)
                }
                Err(why) => {
                    scorer.failed += 1;
                    (None, Some(why))
                }
            };
            scores.push(score);
            if told.failure.is_none() && score.is_none_or(|score| score < 1.0) {
                let reason = reason.map(short);
                told.verdicts.push(ScoreVerdict { scorer: scorer.name.clone(), score, reason });
            }
        }
        if told.failure.is_some() || !told.verdicts.is_empty() {
            let mean = scores.iter().flatten().sum::<f64>() / scores.len().max(1) as f64;
            // What came to no output is worst.
            self.told.push((if told.failure.is_some() { -1.0 } else { mean }, told));
        }
        let judgements = judgements.into_iter().map(|said| Judgement { reason: said.reason.map(short), ..said });
        self.report.scores.push(CaseScores { case, scores, run, judgements: judgements.collect() });
    }

    /// What came of all of them.
    pub fn report(mut self) -> ScoredReport {
        for (scorer, sum) in self.report.scorers.iter_mut().zip(self.sums) {
            scorer.mean = (scorer.count > 0).then(|| sum / f64::from(scorer.count));
        }
        self.told.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        self.told.truncate(CASES_TOLD_MAX);
        self.report.told = self.told.into_iter().map(|(_, case)| case).collect();
        self.report
    }
}

fn short(reason: String) -> String {
    if reason.len() <= REASON_CHARACTERS_MAX {
        return reason;
    }
    reason.chars().take(REASON_CHARACTERS_MAX).collect()
}
