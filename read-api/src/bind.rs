//! Where the API may listen when nobody signs in: only this machine may reach it then.

use std::net::SocketAddr;

/// The address is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// Others could reach it.
    #[error(
        "{0} can be reached from other machines, and nobody has to sign in: listen on 127.0.0.1 or [::1], or serve with --sign-in required"
    )]
    NotLoopback(SocketAddr),
}

/// Refuses every address that other machines can reach.
///
/// # Errors
/// [`BindError::NotLoopback`].
pub fn check_bind(address: SocketAddr) -> Result<(), BindError> {
    if address.ip().to_canonical().is_loopback() { Ok(()) } else { Err(BindError::NotLoopback(address)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_are_taken() {
        for allowed in ["127.0.0.1:80", "127.8.8.8:1", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
            assert_eq!(check_bind(allowed.parse().unwrap()), Ok(()), "{allowed}");
        }
        for refused in ["0.0.0.0:80", "192.168.1.2:80", "[::]:80", "[fe80::1]:80", "8.8.8.8:53"] {
            let error = check_bind(refused.parse().unwrap()).unwrap_err();
            assert!(error.to_string().contains("127.0.0.1"), "{error}");
        }
    }
}
