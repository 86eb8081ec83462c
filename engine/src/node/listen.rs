//! Triggers that listen: how a node type waits for messages, and what it may use meanwhile.
//!
//! A listener never starts an execution itself and never writes to the log: it hands each message to [`Listening::take`],
//! which returns when what follows from it is durable, and tells the other side only then that it has the message.
//! Invariant: messages of the same position start one execution, however often they come.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono_tz::Tz;
use serde_json::Value;
use timeloom_commands::SecretTexts;
use timeloom_domain::definition::Node;
use timeloom_domain::ids::{TenantId, WorkflowId};
use timeloom_domain::item::{Item, JsonObject};

use super::run::lookup;
use super::{Binaries, CredentialReference, NodeError, Services};

/// The error of a listener that is to end: nobody is told of it.
pub const ON_ITS_OWN: &str = "the listener ends";

/// A trigger that listens.
#[async_trait]
pub trait Listen: Send + Sync {
    /// What of a node says where it listens: a cursor that was made elsewhere is not used there. Without a choice, all
    /// parameters and the names of credentials.
    fn place(&self, node: &Node) -> Value {
        serde_json::json!([node.parameters, node.credentials])
    }

    /// Listens until it fails or is dropped: then it is called again. Says by [`Listening::opened`] when it does.
    ///
    /// # Errors
    /// [`NodeError`] when it cannot listen, or not any more.
    async fn listen(&self, listening: &mut Listening) -> Result<(), NodeError>;
}

/// A message from outside.
#[derive(Debug, Clone)]
pub struct Message {
    /// Where it is, in the words of the other side; the same when it comes again. `None` where it cannot come again.
    pub position: Option<String>,
    /// What it brings.
    pub items: Vec<Item>,
    /// How many bytes it had, before anything was made of it.
    pub bytes: usize,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// An execution began, durably.
    Started,
    /// One had begun when it came before.
    Repeated,
    /// It cannot start one, which is written down: it is not to come again.
    Refused,
}

/// Where messages go: a port.
#[async_trait]
pub trait Hearing: Send + Sync {
    /// Writes down that it listens.
    async fn opened(&self) -> Result<(), NodeError>;

    /// Starts an execution, and returns when that is durable.
    async fn take(&self, message: Message) -> Result<Taken, NodeError>;

    /// Writes down that a message is left out.
    async fn refuse(&self, position: Option<String>, content: &[u8], reason: String) -> Result<(), NodeError>;

    /// Notes where to go on: written down soon.
    fn advance(&self, cursor: Value);

    /// Writes down at once where to go on.
    async fn settle(&self, cursor: Value) -> Result<(), NodeError>;
}

/// One time that a trigger listens.
pub struct Listening {
    /// Whose workflow it is.
    pub tenant: TenantId,
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// The node, as the workflow defines it.
    pub node: Arc<Node>,
    /// The time zone of its workflow.
    pub timezone: Tz,
    /// Whether the draft is tried out: one message is wanted, and no cursor is kept.
    pub is_test: bool,
    /// Clients for the outside world.
    pub services: Arc<Services>,
    /// Where to go on; `None` to begin.
    pub cursor: Option<Value>,
    secrets: SecretTexts,
    hearing: Arc<dyn Hearing>,
    clock: Arc<dyn timeloom_commands::Clock>,
}

impl fmt::Debug for Listening {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Listening").field("node", &self.node.name).finish_non_exhaustive()
    }
}

/// What a [`Listening`] is made of, beside the node.
pub(crate) struct ListeningParts {
    pub(crate) tenant: TenantId,
    pub(crate) workflow_id: WorkflowId,
    pub(crate) timezone: Tz,
    pub(crate) is_test: bool,
    pub(crate) services: Arc<Services>,
    pub(crate) cursor: Option<Value>,
    pub(crate) secrets: SecretTexts,
    pub(crate) clock: Arc<dyn timeloom_commands::Clock>,
}

impl Listening {
    pub(crate) fn new(node: Arc<Node>, hearing: Arc<dyn Hearing>, parts: ListeningParts) -> Self {
        let ListeningParts { tenant, workflow_id, timezone, is_test, services, cursor, secrets, clock } = parts;
        Self { tenant, workflow_id, node, timezone, is_test, services, cursor, secrets, hearing, clock }
    }

