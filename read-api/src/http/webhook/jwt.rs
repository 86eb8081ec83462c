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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;
    const SHARED: &str = "a shared secret";
    const HS256: &str =
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhZGEifQ.1Vq1AoSkkgitOfLW57on8VFOS9tiK7sIElgNGefF-Ko";
    const HS384: &str = concat!(
        "eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhZGEifQ.R40E_bYqvi0C3xgYIxR0L6HG5Ag07xEsVJr_NpLo37fE",
        "jbKoZ5pFPKoyOZ2bAo_q",
    );
    const HS512: &str = concat!(
        "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhZGEifQ.4UsHE1tIhyrgzCcztSiu-5SRMSv8onKDRgBT8DYyVuMQ",
        "HwuwZFIBdJ9BvSM0P15ieIQd_8BlxtIc1QzJaZCZww",
    );
    const RSA_KEY: &str = concat!(
        "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu/V/RVmaztHX/vb86D63LsfTrPn1BK7ecmOYRLRQCutp5FXMsCwfTCTl",
        "IFtBbHREYyw5xa3poQEgLONkRY12bhiAi49S7qXW/PHnuqLAiJVXLUs9PicB/OyHf+DA/HqK/Q+ts0os2cfqvBWB9MSwwbEBpZJU",
        "fVCFcYXIlOK1ahNQgGFiRNuwbtuNcvqoiX9evO9hvfyOLe1mQzxOrX3zHMfX5Uz2bY1f6xmW1PJbL/BlQXo319xPDbe/6MYH64AI",
        "TenHk5Wp651s4KRfOmjJNEmHJVk1pyAARJwsvlbq/J9zfJ9VFDSHf6IpCSFFZgfy6BEiCylrRVyWAerKKN3jGwIDAQAB",
    );
    const RS256: &str = concat!(
        "eyJhbGciOiAiUlMyNTYifQ.eyJzdWIiOiJhZGEifQ.IfGx86bybXX4eb5n4c8u4uZ7vKusJZTSpcbF7t0-uubsoGp8zvTcG1XXNi",
        "JfyNpgwZmn4VPpYYRETikAZa45hZeVJq5XNv5K6RrYVnO9kAauKgrOUKDKIpWwsbp1_Kkip8j7ybOHX22gZBLVaPs-aRF_bKhU6x",
        "cyHkm85thSGDrKxq71z1wGU6I7kZ5ssY8mi-6HYwkDRALMNpqiK54edLeHQHl2hPb9tjVvjzuJd_b8rM5gnKywybSbqlsl01zlKb",
        "lNN3qjThD2R2NYTu4cExua_nWZmB_W526sExrwGkekQ1jyHTlbaKh974BhE5ITlGMIhPP4MRHUyqADw8H_9A",
    );
    const PS256: &str = concat!(
        "eyJhbGciOiAiUFMyNTYifQ.eyJzdWIiOiJhZGEifQ.NjwKeG1G0ciFdPsjUSNF-KxT5JZIaxelFTwhyC-FsdMsChrDMaqCrNUWiH",
        "lRn34hFo7bRGS6-WN-oeURR2AV3fKeBpltucy7J6vWzx8j_Bojk0a-V4pAOl9-POaCM1XBiUwZHko3UVooarUP0K7t8jEmvZEXxO",
        "oYMODV_hTlxwh0FmIQS2EipwNZHLFGnIrE7HxpfSCDxTXfUpgqinWxjh0HwhkqqvVimaFgLHicEuu1XfBCawDV4qY2Psct72gI-l",
        "dngZ-IhZks-rh7Vn3frNHu2_Eq72ubVbI_k1DmVBC6TvlF8-y3-Q8hojY0s66Qvo6XOppGfCgdUOtMqoiLKg",
    );
    const EC_KEY: &str = concat!(
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEBIABPFBu806HpOzgIur1LSjQveQheS44hLlFiq1qh2khdlvl1iGq+uBHqFZ/wfFX",
        "j2IfBRzlSCQlY5E6nO4UjQ==",
    );
    const ES256: &str = concat!(
        "eyJhbGciOiAiRVMyNTYifQ.eyJzdWIiOiJhZGEifQ.c7y9GNw-NUGiM1KW-VvjvFXUflJPnnxurmT00_aD74lREvvkFIRE2hP-zZ",
        "OfcwdsxHsczmIAzmQNoavMdk8Wfg",
    );

    fn checked(credential: &Value, token: &str) -> Result<Value, TokenError> {
        let credential = credential.as_object().unwrap();
        verify(token, &Key::of(credential)?, NOW_MS)
    }

    fn shared(algorithm: &str) -> Value {
        json!({ "keyType": "passphrase", "secret": SHARED, "algorithm": algorithm })
    }

    fn public(algorithm: &str, key: &str) -> Value {
        let key = format!("-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n");
        json!({ "keyType": "pemKey", "publicKey": key, "algorithm": algorithm })
    }

    #[test]
    fn a_token_of_the_right_key_and_algorithm_tells_its_claims() {
        for (credential, token) in [
            (shared("HS256"), HS256),
            (json!({ "secret": SHARED }), HS256),
            (shared("HS384"), HS384),
            (shared("HS512"), HS512),
            (public("RS256", RSA_KEY), RS256),
            (public("PS256", RSA_KEY), PS256),
            (public("ES256", EC_KEY), ES256),
        ] {
            assert_eq!(checked(&credential, token).unwrap()["sub"], "ada", "{credential}");
        }
    }

    #[test]
    fn any_other_token_is_refused() {
        let changed = HS256.replace('.', ".e");
        let cases = [
            (shared("HS256"), changed.as_str(), TokenError::Malformed),
            (shared("HS256"), "a.b", TokenError::Malformed),
            (shared("HS256"), "", TokenError::Malformed),
            (shared("HS256"), HS384, TokenError::Algorithm),
            (shared("HS256"), "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.", TokenError::Algorithm),
            (json!({ "secret": "another secret" }), HS256, TokenError::Signature),
            (public("RS256", RSA_KEY), ES256, TokenError::Algorithm),
            (public("RS256", RSA_KEY), HS256, TokenError::Algorithm),
            (public("HS256", RSA_KEY), HS256, TokenError::Key),
            (public("ES256", RSA_KEY), ES256, TokenError::Signature),
            (public("none", RSA_KEY), RS256, TokenError::Key),
            (json!({ "secret": "" }), HS256, TokenError::Key),
            (public("RS256", "AAAA"), RS256, TokenError::Key),
        ];
        for (credential, token, expected) in cases {
            assert_eq!(checked(&credential, token), Err(expected), "{credential} {token}");
        }
        let mut broken = RS256.to_owned();
        broken.replace_range(broken.len() - 8..broken.len() - 4, "AAAA");
        assert_eq!(checked(&public("RS256", RSA_KEY), &broken), Err(TokenError::Signature));
    }

    #[test]
    fn a_token_counts_from_its_beginning_to_its_end() {
        let expired = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhZGEiLCJleHAiOjEwMDB9.i3neALPhHFVdg8Yy609IjvptjX4vsygLxSpdoY_WIfI";
        let early = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhZGEiLCJuYmYiOjk5OTk5OTk5OTl9.f4Njt1QWQTWnGTTuyIYAyWlYAe4pXupX6QPKTyTNu8U";
        assert_eq!(checked(&shared("HS256"), expired), Err(TokenError::Expired));
        assert_eq!(checked(&shared("HS256"), early), Err(TokenError::NotActive));
    }
}
