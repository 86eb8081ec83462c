//! What the directory holds of each account, key, session and tenant.

use std::collections::BTreeSet;
use std::sync::Arc;

use timeloom_domain::access::Permissions;
use timeloom_domain::account::{Account, AccountKind};
use timeloom_domain::ids::{AccountId, Actor, SessionId, TenantId};
use timeloom_domain::session::Session;

/// An account, as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountEntry {
    /// Whose it is.
    pub tenant: TenantId,
    /// Which.
    pub id: AccountId,
    /// What its events tell.
    pub account: Account,
    /// Whether something happened to it that this build does not know: then it lets nobody in.
    pub unknown: bool,
}

impl AccountEntry {
    /// It as events record it.
    pub fn actor(&self) -> Actor {
        match self.account.kind {
            AccountKind::User => Actor::User(self.id),
            AccountKind::Service => Actor::Service(self.id),
            AccountKind::Agent => Actor::Agent(self.id),
        }
    }

    /// Whether it lets in at all.
    pub fn lets_in(&self) -> bool {
        self.account.exists && !self.account.disabled && !self.unknown
    }
}

/// A key, as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyEntry {
    /// Whose tenant's it is.
    pub tenant: TenantId,
    /// Whose it is.
    pub account: AccountId,
    /// SHA-256 of its secret, in hexadecimal.
    pub digest: Arc<str>,
    /// What it may do, of what its account may.
    pub scopes: Option<Permissions>,
    /// Until when it lets in, in milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
    /// When it was last written down that it let in, in milliseconds since 1970.
    pub used_at_ms: Option<i64>,
}

/// A session that has not ended, as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionEntry {
    /// Whose tenant's it is.
    pub tenant: TenantId,
    /// Which.
    pub id: SessionId,
    /// What its events tell.
    pub session: Session,
}

/// A tenant, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantEntry {
    /// Its number.
    pub tenant: TenantId,
    /// What it is called.
    pub name: String,
    /// Whether nobody of it is let in.
    pub suspended: bool,
    /// Categories that programs of others may append to by themselves.
    pub open_categories: BTreeSet<String>,
}
