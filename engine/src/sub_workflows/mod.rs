//! Runs of other workflows that nodes ask for.
//!
//! The id of such an execution follows from the execution that asks, its node run and the number of the call: an attempt
//! that is made again after a crash finds what the one before began, and waits for the same end. A sub-workflow is an
//! execution like any other, driven by whichever process has it; here it is only begun and awaited.

mod end;
mod target;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use timeloom_commands::{CancelExecution, CommandContext, CommandError, Commands, Directory, StartExecution};
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::{ExecutionEvent, ExecutionMode, TriggerFacts, called_id};
use timeloom_domain::ids::{Actor, CommandId, ExecutionId, TenantId};
use timeloom_domain::item::Item;
use timeloom_store::{Direction, EventLog, LogError, RequestFacts, Revision, StreamKey};
use uuid::Uuid;

use crate::node::{Caller, NodeError, SubWorkflowCall, SubWorkflows};
use end::End;

/// How many executions may be above another.
pub const DEPTH_MAX: u32 = 20;
/// Most calls of one node run.
pub const CALLS_MAX: usize = 100_000;
/// Pause before a log or command that failed is tried again; it doubles each time.
const FAULT_PAUSE: Duration = Duration::from_millis(200);
/// Longest such pause.
const FAULT_PAUSE_MAX: Duration = Duration::from_secs(5);
/// How often a cancellation is tried.
const CANCEL_TRIES_MAX: u32 = 5;

/// Runs other workflows over a log. Cheap to clone.
#[derive(Clone)]
pub struct SubWorkflowCalls {
    log: Arc<dyn EventLog>,
    commands: Commands,
    directory: Directory,
}

impl fmt::Debug for SubWorkflowCalls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SubWorkflowCalls").finish_non_exhaustive()
    }
}

/// The id of the execution that a call begins. `failures` executions of the same call failed before.
pub fn call_id(caller: &Caller, number: usize, failures: u32) -> ExecutionId {
    called_id(caller.execution_id, caller.execution_index, number, failures)
}

impl SubWorkflowCalls {
    /// Runs of the workflows of `log`.
    pub fn new(log: Arc<dyn EventLog>, commands: Commands, directory: Directory) -> Self {
        Self { log, commands, directory }
    }

    /// The execution that this attempt is about: the one that was begun before, unless that failed and the node is to try
    /// again. Of those that failed there are no more than attempts before this one.
    async fn execution(&self, caller: &Caller, number: usize) -> Result<ExecutionId, LogError> {
        let tries = caller.attempt.min(caller.attempts_max.max(1));
        let mut failures = 0;
        while failures + 1 < tries {
            let id = call_id(caller, number, failures);
            match end::newest(&self.log, &stream(caller.tenant, id)).await? {
                Some(End::Failed { .. } | End::Cancelled) => failures += 1,
                _ => break,
            }
        }
        Ok(call_id(caller, number, failures))
    }

    /// Begins the execution; sent again it is the same command.
    async fn begin(&self, caller: &Caller, call: SubWorkflowCall, id: ExecutionId) -> Result<(), NodeError> {
        let target = self.target(caller, &call, call_id(caller, call.number, 0)).await?;
        let trigger = TriggerFacts::SubWorkflow {
            execution: caller.execution_id,
            node: call.node,
            depth: caller.depth.saturating_add(1),
        };
        let start = StartExecution {
            execution_id: Some(id),
            version: target.version,
            mode: caller.mode,
            start_node: Some(target.start_node),
            items: Some(call.items.into_iter().map(as_input).collect()),
            ..StartExecution::by_trigger(target.workflow_id, trigger)
        };
        let request = Some(Arc::new(RequestFacts::within(caller.span)));
        let context = CommandContext { request, ..context(caller.tenant, CommandId(id.0)) };
        let mut pause = FAULT_PAUSE;
        loop {
            match self.commands.start_execution(&context, start.clone()).await {
                Ok(_) => return Ok(()),
                Err(CommandError::Refused(refusal)) => return Err(NodeError::operation(refusal.message)),
                Err(error) => wait_out(&error, &mut pause).await,
            }
        }
    }

    /// What the execution came to.
    async fn outcome(&self, caller: &Caller, id: ExecutionId) -> Result<Vec<Item>, NodeError> {
        let mut pause = FAULT_PAUSE;
        loop {
            let ended = match end::of(&self.log, stream(caller.tenant, id)).await {
                Ok((last, End::Completed)) => end::items(&self.log, last).await,
                Ok((_, End::Failed { node, error })) => return Err(failure(id, node.as_deref(), &error)),
                Ok((_, End::Cancelled | End::ContinuedAs(_))) => {
                    let description = format!("It is execution {id}.");
                    return Err(NodeError::operation("the sub-workflow was cancelled").described(description));
                }
                Err(error) => Err(error),
            };
            match ended {
                Ok(items) => return Ok(items),
                // The log is closed with the process: the next one waits on.
                Err(LogError::Closed) => std::future::pending().await,
                Err(error) => wait_out(&error, &mut pause).await,
            }
        }
    }

