//! Executions: what ran and why, how it stands, how it ended. What flowed through the nodes is read from the log.
//!
//! Invariant: a row gets a new version only when its status changes, when facts are saved about it, and when something is
//! noted after its end. An ended status never changes, and no execution has two newest versions: lists rely on both.

mod arms;
mod facts;
mod fingerprint;
mod groups;
mod queries;
mod table;

use std::collections::BTreeMap;

use timeloom_domain::event::Event;
use timeloom_domain::execution::{ExecutionEvent, ExecutionMode, ExecutionStatus, PauseReason, TriggerKind};
use timeloom_domain::ids::{ExecutionId, TenantId, WorkflowId};
use timeloom_store::{Position, RecordedEvent, Revision};

use crate::page::{Cursor, Page};
use crate::payload::shorten;
use crate::read_model::Folded;
use facts::{End, ExecutionFact, Origin, Start};

pub use arms::{ARM_EXECUTIONS_MAX, ArmFilter};
pub(crate) use arms::{count as count_arm, read as read_count};
pub use groups::{FAILURES_MAX, FailureFilter, FailureGroup};
pub(crate) use groups::{page as failure_groups, read as read_group};
pub(crate) use queries::{one, page};
pub(crate) use table::read_row;

/// Most saved facts that a row keeps; all of them are in the log.
pub const SAVED_FACTS_MAX: usize = 100;

/// One execution.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecutionRow {
    /// Its id.
    pub id: ExecutionId,
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// Revision of the workflow's stream that it runs.
    pub workflow_revision: u64,
    /// The published version that it runs; `None` = the draft of that revision.
    pub workflow_version: Option<u32>,
    /// Why it was started.
    pub mode: ExecutionMode,
    /// What started it; `None` = a person.
    pub trigger: Option<TriggerKind>,
    /// The execution because of which it runs: of which it is a part, whose failure it is about, or that it tries again.
    pub caused_by: Option<ExecutionId>,
    /// The execution from which it goes on, when it is a fork.
    pub forked_from: Option<ExecutionId>,
    /// Position of the event from which it goes on.
    pub forked_position: Option<Position>,
    /// Why, in the person's words.
    pub fork_reason: Option<String>,
    /// Of those that wait for a place, the one with the highest priority is next.
    pub priority: i32,
    /// How far it is.
    pub status: ExecutionStatus,
    /// Name of the node with which it began.
    pub start_node: String,
    /// When it began, in milliseconds since 1970.
    pub started_at_ms: i64,
    /// When it ended, in milliseconds since 1970.
    pub ended_at_ms: Option<i64>,
    /// Name of the node that waits.
    pub waiting_node: Option<String>,
    /// Until when it waits at the longest, in milliseconds since 1970.
    pub waiting_until_ms: Option<i64>,
    /// Why it stands still.
    pub paused: Option<PauseReason>,
    /// What went wrong, when it failed; the whole error is in the log.
    pub error: Option<String>,
    /// The node to blame, when it failed.
    pub error_node: Option<String>,
    /// What its error has in common with others, when it failed.
    pub error_fingerprint: Option<String>,
    /// Why it was cancelled, in the person's words.
    pub cancel_reason: Option<String>,
    /// The newest execution that tries it again.
    pub retried_as: Option<ExecutionId>,
    /// Why its failure needs no attention any more, in the person's words.
    pub dismissed: Option<String>,
    /// Facts that nodes saved about it: the first [`SAVED_FACTS_MAX`] names in order.
    pub saved_data: BTreeMap<String, String>,
    /// Node runs that gave their output; known once it ended.
    pub nodes_completed: Option<u64>,
    /// Node runs that failed for good; known once it ended.
    pub nodes_failed: Option<u64>,
    /// The execution from which it goes on, when it is a later link of a chain.
    pub continued_from: Option<ExecutionId>,
    /// The execution as which it goes on.
    pub continued_as: Option<ExecutionId>,
    /// Position of its first event.
    pub created_position: Position,
    /// Position of the event that ended it.
    pub ended_position: Option<Position>,
    /// Position of the event that changed last what is told here.
    pub updated_position: Position,
    /// Revision of that event in its stream.
    pub revision: Revision,
}

