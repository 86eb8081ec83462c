//! What accounts, sessions and tenants refuse, as commands tell it.

use timeloom_domain::access::Forbidden;
use timeloom_domain::account::AccountRefusal;
use timeloom_domain::audit::AuditRefusal;
use timeloom_domain::session::SessionRefusal;
use timeloom_domain::tenant::TenantRefusal;

use crate::{CommandError, NoChance, Refusal};

/// The word for something that the sender may not do.
pub const FORBIDDEN: &str = "FORBIDDEN";

impl From<Forbidden> for Refusal {
    fn from(forbidden: Forbidden) -> Self {
        Self::new(FORBIDDEN, forbidden.to_string())
    }
}

impl From<Forbidden> for CommandError {
    fn from(forbidden: Forbidden) -> Self {
        Self::Refused(forbidden.into())
    }
}

impl From<NoChance> for Refusal {
    fn from(none: NoChance) -> Self {
        Self::new("NO_CHANCE", none.to_string())
    }
}

impl From<NoChance> for CommandError {
    fn from(none: NoChance) -> Self {
        Self::Refused(none.into())
    }
}

impl From<AccountRefusal> for Refusal {
    fn from(refusal: AccountRefusal) -> Self {
        let code = match refusal {
            AccountRefusal::AlreadyExists => "ACCOUNT_EXISTS",
            AccountRefusal::NotFound => "ACCOUNT_NOT_FOUND",
            AccountRefusal::InvalidName => "INVALID_NAME",
            AccountRefusal::InvalidEmail | AccountRefusal::NoEmail | AccountRefusal::OnlyUsersHaveEmail => {
                "INVALID_EMAIL"
            }
            AccountRefusal::NoPrincipal | AccountRefusal::OnlyAgentsAct => "INVALID_PRINCIPAL",
            AccountRefusal::RoleNotForAgents(_) => "INVALID_ROLE",
            AccountRefusal::LastOwner => "LAST_OWNER",
            AccountRefusal::Disabled => "ACCOUNT_DISABLED",
            AccountRefusal::OnlyUsersSignIn => "NOT_A_USER",
            AccountRefusal::TooManyIdentities => "TOO_MANY_IDENTITIES",
            AccountRefusal::InvalidIdentity => "INVALID_IDENTITY",
            AccountRefusal::IdentityNotFound => "IDENTITY_NOT_FOUND",
            AccountRefusal::PasswordChanged => "PASSWORD_CHANGED",
            AccountRefusal::LinkNotValid => "LINK_NOT_VALID",
            AccountRefusal::TooManyKeys => "TOO_MANY_KEYS",
            AccountRefusal::KeyTaken => "KEY_TAKEN",
            AccountRefusal::InvalidExpiry => "INVALID_EXPIRY",
            AccountRefusal::NoScopes => "INVALID_SCOPES",
            AccountRefusal::KeyNotFound => "KEY_NOT_FOUND",
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<SessionRefusal> for Refusal {
    fn from(refusal: SessionRefusal) -> Self {
        let code = match refusal {
            SessionRefusal::AlreadyStarted => "SESSION_EXISTS",
            SessionRefusal::NotFound => "SESSION_NOT_FOUND",
            SessionRefusal::Ended => "SESSION_ENDED",
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<TenantRefusal> for Refusal {
    fn from(refusal: TenantRefusal) -> Self {
        let code = match refusal {
            TenantRefusal::AlreadyExists => "TENANT_EXISTS",
            TenantRefusal::OwnCategory => "OWN_CATEGORY",
            TenantRefusal::InvalidCategory => "INVALID_CATEGORY",
            TenantRefusal::TooManyCategories => "TOO_MANY_CATEGORIES",
            TenantRefusal::NotFound => "TENANT_NOT_FOUND",
            TenantRefusal::InvalidName => "INVALID_NAME",
            TenantRefusal::TooMany => "TOO_MANY_TENANTS",
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<AuditRefusal> for Refusal {
    fn from(refusal: AuditRefusal) -> Self {
        match refusal {}
    }
}
