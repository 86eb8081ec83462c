//! What may be allowed, and sets of it.

use std::fmt;
use std::ops::BitOr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::{FIRST_TENANT, TenantId};

macro_rules! permissions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// One thing that somebody may be allowed to do. The names are frozen: API keys are limited to them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Permission {
            $($(#[$doc])* $variant,)+
        }

        impl Permission {
            /// Every permission.
            pub const EACH: &'static [Self] = &[$(Self::$variant),+];

            /// Its name, such as `workflow:write`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

permissions! {
    /// See workflows, their drafts and versions, and the catalogue of nodes.
    WorkflowRead = "workflow:read",
    /// Import, change, publish, activate and archive workflows.
    WorkflowWrite = "workflow:write",
    /// See executions with their data, at every moment; look through payloads; compare.
    ExecutionRead = "execution:read",
    /// Start, cancel, pause, retry and fork executions, and run them again to check.
    ExecutionRun = "execution:run",
    /// See which credentials there are: never what is in them.
    CredentialRead = "credential:read",
    /// Save, delete and rotate credentials.
    CredentialWrite = "credential:write",
    /// See plugins and models.
    RegistryRead = "registry:read",
    /// Register plugins and models, add versions, enable and disable them.
    RegistryWrite = "registry:write",
    /// Read the audit trail: every event of the tenant's log, who has access, who had it.
    AuditRead = "audit:read",
    /// See accounts, their roles and their keys.
    AccountRead = "account:read",
    /// Make and disable accounts, give and take roles, make and revoke the keys of others.
    AccountWrite = "account:write",
    /// Make somebody owner, or not any more, and change the accounts of owners.
    OwnerWrite = "owner:write",
    /// See the processes, read models and metrics of the whole installation.
    SystemRead = "system:read",
    /// Rebuild read models, retry parked events.
    SystemWrite = "system:write",
    /// Make, suspend and resume tenants; copy the whole log, of all tenants.
    TenantWrite = "tenant:write",
    /// Append events to categories that are open to programs of others.
    EventAppend = "event:append",
    /// Ask for the data of a subject to be erased, and place holds; see what is asked for.
    ErasureRequest = "erasure:request",
    /// Approve what another one asked for: an erasure, or the end of a hold.
    ErasureApprove = "erasure:approve",
    /// See data tables and their rows.
    TableRead = "table:read",
    /// Create, rename and delete data tables, and write their rows.
    TableWrite = "table:write",
}

impl fmt::Display for Permission {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The text names no [`Permission`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no permission; these are: {list}", list = Permissions::ALL)]
pub struct UnknownPermission(pub String);

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(text: &str) -> Result<Self, UnknownPermission> {
        let found = Self::EACH.iter().find(|permission| permission.name() == text);
        found.copied().ok_or_else(|| UnknownPermission(text.chars().take(100).collect()))
    }
}

/// Somebody asked for what they may not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this needs the permission {needed}: ask an administrator for a role that has it, or use a key that has it")]
pub struct Forbidden {
    /// What is missing.
    pub needed: Permission,
}

/// A set of permissions. Stored as a list of names; a name that this build does not know gives nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Permissions(u32);

impl Permissions {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Everything.
    pub const ALL: Self = Self::of(Permission::EACH);

    /// The set of these.
    pub const fn of(permissions: &[Permission]) -> Self {
        let (mut set, mut rest) = (0, permissions);
        while let [first, others @ ..] = rest {
            set |= 1 << (*first as u8);
            rest = others;
        }
        Self(set)
    }

    /// Whether it has `permission`.
    pub const fn has(self, permission: Permission) -> bool {
        self.0 & (1 << (permission as u8)) != 0
    }

    /// What both have.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What it has and `other` has not.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// What of it counts in a tenant: what is about the whole installation, only in the tenant that runs it.
    #[must_use]
    pub const fn in_tenant(self, tenant: TenantId) -> Self {
        const OF_THE_INSTALLATION: Permissions =
            Permissions::of(&[Permission::SystemRead, Permission::SystemWrite, Permission::TenantWrite]);
        if tenant.0 == FIRST_TENANT.0 { self } else { self.without(OF_THE_INSTALLATION) }
    }

    /// Whether it has nothing.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each permission that it has.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::EACH.iter().copied().filter(move |permission| self.has(*permission))
    }

    /// Refuses what it does not have.
    ///
    /// # Errors
    /// [`Forbidden`] when `needed` is missing.
    pub const fn require(self, needed: Permission) -> Result<(), Forbidden> {
        if self.has(needed) { Ok(()) } else { Err(Forbidden { needed }) }
    }
}

impl BitOr for Permissions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        permissions.into_iter().fold(Self::NONE, |set, permission| set | Self::of(&[permission]))
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, permission) in self.iter().enumerate() {
            write!(formatter, "{}{permission}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Permissions({self})")
    }
}

impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Permission::name))
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_stored_by_names_and_unknown_names_give_nothing() {
        let set = Permissions::of(&[Permission::WorkflowRead, Permission::AuditRead]);
        let text = serde_json::to_string(&set).unwrap();
        assert_eq!(text, r#"["workflow:read","audit:read"]"#);
        assert_eq!(serde_json::from_str::<Permissions>(&text).unwrap(), set);
        let later = r#"["workflow:read","time:travel","audit:read"]"#;
        assert_eq!(serde_json::from_str::<Permissions>(later).unwrap(), set);
    }

    #[test]
    fn every_name_is_read_back_and_belongs_to_one() {
        for permission in Permission::EACH {
            assert_eq!(permission.name().parse(), Ok(*permission));
        }
        let error = "workflow:rite".parse::<Permission>().unwrap_err().to_string();
        assert!(
            error.starts_with("'workflow:rite' is no permission; these are: workflow:read, workflow:write"),
            "{error}"
        );
        assert_eq!(Permissions::ALL.iter().count(), Permission::EACH.len());
    }

    #[test]
    fn what_is_missing_is_named() {
        let set = Permissions::of(&[Permission::WorkflowRead]);
        assert_eq!(set.require(Permission::WorkflowRead), Ok(()));
        assert_eq!(set.require(Permission::WorkflowWrite), Err(Forbidden { needed: Permission::WorkflowWrite }));
    }
}
