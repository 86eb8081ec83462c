//! The keys under which credentials are sealed, and where they come from.
//!
//! Key material is wiped from memory when it is let go, and is shown by nothing here. Invariant: the newest key seals, every
//! key that is there opens.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::ports::NoChance;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Most keys that are kept at the same time.
pub const KEYS_MAX: usize = 100;

/// One key. Written out, it is its fingerprint.
#[derive(Clone)]
pub struct Key {
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    fingerprint: String,
}

/// Why keys cannot be used. Never tells a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is none.
    #[error(
        "there is no key to seal credentials with: give one with --credential-key-file or TIMELOOM_CREDENTIAL_KEY, made by `head -c 32 /dev/urandom | base64`, and keep a copy of it apart from the data"
    )]
    None,
    /// It is no key.
    #[error(
        "key number {number} of {place} is not 32 bytes in base64: make one with `head -c 32 /dev/urandom | base64`"
    )]
    Invalid {
        /// Where it was read.
        place: String,
        /// Which it is, beginning with 1.
        number: usize,
    },
    /// There are too many.
    #[error("{0} has more than {KEYS_MAX} keys: take out those under which nothing is sealed any more")]
    TooMany(String),
    /// The file of keys cannot be read or written.
    #[error("{0}")]
    File(String),
    /// There is nothing to make one of.
    #[error(transparent)]
    NoChance(#[from] NoChance),
    /// New keys come from whoever runs this.
    #[error(
        "new keys are not made here, because the keys are given: add a line with the new key to their file, start again, and rotate without asking for a new key"
    )]
    Given,
}

impl Key {
    /// The key with these bytes.
    pub fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"timeloom credential key\0");
        hash.update(*bytes);
        let fingerprint = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { bytes, fingerprint }
    }

    /// The key that `text` is in base64; `None` when it is none.
    pub fn decode(text: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        // One byte more, so that a longer key is noticed.
        let mut decoded = Zeroizing::new([0; KEY_BYTES + 4]);
        let length = STANDARD.decode_slice(text.trim(), &mut *decoded).ok()?;
        if length != KEY_BYTES {
            return None;
        }
        bytes.iter_mut().zip(decoded.iter()).for_each(|(byte, decoded)| *byte = *decoded);
        Some(Self::new(bytes))
    }

    /// The key in base64.
    pub fn encode(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(*self.bytes))
    }

    /// Another key that follows from this one, for a purpose of its own.
    pub fn derived(&self, purpose: &str) -> Zeroizing<[u8; KEY_BYTES]> {
        let mut derived = Zeroizing::new([0; KEY_BYTES]);
        // A key of this length is always taken.
        if let Ok(mac) = <Hmac<Sha256> as Mac>::new_from_slice(&*self.bytes) {
            let digest = mac.chain_update(purpose).finalize().into_bytes();
            derived.iter_mut().zip(digest).for_each(|(byte, digest)| *byte = digest);
        }
        derived
    }

    /// Tells this key from others, and nothing about it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Key({})", self.fingerprint)
    }
}

/// Keys in the order in which they came; the last one seals.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    keys: Vec<Key>,
}

impl Keyring {
    /// Reads keys, one a line in base64; empty lines and those that begin with `#` say nothing. `place` is told in errors.
    ///
    /// # Errors
    /// [`KeyError`], which tells the number of the key that is none.
    pub fn parse(text: &str, place: &str) -> Result<Self, KeyError> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut keys = Vec::new();
        for (index, line) in lines.enumerate() {
            if index >= KEYS_MAX {
                return Err(KeyError::TooMany(place.to_owned()));
            }
            let invalid = || KeyError::Invalid { place: place.to_owned(), number: index + 1 };
            keys.push(Key::decode(line).ok_or_else(invalid)?);
        }
        Ok(Self { keys })
    }

    /// The same keys and a newer one.
    #[must_use]
    pub fn with(mut self, key: Key) -> Self {
        self.keys.push(key);
        self
    }

    /// The key that seals.
    pub fn newest(&self) -> Option<&Key> {
        self.keys.last()
    }

    /// The key with that fingerprint.
    pub fn find(&self, fingerprint: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.fingerprint == fingerprint)
    }

    /// Each, from the oldest to the one that seals.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.keys.len()
    }
}

