//! What a listener of a draft hands its one message to.

use async_trait::async_trait;
use serde_json::Value;
use timeloom_commands::{CommandContext, CommandError, SecretTexts, StartExecution};
use timeloom_domain::execution::{ExecutionMode, TriggerFacts};
use timeloom_domain::ids::{Actor, CommandId, EventId, ExecutionId};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::hearing::{over, shown, too_large};
use super::{Listeners, MESSAGE_BYTES_MAX, Wanted};
use crate::hide::Hide as _;
use crate::node::{Hearing, Message, NodeError, Taken};

/// Where the one message of a draft goes. Nothing is kept of how far it came.
pub(super) struct Tried {
    listeners: Listeners,
    wanted: Wanted,
    secrets: SecretTexts,
    event: EventId,
    /// Told when the message has come.
    pub(super) done: CancellationToken,
}

impl Tried {
    pub(super) fn new(listeners: &Listeners, wanted: &Wanted, secrets: SecretTexts, event: EventId) -> Self {
        let done = CancellationToken::new();
        Self { listeners: listeners.clone(), wanted: wanted.clone(), secrets, event, done }
    }
}

#[async_trait]
impl Hearing for Tried {
    async fn opened(&self) -> Result<(), NodeError> {
        Ok(())
    }

    async fn take(&self, mut message: Message) -> Result<Taken, NodeError> {
        if self.done.is_cancelled() {
            // The one that was wanted has come; the other side is still told so.
            return std::future::pending().await;
        }
        if message.bytes > MESSAGE_BYTES_MAX {
            return Err(NodeError::operation(too_large(message.bytes)));
        }
        if let Some(finder) = self.secrets.finder() {
            message.items.iter_mut().for_each(|item| item.hide(&finder));
        }
        // The same as a call to its webhook has: of all that may start it, one does.
        let id = ExecutionId(Uuid::new_v5(&self.event.0, b"test call"));
        let commands = &self.listeners.parts.commands;
        let command_id = CommandId(commands.ids().uuid());
        let context = CommandContext::trusted(self.wanted.tenant, Actor::System("listener".to_owned()), command_id);
        let position = message.position.unwrap_or_else(|| "test".to_owned());
        let trigger = TriggerFacts::Message { position: shown(&position), is_test: true };
        let start = StartExecution {
            execution_id: Some(id),
            mode: ExecutionMode::Manual,
            start_node: Some(self.wanted.node.name.clone()),
            items: Some(message.items),
            ..StartExecution::by_trigger(self.wanted.workflow_id, trigger)
        };
        let begun = commands.start_execution(&context, start).await;
        self.done.cancel();
        match begun {
            Ok(_) => Ok(Taken::Started),
            Err(CommandError::Refused(refusal)) if refusal.code == "EXECUTION_EXISTS" => Err(over()),
            Err(error) => Err(NodeError::operation(error.to_string())),
        }
    }

    async fn refuse(&self, _position: Option<String>, _content: &[u8], reason: String) -> Result<(), NodeError> {
        Err(NodeError::operation(reason))
    }

    fn advance(&self, _cursor: Value) {}

    async fn settle(&self, _cursor: Value) -> Result<(), NodeError> {
        Ok(())
    }
}
