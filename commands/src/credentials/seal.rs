//! Seals fields of credentials, and opens seals: AES-256-GCM, each with a number that is used once.
//!
//! Every save has a key of its own, the data key, which seals the fields; a key of the keyring seals the data key. So
//! another key of the keyring needs the data key alone, and the fields stay closed. Both are bound to the tenant, the
//! credential and the version that they belong to: moved to another, they do not open. Fields and data keys are wiped
//! from memory as far as they are text of ours; nothing here shows them.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use timeloom_domain::credential::{Sealed, WrappedKey};
use timeloom_domain::ids::{CredentialId, TenantId};
use timeloom_domain::item::JsonObject;
use zeroize::Zeroizing;

use super::keys::{KEY_BYTES, Key, Keyring};

/// Bytes of the number that is used for one seal.
pub const NONCE_BYTES: usize = 12;

/// What seals of old were bound to besides, which had no data key.
const OLD: &[u8] = b"timeloom credential seal 1\0";
/// What sealed fields are bound to besides.
const FIELDS: &[u8] = b"timeloom credential fields 2\0";
/// What sealed data keys are bound to besides.
const DATA_KEY: &[u8] = b"timeloom credential data key 2\0";

/// Bytes of a key that seals the fields of one save.
pub(super) type DataKey = Zeroizing<[u8; KEY_BYTES]>;

/// Why a seal does not open. Never tells what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SealError {
    /// Its key is not there.
    NoKey,
    /// It is not what was sealed for this version of this credential with this key.
    Broken,
}

/// What a seal is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) tenant: TenantId,
    pub(super) id: CredentialId,
    /// Which save of the credential; 1 is the first.
    pub(super) version: u64,
}

impl Place {
    fn bound_to(self, what: &[u8]) -> Vec<u8> {
        let Self { tenant, id, version } = self;
        [what, &tenant.0.to_be_bytes(), id.0.as_bytes(), &version.to_be_bytes()].concat()
    }

    /// What seals of old are bound to: any version.
    fn bound_to_of_old(self) -> Vec<u8> {
        [OLD, &self.tenant.0.to_be_bytes(), self.id.0.as_bytes()].concat()
    }
}

/// Numbers for the two seals of a save.
#[derive(Debug, Clone, Copy)]
pub(super) struct SealNonces {
    pub(super) fields: [u8; NONCE_BYTES],
    pub(super) data_key: [u8; NONCE_BYTES],
}

/// Seals `fields` with `data_key`, and that with `key`; `None` when that cannot be, which does not happen to fields of
/// allowed size.
pub(super) fn seal(
    key: &Key,
    data_key: &DataKey,
    nonces: SealNonces,
    place: Place,
    fields: &JsonObject,
) -> Option<Sealed> {
    let text = Zeroizing::new(serde_json::to_vec(fields).ok()?);
    let ciphertext = encrypted(data_key, nonces.fields, &text, &place.bound_to(FIELDS))?;
    Some(Sealed {
        key: key.fingerprint().to_owned(),
        nonce: STANDARD.encode(nonces.fields),
        ciphertext,
        data_key: Some(wrapped(key, data_key, nonces.data_key, place)?),
    })
}

/// Opens what was sealed for a version of a credential.
pub(super) fn open(keys: &Keyring, place: Place, sealed: &Sealed) -> Result<JsonObject, SealError> {
    let key = keys.find(&sealed.key).ok_or(SealError::NoKey)?;
    let text = match &sealed.data_key {
        Some(wrapped) => {
            let data_key = unwrapped(key, wrapped, place)?;
            decrypted(&data_key, &sealed.nonce, &sealed.ciphertext, &place.bound_to(FIELDS))?
        }
        None => decrypted(key.bytes(), &sealed.nonce, &sealed.ciphertext, &place.bound_to_of_old())?,
    };
    serde_json::from_slice(&text).map_err(|_| SealError::Broken)
}

