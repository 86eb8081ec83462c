//! The folded evaluation, and its decisions.

use serde::{Deserialize, Serialize};

use super::{
    CASES_MAX, EvaluationCases, EvaluationEvent, EvaluationReport, EvaluationRequest, EvaluationSubject,
    InferenceSelection, InvalidScorer, JUDGES_MAX, NamedScorer, SCORERS_MAX, Scorer,
};
use crate::event::Aggregate;
use crate::model::MILLION;

/// An evaluation as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// What it is about; `None` before.
    pub request: Option<Box<EvaluationRequest>>,
    /// How far it is.
    pub status: EvaluationStatus,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Box<EvaluationReport>>,
    /// Why it could not be carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// When it ended, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at_ms: Option<i64>,
}

/// How far an evaluation is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvaluationStatus {
    /// There is none yet.
    #[default]
    New,
    /// A worker is to do it, or does.
    Requested,
    /// It has a report.
    Completed,
    /// It could not be carried out.
    Failed,
}

impl EvaluationStatus {
    /// The word for it, as events and APIs write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Requested => "requested",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// A request to one evaluation.
#[derive(Debug, Clone, PartialEq)]
pub enum EvaluationCommand {
    /// Ask for it.
    Request(Box<EvaluationRequest>),
    /// Take down what came of it. Only a worker sends this.
    Complete {
        /// What came of it.
        report: Box<EvaluationReport>,
        /// Now, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Take down that it cannot be carried out. Only a worker sends this.
    Fail {
        /// Why, in words that say what to do.
        reason: String,
        /// Now, in milliseconds since 1970.
        at_ms: i64,
    },
}

/// Why an evaluation says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationRefusal {
    /// There is one already.
    #[error("an evaluation with this id exists already: use a new id")]
    AlreadyExists,
    /// There is none.
    #[error("there is no evaluation with this id")]
    NotFound,
    /// It is about no case, or too many.
    #[error("an evaluation is about 1 to {CASES_MAX} cases: ask for that many")]
    Cases,
    /// The time ends before it begins.
    #[error("the time from which inferences are taken is not before its end: give an earlier one")]
    NoTime,
    /// More than all.
    #[error("a tolerance is from 0 to 1: it is relative to the larger number or 1")]
    Tolerance,
    /// Recorded inferences are of models.
    #[error("recorded inferences are tried on versions of models alone: try workflows and agents on an evaluation set")]
    NotAModel,
    /// Nothing is judged there.
    #[error("recorded inferences are compared and not judged: leave the scorers out, or use an evaluation set")]
    NothingToJudge,
    /// None, or too many.
    #[error("an evaluation of a set has 1 to {SCORERS_MAX} scorers, not {0}: name that many")]
    Scorers(usize),
    /// Too many judges.
    #[error("{0} of the scorers are judges, and an evaluation has at most {JUDGES_MAX}: leave some out")]
    Judges(usize),
    /// Two of one name.
    #[error("there are two scorers '{0}': give one of them another name")]
    TwiceTheScorer(String),
    /// One cannot be used.
    #[error(transparent)]
    Scorer(#[from] InvalidScorer),
}

fn check(request: &EvaluationRequest) -> Result<(), EvaluationRefusal> {
    if request.tolerance > MILLION {
        return Err(EvaluationRefusal::Tolerance);
    }
    match &request.cases {
        EvaluationCases::Inferences(selection) => {
            if !matches!(request.subject, EvaluationSubject::ModelVersion { .. }) {
                return Err(EvaluationRefusal::NotAModel);
            }
            if !request.scorers.is_empty() {
                return Err(EvaluationRefusal::NothingToJudge);
            }
            check_selection(selection)
        }
        EvaluationCases::Set { .. } => check_scorers(&request.scorers),
    }
}

fn check_scorers(scorers: &[NamedScorer]) -> Result<(), EvaluationRefusal> {
    if !(1..=SCORERS_MAX).contains(&scorers.len()) {
        return Err(EvaluationRefusal::Scorers(scorers.len()));
    }
    let judges = scorers.iter().filter(|named| matches!(named.scorer, Scorer::Judge { .. })).count();
    if judges > JUDGES_MAX {
        return Err(EvaluationRefusal::Judges(judges));
    }
    for (place, scorer) in scorers.iter().enumerate() {
        scorer.prepare()?;
        if scorers[..place].iter().any(|earlier| earlier.name == scorer.name) {
            return Err(EvaluationRefusal::TwiceTheScorer(scorer.name.clone()));
        }
    }
    Ok(())
}

fn check_selection(selection: &InferenceSelection) -> Result<(), EvaluationRefusal> {
    let named = selection.inferences.len();
    let cases = if named > 0 { named } else { selection.last as usize };
    if !(1..=CASES_MAX).contains(&cases) {
        return Err(EvaluationRefusal::Cases);
    }
    if selection.from_ms.zip(selection.until_ms).is_some_and(|(from, until)| from >= until) {
        return Err(EvaluationRefusal::NoTime);
    }
    Ok(())
}

impl Aggregate for Evaluation {
    const FOLD_VERSION: u32 = 3;

    type Event = EvaluationEvent;
    type Command = EvaluationCommand;
    type Refusal = EvaluationRefusal;

    fn apply(&mut self, event: &EvaluationEvent) {
        match event {
            EvaluationEvent::EvaluationRequested(request) => {
                self.request = Some(request.clone());
                self.status = EvaluationStatus::Requested;
            }
            EvaluationEvent::EvaluationCompleted { report, at_ms } => {
                self.report = Some(report.clone());
                self.end(EvaluationStatus::Completed, *at_ms);
            }
            EvaluationEvent::EvaluationFailed { reason, at_ms } => {
                self.failure = Some(reason.clone());
                self.end(EvaluationStatus::Failed, *at_ms);
            }
        }
    }

    fn decide(&self, command: &EvaluationCommand) -> Result<Vec<EvaluationEvent>, EvaluationRefusal> {
        let event = match command {
            EvaluationCommand::Request(_) if self.request.is_some() => return Err(EvaluationRefusal::AlreadyExists),
            EvaluationCommand::Request(request) => {
                check(request)?;
                EvaluationEvent::EvaluationRequested(request.clone())
            }
            _ if self.request.is_none() => return Err(EvaluationRefusal::NotFound),
            // Another worker was quicker: its report stands.
            _ if self.status != EvaluationStatus::Requested => return Ok(Vec::new()),
            EvaluationCommand::Complete { report, at_ms } => {
                EvaluationEvent::EvaluationCompleted { report: report.clone(), at_ms: *at_ms }
            }
            EvaluationCommand::Fail { reason, at_ms } => {
                EvaluationEvent::EvaluationFailed { reason: reason.clone(), at_ms: *at_ms }
            }
        };
        Ok(vec![event])
    }
}

impl Evaluation {
    fn end(&mut self, status: EvaluationStatus, at_ms: i64) {
        self.status = status;
        self.ended_at_ms = Some(at_ms);
    }
}
