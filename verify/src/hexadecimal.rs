//! Hashes as text: 64 lower-case hexadecimal digits, and nothing else is read.

use serde::{Deserialize, Deserializer, Serializer, de::Error};

use crate::tree::Hash;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A hash as 64 digits.
pub fn encode(hash: &Hash) -> String {
    let digit = |digit: u8| char::from(DIGITS[usize::from(digit)]);
    hash.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The hash that 64 digits are; `None` when the text is something else.
pub fn decode(text: &str) -> Option<Hash> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut hash = Hash::default();
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(hash)
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Writes a hash as a text of JSON.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(hash: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&encode(hash))
}

/// Reads a hash from a text of JSON.
///
/// # Errors
/// When it is anything else.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    decode(&text).ok_or_else(|| D::Error::custom("a hash is 64 lower-case hexadecimal digits"))
}

pub mod list {
    //! The same for a list of hashes.

    use serde::ser::SerializeSeq as _;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::tree::Hash;

    /// Writes hashes as a list of texts.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(hashes: &[Hash], serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(hashes.len()))?;
        for hash in hashes {
            list.serialize_element(&super::encode(hash))?;
        }
        list.end()
    }

    /// Reads hashes from a list of texts.
    ///
    /// # Errors
    /// When one is anything else.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Hash>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let decoded = texts.iter().map(|text| super::decode(text));
        let all: Option<Vec<Hash>> = decoded.collect();
        all.ok_or_else(|| D::Error::custom("a hash is 64 lower-case hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_has_one_text_alone() {
        let hash: Hash = std::array::from_fn(|index| index as u8 * 7);
        let text = encode(&hash);
        assert_eq!(decode(&text), Some(hash));
        for wrong in [text.to_uppercase(), text[1..].to_owned(), format!("{text}0"), text.replacen('0', "g", 1)] {
            assert_eq!(decode(&wrong), None, "{wrong}");
        }
    }
}
