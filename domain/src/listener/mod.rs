//! The Listener aggregate: a trigger that listens for messages, such as one of a broker or a mailbox.
//!
//! One stream a trigger of a workflow. It tells whether the trigger listens, up to where it has taken messages, and which
//! messages it refused; never a message itself. Invariant: a cursor says where to go on in the place that it was made for,
//! and in no other: a trigger that listens elsewhere begins anew.

mod event;
mod state;

use uuid::Uuid;

pub use event::{ListenerEvent, ListenerFacts, RefusedMessage};
pub use state::{Listener, ListenerCommand, ListenerRefusal};

use crate::ids::{ExecutionId, ListenerId, WorkflowId};

/// Most bytes of a cursor, as JSON.
pub const CURSOR_BYTES_MAX: usize = 64 << 10;
/// Most characters of an error or a reason that is written down.
pub const WORDS_CHARACTERS_MAX: usize = 1_000;
/// Most characters of the position of a message: what is longer is told by its digest.
pub const POSITION_CHARACTERS_MAX: usize = 200;
/// Refused messages that are kept at a glance; all of them are in the log.
pub const REFUSED_KEPT_MAX: usize = 20;

/// The node types that listen.
pub const LISTENING_TYPES: &[&str] = &[
    "n8n-nodes-base.emailReadImap",
    "n8n-nodes-base.kafkaTrigger",
    "n8n-nodes-base.localFileTrigger",
    "n8n-nodes-base.mqttTrigger",
    "n8n-nodes-base.postgresTrigger",
    "n8n-nodes-base.rabbitmqTrigger",
    "n8n-nodes-base.redisTrigger",
    "n8n-nodes-base.rssFeedReadTrigger",
    "timeloom.natsTrigger",
    "timeloom.redisStreamTrigger",
];

/// Whether nodes of that type listen.
pub fn listens(node_type: &str) -> bool {
    LISTENING_TYPES.contains(&node_type)
}

/// The id of the listener of a workflow's trigger: the same in every process.
pub fn listener_id(workflow_id: WorkflowId, node: &str) -> ListenerId {
    ListenerId(Uuid::new_v5(&workflow_id.0, format!("listener/{node}").as_bytes()))
}

/// The id that an execution has which a message starts: the same however often the message comes.
pub fn message_execution(listener: ListenerId, position: &str) -> ExecutionId {
    ExecutionId(Uuid::new_v5(&listener.0, position.as_bytes()))
}
