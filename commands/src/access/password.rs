//! Passwords: argon2id, and over its digest the seal of a key that is not in the log, so that who has a copy of the log
//! cannot even try passwords.
//!
//! What is sealed is bound to the tenant and the account. Nothing here shows a password or keeps one.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use timeloom_domain::account::SealedPassword;
use timeloom_domain::ids::{AccountId, TenantId};
use zeroize::Zeroizing;

use crate::Refusal;
use crate::credentials::NONCE_BYTES;
use crate::credentials::keys::{Key, Keyring};

/// Fewest characters of a password.
pub const PASSWORD_CHARACTERS_MIN: usize = 12;
/// Most bytes of a password.
pub const PASSWORD_BYTES_MAX: usize = 1_024;
/// Memory that one digest takes, in KiB: what OWASP recommends with two passes.
const MEMORY_KIB: u32 = 19 * 1_024;
/// Passes over it.
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
/// Most memory that a digest from the log may ask for, in KiB.
const MEMORY_KIB_MAX: u32 = 256 * 1_024;
/// Most passes that it may ask for.
const PASSES_MAX: u32 = 16;

/// What is sealed: a digest, and all that is needed to make it again.
#[derive(Serialize, Deserialize)]
struct Digested {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: String,
    hash: String,
}

/// Refuses what is too short, too long, or nothing but one character.
pub(super) fn check(password: &str) -> Result<(), Refusal> {
    let mut letters: Vec<char> = password.chars().collect();
    let count = letters.len();
    letters.sort_unstable();
    letters.dedup();
    let fits = count >= PASSWORD_CHARACTERS_MIN && password.len() <= PASSWORD_BYTES_MAX && letters.len() >= 4;
    if fits {
        return Ok(());
    }
    let message = format!(
        "a password has at least {PASSWORD_CHARACTERS_MIN} characters, four of them different, and at most \
         {PASSWORD_BYTES_MAX} bytes: a few words do well"
    );
    Err(Refusal::new("WEAK_PASSWORD", message))
}

/// The digest of a password under `key`; `None` when it cannot be made, which does not happen. Takes some 20 ms of a
/// processor and 19 MiB.
pub(super) fn seal(
    key: &Key,
    nonce: [u8; NONCE_BYTES],
    salt: [u8; SALT_BYTES],
    place: (TenantId, AccountId),
    password: &str,
) -> Option<SealedPassword> {
    let (memory_kib, passes, lanes) = (MEMORY_KIB, PASSES, LANES);
    let hash = hash(password, &salt, memory_kib, passes, lanes)?;
    let (salt, hash) = (STANDARD.encode(salt), STANDARD.encode(*hash));
    let text = Zeroizing::new(serde_json::to_vec(&Digested { memory_kib, passes, lanes, salt, hash }).ok()?);
    seal_text(key, nonce, place, &text)
}

/// The same digest under the newest key; `None` when it cannot be opened.
pub(super) fn reseal(
    keys: &Keyring,
    nonce: [u8; NONCE_BYTES],
    place: (TenantId, AccountId),
    sealed: &SealedPassword,
) -> Option<SealedPassword> {
    seal_text(keys.newest()?, nonce, place, &open(keys, place, sealed)?)
}

/// Whether `password` is the one of `sealed`; `None` when that cannot be opened.
pub(super) fn is_right(
    keys: &Keyring,
    place: (TenantId, AccountId),
    sealed: &SealedPassword,
    password: &str,
) -> Option<bool> {
    let digested: Digested = serde_json::from_slice(&open(keys, place, sealed)?).ok()?;
    let Digested { memory_kib, passes, lanes, salt, hash: known } = digested;
    if memory_kib > MEMORY_KIB_MAX || passes > PASSES_MAX {
        return None;
    }
    let (salt, known) = (STANDARD.decode(salt).ok()?, STANDARD.decode(known).ok()?);
    let hash = hash(password, &salt, memory_kib, passes, lanes)?;
    Some(hash.as_slice().ct_eq(&known).into())
}

/// Takes as long as looking at a password does, so that nobody learns from the time who has an account.
pub(super) fn pretend(password: &str) {
    let _ = hash(password, &[0; SALT_BYTES], MEMORY_KIB, PASSES, LANES);
}

fn hash(password: &str, salt: &[u8], memory_kib: u32, passes: u32, lanes: u32) -> Option<Zeroizing<[u8; HASH_BYTES]>> {
    let params = Params::new(memory_kib, passes, lanes, Some(HASH_BYTES)).ok()?;
    let mut hash = Zeroizing::new([0; HASH_BYTES]);
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon.hash_password_into(password.as_bytes(), salt, &mut *hash).ok()?;
    Some(hash)
}

fn bound_to((tenant, account): (TenantId, AccountId)) -> Vec<u8> {
    [b"timeloom password seal 1\0".as_slice(), &tenant.0.to_be_bytes(), account.0.as_bytes()].concat()
}

fn seal_text(key: &Key, nonce: [u8; NONCE_BYTES], place: (TenantId, AccountId), text: &[u8]) -> Option<SealedPassword> {
    let payload = Payload { msg: text, aad: &bound_to(place) };
    let ciphertext = Aes256Gcm::new(key.bytes().into()).encrypt(&nonce.into(), payload).ok()?;
    Some(SealedPassword {
        key: key.fingerprint().to_owned(),
        nonce: STANDARD.encode(nonce),
        ciphertext: STANDARD.encode(ciphertext),
    })
}

fn open(keys: &Keyring, place: (TenantId, AccountId), sealed: &SealedPassword) -> Option<Zeroizing<Vec<u8>>> {
    let key = keys.find(&sealed.key)?;
    let nonce: [u8; NONCE_BYTES] = STANDARD.decode(&sealed.nonce).ok()?.try_into().ok()?;
    let ciphertext = STANDARD.decode(&sealed.ciphertext).ok()?;
    let payload = Payload { msg: &ciphertext, aad: &bound_to(place) };
    Aes256Gcm::new(key.bytes().into()).decrypt(&nonce.into(), payload).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn key(byte: u8) -> Key {
        Key::new(Zeroizing::new([byte; 32]))
    }

    #[test]
    fn a_password_is_known_again_for_its_account_and_key_alone() {
        let place = (TenantId(1), AccountId(Uuid::from_u128(7)));
        let keys = Keyring::default().with(key(1));
        let sealed = seal(&key(1), [1; NONCE_BYTES], [2; SALT_BYTES], place, "correct horse battery").unwrap();
        assert_eq!(is_right(&keys, place, &sealed, "correct horse battery"), Some(true));
        assert_eq!(is_right(&keys, place, &sealed, "correct horse batterz"), Some(false));
        let other = (TenantId(1), AccountId(Uuid::from_u128(8)));
        assert_eq!(is_right(&keys, other, &sealed, "correct horse battery"), None);
        assert_eq!(is_right(&Keyring::default().with(key(2)), place, &sealed, "correct horse battery"), None);
        let newer = keys.with(key(3));
        let resealed = reseal(&newer, [3; NONCE_BYTES], place, &sealed).unwrap();
        assert_eq!(resealed.key, key(3).fingerprint());
        assert_eq!(is_right(&newer, place, &resealed, "correct horse battery"), Some(true));
    }

    #[test]
    fn weak_passwords_are_refused() {
        for weak in ["", "short", "aaaaaaaaaaaaaaaaaaaa", "abababababababab", &"long ".repeat(300)] {
            assert_eq!(check(weak).unwrap_err().code, "WEAK_PASSWORD", "{weak}");
        }
        assert_eq!(check("correct horse battery"), Ok(()));
    }
}
