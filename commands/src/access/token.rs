//! The texts that let somebody in: keys, links and what browsers show. Each has a part that may be seen, by which it is
//! found, and a secret, of which only the digest is ever kept.
//!
//! Keys and links begin with a word of ours and end with a checksum, so that programs which look for lost secrets find
//! them and a mistyped one is told without a search. Invariant: nothing here shows a secret by accident.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;
use timeloom_domain::ids::SessionId;
use zeroize::Zeroizing;

use crate::ports::{NoChance, Secrets};

const KEY_WORD: &str = "timeloom_key";
const LINK_WORD: &str = "timeloom_link";
/// Letters and digits, in the order of their value.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Characters of the part that may be seen.
const ID_CHARACTERS: usize = 8;
/// Characters of 32 bytes.
const SECRET_CHARACTERS: usize = 43;
/// Characters of a checksum of 32 bits.
const CHECKSUM_CHARACTERS: usize = 6;
/// Longest text that is looked at, in bytes.
const TEXT_BYTES_MAX: usize = 200;

/// A key or a link that was just made.
pub(super) struct Made {
    /// The part that may be seen.
    pub id: String,
    /// SHA-256 of the secret, in hexadecimal.
    pub digest: String,
    /// The whole text.
    pub text: Zeroizing<String>,
}

/// What a text says, before it is known whether it lets in.
pub(super) struct Shown {
    /// The part that may be seen.
    pub id: String,
    /// SHA-256 of the secret, in hexadecimal.
    pub digest: String,
}

/// What kind of text it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Key,
    Link,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Key => KEY_WORD,
            Self::Link => LINK_WORD,
        }
    }
}

/// Makes a key or a link.
pub(super) fn make(kind: Kind, chance: &dyn Secrets) -> Result<Made, NoChance> {
    let (id, secret) = (chance.secret()?, chance.secret()?);
    let id: String = base62(&*id, SECRET_CHARACTERS).chars().rev().take(ID_CHARACTERS).collect();
    let secret = Zeroizing::new(base62(&*secret, SECRET_CHARACTERS));
    let body = Zeroizing::new(format!("{}_{id}_{}", kind.word(), *secret));
    let text = Zeroizing::new(format!("{}_{}", *body, checksum(&body)));
    Ok(Made { digest: digest(&secret), id, text })
}

/// Reads a key or a link; `None` when it is none.
pub(super) fn read(kind: Kind, text: &str) -> Option<Shown> {
    if text.len() > TEXT_BYTES_MAX || !text.is_ascii() {
        return None;
    }
    let (body, sum) = text.rsplit_once('_')?;
    let (id, secret) = body.strip_prefix(kind.word())?.strip_prefix('_')?.split_once('_')?;
    let fits = id.len() == ID_CHARACTERS && secret.len() == SECRET_CHARACTERS && sum == checksum(body);
    let is_plain = id.bytes().chain(secret.bytes()).all(|letter| letter.is_ascii_alphanumeric());
    (fits && is_plain).then(|| Shown { id: id.to_owned(), digest: digest(secret) })
}

/// Makes what the browser of a session shows.
pub(super) fn make_session(id: SessionId, chance: &dyn Secrets) -> Result<Made, NoChance> {
    let secret = Zeroizing::new(base62(&*chance.secret()?, SECRET_CHARACTERS));
    let text = Zeroizing::new(format!("{}.{}", id.0.simple(), *secret));
    Ok(Made { id: id.to_string(), digest: digest(&secret), text })
}

/// Reads what a browser shows; `None` when it is none of ours.
pub(super) fn read_session(text: &str) -> Option<(SessionId, String)> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let (id, secret) = text.split_once('.')?;
    let fits = secret.len() == SECRET_CHARACTERS && secret.bytes().all(|letter| letter.is_ascii_alphanumeric());
    fits.then(|| id.parse().ok().map(|id| (id, digest(secret)))).flatten()
}

/// Whether two digests are the same, in a time that does not tell how much of them is.
pub(super) fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

fn digest(secret: &str) -> String {
    Sha256::digest(secret).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn checksum(body: &str) -> String {
    base62(&crc32fast::hash(body.as_bytes()).to_be_bytes(), CHECKSUM_CHARACTERS)
}

/// A number, its first byte the highest, in letters and digits; filled with zeros to `characters`.
fn base62(bytes: &[u8], characters: usize) -> String {
    let mut number = Zeroizing::new(bytes.to_vec());
    let mut digits = vec![b'0'; characters];
    for digit in digits.iter_mut().rev() {
        let mut rest = 0_u32;
        for byte in number.iter_mut() {
            let value = (rest << 8) | u32::from(*byte);
            // Both are less than 256: `rest` is less than 62.
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            rest = value % 62;
        }
        *digit = usize::try_from(rest).ok().and_then(|rest| ALPHABET.get(rest)).copied().unwrap_or(b'0');
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::NONCE_BYTES;
    use crate::ports::SECRET_BYTES;

    struct Counting(std::sync::atomic::AtomicU8);

    impl Secrets for Counting {
        fn nonce(&self) -> [u8; NONCE_BYTES] {
            [0; NONCE_BYTES]
        }

        fn secret(&self) -> Result<Zeroizing<[u8; SECRET_BYTES]>, NoChance> {
            let byte = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok(Zeroizing::new([byte; SECRET_BYTES]))
        }
    }

    #[test]
    fn a_key_is_read_back_and_every_other_letter_makes_it_none() {
        let chance = Counting(7.into());
        let made = make(Kind::Key, &chance).unwrap();
        assert!(made.text.starts_with("timeloom_key_"), "{}", *made.text);
        let shown = read(Kind::Key, &made.text).unwrap();
        assert_eq!((&shown.id, &shown.digest), (&made.id, &made.digest));
        assert!(read(Kind::Link, &made.text).is_none());
        for place in 0..made.text.len() {
            let mut other = made.text.as_bytes().to_vec();
            other[place] = if other[place] == b'x' { b'y' } else { b'x' };
            let other = String::from_utf8(other).unwrap();
            assert!(read(Kind::Key, &other).is_none(), "{other}");
        }
        for wrong in ["", "timeloom_key_", "timeloom_key_a_b_c", &made.text[..60], &format!("{} ", *made.text)] {
            assert!(read(Kind::Key, wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn what_a_browser_shows_is_read_back() {
        let id = SessionId(uuid::Uuid::from_u128(9));
        let made = make_session(id, &Counting(3.into())).unwrap();
        assert_eq!(read_session(&made.text), Some((id, made.digest)));
        for wrong in ["", ".", "9.9", "00000000000000000000000000000009.", &made.text[..70]] {
            assert_eq!(read_session(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn numbers_are_written_in_letters_and_digits() {
        assert_eq!(base62(&[0], 2), "00");
        assert_eq!(base62(&[61], 2), "0z");
        assert_eq!(base62(&[1, 0], 3), "048");
        assert_eq!(base62(&[255; 32], SECRET_CHARACTERS).len(), SECRET_CHARACTERS);
        assert_ne!(base62(&[255; 32], SECRET_CHARACTERS), base62(&[254; 32], SECRET_CHARACTERS));
    }
}
