//! The folded execution, and its decisions.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Breakpoint, ChainPlace, Continuation, ExecutionCommand, ExecutionEvent, ExecutionRefusal, ForkPoint, NodeFacts,
    PauseReason, Response, ResumeRule, StartFacts,
};
use crate::event::Aggregate;
use crate::ids::ExecutionId;
use crate::item::{Outputs, SharedObject, Source};

/// An execution as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// How it began; `None` before.
    pub start: Option<Arc<StartFacts>>,
    /// How far it is.
    pub status: ExecutionStatus,
    /// Where it stands in its chain; `None` for the first link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continued_from: Option<ChainPlace>,
    /// The next link, when it goes on in another stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continued_as: Option<ExecutionId>,
    /// From where it goes on, when it is a fork; in its first link alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<Box<ForkPoint>>,
    /// Node runs in earlier links: the first of `node_runs` has this place in the order of all.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub earlier_runs: usize,
    /// Node runs of this link by their place in the order of execution.
    pub node_runs: Vec<NodeRunState>,
    /// What went wrong, when it failed.
    pub error: Option<Value>,
    /// The node to blame, when it failed.
    pub failed_node: Option<String>,
    /// For what it waits, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Wait>,
    /// Why it stands still, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<PauseReason>,
    /// Before which nodes it pauses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breakpoints: Vec<Breakpoint>,
    /// What it answered to the request that started it; of an answer in parts the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Box<Response>>,
    /// Facts that nodes noted about it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, String>,
    /// The process that took it over last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// Executions that tried it again after its failure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retried_as: Vec<ExecutionId>,
    /// Why its failure needs no attention any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dismissed: Option<String>,
    /// When it ended by itself, in milliseconds since 1970; of a cancelled one the recording time of that event tells.
    pub ended_at_ms: Option<i64>,
}

/// For what an execution waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    /// Name of the node that waits.
    pub node: String,
    /// Until when at the longest, in milliseconds since 1970; absent for as long as it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
    /// By what it may be called to go on before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<ResumeRule>,
}

/// How far an execution is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionStatus {
    /// There is none yet.
    #[default]
    New,
    /// Nodes run.
    Running,
    /// A node waits for a time, a request or a person.
    Waiting,
    /// It stands still until it is let go.
    Paused,
    /// Every branch ended.
    Completed,
    /// A node failed.
    Failed,
    /// Somebody stopped it.
    Cancelled,
    /// It goes on in another stream.
    Continued,
}

impl ExecutionStatus {
    /// Whether nothing more happens to it, in this stream.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled | Self::Continued)
    }

    /// The word for it, as events and APIs write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Continued => "continued",
        }
    }
}

/// One run of one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeRunState {
    /// Name of the node.
    pub node: String,
    /// 0 for the node's first run.
    pub run_index: usize,
    /// Where each input came from.
    pub sources: Vec<Option<Source>>,
    /// How far it is.
    pub status: NodeRunStatus,
    /// Attempts so far.
    pub attempts: u32,
    /// When it began, in milliseconds since 1970.
    pub started_at_ms: Option<i64>,
    /// How long it took, in microseconds.
    pub duration_us: Option<u64>,
    /// Items by output index, once it gave them.
    pub outputs: Option<Outputs>,
    /// Memory of the node after this run.
    pub memory: Option<SharedObject>,
    /// The newest error.
    pub error: Option<Value>,
    /// Whether pinned items stood in.
    pub pinned: bool,
    /// Whether what it gave was recorded by another execution, and the node did not run.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stubbed: bool,
}

/// How far a node run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeRunStatus {
    /// Due.
    Scheduled,
    /// An attempt is under way.
    Running,
    /// It waits for a time, a request or a person.
    Waiting,
    /// Between two attempts.
    Retrying,
    /// It gave its output.
    Completed,
    /// It failed.
    Failed,
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl NodeRunState {
    /// Pure nodes record no start of an attempt, so the end of one after a retry is one more.
    fn count_last_attempt(&mut self) {
        let unrecorded = u32::from(self.status == NodeRunStatus::Retrying);
        self.attempts = self.attempts.saturating_add(unrecorded).max(1);
    }
}

