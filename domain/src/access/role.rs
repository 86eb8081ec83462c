//! Roles: what somebody is, and therefore may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Permission::{
    AccountRead, AccountWrite, AuditRead, CredentialRead, CredentialWrite, EventAppend, ExecutionRead, ExecutionRun,
    OwnerWrite, RegistryRead, RegistryWrite, SystemRead, SystemWrite, TableRead, TableWrite, TenantWrite, WorkflowRead,
    WorkflowWrite,
};
use super::{Forbidden, Permissions};
use crate::ids::TenantId;

/// What somebody is in a tenant. The names are frozen: events have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything; there is always one.
    Owner,
    /// Everything but tenants and owners.
    Admin,
    /// Builds workflows and runs them.
    Editor,
    /// Runs workflows that others built, and looks after what runs.
    Operator,
    /// Reads everything, the audit trail included, and changes nothing.
    Auditor,
    /// Sees workflows and what they did.
    Viewer,
}

impl Role {
    /// Every role, from the one that may most.
    pub const EACH: &'static [Self] =
        &[Self::Owner, Self::Admin, Self::Editor, Self::Operator, Self::Auditor, Self::Viewer];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Editor => "editor",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
            Self::Viewer => "viewer",
        }
    }

    /// What it is for, in a sentence.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Owner => "may do everything, and is always there",
            Self::Admin => "may do everything but make owners and tenants, and copy the whole log",
            Self::Editor => "builds workflows, saves credentials and runs what was built",
            Self::Operator => "runs what others built, and looks after what runs",
            Self::Auditor => "reads everything, the audit trail included, and changes nothing",
            Self::Viewer => "sees workflows and what they did",
        }
    }

    /// What it gives.
    pub const fn permissions(self) -> Permissions {
        const SEE: &[super::Permission] = &[WorkflowRead, ExecutionRead, RegistryRead, TableRead];
        match self {
            Self::Owner => Permissions::ALL,
            Self::Admin => Permissions::ALL.without(Permissions::of(&[OwnerWrite, TenantWrite])),
            Self::Editor => Permissions::of(&[
                WorkflowRead,
                WorkflowWrite,
                ExecutionRead,
                ExecutionRun,
                CredentialRead,
                CredentialWrite,
                RegistryRead,
                RegistryWrite,
                EventAppend,
                TableRead,
                TableWrite,
            ]),
            Self::Operator => Permissions::of(&[
                WorkflowRead,
                ExecutionRead,
                ExecutionRun,
                CredentialRead,
                RegistryRead,
                SystemRead,
                SystemWrite,
                TableRead,
            ]),
            Self::Auditor => Permissions::of(&[
                WorkflowRead,
                ExecutionRead,
                CredentialRead,
                RegistryRead,
                AuditRead,
                AccountRead,
                SystemRead,
                TableRead,
            ]),
            Self::Viewer => Permissions::of(SEE),
        }
    }
}

/// Whether somebody with `own` may give or take `role` in a tenant, or change who has it: only who may change accounts, and
/// only what they have themselves, of what counts there.
///
/// # Errors
/// [`Forbidden`], which names what is missing.
pub fn may_grant(own: Permissions, role: Role, tenant: TenantId) -> Result<(), Forbidden> {
    own.require(AccountWrite)?;
    match role.permissions().in_tenant(tenant).without(own).iter().next() {
        Some(needed) => Err(Forbidden { needed }),
        None => Ok(()),
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The text names no [`Role`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no role: use owner, admin, editor, operator, auditor or viewer")]
pub struct UnknownRole(pub String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let found = Self::EACH.iter().find(|role| role.name() == text);
        found.copied().ok_or_else(|| UnknownRole(text.chars().take(100).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Permission;
    use super::*;
    use crate::ids::FIRST_TENANT;

    #[test]
    fn nobody_gives_more_than_they_have() {
        for (giver, given) in [
            (Role::Owner, Role::EACH),
            (Role::Admin, &Role::EACH[1..]),
            (Role::Editor, &[]),
            (Role::Operator, &[]),
            (Role::Auditor, &[]),
            (Role::Viewer, &[]),
        ] {
            // The same in every tenant, though what runs the installation counts in the first alone.
            for tenant in [FIRST_TENANT, TenantId(7)] {
                let own = giver.permissions().in_tenant(tenant);
                let gives: Vec<Role> =
                    Role::EACH.iter().copied().filter(|role| may_grant(own, *role, tenant).is_ok()).collect();
                assert_eq!(gives, given, "{giver} of tenant {}", tenant.0);
            }
        }
        let missing = may_grant(Role::Admin.permissions(), Role::Owner, FIRST_TENANT).unwrap_err();
        assert_eq!(missing.needed, Permission::OwnerWrite);
        let missing = may_grant(Role::Editor.permissions(), Role::Viewer, FIRST_TENANT).unwrap_err();
        assert_eq!(missing.needed, AccountWrite);
    }

    #[test]
    fn what_runs_the_installation_counts_in_the_first_tenant_alone() {
        let lost = Permissions::ALL.without(Permissions::ALL.in_tenant(TenantId(1)));
        assert_eq!(lost, Permissions::of(&[SystemRead, SystemWrite, TenantWrite]));
        assert_eq!(Permissions::ALL.in_tenant(FIRST_TENANT), Permissions::ALL);
    }

    #[test]
    fn auditors_and_viewers_change_nothing() {
        let changing = Permission::EACH.iter().filter(|permission| !permission.name().ends_with(":read"));
        for permission in changing {
            assert!(!Role::Auditor.permissions().has(*permission), "{permission}");
            assert!(!Role::Viewer.permissions().has(*permission), "{permission}");
        }
    }

    #[test]
    fn names_are_read_back() {
        for role in Role::EACH {
            assert_eq!(role.name().parse(), Ok(*role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.name());
        }
    }
}
