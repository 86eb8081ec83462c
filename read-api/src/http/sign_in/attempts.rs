//! How often somebody may try to sign in: from one address, and as one name, so that passwords cannot be guessed.

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use timeloom_domain::ids::TenantId;

use crate::limits::Limiter;

/// Tries from one address in a minute.
const BY_ADDRESS: u32 = 20;
/// Tries as one name in a minute. More than a person needs: somebody else must not keep them out.
const BY_NAME: u32 = 10;

/// The tries of late.
#[derive(Debug)]
pub(in crate::http) struct Attempts {
    by_address: Limiter<String>,
    by_name: Limiter<[u8; 32]>,
}

impl Default for Attempts {
    fn default() -> Self {
        Self { by_address: Limiter::per_minute(BY_ADDRESS), by_name: Limiter::per_minute(BY_NAME) }
    }
}

impl Attempts {
    /// A try from an address, as a name of a tenant where one is given.
    ///
    /// # Errors
    /// How long to wait, when there were too many.
    pub(super) fn take(&self, address: Option<&str>, name: Option<(TenantId, &str)>) -> Result<(), Duration> {
        let now = Instant::now();
        self.by_address.take(address.unwrap_or("unknown").to_owned(), 1, now)?;
        let Some((tenant, name)) = name else { return Ok(()) };
        // Names may be long, and are nobody's business here.
        let digest = Sha256::digest(format!("{} {}", tenant.0, name.trim().to_lowercase()));
        self.by_name.take(digest.into(), 1, now).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_guesses_on_and_on() {
        let attempts = Attempts::default();
        for index in 0..BY_NAME {
            let address = format!("192.0.2.{index}");
            assert_eq!(attempts.take(Some(&address), Some((TenantId(0), "ada@example.org"))), Ok(()));
        }
        assert!(attempts.take(Some("198.51.100.1"), Some((TenantId(0), " Ada@example.org "))).is_err());
        assert!(attempts.take(Some("198.51.100.1"), Some((TenantId(1), "ada@example.org"))).is_ok());
        for _ in 0..BY_ADDRESS {
            let _ = attempts.take(Some("203.0.113.9"), None);
        }
        assert!(attempts.take(Some("203.0.113.9"), None).is_err());
    }
}
