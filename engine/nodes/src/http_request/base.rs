//! Where requests begin, when the credential says so: its fields in an address, checked before anything is sent there.
//!
//! Which fields they are is written in the workflow and never comes out of data. No request leaves that address: neither
//! its server nor the path with which it begins.

use serde_json::Value;
use timeloom_domain::credential::{AddressPattern, AddressRefusal};
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::{NodeError, NodeRun, OutboundPolicy};
use url::Url;

use super::request::address;

/// The parameter in which it is written.
const BASE_URL: &str = "options.baseUrl";

/// Where requests begin.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    url: Url,
}

impl Base {
    /// The address as it is written; `None` where the URL stands by itself.
    ///
    /// # Errors
    /// [`NodeError`] when it is an expression, or no such address.
    pub fn pattern(run: &NodeRun<'_>) -> Result<Option<AddressPattern>, NodeError> {
        let text = match run.raw_parameter(BASE_URL) {
            _ if run.version() < 3.0 => return Ok(None),
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text.trim(),
            Some(_) => return Err(NodeError::operation("the base URL is no text")),
        };
        if text.is_empty() {
            return Ok(None);
        }
        if text.starts_with('=') {
            return Err(NodeError::operation("the base URL is an expression, which it cannot be")
                .described("write it down as it is, with fields of the credential in braces: {subdomain}"));
        }
        AddressPattern::read(text).map(Some).map_err(|refusal| refused(&refusal))
    }

    /// The address with the fields of a credential of that type.
    ///
    /// # Errors
    /// [`NodeError`] when they give no address, or one that nothing may be sent to; no value is told.
    pub fn filled(
        pattern: &AddressPattern,
        credential_type: &str,
        fields: &JsonObject,
        policy: &OutboundPolicy,
    ) -> Result<Self, NodeError> {
        if credential_type == "aws" && pattern.names("region") {
            return Err(NodeError::operation(
                "the base URL names the region, which requests for AWS have in their URL",
            )
            .described("write the whole address into the URL: {region} in it is the credential's region"));
        }
        let text = pattern.filled(credential_type, fields).map_err(|refusal| refused(&refusal))?;
        let none = || wrong("is none: it begins with https:// and a host");
        // What a parser of addresses would guess from less is not what somebody wrote down.
        let has_host = text.split_once("://").is_some_and(|(_, rest)| !rest.is_empty() && !rest.starts_with('/'));
        let url = Url::parse(&text).ok().filter(|_| has_host).ok_or_else(none)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("has an account in it: give that in fields of its own"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("has a query or a fragment: leave out what follows ? and #"));
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(none)?;
        let anywhere = policy.allows_anywhere(host, url.port_or_known_default().unwrap_or(0));
        match url.scheme() {
            "https" => Ok(Self { url }),
            "http" if anywhere => Ok(Self { url }),
            _ => Err(wrong("is not secured: it begins with https://")
                .described("the operator of this deployment can allow the host for outbound requests, by http too")),
        }
    }

    /// The address that goes on from this one: with a slash, or as a whole address of the same server.
    ///
    /// # Errors
    /// [`NodeError`] when it leads to another place.
    pub fn joined(&self, text: &str) -> Result<Url, NodeError> {
        let text = text.trim();
        let begins = self.url.as_str().trim_end_matches('/');
        let made = match text {
            "" => self.url.clone(),
            text if text.starts_with('/') => address(&format!("{begins}{text}"))?,
            text if text.contains("://") => address(text)?,
            text => {
                return Err(NodeError::operation(format!("'{text}' does not go on from the base URL"))
                    .described("the URL begins with a slash where there is a base URL"));
            }
        };
        let has_account = !made.username().is_empty() || made.password().is_some();
        if !self.holds(&made) || has_account || leads_up(text) {
            return Err(NodeError::operation("the URL leads out of the base URL, which the credential is for")
                .described("take .. and other servers out of it"));
        }
        Ok(made)
    }

    /// Whether an address is below this one.
    pub fn holds(&self, url: &Url) -> bool {
        let path = self.url.path().trim_end_matches('/');
        let is_below = url.path().strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        url.origin() == self.url.origin() && is_below
    }
}

