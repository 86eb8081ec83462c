//! A request as a tool: where it may go is decided here, before anything is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ToolCredential;
use crate::item::JsonObject;

/// Longest address of a request, in bytes.
const URL_BYTES_MAX: usize = 8_192;
/// Most headers.
const HEADERS_MAX: usize = 32;
/// Methods that requests may have.
const METHODS: [&str; 6] = ["GET", "HEAD", "DELETE", "POST", "PUT", "PATCH"];

/// A request. Redirects are not followed: they could lead to hosts that are not allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpTool {
    /// Its method.
    pub method: String,
    /// Its address; `{name}` stands for an argument, which is written so that it stays one part of the address.
    pub url: String,
    /// Hosts that it may reach, such as `api.example.com`, `localhost:8080` or `*.example.com`; absent = that of the address,
    /// which then has no argument in its host.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub hosts: BTreeSet<String>,
    /// Headers that every request has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The credential by which it is let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<ToolCredential>,
}

/// A request made ready.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToolRequest {
    /// Its address, to a host that is allowed.
    pub url: String,
    /// Its query parameters.
    pub query: Vec<(String, String)>,
    /// Its body.
    pub body: Option<JsonObject>,
}

impl HttpTool {
    /// The request with these arguments: those that the address does not name go into the body, and into the query of
    /// requests without one.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn request(&self, arguments: &JsonObject) -> Result<ToolRequest, String> {
        let mut left = arguments.clone();
        let url = filled(&self.url, |name| {
            left.remove(name).or_else(|| arguments.get(name).cloned()).ok_or_else(|| format!("'{name}' is missing"))
        })?;
        if url.len() > URL_BYTES_MAX {
            return Err(format!("the address has {} bytes, at most {URL_BYTES_MAX} are allowed", url.len()));
        }
        let host = host_of(&url).ok_or("the address has no host")?;
        if let Some(part) = path_of(&url).split('/').find(leads_away) {
            return Err(format!("'{part}' in the address leads out of its part of it: give another value"));
        }
        if let Some(part) = self.emptied(&url) {
            return Err(format!("'{part}' in the address would be empty, and the address another one: give a value"));
        }
        if !self.allows(host) {
            return Err(format!("the host '{host}' is not among those that the tool may reach"));
        }
        if left.is_empty() {
            return Ok(ToolRequest { url, ..ToolRequest::default() });
        }
        if matches!(self.method.as_str(), "GET" | "HEAD" | "DELETE") {
            let query = left.iter().map(|(name, value)| (name.clone(), text_of(value))).collect();
            return Ok(ToolRequest { url, query, body: None });
        }
        Ok(ToolRequest { url, query: Vec::new(), body: Some(left) })
    }

    /// The part of the path that has nothing in it once it is filled. A value never brings a part of its own.
    fn emptied(&self, url: &str) -> Option<&str> {
        let (own, filled) = (path_of(&self.url), path_of(url));
        own.split('/')
            .zip(filled.split('/'))
            .find(|(own, filled)| !own.is_empty() && filled.is_empty())
            .map(|(own, _)| own)
    }

    /// What is wrong with it, in words.
    pub(super) fn check(&self) -> Result<(), String> {
        if !METHODS.contains(&self.method.as_str()) {
            return Err(format!("has the method '{}': use one of {}", self.method, METHODS.join(", ")));
        }
        let host = host_of(&self.url).ok_or("has an address without a host: begin with https:// or http://")?;
        if self.url.len() > URL_BYTES_MAX || self.headers.len() > HEADERS_MAX {
            return Err("has too long an address or too many headers: at most 8192 bytes and 32 headers".to_owned());
        }
        if host.contains(['{', '}']) && self.hosts.is_empty() {
            return Err("lets the model fill the host: say in 'hosts' which ones it may reach".to_owned());
        }
        if let Some(host) = self.hosts.iter().find(|host| host.is_empty() || host.contains('/') || *host == "*") {
            return Err(format!("allows '{host}', which is no host: give one such as api.example.com"));
        }
        filled(&self.url, |_| Ok(Value::Null)).map(|_| ())
    }

    fn allows(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        if self.hosts.is_empty() {
            return host_of(&self.url).is_some_and(|own| own.eq_ignore_ascii_case(&host));
        }
        self.hosts.iter().any(|allowed| {
            let allowed = allowed.to_ascii_lowercase();
            match allowed.strip_prefix('*') {
                Some(ending) => ending.starts_with('.') && host.len() > ending.len() && host.ends_with(ending),
                None => allowed == host,
            }
        })
    }
}

/// An address without its query and fragment.
fn path_of(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// The host of an address, with its port; `None` where it has none, or something in it that may hide another one: a name
/// before it, a backslash, a letter by its bytes.
fn host_of(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]{}".contains(&byte);
    (!host.is_empty() && host.bytes().all(plain)).then_some(host)
}

fn filled(template: &str, mut value: impl FnMut(&str) -> Result<Value, String>) -> Result<String, String> {
    let (mut text, mut rest) = (String::new(), template);
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or("has an address with a '{' that is not closed")?;
        text.push_str(before);
        text.push_str(&encoded(&text_of(&value(name)?)));
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

/// Whether clients take a part of a path as a way to the folder or the one above, however its dots are written.
fn leads_away(part: &&str) -> bool {
    matches!(part.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

/// As it stands in an address: everything but letters, digits, `-`, `_`, `.` and `~` by its bytes.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