/// Where keys come from. What it answers must be safe by then: what is sealed with a key that is lost is lost.
pub trait KeySource: Send + Sync {
    /// The keys that there are; none is no error.
    ///
    /// # Errors
    /// [`KeyError`] when they cannot be read.
    fn keys(&self) -> Result<Arc<Keyring>, KeyError>;

    /// The same, with the first key made where none is there and this is the place to make it.
    ///
    /// # Errors
    /// [`KeyError::None`], or when it cannot be kept.
    fn keys_to_seal(&self) -> Result<Arc<Keyring>, KeyError>;

    /// The same keys and a new one.
    ///
    /// # Errors
    /// [`KeyError::Given`] where keys are not made, or when it cannot be kept.
    fn renew(&self) -> Result<Arc<Keyring>, KeyError>;

    /// Where people look for the keys, for messages.
    fn place(&self) -> String;
}

/// Keys that somebody gave.
#[derive(Debug, Clone)]
pub struct GivenKeys {
    keys: Arc<Keyring>,
    place: String,
}

impl GivenKeys {
    /// These keys, which were found at `place`.
    pub fn new(keys: Keyring, place: impl Into<String>) -> Self {
        Self { keys: Arc::new(keys), place: place.into() }
    }
}

impl KeySource for GivenKeys {
    fn keys(&self) -> Result<Arc<Keyring>, KeyError> {
        Ok(Arc::clone(&self.keys))
    }

    fn keys_to_seal(&self) -> Result<Arc<Keyring>, KeyError> {
        if self.keys.newest().is_none() { Err(KeyError::None) } else { self.keys() }
    }

    fn renew(&self) -> Result<Arc<Keyring>, KeyError> {
        Err(KeyError::Given)
    }

    fn place(&self) -> String {
        self.place.clone()
    }
}

/// Keys that are made when they are needed and end with the process: for logs in memory.
pub struct PassingKeys {
    keys: Mutex<Arc<Keyring>>,
    make: fn() -> Result<Key, KeyError>,
}

impl PassingKeys {
    /// Keys that `make` makes.
    pub fn new(make: fn() -> Result<Key, KeyError>) -> Self {
        Self { keys: Mutex::default(), make }
    }
}

impl fmt::Debug for PassingKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PassingKeys").finish_non_exhaustive()
    }
}

impl KeySource for PassingKeys {
    fn keys(&self) -> Result<Arc<Keyring>, KeyError> {
        Ok(Arc::clone(&self.keys.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn keys_to_seal(&self) -> Result<Arc<Keyring>, KeyError> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.newest().is_none() {
            *keys = Arc::new(Keyring::default().with((self.make)()?));
        }
        Ok(Arc::clone(&keys))
    }

    fn renew(&self) -> Result<Arc<Keyring>, KeyError> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        *keys = Arc::new(Keyring::clone(&keys).with((self.make)()?));
        Ok(Arc::clone(&keys))
    }

    fn place(&self) -> String {
        "the memory of a process that has ended".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_one_a_line_and_the_last_seals() {
        let (one, two) = (STANDARD.encode([1; 32]), STANDARD.encode([2; 32]));
        let keys = Keyring::parse(&format!("# old\n{one}\n\n  {two}  \n"), "a file").unwrap();
        assert_eq!(keys.count(), 2);
        let newest = keys.newest().unwrap();
        assert_eq!(*newest.encode(), two);
        assert!(keys.find(Key::decode(&one).unwrap().fingerprint()).is_some());
        assert!(keys.find("0123456789abcdef").is_none());
    }

    #[test]
    fn what_is_no_key_is_refused_without_telling_it() {
        for (text, number) in [
            ("c2VzYW1l", 1),
            (&format!("{}\nopen sesame", STANDARD.encode([1; 32])), 2),
            (&STANDARD.encode([1; 33]), 1),
            (&STANDARD.encode([1; 64]), 1),
        ] as [(&str, usize); 4]
        {
            let error = Keyring::parse(text, "a file").unwrap_err();
            assert_eq!(error, KeyError::Invalid { place: "a file".to_owned(), number });
            assert!(!error.to_string().contains("sesame"), "{error}");
        }
    }

    #[test]
    fn a_key_is_written_out_as_its_fingerprint() {
        let key = Key::new(Zeroizing::new([7; 32]));
        let shown = format!("{key:?} {:?}", Keyring::default().with(key.clone()));
        assert!(shown.contains(key.fingerprint()), "{shown}");
        assert!(!shown.contains(&*key.encode()) && !shown.contains("7, 7"), "{shown}");
    }
}
