//! How the rules of `timeloom-egress` reach requests of HTTP, whose client connects by itself.
//!
//! Names are resolved by [`PublicResolver`], which hands on public addresses alone, so the address that was checked is
//! the address that is connected to. Addresses written in the URL are checked by [`reach`]. Both apply to every hop of
//! a redirect.

use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use timeloom_egress::{EgressError, is_public, resolve_public};
use timeloom_engine::node::{NodeError, OutboundPolicy};
use url::{Host, Url};

/// How a URL may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// At any address.
    Anywhere,
    /// At public addresses alone.
    PublicOnly,
}

/// Whether and how `url` may be reached.
///
/// # Errors
/// [`NodeError`] for other schemes than HTTP, a URL without host, and addresses that are not public.
pub(super) fn reach(url: &Url, policy: &OutboundPolicy) -> Result<Reach, NodeError> {
    if !matches!(url.scheme(), "http" | "https") {
        let message = format!("requests to '{}:' URLs are refused: use http or https", url.scheme());
        return Err(NodeError::operation(message));
    }
    let Some(host) = url.host() else {
        return Err(NodeError::operation(format!("the URL '{url}' names no host")));
    };
    let name = host.to_string();
    if policy.allows_anywhere(&name, url.port_or_known_default().unwrap_or(0)) {
        return Ok(Reach::Anywhere);
    }
    let refused = match host {
        Host::Ipv4(address) => !is_public(IpAddr::V4(address)),
        Host::Ipv6(address) => !is_public(IpAddr::V6(address)),
        Host::Domain(_) => false,
    };
    if refused { Err(refusal(&name)) } else { Ok(Reach::PublicOnly) }
}

/// The error for a host at an address that is not public.
pub(super) fn refusal(host: &str) -> NodeError {
    NodeError::operation(format!("requests to '{host}' are refused: its address is private or reserved"))
        .described("the operator of this deployment can allow the host for outbound requests")
}

/// Whether the host is public as far as this machine can tell, for hosts that a proxy connects to.
///
/// # Errors
/// [`NodeError`] when all its addresses here are private. A name that is not known here is the proxy's own affair.
pub(super) async fn resolves_publicly(url: &Url) -> Result<(), NodeError> {
    let Some(Host::Domain(name)) = url.host() else { return Ok(()) };
    let Ok(found) = tokio::net::lookup_host((name, 0)).await else { return Ok(()) };
    let addresses: Vec<SocketAddr> = found.collect();
    if !addresses.is_empty() && !addresses.iter().any(|address| is_public(address.ip())) {
        return Err(refusal(name));
    }
    Ok(())
}

/// Resolves names to public addresses alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct PublicResolver;

/// No address of the name is public.
#[derive(Debug, thiserror::Error)]
#[error("no address of '{0}' is public")]
pub(super) struct NotPublic(pub String);

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            match resolve_public(name.as_str()).await {
                Ok(public) => Ok(Box::new(public.into_iter()) as Addrs),
                Err(EgressError::NotPublic(name)) => Err(NotPublic(name).into()),
                Err(error) => Err(error.into()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(url: &str, policy: &OutboundPolicy) -> Result<Reach, String> {
        reach(&Url::parse(url).unwrap(), policy).map_err(|error| error.message)
    }

    #[test]
    fn private_addresses_are_refused_in_every_spelling() {
        for host in [
            "127.0.0.1",
            "2130706433",
            "0x7f.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.2.1",
            "[::1]",
            "[::]",
            "[fe80::1]",
            "[fc00::1]",
            "[fd12::1]",
            "[ff02::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:10.0.0.1]",
            "[64:ff9b::10.0.0.1]",
            "[64:ff9b:1::1]",
            "[2002:7f00:1::]",
            "[2001:0:1::1]",
            "[2001:db8::1]",
            "[::127.0.0.1]",
            "[100::1]",
        ] {
            let refused = reached(&format!("http://{host}/"), &OutboundPolicy::default());
            assert!(refused.is_err_and(|message| message.contains("private or reserved")), "{host}");
        }
    }

    #[test]
    fn public_addresses_and_names_are_reached_publicly() {
        for host in ["8.8.8.8", "[2606:4700::1111]", "[::ffff:8.8.8.8]", "[64:ff9b::8.8.8.8]", "example.org"] {
            let reached = reached(&format!("https://{host}/"), &OutboundPolicy::default());
            assert_eq!(reached, Ok(Reach::PublicOnly), "{host}");
        }
    }

    #[test]
    fn other_schemes_are_refused() {
        let refused =
            reached("file:///etc/passwd", &OutboundPolicy { allow_private: true, ..OutboundPolicy::default() });
        assert!(refused.is_err_and(|message| message.contains("use http or https")));
    }

    #[test]
    fn the_deployment_can_allow_hosts() {
        let allowed = |host: &str| OutboundPolicy {
            allowed_hosts: std::iter::once(host.to_owned()).collect(),
            ..OutboundPolicy::default()
        };
        assert_eq!(reached("http://127.0.0.1:8080/", &allowed("127.0.0.1:8080")), Ok(Reach::Anywhere));
        assert_eq!(reached("http://intranet/", &allowed("intranet")), Ok(Reach::Anywhere));
        assert!(reached("http://127.0.0.1:8081/", &allowed("127.0.0.1:8080")).is_err());
    }

    #[tokio::test]
    async fn names_of_private_addresses_do_not_resolve() {
        let name: Name = "localhost".parse().unwrap();
        let Err(error) = PublicResolver.resolve(name).await else { panic!("localhost resolved") };
        assert!(error.to_string().contains("no address of 'localhost' is public"));
    }
}
