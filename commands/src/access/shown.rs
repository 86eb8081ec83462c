//! What somebody shows before they change the password of their own account: who finds a browser that is signed in is not to
//! stay when its user signs out.
//!
//! A session that has just begun shows enough, else the password as it is now. Invariant: only a few wrong ones are looked at
//! in a time, so that nobody finds a password in this way.

use std::collections::HashMap;
use std::sync::PoisonError;

use timeloom_domain::ids::{AccountId, TenantId};
use timeloom_domain::session::SESSION_TIME_MAX_MS;
use zeroize::Zeroizing;

use super::rules::is_own_and_signed_in;
use super::{Access, password};
use crate::{CommandContext, CommandError, Refusal};

/// How long after somebody signed in nothing more has to be shown, in milliseconds.
pub const SESSION_FRESH_MS: i64 = 5 * 60_000;
/// Wrong passwords of one account that are looked at in [`TRIES_TIME_MS`].
const TRIES_MAX: u32 = 5;
/// The time in which they are counted, in milliseconds.
const TRIES_TIME_MS: i64 = 5 * 60_000;
/// Accounts whose wrong passwords are counted; of more, the one that was counted first is forgotten.
const TRIED_ACCOUNTS_MAX: usize = 1_000;

/// Wrong passwords by account: since when they are counted, and how many there were.
#[derive(Debug, Default)]
pub(super) struct Tries(HashMap<(TenantId, AccountId), (i64, u32)>);

impl Tries {
    /// Takes a try before the password is looked at, so that those who ask at once get no more of them; or how many
    /// milliseconds to wait for one.
    fn take(&mut self, place: (TenantId, AccountId), now_ms: i64) -> Result<(), i64> {
        self.0.retain(|_, (since_ms, _)| now_ms.saturating_sub(*since_ms) < TRIES_TIME_MS);
        if !self.0.contains_key(&place) && self.0.len() >= TRIED_ACCOUNTS_MAX {
            let oldest = self.0.iter().min_by_key(|(_, (since_ms, _))| *since_ms).map(|(place, _)| *place);
            oldest.map(|oldest| self.0.remove(&oldest));
        }
        let (since_ms, count) = self.0.entry(place).or_insert((now_ms, 0));
        if *count >= TRIES_MAX {
            return Err(since_ms.saturating_add(TRIES_TIME_MS).saturating_sub(now_ms));
        }
        *count += 1;
        Ok(())
    }

    /// Gives a try back that was not a wrong password.
    fn give_back(&mut self, place: (TenantId, AccountId)) {
        if let Some((_, count)) = self.0.get_mut(&place) {
            *count = count.saturating_sub(1);
        }
    }
}

impl Access {
    /// Whether somebody has to show the password of an account before they change it.
    pub fn asks_for_password(&self, context: &CommandContext, id: AccountId) -> bool {
        is_own_and_signed_in(context, id) && !self.signed_in_lately(context)
    }

    /// Refuses the change of one's own password by whom a session let in that is not fresh, unless the password is shown.
    pub(super) async fn check_shown(
        &self,
        context: &CommandContext,
        id: AccountId,
        shown: Option<&str>,
    ) -> Result<(), CommandError> {
        if !is_own_and_signed_in(context, id) {
            return Ok(());
        }
        let Some(shown) = shown else {
            let message = "say which password it has now, or sign in again: a session that is older than five minutes \
                           is not enough";
            let is_fresh = self.signed_in_lately(context);
            return if is_fresh { Ok(()) } else { Err(Refusal::new("SIGN_IN_AGAIN", message).into()) };
        };
        let place = (context.tenant, id);
        let taken = self.tries().take(place, self.now_ms());
        if let Err(wait_ms) = taken {
            let seconds = wait_ms.saturating_add(999) / 1_000;
            let message = format!("too many wrong passwords: try again in {seconds} s, or sign in again");
            return Err(Refusal::new("TOO_MANY_TRIES", message).into());
        }
        let is_right = self.is_password(place, shown).await;
        if !matches!(is_right, Ok(false)) {
            self.tries().give_back(place);
        }
        if is_right? {
            return Ok(());
        }
        let message = "that is not the password that the account has now: say it again, or sign in again";
        Err(Refusal::new("WRONG_PASSWORD", message).into())
    }

    /// Whether the session that let somebody in has just begun.
    fn signed_in_lately(&self, context: &CommandContext) -> bool {
        let via = context.request.as_ref().and_then(|request| request.via.as_deref()).unwrap_or_default();
        let session = via.strip_prefix("session:").and_then(|id| id.parse().ok());
        let listing = self.directory().now();
        let known = session.and_then(|id| listing.session(id)).filter(|known| known.tenant == context.tenant);
        known.is_some_and(|known| {
            let began_ms = known.session.expires_at_ms.saturating_sub(SESSION_TIME_MAX_MS);
            self.now_ms().saturating_sub(began_ms) < SESSION_FRESH_MS
        })
    }

    async fn is_password(&self, place: (TenantId, AccountId), shown: &str) -> Result<bool, CommandError> {
        let listing = self.directory().now();
        let sealed = listing.account(place.0, place.1).and_then(|entry| entry.account.password.clone());
        let Some(sealed) = sealed.filter(|_| shown.len() <= password::PASSWORD_BYTES_MAX) else { return Ok(false) };
        let keys = self.inner.keys.keys().map_err(Refusal::from)?;
        let shown = Zeroizing::new(shown.to_owned());
        let is_right = self.with_password(move || password::is_right(&keys, place, &sealed, &shown)).await?;
        Ok(is_right.unwrap_or_default())
    }

    fn tries(&self) -> std::sync::MutexGuard<'_, Tries> {
        // Every change of it is whole.
        self.inner.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn place(number: u128) -> (TenantId, AccountId) {
        (TenantId(0), AccountId(Uuid::from_u128(number)))
    }

    #[test]
    fn a_few_are_looked_at_in_a_time_and_each_account_has_its_own() {
        let mut tries = Tries::default();
        for _ in 0..TRIES_MAX {
            assert_eq!(tries.take(place(1), 10), Ok(()));
        }
        assert_eq!(tries.take(place(1), 11), Err(TRIES_TIME_MS - 1));
        tries.give_back(place(1));
        assert_eq!((tries.take(place(1), 11), tries.take(place(1), 11)), (Ok(()), Err(TRIES_TIME_MS - 1)));
        assert_eq!((tries.take(place(2), 11), tries.take(place(1), 10 + TRIES_TIME_MS)), (Ok(()), Ok(())));
    }

    #[test]
    fn no_more_accounts_are_counted_than_may_be() {
        let mut tries = Tries::default();
        for number in 0..TRIED_ACCOUNTS_MAX + 5 {
            tries.take(place(number as u128), number as i64).unwrap();
        }
        assert_eq!(tries.0.len(), TRIED_ACCOUNTS_MAX);
        assert!(!tries.0.contains_key(&place(0)) && tries.0.contains_key(&place(5)));
    }
}
