//! Whether what somebody shows lets them in, and as whom.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use timeloom_domain::access::{Permissions, Principal};
use timeloom_domain::account::{AccountCommand, KEY_USE_EVERY_MS};
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{AccountId, CommandId, SessionId, TenantId};
use timeloom_domain::session::{SESSION_USE_EVERY_MS, Session, SessionCommand, SessionEvent};
use timeloom_store::StreamKey;

use super::Access;
use super::directory::{AccessListing, AccountEntry};
use super::token::{self, Kind};
use crate::CommandContext;
use crate::bridge::Base;

/// Most keys and sessions of which it is remembered when their use was written down.
const NOTED_MAX: usize = 10_000;
/// What comes before the id of a key and of a session in `Principal::via`.
const KEY: &str = "key:";
const SESSION: &str = "session:";

/// When the use of keys and sessions was written down by this process, in milliseconds since 1970.
pub(super) type Noted = HashMap<Arc<str>, i64>;

/// Why somebody is not let in. What is told outside is that it is not valid, and no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotLetIn {
    /// It has not the form of what lets in.
    #[error("this is no key of Timeloom: it begins with timeloom_key_ and is copied whole")]
    Malformed,
    /// There is none such, any more or ever.
    #[error("this key or session is not valid, or not any more: sign in, or ask for a new key")]
    Unknown,
    /// Its time is up.
    #[error("this key or session has expired: sign in, or ask for a new key")]
    Expired,
    /// Its account or tenant lets nobody in.
    #[error("this account lets nobody in now: ask an administrator")]
    Disabled,
}

impl Access {
    /// Who shows a key.
    ///
    /// # Errors
    /// [`NotLetIn`] when it does not let in.
    pub fn let_in_by_key(&self, text: &str) -> Result<Principal, NotLetIn> {
        let shown = token::read(Kind::Key, text).ok_or(NotLetIn::Malformed)?;
        let listing = self.directory().now();
        let known = listing.key(&shown.id).filter(|known| token::same(&known.digest, &shown.digest));
        let known = known.ok_or(NotLetIn::Unknown)?;
        if known.expires_at_ms.is_some_and(|until| until <= self.now_ms()) {
            return Err(NotLetIn::Expired);
        }
        principal(&listing, (known.tenant, known.account), known.scopes, format!("{KEY}{}", shown.id))
    }

    /// Who shows what a session gave to their browser.
    ///
    /// # Errors
    /// [`NotLetIn`] when it does not let in.
    pub fn let_in_by_session(&self, text: &str) -> Result<Principal, NotLetIn> {
        let (id, digest) = token::read_session(text).ok_or(NotLetIn::Malformed)?;
        let listing = self.directory().now();
        let known = listing.session(id).filter(|known| token::same(&known.session.digest, &digest));
        let known = known.ok_or(NotLetIn::Unknown)?;
        if known.session.lets_in_until_ms() <= self.now_ms() {
            return Err(NotLetIn::Expired);
        }
        let account = known.session.account.ok_or(NotLetIn::Unknown)?;
        principal(&listing, (known.tenant, account), None, format!("{SESSION}{id}"))
    }

    /// The same one, as they may do now; for connections that last. Who has no account stays as they are.
    ///
    /// # Errors
    /// [`NotLetIn`] when they would not be let in any more.
    pub fn renewed(&self, known: &Principal) -> Result<Principal, NotLetIn> {
        let (Some(account), Some(via)) = (known.account, &known.via) else { return Ok(known.clone()) };
        let (listing, now_ms) = (self.directory().now(), self.now_ms());
        let scopes = if let Some(key) = via.strip_prefix(KEY) {
            let key = listing.key(key).filter(|key| key.account == account).ok_or(NotLetIn::Unknown)?;
            if key.expires_at_ms.is_some_and(|until| until <= now_ms) {
                return Err(NotLetIn::Expired);
            }
            key.scopes
        } else {
            let id = via.strip_prefix(SESSION).and_then(|id| id.parse().ok()).ok_or(NotLetIn::Unknown)?;
            let session = listing.session(id).ok_or(NotLetIn::Unknown)?;
            // Who follows something uses the session, even where nothing happens.
            if session.session.expires_at_ms <= now_ms {
                return Err(NotLetIn::Expired);
            }
            None
        };
        principal(&listing, (known.tenant, account), scopes, via.to_string())
    }

