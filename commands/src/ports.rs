//! Where time, ids and chance come from.

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::credentials::NONCE_BYTES;
use crate::credentials::keys::{KEY_BYTES, KeyError};

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

/// Makes numbers and keys for seals.
pub trait Nonces: Send + Sync {
    /// A number that nobody can foretell and that never comes twice.
    fn nonce(&self) -> [u8; NONCE_BYTES];

    /// A key for the fields of one save, which nobody can foretell and that never comes twice.
    ///
    /// # Errors
    /// [`KeyError::NotMade`] when there is no chance to make it of.
    fn data_key(&self) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyError>;
}

/// Bytes of a secret.
pub const SECRET_BYTES: usize = 32;

/// Makes secrets.
pub trait Secrets: Send + Sync {
    /// A secret that nobody can foretell; `None` when the operating system has no chance to give.
    fn secret(&self) -> Option<Zeroizing<[u8; SECRET_BYTES]>>;
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

impl Nonces for SystemIds {
    #[expect(clippy::disallowed_methods, reason = "this is the port's one real implementation")]
    fn nonce(&self) -> [u8; NONCE_BYTES] {
        // Of each id the six bytes before its version are chance alone.
        let ids = [Uuid::new_v4(), Uuid::new_v4()];
        let mut chance = ids.iter().flat_map(|id| id.as_bytes().iter().take(6));
        std::array::from_fn(|_| chance.next().copied().unwrap_or_default())
    }

    fn data_key(&self) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyError> {
        self.secret().ok_or_else(|| KeyError::NotMade("the operating system gives no random numbers now".to_owned()))
    }
}

impl Secrets for SystemIds {
    fn secret(&self) -> Option<Zeroizing<[u8; SECRET_BYTES]>> {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        getrandom::fill(&mut *secret).ok()?;
        Some(secret)
    }
}
