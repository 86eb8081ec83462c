//! A provider of language models, as it is written down.

use serde::{Deserialize, Serialize};

use super::GatewayRefusal;

/// Most characters of a base URL.
const BASE_URL_CHARACTERS_MAX: usize = 2_000;
/// Most bytes of the certificates of authorities.
const AUTHORITIES_BYTES_MAX: usize = 64 << 10;
/// Most bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 256 << 20;
/// Longest time that a provider may be given, in milliseconds.
const TIME_MS_MAX: u64 = 3_600_000;
/// What names a parameter of a query that holds a secret.
const SECRET_WORDS: [&str; 6] = ["key", "token", "secret", "password", "sig", "auth"];

/// A provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayProvider {
    /// What it speaks.
    pub protocol: ProviderProtocol,
    /// Where it is, without any secret; absent for models of this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The credential that holds its key, where it wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialName>,
    /// How it speaks OpenAI's protocol.
    #[serde(default)]
    pub dialect: ProviderDialect,
    /// How long it may take.
    #[serde(default)]
    pub times: ProviderTimes,
    /// Most bytes of an answer.
    pub answer_bytes_max: u64,
    /// Certificates of the authorities that are trusted, as PEM; those that browsers trust where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorities_pem: Option<String>,
}

/// What a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderProtocol {
    /// OpenAI's.
    OpenAi,
    /// Anthropic's.
    Anthropic,
    /// Ollama's.
    Ollama,
    /// Ollama's, for models that know no chats and go on with a text.
    OllamaText,
    /// None: models of the model manager, computed by this process.
    Local,
}

impl ProviderProtocol {
    /// In a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Ollama => "ollama",
            Self::OllamaText => "ollama-text",
            Self::Local => "local",
        }
    }
}

/// Which credential holds a provider's key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CredentialName {
    /// Its type, such as `openAiApi`.
    pub credential_type: String,
    /// Its name.
    pub name: String,
}

/// How a provider speaks OpenAI's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProviderDialect {
    /// Whether the most tokens of an answer are called `max_tokens`, as engines of others know them.
    pub max_tokens: bool,
    /// Whether thoughts of earlier answers are sent back.
    pub thinking: bool,
    /// Whether a stream may be asked to end with the tokens that it took.
    pub stream_usage: bool,
}

impl Default for ProviderDialect {
    fn default() -> Self {
        Self { max_tokens: false, thinking: false, stream_usage: true }
    }
}

/// How long a provider may take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProviderTimes {
    /// To be connected to.
    pub connect_ms: u64,
    /// To answer as a whole.
    pub total_ms: u64,
    /// To begin to answer piece by piece.
    pub first_token_ms: u64,
    /// To answer piece by piece, from beginning to end.
    pub stream_ms: u64,
}

impl Default for ProviderTimes {
    fn default() -> Self {
        Self { connect_ms: 5_000, total_ms: 120_000, first_token_ms: 60_000, stream_ms: 600_000 }
    }
}

impl GatewayProvider {
    /// A provider of that protocol with limits that suit most.
    pub fn new(protocol: ProviderProtocol, base_url: Option<String>) -> Self {
        Self {
            protocol,
            base_url,
            credential: None,
            dialect: ProviderDialect::default(),
            times: ProviderTimes::default(),
            answer_bytes_max: 64 << 20,
            authorities_pem: None,
        }
    }

    /// Whether it can be one.
    pub(super) fn check(&self) -> Result<(), GatewayRefusal> {
        match (&self.base_url, self.protocol) {
            (None, ProviderProtocol::Local) => {}
            (Some(_), ProviderProtocol::Local) => {
                return Err(GatewayRefusal::Provider("models of this server are at no address: leave it out"));
            }
            (None, _) => return Err(GatewayRefusal::Provider("say at which address it is")),
            (Some(url), _) => check_url(url)?,
        }
        if self.protocol == ProviderProtocol::Local && self.credential.is_some() {
            return Err(GatewayRefusal::Provider("models of this server want no key: leave the credential out"));
        }
        let ProviderTimes { connect_ms, total_ms, first_token_ms, stream_ms } = self.times;
        if [connect_ms, total_ms, first_token_ms, stream_ms].iter().any(|time| !(1..=TIME_MS_MAX).contains(time)) {
            return Err(GatewayRefusal::Provider("each of its times is 1 ms to an hour"));
        }
        if !(1..=ANSWER_BYTES_MAX).contains(&self.answer_bytes_max) {
            return Err(GatewayRefusal::Provider("an answer may have 1 byte to 256 MiB"));
        }
        if self.authorities_pem.as_ref().is_some_and(|pem| pem.len() > AUTHORITIES_BYTES_MAX) {
            return Err(GatewayRefusal::Provider("certificates of authorities have at most 64 KiB: name fewer"));
        }
        Ok(())
    }
}

/// Everybody who may look at the configuration sees the address: nothing secret may be in it.
fn check_url(url: &str) -> Result<(), GatewayRefusal> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let rest = rest.ok_or(GatewayRefusal::Provider("its address begins with https:// or http://"))?;
    let wrong = |letter: char| letter.is_whitespace() || letter.is_control();
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() || url.chars().any(wrong) || url.chars().count() > BASE_URL_CHARACTERS_MAX {
        return Err(GatewayRefusal::Provider(
            "its address names a host and has no spaces, in at most 2,000 characters",
        ));
    }
    let names = rest.split_once('?').map_or("", |(_, query)| query).split('&');
    let mut names = names.map(|pair| pair.split('=').next().unwrap_or_default().to_ascii_lowercase());
    if host.contains('@') || names.any(|name| SECRET_WORDS.iter().any(|word| name.contains(word))) {
        return Err(GatewayRefusal::Provider("its address may hold no key or password: save a credential and name it"));
    }
    Ok(())
}
