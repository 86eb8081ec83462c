//! What happens to an execution.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Breakpoint, Continuation, ForkFacts, PauseReason, Response, ResumeCause, ResumeRule, RetryFacts, RunOptions,
    TriggerFacts, frequent,
};
use crate::chance::mixed;
use crate::event::Event;
use crate::ids::{ExecutionId, WorkflowId};
use crate::item::{Item, Outputs, SharedObject, Source};
use crate::personal::ERASED;

/// A fact about one execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ExecutionEvent {
    /// It began. Everything that it computes follows from this event and the workflow's events.
    ExecutionStarted(Arc<StartFacts>),
    /// A node that touches the outside world is due; its input is complete.
    NodeScheduled {
        /// The node run.
        run: NodeFacts,
    },
    /// An attempt at such a node begins: from here on its effect may have happened.
    NodeStarted {
        /// The node run.
        run: NodeFacts,
        /// 1 for the first attempt; more after a failure or a crash.
        attempt: u32,
        /// The same in every attempt.
        idempotency_key: String,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// A node gave its output.
    NodeCompleted {
        /// The node run.
        run: NodeFacts,
        /// When it began, in milliseconds since 1970.
        started_at_ms: i64,
        /// How long it took, in microseconds.
        duration_us: u64,
        /// Items by output index.
        outputs: Outputs,
        /// Memory of the node after this run, where it keeps any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        memory: Option<SharedObject>,
        /// Notices for the author.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        hints: Vec<String>,
        /// Whether pinned items stood in for the node.
        #[serde(default, skip_serializing_if = "is_false")]
        pinned: bool,
    },
    /// A node failed for good.
    NodeFailed {
        /// The node run.
        run: NodeFacts,
        /// When it began, in milliseconds since 1970.
        started_at_ms: i64,
        /// How long it took, in microseconds.
        duration_us: u64,
        /// What went wrong: `name`, `message`, `description`, …
        error: Value,
        /// What goes on to the next nodes; absent when the workflow stops here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outputs: Option<Outputs>,
    },
    /// An attempt failed and another will be made.
    NodeRetried {
        /// The node run.
        run: NodeFacts,
        /// The attempt that failed.
        attempt: u32,
        /// What went wrong.
        error: Value,
        /// When the next attempt is due, in milliseconds since 1970.
        retry_at_ms: i64,
    },
    /// A node that touches the outside world is not run: what it gives next is what another execution recorded.
    NodeStubbed {
        /// The node run.
        run: NodeFacts,
        /// The execution that recorded it.
        of: ExecutionId,
        /// Revision of the event in that execution's stream.
        revision: u64,
    },
    /// A node was reached without items: its branch ends.
    NodeSkipped {
        /// Name of the node.
        node: String,
        /// Why.
        reason: String,
    },
    /// A node waits: until a time, a request, or a person says so.
    ExecutionWaiting {
        /// Name of the node that waits.
        node: String,
        /// Until when at the longest, in milliseconds since 1970; absent for as long as it takes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until_ms: Option<i64>,
        /// The node run that waits; absent in old events.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<NodeFacts>,
        /// By what it may be called to go on before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resume: Option<ResumeRule>,
    },
    /// The wait is over.
    ExecutionResumed {
        /// Name of the node that had waited.
        node: String,
        /// What ended the wait; absent in old events.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<ResumeCause>,
        /// What the node gives now; absent: its input.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        items: Option<Vec<Item>>,
    },
    /// It stands still, whatever is due, until it is let go.
    ExecutionPaused {
        /// Why.
        reason: PauseReason,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// It is let go.
    ExecutionUnpaused {
        /// Whether it pauses again before the node after the next.
        #[serde(default, skip_serializing_if = "is_false")]
        step: bool,
    },
    /// Where it pauses was changed.
    ExecutionBreakpointsChanged {
        /// All breakpoints that count from now on.
        breakpoints: Vec<Breakpoint>,
    },
    /// Another process runs it from here on.
    ExecutionTakenOver {
        /// The process.
        worker: String,
        /// Which ownership of its shard this is: each is greater than the one before.
        epoch: u64,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// The request that started it is answered.
    ExecutionResponded {
        /// The node that answers; absent where the answer follows from the end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<String>,
        /// The answer.
        response: Response,
        /// Whether more of the same answer follows.
        #[serde(default, skip_serializing_if = "is_false")]
        more: bool,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// A node noted facts by which the execution can be found.
    ExecutionDataSaved {
        /// Name of the node.
        node: String,
        /// The facts.
        data: BTreeMap<String, String>,
    },
    /// It began in the middle: an execution that failed is tried again from the node that failed.
    ExecutionRetried(Box<RetryFacts>),
    /// It begins at an event of another execution.
    ExecutionForked(Box<ForkFacts>),
    /// After its end: it is tried again.
    ExecutionRetriedAs {
        /// The new execution.
        execution: ExecutionId,
    },
    /// After its end: nobody needs to look at its failure any more.
    ExecutionDismissed {
        /// Why, in the person's words.
        reason: String,
    },
    /// Somebody stopped it.
    ExecutionCancelled {
        /// Why, in the person's words.
        reason: String,
    },
    /// Every branch ended.
    ExecutionCompleted {
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// A node failed and the workflow stops there.
    ExecutionFailed {
        /// The node, where one is to blame.
        node: Option<String>,
        /// What went wrong: `name`, `message`, `description`, …
        error: Value,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// It goes on in another stream: this one has become long.
    ExecutionContinuedAsNew {
        /// The execution's next link, whose stream begins with `ExecutionContinued`.
        next: ExecutionId,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// It comes from another stream, and goes on from this event.
    ExecutionContinued(Box<Continuation>),
}

/// How an execution began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StartFacts {
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// Revision of the workflow's stream that it runs: the draft or version as folded up to there.
    pub workflow_revision: u64,
    /// The published version; absent = the draft of that revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_version: Option<u32>,
    /// Why it was started.
    pub mode: ExecutionMode,
    /// Name of the node with which it begins.
    pub start_node: String,
    /// Items that the start node is given.
    pub items: Vec<Item>,
    /// Items that stand in for nodes' outputs: the definition's pins in manual runs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pins: BTreeMap<String, Vec<Item>>,
    /// Seed of all chance in this execution.
    pub seed: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// What started it; absent for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<TriggerFacts>,
    /// How it is to be run.
    #[serde(default, skip_serializing_if = "RunOptions::is_default")]
    pub options: RunOptions,
    /// Whom its data is about: the name of a subject, under whose key that is sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

impl StartFacts {
    /// What a request has to know to make this execution go on, besides its id.
    pub fn resume_token(&self, execution: ExecutionId) -> String {
        let (high, low) = execution.0.as_u64_pair();
        let first = mixed(self.seed ^ high);
        format!("{first:016x}{:016x}", mixed(first.wrapping_add(mixed(self.seed)) ^ low))
    }

    /// The path at which a request makes this execution go on; a node may ask for one more part behind it.
    pub fn resume_path(&self, execution: ExecutionId) -> String {
        format!("/webhook-waiting/{execution}.{}", self.resume_token(execution))
    }

    /// The path at which the forms of this execution are shown, one after the other.
    pub fn form_path(&self, execution: ExecutionId) -> String {
        format!("/form-waiting/{execution}.{}", self.resume_token(execution))
    }

    /// Whether its data was erased.
    pub fn is_erased(&self) -> bool {
        self.subject.as_deref() == Some(ERASED)
    }

    /// The same without the items for the start node.
    #[must_use]
    pub fn without_items(&self) -> Self {
        Self {
            items: Vec::new(),
            pins: self.pins.clone(),
            start_node: self.start_node.clone(),
            trigger: self.trigger.clone(),
            options: self.options.clone(),
            subject: self.subject.clone(),
            ..*self
        }
    }
}

/// Why an execution was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionMode {
    /// By a person: pinned items count, drafts may run.
    Manual,
    /// By a trigger: a published version runs.
    Production,
}

/// Which run of which node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeFacts {
    /// Name of the node.
    pub node: String,
    /// 0 for the node's first run in this execution.
    pub run_index: usize,
    /// Place in the order of all node runs of this execution; 0 is the first.
    pub execution_index: usize,
    /// Where each input came from; `None` for an input without data.
    pub sources: Vec<Option<Source>>,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Event for ExecutionEvent {
    const CATEGORY: &'static str = "execution";
    const TYPES: &'static [(&'static str, u16)] = &[
        ("ExecutionStarted", 3),
        ("NodeScheduled", 1),
        ("NodeStarted", 1),
        ("NodeCompleted", 1),
        ("NodeFailed", 1),
        ("NodeRetried", 1),
        ("NodeStubbed", 1),
        ("NodeSkipped", 1),
        ("ExecutionWaiting", 3),
        ("ExecutionResumed", 2),
        ("ExecutionPaused", 1),
        ("ExecutionUnpaused", 1),
        ("ExecutionBreakpointsChanged", 1),
        ("ExecutionTakenOver", 1),
        ("ExecutionResponded", 2),
        ("ExecutionDataSaved", 1),
        ("ExecutionRetried", 2),
        ("ExecutionForked", 2),
        ("ExecutionRetriedAs", 1),
        ("ExecutionDismissed", 1),
        ("ExecutionCancelled", 1),
        ("ExecutionCompleted", 1),
        ("ExecutionFailed", 1),
        ("ExecutionContinuedAsNew", 1),
        ("ExecutionContinued", 4),
    ];

    /// The newer versions have optional fields more, or a kind more of something.
    fn reads_as_current(event_type: &str, version: u16) -> bool {
        match event_type {
            "ExecutionResumed" | "ExecutionResponded" | "ExecutionRetried" | "ExecutionForked" => version == 1,
            "ExecutionStarted" | "ExecutionWaiting" => matches!(version, 1 | 2),
            "ExecutionContinued" => matches!(version, 1..=3),
            _ => false,
        }
    }

    /// The first event of a stream says it for all of them.
    fn subject(&self, _: &str) -> Option<String> {
        match self {
            Self::ExecutionStarted(start) => start.subject.clone(),
            Self::ExecutionRetried(retry) => retry.start.subject.clone(),
            Self::ExecutionForked(fork) => fork.start.subject.clone(),
            Self::ExecutionContinued(continuation) => continuation.start.subject.clone(),
            _ => None,
        }
    }

    fn read(payload: &str) -> Result<Self, serde_json::Error> {
        frequent::read(payload).map_or_else(|| serde_json::from_str(payload), Ok)
    }

    fn read_bare(payload: &str) -> Option<Self> {
        frequent::read_bare(payload)
    }

    fn text_room(&self) -> usize {
        match self {
            Self::NodeCompleted { outputs, .. } | Self::NodeFailed { outputs: Some(outputs), .. } => {
                outputs.iter().flat_map(|items| items.iter()).map(Item::text_room).sum()
            }
            _ => 0,
        }
    }

    fn event_type(&self) -> &'static str {
        match self {
            Self::ExecutionStarted(_) => "ExecutionStarted",
            Self::NodeScheduled { .. } => "NodeScheduled",
            Self::NodeStarted { .. } => "NodeStarted",
            Self::NodeCompleted { .. } => "NodeCompleted",
            Self::NodeFailed { .. } => "NodeFailed",
            Self::NodeRetried { .. } => "NodeRetried",
            Self::NodeStubbed { .. } => "NodeStubbed",
            Self::NodeSkipped { .. } => "NodeSkipped",
            Self::ExecutionWaiting { .. } => "ExecutionWaiting",
            Self::ExecutionResumed { .. } => "ExecutionResumed",
            Self::ExecutionPaused { .. } => "ExecutionPaused",
            Self::ExecutionUnpaused { .. } => "ExecutionUnpaused",
            Self::ExecutionBreakpointsChanged { .. } => "ExecutionBreakpointsChanged",
            Self::ExecutionTakenOver { .. } => "ExecutionTakenOver",
            Self::ExecutionResponded { .. } => "ExecutionResponded",
            Self::ExecutionDataSaved { .. } => "ExecutionDataSaved",
            Self::ExecutionRetried(_) => "ExecutionRetried",
            Self::ExecutionForked(_) => "ExecutionForked",
            Self::ExecutionRetriedAs { .. } => "ExecutionRetriedAs",
            Self::ExecutionDismissed { .. } => "ExecutionDismissed",
            Self::ExecutionCancelled { .. } => "ExecutionCancelled",
            Self::ExecutionCompleted { .. } => "ExecutionCompleted",
            Self::ExecutionFailed { .. } => "ExecutionFailed",
            Self::ExecutionContinuedAsNew { .. } => "ExecutionContinuedAsNew",
            Self::ExecutionContinued(_) => "ExecutionContinued",
        }
    }
}
