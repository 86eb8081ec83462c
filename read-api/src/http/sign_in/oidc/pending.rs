//! What a sign-in at a provider needs until the browser comes back, sealed so that the browser can neither read nor change it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::super::super::webhook::is_same;

/// What the key is for that seals these.
pub(super) const PURPOSE: &str = "timeloom sign-in at a provider 1";
/// Longest sealed text, in bytes: browsers take cookies of 4,096.
const SEALED_BYTES_MAX: usize = 3_800;

/// A sign-in under way.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Pending {
    /// Tells the provider's answer from one that somebody else asked for.
    pub state: String,
    /// Tells the token from one of another sign-in.
    pub nonce: String,
    /// Shows the provider that the code is in the hands of whoever asked for it.
    pub verifier: String,
    /// Where to go on.
    pub next: String,
    until_ms: i64,
}

impl Pending {
    /// One that may take until then; `None` when the operating system has no chance to give.
    pub(super) fn new(next: &str, until_ms: i64) -> Option<Self> {
        let (state, nonce, verifier) = (drawn()?, drawn()?, drawn()?);
        Some(Self { state, nonce, verifier, next: next.to_owned(), until_ms })
    }

    /// What the provider is told of the verifier beforehand.
    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(&self.verifier))
    }

    /// Whether an answer of the provider is to this one.
    pub(super) fn is_of(&self, state: &str) -> bool {
        is_same(state.as_bytes(), self.state.as_bytes())
    }

    /// Seals it, for one provider.
    pub(super) fn seal(&self, key: &[u8; 32], issuer: &str) -> Option<String> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut text = serde_json::to_vec(self).ok()?;
        let sealing = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
        let aad = Aad::from(issuer.as_bytes());
        sealing.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut text).ok()?;
        let sealed = URL_SAFE_NO_PAD.encode([nonce.as_slice(), &text].concat());
        (sealed.len() <= SEALED_BYTES_MAX).then_some(sealed)
    }

    /// Opens one that was sealed for this provider and whose time is not up.
    pub(super) fn open(sealed: &str, key: &[u8; 32], issuer: &str, now_ms: i64) -> Option<Self> {
        if sealed.len() > SEALED_BYTES_MAX {
            return None;
        }
        let mut text = Zeroizing::new(URL_SAFE_NO_PAD.decode(sealed).ok()?);
        let nonce: [u8; NONCE_LEN] = text.get(..NONCE_LEN)?.try_into().ok()?;
        let opening = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
        let aad = Aad::from(issuer.as_bytes());
        let opened =
            opening.open_in_place(Nonce::assume_unique_for_key(nonce), aad, text.get_mut(NONCE_LEN..)?).ok()?;
        let pending: Self = serde_json::from_slice(opened).ok()?;
        (now_ms < pending.until_ms).then_some(pending)
    }
}

fn drawn() -> Option<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];
    const ISSUER: &str = "https://id.example";

    #[test]
    fn what_was_sealed_is_opened_for_its_provider_in_its_time_and_as_it_was() {
        let pending = Pending::new("/next", 1_000).unwrap();
        let sealed = pending.seal(&KEY, ISSUER).unwrap();
        let opened = Pending::open(&sealed, &KEY, ISSUER, 999).unwrap();
        assert!(opened.is_of(&pending.state) && opened.next == "/next" && !opened.is_of(&pending.nonce));
        assert!(Pending::open(&sealed, &KEY, ISSUER, 1_000).is_none());
        assert!(Pending::open(&sealed, &[8; 32], ISSUER, 0).is_none());
        assert!(Pending::open(&sealed, &KEY, "https://other.example", 0).is_none());
        for place in 0..sealed.len() {
            let mut other = sealed.clone().into_bytes();
            other[place] = if other[place] == b'A' { b'B' } else { b'A' };
            assert!(Pending::open(std::str::from_utf8(&other).unwrap(), &KEY, ISSUER, 0).is_none(), "{place}");
        }
        for nothing in ["", "AAAA", &"A".repeat(5_000)] {
            assert!(Pending::open(nothing, &KEY, ISSUER, 0).is_none());
        }
    }

    #[test]
    fn no_two_are_alike() {
        let (one, other) = (Pending::new("/", 1).unwrap(), Pending::new("/", 1).unwrap());
        assert!(one.state != other.state && one.nonce != other.nonce && one.verifier != other.verifier);
        assert!(one.state.len() == 43 && one.challenge() != one.verifier);
    }
}
