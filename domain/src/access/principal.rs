//! Whoever asks, once it is known who that is.

use std::sync::Arc;

use super::{Forbidden, Permission, Permissions};
use crate::ids::{AccountId, Actor, TenantId};

/// Whoever sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Whose data they see.
    pub tenant: TenantId,
    /// Who they are, as events record it.
    pub actor: Actor,
    /// Their account; `None` of Timeloom's own parts and of who has the machine.
    pub account: Option<AccountId>,
    /// For whom an agent acts.
    pub on_behalf_of: Option<Actor>,
    /// What let them in: `session:ID` or `key:ID`.
    pub via: Option<Arc<str>>,
    /// What they may do.
    pub permissions: Permissions,
}

impl Principal {
    /// Somebody who has the machine or the data folder, and may therefore do everything.
    pub fn local(tenant: TenantId, name: impl Into<String>) -> Self {
        Self {
            tenant,
            actor: Actor::Local(name.into()),
            account: None,
            on_behalf_of: None,
            via: None,
            permissions: Permissions::ALL,
        }
    }

    /// Refuses what they may not do.
    ///
    /// # Errors
    /// [`Forbidden`] when `needed` is missing.
    pub fn require(&self, needed: Permission) -> Result<(), Forbidden> {
        self.permissions.require(needed)
    }
}
