//! What an answer of a model is known by: two answers with the same fingerprint were computed from the same bytes in the
//! same way.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Provider;

/// Everything that may change an answer's bits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// SHA-256 of the model's file.
    pub model: String,
    /// SHA-256 over the digests of the inputs, in the order of the model's signature.
    pub inputs: String,
    /// How it was computed, in the runtime's canonical words.
    pub options: String,
    /// The runtime, its version and its build.
    pub runtime: String,
    /// Who computed, as it was seen.
    pub provider: Provider,
    /// What computed: the processor with what it can do, or the GPU with its driver.
    pub machine: String,
    /// Rows that were computed together where that may change an answer, filled-up ones too; 0 where it cannot.
    pub bucket: u32,
}

impl Fingerprint {
    /// SHA-256 over all parts, hexadecimal. A frozen format: for each part in the order above its length in bytes, a colon,
    /// and its text.
    pub fn digest(&self) -> String {
        let provider = match self.provider {
            Provider::Cpu => "cpu",
            Provider::Cuda => "cuda",
        };
        let bucket = self.bucket.to_string();
        let parts = [&self.model, &self.inputs, &self.options, &self.runtime, provider, &self.machine, bucket.as_str()];
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part.len().to_string().as_bytes());
            hash.update(b":");
            hash.update(part.as_bytes());
        }
        hexadecimal(&hash.finalize())
    }
}

/// SHA-256 over the digests of several tensors, in their order, hexadecimal.
pub fn digest_of_all(digests: impl IntoIterator<Item = [u8; 32]>) -> String {
    let mut hash = Sha256::new();
    for digest in digests {
        hash.update(digest);
    }
    hexadecimal(&hash.finalize())
}

/// Bytes as lower-case hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = |byte: &u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    bytes.iter().flat_map(digits).map(char::from).collect()
}
