//! Runs of agents: how far each is, what it took, from which other one it goes on.

use serde::{Deserialize, Serialize};
use timeloom_domain::agent_run::{AgentLineage, AgentRunEvent, AgentRunFacts, AgentRunStatus, Spent};
use timeloom_domain::event::Event;
use timeloom_domain::ids::{AgentRunId, ExecutionId, Slug, TenantId};
use timeloom_store::{Position, RecordedEvent};

use crate::database::{Cells, Index, Named, Query, Rows, StorageError, Table, Value, blob, text};
use crate::error::FoldError;
use crate::page::{AsOf, Page};
use crate::payload::{read_payload, shorten, stream_uuid};
use crate::provenance::Provenance;
use crate::read_model::{Folded, ReadModel};

/// One run of an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentRunRow {
    /// Its id.
    pub id: AgentRunId,
    /// What is known of it.
    pub run: AgentRunSummary,
    /// Which events made it.
    pub provenance: Provenance,
}

/// What is known of a run without its data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentRunSummary {
    /// The agent.
    pub agent: Slug,
    /// Its version.
    pub version: u32,
    /// The route by which its model is asked.
    pub model: String,
    /// How far it is.
    pub status: AgentRunStatus,
    /// The question that is asked, or was last.
    pub turn: u32,
    /// What it took.
    pub spent: Spent,
    /// Calls that were refused.
    pub refused: u32,
    /// The call of a tool that waits for approval, and the tool.
    pub waits_for: Option<(String, String)>,
    /// The session whose earlier runs are remembered.
    pub session: Option<String>,
    /// The execution that asked for it, and its node.
    pub asked_by: Option<(ExecutionId, String)>,
    /// The run from which it goes on.
    pub lineage: Option<AgentLineage>,
    /// When it began, in milliseconds since 1970.
    pub started_at_ms: i64,
    /// When it ended, in milliseconds since 1970.
    pub ended_at_ms: Option<i64>,
    /// Why it came to no answer: a word, and the reason.
    pub failure: Option<(String, String)>,
}

/// Which runs to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct AgentRunFilter {
    /// Only those of this agent.
    pub agent: Option<Slug>,
    /// Only those that are so far, by the word for it.
    pub status: Option<&'static str>,
    /// Only those that this execution asked for.
    pub execution: Option<ExecutionId>,
    /// Only those that go on from this run.
    pub forks_of: Option<AgentRunId>,
    /// Only those of the line that this run began.
    pub origin: Option<AgentRunId>,
}

/// The read model.
pub(crate) struct AgentRuns;

static TABLE: Table = Table {
    name: "agent_runs",
    key: &[blob("id")],
    classed: false,
    columns: &[
        text("run"),
        // For questions.
        text("agent"),
        text("status"),
        blob("execution").optional(),
        blob("forked_from").optional(),
        blob("origin").optional(),
        Provenance::COLUMNS[0],
        Provenance::COLUMNS[1],
        Provenance::COLUMNS[2],
        Provenance::COLUMNS[3],
    ],
    indexes: &[
        Index { name: "agent_runs_created", columns: &["created_position"], closed: false },
        Index { name: "agent_runs_agent", columns: &["agent", "created_position"], closed: false },
        Index { name: "agent_runs_status", columns: &["status", "created_position"], closed: false },
        Index { name: "agent_runs_execution", columns: &["execution", "created_position"], closed: false },
        Index { name: "agent_runs_forked_from", columns: &["forked_from", "created_position"], closed: false },
        Index { name: "agent_runs_origin", columns: &["origin", "created_position"], closed: false },
    ],
    kept: None,
};

impl ReadModel for AgentRuns {
    const NAME: &'static str = "agent_runs";
    const VERSION: u32 = 1;
    const CATEGORY: &'static str = AgentRunEvent::CATEGORY;
    const TABLE: &'static Table = &TABLE;
    type Key = (TenantId, AgentRunId);
    type Row = AgentRunRow;
    type Fact = (AgentRunId, AgentRunEvent);

