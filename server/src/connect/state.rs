//! The `state` that the browser takes along and brings back, and the verifier that goes with it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use timeloom_domain::ids::CredentialId;
use uuid::Uuid;

/// Bytes of what is told, before the code over it.
const TOLD_BYTES: usize = 16 + 16 + 8;
/// Bytes of the code.
const CODE_BYTES: usize = 32;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub credential: CredentialId,
    /// Tells it from others of the same credential.
    pub chance: Uuid,
    /// Until when it counts, in milliseconds since 1970.
    pub until_ms: i64,
}

impl Asked {
    /// As the browser takes it along. Whoever has no key can make none, and it is of use to `who` alone.
    pub(super) fn write(&self, key: &[u8], who: &str) -> String {
        let told =
            [self.credential.0.as_bytes().as_slice(), self.chance.as_bytes(), &self.until_ms.to_be_bytes()].concat();
        let code = code(key, &[b"state", &told, who.as_bytes()]);
        URL_SAFE_NO_PAD.encode([told, code.to_vec()].concat())
    }

    /// What `who` brings back, in time and as it was given.
    pub(super) fn read(text: &str, key: &[u8], who: &str, now_ms: i64) -> Option<Self> {
        if text.len() > 2 * (TOLD_BYTES + CODE_BYTES) {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (told, given) = bytes.split_at_checked(TOLD_BYTES)?;
        let until_ms = i64::from_be_bytes(told[32..].try_into().ok()?);
        keyed(key, &[b"state", told, who.as_bytes()])?.verify_slice(given).ok()?;
        let (credential, chance) = (Uuid::from_slice(&told[..16]).ok()?, Uuid::from_slice(&told[16..32]).ok()?);
        (now_ms < until_ms).then_some(Self { credential: CredentialId(credential), chance, until_ms })
    }
}

/// What shows the provider that the code is in the hands of whoever asked for it: it follows from the state, and from nothing that
/// the browser has.
pub(super) fn verifier(key: &[u8], state: &str) -> String {
    URL_SAFE_NO_PAD.encode(code(key, &[b"verifier", state.as_bytes()]))
}

/// What the provider is told of the verifier beforehand.
pub(super) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

fn code(key: &[u8], parts: &[&[u8]]) -> [u8; CODE_BYTES] {
    keyed(key, parts).map_or([0; CODE_BYTES], |code| code.finalize().into_bytes().into())
}

/// The code over these parts, each with its length; every length of key is one.
fn keyed(key: &[u8], parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
    let mut code = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in parts {
        code.update(&(part.len() as u64).to_be_bytes());
        code.update(part);
    }
    Some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = &[7; 32];

    fn asked() -> Asked {
        Asked { credential: CredentialId(Uuid::from_u128(1)), chance: Uuid::from_u128(2), until_ms: 1_000 }
    }

    #[test]
    fn it_is_read_by_whom_it_was_given_in_time_and_as_it_was() {
        let text = asked().write(KEY, "ann");
        assert_eq!(Asked::read(&text, KEY, "ann", 999), Some(asked()));
        assert_eq!(Asked::read(&text, KEY, "ann", 1_000), None);
        assert_eq!(Asked::read(&text, KEY, "bob", 0), None);
        assert_eq!(Asked::read(&text, &[8; 32], "ann", 0), None);
        for place in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[place] = if other[place] == b'A' { b'B' } else { b'A' };
            assert_eq!(Asked::read(std::str::from_utf8(&other).unwrap(), KEY, "ann", 0), None, "{place}");
        }
        for nothing in ["", "AAAA", &"A".repeat(5_000)] {
            assert_eq!(Asked::read(nothing, KEY, "ann", 0), None);
        }
    }

    #[test]
    fn the_verifier_follows_from_the_state_and_the_key() {
        let verifier = super::verifier(KEY, "x");
        assert_eq!(verifier, super::verifier(KEY, "x"));
        assert_ne!(verifier, super::verifier(KEY, "y"));
        assert_ne!(verifier, super::verifier(&[8; 32], "x"));
        assert!(verifier.len() == 43 && challenge(&verifier) != verifier);
    }
}
