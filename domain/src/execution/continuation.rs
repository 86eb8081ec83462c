//! How a long execution goes on in another stream: what the new stream must know of those before it.
//!
//! The streams of one execution are the links of a chain. A link ends with `ExecutionContinuedAsNew`, which names the
//! next; the next begins with `ExecutionContinued`, which has the summary. What the nodes gave in earlier links is not
//! repeated: it is read there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::StartFacts;
use crate::ids::ExecutionId;
use crate::item::{Items, JsonObject, Source};

/// An execution as it stands between two links of its chain: the first event of the second one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Continuation {
    /// The link before this one.
    pub previous: ExecutionId,
    /// The first link: the id by which the execution was started, and by which its nodes know it.
    pub root: ExecutionId,
    /// Place of this link in the chain; the root has 0.
    pub link: u32,
    /// How the execution began, without the items for its start node: that one has run.
    pub start: StartFacts,
    /// Node runs in the links before: the next one has this place in the order of all.
    pub earlier_runs: usize,
    /// Finished runs of each node in the links before.
    pub run_counts: BTreeMap<String, usize>,
    /// Nodes that are to run, the next one first.
    pub due: Vec<DueNode>,
    /// Nodes that wait for the rest of their inputs, in the order in which they began to wait.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<WaitingNode>,
    /// Memory of the nodes that keep any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub memory: BTreeMap<String, JsonObject>,
    /// Whether the execution is a fork: its first link goes on from an event of another execution. Unknown in old events.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_fork: bool,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// How an execution begins that goes on from where another one ended. What the nodes gave until then is read there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetryFacts {
    /// The execution that ended: its last link.
    pub of: ExecutionId,
    /// Up to where that one counts: a revision of its stream.
    pub revision: u64,
    /// How this one began: the workflow that it runs, and what was asked for. It has no items of its own.
    pub start: StartFacts,
    /// Node runs before: the next one has this place in the order of all.
    pub earlier_runs: usize,
}

/// A node that is to run, with its input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DueNode {
    /// Name of the node.
    pub node: String,
    /// Items by input; `None` for an input without data.
    pub inputs: Vec<Option<Items>>,
    /// Where each input came from.
    pub sources: Vec<Option<Source>>,
}

/// A node that has some of its inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaitingNode {
    /// Name of the node.
    pub node: String,
    /// Which of the node's gatherings: in a loop it may wait several times over.
    pub gathering: usize,
    /// Items by input; `None` for an input that is waited for.
    pub inputs: Vec<Option<Items>>,
    /// Where each input came from.
    pub sources: Vec<Option<Source>>,
}

/// Where a link stands in its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainPlace {
    /// The link before.
    pub previous: ExecutionId,
    /// The first link.
    pub root: ExecutionId,
    /// Place in the chain; the root has 0.
    pub link: u32,
}
