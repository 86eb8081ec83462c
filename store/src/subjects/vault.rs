//! Keys of subjects as they lie in storage: wrapped under a master key, found by a number that only its holder can compute.
//!
//! Never does I/O. Invariant: without a master key, what lies there tells neither keys nor names.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use timeloom_domain::ids::TenantId;
use zeroize::Zeroizing;

use super::seal::{NONCE_BYTES, open_bytes, seal_bytes};
use super::{KEY_BYTES, KeyId, SubjectKey, SubjectKeyError};

const WRAPPED_KEY: &[u8] = b"timeloom subject key 1\0";
const WRAPPED_FINDER: &[u8] = b"timeloom subject finder 1\0";
const NAME: &[u8] = b"timeloom subject name 1\0";
/// Longest backup that is read, in bytes.
pub const BACKUP_BYTES_MAX: usize = 1 << 30;
/// What the first line of a backup says.
const BACKUP_FORMAT: &str = "timeloom subject keys 1";

/// A master key, of those under which keys of subjects lie.
#[derive(Clone)]
pub struct MasterKey {
    /// Tells it from others, and nothing about it.
    pub fingerprint: String,
    /// The key.
    pub bytes: Zeroizing<[u8; KEY_BYTES]>,
}

/// Where master keys come from.
pub trait MasterKeys: Send + Sync + 'static {
    /// The one that wraps; made where that is possible and there is none.
    ///
    /// # Errors
    /// [`SubjectKeyError::Master`].
    fn newest(&self) -> Result<MasterKey, SubjectKeyError>;

    /// The one with that fingerprint.
    ///
    /// # Errors
    /// [`SubjectKeyError::NoMasterKey`], or they cannot be read.
    fn find(&self, fingerprint: &str) -> Result<MasterKey, SubjectKeyError>;
}

/// Something wrapped under a master key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrapped {
    /// Fingerprint of the master key.
    pub master: String,
    /// Number and sealed bytes, in base64.
    pub sealed: String,
}

/// A key of a subject as it lies in storage. Also a line of a backup, and frozen as such.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredKey {
    /// Its id.
    pub id: KeyId,
    /// Whose data it is.
    pub tenant: TenantId,
    /// By what it is found, in base64.
    pub found_by: String,
    /// The subject's name, sealed under the key itself, in base64.
    pub name: String,
    /// The key.
    pub key: Wrapped,
}

/// What computes by what the keys of a subject are found.
pub struct Finder(Zeroizing<[u8; KEY_BYTES]>);

/// A chance of the operating system's.
///
/// # Errors
/// [`SubjectKeyError::NoChance`].
pub fn chance() -> Result<Zeroizing<[u8; KEY_BYTES]>, SubjectKeyError> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(&mut *bytes).map_err(|_| SubjectKeyError::NoChance)?;
    Ok(bytes)
}

/// A new id, which says nothing, not even when it was made.
///
/// # Errors
/// [`SubjectKeyError::NoChance`].
pub fn new_id() -> Result<KeyId, SubjectKeyError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| SubjectKeyError::NoChance)?;
    Ok(KeyId(uuid::Builder::from_random_bytes(bytes).into_uuid()))
}

fn packed(nonce: [u8; NONCE_BYTES], sealed: &[u8]) -> String {
    STANDARD.encode([nonce.as_slice(), sealed].concat())
}

fn unpacked(key: &[u8; KEY_BYTES], text: &str, bound: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = STANDARD.decode(text).ok()?;
    let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES)?;
    open_bytes(key, nonce, sealed, bound)
}

fn wrap(master: &MasterKey, bytes: &[u8; KEY_BYTES], bound: &[u8]) -> Result<Wrapped, SubjectKeyError> {
    let (nonce, sealed) = seal_bytes(&master.bytes, bytes, bound)
        .ok_or_else(|| SubjectKeyError::Master("it cannot wrap a key".to_owned()))?;
    Ok(Wrapped { master: master.fingerprint.clone(), sealed: packed(nonce, &sealed) })
}

fn unwrap(
    masters: &dyn MasterKeys,
    wrapped: &Wrapped,
    bound: &[u8],
) -> Result<Option<Zeroizing<[u8; KEY_BYTES]>>, SubjectKeyError> {
    let master = masters.find(&wrapped.master)?;
    let Some(opened) = unpacked(&master.bytes, &wrapped.sealed, bound) else { return Ok(None) };
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    if opened.len() != KEY_BYTES {
        return Ok(None);
    }
    bytes.iter_mut().zip(opened.iter()).for_each(|(byte, opened)| *byte = *opened);
    Ok(Some(bytes))
}

fn bound_key(id: KeyId, tenant: TenantId) -> Vec<u8> {
    [WRAPPED_KEY, id.0.as_bytes(), &tenant.0.to_be_bytes()].concat()
}

impl Finder {
    /// A new one, and how it lies in storage.
    ///
    /// # Errors
    /// [`SubjectKeyError`].
    pub fn make(masters: &dyn MasterKeys) -> Result<(Self, Wrapped), SubjectKeyError> {
        let bytes = chance()?;
        let wrapped = wrap(&masters.newest()?, &bytes, WRAPPED_FINDER)?;
        Ok((Self(bytes), wrapped))
    }

