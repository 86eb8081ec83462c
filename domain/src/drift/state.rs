//! The folded watch over a model, and its decisions.

use serde::{Deserialize, Serialize};

use super::{
    DriftBaseline, DriftBounds, DriftFinding, DriftWatchEvent, DriftWatchSettings, FEATURES_MAX, FINDINGS_MAX,
    SAMPLES_MAX, SAMPLES_MIN, WindowJudgement,
};
use crate::event::Aggregate;

/// The largest index that is taken as a bound.
const PSI_MAX: f64 = 100.0;

/// The watch over a model as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DriftWatch {
    /// How it is watched, or was last; `None` before.
    pub settings: Option<Box<DriftWatchSettings>>,
    /// How often a watch was started: the number of the present one, or of the last.
    pub watches: u32,
    /// How many windows the present one judged.
    pub judged: u32,
    /// Position in the log up to which it judged; 0 = nothing yet.
    pub up_to: u64,
    /// What came of the last window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Box<WindowJudgement>>,
    /// What it found, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<DriftFinding>,
    /// When it was stopped, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at_ms: Option<i64>,
}

/// A request to the watch over one model.
#[derive(Debug, Clone, PartialEq)]
pub enum DriftWatchCommand {
    /// Watch it.
    Start(Box<DriftWatchSettings>),
    /// Watch it like this, and no more as it is watched now, where it is.
    Replace(Box<DriftWatchSettings>),
    /// Take down what came of a window. Only a keeper sends this.
    Judge {
        /// What came of it.
        judgement: Box<WindowJudgement>,
        /// The features that drifted.
        findings: Vec<DriftFinding>,
    },
    /// Watch it no more.
    Stop {
        /// Now, in milliseconds since 1970.
        at_ms: i64,
    },
}

/// Why a watch says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DriftWatchRefusal {
    /// It is watched already.
    #[error("the model is watched already: stop the watch first, or replace it")]
    Running,
    /// It was never watched.
    #[error("the model is not watched: start a watch first")]
    NotFound,
    /// A window has too few inferences, or too many.
    #[error("a window has {SAMPLES_MIN} to {SAMPLES_MAX} inferences: ask for that many")]
    Window,
    /// So has a baseline.
    #[error("a baseline has {SAMPLES_MIN} to {SAMPLES_MAX} inferences: ask for that many")]
    Baseline,
    /// The time ends before it begins.
    #[error("the time of a baseline begins before it ends: give an earlier beginning")]
    NoTime,
    /// They are none.
    #[error(
        "bounds are above 0: the moderate one at most the one of drift, that one at most {PSI_MAX}, and that of chance at most 1"
    )]
    Bounds,
}

impl DriftBounds {
    /// Whether they can be bounds.
    ///
    /// # Errors
    /// [`DriftWatchRefusal::Bounds`].
    pub fn check(&self) -> Result<(), DriftWatchRefusal> {
        let Self { moderate, drifted, p } = *self;
        let is_good = moderate > 0.0 && moderate <= drifted && drifted <= PSI_MAX && p > 0.0 && p <= 1.0;
        if is_good { Ok(()) } else { Err(DriftWatchRefusal::Bounds) }
    }
}

impl DriftBaseline {
    /// Whether it can be a baseline.
    ///
    /// # Errors
    /// [`DriftWatchRefusal::Baseline`] or [`DriftWatchRefusal::NoTime`].
    pub fn check(&self) -> Result<(), DriftWatchRefusal> {
        match self {
            Self::Newest { count } if !(SAMPLES_MIN..=SAMPLES_MAX).contains(&(*count as usize)) => {
                Err(DriftWatchRefusal::Baseline)
            }
            Self::Answered { from_ms, until_ms } if from_ms >= until_ms => Err(DriftWatchRefusal::NoTime),
            _ => Ok(()),
        }
    }
}

impl DriftWatchSettings {
    /// Whether a model can be watched like this.
    ///
    /// # Errors
    /// [`DriftWatchRefusal`].
    pub fn check(&self) -> Result<(), DriftWatchRefusal> {
        if !(SAMPLES_MIN..=SAMPLES_MAX).contains(&(self.window as usize)) {
            return Err(DriftWatchRefusal::Window);
        }
        self.baseline.check()?;
        self.bounds.check()
    }
}

impl DriftWatch {
    /// How the model is watched; `None` where it is not.
    pub fn running(&self) -> Option<&DriftWatchSettings> {
        self.settings.as_deref().filter(|_| self.stopped_at_ms.is_none())
    }

    /// Whether a judgement is of the window that comes next.
    fn awaits(&self, judgement: &WindowJudgement) -> bool {
        judgement.watch == self.watches && judgement.window.number == self.judged + 1
    }
}

impl Aggregate for DriftWatch {
    const FOLD_VERSION: u32 = 1;

    type Event = DriftWatchEvent;
    type Command = DriftWatchCommand;
    type Refusal = DriftWatchRefusal;

    fn apply(&mut self, event: &DriftWatchEvent) {
        match event {
            DriftWatchEvent::DriftWatchStarted(settings) => {
                let watches = self.watches.saturating_add(1);
                *self = Self { settings: Some(settings.clone()), watches, ..Self::default() };
            }
            DriftWatchEvent::DriftDetected(finding) => {
                let too_many = (self.findings.len() + 1).saturating_sub(FINDINGS_MAX);
                self.findings.drain(..too_many);
                self.findings.push((**finding).clone());
            }
            DriftWatchEvent::DriftWindowJudged(judgement) => {
                self.judged = judgement.window.number;
                self.up_to = judgement.window.up_to;
                self.last = Some(judgement.clone());
            }
            DriftWatchEvent::DriftWatchStopped { at_ms } => self.stopped_at_ms = Some(*at_ms),
        }
    }

    fn decide(&self, command: &DriftWatchCommand) -> Result<Vec<DriftWatchEvent>, DriftWatchRefusal> {
        match command {
            DriftWatchCommand::Start(_) if self.running().is_some() => Err(DriftWatchRefusal::Running),
            DriftWatchCommand::Start(settings) => {
                settings.check()?;
                Ok(vec![DriftWatchEvent::DriftWatchStarted(settings.clone())])
            }
            DriftWatchCommand::Replace(settings) => {
                settings.check()?;
                // Whoever sends it again finds it done.
                if self.running().is_some_and(|running| *running == **settings) {
                    return Ok(Vec::new());
                }
                let stopped = self.running().map(|_| DriftWatchEvent::DriftWatchStopped { at_ms: settings.at_ms });
                let started = DriftWatchEvent::DriftWatchStarted(settings.clone());
                Ok(stopped.into_iter().chain([started]).collect())
            }
            _ if self.settings.is_none() => Err(DriftWatchRefusal::NotFound),
            // Another one was quicker, or it was stopped meanwhile.
            _ if self.running().is_none() => Ok(Vec::new()),
            DriftWatchCommand::Stop { at_ms } => Ok(vec![DriftWatchEvent::DriftWatchStopped { at_ms: *at_ms }]),
            DriftWatchCommand::Judge { judgement, .. } if !self.awaits(judgement) => Ok(Vec::new()),
            DriftWatchCommand::Judge { judgement, findings } => {
                let found = findings.iter().take(FEATURES_MAX).cloned();
                let mut events: Vec<DriftWatchEvent> =
                    found.map(|finding| DriftWatchEvent::DriftDetected(Box::new(finding))).collect();
                events.push(DriftWatchEvent::DriftWindowJudged(judgement.clone()));
                Ok(events)
            }
        }
    }
}
