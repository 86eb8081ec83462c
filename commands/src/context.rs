//! What comes with a command and what comes back.

use std::sync::Arc;

use timeloom_domain::access::{Forbidden, Permission, Permissions};
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
use timeloom_store::{Metadata, Position, RequestFacts, Revision};

/// Who sends a command, for whom, and as part of what.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandContext {
    /// Whose data it is about.
    pub tenant: TenantId,
    /// Who sends it.
    pub actor: Actor,
    /// Its id: sent again, it is the same command and gets the same answer.
    pub command_id: CommandId,
    /// The event that led to it.
    pub causation_id: Option<EventId>,
    /// The event that everything of one story goes back to.
    pub correlation_id: Option<EventId>,
    /// The revision at which the thing must be that the command is about; `None` takes it as it is.
    pub expected_revision: Option<Revision>,
    /// The request that brought it, where there is one.
    pub request: Option<Arc<RequestFacts>>,
    /// What its sender may do.
    pub permissions: Permissions,
}

impl CommandContext {
    /// The same for another command that follows from it, which expects nothing.
    #[must_use]
    pub fn following(&self, command_id: CommandId) -> Self {
        Self { command_id, expected_revision: None, ..self.clone() }
    }

    /// The metadata of the events that come of it.
    pub fn metadata(&self) -> Metadata {
        Metadata {
            actor: self.actor.clone(),
            command_id: self.command_id,
            causation_id: self.causation_id,
            correlation_id: self.correlation_id,
            request: self.request.clone(),
        }
    }

    /// The context of a command of Timeloom's own or of who has the machine, which may do everything.
    pub fn trusted(tenant: TenantId, actor: Actor, command_id: CommandId) -> Self {
        Self {
            tenant,
            actor,
            command_id,
            causation_id: None,
            correlation_id: None,
            expected_revision: None,
            request: None,
            permissions: Permissions::ALL,
        }
    }

    /// Whether its sender may do what needs `permission`.
    ///
    /// # Errors
    /// [`Forbidden`], which names what is missing.
    pub fn require(&self, permission: Permission) -> Result<(), Forbidden> {
        self.permissions.require(permission)
    }
}

/// What a command did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome<T> {
    /// What was asked for.
    pub value: T,
    /// Position of its last event; where nothing had to be appended, the position up to which that is known.
    pub position: Position,
    /// Revision of the stream after it.
    pub revision: Revision,
    /// Whether the command had been carried out before.
    pub repeated: bool,
}

impl<T> Outcome<T> {
    /// The same with another value.
    pub fn with<U>(self, value: U) -> Outcome<U> {
        Outcome { value, position: self.position, revision: self.revision, repeated: self.repeated }
    }
}
