//! A search for the change that made a run bad, as it is written down: what is searched through, what came of each try, and what
//! was found.
//!
//! Whoever searches tries by themselves, and tells. Invariant: what was told stands, and a search that has ended takes no more
//! steps.

use serde::{Deserialize, Serialize};

use super::ReplayCheckEvent;
use crate::ids::{ExecutionId, WorkflowId};
use crate::model::MILLION;

/// Most changes that one search goes through.
pub const BISECTION_CANDIDATES_MAX: u32 = 10_000;
/// Most tries of one search that are written down.
pub const BISECTION_STEPS_MAX: usize = 100;
/// Longest expression that says what is bad, in characters.
pub const BISECTION_CHECK_CHARACTERS_MAX: usize = 10_000;
/// Longest reason for which a point cannot be tried, or a search was given up, in characters.
pub const BISECTION_REASON_CHARACTERS_MAX: usize = 500;

/// What is searched for, and through what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BisectionRequest {
    /// The workflow that both executions ran.
    pub workflow_id: WorkflowId,
    /// The execution that did what it should.
    pub good: ExecutionId,
    /// The later one that did not.
    pub bad: ExecutionId,
    /// Which changes are searched through.
    pub over: BisectionOver,
    /// What is bad, as an expression that is true of it; absent: that the same comes of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// How far numbers may be apart and still be the same answer, in millionths of the larger one or of 1; absent where no
    /// answers of models are compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<u64>,
    /// How many changes there are.
    pub candidates: u32,
    /// SHA-256 over the positions of the changes in the log, in their order, each in decimal digits with a line feed after it;
    /// hexadecimal.
    pub digest: String,
    /// When it was begun, in milliseconds since 1970.
    pub at_ms: i64,
}

/// Which changes are searched through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BisectionOver {
    /// Those of the workflow's definition, and of plugins that it uses.
    Definitions,
    /// Those of which versions of models answer.
    ModelVersions,
}

/// What came of one try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BisectionStep {
    /// After how many of the changes; 0 is before all of them.
    pub point: u32,
    /// How it is there.
    pub verdict: BisectionVerdict,
    /// Why that cannot be told, where it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// How it is at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BisectionVerdict {
    /// As it should be.
    Good,
    /// As it should not be.
    Bad,
    /// That cannot be told.
    Untestable,
}

/// What a search came to. Changes are told by their positions in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BisectionOutcome {
    /// This change did it.
    Change {
        /// The change.
        position: u64,
    },
    /// One of these changes did it: what lies between them cannot be tried.
    OneOf {
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
    },
    /// It was bad before all changes already.
    NoneOfThem,
    /// One of these changes did it, and it was tried often enough.
    GaveUp {
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
    },
    /// Nobody goes on with it.
    Abandoned {
        /// Why, in the words of who ended it.
        reason: String,
    },
}

/// A search as its events tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bisection {
    /// What is searched for.
    pub request: Box<BisectionRequest>,
    /// What came of each try, in their order.
    pub steps: Vec<BisectionStep>,
    /// What it came to; `None` while it is not over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<BisectionOutcome>,
    /// When it ended, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at_ms: Option<i64>,
}

/// A request to one search.
#[derive(Debug, Clone, PartialEq)]
pub enum BisectionCommand {
    /// Begin it.
    Begin(Box<BisectionRequest>),
    /// Take down what came of a try.
    TakeStep(BisectionStep),
    /// Take down what it came to.
    End {
        /// What it came to.
        outcome: BisectionOutcome,
        /// Now, in milliseconds since 1970.
        at_ms: i64,
    },
}

/// Why a search says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BisectionRefusal {
    /// There is one already, or a replay check.
    #[error("a bisection or replay check with this id exists already: use a new id")]
    AlreadyExists,
    /// There is none.
    #[error("there is no bisection with this id: begin it first")]
    NotFound,
    /// It has ended.
    #[error("the bisection has ended: begin a new one")]
    Ended,
    /// Both are one.
    #[error("the good execution and the bad one are the same: name two")]
    SameExecution,
    /// Too many changes.
    #[error(
        "a bisection is about at most {BISECTION_CANDIDATES_MAX} changes, not {0}: name executions that are nearer to each other"
    )]
    Candidates(u32),
    /// The digest is not one.
    #[error("the digest of the changes is not a SHA-256 digest: 64 hexadecimal digits are needed")]
    Digest,
    /// The expression is too long.
    #[error("an expression has at most {BISECTION_CHECK_CHARACTERS_MAX} characters: shorten what is bad")]
    Check,
    /// More than all.
    #[error("a tolerance is from 0 to 1: it is relative to the larger number or 1")]
    Tolerance,
    /// There is no such point.
    #[error("there are {candidates} changes: a point is from 0 to {candidates}, not {point}")]
    Point {
        /// The point.
        point: u32,
        /// How many changes there are.
        candidates: u32,
    },
    /// It was told otherwise.
    #[error("another verdict on point {0} was told before, which stands: begin a new bisection")]
    OtherVerdict(u32),
    /// It was tried too often.
    #[error("at most {BISECTION_STEPS_MAX} tries of a bisection are written down: end it")]
    Steps,
    /// A text is too long.
    #[error("a reason has at most {BISECTION_REASON_CHARACTERS_MAX} characters: shorten it")]
    Reason,
}

