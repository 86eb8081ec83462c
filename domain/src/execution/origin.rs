//! Why an execution began, and how it is to be run.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::form::Form;
use crate::ids::ExecutionId;

/// What started an execution, where that was not a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TriggerFacts {
    /// A request to a webhook.
    Webhook {
        /// Method of the request.
        method: String,
        /// Path of the webhook, as its node has it.
        path: String,
        /// Whether the draft was tried out.
        #[serde(default, skip_serializing_if = "is_false")]
        is_test: bool,
    },
    /// A schedule.
    Schedule {
        /// When it was due, in milliseconds since 1970.
        due_at_ms: i64,
    },
    /// A message that a trigger listened for.
    Message {
        /// Where it is, in the words of the other side: an offset, an id; else its digest.
        position: String,
        /// Whether the draft was tried out.
        #[serde(default, skip_serializing_if = "is_false")]
        is_test: bool,
    },
    /// A node of another execution.
    SubWorkflow {
        /// The execution.
        execution: ExecutionId,
        /// Name of the node.
        node: String,
        /// How many executions are above this one.
        depth: u32,
    },
    /// The failure of another execution.
    Failure {
        /// The execution that failed.
        execution: ExecutionId,
    },
    /// An execution that ended and is tried again.
    Retry {
        /// The execution that ended.
        of: ExecutionId,
    },
}

impl TriggerFacts {
    /// Which kind of thing it is.
    pub fn kind(&self) -> TriggerKind {
        match self {
            Self::Webhook { .. } => TriggerKind::Webhook,
            Self::Schedule { .. } => TriggerKind::Schedule,
            Self::Message { .. } => TriggerKind::Message,
            Self::SubWorkflow { .. } => TriggerKind::SubWorkflow,
            Self::Failure { .. } => TriggerKind::Failure,
            Self::Retry { .. } => TriggerKind::Retry,
        }
    }

    /// The execution because of which this one runs.
    pub fn execution(&self) -> Option<ExecutionId> {
        match self {
            Self::SubWorkflow { execution, .. } | Self::Failure { execution } | Self::Retry { of: execution } => {
                Some(*execution)
            }
            Self::Webhook { .. } | Self::Schedule { .. } | Self::Message { .. } => None,
        }
    }
}

/// What kind of thing started an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TriggerKind {
    /// A request to a webhook.
    Webhook,
    /// A schedule.
    Schedule,
    /// A message that a trigger listened for.
    Message,
    /// A node of another execution.
    SubWorkflow,
    /// The failure of another execution.
    Failure,
    /// An execution that ended and is tried again.
    Retry,
    /// An event of another execution, from which it goes on.
    Fork,
}

impl TriggerKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Webhook, Self::Schedule, Self::Message, Self::SubWorkflow, Self::Failure, Self::Retry, Self::Fork];

    /// The word for it, as events and rows write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Schedule => "schedule",
            Self::Message => "message",
            Self::SubWorkflow => "sub_workflow",
            Self::Failure => "failure",
            Self::Retry => "retry",
            Self::Fork => "fork",
        }
    }
}

/// The id of the execution that a node run calls: `number` counts the calls of the run, and `failures` those executions of
/// the same call that failed before. `root` is the execution that calls, by its first link.
pub fn called_id(root: ExecutionId, execution_index: usize, number: usize, failures: u32) -> ExecutionId {
    let name = match failures {
        0 => format!("call/{execution_index}/{number}"),
        _ => format!("call/{execution_index}/{number}/{failures}"),
    };
    ExecutionId(Uuid::new_v5(&root.0, name.as_bytes()))
}

/// How an execution is to be run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOptions {
    /// Of those that wait for a place, the one with the highest priority is next.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: i32,
    /// Executions of the same lane are run by the same process, which can count them. Absent: it is alone in its lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// Where it pauses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breakpoints: Vec<Breakpoint>,
}

impl RunOptions {
    /// Whether nothing was asked for.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A node before which an execution pauses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breakpoint {
    /// Name of the node.
    pub node: String,
    /// An expression over the node's first item: it pauses where that is true. Absent: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
}

/// Why an execution pauses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PauseReason {
    /// Somebody asked for it.
    Requested {
        /// Why, in the person's words.
        reason: String,
    },
    /// A node with a breakpoint is next.
    Breakpoint {
        /// Name of the node.
        node: String,
    },
    /// It was let go for one node, and that one has run.
    Step {
        /// Name of the node that is next.
        node: String,
    },
}

/// By what a waiting execution may be called to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumeRule {
    /// What is served at its address.
    pub kind: ResumeKind,
    /// Method of the request that makes it go on; absent for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Last part of the address, where the node has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
    /// The form that is shown there, where one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Box<Form>>,
}

/// What is served at the address of a waiting execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResumeKind {
    /// A request makes it go on.
    Webhook,
    /// A form that a person fills in makes it go on.
    Form,
}

/// What made a waiting execution go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResumeCause {
    /// The time had come.
    Time,
    /// A request came.
    Request,
    /// A person said so.
    Person,
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &i32) -> bool {
    *value == 0
}