/// The same fields, whose data key `newest` seals from now on. `None` for seals of old, which have no data key.
pub(super) fn rewrapped(
    keys: &Keyring,
    newest: &Key,
    nonce: [u8; NONCE_BYTES],
    place: Place,
    sealed: &Sealed,
) -> Result<Option<Sealed>, SealError> {
    let key = keys.find(&sealed.key).ok_or(SealError::NoKey)?;
    let Some(data_key) = &sealed.data_key else { return Ok(None) };
    let data_key = unwrapped(key, data_key, place)?;
    let data_key = wrapped(newest, &data_key, nonce, place).ok_or(SealError::Broken)?;
    Ok(Some(Sealed { key: newest.fingerprint().to_owned(), data_key: Some(data_key), ..sealed.clone() }))
}

fn wrapped(key: &Key, data_key: &DataKey, nonce: [u8; NONCE_BYTES], place: Place) -> Option<WrappedKey> {
    let ciphertext = encrypted(key.bytes(), nonce, data_key.as_slice(), &place.bound_to(DATA_KEY))?;
    Some(WrappedKey { version: place.version, nonce: STANDARD.encode(nonce), ciphertext })
}

fn unwrapped(key: &Key, wrapped: &WrappedKey, place: Place) -> Result<DataKey, SealError> {
    let opened = decrypted(key.bytes(), &wrapped.nonce, &wrapped.ciphertext, &place.bound_to(DATA_KEY))?;
    let bytes: &[u8; KEY_BYTES] = opened.as_slice().try_into().map_err(|_| SealError::Broken)?;
    Ok(Zeroizing::new(*bytes))
}

fn encrypted(key: &[u8; KEY_BYTES], nonce: [u8; NONCE_BYTES], text: &[u8], bound_to: &[u8]) -> Option<String> {
    let payload = Payload { msg: text, aad: bound_to };
    Aes256Gcm::new(key.into()).encrypt(&nonce.into(), payload).ok().map(|ciphertext| STANDARD.encode(ciphertext))
}

