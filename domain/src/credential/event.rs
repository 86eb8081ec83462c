//! What can happen to a credential.

use serde::{Deserialize, Serialize};

use crate::event::Event;

/// Fields of a credential that only the holder of a key can read: JSON under AES-256-GCM, bound to the tenant and the
/// credential that they belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Which key opens it: the key's fingerprint, which tells nothing about the key.
    pub key: String,
    /// The number that was used for this seal alone, in base64.
    pub nonce: String,
    /// What is sealed, in base64.
    pub ciphertext: String,
}

/// A fact about one credential.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum CredentialEvent {
    /// Somebody gave its fields, the first time or anew.
    CredentialSaved {
        /// Its name.
        name: String,
        /// Its type, such as `httpBasicAuth`.
        credential_type: String,
        /// The names of its fields.
        fields: Vec<String>,
        /// Its fields.
        sealed: Sealed,
    },
    /// The same fields were sealed under another key.
    CredentialResealed {
        /// Its fields.
        sealed: Sealed,
    },
    /// Nobody may use it any more, until it is saved again.
    CredentialDeleted {},
}

impl Event for CredentialEvent {
    const CATEGORY: &'static str = "credential";
    const TYPES: &'static [(&'static str, u16)] =
        &[("CredentialSaved", 1), ("CredentialResealed", 1), ("CredentialDeleted", 1)];

    fn event_type(&self) -> &'static str {
        match self {
            Self::CredentialSaved { .. } => "CredentialSaved",
            Self::CredentialResealed { .. } => "CredentialResealed",
            Self::CredentialDeleted {} => "CredentialDeleted",
        }
    }
}
