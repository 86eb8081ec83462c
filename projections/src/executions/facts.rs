//! What the events of an execution say about its row: the parts of their payloads that it needs, and no items.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use timeloom_domain::execution::{ExecutionEvent, ExecutionMode, PauseReason, TriggerFacts};
use timeloom_domain::ids::{ExecutionId, WorkflowId};
use timeloom_store::{Position, RecordedEvent};

use super::Key;
use super::fingerprint::fingerprint;
use crate::error::FoldError;
use crate::payload::{check_type, error_message, read_payload, shorten, stream_uuid};

/// What an event says about an execution.
#[derive(Debug)]
pub(crate) enum ExecutionFact {
    Started { id: ExecutionId, start: Box<Start>, from: Option<ExecutionId>, origin: Origin },
    NodeCompleted,
    NodeFailed,
    Waiting { node: String, until_ms: Option<i64> },
    Resumed,
    Paused(PauseReason),
    Unpaused,
    DataSaved(BTreeMap<String, String>),
    Ended(End),
    RetriedAs(ExecutionId),
    Dismissed(String),
}

/// How an execution ended.
#[derive(Debug)]
pub(crate) enum End {
    Cancelled { reason: String },
    Completed { at_ms: i64 },
    Failed { node: Option<String>, error: String, fingerprint: String, at_ms: i64 },
    ContinuedAsNew { next: ExecutionId, at_ms: i64 },
}

/// What a row needs of the start facts: not the items, not the pins.
#[derive(Debug, Deserialize)]
pub(crate) struct Start {
    pub workflow_id: WorkflowId,
    pub workflow_revision: u64,
    #[serde(default)]
    pub workflow_version: Option<u32>,
    pub mode: ExecutionMode,
    pub start_node: String,
    pub at_ms: i64,
    #[serde(default)]
    pub trigger: Option<TriggerFacts>,
    #[serde(default)]
    pub options: Options,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Options {
    #[serde(default)]
    pub priority: i32,
}

#[derive(Deserialize)]
struct Continued {
    previous: ExecutionId,
    start: Start,
    #[serde(default)]
    is_fork: bool,
}

#[derive(Deserialize)]
struct Retried {
    start: Start,
}

#[derive(Deserialize)]
struct Forked {
    start: Start,
    #[serde(flatten)]
    fork: Fork,
}

/// Whether an execution is a fork.
#[derive(Debug)]
pub(crate) enum Origin {
    /// It is none.
    Own,
    /// It is one, and this is its first link.
    Fork(Fork),
    /// It is one, and this is a later link.
    LinkOfFork,
}

/// From where a fork goes on.
#[derive(Debug, Deserialize)]
pub(crate) struct Fork {
    pub origin: ExecutionId,
    pub position: Position,
    pub reason: String,
}

#[derive(Deserialize)]
struct ContinuedAsNew {
    next: ExecutionId,
    at_ms: i64,
}

#[derive(Deserialize)]
struct Waiting {
    node: String,
    #[serde(default)]
    until_ms: Option<i64>,
}

#[derive(Deserialize)]
struct Paused {
    reason: PauseReason,
}

#[derive(Deserialize)]
struct DataSaved {
    data: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct RetriedAs {
    execution: ExecutionId,
}

/// The payload of events that say little but why.
#[derive(Deserialize)]
struct Because {
    reason: String,
}

#[derive(Deserialize)]
struct Completed {
    at_ms: i64,
}

#[derive(Deserialize)]
struct Failed {
    node: Option<String>,
    error: Value,
    at_ms: i64,
}

/// The execution that an event is about, and what it says.
pub(super) fn read(event: &RecordedEvent) -> Result<Option<(Key, ExecutionFact)>, FoldError> {
    let key = (event.stream.tenant, ExecutionId(stream_uuid(event)?));
    check_type::<ExecutionEvent>(event)?;
    let begun = |start, from, origin| ExecutionFact::Started { id: key.1, start: Box::new(start), from, origin };
    let started = |start| begun(start, None, Origin::Own);
    let fact = match &*event.event_type {
        "ExecutionStarted" => started(read_payload::<ExecutionEvent, Start>(event)?),
        "ExecutionContinued" => {
            let Continued { previous, start, is_fork } = read_payload::<ExecutionEvent, _>(event)?;
            begun(start, Some(previous), if is_fork { Origin::LinkOfFork } else { Origin::Own })
        }
        "ExecutionRetried" => {
            let Retried { start } = read_payload::<ExecutionEvent, _>(event)?;
            started(start)
        }
        "ExecutionForked" => {
            let Forked { start, fork } = read_payload::<ExecutionEvent, _>(event)?;
            begun(start, None, Origin::Fork(fork))
        }
        "NodeCompleted" => ExecutionFact::NodeCompleted,
        "NodeFailed" => ExecutionFact::NodeFailed,
        "ExecutionWaiting" => {
            let Waiting { node, until_ms } = read_payload::<ExecutionEvent, _>(event)?;
            ExecutionFact::Waiting { node, until_ms }
        }
        "ExecutionResumed" => ExecutionFact::Resumed,
        "ExecutionPaused" => {
            let Paused { reason } = read_payload::<ExecutionEvent, _>(event)?;
            ExecutionFact::Paused(reason)
        }
        "ExecutionUnpaused" => ExecutionFact::Unpaused,
        "ExecutionDataSaved" => {
            let DataSaved { data } = read_payload::<ExecutionEvent, _>(event)?;
            ExecutionFact::DataSaved(data)
        }
        "ExecutionRetriedAs" => {
            let RetriedAs { execution } = read_payload::<ExecutionEvent, _>(event)?;
            ExecutionFact::RetriedAs(execution)
        }
        "ExecutionDismissed" => {
            let Because { reason } = read_payload::<ExecutionEvent, _>(event)?;
            ExecutionFact::Dismissed(shorten(reason))
        }
        _ => match read_end(event)? {
            Some(end) => ExecutionFact::Ended(end),
            // The other events are about one node run each, or are read from the log; they change nothing here.
            None => return Ok(None),
        },
    };
    Ok(Some((key, fact)))
}

fn read_end(event: &RecordedEvent) -> Result<Option<End>, FoldError> {
    Ok(Some(match &*event.event_type {
        "ExecutionCancelled" => {
            let Because { reason } = read_payload::<ExecutionEvent, _>(event)?;
            End::Cancelled { reason: shorten(reason) }
        }
        "ExecutionCompleted" => {
            let Completed { at_ms } = read_payload::<ExecutionEvent, _>(event)?;
            End::Completed { at_ms }
        }
        "ExecutionFailed" => {
            let Failed { node, error, at_ms } = read_payload::<ExecutionEvent, _>(event)?;
            End::Failed { node, error: error_message(&error), fingerprint: fingerprint(&error), at_ms }
        }
        "ExecutionContinuedAsNew" => {
            let ContinuedAsNew { next, at_ms } = read_payload::<ExecutionEvent, _>(event)?;
            End::ContinuedAsNew { next, at_ms }
        }
        _ => return Ok(None),
    }))
}
