//! What the operator of a deployment allows.

use std::collections::BTreeSet;
use std::time::Duration;

/// What nodes may connect to, and how much may come back.
#[derive(Debug, Clone, Default)]
pub struct OutboundPolicy {
    /// Allow loopback, link-local and private addresses.
    pub allow_private: bool,
    /// Host names or addresses (`host` or `host:port`) that are allowed although they are private.
    pub allowed_hosts: BTreeSet<String>,
    /// Longest time for one request, its answer included.
    pub request_time_max: Duration,
    /// Largest answer, in bytes.
    pub response_bytes_max: usize,
    /// Largest answer that becomes an attachment, in bytes: it is not held in memory.
    pub file_bytes_max: usize,
}

impl OutboundPolicy {
    /// Whether the host may be reached at any address, private ones too. An address of IPv6 is known with brackets and without.
    pub fn allows_anywhere(&self, host: &str, port: u16) -> bool {
        if self.allow_private {
            return true;
        }
        let bare = bare_host(host);
        let written = if bare.contains(':') { format!("[{bare}]") } else { bare.to_owned() };
        let with_port = format!("{written}:{port}");
        [bare, &written, &with_port].into_iter().any(|name| self.allowed_hosts.contains(name))
    }
}

/// A host without the brackets that addresses of IPv6 have in URLs, and without blanks around it.
pub fn bare_host(host: &str) -> &str {
    let host = host.trim();
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_allowed_with_its_port_or_with_all() {
        let allowing = |host: &str| OutboundPolicy {
            allowed_hosts: BTreeSet::from([host.to_owned()]),
            ..OutboundPolicy::default()
        };
        assert!(allowing("db.local:5432").allows_anywhere("db.local", 5432));
        assert!(!allowing("db.local:5432").allows_anywhere("db.local", 22));
        assert!(allowing("db.local").allows_anywhere("db.local", 22));
        assert!(allowing("[::1]:6379").allows_anywhere("::1", 6379));
        assert!(allowing("::1").allows_anywhere("[::1]", 6379));
        assert!(!OutboundPolicy::default().allows_anywhere("localhost", 80));
    }
}
