//! Under which names this deployment is reached, and of which pages a browser may send requests here.
//!
//! A browser can be made to send requests by any page that it shows (DNS rebinding, cross-site requests, sockets opened
//! from elsewhere); such a request names another host or another origin, and is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Url;

/// Characters of a name that is told back.
const SHOWN_CHARACTERS_MAX: usize = 100;

/// The names under which this deployment is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Places {
    /// This machine's own, for its own programs and pages, of whatever port.
    ThisMachine,
    /// This machine's own with the port that is listened on, the public one, and those that were allowed.
    Named {
        /// Scheme, name and port of the public address.
        public: Option<(String, String, u16)>,
        /// Names, with a port where it matters.
        allowed: Vec<(String, Option<u16>)>,
    },
}

impl Places {
    /// Those of a deployment with that public address and these other names.
    pub(super) fn named(public_url: &str, allowed: &[String]) -> Self {
        let public = Url::parse(public_url).ok().and_then(|url| {
            let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
            Some((url.scheme().to_owned(), host, url.port_or_known_default()?))
        });
        let allowed = allowed.iter().filter_map(|text| split(text.trim()));
        let allowed = allowed.map(|(name, port)| (name.to_ascii_lowercase(), port)).collect();
        Self::Named { public, allowed }
    }

    /// Refuses a request that names another host than these, or that a page of elsewhere sends. `port` is the one that is
    /// listened on.
    pub(super) fn check(&self, host: Option<&str>, origin: Option<&str>, port: u16) -> Result<(), String> {
        let host = host.ok_or_else(|| "the Host header is missing: send it".to_owned())?;
        if !split(host).is_some_and(|(name, asked)| self.is_own(name, asked, None, port)) {
            return Err(self.other_host(host, port));
        }
        self.check_origin(origin, port)
    }

    /// Refuses what a page of elsewhere sends.
    pub(super) fn check_origin(&self, origin: Option<&str>, port: u16) -> Result<(), String> {
        let Some(origin) = origin else { return Ok(()) };
        let own = origin.split_once("://").is_some_and(|(scheme, authority)| {
            matches!(scheme, "http" | "https")
                && split(authority).is_some_and(|(name, asked)| match self {
                    Self::ThisMachine => is_loopback(name),
                    Self::Named { .. } => self.is_own(name, asked, Some(scheme), port),
                })
        });
        if own {
            return Ok(());
        }
        let shown: String = origin.chars().take(SHOWN_CHARACTERS_MAX).collect();
        Err(match self {
            Self::ThisMachine => {
                format!("pages of '{shown}' may not use this server: open http://localhost:{port}")
            }
            Self::Named { .. } => format!("pages of '{shown}' may not use this server: open its own address"),
        })
    }

    /// Whether a name and port are of this deployment. Without a scheme, none of both says which port is meant by none.
    fn is_own(&self, name: &str, asked: Option<u16>, scheme: Option<&str>, port: u16) -> bool {
        let usual = if scheme == Some("https") { 443 } else { 80 };
        if is_loopback(name) && asked.unwrap_or(usual) == port {
            return true;
        }
        let Self::Named { public, allowed } = self else { return false };
        let is_public = public.as_ref().is_some_and(|(own_scheme, own, own_port)| {
            let usual = if own_scheme == "https" { 443 } else { 80 };
            name.eq_ignore_ascii_case(own)
                && asked.unwrap_or(usual) == *own_port
                && scheme.is_none_or(|scheme| scheme == own_scheme)
        });
        let fits = |own: Option<u16>| match (own, asked) {
            (None, _) => true,
            (Some(own), Some(asked)) => own == asked,
            (Some(own), None) => matches!((own, scheme), (80, None | Some("http")) | (443, None | Some("https"))),
        };
        is_public || allowed.iter().any(|(own, own_port)| name.eq_ignore_ascii_case(own) && fits(*own_port))
    }

    fn other_host(&self, host: &str, port: u16) -> String {
        let shown: String = host.chars().take(SHOWN_CHARACTERS_MAX).collect();
        match self {
            Self::ThisMachine => format!("this server is not '{shown}': use http://localhost:{port}"),
            Self::Named { .. } => format!(
                "this server is not known as '{shown}': use its public address, or let it have this name with --allowed-hosts"
            ),
        }
    }
}

/// The name and port of an authority; `None` when it is not one.
fn split(authority: &str) -> Option<(&str, Option<u16>)> {
    let (name, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => authority.find(':').map_or((authority, ""), |colon| authority.split_at(colon)),
    };
    match port.strip_prefix(':') {
        Some(port) => Some((name, Some(port.parse().ok()?))),
        None => port.is_empty().then_some((name, None)),
    }
}

fn is_loopback(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| {
            address == IpAddr::V4(Ipv4Addr::LOCALHOST) || address == IpAddr::V6(Ipv6Addr::LOCALHOST)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_names_with_the_right_port_are_let_in() {
        let places = Places::ThisMachine;
        for host in ["localhost:4000", "127.0.0.1:4000", "[::1]:4000", "LOCALHOST:4000"] {
            assert_eq!(places.check(Some(host), None, 4000), Ok(()), "{host}");
            let origin = format!("http://{host}");
            assert_eq!(places.check(Some(host), Some(&origin), 4000), Ok(()), "{origin}");
        }
        assert_eq!(places.check(Some("localhost"), None, 80), Ok(()));
        assert_eq!(places.check(Some("localhost:4000"), Some("http://localhost:5173"), 4000), Ok(()));
    }

    #[test]
    fn other_names_ports_and_origins_are_refused() {
        let named = Places::named("https://flows.example", &["other.example".to_owned()]);
        for places in [Places::ThisMachine, named] {
            for host in
                ["evil.example:4000", "localhost:4001", "localhost", "localhost.evil.example:4000", "[::2]:4000", ""]
            {
                assert!(places.check(Some(host), None, 4000).is_err(), "{host}");
            }
            assert!(places.check(None, None, 4000).is_err());
            for origin in
                ["http://evil.example", "null", "http://localhost.evil.example", "file://", "http://127.0.0.1.nip.io"]
            {
                assert!(places.check(Some("localhost:4000"), Some(origin), 4000).is_err(), "{origin}");
            }
        }
    }

    #[test]
    fn a_deployment_is_known_by_its_public_address_and_by_the_names_that_it_was_given() {
        let allowed = ["other.example".to_owned(), "exact.example:8443".to_owned(), "[2001:db8::1]:80".to_owned()];
        let places = Places::named("https://Flows.example", &allowed);
        let host = |host: &str| places.check(Some(host), None, 8080).is_ok();
        for own in [
            "flows.example",
            "flows.example:443",
            "other.example",
            "other.example:9",
            "exact.example:8443",
            "[2001:db8::1]",
        ] {
            assert!(host(own), "{own}");
        }
        for foreign in ["flows.example:80", "exact.example", "exact.example:443", "flows.example.evil.example"] {
            assert!(!host(foreign), "{foreign}");
        }
        let origin = |origin: &str| places.check_origin(Some(origin), 8080).is_ok();
        for own in
            ["https://flows.example", "http://localhost:8080", "http://other.example:1", "https://exact.example:8443"]
        {
            assert!(origin(own), "{own}");
        }
        // Another program of this machine must not use what a browser shows here.
        for foreign in
            ["http://flows.example", "https://flows.example:444", "http://localhost:5173", "null", "https://"]
        {
            assert!(!origin(foreign), "{foreign}");
        }
    }
}
