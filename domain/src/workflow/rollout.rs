//! Roll-outs: a published version that a part of the production executions runs beside the active one, until it is promoted
//! or rolled back.
//!
//! Invariant: which version an execution runs follows from its split key alone, so that whatever is begun twice is the same
//! twice; and an execution on the side of the new version stays there when the percentage grows.

use serde::{Deserialize, Serialize};

use super::{Workflow, WorkflowCommand, WorkflowEvent, WorkflowRefusal};
use crate::chance;
use crate::ids::ExecutionId;

/// Greatest error rate that a guard lets pass, in percent.
pub const ERROR_PERCENT_MAX: u8 = 99;
/// Most executions for which a guard waits before it judges.
pub const EXECUTIONS_MIN_MAX: u32 = 5_000;
/// Shortest window of a guard, in milliseconds.
pub const WINDOW_MS_MIN: u64 = 60_000;
/// Longest window of a guard, in milliseconds: 30 days.
pub const WINDOW_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1_000;

/// A version that is tried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// 1 for the workflow's first.
    pub number: u32,
    /// The version.
    pub version: u32,
    /// How many of a hundred production executions run it.
    pub percent: u8,
    /// When it is rolled back without anybody asking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<RolloutGuard>,
}

/// When a version that is tried out is given up without anybody asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutGuard {
    /// When more than so many of a hundred of its finished executions failed.
    pub error_percent_max: u8,
    /// Not before so many have finished.
    pub executions_min: u32,
    /// Only what ended within so many milliseconds counts; absent: everything since the roll-out began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<u64>,
    /// Only if those of the active version fail less often: what fails everywhere is not the new version's fault.
    #[serde(default, skip_serializing_if = "is_false")]
    pub only_if_worse: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// How executions of one version ended. What was cancelled counts as neither.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmFigures {
    /// Those that came to their end.
    pub completed: u64,
    /// Those that failed.
    pub failed: u64,
}

/// How the two versions of a roll-out do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutFigures {
    /// The one that is tried out.
    pub candidate: ArmFigures,
    /// The active one.
    pub active: ArmFigures,
}

/// Who rolled a version back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum RollBack {
    /// Somebody, as the event's actor says.
    Person {},
    /// The roll-out's guard.
    Guard {
        /// What it went by.
        figures: RolloutFigures,
    },
}

impl ArmFigures {
    /// All that finished.
    pub fn finished(&self) -> u64 {
        self.completed.saturating_add(self.failed)
    }

    /// Whether more than `percent` of a hundred failed.
    fn fails_above(&self, percent: u8) -> bool {
        u128::from(self.failed) * 100 > u128::from(self.finished()) * u128::from(percent)
    }

    /// Whether a greater part failed than of `other`. Of nothing, nothing failed.
    fn fails_more_than(&self, other: &Self) -> bool {
        let (own, others) = (u128::from(self.finished()), u128::from(other.finished().max(1)));
        u128::from(self.failed) * others > u128::from(other.failed) * own
    }
}

impl RolloutGuard {
    /// Whether the version that is tried out is to be given up by these figures.
    pub fn gives_up(&self, figures: &RolloutFigures) -> bool {
        let candidate = &figures.candidate;
        candidate.finished() >= u64::from(self.executions_min)
            && candidate.fails_above(self.error_percent_max)
            && (!self.only_if_worse || candidate.fails_more_than(&figures.active))
    }

    fn is_valid(&self) -> bool {
        self.error_percent_max <= ERROR_PERCENT_MAX
            && (1..=EXECUTIONS_MIN_MAX).contains(&self.executions_min)
            && self.window_ms.is_none_or(|window| (WINDOW_MS_MIN..=WINDOW_MS_MAX).contains(&window))
    }
}

impl Rollout {
    /// Whether the execution with this split key runs the version that is tried out.
    pub fn includes(&self, key: ExecutionId) -> bool {
        let (high, low) = key.0.as_u64_pair();
        chance::place_of_hundred(chance::mixed(high) ^ low, &self.number.to_be_bytes()) < self.percent
    }
}

impl Workflow {
    /// The version that a production execution runs: the one that is tried out for its part of them, else the active one,
    /// else the newest; `None` when nothing was published.
    ///
    /// The split key is the execution's id, which follows from what starts it: an idempotency key, a message, a due time, a
    /// call of another execution. What is tried again for such a cause gives the id of the first try.
    pub fn production_version(&self, key: ExecutionId) -> Option<u32> {
        let newest = || self.versions.last().map(|published| published.version);
        match &self.rollout {
            Some(rollout) if rollout.includes(key) => Some(rollout.version),
            _ => self.active_version.or_else(newest),
        }
    }

