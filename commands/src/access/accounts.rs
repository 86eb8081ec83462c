//! Commands on accounts: what they are called, what they are, whether they let in.

use timeloom_domain::access::{Permission, Role, may_grant};
use timeloom_domain::account::{AccountCommand, AccountKind};
use timeloom_domain::ids::{AccountId, TenantId};

use super::Access;
use super::rules::check_reason;
use crate::{CommandContext, CommandError, Outcome, Refusal};

/// An account to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// Whose it is.
    pub kind: AccountKind,
    /// What it is called.
    pub name: String,
    /// Where its user gets mail, which is also the name to sign in with.
    pub email: Option<String>,
    /// For whom an agent acts.
    pub on_behalf_of: Option<AccountId>,
    /// What it is.
    pub roles: Vec<Role>,
}

impl Access {
    /// Makes an account. Its id follows from the command's.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn create_account(
        &self,
        context: &CommandContext,
        new: NewAccount,
    ) -> Result<Outcome<AccountId>, CommandError> {
        context.require(Permission::AccountWrite)?;
        check_reason(context)?;
        for role in &new.roles {
            may_grant(context.permissions, *role, context.tenant)?;
        }
        let id = AccountId(context.command_id.0);
        let NewAccount { kind, name, email, on_behalf_of, roles } = new;
        self.check_email_is_free(context.tenant, email.as_deref(), id).await?;
        if let Some(principal) = on_behalf_of {
            let theirs = self.account(context.tenant, principal).await?;
            if !theirs.exists || theirs.kind == AccountKind::Agent {
                let message = "an agent acts for a user or a service of the same tenant: name one";
                return Err(Refusal::new("INVALID_PRINCIPAL", message).into());
            }
            self.check_may_touch(context, principal).await?;
        }
        self.change(context, id, AccountCommand::Create { kind, name, email, on_behalf_of, roles }).await
    }

    /// Calls an account otherwise.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn rename_account(
        &self,
        context: &CommandContext,
        id: AccountId,
        name: String,
        email: Option<String>,
    ) -> Result<Outcome<AccountId>, CommandError> {
        self.check_is_own_or_may_change(context, id).await?;
        self.check_email_is_free(context.tenant, email.as_deref(), id).await?;
        self.change(context, id, AccountCommand::Rename { name, email }).await
    }

    /// Gives a role to an account.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn grant_role(
        &self,
        context: &CommandContext,
        id: AccountId,
        role: Role,
    ) -> Result<Outcome<AccountId>, CommandError> {
        may_grant(context.permissions, role, context.tenant)?;
        self.check_may_change(context, id).await?;
        self.change(context, id, AccountCommand::Grant(role)).await
    }

    /// Takes a role from an account.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn revoke_role(
        &self,
        context: &CommandContext,
        id: AccountId,
        role: Role,
    ) -> Result<Outcome<AccountId>, CommandError> {
        may_grant(context.permissions, role, context.tenant)?;
        self.check_may_change(context, id).await?;
        let others_own = self.others_own(context.tenant, id);
        self.change(context, id, AccountCommand::Revoke { role, others_own }).await
    }

    /// Lets an account let nobody in any more: its keys and sessions are worth nothing from then on.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn disable_account(
        &self,
        context: &CommandContext,
        id: AccountId,
    ) -> Result<Outcome<AccountId>, CommandError> {
        self.check_may_change(context, id).await?;
        let others_own = self.others_own(context.tenant, id);
        self.change(context, id, AccountCommand::Disable { others_own }).await
    }

    /// Lets an account let in again.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn enable_account(
        &self,
        context: &CommandContext,
        id: AccountId,
    ) -> Result<Outcome<AccountId>, CommandError> {
        self.check_may_change(context, id).await?;
        self.change(context, id, AccountCommand::Enable).await
    }

    /// Lets in whom an identity provider knows by a name.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn link_identity(
        &self,
        context: &CommandContext,
        id: AccountId,
        issuer: String,
        subject: String,
    ) -> Result<Outcome<AccountId>, CommandError> {
        self.check_may_change(context, id).await?;
        let listing = self.directory().caught_up().await?;
        if listing.account_by_identity(context.tenant, &issuer, &subject).is_some_and(|entry| entry.id != id) {
            let message = "this identity belongs to another account: unlink it there first";
            return Err(Refusal::new("IDENTITY_TAKEN", message).into());
        }
        self.change(context, id, AccountCommand::LinkIdentity { issuer, subject }).await
    }

    /// Lets them in no more.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn unlink_identity(
        &self,
        context: &CommandContext,
        id: AccountId,
        issuer: String,
        subject: String,
    ) -> Result<Outcome<AccountId>, CommandError> {
        self.check_is_own_or_may_change(context, id).await?;
        self.change(context, id, AccountCommand::UnlinkIdentity { issuer, subject }).await
    }

    fn others_own(&self, tenant: TenantId, id: AccountId) -> bool {
        self.directory().now().has_owner_besides(tenant, Some(id))
    }

    async fn check_email_is_free(
        &self,
        tenant: TenantId,
        email: Option<&str>,
        id: AccountId,
    ) -> Result<(), CommandError> {
        let Some(email) = email else { return Ok(()) };
        let listing = self.directory().caught_up().await?;
        if listing.account_by_email(tenant, email).is_some_and(|entry| entry.id != id) {
            let message = "another account signs in with this address: use another, or that account";
            return Err(Refusal::new("EMAIL_TAKEN", message).into());
        }
        Ok(())
    }
}
