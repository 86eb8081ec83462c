//! Why a command was not carried out: a refusal (the sender's), a conflict (try again), or a fault (ours).

use std::time::Duration;

use timeloom_domain::agent::AgentRefusal;
use timeloom_domain::agent_memory::AgentMemoryRefusal;
use timeloom_domain::agent_run::AgentRunRefusal;
use timeloom_domain::definition::{DefinitionError, Gap, Problem, TriggerError};
use timeloom_domain::drift::DriftWatchRefusal;
use timeloom_domain::evaluation::EvaluationRefusal;
use timeloom_domain::evaluation_set::EvaluationSetRefusal;
use timeloom_domain::execution::ExecutionRefusal;
use timeloom_domain::ids::InvalidSlug;
use timeloom_domain::model::ModelRefusal;
use timeloom_domain::plugin::PluginRefusal;
use timeloom_domain::recall::RecallRefusal;
use timeloom_domain::replay::{BisectionRefusal, ReplayCheckRefusal};
use timeloom_domain::vectors::VectorRefusal;
use timeloom_domain::workflow::WorkflowRefusal;
use timeloom_store::{AppendError, LogError, Revision};

/// The word for a workflow that is there already.
pub(crate) const WORKFLOW_EXISTS: &str = "WORKFLOW_EXISTS";
/// The word for a workflow that is not there.
pub(crate) const WORKFLOW_NOT_FOUND: &str = "WORKFLOW_NOT_FOUND";

/// The word for a version of a workflow that takes no calls and schedules.
pub const WORKFLOW_NOT_ACTIVE: &str = "WORKFLOW_NOT_ACTIVE";

/// Most problems of a draft that a message repeats; all of them are beside it.
const TOLD_PROBLEMS_MAX: usize = 5;

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The sender must change something.
    #[error("{0}")]
    Refused(Refusal),
    /// Somebody else changed it at the same moment: try again.
    #[error("{message}")]
    Conflict {
        /// What changed.
        message: String,
    },
    /// It is not at the revision that the sender expects: read it again, and decide again.
    #[error("it is at revision {actual}, not {expected}: read it again, and decide again")]
    Unexpected {
        /// What the sender expects.
        expected: Revision,
        /// What it is at.
        actual: Revision,
    },
    /// Too much to do: try again after a while.
    #[error("the server is busy, try again in {} ms", retry_after.as_millis())]
    Busy {
        /// How long to wait.
        retry_after: Duration,
    },
    /// Ours.
    #[error(transparent)]
    Fault(LogError),
}

/// A refused command, in words for the person who sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A word for programs, for example `WORKFLOW_NOT_FOUND`.
    pub code: &'static str,
    /// What is wrong and what to do.
    pub message: String,
    /// What is wrong with a workflow file, piece by piece.
    pub problems: Vec<Problem>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl Refusal {
    /// A refusal without a list of problems.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), problems: Vec::new() }
    }

    /// A refusal of settings, with what is wrong with each.
    pub fn of_settings(error: DefinitionError) -> Self {
        Self { code: "INVALID_SETTINGS", ..Self::from(error) }
    }
}

impl From<Refusal> for CommandError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What follows from events that this build does not know cannot be decided here; another build can.
impl From<LogError> for CommandError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Unknown { .. } => Self::Refused(Refusal::new("UNKNOWN_EVENT", error.to_string())),
            other => Self::Fault(other),
        }
    }
}

impl From<AppendError> for CommandError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::WrongRevision { .. } => Self::Conflict { message: format!("{error}: try again") },
            AppendError::DuplicateId => Self::Refused(Refusal::new("DUPLICATE_COMMAND_ID", error.to_string())),
            AppendError::TooLarge { .. } => Self::Refused(Refusal::new("TOO_LARGE", error.to_string())),
            AppendError::Unavailable { retry_after } => Self::Busy { retry_after },
            AppendError::Subject(error) => error.into(),
            AppendError::Log(error) => error.into(),
        }
    }
}

impl From<DefinitionError> for Refusal {
    fn from(error: DefinitionError) -> Self {
        let message = error.to_string();
        match error {
            DefinitionError::Unreadable(_) => Self::new("WORKFLOW_UNREADABLE", message),
            DefinitionError::Invalid(problems) => Self { code: "WORKFLOW_INVALID", message, problems },
        }
    }
}

