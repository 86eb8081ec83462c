//! Where time, ids and chance come from.

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::credentials::NONCE_BYTES;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> i64;
}

/// Makes ids and chance.
pub trait Ids: Send + Sync {
    /// A new id, version 7: it sorts by time.
    fn uuid(&self) -> Uuid;

    /// A seed for an execution's chance.
    fn seed(&self) -> u64;
}

/// Bytes of a secret.
pub const SECRET_BYTES: usize = 32;

/// The operating system has no chance to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random numbers now: try again later")]
pub struct NoChance;

/// Makes numbers for seals, and secrets.
pub trait Secrets: Send + Sync {
    /// A number that nobody can foretell and that never comes twice.
    fn nonce(&self) -> [u8; NONCE_BYTES];

    /// A secret that nobody can foretell and that never comes twice.
    ///
    /// # Errors
    /// [`NoChance`] when there is nothing to make it of.
    fn secret(&self) -> Result<Zeroizing<[u8; SECRET_BYTES]>, NoChance>;
}

/// Ids of the operating system's chance and clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemIds;

impl Ids for SystemIds {
    #[expect(clippy::disallowed_methods, reason = "this is the port's one real implementation")]
    fn uuid(&self) -> Uuid {
        Uuid::now_v7()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the port's one real implementation")]
    fn seed(&self) -> u64 {
        // 53 bits: the seed is written as a JSON number, which JavaScript readers keep exact up to there.
        Uuid::new_v4().as_u64_pair().0 >> 11
    }
}

impl Secrets for SystemIds {
    #[expect(clippy::disallowed_methods, reason = "this is the port's one real implementation")]
    fn nonce(&self) -> [u8; NONCE_BYTES] {
        // Of each id the six bytes before its version are chance alone.
        let ids = [Uuid::new_v4(), Uuid::new_v4()];
        let mut chance = ids.iter().flat_map(|id| id.as_bytes().iter().take(6));
        std::array::from_fn(|_| chance.next().copied().unwrap_or_default())
    }

    fn secret(&self) -> Result<Zeroizing<[u8; SECRET_BYTES]>, NoChance> {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        getrandom::fill(&mut *secret).map_err(|_| NoChance)?;
        Ok(secret)
    }
}