    /// The same for what is to run anew in the place of an execution that ran `before`: it stays on its side of a roll-out.
    pub fn production_version_again(&self, before: Option<u32>, key: ExecutionId) -> Option<u32> {
        let sides = self.rollout.as_ref().map(|rollout| [Some(rollout.version), self.active_version]);
        match sides {
            Some(sides) if before.is_some() && sides.contains(&before) => before,
            _ => self.production_version(key),
        }
    }

    pub(super) fn apply_to_rollout(&mut self, event: &WorkflowEvent) {
        match event {
            WorkflowEvent::WorkflowRolloutStarted { rollout, version, percent, guard } => {
                self.rollout = Some(Rollout { number: *rollout, version: *version, percent: *percent, guard: *guard });
                self.rollouts = *rollout;
            }
            WorkflowEvent::WorkflowRolloutChanged { percent, .. } => {
                if let Some(rollout) = &mut self.rollout {
                    rollout.percent = *percent;
                }
            }
            _ => self.rollout = None,
        }
    }

    pub(super) fn decide_on_rollout(&self, command: &WorkflowCommand) -> Result<Vec<WorkflowEvent>, WorkflowRefusal> {
        self.existing()?;
        let under_way = self.rollout.as_ref().ok_or(WorkflowRefusal::NoRollout);
        let event = match command {
            WorkflowCommand::StartRollout { version, percent, guard } => {
                return self.decide_on_start(*version, *percent, *guard);
            }
            WorkflowCommand::ChangeRollout { percent } => {
                let Rollout { number: rollout, percent: before, .. } = *under_way?;
                check_percent(*percent)?;
                if before == *percent {
                    return Ok(Vec::new());
                }
                WorkflowEvent::WorkflowRolloutChanged { rollout, percent: *percent }
            }
            WorkflowCommand::PromoteRollout => {
                let Rollout { number: rollout, version, .. } = *under_way?;
                let promoted = WorkflowEvent::WorkflowRolloutPromoted { rollout, version };
                return Ok(vec![promoted, WorkflowEvent::WorkflowActivated { version }]);
            }
            WorkflowCommand::RollBackRollout { rollout: wanted, cause } => {
                let meant = |rollout: &&Rollout| wanted.is_none_or(|wanted| wanted == rollout.number);
                match (self.rollout.as_ref().filter(meant), wanted) {
                    (Some(Rollout { number, version, .. }), _) => {
                        WorkflowEvent::WorkflowRolloutRolledBack { rollout: *number, version: *version, cause: *cause }
                    }
                    // That one is over.
                    (None, Some(_)) => return Ok(Vec::new()),
                    (None, None) => return Err(WorkflowRefusal::NoRollout),
                }
            }
            _ => return Ok(Vec::new()),
        };
        Ok(vec![event])
    }

    fn decide_on_start(
        &self,
        version: Option<u32>,
        percent: u8,
        guard: Option<RolloutGuard>,
    ) -> Result<Vec<WorkflowEvent>, WorkflowRefusal> {
        let newest = self.versions.last().ok_or(WorkflowRefusal::NotPublished)?.version;
        let version = version.unwrap_or(newest);
        check_percent(percent)?;
        if guard.is_some_and(|guard| !guard.is_valid()) {
            return Err(WorkflowRefusal::InvalidGuard);
        }
        if self.definition(Some(version)).is_none() {
            return Err(WorkflowRefusal::UnknownVersion(version));
        }
        match &self.rollout {
            Some(same) if (same.version, same.percent, same.guard) == (version, percent, guard) => {
                return Ok(Vec::new());
            }
            Some(other) => return Err(WorkflowRefusal::RolloutUnderWay(other.version)),
            None => {}
        }
        match self.active_version {
            None => Err(WorkflowRefusal::NotActive),
            Some(active) if active == version => Err(WorkflowRefusal::AlreadyActive(version)),
            Some(_) => {
                let rollout = self.rollouts.saturating_add(1);
                Ok(vec![WorkflowEvent::WorkflowRolloutStarted { rollout, version, percent, guard }])
            }
        }
    }
}

fn check_percent(percent: u8) -> Result<(), WorkflowRefusal> {
    if (1..=99).contains(&percent) { Ok(()) } else { Err(WorkflowRefusal::InvalidPercent(percent)) }
}
