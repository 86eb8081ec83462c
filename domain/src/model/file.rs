//! What is known of a version's file.

use serde::{Deserialize, Serialize};

use crate::inference::Signature;

/// What was read from a version's file when it came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFile {
    /// Its length in bytes.
    pub bytes: u64,
    /// What goes in and what comes out.
    pub signature: Signature,
    /// Version of the standard operators that it was made for.
    pub opset: u64,
    /// How many nodes its graph has.
    pub nodes: u64,
    /// The program that made it, as the file says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub producer: String,
    /// Where it was taken from: a package with its version, a file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Under which licence its source says that it may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Files beside it that hold weights, in the order of their paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub external: Vec<ExternalFile>,
}

/// A file of weights beside a model's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalFile {
    /// Path beside the model's file, as that names it.
    pub path: String,
    /// SHA-256 of its content, hexadecimal.
    pub digest: String,
    /// Its length in bytes.
    pub bytes: u64,
}
