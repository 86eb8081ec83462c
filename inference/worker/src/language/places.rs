//! Where a tenant's providers are, and their keys: from the set-up and the credentials of the log.
//!
//! A key that was opened is kept until something of the tenant's credentials changes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use timeloom_commands::{Commands, Credentials};
use timeloom_domain::gateway::{CredentialName, GatewayProvider};
use timeloom_domain::ids::TenantId;
use timeloom_domain::item::JsonObject;
use timeloom_gateway::ports::{Place, PlaceError, Places, Secret};
use timeloom_store::Position;
use url::Url;

/// The fields in which credentials of the usual types have the key, the first that is there.
const KEY_FIELDS: [&str; 4] = ["apiKey", "token", "accessToken", "value"];

/// Where a tenant's providers are.
pub(super) struct Keys {
    pub tenant: TenantId,
    pub commands: Commands,
    pub credentials: Credentials,
    opened: Mutex<HashMap<CredentialName, (Position, Secret)>>,
}

impl Keys {
    pub fn new(tenant: TenantId, commands: Commands, credentials: Credentials) -> Self {
        Self { tenant, commands, credentials, opened: Mutex::default() }
    }

    async fn key(&self, credential: &CredentialName) -> Result<Secret, PlaceError> {
        let changed = self.commands.gateway().now().credentials_changed(self.tenant);
        let known = self.opened.lock().unwrap_or_else(PoisonError::into_inner).get(credential).cloned();
        if let Some((at, key)) = known
            && at == changed
        {
            return Ok(key);
        }
        let CredentialName { credential_type, name } = credential;
        let found = self.credentials.credential(self.tenant, credential_type, None, Some(name)).await;
        let fields = found.map_err(|error| PlaceError(error.to_string()))?;
        let fields = fields.ok_or_else(|| {
            PlaceError(format!("there is no credential '{name}' of the type {credential_type}: save it"))
        })?;
        let key = key_in(&fields).ok_or_else(|| {
            let fields = KEY_FIELDS.join(", ");
            PlaceError(format!(
                "the credential '{name}' ({credential_type}) holds no key in one of its fields {fields}"
            ))
        })?;
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.insert(credential.clone(), (changed, key.clone()));
        Ok(key)
    }
}

fn key_in(fields: &JsonObject) -> Option<Secret> {
    let text = KEY_FIELDS.iter().find_map(|name| fields.get(*name)?.as_str().filter(|text| !text.is_empty()))?;
    Some(Secret::new(text.strip_prefix("Bearer ").unwrap_or(text).trim().to_owned()))
}

/// Where one provider is, as it was set up when it was begun to be asked: which addresses it may be at was decided by that.
/// Only its key is looked up for every call.
pub(super) struct ProviderPlace {
    pub keys: Arc<Keys>,
    pub provider: GatewayProvider,
}

impl Places for ProviderPlace {
    fn place<'a>(&'a self, provider: &'a str) -> BoxFuture<'a, Result<Place, PlaceError>> {
        Box::pin(async move {
            let GatewayProvider { base_url, credential, .. } = &self.provider;
            let url: Url = base_url.as_deref().unwrap_or_default().parse().map_err(|error| {
                PlaceError(format!("the address of the provider '{provider}' is none ({error}): correct it"))
            })?;
            let key = match credential {
                Some(credential) => Some(self.keys.key(credential).await?),
                None => None,
            };
            Ok(Place::new(&url, key))
        })
    }
}
