//! Looks a host up, checks what is found, and connects to what was checked.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};

use crate::address::is_public;
use crate::error::EgressError;
use crate::policy::{OutboundPolicy, bare_host};

/// Most addresses of one host that are tried.
pub const ADDRESSES_MAX: usize = 8;
/// Most characters of a host's name.
const HOST_CHARS_MAX: usize = 253;

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Until there is a connection, the look-up of the name included; and the same again for agreeing on TLS.
    pub connect: Duration,
}

/// Connects to a host that the policy lets be reached, at an address that was checked.
///
/// # Errors
/// [`EgressError`] when the host is refused, cannot be found, or takes no connection in time.
pub async fn connect(
    host: &str,
    port: u16,
    policy: &OutboundPolicy,
    timeouts: Timeouts,
) -> Result<TcpStream, EgressError> {
    let deadline = Instant::now() + timeouts.connect;
    let too_slow = || EgressError::TooSlow { host: bare_host(host).to_owned(), port, within: timeouts.connect };
    let addresses = timeout_at(deadline, resolve(host, port, policy)).await.map_err(|_| too_slow())??;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for (tried, address) in addresses.iter().enumerate() {
        // One address that answers nobody must not take the time of the others.
        let left = deadline.saturating_duration_since(Instant::now());
        let others = u32::try_from(addresses.len() - tried).unwrap_or(1);
        match timeout(left / others, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Protocols of questions and answers wait for each small packet.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::from(io::ErrorKind::TimedOut),
        }
    }
    if last.kind() == io::ErrorKind::TimedOut {
        return Err(too_slow());
    }
    Err(EgressError::Unreachable { host: bare_host(host).to_owned(), port, source: last })
}

/// Another connection to the address of one that is open: protocols such as FTP have one for questions and one for files. The
/// port is the other side's choice, the address is not.
///
/// # Errors
/// [`EgressError`] when it takes no connection in time.
pub async fn connect_again(checked: IpAddr, port: u16, timeouts: Timeouts) -> Result<TcpStream, EgressError> {
    let host = checked.to_string();
    match timeout(timeouts.connect, TcpStream::connect((checked, port))).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(source)) => Err(EgressError::Unreachable { host, port, source }),
        Err(_) => Err(EgressError::TooSlow { host, port, within: timeouts.connect }),
    }
}

/// The addresses at which a host may be reached, at most [`ADDRESSES_MAX`] and at least one.
///
/// # Errors
/// [`EgressError`] when it is none, cannot be found, or has private addresses alone and is not allowed.
pub async fn resolve(host: &str, port: u16, policy: &OutboundPolicy) -> Result<Vec<SocketAddr>, EgressError> {
    let name = checked(host)?;
    let mut found = look_up(name, port).await?;
    if !policy.allows_anywhere(name, port) {
        found.retain(|address| is_public(address.ip()));
        if found.is_empty() {
            return Err(EgressError::NotPublic(name.to_owned()));
        }
    }
    found.truncate(ADDRESSES_MAX);
    Ok(found)
}

/// The public addresses of a name, for clients that bring a port of their own.
///
/// # Errors
/// [`EgressError`] when it cannot be found or has private addresses alone.
pub async fn resolve_public(name: &str) -> Result<Vec<SocketAddr>, EgressError> {
    resolve(name, 0, &OutboundPolicy::default()).await
}

fn checked(host: &str) -> Result<&str, EgressError> {
    let name = bare_host(host);
    let is_address = name.parse::<IpAddr>().is_ok();
    let odd = |letter: char| letter.is_whitespace() || letter.is_control() || "/\\@:?#[]%".contains(letter);
    if name.is_empty() || name.len() > HOST_CHARS_MAX || (!is_address && name.contains(odd)) {
        return Err(EgressError::BadHost(name.chars().take(HOST_CHARS_MAX).collect()));
    }
    Ok(name)
}

async fn look_up(name: &str, port: u16) -> Result<Vec<SocketAddr>, EgressError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let unknown = |source| EgressError::Unknown { host: name.to_owned(), source };
    let found: Vec<SocketAddr> = lookup_host((name, port)).await.map_err(unknown)?.collect();
    if found.is_empty() { Err(unknown(io::Error::from(io::ErrorKind::NotFound))) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tokio::net::TcpListener;

    use super::*;

    const SOON: Timeouts = Timeouts { connect: Duration::from_secs(5) };

    fn allowing(host: &str) -> OutboundPolicy {
        OutboundPolicy { allowed_hosts: BTreeSet::from([host.to_owned()]), ..OutboundPolicy::default() }
    }

    #[tokio::test]
    async fn private_addresses_are_refused_in_every_spelling() {
        let policy = OutboundPolicy::default();
        for host in ["127.0.0.1", "localhost", "[::1]", "::1", "10.1.2.3", "169.254.169.254", "0x7f.1", "2130706433"] {
            let refused = connect(host, 5432, &policy, SOON).await.unwrap_err();
            assert!(matches!(refused, EgressError::NotPublic(_)), "{host}: {refused}");
            assert!(refused.is_refusal() && refused.to_string().contains("private or reserved"), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_host_that_the_operator_allows_is_connected_to_at_that_port_alone() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let policy = allowing(&format!("localhost:{port}"));
        let stream = connect("localhost", port, &policy, SOON).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().port(), port);
        let refused = connect("localhost", port.wrapping_add(1), &policy, SOON).await.unwrap_err();
        assert!(matches!(refused, EgressError::NotPublic(_)), "{refused}");
        assert!(connect("127.0.0.1", port, &policy, SOON).await.is_err(), "another name is another host");
    }

    #[tokio::test]
    async fn what_is_no_host_is_refused_before_it_is_looked_up() {
        for host in ["", " ", "a b", "http://db.example", "db.example/x", "user@db.example", &"a".repeat(300)] {
            let refused = connect(host, 1, &OutboundPolicy::default(), SOON).await.unwrap_err();
            assert!(matches!(refused, EgressError::BadHost(_)), "{host}: {refused}");
        }
    }

    #[tokio::test]
    async fn a_port_at_which_nobody_listens_is_told_with_host_and_port() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let error = connect("127.0.0.1", port, &allowing("127.0.0.1"), SOON).await.unwrap_err();
        assert!(matches!(error, EgressError::Unreachable { .. }) && !error.is_refusal(), "{error}");
        assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
    }
}
