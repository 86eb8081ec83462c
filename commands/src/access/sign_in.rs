//! Signing in: by a password, a link, or at an identity provider; and what is written down of who was refused.

use timeloom_domain::access::{Permission, Principal};
use timeloom_domain::account::AccountCommand;
use timeloom_domain::audit::AuditEvent;
use timeloom_domain::ids::{AccountId, CommandId, FIRST_TENANT, SessionId, TenantId};
use timeloom_domain::session::{SESSION_TIME_MAX_MS, SessionCommand, SessionEnd, SignInMethod};
use timeloom_store::RequestFacts;
use zeroize::Zeroizing;

use super::let_in::principal;
use super::token::{self, Kind};
use super::{Access, password};
use crate::{CommandContext, CommandError, Outcome, Refusal};

/// Time over which refusals are counted, in milliseconds.
const SAMPLE_MS: i64 = 60_000;
/// Most refusals of that time that are written down one by one.
const SAMPLE_MAX: u32 = 30;
/// Most characters of what a browser says of itself.
const USER_AGENT_CHARACTERS_MAX: usize = 300;

/// From where somebody signs in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignInFrom {
    /// From which address.
    pub address: Option<String>,
    /// What the browser says it is.
    pub user_agent: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
}

/// Somebody who signed in.
pub struct SignedIn {
    /// What the browser shows from now on. It is told this once.
    pub token: Zeroizing<String>,
    /// The session.
    pub session: SessionId,
    /// Who they are.
    pub principal: Principal,
    /// Until when the session lets in at most, in milliseconds since 1970.
    pub expires_at_ms: i64,
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SignedIn").field("session", &self.session).finish_non_exhaustive()
    }
}

/// Why somebody is not let in, as they are told: no more than they need to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignInRefusal {
    /// Nobody has that name and password.
    #[error("the e-mail address or the password is wrong")]
    WrongPassword,
    /// The link does not let in.
    #[error("this link does not let in: it was used, has expired, or never was one; ask for a new one")]
    LinkNotValid,
    /// Nobody is known by that identity.
    #[error("nobody here has this identity: ask an administrator to link it to your account")]
    UnknownIdentity,
    /// The account or the tenant lets nobody in.
    #[error("this account lets nobody in now: ask an administrator")]
    Disabled,
}

/// Why somebody could not sign in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// They are not let in.
    #[error(transparent)]
    Refused(#[from] SignInRefusal),
    /// It could not be done.
    #[error(transparent)]
    Failed(#[from] CommandError),
}

impl From<timeloom_store::LogError> for SignInError {
    fn from(error: timeloom_store::LogError) -> Self {
        Self::Failed(error.into())
    }
}

/// Counts refusals, so that who tries without end does not fill the log.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    since_ms: i64,
    count: u32,
    unrecorded: u64,
}

impl Sampler {
    /// Whether this one is to be written down, and how many were not since the last that was.
    fn take(&mut self, now_ms: i64) -> Option<u64> {
        if now_ms.saturating_sub(self.since_ms) >= SAMPLE_MS {
            (self.since_ms, self.count) = (now_ms, 0);
        }
        self.count = self.count.saturating_add(1);
        if self.count > SAMPLE_MAX {
            self.unrecorded += 1;
            return None;
        }
        Some(std::mem::take(&mut self.unrecorded))
    }
}

