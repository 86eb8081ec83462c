//! Why a credential says no. Never tells a value of a field.

use super::{FIELD_NAME_CHARACTERS_MAX, FIELDS_BYTES_MAX, FIELDS_MAX, NAME_CHARACTERS_MAX, TYPE_CHARACTERS_MAX};

/// Why a credential says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialRefusal {
    /// There is none.
    #[error("there is no such credential: `timeloom credential list` shows which there are")]
    NotFound,
    /// Somebody saved it meanwhile.
    #[error("the credential was saved anew meanwhile: seal it again")]
    Changed,
    /// The name is not one.
    #[error(
        "the name of a credential has 1 to {NAME_CHARACTERS_MAX} characters, none of them a control character, and no space around it"
    )]
    InvalidName,
    /// The type is not one.
    #[error(
        "the type of a credential has 1 to {TYPE_CHARACTERS_MAX} letters, digits, '.', '-', '_', '/' or '@', such as httpBasicAuth"
    )]
    InvalidType,
    /// There are no fields.
    #[error("a credential has at least one field: give them as a JSON object")]
    NoFields,
    /// There are too many.
    #[error(
        "a credential has at most {FIELDS_MAX} fields, and {FIELD_NAME_CHARACTERS_MAX} characters in the name of each"
    )]
    TooManyFields,
    /// They are too large.
    #[error("the fields have {0} bytes as JSON, at most {FIELDS_BYTES_MAX} are allowed")]
    TooLarge(usize),
    /// One is missing.
    #[error("a credential of type {credential_type} needs the field '{field}'")]
    MissingField {
        /// The type.
        credential_type: &'static str,
        /// The field.
        field: &'static str,
    },
    /// One is of another kind.
    #[error("the field '{field}' of a credential of type {credential_type} must be {expected}")]
    InvalidField {
        /// The type.
        credential_type: &'static str,
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: String,
    },
}
