//! Who may change whom, and what they have to say for it.

use timeloom_domain::access::{Forbidden, Permission, Permissions};
use timeloom_domain::account::{AccountRefusal, REASON_CHARACTERS_MAX};
use timeloom_domain::ids::{AccountId, Actor};

use super::Access;
use crate::{CommandContext, CommandError, Refusal};

impl Access {
    /// Refuses a change of an account by who neither signed in to it nor may change accounts that may do as much.
    pub(super) async fn check_is_own_or_may_change(
        &self,
        context: &CommandContext,
        id: AccountId,
    ) -> Result<(), CommandError> {
        if is_own_and_signed_in(context, id) { Ok(()) } else { self.check_may_change(context, id).await }
    }

    /// Refuses a change of an account by who may not change accounts, or by who may do less than it.
    pub(super) async fn check_may_change(&self, context: &CommandContext, id: AccountId) -> Result<(), CommandError> {
        context.require(Permission::AccountWrite)?;
        check_reason(context)?;
        self.check_may_touch(context, id).await
    }

    /// Who changes an account can become it: so it may do no more than the sender.
    pub(super) async fn check_may_touch(&self, context: &CommandContext, id: AccountId) -> Result<(), CommandError> {
        // In a process that has just begun, nobody is known before the directory is caught up.
        let listing = self.directory().caught_up().await?;
        let Some(entry) = listing.account(context.tenant, id) else {
            return Err(Refusal::from(AccountRefusal::NotFound).into());
        };
        // Of one that is disabled, what it may do once it is not.
        let theirs = entry.account.roles.iter().fold(Permissions::NONE, |all, role| all | role.permissions());
        match theirs.in_tenant(context.tenant).without(context.permissions).iter().next() {
            Some(needed) => Err(Forbidden { needed }.into()),
            None => Ok(()),
        }
    }
}

/// Whether somebody changes their own account.
pub(super) fn is_own(context: &CommandContext, id: AccountId) -> bool {
    matches!(&context.actor, Actor::User(own) | Actor::Service(own) if *own == id)
}

/// Whether somebody who signed in changes their own account. A key is not enough: who found one would make others of it,
/// and stay when it is revoked.
pub(super) fn is_own_and_signed_in(context: &CommandContext, id: AccountId) -> bool {
    let via = context.request.as_ref().and_then(|request| request.via.as_deref()).unwrap_or_default();
    is_own(context, id) && !via.starts_with("key:")
}

/// Who changes what others may do says why; who has the machine and Timeloom itself need not.
pub(super) fn check_reason(context: &CommandContext) -> Result<(), CommandError> {
    if matches!(context.actor, Actor::Local(_) | Actor::System(_)) {
        return Ok(());
    }
    let reason = context.request.as_ref().and_then(|request| request.reason.as_deref()).unwrap_or_default().trim();
    if (1..=REASON_CHARACTERS_MAX).contains(&reason.chars().count()) {
        return Ok(());
    }
    let message = format!(
        "say why, in 1 to {REASON_CHARACTERS_MAX} characters: changes of who may do what are kept with their reason"
    );
    Err(Refusal::new("REASON_MISSING", message).into())
}