impl Refusal {
    /// The workflow needs nodes that this build does not have.
    pub(crate) fn incomplete(gaps: &[Gap]) -> Self {
        let problems: Vec<Problem> = gaps.iter().map(Gap::problem).collect();
        let message = format!("the workflow needs {} node(s) that this build cannot run", problems.len());
        Self { code: "WORKFLOW_INCOMPLETE", message, problems }
    }

    /// The draft lacks something that the command needs.
    pub(crate) fn draft_incomplete(problems: Vec<Problem>) -> Self {
        let told: Vec<String> = problems.iter().take(TOLD_PROBLEMS_MAX).map(ToString::to_string).collect();
        let more = problems.len().saturating_sub(told.len());
        let more = if more == 0 { String::new() } else { format!("; and {more} more") };
        let message = format!("the draft has {} problem(s): {}{more}", problems.len(), told.join("; "));
        Self { code: "WORKFLOW_INCOMPLETE", message, problems }
    }

    /// Nodes were named for which the table of services has no HTTP Request.
    pub(crate) fn not_replaceable(problems: Vec<Problem>) -> Self {
        let message = format!("{} of the named nodes cannot be replaced by an HTTP Request", problems.len());
        Self { code: "NODE_NOT_REPLACEABLE", message, problems }
    }
}

impl From<TriggerError> for Refusal {
    fn from(error: TriggerError) -> Self {
        Self::new("NO_TRIGGER", error.to_string())
    }
}

impl From<InvalidSlug> for Refusal {
    fn from(error: InvalidSlug) -> Self {
        Self::new("INVALID_NAME", error.to_string())
    }
}

