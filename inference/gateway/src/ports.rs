//! What the gateway is given from outside: time, chance, and where providers are.

use std::fmt;

use futures::future::BoxFuture;
use url::Url;
use zeroize::Zeroizing;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> i64;

    /// Microseconds since any moment; it never goes back.
    fn monotonic_us(&self) -> u64;
}

/// Draws numbers that nobody could foretell.
pub trait Chance: Send + Sync {
    /// A number, each as likely as any other.
    fn draw(&self) -> u64;
}

/// Tells where a provider is and with which key it lets us in. Asked for every call, so that a key can be changed.
pub trait Places: Send + Sync {
    /// Where the provider of that name is.
    ///
    /// # Errors
    /// Says what is wrong, in words without the key.
    fn place<'a>(&'a self, provider: &'a str) -> BoxFuture<'a, Result<Place, PlaceError>>;
}

/// Where a provider is.
#[derive(Debug, Clone)]
pub struct Place {
    /// The address before the protocol's own path. May hold a secret, and so is never told.
    pub base_url: Secret,
    /// The key, where one is needed.
    pub key: Option<Secret>,
}

impl Place {
    /// What nobody may see of it.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.key.iter().chain([&self.base_url])
    }

    /// A place at that address.
    pub fn new(base_url: &Url, key: Option<Secret>) -> Self {
        Self { base_url: Secret::new(base_url.as_str().to_owned()), key }
    }
}

/// It is not known where a provider is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PlaceError(pub String);

/// A text that nobody may see. Its memory is wiped when it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Keeps `text` from being seen.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for the one place that has to send it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// `text` with marks where the secret is, as it is or as JSON writes it.
    pub(crate) fn hide_in(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        let hidden = text.replace(self.0.as_str(), "***");
        let quoted = Zeroizing::new(serde_json::Value::from(self.0.as_str()).to_string());
        let written = quoted.trim_matches('"');
        if written == self.0.as_str() { hidden } else { hidden.replace(written, "***") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}
