//! Which addresses a request may reach: public ones, and what the deployment allows besides.
//!
//! Names are resolved by [`PublicResolver`], which hands on public addresses alone, so the address that was checked is
//! the address that is connected to. Addresses written in the URL are checked by [`reach`]. Both apply to every hop of
//! a redirect.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
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
    let with_port = format!("{name}:{}", url.port_or_known_default().unwrap_or(0));
    if policy.allow_private || policy.allowed_hosts.contains(&name) || policy.allowed_hosts.contains(&with_port) {
        return Ok(Reach::Anywhere);
    }
    let refused = match host {
        Host::Ipv4(address) => !is_public_v4(address),
        Host::Ipv6(address) => !is_public_v6(address),
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
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(NotPublic(name.as_str().to_owned()).into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Whether an address can be reached from anywhere, so that a request to it is no request into the deployment's own network.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let reserved = match (first, second, third) {
        // This network, loopback, private, multicast and reserved.
        (0 | 10 | 127 | 224..=255, ..) => true,
        // Shared space of carriers.
        (100, 64..=127, _) => true,
        // Link-local, with the metadata services of clouds.
        (169, 254, _) => true,
        (172, 16..=31, _) => true,
        // Protocol assignments, documentation, relays, private.
        (192, 0, 0 | 2) | (192, 88, 99) | (192, 168, _) => true,
        // Benchmarks.
        (198, 18 | 19, _) => true,
        // Documentation.
        (198, 51, 100) | (203, 0, 113) => true,
        _ => false,
    };
    !reserved
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match segments {
        // NAT64: the IPv4 address at the end is the one that is reached.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(embedded(high, low)),
        // 6to4: the IPv4 address follows the prefix.
        [0x2002, high, low, ..] => is_public_v4(embedded(high, low)),
        // Teredo, ORCHID and other protocol assignments; documentation.
        [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => false,
        // All other public addresses are in 2000::/3.
        [first, ..] => (0x2000..=0x3fff).contains(&first),
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
