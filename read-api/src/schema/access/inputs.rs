//! What the changes to access take.

use std::fmt;

use async_graphql::InputObject;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::words::{AccountKind, Permission, Role};

/// An account to make.
#[derive(Debug, InputObject)]
pub(crate) struct CreateAccountInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// Whose it is.
    pub kind: AccountKind,
    /// What it is called.
    pub name: String,
    /// Where its user gets mail, which is also the name to sign in with. Only users have one.
    pub email: Option<String>,
    /// For whom an agent acts: a user or a service.
    pub on_behalf_of: Option<Uuid>,
    /// What it is.
    #[graphql(default, validator(max_items = 10))]
    pub roles: Vec<Role>,
    /// Why, for those who review who has access.
    pub reason: String,
}

/// A new name for an account.
#[derive(Debug, InputObject)]
pub(crate) struct RenameAccountInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the account is at this revision.
    pub expected_revision: Option<u64>,
    /// The account; absent = your own.
    pub account_id: Option<Uuid>,
    /// What it is called.
    pub name: String,
    /// Where its user gets mail.
    pub email: Option<String>,
    /// Why; needed for the account of another.
    pub reason: Option<String>,
}

/// A role to give or to take.
#[derive(Debug, InputObject)]
pub(crate) struct RoleInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the account is at this revision.
    pub expected_revision: Option<u64>,
    /// The account.
    pub account_id: Uuid,
    /// The role.
    pub role: Role,
    /// Why, for those who review who has access.
    pub reason: String,
}

/// An account to do something with.
#[derive(Debug, InputObject)]
pub(crate) struct AccountInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the account is at this revision.
    pub expected_revision: Option<u64>,
    /// The account.
    pub account_id: Uuid,
    /// Why, for those who review who has access.
    pub reason: String,
}

/// A name that an identity provider gives to the user of an account.
#[derive(Debug, InputObject)]
pub(crate) struct IdentityInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the account is at this revision.
    pub expected_revision: Option<u64>,
    /// The account.
    pub account_id: Uuid,
    /// The provider's address.
    pub issuer: String,
    /// The name there.
    pub subject: String,
    /// Why; needed unless you unlink from your own account.
    pub reason: Option<String>,
}

/// A password to take. Send it as a variable: texts of queries are kept in many places.
#[derive(InputObject)]
pub(crate) struct SetPasswordInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the account is at this revision.
    pub expected_revision: Option<u64>,
    /// The account; absent = your own.
    pub account_id: Option<Uuid>,
    /// The password that the account has now. Who changes their own says it, unless they signed in within five minutes.
    pub current_password: Option<String>,
    /// The password.
    pub password: String,
    /// Why; needed for the account of another.
    pub reason: Option<String>,
}

impl fmt::Debug for SetPasswordInput {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SetPasswordInput").field("account_id", &self.account_id).finish_non_exhaustive()
    }
}

/// An account whose password is to let in no more. Send the password as a variable.
#[derive(InputObject)]
pub(crate) struct RemovePasswordInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the account is at this revision.
    pub expected_revision: Option<u64>,
    /// The account; absent = your own.
    pub account_id: Option<Uuid>,
    /// The password that it has now. Who removes their own says it, unless they signed in within five minutes.
    pub current_password: Option<String>,
    /// Why; needed for the account of another.
    pub reason: Option<String>,
}

impl fmt::Debug for RemovePasswordInput {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RemovePasswordInput").field("account_id", &self.account_id).finish_non_exhaustive()
    }
}

/// A link that lets a user in once.
#[derive(Debug, InputObject)]
pub(crate) struct MakeSignInLinkInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the account is at this revision.
    pub expected_revision: Option<u64>,
    /// The account.
    pub account_id: Uuid,
    /// For how many minutes it lets in: 1 to 10,080, which is a week.
    #[graphql(default = 1440, validator(minimum = 1, maximum = 10080))]
    pub minutes: i32,
    /// Why, for those who review who has access.
    pub reason: String,
}

/// A key to make.
#[derive(Debug, InputObject)]
pub(crate) struct MakeApiKeyInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the account is at this revision.
    pub expected_revision: Option<u64>,
    /// The account; absent = your own.
    pub account_id: Option<Uuid>,
    /// What it is for.
    pub name: String,
    /// What it may do, of what its account may; absent = all of it.
    #[graphql(validator(max_items = 50))]
    pub scopes: Option<Vec<Permission>>,
    /// Until when it lets in, ten years at most; absent = until it is revoked.
    pub expires_at: Option<DateTime<Utc>>,
    /// Why; needed for the account of another.
    pub reason: Option<String>,
}

/// A key that is to let in no more.
#[derive(Debug, InputObject)]
pub(crate) struct RevokeApiKeyInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the account is at this revision.
    pub expected_revision: Option<u64>,
    /// The account; absent = your own.
    pub account_id: Option<Uuid>,
    /// The part of the key that may be seen.
    pub key: String,
    /// Why; needed for the account of another.
    pub reason: Option<String>,
}

/// A session that is to let in no more.
#[derive(Debug, InputObject)]
pub(crate) struct EndSessionInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// The session.
    pub session_id: Uuid,
    /// Why, for those who review who has access.
    pub reason: Option<String>,
}

/// A tenant to make.
#[derive(Debug, InputObject)]
pub(crate) struct CreateTenantInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// What it is called.
    pub name: String,
    /// Why, for those who review who has access.
    pub reason: String,
}

/// A new name for a tenant.
#[derive(Debug, InputObject)]
pub(crate) struct RenameTenantInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the tenant is at this revision.
    pub expected_revision: Option<u64>,
    /// Its number.
    pub tenant: u32,
    /// What it is called.
    pub name: String,
    /// Why, for those who review who has access.
    pub reason: String,
}

/// A tenant to do something with.
#[derive(Debug, InputObject)]
pub(crate) struct TenantInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the tenant is at this revision.
    pub expected_revision: Option<u64>,
    /// Its number.
    pub tenant: u32,
    /// Why, for those who review who has access.
    pub reason: String,
}

/// A category of a tenant, to open to programs of others or to close to them.
#[derive(Debug, InputObject)]
pub(crate) struct CategoryInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the tenant is at this revision.
    pub expected_revision: Option<u64>,
    /// The tenant's number.
    pub tenant: u32,
    /// The category: in a stream's name, the text before the first dash.
    pub category: String,
    /// Why, for those who review who has access.
    pub reason: String,
}