/// Whether a segment of dots is in the path, however it is written: parsers take such segments as ways up.
fn leads_up(text: &str) -> bool {
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let is_dots = |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
    path.split(['/', '\\']).any(is_dots)
}

/// The error for what gives no address.
fn refused(refusal: &AddressRefusal) -> NodeError {
    NodeError::operation(refusal.to_string())
}

/// The error for an address of a credential, which is not told.
fn wrong(what: &str) -> NodeError {
    NodeError::operation(format!("the address in the credential {what}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn base(pattern: &str, fields: &Value, policy: &OutboundPolicy) -> Result<Base, NodeError> {
        let pattern = AddressPattern::read(pattern).unwrap();
        Base::filled(&pattern, "acmeApi", fields.as_object().unwrap(), policy)
    }

    fn message(url: &str, policy: &OutboundPolicy) -> Result<String, String> {
        let made = base("{url}/api", &json!({"url": url}), policy);
        made.map(|base| base.url.to_string()).map_err(|error| error.message)
    }

    #[test]
    fn an_address_that_is_none_of_https_is_refused_and_not_told() {
        let strict = OutboundPolicy::default();
        assert_eq!(message("https://acme.example/x/", &strict).as_deref(), Ok("https://acme.example/x/api"));
        for (url, part) in [
            ("http://acme.example", "not secured"),
            ("ftp://acme.example", "not secured"),
            ("file:///etc/s3cret", "is none"),
            ("acme.example", "is none"),
            ("javascript:s3cret", "is none"),
            ("https://ann:s3cret@acme.example", "an account"),
            ("https://ann@acme.example", "an account"),
            ("https://acme.example/?s3cret=1", "a query"),
            ("https://acme.example/#s3cret", "a query or a fragment"),
            ("https://", "is none"),
            ("https:///acme.example", "is none"),
        ] {
            let refused = message(url, &strict).unwrap_err();
            assert!(refused.contains(part) && !refused.contains("s3cret"), "{url}: {refused}");
        }
    }

    #[test]
    fn without_tls_only_where_the_deployment_allows_the_host() {
        let allowing =
            |host: &str| OutboundPolicy { allowed_hosts: [host.to_owned()].into(), ..OutboundPolicy::default() };
        assert!(message("http://hive.local:9000", &allowing("hive.local:9000")).is_ok());
        assert!(message("http://hive.local:9001", &allowing("hive.local:9000")).is_err());
        let open = OutboundPolicy { allow_private: true, ..OutboundPolicy::default() };
        assert!(message("http://127.0.0.1:9000", &open).is_ok());
        assert!(message("ftp://127.0.0.1:9000", &open).is_err());
    }

    #[test]
    fn no_request_leaves_the_address_of_the_credential() {
        let base = base("{url}", &json!({"url": "https://acme.example/api"}), &OutboundPolicy::default()).unwrap();
        for (text, made) in [
            ("/things?a=1", "https://acme.example/api/things?a=1"),
            ("/things/a%2Fb", "https://acme.example/api/things/a%2Fb"),
            ("", "https://acme.example/api"),
            ("/a..b/...?to=/../", "https://acme.example/api/a..b/...?to=/../"),
            ("//evil.example/x", "https://acme.example/api//evil.example/x"),
            ("/@evil.example", "https://acme.example/api/@evil.example"),
            ("https://acme.example/api/things?page=2", "https://acme.example/api/things?page=2"),
        ] {
            assert_eq!(base.joined(text).unwrap().as_str(), made, "{text}");
        }
        for text in [
            "/../x",
            "/a/../x",
            "/a/../../x",
            "/a/%2E./x",
            "/a/.",
            "/%2e%2e/x",
            "/..\\x",
            "https://evil.example/api/x",
            "http://acme.example/api/x",
            "https://acme.example:8443/api/x",
            "https://acme.example/apix",
            "https://acme.example/",
            "https://ann@acme.example/api/x",
            "@evil.example",
            "things",
        ] {
            assert!(base.joined(text).is_err(), "{text}");
        }
    }
}
