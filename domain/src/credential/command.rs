//! What may be asked of a credential.

use super::Sealed;

/// A request to change one credential.
#[derive(Debug, Clone, PartialEq)]
pub enum CredentialCommand {
    /// Take its fields.
    Save {
        /// Its name.
        name: String,
        /// Its type.
        credential_type: String,
        /// The names of its fields.
        fields: Vec<String>,
        /// Its fields, sealed for the version that this save makes.
        sealed: Sealed,
    },
    /// Put the same fields under another key.
    Reseal {
        /// What was opened.
        from: Sealed,
        /// The same under another key.
        sealed: Sealed,
    },
    /// Let nobody use it any more.
    Delete,
}
