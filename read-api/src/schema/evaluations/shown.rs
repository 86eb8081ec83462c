//! What is told of an evaluation.

use async_graphql::{Enum, Object, SimpleObject};
use chrono::{DateTime, Utc};
use timeloom_domain::evaluation::{
    BacktestVerdict as Verdict, EvaluationCases, EvaluationReport, EvaluationStatus as Status, EvaluationSubject,
    InferenceSelection,
};
use timeloom_domain::model::MILLION;
use timeloom_projections::EvaluationRow;
use uuid::Uuid;

use super::scored::{EvaluationScorer, ScoredReport};
use crate::schema::history::History;

/// How far an evaluation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum EvaluationStatus {
    /// A worker is to do it, or does.
    Requested,
    /// It has a report.
    Completed,
    /// It could not be carried out.
    Failed,
}

impl From<Status> for EvaluationStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::New | Status::Requested => Self::Requested,
            Status::Completed => Self::Completed,
            Status::Failed => Self::Failed,
        }
    }
}

impl From<EvaluationStatus> for Status {
    fn from(status: EvaluationStatus) -> Self {
        match status {
            EvaluationStatus::Requested => Self::Requested,
            EvaluationStatus::Completed => Self::Completed,
            EvaluationStatus::Failed => Self::Failed,
        }
    }
}

/// What came of one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Verdict")]
pub(crate) enum BacktestVerdict {
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

/// What is tried on known cases, and what came of it. Nothing of it is served.
#[derive(Debug, Clone)]
pub(crate) struct Evaluation {
    pub(super) row: EvaluationRow,
}

#[Object]
impl Evaluation {
    /// Its id.
    async fn id(&self) -> Uuid {
        self.row.id
    }

    /// The model of which a version is tried.
    async fn model_name(&self) -> Option<&str> {
        match self.subject()? {
            EvaluationSubject::ModelVersion { model, .. } => Some(model.as_str()),
            EvaluationSubject::WorkflowVersion { .. } | EvaluationSubject::AgentVersion { .. } => None,
        }
    }

    /// The workflow of which a version is tried.
    async fn workflow_id(&self) -> Option<Uuid> {
        match self.subject()? {
            EvaluationSubject::WorkflowVersion { workflow, .. } => Some(workflow.0),
            EvaluationSubject::ModelVersion { .. } | EvaluationSubject::AgentVersion { .. } => None,
        }
    }

    /// The agent of which a version is tried.
    async fn agent_name(&self) -> Option<&str> {
        match self.subject()? {
            EvaluationSubject::AgentVersion { agent, .. } => Some(agent.as_str()),
            EvaluationSubject::ModelVersion { .. } | EvaluationSubject::WorkflowVersion { .. } => None,
        }
    }

    /// The version that is tried.
    async fn version(&self) -> Option<u32> {
        Some(self.subject()?.version())
    }

    /// The recorded inferences that it is tried on.
    async fn cases(&self) -> Option<EvaluatedInferences> {
        match &self.row.evaluation.request.as_ref()?.cases {
            EvaluationCases::Inferences(selection) => Some(selection.into()),
            EvaluationCases::Set { .. } => None,
        }
    }

    /// The set on whose cases it is tried.
    async fn set_name(&self) -> Option<&str> {
        Some(self.set()?.0)
    }

    /// The version of that set.
    async fn set_version(&self) -> Option<u32> {
        Some(self.set()?.1)
    }

    /// How outputs are judged; none where recorded inferences are compared.
    async fn scorers(&self) -> Vec<EvaluationScorer> {
        let scorers = self.row.evaluation.request.as_ref().map(|request| &request.scorers);
        scorers.into_iter().flatten().map(Into::into).collect()
    }

    /// How far numbers may be apart and still be near, relative to the larger one or 1.
    async fn tolerance(&self) -> Option<f64> {
        Some(self.row.evaluation.request.as_ref()?.tolerance as f64 / MILLION as f64)
    }

    /// How far it is.
    async fn status(&self) -> EvaluationStatus {
        self.row.evaluation.status.into()
    }

    /// What came of it in one line, such as "470 same, 20 near, 6 different" or "equal 0.920, label 0.875"; absent before.
    async fn summary(&self) -> Option<String> {
        let report = match self.row.evaluation.report.as_deref()? {
            EvaluationReport::Backtest(report) => report,
            EvaluationReport::Scored(report) => return Some(scores_in_a_line(report)),
        };
        let told = |count: u32, word: &str| if count > 0 { format!(", {count} {word}") } else { String::new() };
        let (failed, skipped) = (told(report.failed, "failed"), told(report.skipped, "skipped"));
        Some(format!("{} same, {} near, {} different{failed}{skipped}", report.same, report.near, report.different))
    }

    /// What came of comparing recorded inferences; absent before.
    async fn backtest(&self) -> Option<BacktestReport> {
        match self.row.evaluation.report.as_deref()? {
            EvaluationReport::Backtest(report) => Some(report.into()),
            EvaluationReport::Scored(_) => None,
        }
    }

    /// What came of the cases of a set; absent before.
    async fn scored(&self) -> Option<ScoredReport> {
        match self.row.evaluation.report.as_deref()? {
            EvaluationReport::Scored(report) => Some(ScoredReport { report: report.clone() }),
            EvaluationReport::Backtest(_) => None,
        }
    }

