//! The words of access: permissions, roles, kinds of accounts, ways to sign in.

use async_graphql::Enum;
use timeloom_domain::access::{Permission as DomainPermission, Permissions, Role as DomainRole};
use timeloom_domain::account::AccountKind as DomainKind;
use timeloom_domain::session::{SessionEnd as DomainEnd, SignInMethod as DomainMethod};

/// One thing that somebody may be allowed to do. Keys and messages name it with a colon, such as `workflow:read`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainPermission")]
pub(crate) enum Permission {
    /// See workflows, their drafts and versions, and the catalogue of nodes.
    WorkflowRead,
    /// Import, change, publish, activate and archive workflows.
    WorkflowWrite,
    /// See executions with their data, at every moment; look through payloads; compare.
    ExecutionRead,
    /// Start, cancel, pause, retry and fork executions, and run them again to check.
    ExecutionRun,
    /// See which credentials there are: never what is in them.
    CredentialRead,
    /// Save, delete and rotate credentials.
    CredentialWrite,
    /// See plugins and models.
    RegistryRead,
    /// Register plugins and models, add versions, enable and disable them.
    RegistryWrite,
    /// Read the audit trail: every event of the tenant's log, who has access, who had it.
    AuditRead,
    /// See accounts, their roles and their keys.
    AccountRead,
    /// Make and disable accounts, give and take roles, make and revoke the keys of others.
    AccountWrite,
    /// Make somebody owner, or not any more, and change the accounts of owners.
    OwnerWrite,
    /// See the processes, read models and metrics of the whole installation.
    SystemRead,
    /// Rebuild read models, retry parked events.
    SystemWrite,
    /// Make, suspend and resume tenants; copy the whole log, of all tenants.
    TenantWrite,
    /// Append events to categories that are open to programs of others.
    EventAppend,
    /// Ask for the data of a subject to be erased, and place holds; see what is asked for.
    ErasureRequest,
    /// Approve what another one asked for: an erasure, or the end of a hold.
    ErasureApprove,
    /// See data tables and their rows.
    TableRead,
    /// Create, rename and delete data tables, and write their rows.
    TableWrite,
}

/// A set of permissions as a list.
pub(crate) fn listed(permissions: Permissions) -> Vec<Permission> {
    permissions.iter().map(Permission::from).collect()
}

/// What somebody is in a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainRole")]
pub(crate) enum Role {
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

/// Whose account it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainKind")]
pub(crate) enum AccountKind {
    /// A person's.
    User,
    /// A program's.
    Service,
    /// An agent's, which acts for somebody.
    Agent,
}

/// How somebody showed who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainMethod")]
pub(crate) enum SignInMethod {
    /// By a link that lets in once.
    Link,
    /// By a password.
    Password,
    /// At an identity provider.
    Oidc,
}

/// Why a session ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainEnd")]
pub(crate) enum SessionEnd {
    /// Its user signed out.
    SignedOut,
    /// Somebody else ended it.
    Revoked,
}