    fn read(event: &RecordedEvent) -> Result<Option<(Self::Key, Self::Fact)>, FoldError> {
        let id = AgentRunId(stream_uuid(event)?);
        let fact = read_payload::<AgentRunEvent, AgentRunEvent>(event)?;
        Ok(Some(((event.stream.tenant, id), (id, fact))))
    }

    fn fold(current: Option<&AgentRunRow>, (id, fact): Self::Fact, event: &RecordedEvent) -> Folded<AgentRunRow> {
        let Some(current) = current else {
            return match begun(&fact) {
                Some(run) => Folded::Version(AgentRunRow { id, run, provenance: Provenance::created_by(event) }),
                None => Folded::Nothing,
            };
        };
        let mut row = AgentRunRow { provenance: current.provenance.updated_by(event), ..current.clone() };
        went_on(&mut row.run, fact);
        Folded::Version(row)
    }

    fn from(row: &AgentRunRow) -> Position {
        row.provenance.updated_position
    }

    fn key<'a>((tenant, id): &'a Self::Key, values: &mut Vec<Value<'a>>) {
        values.extend([(*tenant).into(), (&id.0).into()]);
    }

    fn values<'a>(row: &'a AgentRunRow, values: &mut Vec<Value<'a>>) -> Result<(), StorageError> {
        let run = &row.run;
        values.extend([
            Value::json(run)?,
            run.agent.as_str().into(),
            run.status.name().into(),
            run.asked_by.as_ref().map(|(execution, _)| &execution.0).into(),
            run.lineage.as_ref().map(|lineage| &lineage.of.0).into(),
            run.lineage.as_ref().map(|lineage| &lineage.origin.0).into(),
        ]);
        values.extend(row.provenance.values());
        Ok(())
    }

    fn load(cells: &mut Cells<'_>) -> Result<AgentRunRow, StorageError> {
        read_row(cells)
    }
}

/// A run as its first event tells it.
fn begun(fact: &AgentRunEvent) -> Option<AgentRunSummary> {
    let summary = |facts: &AgentRunFacts| AgentRunSummary {
        agent: facts.agent.clone(),
        version: facts.version,
        model: facts.plan.model.clone(),
        status: AgentRunStatus::Running,
        turn: 1,
        spent: Spent::default(),
        refused: 0,
        waits_for: None,
        session: facts.session.clone(),
        asked_by: facts.caller.as_ref().map(|caller| (caller.execution, caller.node.clone())),
        lineage: None,
        started_at_ms: facts.at_ms,
        ended_at_ms: None,
        failure: None,
    };
    match fact {
        AgentRunEvent::AgentRunStarted(facts) => Some(summary(facts)),
        AgentRunEvent::AgentRunForked(fork) => {
            let (of, origin, revision, turn) = (fork.of, fork.origin, fork.revision, fork.turn);
            let lineage = Some(AgentLineage { of, origin, revision, turn });
            Some(AgentRunSummary { lineage, turn, ..summary(&fork.facts) })
        }
        _ => None,
    }
}

