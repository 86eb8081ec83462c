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
    /// The key of these fields alone, which that key opens. `None` in seals of before there was one: there the key opens
    /// the fields themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_key: Option<WrappedKey>,
}

/// A key that another one opens. It is bound to the tenant, the credential and the version of it, and so are the fields
/// that it seals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrappedKey {
    /// Which save of the credential it belongs to; 1 is the first.
    pub version: u64,
    /// The number that was used for this seal alone, in base64.
    pub nonce: String,
    /// The sealed key, in base64.
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
        &[("CredentialSaved", 2), ("CredentialResealed", 2), ("CredentialDeleted", 1)];

    fn event_type(&self) -> &'static str {
        match self {
            Self::CredentialSaved { .. } => "CredentialSaved",
            Self::CredentialResealed { .. } => "CredentialResealed",
            Self::CredentialDeleted {} => "CredentialDeleted",
        }
    }

    // Seals of the first version lack the data key, and nothing else.
    fn reads_as_current(event_type: &str, version: u16) -> bool {
        version == 1 && matches!(event_type, "CredentialSaved" | "CredentialResealed")
    }
}