/// Whether a text has a name of a host behind an `@`.
fn looks_like_an_address(text: &str) -> bool {
    let is_host = |host: &str| {
        host.split('.')
            .all(|label| !label.is_empty() && label.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-'))
    };
    text.rsplit_once('@').is_some_and(|(name, host)| !name.is_empty() && is_host(host))
}

impl Access {
    /// Lets in who knows the password of an address. Takes as long for an address that nobody has.
    ///
    /// # Errors
    /// [`SignInError`], which does not tell whether somebody has that address.
    pub async fn sign_in_by_password(
        &self,
        tenant: TenantId,
        email: &str,
        password: &str,
        from: SignInFrom,
    ) -> Result<SignedIn, SignInError> {
        let listing = self.directory().caught_up().await?;
        let found = listing.account_by_email(tenant, email);
        let sealed = found.and_then(|entry| Some((entry.id, entry.account.password.clone()?)));
        let keys = self.inner.keys.keys().map_err(Refusal::from).map_err(CommandError::from)?;
        // Too long a password is none, and is not worth a processor.
        let given =
            Zeroizing::new(if password.len() <= password::PASSWORD_BYTES_MAX { password } else { "" }.to_owned());
        let known = self
            .with_password(move || match sealed {
                Some((id, sealed)) => match password::is_right(&keys, (tenant, id), &sealed, &given) {
                    Some(is_right) => is_right.then_some(id),
                    None => {
                        tracing::error!(account = %id, key = sealed.key, "a password cannot be opened: is its key lost?");
                        None
                    }
                },
                None => {
                    password::pretend(&given);
                    None
                }
            })
            .await?;
        match known {
            Some(id) => self.start_session(tenant, id, SignInMethod::Password, from).await,
            None => {
                // Whoever types a password where the address belongs is not to find it in the log.
                let name = Some(email).filter(|email| looks_like_an_address(email));
                self.refuse(tenant, (SignInMethod::Password, name), SignInRefusal::WrongPassword, from).await
            }
        }
    }

    /// Lets in who has a link, once.
    ///
    /// # Errors
    /// [`SignInError`] when it does not let in.
    pub async fn sign_in_by_link(&self, text: &str, from: SignInFrom) -> Result<SignedIn, SignInError> {
        let refusal = SignInRefusal::LinkNotValid;
        let listing = self.directory().caught_up().await?;
        let shown = token::read(Kind::Link, text);
        let place = shown.as_ref().and_then(|shown| listing.link(&shown.id));
        let (Some(shown), Some((tenant, id))) = (shown, place) else {
            return self.refuse(FIRST_TENANT, (SignInMethod::Link, None), refusal, from).await;
        };
        let context = self.signing_in(tenant, &listing, id, &from);
        let command = AccountCommand::UseLink { link: shown.id, digest: shown.digest, now_ms: self.now_ms() };
        match self.change(&context, id, command).await {
            Ok(_) => self.start_session(tenant, id, SignInMethod::Link, from).await,
            Err(CommandError::Refused(_)) => self.refuse(tenant, (SignInMethod::Link, None), refusal, from).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Lets in whom an identity provider knows by a name; that it does is for the caller to have made sure of.
    ///
    /// # Errors
    /// [`SignInError`] when nobody here has that identity.
    pub async fn sign_in_by_identity(
        &self,
        tenant: TenantId,
        issuer: &str,
        subject: &str,
        from: SignInFrom,
    ) -> Result<SignedIn, SignInError> {
        let listing = self.directory().caught_up().await?;
        match listing.account_by_identity(tenant, issuer, subject).map(|entry| entry.id) {
            Some(id) => self.start_session(tenant, id, SignInMethod::Oidc, from).await,
            None => {
                let who = (SignInMethod::Oidc, Some(subject));
                self.refuse(tenant, who, SignInRefusal::UnknownIdentity, from).await
            }
        }
    }

    /// Ends a session: one's own, or with `account:write` that of another.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn end_session(
        &self,
        context: &CommandContext,
        id: SessionId,
    ) -> Result<Outcome<SessionId>, CommandError> {
        let listing = self.directory().caught_up().await?;
        let account = listing.session(id).filter(|known| known.tenant == context.tenant);
        let account = account.and_then(|known| known.session.account);
        let own = account.and_then(|account| listing.account(context.tenant, account)).map(|entry| entry.actor());
        let is_own = own.is_some_and(|own| own == context.actor);
        if !is_own {
            context.require(Permission::AccountWrite)?;
        }
        let why = if is_own { SessionEnd::SignedOut } else { SessionEnd::Revoked };
        self.change_session(context, id, SessionCommand::End(why)).await
    }

    async fn start_session(
        &self,
        tenant: TenantId,
        account: AccountId,
        method: SignInMethod,
        from: SignInFrom,
    ) -> Result<SignedIn, SignInError> {
        let listing = self.directory().caught_up().await?;
        let id = SessionId(self.inner.commands.ids().uuid());
        let Ok(principal) = principal(&listing, (tenant, account), None, format!("session:{id}")) else {
            return self.refuse(tenant, (method, None), SignInRefusal::Disabled, from).await;
        };
        let made = token::make_session(id, &*self.inner.chance).map_err(CommandError::from)?;
        let now_ms = self.now_ms();
        let context = self.signing_in(tenant, &listing, account, &from);
        let cut = |text: String| text.chars().take(USER_AGENT_CHARACTERS_MAX).collect();
        let command = SessionCommand::Start {
            account,
            method,
            digest: made.digest,
            now_ms,
            address: from.address,
            user_agent: from.user_agent.map(cut),
        };
        self.change_session(&context, id, command).await?;
        let expires_at_ms = now_ms.saturating_add(SESSION_TIME_MAX_MS);
        Ok(SignedIn { token: made.text, session: id, principal, expires_at_ms })
    }

    /// The context of who is just about to be let in.
    fn signing_in(
        &self,
        tenant: TenantId,
        listing: &super::AccessListing,
        id: AccountId,
        from: &SignInFrom,
    ) -> CommandContext {
        let own = self.own_context(tenant);
        let actor = listing.account(tenant, id).map_or(own.actor.clone(), super::AccountEntry::actor);
        let request_id = from.request_id.clone();
        let request = request_id.is_some().then(|| RequestFacts { request_id, ..RequestFacts::default() }.into());
        CommandContext { actor, request, ..own }
    }

    /// Refuses, and writes it down as far as that is not too often.
    async fn refuse<T>(
        &self,
        tenant: TenantId,
        (method, name): (SignInMethod, Option<&str>),
        refusal: SignInRefusal,
        from: SignInFrom,
    ) -> Result<T, SignInError> {
        let due = {
            // What it holds is whole after every change.
            let mut sampler = self.inner.refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            sampler.take(self.now_ms())
        };
        if let Some(unrecorded) = due {
            let request = from.request_id.map(|id| RequestFacts { request_id: Some(id), ..RequestFacts::default() });
            let context = CommandContext { request: request.map(Into::into), ..self.own_context(tenant) };
            let context = CommandContext { command_id: CommandId(self.inner.commands.ids().uuid()), ..context };
            let event = AuditEvent::SignInRefused {
                method: method.name().to_owned(),
                name: name.map(str::to_owned),
                why: refusal.to_string(),
                address: from.address,
                unrecorded,
            };
            if let Err(error) = self.write_down(&context, event).await {
                tracing::warn!(%error, "that somebody was not let in could not be written down");
            }
        }
        Err(refusal.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_host_is_no_address() {
        for text in ["ada@example.org", "owner@localhost", "a+b@x-1.example"] {
            assert!(looks_like_an_address(text), "{text}");
        }
        for text in ["", "correct horse battery", "@example.org", "p@ss word", "p@ss!", "p@", "p@.x", "ada"] {
            assert!(!looks_like_an_address(text), "{text}");
        }
    }
}