impl ExecutionRow {
    /// Whether it is a failure of a production run that nobody has looked after: neither retried nor dismissed. Of a fork
    /// somebody looks at it anyway, whichever of its links fails.
    pub fn is_unresolved(&self) -> bool {
        self.status == ExecutionStatus::Failed
            && self.mode == ExecutionMode::Production
            && self.retried_as.is_none()
            && self.dismissed.is_none()
            && self.trigger != Some(TriggerKind::Fork)
    }
}

/// Which executions to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ExecutionFilter {
    /// Of this workflow only.
    pub workflow_id: Option<WorkflowId>,
    /// With this status only.
    pub status: Option<ExecutionStatus>,
    /// Started by this only.
    pub trigger: Option<TriggerKind>,
    /// Only failures whose errors have this in common.
    pub error_fingerprint: Option<String>,
    /// Only failures of production runs that were neither retried nor dismissed, or only all others.
    pub unresolved: Option<bool>,
    /// Only those about which this was saved.
    pub saved: Option<SavedFact>,
    /// Only forks of this one.
    pub forked_from: Option<ExecutionId>,
    /// Only those whose first event is at this position or after it.
    pub from: Option<Position>,
    /// Only those whose first event is at this position or before it.
    pub until: Option<Position>,
}

impl ExecutionFilter {
    /// The part of a page, newest first, that lies between the positions of the filter.
    fn within(&self, page: &Page) -> Page {
        let newest = self.until.map(|until| Cursor(Position(until.0.saturating_add(1))));
        let oldest = self.from.map(|from| Cursor(Position(from.0.saturating_sub(1))));
        let after = [page.after, newest].into_iter().flatten().min();
        let before = [page.before, oldest.filter(|oldest| oldest.0.0 > 0)].into_iter().flatten().max();
        Page { after, before, ..*page }
    }
}

/// A fact that a node saved about an execution.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SavedFact {
    /// Its name.
    pub name: String,
    /// What it says.
    pub value: String,
}

/// The read model.
pub(crate) struct Executions;

/// A row, and what is counted while it runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ExecutionRecord {
    row: ExecutionRow,
    completed: u64,
    failed: u64,
}

type Key = (TenantId, ExecutionId);

fn fold(current: Option<&ExecutionRecord>, fact: ExecutionFact, event: &RecordedEvent) -> Folded<ExecutionRecord> {
    if let ExecutionFact::Started { id, start, from, origin } = fact {
        return if current.is_none() {
            Folded::Version(started(id, *start, from, origin, event))
        } else {
            Folded::Nothing
        };
    }
    let Some(current) = current else { return Folded::Nothing };
    let is_note = matches!(fact, ExecutionFact::RetriedAs(_) | ExecutionFact::Dismissed(_));
    // After its end nothing changes an execution but what is noted about it then.
    if is_note != current.row.status.has_ended() {
        return Folded::Nothing;
    }
    let mut record = current.clone();
    match fact {
        ExecutionFact::NodeCompleted => record.completed += 1,
        ExecutionFact::NodeFailed => record.failed += 1,
        told => {
            record.take(told, event);
            return Folded::Version(record);
        }
    }
    Folded::Kept(record)
}

impl ExecutionRecord {
    /// Folds in what a reader sees.
    fn take(&mut self, fact: ExecutionFact, event: &RecordedEvent) {
        let row = &mut self.row;
        row.updated_position = event.position;
        row.revision = event.revision;
        match fact {
            ExecutionFact::Started { .. } | ExecutionFact::NodeCompleted | ExecutionFact::NodeFailed => {}
            ExecutionFact::Waiting { node, until_ms } => {
                row.waiting_node = Some(node);
                row.waiting_until_ms = until_ms;
            }
            ExecutionFact::Resumed => {
                row.waiting_node = None;
                row.waiting_until_ms = None;
            }
            ExecutionFact::Paused(reason) => row.paused = Some(reason),
            ExecutionFact::Unpaused => row.paused = None,
            ExecutionFact::DataSaved(data) => row.save(data),
            ExecutionFact::Ended(end) => return self.end(end, event),
            ExecutionFact::RetriedAs(execution) => row.retried_as = Some(execution),
            ExecutionFact::Dismissed(reason) => row.dismissed = Some(reason),
        }
        if !row.status.has_ended() {
            row.status = row.open_status();
        }
    }

