//! Keys that sign checkpoints, and those that check them: Ed25519, written as C2SP writes the keys of signed notes, each
//! with the time in which it may be used.
//!
//! Never shows a private key but where it is asked to write one down.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::note::{NoteSignature, is_key_name};

/// Most keys of one text.
pub const KEYS_MAX: usize = 1_000;
/// Largest text of keys, in bytes.
pub const KEYS_BYTES_MAX: usize = 256 << 10;
/// What a private key's text begins with.
const PRIVATE_START: &str = "PRIVATE+KEY+";

/// What a key signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// A log: the text of a note.
    Log,
    /// A witness: the text of a note and the time at which it saw it.
    Witness,
}

impl KeyKind {
    fn code(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Witness => 0x04,
        }
    }
}

/// When a key may be used, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Validity {
    /// The first moment.
    pub from_us: Option<i64>,
    /// The first moment at which it may not be used any more.
    pub until_us: Option<i64>,
}

impl Validity {
    /// Whether the key may be used at `time_us`.
    pub fn holds(&self, time_us: i64) -> bool {
        self.from_us.is_none_or(|from| from <= time_us) && self.until_us.is_none_or(|until| time_us < until)
    }
}

/// As the words that follow a key: nothing when it holds for ever.
impl fmt::Display for Validity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends = [("from", self.from_us), ("until", self.until_us)];
        ends.into_iter()
            .filter_map(|(word, end)| Some((word, end?)))
            .try_for_each(|(word, end)| write!(formatter, " {word}={}", time_text(end)))
    }
}

/// Why a text is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is something else. Its text is not told: it may be a private key.
    #[error("key number {0} is not NAME+ID+KEY, followed by from=TIME and until=TIME where it has an end")]
    Form(usize),
    /// Its id is not that of its bytes.
    #[error("key number {0} has an id that is not its own: it was changed")]
    Id(usize),
    /// There are none.
    #[error("there is no key")]
    None,
    /// There are too many.
    #[error("there are more than {KEYS_MAX} keys")]
    TooMany,
    /// The text is too large.
    #[error("the keys have {0} bytes, at most {KEYS_BYTES_MAX} are read")]
    TooLarge(usize),
}

/// A key that checks signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// Its name: for a log's key the log's origin.
    pub name: String,
    /// What it signs with.
    pub kind: KeyKind,
    /// When it may be used.
    pub validity: Validity,
    key: VerifyingKey,
}

impl PublicKey {
    /// A key of these bytes; `None` when they are none, or it cannot have the name.
    pub fn from_bytes(name: &str, kind: KeyKind, bytes: &[u8; 32], validity: Validity) -> Option<Self> {
        let key = VerifyingKey::from_bytes(bytes).ok().filter(|key| !key.is_weak())?;
        is_key_name(name).then(|| Self { name: name.to_owned(), kind, validity, key })
    }

    /// Its 32 bytes.
    pub fn bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// The first four bytes of its hash, by which signatures name it.
    pub fn id(&self) -> [u8; 4] {
        key_id(&self.name, self.kind, self.key.as_bytes())
    }

    /// Its id as eight hexadecimal digits.
    pub fn id_text(&self) -> String {
        format!("{:08x}", u32::from_be_bytes(self.id()))
    }

    /// Whether a signature says that it is by this key.
    pub fn is_named_by(&self, signature: &NoteSignature) -> bool {
        signature.name == self.name && signature.key_id == self.id()
    }

    /// Whether `signature` is this key's over `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }

    /// The same without the time in which it may be used.
    pub fn vkey(&self) -> String {
        let bytes = [&[self.kind.code()][..], self.key.as_bytes()].concat();
        format!("{}+{}+{}", self.name, self.id_text(), STANDARD.encode(bytes))
    }