fn went_on(run: &mut AgentRunSummary, fact: AgentRunEvent) {
    let at_ms = fact.at_ms();
    match fact {
        AgentRunEvent::AgentModelAsked { turn, .. } => run.turn = turn,
        AgentRunEvent::AgentModelAnswered { answer, .. } => {
            run.spent.turns += 1;
            let usage = answer.usage.unwrap_or_default();
            run.spent.input_tokens = run.spent.input_tokens.saturating_add(usage.input_tokens);
            run.spent.output_tokens = run.spent.output_tokens.saturating_add(usage.output_tokens);
            run.spent.cost = run.spent.cost.plus(answer.cost.unwrap_or_default());
        }
        AgentRunEvent::AgentToolCalled { attempt: 1, .. } => run.spent.tool_calls += 1,
        AgentRunEvent::AgentToolRefused { .. } => run.refused += 1,
        AgentRunEvent::AgentApprovalRequested { call, tool, .. } => {
            (run.waits_for, run.status) = (Some((call, tool)), AgentRunStatus::WaitingForApproval);
        }
        AgentRunEvent::AgentApprovalGiven { .. } | AgentRunEvent::AgentApprovalDenied { .. } => {
            run.waits_for = None;
            if run.status == AgentRunStatus::WaitingForApproval {
                run.status = AgentRunStatus::Running;
            }
        }
        AgentRunEvent::AgentRunPaused { .. } => run.status = AgentRunStatus::Paused,
        AgentRunEvent::AgentRunResumed { .. } => {
            let waits = run.waits_for.is_some();
            run.status = if waits { AgentRunStatus::WaitingForApproval } else { AgentRunStatus::Running };
        }
        AgentRunEvent::AgentRunCompleted { .. } => ended(run, AgentRunStatus::Completed, at_ms, None),
        AgentRunEvent::AgentRunCancelled { reason, .. } => {
            ended(run, AgentRunStatus::Cancelled, at_ms, Some(("CANCELLED".to_owned(), shorten(reason))));
        }
        AgentRunEvent::AgentRunFailed { code, message, .. } => {
            ended(run, AgentRunStatus::Failed, at_ms, Some((code, shorten(message))));
        }
        _ => {}
    }
}

fn ended(run: &mut AgentRunSummary, status: AgentRunStatus, at_ms: i64, failure: Option<(String, String)>) {
    (run.status, run.ended_at_ms, run.failure, run.waits_for) = (status, Some(at_ms), failure, None);
}

/// One run as it was at `as_of`.
pub(super) fn one(named: &Named, tenant: TenantId, id: AgentRunId, as_of: AsOf) -> Query {
    named.one(tenant, id.0.into(), as_of)
}

/// Runs as they were at `as_of`, newest first.
pub(super) fn page(named: &Named, tenant: TenantId, as_of: AsOf, page: &Page, filter: &AgentRunFilter) -> Query {
    let AgentRunFilter { agent, status, execution, forks_of, origin } = filter;
    let mut conditions = Vec::new();
    let mut index = "agent_runs_created";
    let mut only = |condition, value, of_index| {
        conditions.push((condition, value));
        index = of_index;
    };
    match (status, as_of) {
        // Those of now have it as their newest version.
        (Some(status), None) => only("newest.status = ?", (*status).to_owned().into(), "agent_runs_status"),
        (Some(status), Some(_)) => only("version.status = ?", (*status).to_owned().into(), "agent_runs_created"),
        (None, _) => {}
    }
    if let Some(agent) = agent {
        only("newest.agent = ?", agent.as_str().to_owned().into(), "agent_runs_agent");
    }
    if let Some(execution) = execution {
        only("newest.execution = ?", execution.0.into(), "agent_runs_execution");
    }
    if let Some(of) = forks_of {
        only("newest.forked_from = ?", of.0.into(), "agent_runs_forked_from");
    }
    if let Some(origin) = origin {
        only("newest.origin = ?", origin.0.into(), "agent_runs_origin");
    }
    named.page(Rows { tenant, as_of, page: *page, index, conditions })
}

/// A row from its cells.
pub(super) fn read_row(cells: &mut Cells<'_>) -> Result<AgentRunRow, StorageError> {
    let id = AgentRunId(cells.take()?);
    let from = cells.take()?;
    let run = cells.take_json()?;
    let (_, _): (String, String) = (cells.take()?, cells.take()?);
    for _ in 0..3 {
        let _: Option<uuid::Uuid> = cells.take()?;
    }
    Ok(AgentRunRow { id, run, provenance: Provenance::take(cells, from)? })
}
