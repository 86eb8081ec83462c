//! Connections that are kept for the next run of a node with the same credential.
//!
//! Never gives a connection to another tenant, or one that was made with a credential as it was before: the key is a digest of
//! both. Invariant: at most [`IDLE_MAX`] connections wait, none of them longer than [`IDLE_TIME`] and a moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use timeloom_domain::ids::TenantId;
use timeloom_engine::node::NodeError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Most connections that wait to be used again.
pub(crate) const IDLE_MAX: usize = 64;
/// How long a connection waits to be used again.
pub(crate) const IDLE_TIME: Duration = Duration::from_secs(30);
/// Most connections of one credential at a time, where it does not say fewer.
pub(crate) const CONNECTIONS_MAX: usize = 32;
/// How long a run waits for one of a credential's connections.
const TURN_TIME: Duration = Duration::from_secs(60);

/// Whose connection it is, and made with what.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 32]);

impl Key {
    /// The key of a tenant's credential with these fields.
    pub fn of(tenant: TenantId, fields: &str) -> Self {
        let mut digest = Sha256::new();
        digest.update(tenant.0.to_be_bytes());
        digest.update(fields);
        Self(digest.finalize().into())
    }
}

/// Connections of one kind.
pub(crate) struct Pool<C> {
    shared: Arc<Shared<C>>,
    /// The task that ends connections which wait too long.
    sweeping: Mutex<JoinSet<()>>,
}

struct Shared<C> {
    kept: Mutex<Kept<C>>,
    times: Times,
}

/// How long things wait.
#[derive(Clone, Copy)]
struct Times {
    idle: Duration,
    turn: Duration,
}

struct Kept<C> {
    idle: Vec<(Key, C, Instant)>,
    /// Who may have a connection.
    turns: HashMap<Key, Weak<Semaphore>>,
}

/// A connection that a run has. Dropped it is closed; [`Pool::give_back`] keeps it.
pub(crate) struct Lent<C> {
    /// The connection.
    pub connection: C,
    key: Key,
    turn: Turn,
}

/// The right to have one of a credential's connections.
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
    key: Key,
}

impl Turn {
    /// With a connection that was made for it.
    pub fn with<C>(self, connection: C) -> Lent<C> {
        Lent { connection, key: self.key, turn: self }
    }
}

impl<C> Default for Pool<C> {
    fn default() -> Self {
        Self::waiting(Times { idle: IDLE_TIME, turn: TURN_TIME })
    }
}

impl<C> Pool<C> {
    fn waiting(times: Times) -> Self {
        let kept = Mutex::new(Kept { idle: Vec::new(), turns: HashMap::new() });
        Self { shared: Arc::new(Shared { kept, times }), sweeping: Mutex::new(JoinSet::new()) }
    }
}

impl<C: Send + 'static> Pool<C> {
    /// Waits for the right to have a connection, of which there are `count_max`; with one that waited, where there is one.
    ///
    /// # Errors
    /// [`NodeError`] when others have all of them for too long.
    pub async fn turn(&self, key: Key, count_max: usize) -> Result<(Turn, Option<C>), NodeError> {
        let turns = self.shared.turns(key, count_max);
        let permit =
            tokio::time::timeout(self.shared.times.turn, turns.acquire_owned()).await.ok().and_then(Result::ok);
        let permit = permit.ok_or_else(|| {
            NodeError::api(format!("all {count_max} connections of this credential are in use"))
                .described("allow more in the credential, or let fewer executions run at once")
        })?;
        let waiting = self.shared.take(key);
        Ok((Turn { _permit: permit, key }, waiting))
    }

    /// Keeps a connection for the next run.
    pub fn give_back(&self, lent: Lent<C>) {
        let Lent { connection, key, turn } = lent;
        drop(turn);
        self.shared.keep(key, connection);
        let mut sweeping = self.sweeping.lock().unwrap_or_else(PoisonError::into_inner);
        while sweeping.try_join_next().is_some() {}
        if sweeping.is_empty() {
            sweeping.spawn(sweep(Arc::downgrade(&self.shared), self.shared.times.idle));
        }
    }
}

/// Ends what waits too long, as long as anything waits.
async fn sweep<C>(shared: Weak<Shared<C>>, idle: Duration) {
    loop {
        tokio::time::sleep(idle).await;
        let Some(shared) = shared.upgrade() else { return };
        let now = Instant::now();
        let mut kept = shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.idle.retain(|(_, _, since)| now.duration_since(*since) < idle);
        if kept.idle.is_empty() {
            return;
        }
    }
}

impl<C> Shared<C> {
    fn turns(&self, key: Key, count_max: usize) -> Arc<Semaphore> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turns) = kept.turns.get(&key).and_then(Weak::upgrade) {
            return turns;
        }
        kept.turns.retain(|_, turns| turns.strong_count() > 0);
        let turns = Arc::new(Semaphore::new(count_max.clamp(1, CONNECTIONS_MAX)));
        kept.turns.insert(key, Arc::downgrade(&turns));
        turns
    }

    /// The one that was used last: it is the most likely to be alive.
    fn take(&self, key: Key) -> Option<C> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.idle.iter().rposition(|(known, ..)| *known == key)?;
        Some(kept.idle.remove(place).1)
    }

    fn keep(&self, key: Key, connection: C) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.idle.len() >= IDLE_MAX {
            kept.idle.remove(0);
        }
        kept.idle.push((key, connection, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    fn key(tenant: u32, fields: &str) -> Key {
        Key::of(TenantId(tenant), fields)
    }

    #[tokio::test]
    async fn a_connection_is_used_again_by_the_same_credential_alone() {
        let pool = Pool::<u8>::default();
        let (turn, waiting) = pool.turn(key(1, "a"), 2).await.unwrap();
        assert_eq!(waiting, None);
        pool.give_back(turn.with(7));
        for other in [key(2, "a"), key(1, "b")] {
            assert_eq!(pool.turn(other, 2).await.unwrap().1, None);
        }
        assert_eq!(pool.turn(key(1, "a"), 2).await.unwrap().1, Some(7));
    }

    #[tokio::test]
    async fn a_credential_has_so_many_connections_and_whoever_waits_too_long_is_told() {
        let pool = Pool::<u8>::waiting(Times { turn: Duration::from_millis(20), idle: IDLE_TIME });
        let first = pool.turn(key(1, "a"), 1).await.unwrap();
        let error = pool.turn(key(1, "a"), 1).await.err().unwrap();
        assert!(error.message.contains("all 1 connections"), "{error}");
        drop(first);
        assert!(pool.turn(key(1, "a"), 1).await.is_ok());
    }

    #[tokio::test]
    async fn what_waits_too_long_is_closed_and_no_more_than_so_many_wait() {
        let pool = Pool::<mpsc::Sender<()>>::waiting(Times { idle: Duration::from_millis(20), turn: TURN_TIME });
        let (open, mut all_closed) = mpsc::channel(1);
        let mut turns = Vec::new();
        for number in 0..IDLE_MAX + 5 {
            turns.push(pool.turn(key(1, &number.to_string()), 1).await.unwrap().0);
        }
        turns.into_iter().for_each(|turn| pool.give_back(turn.with(open.clone())));
        assert_eq!(open.strong_count(), IDLE_MAX + 1);
        drop(open);
        assert_eq!(all_closed.recv().await, None, "the last of them is closed");
    }
}
