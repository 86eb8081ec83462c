//! Data about persons, which can be erased although the log never forgets: their fields of events are sealed under a key of
//! their own, which lies outside the log, and goes when they are erased. See `docs/decisions/0018`.
//!
//! Invariants: what is stored, and therefore what hashes and proofs are about, is the sealed form, before an erasure and
//! after it. The log never names a person: a key's id says nothing. What an erased person's fields were is never shown as
//! something else, and what cannot be read for another reason is a fault and never looks erased.
//!
//! What is kept for a limited time is sealed under the key of its day as well: see `docs/decisions/0021`.

mod begun;
mod fields;
mod log;
mod memory;
mod none;
mod retained;
mod seal;
pub mod vault;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use timeloom_domain::ids::TenantId;
use uuid::Uuid;
use zeroize::Zeroizing;

pub use self::begun::check_keys;
pub(crate) use self::log::Opener;
pub use self::log::{SealingLog, without_sealed};
pub use self::memory::MemorySubjectKeys;
pub use self::none::NoSubjectKeys;
pub use self::seal::{ERASED_START, is_erased, is_sealed, is_sealed_text, keys_of};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// The id of a subject's key. It stands for the subject in the log, and says nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub Uuid);

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The key of one subject. Shown by nothing, wiped from memory when it is let go.
#[derive(Clone)]
pub struct SubjectKey {
    /// What the log names it by.
    pub id: KeyId,
    bytes: Arc<Zeroizing<[u8; KEY_BYTES]>>,
}

impl SubjectKey {
    /// A key of these bytes.
    pub fn new(id: KeyId, bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self { id, bytes: Arc::new(bytes) }
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }
}

impl fmt::Debug for SubjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SubjectKey({})", self.id)
    }
}

/// What became of a key that an event names.
#[derive(Debug, Clone)]
pub enum FoundKey {
    /// Here it is.
    Key(SubjectKey),
    /// Its subject was erased.
    Erased,
    /// It should be there and is not.
    Lost,
}

/// Why keys of subjects cannot be used. Never tells a key.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SubjectKeyError {
    /// There are none in this kind of deployment.
    #[error("data cannot be kept under keys of subjects here: {0}")]
    Unavailable(&'static str),
    /// The master key is missing under which a key lies.
    #[error(
        "a key of a subject lies under the master key {fingerprint}, which is not there: give it with --credential-key-file, or put it back into keys/credentials.key"
    )]
    NoMasterKey {
        /// Tells which.
        fingerprint: String,
    },
    /// There is no master key at all.
    #[error("there is no master key for keys of subjects: {0}")]
    Master(String),
    /// A wrapped key does not open.
    #[error(
        "the key {0} of a subject is damaged: restore the keys from their backup with `timeloom audit subject-keys restore`"
    )]
    Damaged(KeyId),
    /// A backup is no backup.
    #[error("this is no backup of subject keys that can be read: {0}")]
    Backup(String),
    /// The operating system has no chance to give.
    #[error("the operating system gives no random numbers now: try again later")]
    NoChance,
    /// The log says that there are keys, and there are none of them.
    #[error(
        "the keys of subjects are lost, of which the log says that there are: put the file of keys back, or restore it with `timeloom audit subject-keys restore`; nothing about a subject is kept under new keys until then"
    )]
    AllLost,
    /// The subject is being erased at this moment.
    #[error("the subject is being erased: try again")]
    BeingErased,
    /// The storage failed.
    #[error("the keys of subjects cannot be used: {0}")]
    Storage(Arc<dyn std::error::Error + Send + Sync>),
}

impl SubjectKeyError {
    /// A storage failure.
    pub fn storage(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Storage(Arc::new(error))
    }
}

/// Where the keys of subjects are, outside the log.
#[async_trait]
pub trait SubjectKeys: Send + Sync + 'static {
    /// The key of a subject, made where there is none. A new key is durable when this returns.
    ///
    /// # Errors
    /// [`SubjectKeyError`].
    async fn of_subject(&self, tenant: TenantId, subject: &str) -> Result<SubjectKey, SubjectKeyError>;

    /// The ids of a subject's keys, the one that seals first. More than one only where keys were lost and came back.
    ///
    /// # Errors
    /// [`SubjectKeyError`].
    async fn find(&self, tenant: TenantId, subject: &str) -> Result<Vec<KeyId>, SubjectKeyError>;

    /// The key with this id.
    ///
    /// # Errors
    /// [`SubjectKeyError`].
    async fn open(&self, id: KeyId) -> Result<FoundKey, SubjectKeyError>;

    /// Destroys keys for good, also those that are not there, should they come back: durable, and gone from the storage,
    /// when this returns.
    ///
    /// # Errors
    /// [`SubjectKeyError`]; some may be destroyed then.
    async fn destroy(&self, ids: &[KeyId]) -> Result<(), SubjectKeyError>;

    /// Gives the keys of a subject to nobody for a while, or again: while it is decided whether it is erased.
    fn hold_back(&self, ids: &[KeyId], held: bool);

    /// Every key, wrapped, as text to be kept apart from the data.
    ///
    /// # Errors
    /// [`SubjectKeyError`].
    async fn backup(&self) -> Result<String, SubjectKeyError>;

    /// Takes the keys of a backup that are not here. Tells how many; a destroyed one never comes back.
    ///
    /// # Errors
    /// [`SubjectKeyError`]; nothing was taken then.
    async fn restore(&self, backup: &str) -> Result<u64, SubjectKeyError>;
}