    /// Reads keys, one a line; empty lines and those that begin with `#` are for people.
    ///
    /// # Errors
    /// [`KeyError`] about the first that is none, or when there are none.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, KeyError> {
        let keys: Result<Vec<Self>, KeyError> = lines(text)?.map(|(number, line)| Self::parse(line, number)).collect();
        keys.and_then(|keys| if keys.is_empty() { Err(KeyError::None) } else { Ok(keys) })
    }

    fn parse(line: &str, number: usize) -> Result<Self, KeyError> {
        let form = KeyError::Form(number);
        let (key, validity) = split_validity(line).ok_or(form.clone())?;
        let mut parts = key.splitn(3, '+');
        let (Some(name), Some(id), Some(bytes)) = (parts.next(), parts.next(), parts.next()) else { return Err(form) };
        let bytes = STANDARD.decode(bytes).map_err(|_| form.clone())?;
        let kind = match bytes.first() {
            Some(0x01) => KeyKind::Log,
            Some(0x04) => KeyKind::Witness,
            _ => return Err(form),
        };
        let bytes: [u8; 32] = bytes[1..].try_into().map_err(|_| form.clone())?;
        let key = Self::from_bytes(name, kind, &bytes, validity).ok_or(form)?;
        if key.id_text() == id { Ok(key) } else { Err(KeyError::Id(number)) }
    }
}

/// One line: the key, and when it may be used.
impl fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.vkey(), self.validity)
    }
}

/// A key that signs checkpoints of a log.
#[derive(Clone)]
pub struct PrivateKey {
    name: String,
    /// When it may be used.
    pub validity: Validity,
    key: SigningKey,
}

impl PrivateKey {
    /// The key of this seed; `None` when no key may have the name.
    pub fn from_seed(name: &str, seed: &[u8; 32], validity: Validity) -> Option<Self> {
        is_key_name(name).then(|| Self { name: name.to_owned(), validity, key: SigningKey::from_bytes(seed) })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key that checks what this one signs.
    pub fn public(&self) -> PublicKey {
        let key = self.key.verifying_key();
        PublicKey { name: self.name.clone(), kind: KeyKind::Log, validity: self.validity, key }
    }

    /// Signs the text of a note.
    pub fn sign(&self, text: &str) -> NoteSignature {
        let signature = self.key.sign(text.as_bytes()).to_bytes().to_vec();
        NoteSignature { name: self.name.clone(), key_id: self.public().id(), signature }
    }

    /// Reads keys, one a line, as [`Self::to_line`] writes them.
    ///
    /// # Errors
    /// [`KeyError`] about the first that is none.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, KeyError> {
        lines(text)?.map(|(number, line)| Self::parse(line, number)).collect()
    }

    fn parse(line: &str, number: usize) -> Result<Self, KeyError> {
        let form = KeyError::Form(number);
        let (key, validity) = split_validity(line).ok_or(form.clone())?;
        let mut parts = key.strip_prefix(PRIVATE_START).ok_or(form.clone())?.splitn(3, '+');
        let (Some(name), Some(id), Some(seed)) = (parts.next(), parts.next(), parts.next()) else { return Err(form) };
        let bytes = Zeroizing::new(STANDARD.decode(seed).map_err(|_| form.clone())?);
        let Some((0x01, seed)) = bytes.split_first() else { return Err(form) };
        let seed: Zeroizing<[u8; 32]> = Zeroizing::new(seed.try_into().map_err(|_| form.clone())?);
        let key = Self::from_seed(name, &seed, validity).ok_or(form)?;
        if key.public().id_text() == id { Ok(key) } else { Err(KeyError::Id(number)) }
    }

    /// One line for a file that its owner alone may read.
    pub fn to_line(&self) -> Zeroizing<String> {
        let bytes = Zeroizing::new([&[KeyKind::Log.code()][..], self.key.as_bytes()].concat());
        let text = Zeroizing::new(STANDARD.encode(&*bytes));
        Zeroizing::new(format!("{PRIVATE_START}{}+{}+{}{}", self.name, self.public().id_text(), *text, self.validity))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("PrivateKey").field(&self.public().to_string()).finish()
    }
}