    /// The last of a caller's calls, and the last try of it; `None` when there is none. Calls are made one after the other.
    async fn last_call(&self, caller: &Caller) -> Result<Option<ExecutionId>, LogError> {
        if !self.has_begun(caller, 0, 0).await? {
            return Ok(None);
        }
        let (mut known, mut step) = (0, 1);
        while known + step < CALLS_MAX && self.has_begun(caller, known + step, 0).await? {
            known += step;
            step *= 2;
        }
        while step > 0 {
            if known + step < CALLS_MAX && self.has_begun(caller, known + step, 0).await? {
                known += step;
            }
            step /= 2;
        }
        let mut failures = 0;
        while failures < caller.attempts_max && self.has_begun(caller, known, failures + 1).await? {
            failures += 1;
        }
        Ok(Some(call_id(caller, known, failures)))
    }

    async fn has_begun(&self, caller: &Caller, number: usize, failures: u32) -> Result<bool, LogError> {
        let stream = stream(caller.tenant, call_id(caller, number, failures));
        Ok(!self.log.read_stream(&stream, Revision::default(), Direction::Forward, 1).await?.is_empty())
    }

    async fn cancel(&self, caller: &Caller) -> Result<(), CommandError> {
        let Some(id) = self.last_call(caller).await? else { return Ok(()) };
        if end::newest(&self.log, &stream(caller.tenant, id)).await?.is_some_and(|end| end.is_final()) {
            return Ok(());
        }
        let reason = format!("execution {}, which waited for it, has ended", caller.execution_id);
        let context = context(caller.tenant, CommandId(Uuid::new_v5(&id.0, b"abandon")));
        match self.commands.cancel_execution(&context, CancelExecution { execution_id: id, reason }).await {
            Ok(_) | Err(CommandError::Refused(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl SubWorkflows for SubWorkflowCalls {
    async fn call(&self, caller: &Caller, call: SubWorkflowCall) -> Result<Option<Vec<Item>>, NodeError> {
        if caller.depth >= DEPTH_MAX {
            let message = format!("workflows call each other more than {DEPTH_MAX} deep");
            return Err(
                NodeError::operation(message).described("let the innermost workflow end without a further call")
            );
        }
        if call.number >= CALLS_MAX {
            let message = format!("a node makes at most {CALLS_MAX} calls: pass several items in one call");
            return Err(NodeError::operation(message));
        }
        let mut pause = FAULT_PAUSE;
        let id = loop {
            match self.execution(caller, call.number).await {
                Ok(id) => break id,
                Err(error) => wait_out(&error, &mut pause).await,
            }
        };
        let waits = call.waits;
        self.begin(caller, call, id).await?;
        if !waits {
            return Ok(None);
        }
        Ok(Some(self.outcome(caller, id).await?))
    }

    async fn abandon(&self, caller: &Caller) {
        let mut pause = FAULT_PAUSE;
        for _ in 0..CANCEL_TRIES_MAX {
            match self.cancel(caller).await {
                Ok(()) => return,
                Err(error) => wait_out(&error, &mut pause).await,
            }
        }
        tracing::error!(execution = %caller.execution_id, "an execution that nobody waits for any more was not cancelled");
    }
}

/// What an execution came to, as whoever waits for it sees it.
#[derive(Debug, Clone, PartialEq)]
pub enum Came {
    /// It completed; the items on output 0 of its last node.
    Completed(Vec<Item>),
    /// It failed.
    Failed {
        /// In this node, where it was in one.
        node: Option<String>,
    },
    /// It was cancelled.
    Cancelled,
}

/// Waits for the end of an execution, however many streams it has.
///
/// # Errors
/// When the log cannot be read, or is closed.
pub async fn came_to(log: &Arc<dyn EventLog>, tenant: TenantId, id: ExecutionId) -> Result<Came, LogError> {
    match end::of(log, stream(tenant, id)).await? {
        (last, End::Completed) => Ok(Came::Completed(end::items(log, last).await?)),
        (_, End::Failed { node, .. }) => Ok(Came::Failed { node }),
        // The end of the last stream is looked for: it goes on in no other.
        (_, End::Cancelled | End::ContinuedAs(_)) => Ok(Came::Cancelled),
    }
}

/// The failure of a sub-workflow as the node that called it has it.
fn failure(id: ExecutionId, node: Option<&str>, error: &Value) -> NodeError {
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    let message = text("message").unwrap_or("the sub-workflow failed").to_owned();
    let place = node.map(|node| format!(" in node '{node}'")).unwrap_or_default();
    let mut description = format!("The sub-workflow failed{place}: execution {id}.");
    if let Some(own) = text("description") {
        description = format!("{own} {description}");
    }
    let mut failure = NodeError::operation(message).described(description);
    failure.data = error.get("data").cloned();
    failure
}

/// An item as another execution begins with it: where it came from means nothing there.
fn as_input(item: Item) -> Item {
    Item { paired_item: None, error: None, ..item }
}

fn stream(tenant: TenantId, id: ExecutionId) -> StreamKey {
    StreamKey::new(tenant, ExecutionEvent::CATEGORY, id.to_string())
}

fn context(tenant: TenantId, command_id: CommandId) -> CommandContext {
    CommandContext::trusted(tenant, Actor::System("engine".to_owned()), command_id)
}

/// Waits before the same is tried again, each time longer. Whoever waits here is dropped when the process stops.
async fn wait_out(error: &(dyn std::error::Error + Sync), pause: &mut Duration) {
    tracing::warn!(%error, "a sub-workflow cannot be reached; trying again");
    tokio::time::sleep(*pause).await;
    *pause = (2 * *pause).min(FAULT_PAUSE_MAX);
}

/// Whether people may run drafts by such an execution.
fn runs_drafts(mode: ExecutionMode) -> bool {
    mode == ExecutionMode::Manual
}