impl Execution {
    /// Node runs, those of earlier links counted, up to the last one that came to its end.
    pub fn finished_runs(&self) -> usize {
        let has_finished = |run: &&NodeRunState| match run.status {
            NodeRunStatus::Completed => true,
            NodeRunStatus::Failed => run.outputs.is_some(),
            _ => false,
        };
        let last = self.node_runs.iter().rposition(|run| has_finished(&run));
        self.earlier_runs + last.map_or(0, |last| last + 1)
    }

    /// Lets go of the items that `event` says a node gave: for whoever folds on and never asks for them.
    pub fn release_items(&mut self, event: &ExecutionEvent) {
        if let ExecutionEvent::NodeCompleted { run, .. } | ExecutionEvent::NodeFailed { run, outputs: Some(_), .. } =
            event
        {
            self.run_mut(run).outputs = Some(Outputs::new());
        }
    }

    /// The newest run of a node.
    pub fn newest_run(&self, node: &str) -> Option<&NodeRunState> {
        self.node_runs.iter().rev().find(|run| run.node == node)
    }

    /// This link and the one after it as one execution.
    #[must_use]
    pub fn joined(mut self, mut next: Self) -> Self {
        self.node_runs.append(&mut next.node_runs);
        let mut data = std::mem::take(&mut self.data);
        data.append(&mut next.data);
        Self {
            start: self.start,
            continued_from: self.continued_from,
            forked_from: self.forked_from,
            earlier_runs: self.earlier_runs,
            node_runs: self.node_runs,
            response: next.response.or(self.response),
            data,
            ..next
        }
    }

    /// Place of a run among those of this link; `None` for a run of an earlier one.
    pub(super) fn own_index(&self, facts: &NodeFacts) -> Option<usize> {
        facts.execution_index.checked_sub(self.earlier_runs)
    }

    fn run_mut(&mut self, facts: &NodeFacts) -> &mut NodeRunState {
        let index = self.own_index(facts).unwrap_or_default();
        if index >= self.node_runs.len() {
            // The engine numbers runs without gaps (`check_order`), so this adds exactly one.
            self.node_runs.push(NodeRunState {
                node: facts.node.clone(),
                run_index: facts.run_index,
                sources: facts.sources.clone(),
                status: NodeRunStatus::Scheduled,
                attempts: 0,
                started_at_ms: None,
                duration_us: None,
                outputs: None,
                memory: None,
                error: None,
                pinned: false,
                stubbed: false,
            });
        }
        let last = self.node_runs.len() - 1;
        &mut self.node_runs[index.min(last)]
    }

    fn end(&mut self, status: ExecutionStatus, at_ms: Option<i64>) {
        self.status = status;
        self.waiting = None;
        self.paused = None;
        self.ended_at_ms = at_ms;
    }

    /// What the status is while nodes may run, wait or stand still.
    fn open_status(&self) -> ExecutionStatus {
        match (&self.paused, &self.waiting) {
            (Some(_), _) => ExecutionStatus::Paused,
            (None, Some(_)) => ExecutionStatus::Waiting,
            (None, None) => ExecutionStatus::Running,
        }
    }

    /// Sets the status after `change`; what has ended stays so.
    fn change_open(&mut self, change: impl FnOnce(&mut Self)) {
        if !self.status.has_ended() {
            change(self);
            self.status = self.open_status();
        }
    }

    fn go_on(&mut self, continuation: &Continuation) {
        let Continuation { previous, root, link, start, earlier_runs, .. } = continuation;
        self.continued_from = Some(ChainPlace { previous: *previous, root: *root, link: *link });
        self.begin(Arc::new(start.clone()));
        self.earlier_runs = *earlier_runs;
    }

    fn begin(&mut self, start: Arc<StartFacts>) {
        self.breakpoints.clone_from(&start.options.breakpoints);
        self.start = Some(start);
        self.status = ExecutionStatus::Running;
    }
}

impl Aggregate for Execution {
    const FOLD_VERSION: u32 = 5;

    type Event = ExecutionEvent;
    type Command = ExecutionCommand;
    type Refusal = ExecutionRefusal;

