//! The Evaluation aggregate: something is tried on cases that are known, nothing of it is served, and what came of it.
//!
//! A worker does it; its report is an event. Invariant: a report is bounded, however many cases it is about, and holds no
//! input and no output: who wants them follows a case to its inference, or to its set and what was run for it. Only what a
//! judge says of an output is a model's own words, so that judges are asked about nobody's data alone.

mod comparison;
mod event;
mod judge;
mod report;
mod score;
mod scored;
mod scorer;
mod state;

pub use comparison::{NotComparable, ScorerComparison, WORSE_TOLD_MAX, WorseCase, compare, sign_test};
pub use event::{EvaluationCases, EvaluationEvent, EvaluationRequest, EvaluationSubject, InferenceSelection};
pub use judge::{
    JUDGE_NAME_CHARACTERS_MAX, JUDGED_BYTES_MAX, JUDGES_MAX, Judged, Judgement, RUBRIC_CHARACTERS_MAX, judge_request,
    one_line, read_judgement,
};
pub use report::{
    BacktestCase, BacktestCounter, BacktestReport, BacktestVerdict, Compared, EvaluationReport, Latencies,
};
pub use score::{Prepared, Score, score_of_workflow};
pub use scored::{CaseResult, CaseRun, CaseScores, ScoreCounter, ScoreVerdict, ScoredReport, ScorerReport, ToldCase};
pub use scorer::{InvalidScorer, NamedScorer, SCORER_NAME_CHARACTERS_MAX, SCORERS_MAX, Scorer};
pub use state::{Evaluation, EvaluationCommand, EvaluationRefusal, EvaluationStatus};

/// Most cases of one evaluation.
pub const CASES_MAX: usize = 1_000;
/// Most cases that a report tells one by one: the worst ones.
pub const CASES_TOLD_MAX: usize = 100;
/// Most characters of why a case has no answer.
pub const REASON_CHARACTERS_MAX: usize = 500;
