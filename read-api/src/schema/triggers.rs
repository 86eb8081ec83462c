//! Triggers that listen for messages: whether they do, and what they left out. What is told is in the log alone.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use timeloom_commands::directory::{TriggerKind, TriggerNode, WorkflowEntry};
use timeloom_commands::{ListenerEntry, ListenerStatus, Refused};
use timeloom_domain::listener::listener_id;
use uuid::Uuid;

use super::faults::fault;
use super::reading::state;
use super::scalars::PositionScalar;

/// Most triggers that are listed.
const TRIGGERS_MAX: usize = 1_000;

/// The reads of triggers that listen.
#[derive(Debug, Default)]
pub(crate) struct TriggerQuery;

/// Whether a trigger listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum ListeningStatus {
    /// It has not tried yet: no process with the role `engine` has taken it up.
    New,
    /// It listens.
    Listening,
    /// It tries to, and fails.
    Failing,
}

/// A trigger of an active workflow that listens for messages.
#[derive(Debug, Clone)]
pub(crate) struct ListeningTrigger {
    workflow: Arc<WorkflowEntry>,
    trigger: Arc<TriggerNode>,
    entry: Option<Arc<ListenerEntry>>,
}

/// A message that could not start an execution, and was left out.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct RefusedMessage {
    /// Where it is, in the words of the other side: an offset, an id; else its digest.
    message: String,
    /// Why it could not.
    reason: String,
    /// How many bytes it has.
    bytes: u64,
    /// Digest of what was read of it (SHA-256, hexadecimal).
    digest: String,
    /// When it was left out.
    at: Option<DateTime<Utc>>,
    /// The event that says so.
    position: PositionScalar,
}

impl From<&Refused> for RefusedMessage {
    fn from(refused: &Refused) -> Self {
        let message = &refused.message;
        Self {
            message: message.position.clone(),
            reason: message.reason.clone(),
            bytes: message.bytes,
            digest: message.digest.clone(),
            at: DateTime::from_timestamp_millis(refused.at_ms),
            position: PositionScalar(refused.position),
        }
    }
}

#[Object]
impl ListeningTrigger {
    /// Its id: the stream of its events has it.
    async fn id(&self) -> Uuid {
        listener_id(self.workflow.id, &self.trigger.name).0
    }

    /// Id of its workflow.
    async fn workflow_id(&self) -> Uuid {
        self.workflow.id.0
    }

    /// Name of its workflow.
    async fn workflow_name(&self) -> &str {
        &self.workflow.draft.name
    }

    /// Name of its node.
    async fn node(&self) -> &str {
        &self.trigger.name
    }

    /// Type of its node.
    async fn node_type(&self) -> &str {
        &self.trigger.node_type
    }

    /// Whether it listens.
    async fn status(&self) -> ListeningStatus {
        match self.entry.as_ref().map(|entry| entry.status) {
            None => ListeningStatus::New,
            Some(ListenerStatus::Listening) => ListeningStatus::Listening,
            Some(ListenerStatus::Failing) => ListeningStatus::Failing,
        }
    }

    /// Since when it listens, or fails.
    async fn since(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.entry.as_ref()?.since_ms)
    }

    /// Id of the worker that listens; absent while none does.
    async fn worker(&self) -> Option<&str> {
        self.entry.as_ref()?.worker.as_deref()
    }

    /// When it took messages last; absent where it never did.
    async fn last_message_at(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.entry.as_ref()?.last_message_ms?)
    }

    /// How many messages have started executions, told within a second.
    async fn messages(&self) -> u64 {
        self.entry.as_ref().map_or(0, |entry| entry.messages)
    }

    /// How many attempts in a row have failed. Of many, not each is written down: the number is that of the last one that was.
    async fn attempts(&self) -> u32 {
        self.entry.as_ref().map_or(0, |entry| entry.attempts)
    }

    /// Why it failed last, also when it listens again.
    async fn last_error(&self) -> Option<&str> {
        self.entry.as_ref()?.error.as_deref()
    }

    /// When it failed last.
    async fn last_error_at(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.entry.as_ref()?.error_ms?)
    }

    /// How many messages could not start an execution.
    async fn refused(&self) -> u64 {
        self.entry.as_ref().map_or(0, |entry| entry.refused)
    }

    /// The newest 20 of these, the newest first; all of them are events of the type `ListenerMessageRefused`.
    async fn refused_messages(&self) -> Vec<RefusedMessage> {
        let newest = self.entry.iter().flat_map(|entry| entry.newest_refused.iter().rev());
        newest.map(RefusedMessage::from).collect()
    }
}

#[Object]
impl TriggerQuery {
    /// The triggers of active workflows that listen for messages, by name of the workflow and of the node, as they are now: at most
    /// 1,000.
    #[graphql(complexity = "20 * child_complexity + 5")]
    async fn listening_triggers(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Those of one workflow alone.")] workflow_id: Option<Uuid>,
    ) -> Result<Vec<ListeningTrigger>> {
        let state = state(context)?;
        let (commands, tenant) = (state.commands(), state.tenant());
        let listing = commands.directory().caught_up().await.map_err(|error| fault(&error))?;
        let listeners = commands.listeners().caught_up().await.map_err(|error| fault(&error))?;
        let mut found: Vec<ListeningTrigger> = listing
            .active_triggers(TriggerKind::Message)
            .filter(|(workflow, _)| workflow.tenant == tenant)
            .filter(|(workflow, _)| workflow_id.is_none_or(|id| workflow.id.0 == id))
            .map(|(workflow, trigger)| {
                let entry = listeners.entry(tenant, listener_id(workflow.id, &trigger.name)).cloned();
                ListeningTrigger { workflow: Arc::clone(workflow), trigger: Arc::clone(trigger), entry }
            })
            .collect();
        let name =
            |one: &ListeningTrigger| (one.workflow.draft.name.clone(), one.workflow.id, one.trigger.name.clone());
        found.sort_by_cached_key(name);
        found.truncate(TRIGGERS_MAX);
        Ok(found)
    }
}