fn key_id(name: &str, kind: KeyKind, key: &[u8; 32]) -> [u8; 4] {
    let mut hash = Sha256::new();
    hash.update(name.as_bytes());
    hash.update([b'\n', kind.code()]);
    hash.update(key);
    let hash: [u8; 32] = hash.finalize().into();
    [hash[0], hash[1], hash[2], hash[3]]
}

fn lines(text: &str) -> Result<impl Iterator<Item = (usize, &str)>, KeyError> {
    if text.len() > KEYS_BYTES_MAX {
        return Err(KeyError::TooLarge(text.len()));
    }
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    if lines().count() > KEYS_MAX {
        return Err(KeyError::TooMany);
    }
    Ok((1..).zip(lines()))
}

/// A key apart from the words that follow it.
fn split_validity(line: &str) -> Option<(&str, Validity)> {
    let mut words = line.split_whitespace();
    let key = words.next()?;
    let mut validity = Validity::default();
    for word in words {
        let (end, time) = match word.split_once('=')? {
            ("from", time) => (&mut validity.from_us, time),
            ("until", time) => (&mut validity.until_us, time),
            _ => return None,
        };
        *end = Some(DateTime::parse_from_rfc3339(time).ok()?.timestamp_micros());
    }
    Some((key, validity))
}

/// A time as people read it.
pub fn time_text(time_us: i64) -> String {
    let time: Option<DateTime<Utc>> = DateTime::from_timestamp_micros(time_us);
    time.map_or_else(|| format!("{time_us} µs"), |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> PrivateKey {
        let validity = Validity { from_us: Some(1_764_000_000_000_000), until_us: None };
        PrivateKey::from_seed("timeloom/one", &[7; 32], validity).unwrap()
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        let private = key();
        let line = private.to_line();
        let again = PrivateKey::parse_all(&format!("# a comment\n\n{}\n", *line)).unwrap().remove(0);
        assert_eq!(again.public(), private.public());
        let public = PublicKey::parse_all(&private.public().to_string()).unwrap().remove(0);
        assert_eq!(public, private.public());
        assert!(public.to_string().ends_with(" from=2025-11-24T16:00:00Z"), "{public}");
        assert!(!format!("{private:?}").contains(&line[60..]), "nothing of the private key is shown");
    }

    #[test]
    fn a_key_that_was_changed_or_is_none_is_refused_without_being_told() {
        let line = key().public().to_string();
        let other_name = line.replacen("one", "two", 1);
        assert_eq!(PublicKey::parse_all(&other_name), Err(KeyError::Id(1)));
        for wrong in ["", "#"] {
            assert_eq!(PublicKey::parse_all(wrong), Err(KeyError::None));
        }
        for wrong in ["a+b", "a+00000000+AAAA", &format!("{line} til=x"), &*key().to_line()] {
            assert_eq!(PublicKey::parse_all(wrong), Err(KeyError::Form(1)), "{wrong}");
        }
    }

    #[test]
    fn a_key_signs_what_it_alone_verifies() {
        let (private, other) = (key(), PrivateKey::from_seed("timeloom/one", &[8; 32], Validity::default()).unwrap());
        let signature = private.sign("text\n");
        let public = private.public();
        assert!(public.is_named_by(&signature) && public.verifies(b"text\n", &signature.signature));
        assert!(!public.verifies(b"text", &signature.signature));
        assert!(!other.public().is_named_by(&signature) && !other.public().verifies(b"text\n", &signature.signature));
    }

    #[test]
    fn a_key_holds_from_its_begin_to_before_its_end() {
        let validity = Validity { from_us: Some(5), until_us: Some(9) };
        assert_eq!([4, 5, 8, 9].map(|time| validity.holds(time)), [false, true, true, false]);
        assert!(Validity::default().holds(i64::MIN));
    }
}
