//! The name of a content.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use sha2::Digest as _;
use sha2::Sha256;
use timeloom_domain::inference::hexadecimal;

/// Bytes that are read at once to make a digest.
const READ_BYTES: usize = 1 << 20;

/// SHA-256 of a content, as 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(String);

/// The text is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no SHA-256: 64 lower-case hexadecimal digits are")]
pub struct InvalidDigest(String);

impl Digest {
    /// That of bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(hexadecimal(&Sha256::digest(bytes)))
    }

    /// That of all that `content` gives, and how many bytes it gave.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of_all(mut content: impl Read) -> io::Result<(Self, u64)> {
        let mut hash = Sha256::new();
        let (mut place, mut length) = (vec![0; READ_BYTES], 0);
        loop {
            match content.read(&mut place)? {
                0 => return Ok((Self(hexadecimal(&hash.finalize())), length)),
                read => {
                    hash.update(&place[..read]);
                    length += read as u64;
                }
            }
        }
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == 64 && text.bytes().all(digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidDigest(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_64_digits_and_nothing_else_is() {
        let digest = Digest::of(b"abc");
        assert_eq!(digest.as_str(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(digest.as_str().parse(), Ok(digest.clone()));
        assert_eq!(Digest::of_all(&b"abc"[..]).unwrap(), (digest.clone(), 3));
        for bad in ["", "ab", &digest.as_str().to_uppercase(), &"../".repeat(22)[..64], &format!("{digest}0")] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}