    /// Writes down that a key or a session was used, where that is due. That it cannot be is no reason to keep anybody out.
    pub async fn note_use(&self, principal: &Principal) {
        let (Some(account), Some(via)) = (principal.account, &principal.via) else { return };
        let now_ms = self.now_ms();
        let listing = self.directory().now();
        let key = via.strip_prefix(KEY);
        let session = via.strip_prefix(SESSION).and_then(|id| id.parse::<SessionId>().ok());
        let (known, every) = match (key, session) {
            (Some(key), _) => (listing.key(key).and_then(|key| key.used_at_ms), KEY_USE_EVERY_MS),
            (None, Some(id)) => (listing.session(id).map(|known| known.session.used_at_ms), SESSION_USE_EVERY_MS),
            (None, None) => return,
        };
        let is_due = |last: Option<i64>| last.is_none_or(|last| now_ms.saturating_sub(last) >= every);
        if !is_due(known) || !self.take_note(via, now_ms, is_due) {
            return;
        }
        let command_id = CommandId(self.inner.commands.ids().uuid());
        let context = CommandContext::trusted(principal.tenant, principal.actor.clone(), command_id);
        let noted = match (key, session) {
            (Some(key), _) => {
                let command = AccountCommand::NoteKeyUse { key: key.to_owned(), now_ms };
                self.change(&context, account, command).await.map(|_| ())
            }
            (None, Some(id)) => self.change_session(&context, id, SessionCommand::NoteUse { now_ms }).await.map(|_| ()),
            (None, None) => Ok(()),
        };
        if let Err(error) = noted {
            tracing::debug!(%error, %via, "that it was used could not be written down");
        }
    }

    /// Whether this process is to write the use down now: of many requests at once, one does.
    fn take_note(&self, via: &Arc<str>, now_ms: i64, is_due: impl Fn(Option<i64>) -> bool) -> bool {
        // What it holds is whole after every change.
        let mut noted = self.inner.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_due(noted.get(via).copied()) {
            return false;
        }
        if noted.len() >= NOTED_MAX {
            noted.clear();
        }
        noted.insert(Arc::clone(via), now_ms);
        true
    }

    pub(super) async fn change_session(
        &self,
        context: &CommandContext,
        id: SessionId,
        command: SessionCommand,
    ) -> Result<crate::Outcome<SessionId>, crate::CommandError> {
        let stream = StreamKey::new(context.tenant, SessionEvent::CATEGORY, id.to_string());
        let done = self.inner.commands.execute::<Session>(context, stream, command, Base::Current).await?;
        self.inner.directory.wait_for(done.position).await?;
        Ok(done.with(id))
    }
}

/// Who has that account, if it lets in.
pub(super) fn principal(
    listing: &AccessListing,
    (tenant, id): (TenantId, AccountId),
    scopes: Option<Permissions>,
    via: String,
) -> Result<Principal, NotLetIn> {
    if !listing.tenant_lets_in(tenant) {
        return Err(NotLetIn::Disabled);
    }
    let entry = listing.account(tenant, id).filter(|entry| entry.lets_in()).ok_or(NotLetIn::Disabled)?;
    let permissions = listing.permissions(tenant, id);
    let on_behalf_of = entry.account.on_behalf_of.and_then(|id| listing.account(tenant, id)).map(AccountEntry::actor);
    Ok(Principal {
        tenant,
        actor: entry.actor(),
        account: Some(id),
        on_behalf_of,
        via: Some(via.into()),
        permissions: scopes.map_or(permissions, |scopes| permissions.and(scopes)),
    })
}
