//! Credentials, as nodes reach them: the fields of the one that the node names for a type, opened at the moment of use.
//!
//! A node keeps them no longer than the request that it makes with them. They are in no event and in no error.

use std::fmt;

use async_trait::async_trait;
use timeloom_domain::item::JsonObject;

/// Where credentials are kept.
#[async_trait]
pub trait CredentialPort: Send + Sync {
    /// The fields of the credential of that type with that id, or else with that name; `None` when there is none.
    ///
    /// # Errors
    /// [`CredentialError`] when it exists and cannot be opened.
    async fn credential(
        &self,
        type_name: &str,
        id: Option<&str>,
        name: Option<&str>,
    ) -> Result<Option<JsonObject>, CredentialError>;
}

/// A credential that exists and cannot be opened; the message says what to do and holds nothing secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CredentialError(pub String);

/// A deployment without credentials.
pub struct NoCredentials;

#[async_trait]
impl CredentialPort for NoCredentials {
    async fn credential(
        &self,
        _type_name: &str,
        _id: Option<&str>,
        _name: Option<&str>,
    ) -> Result<Option<JsonObject>, CredentialError> {
        Ok(None)
    }
}

impl fmt::Debug for dyn CredentialPort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CredentialPort")
    }
}
