//! What can happen to a listener.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::Event;
use crate::ids::WorkflowId;

/// A fact about one listener.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ListenerEvent {
    /// It listens: what comes from now on is taken.
    ListenerOpened {
        /// Which trigger, and where it listens.
        #[serde(flatten)]
        facts: ListenerFacts,
        /// The worker that listens: one life of one process.
        worker: String,
    },
    /// It does not listen, and tries again. Not every attempt is written down: the first, and then ever fewer.
    ListenerFailed {
        /// Which trigger, and where it listens.
        #[serde(flatten)]
        facts: ListenerFacts,
        /// How many attempts in a row have failed.
        attempts: u32,
        /// Why the last one did.
        error: String,
    },
    /// Messages have started executions, and what comes after them is next.
    ListenerAdvanced {
        /// How many messages.
        messages: u64,
        /// Where to go on; absent where the other side knows by itself, or knows of no place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cursor: Option<Value>,
    },
    /// A message cannot start an execution: it is left out.
    ListenerMessageRefused {
        /// The message.
        #[serde(flatten)]
        message: RefusedMessage,
    },
}

/// Which trigger listens, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerFacts {
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// Name of its node.
    pub node: String,
    /// Type of its node.
    pub node_type: String,
    /// A digest of what says where it listens: a cursor belongs to that place.
    pub place: String,
}

/// A message that cannot start an execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedMessage {
    /// Where it is, in the words of the other side: an offset, an id; else its digest.
    pub position: String,
    /// Why it cannot.
    pub reason: String,
    /// How many bytes it has, as far as they were read.
    pub bytes: u64,
    /// Digest of these bytes (SHA-256, hexadecimal): to tell whether a copy of the message is it.
    pub digest: String,
}

impl Event for ListenerEvent {
    const CATEGORY: &'static str = "listener";
    const TYPES: &'static [(&'static str, u16)] =
        &[("ListenerOpened", 1), ("ListenerFailed", 1), ("ListenerAdvanced", 1), ("ListenerMessageRefused", 1)];

    fn event_type(&self) -> &'static str {
        match self {
            Self::ListenerOpened { .. } => "ListenerOpened",
            Self::ListenerFailed { .. } => "ListenerFailed",
            Self::ListenerAdvanced { .. } => "ListenerAdvanced",
            Self::ListenerMessageRefused { .. } => "ListenerMessageRefused",
        }
    }
}