fn decrypted(
    key: &[u8; KEY_BYTES],
    nonce: &str,
    ciphertext: &str,
    bound_to: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let decode = |text: &str| STANDARD.decode(text).map_err(|_| SealError::Broken);
    let (nonce, ciphertext) = (decode(nonce)?, decode(ciphertext)?);
    let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| SealError::Broken)?;
    let payload = Payload { msg: &ciphertext, aad: bound_to };
    let opened = Aes256Gcm::new(key.into()).decrypt(&nonce.into(), payload);
    opened.map(Zeroizing::new).map_err(|_| SealError::Broken)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    const NONCES: SealNonces = SealNonces { fields: [9; NONCE_BYTES], data_key: [8; NONCE_BYTES] };

    fn key(byte: u8) -> Key {
        Key::new(Zeroizing::new([byte; 32]))
    }

    fn keys(bytes: &[u8]) -> Keyring {
        bytes.iter().fold(Keyring::default(), |keys, byte| keys.with(key(*byte)))
    }

    fn place(tenant: u32, number: u128, version: u64) -> Place {
        Place { tenant: TenantId(tenant), id: CredentialId(Uuid::from_u128(number)), version }
    }

    fn fields() -> JsonObject {
        json!({"user": "ann", "password": "open sesame"}).as_object().unwrap().clone()
    }

    fn sealed() -> Sealed {
        seal(&key(1), &Zeroizing::new([5; 32]), NONCES, place(3, 7, 2), &fields()).unwrap()
    }

    /// What a build of before data keys wrote for tenant 3 and credential 7, under the key of ones.
    fn sealed_of_old() -> Sealed {
        Sealed {
            key: key(1).fingerprint().to_owned(),
            nonce: "CQkJCQkJCQkJCQkJ".to_owned(),
            ciphertext: OLD_CIPHERTEXT.to_owned(),
            data_key: None,
        }
    }

    const OLD_CIPHERTEXT: &str = "vy1SvatCJPtdNSQhjPGnZ/i0DY1b7VDEDXpfOYs5344ONpi1xdcYJ29BBUr9r0Y+Dj4w4mj3og==";

    #[test]
    fn what_was_sealed_opens_for_its_version_of_its_credential_alone() {
        assert_eq!(open(&keys(&[1]), place(3, 7, 2), &sealed()), Ok(fields()));
        for moved in [place(4, 7, 2), place(3, 8, 2), place(3, 7, 1), place(3, 7, 3)] {
            assert_eq!(open(&keys(&[1]), moved, &sealed()), Err(SealError::Broken));
            let rewrapped = rewrapped(&keys(&[1]), &key(2), [7; NONCE_BYTES], moved, &sealed());
            assert_eq!(rewrapped, Err(SealError::Broken));
        }
    }

    #[test]
    fn seals_of_before_data_keys_open_as_they_are() {
        for version in [1, 9] {
            assert_eq!(open(&keys(&[1]), place(3, 7, version), &sealed_of_old()), Ok(fields()));
        }
        assert_eq!(open(&keys(&[1]), place(3, 8, 1), &sealed_of_old()), Err(SealError::Broken));
        assert_eq!(open(&keys(&[2]), place(3, 7, 1), &sealed_of_old()), Err(SealError::NoKey));
        let rewrapped = rewrapped(&keys(&[1]), &key(2), [7; NONCE_BYTES], place(3, 7, 1), &sealed_of_old());
        assert_eq!(rewrapped, Ok(None));
        // Neither kind passes for the other.
        assert_eq!(open(&keys(&[1]), place(3, 7, 2), &Sealed { data_key: None, ..sealed() }), Err(SealError::Broken));
        let mixed = Sealed { data_key: sealed().data_key, ..sealed_of_old() };
        assert_eq!(open(&keys(&[1]), place(3, 7, 2), &mixed), Err(SealError::Broken));
    }

    #[test]
    fn another_key_takes_over_the_data_key_and_the_fields_stay_as_they_are() {
        let before = sealed();
        let after = rewrapped(&keys(&[1, 2]), &key(2), [7; NONCE_BYTES], place(3, 7, 2), &before).unwrap().unwrap();
        assert_eq!((&after.nonce, &after.ciphertext), (&before.nonce, &before.ciphertext));
        assert_ne!(after.data_key, before.data_key);
        assert_eq!(open(&keys(&[2]), place(3, 7, 2), &after), Ok(fields()));
        assert_eq!(open(&keys(&[1]), place(3, 7, 2), &after), Err(SealError::NoKey));
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let whole = sealed();
        let broken = |changed: &Sealed| {
            assert_eq!(open(&keys(&[1]), place(3, 7, 2), changed), Err(SealError::Broken));
        };
        let wrap = |wrapped: WrappedKey| Sealed { data_key: Some(wrapped), ..whole.clone() };
        let data_key = whole.data_key.clone().unwrap();
        for place_of_byte in 0..STANDARD.decode(&whole.ciphertext).unwrap().len() {
            broken(&Sealed { ciphertext: flipped(&whole.ciphertext, place_of_byte), ..whole.clone() });
        }
        for place_of_byte in 0..STANDARD.decode(&data_key.ciphertext).unwrap().len() {
            broken(&wrap(WrappedKey { ciphertext: flipped(&data_key.ciphertext, place_of_byte), ..data_key.clone() }));
        }
        for wrong in ["", "AAAA", "not base64!"] {
            broken(&Sealed { ciphertext: wrong.to_owned(), ..whole.clone() });
            broken(&Sealed { nonce: wrong.to_owned(), ..whole.clone() });
            broken(&wrap(WrappedKey { ciphertext: wrong.to_owned(), ..data_key.clone() }));
            broken(&wrap(WrappedKey { nonce: wrong.to_owned(), ..data_key.clone() }));
        }
    }

    fn flipped(text: &str, place_of_byte: usize) -> String {
        let mut bytes = STANDARD.decode(text).unwrap();
        bytes[place_of_byte] ^= 1;
        STANDARD.encode(bytes)
    }

    #[test]
    fn every_key_that_is_there_opens_and_another_is_missed() {
        assert_eq!(open(&keys(&[1, 2]), place(3, 7, 2), &sealed()), Ok(fields()));
        assert_eq!(open(&keys(&[2]), place(3, 7, 2), &sealed()), Err(SealError::NoKey));
        // A key that pretends to be the other.
        let renamed = Sealed { key: key(2).fingerprint().to_owned(), ..sealed() };
        assert_eq!(open(&keys(&[1, 2]), place(3, 7, 2), &renamed), Err(SealError::Broken));
    }
}
