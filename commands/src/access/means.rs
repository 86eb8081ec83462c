//! By what an account lets in: passwords, links and keys; and the way in for the first owner.

use timeloom_domain::access::{Forbidden, Permission, Permissions, Role};
use timeloom_domain::account::{AccountCommand, AccountKind};
use timeloom_domain::ids::{AccountId, Actor, CommandId, FIRST_TENANT, TenantId};
use zeroize::Zeroizing;

use super::rules::is_own;
use super::token::{self, Kind};
use super::{Access, NewAccount, password};
use crate::{CommandContext, CommandError, Outcome, Refusal};

/// How long a link for the first owner lets in, in milliseconds: a day.
const OWNER_LINK_MS: i64 = 86_400_000;
/// Longest that a link lets in, in milliseconds: a week.
const LINK_TIME_MAX_MS: i64 = 7 * 86_400_000;
/// What the first owner is called, and signs in with, until they call themselves otherwise.
const OWNER: (&str, &str) = ("Owner", "owner@localhost");

/// A key to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// What it is for.
    pub name: String,
    /// What it may do, of what its account may; absent = all of it.
    pub scopes: Option<Permissions>,
    /// Until when it lets in, in milliseconds since 1970; absent = until it is revoked.
    pub expires_at_ms: Option<i64>,
}

/// A key that was made. Its text is told this once.
pub struct MadeKey {
    /// The part of it that may be seen.
    pub key: String,
    /// All of it.
    pub token: Zeroizing<String>,
}

/// A link that was made. Its text is told this once.
pub struct MadeLink {
    /// Whom it lets in.
    pub account: AccountId,
    /// What lets in.
    pub token: Zeroizing<String>,
    /// Until when, in milliseconds since 1970.
    pub expires_at_ms: i64,
}

impl std::fmt::Debug for MadeKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("MadeKey").field("key", &self.key).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for MadeLink {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("MadeLink").field("account", &self.account).finish_non_exhaustive()
    }
}

