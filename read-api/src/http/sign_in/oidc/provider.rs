//! A provider, as far as it is asked: what it says of itself, its keys, and tokens for a code.
//!
//! Whatever it answers is bounded in time and bytes, and it is not followed anywhere else. Its keys are kept, and asked for
//! again when a token names one that is not known, which is how providers change them.

use std::sync::Arc;
use std::time::Duration;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use tokio::sync::Mutex;
use url::{Host, Url};

use super::token::{Algorithm, Claims, Expected, Jwk, Unverified};

/// Longest wait for an answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// Longest wait for a connection.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// Largest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// How long what a provider says of itself is kept, in seconds.
const METADATA_S: i64 = 3_600;
/// How long its keys are kept, in seconds.
const KEYS_S: i64 = 3_600;
/// How long its keys are kept at least, whatever tokens say, in seconds.
const KEYS_S_MIN: i64 = 10;
/// Most keys of a provider.
const KEYS_MAX: usize = 100;
/// The one algorithm that every provider has.
const RS256: &str = "RS256";

/// Why a provider is of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProviderError {
    /// It does not answer, or not in time.
    #[error("the provider cannot be asked: {0}")]
    Unreachable(String),
    /// It says no.
    #[error("the provider refused: {0}")]
    Refused(String),
    /// Its answer is no answer.
    #[error("the provider's answer cannot be used: {0}")]
    Unusable(String),
    /// What it says cannot be believed.
    #[error("the provider is not believed: {0}")]
    NotBelieved(&'static str),
}

/// What a provider says of itself.
#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    #[serde(deserialize_with = "address")]
    pub authorization_endpoint: Url,
    #[serde(deserialize_with = "address")]
    token_endpoint: Url,
    #[serde(deserialize_with = "address")]
    jwks_uri: Url,
    #[serde(default, deserialize_with = "some_address")]
    userinfo_endpoint: Option<Url>,
    #[serde(default)]
    id_token_signing_alg_values_supported: Option<Vec<String>>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    Url::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn some_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    address(deserializer).map(Some)
}

impl Metadata {
    /// The algorithms of its tokens that count here.
    fn algorithms(&self) -> Vec<Algorithm> {
        match &self.id_token_signing_alg_values_supported {
            Some(names) => names.iter().filter_map(|name| Algorithm::named(name)).collect(),
            None => Algorithm::named(RS256).into_iter().collect(),
        }
    }
}

/// What a code is exchanged by.
pub(super) struct Exchange<'a> {
    pub client_id: &'a str,
    pub client_secret: Option<&'a str>,
    pub redirect_uri: &'a str,
    pub code: &'a str,
    pub verifier: &'a str,
}

/// What a code is exchanged for.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub id_token: String,
    #[serde(default)]
    access_token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Keys {
    keys: Vec<serde_json::Value>,
}

/// A provider.
#[derive(Debug)]
pub(super) struct Provider {
    issuer: String,
    http: Option<reqwest::Client>,
    metadata: Mutex<Option<(i64, Arc<Metadata>)>>,
    keys: Mutex<Option<(i64, Arc<Vec<Jwk>>)>>,
}

impl Provider {
    /// The provider of that name; nothing is asked yet.
    pub(super) fn new(issuer: &str) -> Self {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let client = client.timeout(ANSWER_TIME_MAX).connect_timeout(CONNECT_TIME_MAX).build();
        Self { issuer: issuer.to_owned(), http: client.ok(), metadata: Mutex::default(), keys: Mutex::default() }
    }

    /// What it says of itself, no older than an hour.
    pub(super) async fn metadata(&self, now_s: i64) -> Result<Arc<Metadata>, ProviderError> {
        // Of many who ask at once, one asks the provider.
        let mut kept = self.metadata.lock().await;
        if let Some((since, metadata)) = &*kept
            && now_s.saturating_sub(*since) < METADATA_S
        {
            return Ok(Arc::clone(metadata));
        }
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let url = Url::parse(&url).map_err(|error| ProviderError::Unusable(error.to_string()))?;
        check_address(&url)?;
        let metadata: Metadata = self.ask(self.client()?.get(url)).await?;
        if metadata.issuer != self.issuer {
            return Err(ProviderError::NotBelieved("it says that it is another one"));
        }
        let endpoints = [&metadata.authorization_endpoint, &metadata.token_endpoint, &metadata.jwks_uri];
        endpoints.into_iter().chain(&metadata.userinfo_endpoint).try_for_each(check_address)?;
        let metadata = Arc::new(metadata);
        *kept = Some((now_s, Arc::clone(&metadata)));
        Ok(metadata)
    }

