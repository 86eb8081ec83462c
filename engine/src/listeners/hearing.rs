//! What a listener hands messages to: starts their executions, and writes down how far it came.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use timeloom_commands::{CommandContext, CommandError, SecretTexts, StartExecution, WORKFLOW_NOT_ACTIVE};
use timeloom_domain::execution::TriggerFacts;
use timeloom_domain::ids::{Actor, CommandId, ExecutionId};
use timeloom_domain::listener::{
    ListenerCommand, ListenerFacts, POSITION_CHARACTERS_MAX, RefusedMessage, message_execution,
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{Listeners, MESSAGE_BYTES_MAX, UNDER_WAY_MAX, Wanted};
use crate::hide::Hide as _;
use crate::node::{Hearing, Message, NodeError, ON_ITS_OWN, Taken};

/// Pause before something is written down again after the log failed; it doubles each time.
const FAULT_PAUSE: Duration = Duration::from_millis(200);
/// Longest such pause.
const FAULT_PAUSE_MAX: Duration = Duration::from_secs(5);

/// Where the messages of one active trigger go.
pub(super) struct Active {
    listeners: Listeners,
    wanted: Wanted,
    facts: ListenerFacts,
    secrets: SecretTexts,
    places: Arc<Semaphore>,
    ending: CancellationToken,
    progress: Mutex<Progress>,
}

/// What is to be written down of messages that were taken.
#[derive(Debug, Default)]
struct Progress {
    messages: u64,
    cursor: Option<Value>,
    has_opened: bool,
}

impl Active {
    pub(super) fn new(
        listeners: &Listeners,
        wanted: &Wanted,
        facts: ListenerFacts,
        secrets: SecretTexts,
        ending: &CancellationToken,
    ) -> Self {
        Self {
            listeners: listeners.clone(),
            wanted: wanted.clone(),
            facts,
            secrets,
            places: Arc::new(Semaphore::new(UNDER_WAY_MAX)),
            ending: ending.clone(),
            progress: Mutex::default(),
        }
    }

    /// Whether it has listened since this was asked last.
    pub(super) fn has_opened(&self) -> bool {
        std::mem::take(&mut self.lock().has_opened)
    }

    /// Writes down how far it came, where there is something to.
    pub(super) async fn flush(&self) {
        let (messages, cursor) = {
            let mut progress = self.lock();
            (std::mem::take(&mut progress.messages), progress.cursor.take())
        };
        if messages == 0 && cursor.is_none() {
            return;
        }
        // What is not written down is offered again after a restart, and known by its position then.
        if let Err(error) = self.change(ListenerCommand::Advance { messages, cursor: cursor.clone() }).await {
            let (workflow_id, node) = (self.wanted.workflow_id, &self.wanted.node.name);
            tracing::warn!(%workflow_id, node, %error, "it is not written down how far a listener came");
            let mut progress = self.lock();
            progress.messages = progress.messages.saturating_add(messages);
            if progress.cursor.is_none() {
                progress.cursor = cursor;
            }
        }
    }

    /// Writes down that it does not listen.
    pub(super) async fn failed(&self, attempts: u32, error: &NodeError) {
        let mut error = error.clone();
        if let Some(finder) = self.secrets.finder() {
            error.hide(&finder);
        }
        let NodeError { message, description, .. } = error;
        let words = description.map_or(message.clone(), |description| format!("{message}: {description}"));
        let command = ListenerCommand::Fail { facts: self.facts.clone(), attempts, error: words };
        if let Err(error) = self.change(command).await {
            let (workflow_id, node) = (self.wanted.workflow_id, &self.wanted.node.name);
            tracing::warn!(%workflow_id, node, %error, "it is not written down that a listener fails");
        }
    }

    async fn change(&self, command: ListenerCommand) -> Result<(), CommandError> {
        let commands = &self.listeners.parts.commands;
        let context = self.context(CommandId(commands.ids().uuid()));
        commands.change_listener(&context, self.wanted.id, command).await.map(|_| ())
    }

    /// The same, as often as it takes.
    ///
    /// # Errors
    /// When it is refused, or the listener is to end.
    async fn insist(&self, command: ListenerCommand) -> Result<(), NodeError> {
        let mut pause = FAULT_PAUSE;
        loop {
            match self.change(command.clone()).await {
                Ok(()) => return Ok(()),
                Err(CommandError::Refused(refusal)) => return Err(NodeError::operation(refusal.to_string())),
                Err(error) => {
                    tracing::warn!(workflow_id = %self.wanted.workflow_id, %error, "a listener cannot write to the log; trying again");
                    self.pause(&mut pause).await?;
                }
            }
        }
    }

    async fn pause(&self, pause: &mut Duration) -> Result<(), NodeError> {
        let slept = self.ending.run_until_cancelled(tokio::time::sleep(*pause)).await;
        *pause = (2 * *pause).min(FAULT_PAUSE_MAX);
        slept.ok_or_else(over)
    }

    fn context(&self, command_id: CommandId) -> CommandContext {
        CommandContext::trusted(self.wanted.tenant, Actor::System("listener".to_owned()), command_id)
    }

    /// Whether this process may still listen: it may have been asleep.
    fn is_its_own(&self) -> bool {
        let (shard, epoch) = self.wanted.lease;
        !self.ending.is_cancelled() && self.listeners.parts.leases.holds(shard, epoch)
    }

    async fn start(&self, id: ExecutionId, position: String, message: &Message) -> Result<Taken, NodeError> {
        // The same whenever the message comes again: whoever comes second gets the first one's answer.
        let context = self.context(CommandId(id.0));
        let trigger = TriggerFacts::Message { position: shown(&position), is_test: false };
        let start = StartExecution {
            execution_id: Some(id),
            start_node: Some(self.wanted.node.name.clone()),
            items: Some(message.items.clone()),
            ..StartExecution::by_trigger(self.wanted.workflow_id, trigger)
        };
        let mut pause = FAULT_PAUSE;
        loop {
            match self.listeners.parts.commands.start_execution(&context, start.clone()).await {
                Ok(outcome) if outcome.repeated => return Ok(Taken::Repeated),
                Ok(_) => return Ok(Taken::Started),
                // Whoever listens for another version finds the message there.
                Err(CommandError::Refused(refusal)) if refusal.code == WORKFLOW_NOT_ACTIVE => return Err(over()),
                Err(CommandError::Refused(refusal)) if refusal.code == "TENANT_SUSPENDED" => {
                    return Err(NodeError::operation(refusal.to_string()));
                }
                Err(CommandError::Refused(refusal)) => {
                    let content = serde_json::to_vec(&message.items).unwrap_or_default();
                    self.left_out(position, &content, message.bytes, refusal.to_string()).await?;
                    return Ok(Taken::Refused);
                }
                Err(error) => {
                    tracing::warn!(workflow_id = %self.wanted.workflow_id, %error, "a message came and its execution cannot begin; trying again");
                    self.pause(&mut pause).await?;
                }
            }
        }
    }

    async fn left_out(
        &self,
        position: String,
        content: &[u8],
        bytes: usize,
        mut reason: String,
    ) -> Result<(), NodeError> {
        if let Some(finder) = self.secrets.finder() {
            finder.hide_in_text(&mut reason);
        }
        let (workflow_id, node) = (self.wanted.workflow_id, &self.wanted.node.name);
        tracing::warn!(%workflow_id, node, position, reason, "a message is left out");
        let message = RefusedMessage {
            position: shown(&position),
            reason,
            bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
            digest: digest(content),
        };
        self.insist(ListenerCommand::Refuse(message)).await
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Hearing for Active {
    async fn opened(&self) -> Result<(), NodeError> {
        let worker = self.listeners.parts.leases.worker().to_string();
        self.insist(ListenerCommand::Open { facts: self.facts.clone(), worker }).await?;
        self.lock().has_opened = true;
        Ok(())
    }

    async fn take(&self, mut message: Message) -> Result<Taken, NodeError> {
        let position =
            message.position.take().unwrap_or_else(|| self.listeners.parts.commands.ids().uuid().to_string());
        if message.bytes > MESSAGE_BYTES_MAX {
            let content = serde_json::to_vec(&message.items).unwrap_or_default();
            let reason = too_large(message.bytes);
            self.left_out(position, &content, message.bytes, reason).await?;
            return Ok(Taken::Refused);
        }
        let place = tokio::select! {
            place = Arc::clone(&self.places).acquire_owned() => place.map_err(|_| over())?,
            () = self.ending.cancelled() => return Err(over()),
        };
        if !self.is_its_own() {
            return Err(over());
        }
        if let Some(finder) = self.secrets.finder() {
            message.items.iter_mut().for_each(|item| item.hide(&finder));
        }
        let id = message_execution(self.wanted.id, &position);
        self.listeners.ends.hold(id, place);
        let taken = self.start(id, position, &message).await;
        if !matches!(taken, Ok(Taken::Started)) {
            self.listeners.ends.release(id);
        }
        if matches!(taken, Ok(Taken::Started)) {
            self.lock().messages += 1;
        }
        taken
    }

    async fn refuse(&self, position: Option<String>, content: &[u8], reason: String) -> Result<(), NodeError> {
        let position = position.unwrap_or_else(|| digest(content));
        self.left_out(position, content, content.len(), reason).await
    }

    fn advance(&self, cursor: Value) {
        self.lock().cursor = Some(cursor);
    }

    async fn settle(&self, cursor: Value) -> Result<(), NodeError> {
        let messages = {
            let mut progress = self.lock();
            progress.cursor = None;
            std::mem::take(&mut progress.messages)
        };
        self.insist(ListenerCommand::Advance { messages, cursor: Some(cursor) }).await
    }
}

/// The listener is to end; nobody is told.
pub(super) fn over() -> NodeError {
    NodeError::operation(ON_ITS_OWN)
}

/// Why a message of that size is left out.
pub(super) fn too_large(bytes: usize) -> String {
    format!("the message has {bytes} bytes, at most {MESSAGE_BYTES_MAX} are taken")
}

/// A position as events tell it.
pub(super) fn shown(position: &str) -> String {
    if position.chars().count() <= POSITION_CHARACTERS_MAX { position.to_owned() } else { digest(position.as_bytes()) }
}

/// The digest of bytes, as events tell it.
pub(super) fn digest(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}
