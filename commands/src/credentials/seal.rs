//! Seals fields of credentials, and opens seals: AES-256-GCM, each with a number that is used once.
//!
//! What is sealed is bound to the tenant and the credential that it belongs to: moved to another, it does not open. Fields
//! are wiped from memory as far as they are text of ours; nothing here shows them.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use timeloom_domain::credential::Sealed;
use timeloom_domain::ids::{CredentialId, TenantId};
use timeloom_domain::item::JsonObject;
use zeroize::Zeroizing;

use super::keys::{Key, Keyring};

/// Bytes of the number that is used for one seal.
pub const NONCE_BYTES: usize = 12;

/// Why a seal does not open. Never tells what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SealError {
    /// Its key is not there.
    NoKey,
    /// It is not what was sealed for this credential with this key.
    Broken,
}

/// What the seal of a credential is bound to.
fn bound_to((tenant, id): (TenantId, CredentialId)) -> Vec<u8> {
    [b"timeloom credential seal 1\0".as_slice(), &tenant.0.to_be_bytes(), id.0.as_bytes()].concat()
}

/// Seals `fields` with `key`; `None` when that cannot be, which does not happen to fields of allowed size.
pub(super) fn seal(
    key: &Key,
    nonce: [u8; NONCE_BYTES],
    place: (TenantId, CredentialId),
    fields: &JsonObject,
) -> Option<Sealed> {
    let text = Zeroizing::new(serde_json::to_vec(fields).ok()?);
    let payload = Payload { msg: &text, aad: &bound_to(place) };
    let ciphertext = Aes256Gcm::new(key.bytes().into()).encrypt(&nonce.into(), payload).ok()?;
    Some(Sealed {
        key: key.fingerprint().to_owned(),
        nonce: STANDARD.encode(nonce),
        ciphertext: STANDARD.encode(ciphertext),
    })
}

/// Opens what was sealed for a credential.
pub(super) fn open(keys: &Keyring, place: (TenantId, CredentialId), sealed: &Sealed) -> Result<JsonObject, SealError> {
    let key = keys.find(&sealed.key).ok_or(SealError::NoKey)?;
    let decode = |text: &str| STANDARD.decode(text).map_err(|_| SealError::Broken);
    let (nonce, ciphertext) = (decode(&sealed.nonce)?, decode(&sealed.ciphertext)?);
    let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| SealError::Broken)?;
    let payload = Payload { msg: &ciphertext, aad: &bound_to(place) };
    let opened = Aes256Gcm::new(key.bytes().into()).decrypt(&nonce.into(), payload);
    let text = Zeroizing::new(opened.map_err(|_| SealError::Broken)?);
    serde_json::from_slice(&text).map_err(|_| SealError::Broken)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn key(byte: u8) -> Key {
        Key::new(Zeroizing::new([byte; 32]))
    }

    fn id(number: u128) -> CredentialId {
        CredentialId(Uuid::from_u128(number))
    }

    fn fields() -> JsonObject {
        json!({"user": "ann", "password": "open sesame"}).as_object().unwrap().clone()
    }

    #[test]
    fn what_was_sealed_opens_for_its_credential_alone() {
        let (keys, place) = (Keyring::default().with(key(1)), (TenantId(3), id(7)));
        let sealed = seal(&key(1), [9; NONCE_BYTES], place, &fields()).unwrap();
        assert_eq!(open(&keys, place, &sealed), Ok(fields()));
        for moved in [(TenantId(4), id(7)), (TenantId(3), id(8))] {
            assert_eq!(open(&keys, moved, &sealed), Err(SealError::Broken));
        }
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let (keys, place) = (Keyring::default().with(key(1)), (TenantId(3), id(7)));
        let sealed = seal(&key(1), [9; NONCE_BYTES], place, &fields()).unwrap();
        let ciphertext = STANDARD.decode(&sealed.ciphertext).unwrap();
        for place_of_byte in 0..ciphertext.len() {
            let mut changed = ciphertext.clone();
            changed[place_of_byte] ^= 1;
            let changed = Sealed { ciphertext: STANDARD.encode(changed), ..sealed.clone() };
            assert_eq!(open(&keys, place, &changed), Err(SealError::Broken));
        }
        for wrong in ["", "AAAA", "not base64!"] {
            let cut = Sealed { ciphertext: wrong.to_owned(), ..sealed.clone() };
            assert_eq!(open(&keys, place, &cut), Err(SealError::Broken));
            let other = Sealed { nonce: wrong.to_owned(), ..sealed.clone() };
            assert_eq!(open(&keys, place, &other), Err(SealError::Broken));
        }
    }

    #[test]
    fn every_key_that_is_there_opens_and_another_is_missed() {
        let place = (TenantId(0), id(1));
        let sealed = seal(&key(1), [0; NONCE_BYTES], place, &fields()).unwrap();
        let keys = Keyring::default().with(key(1)).with(key(2));
        assert_eq!(open(&keys, place, &sealed), Ok(fields()));
        assert_eq!(open(&Keyring::default().with(key(2)), place, &sealed), Err(SealError::NoKey));
        // A key that pretends to be the other.
        let renamed = Sealed { key: key(2).fingerprint().to_owned(), ..sealed };
        assert_eq!(open(&keys, place, &renamed), Err(SealError::Broken));
    }
}
