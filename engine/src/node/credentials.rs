//! How nodes come to credentials: by the type that they need and what the workflow's file says about it.
//!
//! Expressions never see a credential, and no error tells a value of one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;
use timeloom_commands::{CredentialError, Credentials};
use timeloom_domain::definition::Node;
use timeloom_domain::ids::TenantId;
use timeloom_domain::item::JsonObject;

use super::{NodeError, NodeRun};

/// Where credentials are.
#[async_trait]
pub trait CredentialPort: fmt::Debug + Send + Sync {
    /// The fields of a credential of that type: by its id where it is one of ours, else by its name. `None` when there is
    /// none.
    ///
    /// # Errors
    /// [`CredentialError`], which tells no value.
    async fn credential(
        &self,
        tenant: TenantId,
        credential_type: &str,
        id: Option<&str>,
        name: Option<&str>,
    ) -> Result<Option<JsonObject>, CredentialError>;
}

#[async_trait]
impl CredentialPort for Credentials {
    async fn credential(
        &self,
        tenant: TenantId,
        credential_type: &str,
        id: Option<&str>,
        name: Option<&str>,
    ) -> Result<Option<JsonObject>, CredentialError> {
        Self::credential(self, tenant, credential_type, id, name).await
    }
}

/// One credential a type, whatever it is called: for a run of a file by itself. Without any, nobody has a credential.
#[derive(Clone, Default)]
pub struct FixedCredentials(BTreeMap<String, JsonObject>);

impl FixedCredentials {
    /// These fields by their types.
    pub fn new(by_type: BTreeMap<String, JsonObject>) -> Self {
        Self(by_type)
    }
}

impl fmt::Debug for FixedCredentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

#[async_trait]
impl CredentialPort for FixedCredentials {
    async fn credential(
        &self,
        _tenant: TenantId,
        credential_type: &str,
        _id: Option<&str>,
        _name: Option<&str>,
    ) -> Result<Option<JsonObject>, CredentialError> {
        Ok(self.0.get(credential_type).cloned())
    }
}

/// What a workflow's file says about the credential of one type: `{"id": …, "name": …}`, or the name alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CredentialReference {
    /// Its id, which may be one of another installation.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
}

impl CredentialReference {
    /// What `node` says about the credential of that type, if anything.
    pub fn of(node: &Node, credential_type: &str) -> Option<Self> {
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        match node.credentials.as_ref()?.get(credential_type)? {
            Value::String(name) => Some(Self { id: None, name: Some(name.clone()) }),
            Value::Object(said) => {
                Some(Self { id: said.get("id").and_then(text), name: said.get("name").and_then(text) })
            }
            _ => None,
        }
    }
}

impl fmt::Display for CredentialReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.name.as_deref().or(self.id.as_deref()).unwrap_or("without a name");
        write!(formatter, "'{shown}'")
    }
}

impl NodeRun<'_> {
    /// The fields of the credential of that type. `None` when the node names none and none is given otherwise; one that it
    /// names and that is not there is an error. Asked for at every run: what was saved last is what is used. Its secrets are
    /// hidden in whatever the run gives.
    pub fn credential(&self, credential_type: &str) -> BoxFuture<'static, Result<Option<JsonObject>, NodeError>> {
        let port = Arc::clone(&self.services.credentials);
        let (tenant, credential_type) = (self.tenant, credential_type.to_owned());
        let named = CredentialReference::of(self.node, &credential_type);
        let (secrets, called) = (self.secrets.shared(), self.credential_name(&credential_type));
        async move {
            let CredentialReference { id, name } = named.clone().unwrap_or_default();
            let found = port.credential(tenant, &credential_type, id.as_deref(), name.as_deref()).await;
            if let Ok(Some(fields)) = &found {
                secrets.note_credential(&called, &credential_type, fields);
            }
            match (found, named) {
                (Ok(None), Some(named)) => {
                    Err(NodeError::operation(format!("there is no credential {named} of type {credential_type}"))
                        .described("Save it with `timeloom credential save`, under the name that the workflow has."))
                }
                (found, _) => found.map_err(|error| NodeError::operation(error.to_string())),
            }
        }
        .boxed()
    }

    /// What the credential of that type is called where its secrets were: by its name in the workflow, else by what there is.
    pub fn credential_name(&self, credential_type: &str) -> String {
        let CredentialReference { id, name } = CredentialReference::of(self.node, credential_type).unwrap_or_default();
        name.or(id).unwrap_or_else(|| credential_type.to_owned())
    }

    /// The same for a node that computes and cannot wait otherwise.
    ///
    /// # Errors
    /// [`NodeError`], as above.
    pub fn credential_now(&self, credential_type: &str) -> Result<Option<JsonObject>, NodeError> {
        // Nodes that compute run on threads that may wait.
        futures::executor::block_on(self.credential(credential_type))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn files_name_credentials_in_two_ways() {
        let node = |credentials: Value| -> Node {
            let file =
                json!({"name": "A", "type": "t", "typeVersion": 1, "parameters": {}, "credentials": credentials});
            serde_json::from_value(file).unwrap()
        };
        let reference = |id: Option<&str>, name: Option<&str>| {
            Some(CredentialReference { id: id.map(str::to_owned), name: name.map(str::to_owned) })
        };
        for (credentials, expected) in [
            (json!({"httpBasicAuth": {"id": "7", "name": "Mailer"}}), reference(Some("7"), Some("Mailer"))),
            (json!({"httpBasicAuth": {"id": 7, "name": null}}), reference(Some("7"), None)),
            (json!({"httpBasicAuth": "Mailer"}), reference(None, Some("Mailer"))),
            (json!({"httpBasicAuth": [1]}), None),
            (json!({"httpHeaderAuth": "Mailer"}), None),
            (json!([]), None),
        ] {
            assert_eq!(CredentialReference::of(&node(credentials), "httpBasicAuth"), expected);
        }
    }
}
