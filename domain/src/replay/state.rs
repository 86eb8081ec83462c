//! The folded replay check, and its decisions.

use serde::{Deserialize, Serialize};

use super::bisection::{self, Bisection, BisectionCommand, BisectionRefusal};
use super::{REPLAYS_MAX, ReplayCheckEvent, ReplayReport, ReplayRequest};
use crate::event::Aggregate;
use crate::test_case::CASES_MAX;

/// A replay check as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReplayCheck {
    /// What it is about; `None` before.
    pub request: Option<Box<ReplayRequest>>,
    /// How far it is.
    pub status: ReplayCheckStatus,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ReplayReport>,
    /// Why it could not be carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// When it ended, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at_ms: Option<i64>,
    /// The search that it is in place of a check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bisection: Option<Bisection>,
}

/// How far a replay check is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayCheckStatus {
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

impl ReplayCheckStatus {
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

/// A request to one replay check.
#[derive(Debug, Clone, PartialEq)]
pub enum ReplayCheckCommand {
    /// Ask for it.
    Request(Box<ReplayRequest>),
    /// Take down what came of it. Only a worker sends this.
    Complete {
        /// What came of it.
        report: ReplayReport,
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
    /// Take down what becomes of a search.
    Bisection(BisectionCommand),
}

/// Why a replay check says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayCheckRefusal {
    /// There is one already.
    #[error("a replay check with this id exists already: use a new id")]
    AlreadyExists,
    /// There is none.
    #[error("there is no replay check with this id")]
    NotFound,
    /// It is about nothing.
    #[error("there is nothing to run again: name an execution that has ended, or add a test case")]
    Nothing,
    /// It is about too many.
    #[error("a replay check is about at most {REPLAYS_MAX} executions: ask for fewer")]
    TooMany,
    /// It is about too many test cases.
    #[error("a replay check is about at most {CASES_MAX} test cases: remove some of the workflow's")]
    TooManyCases,
    /// A search says no.
    #[error(transparent)]
    Bisection(#[from] BisectionRefusal),
}

impl Aggregate for ReplayCheck {
    const FOLD_VERSION: u32 = 3;

    type Event = ReplayCheckEvent;
    type Command = ReplayCheckCommand;
    type Refusal = ReplayCheckRefusal;

    fn apply(&mut self, event: &ReplayCheckEvent) {
        match event {
            ReplayCheckEvent::ReplayCheckRequested(request) => {
                self.request = Some(request.clone());
                self.status = ReplayCheckStatus::Requested;
            }
            ReplayCheckEvent::ReplayCheckCompleted { report, at_ms } => {
                self.report = Some(report.clone());
                self.end(ReplayCheckStatus::Completed, *at_ms);
            }
            ReplayCheckEvent::ReplayCheckFailed { reason, at_ms } => {
                self.failure = Some(reason.clone());
                self.end(ReplayCheckStatus::Failed, *at_ms);
            }
            ReplayCheckEvent::BisectionBegun(request) => self.bisection = Some(Bisection::begun(request.clone())),
            ReplayCheckEvent::BisectionStepTaken(step) => {
                if let Some(bisection) = &mut self.bisection {
                    bisection.steps.push(step.clone());
                }
            }
            ReplayCheckEvent::BisectionEnded { outcome, at_ms } => {
                if let Some(bisection) = &mut self.bisection {
                    bisection.outcome = Some(outcome.clone());
                    bisection.ended_at_ms = Some(*at_ms);
                }
            }
        }
    }

    fn decide(&self, command: &ReplayCheckCommand) -> Result<Vec<ReplayCheckEvent>, ReplayCheckRefusal> {
        let event = match command {
            ReplayCheckCommand::Bisection(command) => {
                return Ok(bisection::decide(self.bisection.as_ref(), self.request.is_some(), command)?);
            }
            ReplayCheckCommand::Request(_) if self.request.is_some() || self.bisection.is_some() => {
                return Err(ReplayCheckRefusal::AlreadyExists);
            }
            ReplayCheckCommand::Request(request) if request.executions.is_empty() && request.cases.is_empty() => {
                return Err(ReplayCheckRefusal::Nothing);
            }
            ReplayCheckCommand::Request(request) if request.executions.len() > REPLAYS_MAX => {
                return Err(ReplayCheckRefusal::TooMany);
            }
            ReplayCheckCommand::Request(request) if request.cases.len() > CASES_MAX => {
                return Err(ReplayCheckRefusal::TooManyCases);
            }
            ReplayCheckCommand::Request(request) => ReplayCheckEvent::ReplayCheckRequested(request.clone()),
            _ if self.request.is_none() => return Err(ReplayCheckRefusal::NotFound),
            // Another worker was quicker: its report stands.
            _ if self.status != ReplayCheckStatus::Requested => return Ok(Vec::new()),
            ReplayCheckCommand::Complete { report, at_ms } => {
                ReplayCheckEvent::ReplayCheckCompleted { report: report.clone(), at_ms: *at_ms }
            }
            ReplayCheckCommand::Fail { reason, at_ms } => {
                ReplayCheckEvent::ReplayCheckFailed { reason: reason.clone(), at_ms: *at_ms }
            }
        };
        Ok(vec![event])
    }
}

impl ReplayCheck {
    fn end(&mut self, status: ReplayCheckStatus, at_ms: i64) {
        self.status = status;
        self.ended_at_ms = Some(at_ms);
    }
}