    /// The one that lies in storage.
    ///
    /// # Errors
    /// [`SubjectKeyError`].
    pub fn open(masters: &dyn MasterKeys, wrapped: &Wrapped) -> Result<Self, SubjectKeyError> {
        let bytes = unwrap(masters, wrapped, WRAPPED_FINDER)?;
        bytes.map(Self).ok_or_else(|| SubjectKeyError::Master("what finds the keys of subjects is damaged".to_owned()))
    }

    /// The same wrapped under the newest master key; `None` when it is already.
    ///
    /// # Errors
    /// [`SubjectKeyError`].
    pub fn rewrapped(&self, masters: &dyn MasterKeys, wrapped: &Wrapped) -> Result<Option<Wrapped>, SubjectKeyError> {
        let newest = masters.newest()?;
        if newest.fingerprint == wrapped.master { Ok(None) } else { wrap(&newest, &self.0, WRAPPED_FINDER).map(Some) }
    }

    /// By what the keys of a subject are found.
    pub fn found_by(&self, tenant: TenantId, subject: &str) -> String {
        let Ok(mac) = <Hmac<Sha256> as Mac>::new_from_slice(&*self.0) else { return String::new() };
        let digest = mac.chain_update(tenant.0.to_be_bytes()).chain_update(subject).finalize().into_bytes();
        STANDARD.encode(digest)
    }

    /// A new key for a subject, and how it lies in storage.
    ///
    /// # Errors
    /// [`SubjectKeyError`].
    pub fn make_key(
        &self,
        masters: &dyn MasterKeys,
        tenant: TenantId,
        subject: &str,
    ) -> Result<(SubjectKey, StoredKey), SubjectKeyError> {
        let (id, bytes) = (new_id()?, chance()?);
        let wrapped = wrap(&masters.newest()?, &bytes, &bound_key(id, tenant))?;
        let (nonce, sealed) = seal_bytes(&bytes, subject.as_bytes(), NAME).ok_or(SubjectKeyError::Damaged(id))?;
        let found_by = self.found_by(tenant, subject);
        let stored = StoredKey { id, tenant, found_by, name: packed(nonce, &sealed), key: wrapped };
        Ok((SubjectKey::new(id, bytes), stored))
    }

    /// The same key as it lies in a storage that finds by this.
    ///
    /// # Errors
    /// [`SubjectKeyError`].
    pub fn adopted(&self, masters: &dyn MasterKeys, stored: StoredKey) -> Result<StoredKey, SubjectKeyError> {
        let key = stored.open(masters)?;
        let name = unpacked(key.bytes(), &stored.name, NAME).ok_or(SubjectKeyError::Damaged(stored.id))?;
        let name = std::str::from_utf8(&name).map_err(|_| SubjectKeyError::Damaged(stored.id))?;
        Ok(StoredKey { found_by: self.found_by(stored.tenant, name), ..stored })
    }
}

impl StoredKey {
    /// The key.
    ///
    /// # Errors
    /// [`SubjectKeyError`].
    pub fn open(&self, masters: &dyn MasterKeys) -> Result<SubjectKey, SubjectKeyError> {
        let bytes = unwrap(masters, &self.key, &bound_key(self.id, self.tenant))?;
        bytes.map(|bytes| SubjectKey::new(self.id, bytes)).ok_or(SubjectKeyError::Damaged(self.id))
    }

    /// The same wrapped under the newest master key; `None` when it is already.
    ///
    /// # Errors
    /// [`SubjectKeyError`].
    pub fn rewrapped(&self, masters: &dyn MasterKeys) -> Result<Option<Self>, SubjectKeyError> {
        let newest = masters.newest()?;
        if newest.fingerprint == self.key.master {
            return Ok(None);
        }
        let key = wrap(&newest, self.open(masters)?.bytes(), &bound_key(self.id, self.tenant))?;
        Ok(Some(Self { key, ..self.clone() }))
    }
}

/// Keys as a text to be kept: its format on the first line, then a key on each.
///
/// # Errors
/// [`SubjectKeyError::Backup`] when that cannot be written, which does not happen.
pub fn write_backup(keys: &[StoredKey]) -> Result<String, SubjectKeyError> {
    let mut text = format!("{BACKUP_FORMAT}\n");
    for key in keys {
        text.push_str(&serde_json::to_string(key).map_err(|error| SubjectKeyError::Backup(error.to_string()))?);
        text.push('\n');
    }
    Ok(text)
}

/// The keys in a backup.
///
/// # Errors
/// [`SubjectKeyError::Backup`].
pub fn read_backup(text: &str) -> Result<Vec<StoredKey>, SubjectKeyError> {
    let wrong = |detail: String| SubjectKeyError::Backup(detail);
    if text.len() > BACKUP_BYTES_MAX {
        return Err(wrong(format!("it has more than {BACKUP_BYTES_MAX} bytes")));
    }
    let mut lines = text.lines();
    if lines.next() != Some(BACKUP_FORMAT) {
        return Err(wrong(format!("its first line is not '{BACKUP_FORMAT}'")));
    }
    let read = |(line, number): (&str, usize)| {
        serde_json::from_str(line).map_err(|error| wrong(format!("line {number}: {error}")))
    };
    lines.zip(2..).filter(|(line, _)| !line.is_empty()).map(read).collect()
}
