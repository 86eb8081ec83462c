//! The token by which a provider says who somebody is: whether it signed it, for this deployment and this sign-in, and now.
//!
//! Only signatures with a key of the provider's own count. Invariant: a token cannot say how it is to be checked: the kind
//! of key that its name leads to must be the one that its algorithm needs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;

use super::provider::ProviderError;

/// Longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 16 << 10;
/// How far the provider's clock may be from ours, in seconds.
const SKEW_S: i64 = 60;
/// Oldest token that is taken, in seconds: it was made a moment ago.
const AGE_S_MAX: i64 = 600;
/// Longest name of somebody at a provider, in bytes.
const SUBJECT_BYTES_MAX: usize = 255;

/// The algorithms that count, each with a key of the provider's alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Ps256,
    Es256,
    EdDsa,
}

impl Algorithm {
    /// The algorithm of that name; none of those that need no key of the provider's.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// A public key of a provider, as it publishes it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Jwk {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default, rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
}

impl Jwk {
    /// Whether it is a key that signs with `algorithm`.
    fn fits(&self, algorithm: Algorithm) -> bool {
        let kind = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => self.kty == "RSA",
            Algorithm::Es256 => self.kty == "EC" && self.crv.as_deref() == Some("P-256"),
            Algorithm::EdDsa => self.kty == "OKP" && self.crv.as_deref() == Some("Ed25519"),
        };
        let own = self.alg.as_deref().is_none_or(|name| Algorithm::named(name) == Some(algorithm));
        kind && own && self.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
    }

    fn has_signed(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let part = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        let verified = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => {
                let way = match algorithm {
                    Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
                    _ => &signature::RSA_PKCS1_2048_8192_SHA256,
                };
                let (Some(n), Some(e)) = (part(&self.n), part(&self.e)) else { return false };
                RsaPublicKeyComponents { n, e }.verify(way, message, signature)
            }
            Algorithm::Es256 => {
                let (Some(x), Some(y)) = (part(&self.x), part(&self.y)) else { return false };
                let point = [&[4_u8], x.as_slice(), &y].concat();
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Algorithm::EdDsa => {
                let Some(x) = part(&self.x) else { return false };
                UnparsedPublicKey::new(&signature::ED25519, x).verify(message, signature)
            }
        };
        verified.is_ok()
    }
}

#[derive(Debug, Deserialize)]
struct Head {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize)]
struct Whole {
    iss: String,
    aud: Audience,
    #[serde(default)]
    azp: Option<String>,
    exp: i64,
    iat: i64,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    nonce: Option<String>,
    #[serde(flatten)]
    about: Claims,
}

/// What a provider says of somebody.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Claims {
    /// What they are called there, for ever.
    pub sub: String,
    #[serde(default)]
    pub email: Option<String>,
    /// Some providers write it as a text, which does not count.
    #[serde(default)]
    pub email_verified: Option<serde_json::Value>,
    #[serde(default)]
    pub name: Option<String>,
}

impl Claims {
    /// Their address, if the provider says that it is theirs.
    pub(super) fn verified_email(&self) -> Option<&str> {
        let is_verified = self.email_verified.as_ref().and_then(serde_json::Value::as_bool) == Some(true);
        self.email.as_deref().filter(|_| is_verified)
    }
}

/// What a token must say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    /// Who made it.
    pub issuer: &'a str,
    /// For whom.
    pub client_id: &'a str,
    /// For which sign-in.
    pub nonce: &'a str,
}

/// A token that was taken apart: nothing in it is believed yet.
pub(super) struct Unverified<'a> {
    algorithm: Algorithm,
    kid: Option<String>,
    message: &'a str,
    claims: &'a str,
    signature: Vec<u8>,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart, of an algorithm that is among `allowed`.
    pub(super) fn read(token: &'a str, allowed: &[Algorithm]) -> Result<Self, ProviderError> {
        let malformed = || ProviderError::NotBelieved("the token is none");
        if token.len() > TOKEN_BYTES_MAX {
            return Err(malformed());
        }
        let (message, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (head, claims) = message.split_once('.').ok_or_else(malformed)?;
        let head: Head = decoded(head).ok_or_else(malformed)?;
        let algorithm = Algorithm::named(&head.alg).filter(|algorithm| allowed.contains(algorithm));
        let algorithm =
            algorithm.ok_or(ProviderError::NotBelieved("the token is signed in a way that does not count"))?;
        if head.crit.is_some() {
            return Err(ProviderError::NotBelieved("the token needs something that is not known here"));
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed())?;
        Ok(Self { algorithm, kid: head.kid, message, claims, signature })
    }

    /// The key of these that signed it, if there is exactly one that may have.
    pub(super) fn key<'k>(&self, keys: &'k [Jwk]) -> Option<&'k Jwk> {
        let mut fitting = keys.iter().filter(|key| key.fits(self.algorithm));
        match &self.kid {
            Some(kid) => fitting.find(|key| key.kid.as_ref() == Some(kid)),
            None => fitting.next().filter(|_| fitting.next().is_none()),
        }
    }

    /// What it says, if `key` signed it and it says what is expected, at `now_s`.
    pub(super) fn verify(self, key: &Jwk, expected: &Expected<'_>, now_s: i64) -> Result<Claims, ProviderError> {
        if !key.has_signed(self.algorithm, self.message.as_bytes(), &self.signature) {
            return Err(ProviderError::NotBelieved("the signature of the token is not the provider's"));
        }
        let whole: Whole =
            decoded(self.claims).ok_or(ProviderError::NotBelieved("the token does not say what it must"))?;
        check(whole, expected, now_s).map_err(ProviderError::NotBelieved)
    }
}

fn check(whole: Whole, expected: &Expected<'_>, now_s: i64) -> Result<Claims, &'static str> {
    let (is_for_us, is_for_others) = match &whole.aud {
        Audience::One(audience) => (audience == expected.client_id, false),
        Audience::Many(all) => (all.iter().any(|one| one == expected.client_id), all.len() > 1),
    };
    let party = whole.azp.as_deref();
    if whole.iss != expected.issuer {
        return Err("the token is of another provider");
    }
    if !is_for_us || party.map_or(is_for_others, |party| party != expected.client_id) {
        return Err("the token is for somebody else");
    }
    if whole.nonce.as_deref() != Some(expected.nonce) {
        return Err("the token is of another sign-in");
    }
    if whole.exp.saturating_add(SKEW_S) <= now_s {
        return Err("the token has expired");
    }
    let begins = whole.iat.max(whole.nbf.unwrap_or(whole.iat));
    if begins > now_s.saturating_add(SKEW_S) || whole.iat < now_s.saturating_sub(AGE_S_MAX) {
        return Err("the token is not of now");
    }
    if whole.about.sub.is_empty() || whole.about.sub.len() > SUBJECT_BYTES_MAX {
        return Err("the token names nobody");
    }
    Ok(whole.about)
}

fn decoded<T: serde::de::DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