impl From<WorkflowRefusal> for Refusal {
    fn from(refusal: WorkflowRefusal) -> Self {
        let code = match refusal {
            WorkflowRefusal::AlreadyExists => WORKFLOW_EXISTS,
            WorkflowRefusal::NotFound => WORKFLOW_NOT_FOUND,
            WorkflowRefusal::Archived => "WORKFLOW_ARCHIVED",
            WorkflowRefusal::NotPublished => "WORKFLOW_NOT_PUBLISHED",
            WorkflowRefusal::UnknownVersion(_) => "WORKFLOW_VERSION_NOT_FOUND",
            WorkflowRefusal::ChangedNode(_) => "NODE_CHANGED",
            WorkflowRefusal::UnknownNode(_) => "NODE_NOT_FOUND",
            WorkflowRefusal::NotActive => WORKFLOW_NOT_ACTIVE,
            WorkflowRefusal::AlreadyActive(_) => "WORKFLOW_VERSION_ACTIVE",
            WorkflowRefusal::RolloutUnderWay(_) => "ROLLOUT_UNDER_WAY",
            WorkflowRefusal::NoRollout => "ROLLOUT_NOT_FOUND",
            WorkflowRefusal::InvalidPercent(_) => "INVALID_PERCENT",
            WorkflowRefusal::InvalidGuard => "INVALID_GUARD",
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<ExecutionRefusal> for Refusal {
    fn from(refusal: ExecutionRefusal) -> Self {
        let code = match refusal {
            ExecutionRefusal::AlreadyExists => "EXECUTION_EXISTS",
            ExecutionRefusal::NotFound => "EXECUTION_NOT_FOUND",
            ExecutionRefusal::Ended(_) => "EXECUTION_ENDED",
            ExecutionRefusal::Continued(_) => "EXECUTION_CONTINUED",
            ExecutionRefusal::NotWaiting => "EXECUTION_NOT_WAITING",
            ExecutionRefusal::NotFailed(_) => "EXECUTION_NOT_FAILED",
            ExecutionRefusal::EmptyBreakpoint => "EMPTY_BREAKPOINT",
            ExecutionRefusal::OutOfOrder { .. } => "EXECUTION_OUT_OF_ORDER",
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<EvaluationRefusal> for Refusal {
    fn from(refusal: EvaluationRefusal) -> Self {
        let code = match refusal {
            EvaluationRefusal::AlreadyExists => "EVALUATION_EXISTS",
            EvaluationRefusal::NotFound => "EVALUATION_NOT_FOUND",
            EvaluationRefusal::Cases => "CASES_OUT_OF_RANGE",
            EvaluationRefusal::NoTime => "INVALID_TIME_RANGE",
            EvaluationRefusal::Tolerance => "INVALID_TOLERANCE",
            EvaluationRefusal::NotAModel => "NOT_A_MODEL",
            EvaluationRefusal::NothingToJudge => "NOTHING_TO_JUDGE",
            EvaluationRefusal::Scorers(_) | EvaluationRefusal::Judges(_) => "SCORERS_OUT_OF_RANGE",
            EvaluationRefusal::TwiceTheScorer(_) | EvaluationRefusal::Scorer(_) => "INVALID_SCORER",
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<EvaluationSetRefusal> for Refusal {
    fn from(refusal: EvaluationSetRefusal) -> Self {
        let code = match refusal {
            EvaluationSetRefusal::AlreadyExists(_) => "EVALUATION_SET_EXISTS",
            EvaluationSetRefusal::NotFound => "EVALUATION_SET_NOT_FOUND",
            EvaluationSetRefusal::UnknownVersion { .. } => "EVALUATION_SET_VERSION_NOT_FOUND",
            EvaluationSetRefusal::Description => "DESCRIPTION_TOO_LONG",
            EvaluationSetRefusal::Cases(_) => "CASES_OUT_OF_RANGE",
            EvaluationSetRefusal::CaseId(_) | EvaluationSetRefusal::TwiceTheCase(_) => "INVALID_CASE",
            EvaluationSetRefusal::CaseTooLarge(_) | EvaluationSetRefusal::TooLarge => "CASES_TOO_LARGE",
            EvaluationSetRefusal::TooManyVersions => "TOO_MANY",
            EvaluationSetRefusal::NotNewest { .. } => "EVALUATION_SET_CHANGED",
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<DriftWatchRefusal> for Refusal {
    fn from(refusal: DriftWatchRefusal) -> Self {
        let code = match refusal {
            DriftWatchRefusal::Running => "DRIFT_WATCH_RUNNING",
            DriftWatchRefusal::NotFound => "DRIFT_WATCH_NOT_FOUND",
            DriftWatchRefusal::Window => "WINDOW_OUT_OF_RANGE",
            DriftWatchRefusal::Baseline => "BASELINE_OUT_OF_RANGE",
            DriftWatchRefusal::NoTime => "INVALID_TIME_RANGE",
            DriftWatchRefusal::Bounds => "INVALID_BOUNDS",
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<ReplayCheckRefusal> for Refusal {
    fn from(refusal: ReplayCheckRefusal) -> Self {
        let code = match refusal {
            ReplayCheckRefusal::AlreadyExists => "REPLAY_CHECK_EXISTS",
            ReplayCheckRefusal::NotFound => "REPLAY_CHECK_NOT_FOUND",
            ReplayCheckRefusal::Nothing => "NOTHING_TO_REPLAY",
            ReplayCheckRefusal::TooMany => "TOO_MANY_EXECUTIONS",
            ReplayCheckRefusal::TooManyCases => "TOO_MANY_TEST_CASES",
            ReplayCheckRefusal::Bisection(ref refusal) => bisection_code(refusal),
        };
        Self::new(code, refusal.to_string())
    }
}

fn bisection_code(refusal: &BisectionRefusal) -> &'static str {
    match refusal {
        BisectionRefusal::AlreadyExists => "BISECTION_EXISTS",
        BisectionRefusal::NotFound => "BISECTION_NOT_FOUND",
        BisectionRefusal::Ended => "BISECTION_ENDED",
        BisectionRefusal::SameExecution => "SAME_EXECUTION",
        BisectionRefusal::Candidates(_) => "TOO_MANY_CHANGES",
        BisectionRefusal::Digest => "INVALID_DIGEST",
        BisectionRefusal::Check => "CHECK_TOO_LONG",
        BisectionRefusal::Tolerance => "INVALID_TOLERANCE",
        BisectionRefusal::Point { .. } => "POINT_OUT_OF_RANGE",
        BisectionRefusal::OtherVerdict(_) => "OTHER_VERDICT",
        BisectionRefusal::Steps => "TOO_MANY_STEPS",
        BisectionRefusal::Reason => "REASON_TOO_LONG",
    }
}

impl From<VectorRefusal> for Refusal {
    fn from(refusal: VectorRefusal) -> Self {
        let code = match refusal {
            VectorRefusal::OtherLength { .. } => "OTHER_VECTOR_LENGTH",
            VectorRefusal::NoVector(_) => "NO_VECTOR",
            VectorRefusal::TooManyRows(_) | VectorRefusal::TooLarge => "COLLECTION_FULL",
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<RecallRefusal> for Refusal {
    fn from(refusal: RecallRefusal) -> Self {
        match refusal {}
    }
}

impl From<PluginRefusal> for Refusal {
    fn from(refusal: PluginRefusal) -> Self {
        let code = match refusal {
            PluginRefusal::AlreadyRegistered => "PLUGIN_EXISTS",
            PluginRefusal::NotFound => "PLUGIN_NOT_FOUND",
            PluginRefusal::Retired => "PLUGIN_RETIRED",
            PluginRefusal::VersionTaken(_) => "PLUGIN_VERSION_TAKEN",
            PluginRefusal::UnknownVersion(_) => "PLUGIN_VERSION_NOT_FOUND",
            PluginRefusal::InvalidDigest(_) => "INVALID_DIGEST",
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<AgentRefusal> for Refusal {
    fn from(refusal: AgentRefusal) -> Self {
        let code = match refusal {
            AgentRefusal::AlreadyRegistered => "AGENT_EXISTS",
            AgentRefusal::NotFound | AgentRefusal::NoAgent(_) => "AGENT_NOT_FOUND",
            AgentRefusal::Retired => "AGENT_RETIRED",
            AgentRefusal::NothingPublished => "AGENT_NOT_PUBLISHED",
            AgentRefusal::UnknownVersion(_) => "AGENT_VERSION_NOT_FOUND",
            AgentRefusal::TooManyVersions => "TOO_MANY_VERSIONS",
            AgentRefusal::InvalidText => "REASON_MISSING",
            AgentRefusal::Invalid(_) => "INVALID_AGENT",
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<AgentRunRefusal> for Refusal {
    fn from(refusal: AgentRunRefusal) -> Self {
        let code = match refusal {
            AgentRunRefusal::AlreadyExists => "AGENT_RUN_EXISTS",
            AgentRunRefusal::NotFound => "AGENT_RUN_NOT_FOUND",
            AgentRunRefusal::Over(_) => "AGENT_RUN_OVER",
            AgentRunRefusal::NothingToApprove(_) => "NOTHING_TO_APPROVE",
            AgentRunRefusal::ApprovalExpired => "APPROVAL_EXPIRED",
            AgentRunRefusal::NotPaused => "AGENT_RUN_NOT_PAUSED",
            AgentRunRefusal::InvalidReason => "REASON_MISSING",
            AgentRunRefusal::OutOfTurn => "AGENT_RUN_OUT_OF_TURN",
            AgentRunRefusal::Fork(_) => "INVALID_FORK",
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<AgentMemoryRefusal> for Refusal {
    fn from(refusal: AgentMemoryRefusal) -> Self {
        match refusal {}
    }
}

impl From<ModelRefusal> for Refusal {
    fn from(refusal: ModelRefusal) -> Self {
        let code = match refusal {
            ModelRefusal::AlreadyRegistered => "MODEL_EXISTS",
            ModelRefusal::NotFound | ModelRefusal::NoModel(_) => "MODEL_NOT_FOUND",
            ModelRefusal::Retired => "MODEL_RETIRED",
            ModelRefusal::UnknownVersion(_) => "MODEL_VERSION_NOT_FOUND",
            ModelRefusal::InvalidDigest(_) => "INVALID_DIGEST",
            ModelRefusal::Disabled => "MODEL_DISABLED",
            ModelRefusal::Withdrawn(_) => "MODEL_VERSION_WITHDRAWN",
            ModelRefusal::InUse(_) => "MODEL_VERSION_IN_USE",
            ModelRefusal::NothingPromoted => "MODEL_NOT_PROMOTED",
            ModelRefusal::NothingBefore => "MODEL_NO_EARLIER_VERSION",
            ModelRefusal::UnknownAlias(_) => "MODEL_ALIAS_NOT_FOUND",
            ModelRefusal::AliasIsNumber(_) => "INVALID_ALIAS",
            ModelRefusal::TooManyAliases => "TOO_MANY_ALIASES",
            ModelRefusal::TooManyVersions => "TOO_MANY_VERSIONS",
            ModelRefusal::InvalidReason => "REASON_MISSING",
            ModelRefusal::InvalidSettings(_) => "INVALID_MODEL_SETTINGS",
            ModelRefusal::InvalidPercent(_) => "INVALID_PERCENT",
            ModelRefusal::RolloutUnderWay(_) => "MODEL_ROLLOUT_UNDER_WAY",
            ModelRefusal::NoRollout => "MODEL_NO_ROLLOUT",
            ModelRefusal::AlreadyPromoted(_) => "MODEL_ALREADY_PROMOTED",
            ModelRefusal::AliasNamesIt(..) => "MODEL_ALIAS_NAMES_VERSION",
            ModelRefusal::InvalidGuard(_) => "INVALID_ROLLOUT_GUARD",
        };
        Self::new(code, refusal.to_string())
    }
}