impl Bisection {
    /// A search that was begun.
    pub(super) fn begun(request: Box<BisectionRequest>) -> Self {
        Self { request, steps: Vec::new(), outcome: None, ended_at_ms: None }
    }

    /// The word for how far it is, as events and APIs write it.
    pub fn status(&self) -> &'static str {
        match &self.outcome {
            None => "searching",
            Some(BisectionOutcome::Abandoned { .. }) => "abandoned",
            Some(_) => "ended",
        }
    }

    fn take_step(&self, step: &BisectionStep) -> Result<Vec<ReplayCheckEvent>, BisectionRefusal> {
        let candidates = self.request.candidates;
        if step.point > candidates {
            return Err(BisectionRefusal::Point { point: step.point, candidates });
        }
        if is_long(step.reason.as_deref(), BISECTION_REASON_CHARACTERS_MAX) {
            return Err(BisectionRefusal::Reason);
        }
        match self.steps.iter().find(|known| known.point == step.point) {
            Some(known) if known.verdict == step.verdict => Ok(Vec::new()),
            Some(_) => Err(BisectionRefusal::OtherVerdict(step.point)),
            None if self.outcome.is_some() => Err(BisectionRefusal::Ended),
            None if self.steps.len() >= BISECTION_STEPS_MAX => Err(BisectionRefusal::Steps),
            None => Ok(vec![ReplayCheckEvent::BisectionStepTaken(step.clone())]),
        }
    }

    fn end(&self, outcome: &BisectionOutcome, at_ms: i64) -> Result<Vec<ReplayCheckEvent>, BisectionRefusal> {
        if let BisectionOutcome::Abandoned { reason } = outcome
            && is_long(Some(reason), BISECTION_REASON_CHARACTERS_MAX)
        {
            return Err(BisectionRefusal::Reason);
        }
        match &self.outcome {
            Some(known) if known == outcome => Ok(Vec::new()),
            Some(_) => Err(BisectionRefusal::Ended),
            None => Ok(vec![ReplayCheckEvent::BisectionEnded { outcome: outcome.clone(), at_ms }]),
        }
    }
}

/// What follows from a command; `is_taken` where the id is another thing's.
pub(super) fn decide(
    known: Option<&Bisection>,
    is_taken: bool,
    command: &BisectionCommand,
) -> Result<Vec<ReplayCheckEvent>, BisectionRefusal> {
    match (command, known) {
        (BisectionCommand::Begin(_), Some(_)) => Err(BisectionRefusal::AlreadyExists),
        (BisectionCommand::Begin(_), None) if is_taken => Err(BisectionRefusal::AlreadyExists),
        (BisectionCommand::Begin(request), None) => {
            check(request)?;
            let digest = request.digest.to_ascii_lowercase();
            let request = BisectionRequest { digest, ..BisectionRequest::clone(request) };
            Ok(vec![ReplayCheckEvent::BisectionBegun(Box::new(request))])
        }
        (_, None) => Err(BisectionRefusal::NotFound),
        (BisectionCommand::TakeStep(step), Some(bisection)) => bisection.take_step(step),
        (BisectionCommand::End { outcome, at_ms }, Some(bisection)) => bisection.end(outcome, *at_ms),
    }
}

fn check(request: &BisectionRequest) -> Result<(), BisectionRefusal> {
    let is_digest = request.digest.len() == 64 && request.digest.bytes().all(|digit| digit.is_ascii_hexdigit());
    match () {
        () if request.good == request.bad => Err(BisectionRefusal::SameExecution),
        () if request.candidates > BISECTION_CANDIDATES_MAX => Err(BisectionRefusal::Candidates(request.candidates)),
        () if !is_digest => Err(BisectionRefusal::Digest),
        () if is_long(request.check.as_deref(), BISECTION_CHECK_CHARACTERS_MAX) => Err(BisectionRefusal::Check),
        () if request.tolerance.is_some_and(|tolerance| tolerance > MILLION) => Err(BisectionRefusal::Tolerance),
        () => Ok(()),
    }
}

fn is_long(text: Option<&str>, characters_max: usize) -> bool {
    text.is_some_and(|text| text.chars().nth(characters_max).is_some())
}
