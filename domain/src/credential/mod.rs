//! The Credential aggregate: secrets that nodes need, under a name that workflows write down.
//!
//! Never knows a secret: what is secret comes in sealed and stays so. Invariant: a tenant has one credential of a type and
//! name, because its id follows from them.

mod address;
mod command;
mod event;
mod refusal;
mod secret;
mod state;
pub mod types;

pub use address::{ADDRESS_PATTERN_BYTES_MAX, AddressPattern, AddressRefusal};
pub use command::CredentialCommand;
pub use event::{CredentialEvent, Sealed, WrappedKey};
pub use refusal::CredentialRefusal;
pub use secret::{CredentialTexts, is_open_field, texts_of};
use sha2::{Digest, Sha256};
pub use state::Credential;
use uuid::Builder;

use crate::ids::{CredentialId, TenantId};

/// Most characters of a name.
pub const NAME_CHARACTERS_MAX: usize = 200;
/// Most characters of the name of a type.
pub const TYPE_CHARACTERS_MAX: usize = 100;
/// Most bytes of a credential's fields, as JSON.
pub const FIELDS_BYTES_MAX: usize = 64 << 10;
/// Most fields of a credential.
pub const FIELDS_MAX: usize = 200;
/// Most characters of a field's name.
pub const FIELD_NAME_CHARACTERS_MAX: usize = 200;

impl CredentialId {
    /// The id of the credential of that type and name.
    ///
    /// ```
    /// use timeloom_domain::ids::{CredentialId, TenantId};
    ///
    /// let id = CredentialId::of(TenantId(0), "httpBasicAuth", "Mailer");
    /// assert_eq!(id, CredentialId::of(TenantId(0), "httpBasicAuth", "Mailer"));
    /// assert_ne!(id, CredentialId::of(TenantId(0), "httpHeaderAuth", "Mailer"));
    /// assert_ne!(id, CredentialId::of(TenantId(1), "httpBasicAuth", "Mailer"));
    /// ```
    pub fn of(tenant: TenantId, credential_type: &str, name: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"timeloom credential id\0");
        hash.update(tenant.0.to_be_bytes());
        hash.update((credential_type.len() as u64).to_be_bytes());
        hash.update(credential_type);
        hash.update(name);
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(hash.finalize()).for_each(|(byte, hashed)| *byte = hashed);
        Self(Builder::from_custom_bytes(bytes).into_uuid())
    }
}