    fn apply(&mut self, event: &ExecutionEvent) {
        match event {
            ExecutionEvent::ExecutionStarted(facts) => self.begin(Arc::clone(facts)),
            ExecutionEvent::ExecutionRetried(retry) => {
                self.begin(Arc::new(retry.start.clone()));
                self.earlier_runs = retry.earlier_runs;
            }
            ExecutionEvent::ExecutionForked(fork) => {
                self.begin(Arc::new(fork.start.clone()));
                self.earlier_runs = fork.earlier_runs;
                self.forked_from = Some(Box::new(fork.point()));
            }
            ExecutionEvent::NodeScheduled { run } => {
                self.run_mut(run);
            }
            ExecutionEvent::NodeStubbed { run, .. } => self.run_mut(run).stubbed = true,
            ExecutionEvent::NodeStarted { run, attempt, at_ms, .. } => {
                let state = self.run_mut(run);
                state.status = NodeRunStatus::Running;
                state.attempts = *attempt;
                state.started_at_ms.get_or_insert(*at_ms);
            }
            ExecutionEvent::NodeCompleted { run, started_at_ms, duration_us, outputs, memory, pinned, .. } => {
                let state = self.run_mut(run);
                state.count_last_attempt();
                state.status = NodeRunStatus::Completed;
                state.started_at_ms.get_or_insert(*started_at_ms);
                state.duration_us = Some(*duration_us);
                state.outputs = Some(outputs.clone());
                state.memory.clone_from(memory);
                state.error = None;
                state.pinned = *pinned;
            }
            ExecutionEvent::NodeFailed { run, started_at_ms, duration_us, error, outputs } => {
                let state = self.run_mut(run);
                state.count_last_attempt();
                state.status = NodeRunStatus::Failed;
                state.started_at_ms.get_or_insert(*started_at_ms);
                state.duration_us = Some(*duration_us);
                state.error = Some(error.clone());
                state.outputs.clone_from(outputs);
            }
            ExecutionEvent::NodeRetried { run, attempt, error, .. } => {
                let state = self.run_mut(run);
                state.status = NodeRunStatus::Retrying;
                state.attempts = *attempt;
                state.error = Some(error.clone());
            }
            ExecutionEvent::ExecutionCancelled { .. } => self.end(ExecutionStatus::Cancelled, None),
            ExecutionEvent::ExecutionCompleted { at_ms } => self.end(ExecutionStatus::Completed, Some(*at_ms)),
            ExecutionEvent::ExecutionFailed { node, error, at_ms } => {
                self.failed_node.clone_from(node);
                self.error = Some(error.clone());
                self.end(ExecutionStatus::Failed, Some(*at_ms));
            }
            ExecutionEvent::ExecutionContinuedAsNew { next, at_ms } => {
                self.continued_as = Some(*next);
                self.end(ExecutionStatus::Continued, Some(*at_ms));
            }
            ExecutionEvent::ExecutionContinued(continuation) => self.go_on(continuation),
            held_up => self.apply_held_up(held_up),
        }
    }

    fn decide(&self, command: &ExecutionCommand) -> Result<Vec<ExecutionEvent>, ExecutionRefusal> {
        self.decided(command)
    }
}

impl Execution {
    /// Folds in what is said about how it is run: waits, pauses, answers and notes.
    fn apply_held_up(&mut self, event: &ExecutionEvent) {
        match event {
            ExecutionEvent::ExecutionWaiting { node, until_ms, run, resume } => {
                if let Some(run) = run {
                    self.run_mut(run).status = NodeRunStatus::Waiting;
                }
                let wait = Wait { node: node.clone(), until_ms: *until_ms, resume: resume.clone() };
                self.change_open(|execution| execution.waiting = Some(wait));
            }
            ExecutionEvent::ExecutionResumed { .. } => self.change_open(|execution| execution.waiting = None),
            ExecutionEvent::ExecutionPaused { reason, .. } => {
                self.change_open(|execution| execution.paused = Some(reason.clone()));
            }
            ExecutionEvent::ExecutionUnpaused { .. } => self.change_open(|execution| execution.paused = None),
            ExecutionEvent::ExecutionBreakpointsChanged { breakpoints } => self.breakpoints.clone_from(breakpoints),
            ExecutionEvent::ExecutionTakenOver { worker, .. } => self.worker = Some(worker.clone()),
            ExecutionEvent::ExecutionResponded { response, .. } => self.response = Some(Box::new(response.clone())),
            ExecutionEvent::ExecutionDataSaved { data, .. } => self.data.extend(data.clone()),
            ExecutionEvent::ExecutionRetriedAs { execution } => self.retried_as.push(*execution),
            ExecutionEvent::ExecutionDismissed { reason } => self.dismissed = Some(reason.clone()),
            _ => {}
        }
    }
}