    /// What time it is, in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// A parameter, as written: a trigger has no items for expressions. `path` is dotted.
    pub fn parameter(&self, path: &str) -> Option<&Value> {
        lookup(&self.node.parameters, path)
    }

    /// A text parameter; numbers and booleans are written out, anything missing is `default`.
    pub fn text(&self, path: &str, default: &str) -> String {
        match self.parameter(path) {
            None | Some(Value::Null) => default.to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }

    /// A boolean parameter; anything else is `default`.
    pub fn boolean(&self, path: &str, default: bool) -> bool {
        match self.parameter(path) {
            Some(Value::Bool(value)) => *value,
            Some(Value::String(text)) if text == "true" => true,
            Some(Value::String(text)) if text == "false" => false,
            _ => default,
        }
    }

    /// A number parameter; numeric text counts, anything else is `default`.
    pub fn number(&self, path: &str, default: f64) -> f64 {
        match self.parameter(path) {
            Some(Value::Number(number)) => number.as_f64().unwrap_or(default),
            Some(Value::String(text)) => text.trim().parse().unwrap_or(default),
            _ => default,
        }
    }

    /// The fields of the credential of that type, as it is now; `None` when the node names none. Its secrets are hidden in
    /// everything that the listener gives.
    ///
    /// # Errors
    /// [`NodeError`] when the one that it names is not there or does not open.
    pub async fn credential(&self, credential_type: &str) -> Result<Option<JsonObject>, NodeError> {
        let Some(CredentialReference { id, name }) = CredentialReference::of(&self.node, credential_type) else {
            return Ok(None);
        };
        let port = &self.services.credentials;
        let found = port.credential(self.tenant, credential_type, id.as_deref(), name.as_deref()).await;
        let called = name.or(id).unwrap_or_else(|| credential_type.to_owned());
        match found.map_err(|error| NodeError::operation(error.to_string()))? {
            Some(fields) => {
                self.secrets.note_credential(&called, credential_type, &fields);
                Ok(Some(fields))
            }
            None => {
                let message = format!("there is no credential '{called}' of type {credential_type}");
                let advice = "Save it with `timeloom credential save`, under the name that the workflow has.";
                Err(NodeError::operation(message).described(advice))
            }
        }
    }

    /// The bytes of attachments: what is written has marks in place of secrets.
    pub fn binaries(&self) -> Binaries {
        self.services.binaries.hiding(&self.secrets)
    }

    /// Says that it listens: what comes from now on is taken.
    ///
    /// # Errors
    /// [`NodeError`] when that cannot be written down.
    pub async fn opened(&self) -> Result<(), NodeError> {
        self.hearing.opened().await
    }

    /// Starts an execution with a message, and returns when that is durable: then the other side may be told. Waits while too
    /// many executions of this trigger are under way: nothing is to be read meanwhile.
    ///
    /// # Errors
    /// [`NodeError`] when the listener is to end: the message is to come again.
    pub async fn take(&self, message: Message) -> Result<Taken, NodeError> {
        self.hearing.take(message).await
    }

    /// Writes down that a message is left out, because it is too large or cannot be read.
    ///
    /// # Errors
    /// [`NodeError`] when that cannot be written down.
    pub async fn refuse(
        &self,
        position: Option<String>,
        content: &[u8],
        reason: impl Into<String>,
    ) -> Result<(), NodeError> {
        self.hearing.refuse(position, content, reason.into()).await
    }

    /// Notes where to go on once what was taken is durable. It is written down within a second, and when the listener ends.
    pub fn advance(&mut self, cursor: Value) {
        if !self.is_test {
            self.hearing.advance(cursor.clone());
        }
        self.cursor = Some(cursor);
    }

    /// The same, written down before this returns.
    ///
    /// # Errors
    /// [`NodeError`] when it cannot be written down.
    pub async fn settle(&mut self, cursor: Value) -> Result<(), NodeError> {
        self.cursor = Some(cursor.clone());
        if self.is_test { Ok(()) } else { self.hearing.settle(cursor).await }
    }
}
