//! Signed tokens: whether one was signed by the key of the credential, in the way that the credential says, and is valid now.
//!
//! The token never chooses how it is checked: a token of another algorithm than the credential's is refused.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use serde_json::Value;
use sha2::{Sha256, Sha384, Sha512};
use timeloom_domain::item::JsonObject;

/// Longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 16 << 10;
/// Longest key, in bytes.
const KEY_BYTES_MAX: usize = 32 << 10;

/// Why a token lets nobody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenError {
    /// It is none.
    #[error("jwt malformed")]
    Malformed,
    /// It says that it is signed in another way.
    #[error("invalid algorithm")]
    Algorithm,
    /// Its signature is not that of the key.
    #[error("invalid signature")]
    Signature,
    /// Its time is over.
    #[error("jwt expired")]
    Expired,
    /// Its time has not come.
    #[error("jwt not active")]
    NotActive,
    /// The credential does not say with what to check.
    #[error("the credential has no key that fits its algorithm")]
    Key,
}

/// What a token must be signed with.
pub(super) enum Key<'a> {
    /// A secret that both sides know.
    Secret { algorithm: &'a str, secret: &'a [u8] },
    /// The public half of a key, as its algorithm has it.
    Public { algorithm: &'a str, way: &'static dyn VerificationAlgorithm, key: Vec<u8> },
}

impl<'a> Key<'a> {
    /// The key of a credential.
    pub(super) fn of(credential: &'a JsonObject) -> Result<Self, TokenError> {
        let text = |name: &str| credential.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let algorithm = text("algorithm").unwrap_or("HS256");
        if matches!(algorithm, "HS256" | "HS384" | "HS512") {
            // A public key must never be taken for a secret: everybody has it.
            let is_secret = text("keyType").unwrap_or("passphrase") == "passphrase";
            let secret = text("secret").filter(|_| is_secret).ok_or(TokenError::Key)?;
            return Ok(Self::Secret { algorithm, secret: secret.as_bytes() });
        }
        let der = text("publicKey").and_then(pem).ok_or(TokenError::Key)?;
        let key = public_key(&der).ok_or(TokenError::Key)?.to_vec();
        let way: &'static dyn VerificationAlgorithm = match algorithm {
            "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
            "RS384" => &signature::RSA_PKCS1_2048_8192_SHA384,
            "RS512" => &signature::RSA_PKCS1_2048_8192_SHA512,
            "PS256" => &signature::RSA_PSS_2048_8192_SHA256,
            "PS384" => &signature::RSA_PSS_2048_8192_SHA384,
            "PS512" => &signature::RSA_PSS_2048_8192_SHA512,
            "ES256" => &signature::ECDSA_P256_SHA256_FIXED,
            "ES384" => &signature::ECDSA_P384_SHA384_FIXED,
            _ => return Err(TokenError::Key),
        };
        Ok(Self::Public { algorithm, way, key })
    }

    fn algorithm(&self) -> &str {
        match self {
            Self::Secret { algorithm, .. } | Self::Public { algorithm, .. } => algorithm,
        }
    }

    fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Secret { algorithm, secret } => match *algorithm {
                "HS256" => Hmac::<Sha256>::new_from_slice(secret)
                    .is_ok_and(|code| code.chain_update(message).verify_slice(signature).is_ok()),
                "HS384" => Hmac::<Sha384>::new_from_slice(secret)
                    .is_ok_and(|code| code.chain_update(message).verify_slice(signature).is_ok()),
                _ => Hmac::<Sha512>::new_from_slice(secret)
                    .is_ok_and(|code| code.chain_update(message).verify_slice(signature).is_ok()),
            },
            Self::Public { way, key, .. } => UnparsedPublicKey::new(*way, key).verify(message, signature).is_ok(),
        }
    }
}

/// The claims of a token that `key` has signed and that is valid at `now_ms`.
///
/// # Errors
/// [`TokenError`], which tells nothing of the key.
pub(super) fn verify(token: &str, key: &Key<'_>, now_ms: i64) -> Result<Value, TokenError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::Malformed);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
    let (head, claims) = message.split_once('.').ok_or(TokenError::Malformed)?;
    let head: Value = decoded(head)?;
    if head.get("alg").and_then(Value::as_str) != Some(key.algorithm()) {
        return Err(TokenError::Algorithm);
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Malformed)?;
    if !key.has_signed(message.as_bytes(), &signature) {
        return Err(TokenError::Signature);
    }
    let claims: Value = decoded(claims)?;
    let now_s = now_ms as f64 / 1_000.0;
    match (claims.get("nbf").map(Value::as_f64), claims.get("exp").map(Value::as_f64)) {
        (Some(None), _) | (_, Some(None)) => Err(TokenError::Malformed),
        (Some(Some(from)), _) if now_s < from => Err(TokenError::NotActive),
        (_, Some(Some(until))) if now_s >= until => Err(TokenError::Expired),
        _ => Ok(claims),
    }
}

fn decoded(part: &str) -> Result<Value, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed)
}

/// What a PEM text has between its lines. Keys that were pasted into one line are read too.
fn pem(text: &str) -> Option<Vec<u8>> {
    if text.len() > KEY_BYTES_MAX {
        return None;
    }
    let inner = text.split_once("-----BEGIN PUBLIC KEY-----")?.1.split_once("-----END")?.0;
    let digits: String = inner.chars().filter(|character| !character.is_whitespace()).collect();
    STANDARD.decode(digits).ok()
}

/// The key itself out of the structure that says whose kind it is (`SubjectPublicKeyInfo`).
fn public_key(der: &[u8]) -> Option<&[u8]> {
    const SEQUENCE: u8 = 0x30;
    const BIT_STRING: u8 = 0x03;
    let (info, _) = element(der, SEQUENCE)?;
    let (_, rest) = element(info, SEQUENCE)?;
    let (bits, _) = element(rest, BIT_STRING)?;
    // The first byte says how many bits of the last one are not used.
    bits.strip_prefix(&[0])
}

/// The content of an element with that tag, and what is behind it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let rest = der.strip_prefix(&[tag])?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 | 0x82 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}