    fn end(&mut self, end: End, event: &RecordedEvent) {
        let row = &mut self.row;
        let (status, at_ms) = match end {
            End::Cancelled { reason } => {
                row.cancel_reason = Some(reason);
                (ExecutionStatus::Cancelled, event.recorded_at.timestamp_millis())
            }
            End::Completed { at_ms } => (ExecutionStatus::Completed, at_ms),
            End::Failed { node, error, fingerprint, at_ms } => {
                row.error = Some(error);
                row.error_fingerprint = Some(fingerprint);
                row.error_node = node;
                (ExecutionStatus::Failed, at_ms)
            }
            End::ContinuedAsNew { next, at_ms } => {
                row.continued_as = Some(next);
                (ExecutionStatus::Continued, at_ms)
            }
        };
        row.status = status;
        row.ended_at_ms = Some(at_ms);
        row.ended_position = Some(event.position);
        (row.waiting_node, row.waiting_until_ms, row.paused) = (None, None, None);
        row.nodes_completed = Some(self.completed);
        row.nodes_failed = Some(self.failed);
    }
}

impl ExecutionRow {
    /// What the status is while it has not ended.
    fn open_status(&self) -> ExecutionStatus {
        match (&self.paused, &self.waiting_node) {
            (Some(_), _) => ExecutionStatus::Paused,
            (None, Some(_)) => ExecutionStatus::Waiting,
            (None, None) => ExecutionStatus::Running,
        }
    }

    fn save(&mut self, data: BTreeMap<String, String>) {
        let shortened = data.into_iter().map(|(name, value)| (shorten(name), shorten(value)));
        self.saved_data.extend(shortened);
        while self.saved_data.len() > SAVED_FACTS_MAX {
            self.saved_data.pop_last();
        }
    }
}

fn started(
    id: ExecutionId,
    start: Start,
    from: Option<ExecutionId>,
    origin: Origin,
    event: &RecordedEvent,
) -> ExecutionRecord {
    let (is_fork, fork) = match origin {
        Origin::Own => (false, None),
        Origin::Fork(fork) => (true, Some(fork)),
        Origin::LinkOfFork => (true, None),
    };
    let trigger = if is_fork { Some(TriggerKind::Fork) } else { start.trigger.as_ref().map(|trigger| trigger.kind()) };
    let because = start.trigger.as_ref().and_then(|trigger| trigger.execution());
    let row = ExecutionRow {
        id,
        workflow_id: start.workflow_id,
        workflow_revision: start.workflow_revision,
        workflow_version: start.workflow_version,
        mode: start.mode,
        trigger,
        caused_by: fork.as_ref().map(|fork| fork.origin).or(because),
        forked_from: fork.as_ref().map(|fork| fork.origin),
        forked_position: fork.as_ref().map(|fork| fork.position),
        fork_reason: fork.map(|fork| shorten(fork.reason)),
        priority: start.options.priority,
        status: ExecutionStatus::Running,
        start_node: start.start_node,
        started_at_ms: start.at_ms,
        ended_at_ms: None,
        waiting_node: None,
        waiting_until_ms: None,
        paused: None,
        error: None,
        error_node: None,
        error_fingerprint: None,
        cancel_reason: None,
        retried_as: None,
        dismissed: None,
        saved_data: BTreeMap::new(),
        nodes_completed: None,
        nodes_failed: None,
        continued_from: from,
        continued_as: None,
        created_position: event.position,
        ended_position: None,
        updated_position: event.position,
        revision: event.revision,
    };
    ExecutionRecord { row, completed: 0, failed: 0 }
}

const CATEGORY: &str = ExecutionEvent::CATEGORY;