    /// The tokens for a code.
    pub(super) async fn exchange(&self, metadata: &Metadata, exchange: &Exchange<'_>) -> Result<Tokens, ProviderError> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", exchange.code),
            ("redirect_uri", exchange.redirect_uri),
            ("code_verifier", exchange.verifier),
        ];
        let request = self.client()?.post(metadata.token_endpoint.clone());
        let methods = metadata.token_endpoint_auth_methods_supported.as_deref().unwrap_or_default();
        let offers = |method: &str| methods.iter().any(|offered| offered == method);
        let request = match exchange.client_secret {
            None => {
                form.push(("client_id", exchange.client_id));
                request
            }
            Some(secret) if offers("client_secret_post") && !offers("client_secret_basic") => {
                form.extend([("client_id", exchange.client_id), ("client_secret", secret)]);
                request
            }
            Some(secret) => {
                let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                request.basic_auth(encoded(exchange.client_id), Some(encoded(secret)))
            }
        };
        self.ask(request.form(&form)).await
    }

    /// What a token says, once it is clear that the provider says so.
    pub(super) async fn verified(
        &self,
        metadata: &Metadata,
        token: &str,
        expected: &Expected<'_>,
        now_s: i64,
    ) -> Result<Claims, ProviderError> {
        let token = Unverified::read(token, &metadata.algorithms())?;
        let mut keys = self.keys(metadata, now_s, KEYS_S).await?;
        if token.key(&keys).is_none() {
            keys = self.keys(metadata, now_s, KEYS_S_MIN).await?;
        }
        let key = token.key(&keys).ok_or(ProviderError::NotBelieved("the provider has no such key"))?.clone();
        token.verify(&key, expected, now_s)
    }

    /// Adds what the provider tells of somebody beside the token.
    pub(super) async fn complete(
        &self,
        metadata: &Metadata,
        tokens: &Tokens,
        claims: &mut Claims,
    ) -> Result<(), ProviderError> {
        let (Some(url), Some(token)) = (&metadata.userinfo_endpoint, &tokens.access_token) else { return Ok(()) };
        let more: Claims = self.ask(self.client()?.get(url.clone()).bearer_auth(token)).await?;
        if more.sub != claims.sub {
            return Err(ProviderError::NotBelieved("it tells of somebody else"));
        }
        *claims = more;
        Ok(())
    }

    /// Its keys, no older than so many seconds.
    async fn keys(&self, metadata: &Metadata, now_s: i64, age_s_max: i64) -> Result<Arc<Vec<Jwk>>, ProviderError> {
        let mut kept = self.keys.lock().await;
        if let Some((since, keys)) = &*kept
            && now_s.saturating_sub(*since) < age_s_max
        {
            return Ok(Arc::clone(keys));
        }
        let answer: Keys = self.ask(self.client()?.get(metadata.jwks_uri.clone())).await?;
        // Keys of kinds that are not known here are left out.
        let known = answer.keys.into_iter().take(KEYS_MAX).filter_map(|key| serde_json::from_value(key).ok());
        let keys = Arc::new(known.collect::<Vec<Jwk>>());
        *kept = Some((now_s, Arc::clone(&keys)));
        Ok(keys)
    }

    fn client(&self) -> Result<&reqwest::Client, ProviderError> {
        self.http.as_ref().ok_or_else(|| ProviderError::Unreachable("no HTTP client could be made".to_owned()))
    }

    /// The answer to a request, as JSON.
    async fn ask<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, ProviderError> {
        // The address may have a code in it.
        let unreachable = |error: reqwest::Error| ProviderError::Unreachable(error.without_url().to_string());
        let mut answer = request.header("accept", "application/json").send().await.map_err(unreachable)?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + part.len() > ANSWER_BYTES_MAX {
                return Err(ProviderError::Unusable(format!("it has more than {ANSWER_BYTES_MAX} bytes")));
            }
            body.extend_from_slice(&part);
        }
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| ProviderError::Unusable(error.to_string()));
        }
        let told: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
        let told = told.as_ref().and_then(|told| told.get("error")?.as_str()).unwrap_or_default();
        let told: String = told.chars().filter(char::is_ascii_graphic).take(100).collect();
        if status.is_server_error() {
            return Err(ProviderError::Unreachable(format!("it answered {status}")));
        }
        Err(ProviderError::Refused(if told.is_empty() { status.to_string() } else { told }))
    }
}

/// Refuses addresses at which somebody on the way could read and change what is said.
fn check_address(url: &Url) -> Result<(), ProviderError> {
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_here => Ok(()),
        _ => Err(ProviderError::NotBelieved("one of its addresses is not https")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_where_others_can_listen() {
        for safe in ["https://id.example/x", "http://localhost:1/x", "http://127.0.0.1/x", "http://[::1]:9/x"] {
            assert!(check_address(&Url::parse(safe).unwrap()).is_ok(), "{safe}");
        }
        for open in ["http://id.example/x", "ftp://id.example", "http://127.0.0.1.nip.io/", "file:///etc/passwd"] {
            assert!(check_address(&Url::parse(open).unwrap()).is_err(), "{open}");
        }
    }
}