impl Access {
    /// Gives a password to a user. Who changes their own shows `now`, the one that it is now, unless they have just signed in.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn set_password(
        &self,
        context: &CommandContext,
        id: AccountId,
        now: Option<&str>,
        password: &str,
    ) -> Result<Outcome<AccountId>, CommandError> {
        self.check_is_own_or_may_change(context, id).await?;
        self.check_shown(context, id, now).await?;
        password::check(password)?;
        let keys = self.inner.keys.keys_to_seal().map_err(Refusal::from)?;
        let chance = self.inner.chance.secret()?;
        let salt = std::array::from_fn(|index| chance.get(index).copied().unwrap_or_default());
        let (nonce, place) = (self.inner.chance.nonce(), (context.tenant, id));
        let password = Zeroizing::new(password.to_owned());
        let sealed = self
            .with_password(move || password::seal(keys.newest()?, nonce, salt, place, &password))
            .await?
            .ok_or_else(|| CommandError::from(Refusal::new("NO_PASSWORD", "the password cannot be sealed")))?;
        self.change(context, id, AccountCommand::SetPassword(sealed)).await
    }

    /// Lets no password let in any more. Who removes their own shows it as for a change.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn remove_password(
        &self,
        context: &CommandContext,
        id: AccountId,
        now: Option<&str>,
    ) -> Result<Outcome<AccountId>, CommandError> {
        self.check_is_own_or_may_change(context, id).await?;
        self.check_shown(context, id, now).await?;
        self.change(context, id, AccountCommand::RemovePassword).await
    }

    /// Makes a link that lets a user in once, for at most a week.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn make_sign_in_link(
        &self,
        context: &CommandContext,
        id: AccountId,
        valid_ms: i64,
    ) -> Result<Outcome<MadeLink>, CommandError> {
        self.check_may_change(context, id).await?;
        self.link(context, id, valid_ms).await
    }

    async fn link(
        &self,
        context: &CommandContext,
        id: AccountId,
        valid_ms: i64,
    ) -> Result<Outcome<MadeLink>, CommandError> {
        let made = token::make(Kind::Link, &*self.inner.chance)?;
        let expires_at_ms = self.now_ms().saturating_add(valid_ms.clamp(1, LINK_TIME_MAX_MS));
        let command = AccountCommand::MakeLink { link: made.id, digest: made.digest, expires_at_ms };
        let done = self.change(context, id, command).await?;
        shown_once(done.repeated)?;
        Ok(done.with(MadeLink { account: id, token: made.text, expires_at_ms }))
    }

    /// Makes a key. Everybody who signed in makes keys of their own, which may do no more than they.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn make_key(
        &self,
        context: &CommandContext,
        id: AccountId,
        new: NewKey,
    ) -> Result<Outcome<MadeKey>, CommandError> {
        self.check_is_own_or_may_change(context, id).await?;
        let account = self.directory().caught_up().await?.permissions(context.tenant, id);
        let asked = new.scopes.map_or(account, |scopes| scopes.and(account));
        if let Some(needed) = asked.without(context.permissions).iter().next() {
            return Err(Forbidden { needed }.into());
        }
        let made = token::make(Kind::Key, &*self.inner.chance)?;
        let NewKey { name, scopes, expires_at_ms } = new;
        let (key, digest, now_ms) = (made.id.clone(), made.digest, self.now_ms());
        let command = AccountCommand::MakeKey { key, name, digest, scopes, expires_at_ms, now_ms };
        let done = self.change(context, id, command).await?;
        shown_once(done.repeated)?;
        Ok(done.with(MadeKey { key: made.id, token: made.text }))
    }

    /// Lets a key let in no more.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn revoke_key(
        &self,
        context: &CommandContext,
        id: AccountId,
        key: String,
    ) -> Result<Outcome<AccountId>, CommandError> {
        if !is_own(context, id) {
            self.check_may_change(context, id).await?;
        }
        self.change(context, id, AccountCommand::RevokeKey { key }).await
    }

    /// Puts every password of the tenant under the newest key, from the first tenant that of every tenant; answers how many
    /// were, and how many could not be opened.
    ///
    /// # Errors
    /// A refusal, conflict or fault. The same call goes on with the rest.
    pub async fn reseal_passwords(&self, context: &CommandContext) -> Result<(u64, u64), CommandError> {
        context.require(Permission::CredentialWrite)?;
        let keys = self.inner.keys.keys_to_seal().map_err(Refusal::from)?;
        let newest = keys.newest().map(|key| key.fingerprint().to_owned()).unwrap_or_default();
        let (mut resealed, mut failed) = (0, 0);
        let listing = self.directory().caught_up().await?;
        let all = listing.tenants().into_iter().map(|entry| entry.tenant);
        let tenants: Vec<_> = if context.tenant == FIRST_TENANT { all.collect() } else { vec![context.tenant] };
        for entry in tenants.into_iter().flat_map(|tenant| listing.accounts(tenant)) {
            let Some(from) = entry.account.password.clone().filter(|sealed| sealed.key != newest) else { continue };
            let place = (entry.tenant, entry.id);
            let Some(sealed) = password::reseal(&keys, self.inner.chance.nonce(), place, &from) else {
                failed += 1;
                continue;
            };
            let command_id = CommandId(self.inner.commands.ids().uuid());
            let next = CommandContext { tenant: entry.tenant, ..context.following(command_id) };
            match self.change(&next, entry.id, AccountCommand::ResealPassword { from, sealed }).await {
                Ok(_) => resealed += 1,
                // Its user chose another meanwhile, under the newest key.
                Err(CommandError::Refused(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Ok((resealed, failed))
    }

    /// At the first start: where no owner can sign in, makes one where there is none, and a link that lets them in.
    ///
    /// # Errors
    /// A conflict or fault.
    pub async fn ensure_owner(&self, tenant: TenantId) -> Result<Option<MadeLink>, CommandError> {
        let listing = self.directory().caught_up().await?;
        let can_sign_in = listing.accounts(tenant).any(|entry| {
            let account = &entry.account;
            let has_means = account.password.is_some() || !account.identities.is_empty() || !account.keys.is_empty();
            entry.lets_in() && account.owns() && has_means
        });
        if can_sign_in { Ok(None) } else { self.owner_link(tenant).await.map(Some) }
    }

    /// A link that lets an owner in, for who has the machine. Makes one where there is none.
    ///
    /// # Errors
    /// A conflict or fault.
    pub async fn owner_link(&self, tenant: TenantId) -> Result<MadeLink, CommandError> {
        let context = self.own_context(tenant);
        let listing = self.directory().caught_up().await?;
        let owner = listing.accounts(tenant).find(|entry| entry.lets_in() && entry.account.owns());
        let id = match owner {
            Some(entry) => entry.id,
            None => {
                let (name, email) = OWNER;
                // An address that somebody has is not taken from them.
                let taken = listing.account_by_email(tenant, email).is_some();
                let email = if taken { format!("{}-{email}", context.command_id) } else { email.to_owned() };
                let new = NewAccount {
                    kind: AccountKind::User,
                    name: name.to_owned(),
                    email: Some(email),
                    on_behalf_of: None,
                    roles: vec![Role::Owner],
                };
                self.create_account(&context, new).await?.value
            }
        };
        Ok(self.link(&self.own_context(tenant), id, OWNER_LINK_MS).await?.value)
    }

    /// The context of what Timeloom does by itself here.
    pub(super) fn own_context(&self, tenant: TenantId) -> CommandContext {
        let command = CommandId(self.inner.commands.ids().uuid());
        CommandContext::trusted(tenant, Actor::System("access".to_owned()), command)
    }

    /// Does what takes a processor and 19 MiB, of which only a few are done at once.
    pub(super) async fn with_password<T, F>(&self, work: F) -> Result<T, CommandError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // The semaphore is never closed.
        let _turn = self.inner.passwords.acquire().await.ok();
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| CommandError::Fault(timeloom_store::LogError::storage(error)))
    }
}

/// A secret is told once: the same command again has none to tell.
fn shown_once(repeated: bool) -> Result<(), CommandError> {
    if !repeated {
        return Ok(());
    }
    let message = "this was made before, and what lets in is shown once: make another, and revoke that one";
    Err(Refusal::new("SHOWN_ONCE", message).into())
}