    /// Why it could not be carried out.
    async fn failure(&self) -> Option<&str> {
        self.row.evaluation.failure.as_deref()
    }

    /// When it was asked for.
    async fn requested_at(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.row.evaluation.request.as_ref()?.at_ms)
    }

    /// When it ended.
    async fn ended_at(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.row.evaluation.ended_at_ms?)
    }

    /// Which events made it what it is.
    async fn history(&self) -> History {
        self.row.provenance.into()
    }
}

impl Evaluation {
    fn subject(&self) -> Option<&EvaluationSubject> {
        Some(&self.row.evaluation.request.as_ref()?.subject)
    }

    fn set(&self) -> Option<(&str, u32)> {
        match &self.row.evaluation.request.as_ref()?.cases {
            EvaluationCases::Set { set, version } => Some((set.as_str(), *version)),
            EvaluationCases::Inferences(_) => None,
        }
    }
}

fn scores_in_a_line(report: &timeloom_domain::evaluation::ScoredReport) -> String {
    let means = report.scorers.iter().map(|scorer| match scorer.mean {
        Some(mean) => format!("{} {mean:.3}", scorer.name),
        None => format!("{} -", scorer.name),
    });
    let mut line = means.collect::<Vec<_>>().join(", ");
    if report.failed > 0 {
        line.push_str(&format!("; {} of {} failed", report.failed, report.cases));
    }
    line
}

/// Which recorded inferences something is tried on.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct EvaluatedInferences {
    /// Those that were named; none = the newest.
    inference_ids: Vec<Uuid>,
    /// Only those that this version answered.
    of_version: Option<u32>,
    /// Only those that came in at or after this.
    from: Option<DateTime<Utc>>,
    /// Only those that came in before this.
    until: Option<DateTime<Utc>>,
    /// Only those for which this workflow asked.
    workflow_id: Option<Uuid>,
    /// Only those for which this agent asked.
    agent: Option<String>,
    /// Most of them.
    last: u32,
}

impl From<&InferenceSelection> for EvaluatedInferences {
    fn from(selection: &InferenceSelection) -> Self {
        Self {
            inference_ids: selection.inferences.iter().map(|id| id.0).collect(),
            of_version: selection.version,
            from: selection.from_ms.and_then(DateTime::from_timestamp_millis),
            until: selection.until_ms.and_then(DateTime::from_timestamp_millis),
            workflow_id: selection.workflow.map(|id| id.0),
            agent: selection.agent.as_ref().map(ToString::to_string),
            last: selection.last,
        }
    }
}

/// What came of computing recorded inferences by another version.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct BacktestReport {
    /// Inferences that were found.
    cases: u32,
    /// The same answer to the last bit.
    same: u32,
    /// Numbers within the tolerance.
    near: u32,
    /// Other answers.
    different: u32,
    /// Of the other answers, those whose class is another one.
    class_changed: u32,
    /// The version had no answer.
    failed: u32,
    /// They cannot be computed again: their inputs or outputs were not kept, or were erased.
    skipped: u32,
    /// How far numbers are apart at most, relative to the larger one or 1; absent where nothing was compared like this.
    worst: Option<f64>,
    /// How long the recorded answers took to compute.
    recorded: ComputeLatencies,
    /// How long those of the version took.
    candidate: ComputeLatencies,
    /// The worst hundred cases that are not the same, the worst first.
    told: Vec<BacktestCase>,
}

/// Times of computing, without waiting; absent where nothing was computed.
#[derive(Debug, Clone, Copy, SimpleObject)]
pub(crate) struct ComputeLatencies {
    /// Half of them took no longer, in microseconds.
    p50_us: Option<u64>,
    /// 95 of 100 took no longer, in microseconds.
    p95_us: Option<u64>,
}

/// One case that is not the same.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct BacktestCase {
    /// The recorded inference.
    inference_id: Uuid,
    /// What came of it.
    verdict: BacktestVerdict,
    /// How far numbers are apart at most; absent where they cannot be told apart like this.
    apart: Option<f64>,
    /// Whether its class is another one.
    class_changed: bool,
    /// Why there is nothing to compare.
    reason: Option<String>,
}

impl From<timeloom_domain::evaluation::Latencies> for ComputeLatencies {
    fn from(times: timeloom_domain::evaluation::Latencies) -> Self {
        Self { p50_us: times.p50_us, p95_us: times.p95_us }
    }
}

impl From<&timeloom_domain::evaluation::BacktestReport> for BacktestReport {
    fn from(report: &timeloom_domain::evaluation::BacktestReport) -> Self {
        let told = report.told.iter().map(|case| BacktestCase {
            inference_id: case.inference.0,
            verdict: case.verdict.into(),
            apart: case.apart,
            class_changed: case.class_changed,
            reason: case.reason.clone(),
        });
        Self {
            cases: report.cases,
            same: report.same,
            near: report.near,
            different: report.different,
            class_changed: report.class_changed,
            failed: report.failed,
            skipped: report.skipped,
            worst: report.worst,
            recorded: report.recorded.into(),
            candidate: report.candidate.into(),
            told: told.collect(),
        }
    }
}
