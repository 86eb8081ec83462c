//! Models of this server for those who look at them by the protocol of MLflow's registry.

use std::sync::Arc;

use actix_web::HttpRequest;
use async_trait::async_trait;
use timeloom_commands::{CommandError, ModelListing};
use timeloom_domain::access::Permission;
use timeloom_domain::ids::Slug;
use timeloom_domain::model::Model;
use timeloom_inference_front::mlflow::{Change, Purpose, Refusal, RefusalKind, Registered, Registry};
use timeloom_read_api::ApiState;
use timeloom_store::LogError;

use super::Models;

/// The models of this server.
pub struct RegisteredModels {
    models: Models,
}

impl RegisteredModels {
    pub fn new(models: Models) -> Self {
        Self { models }
    }

    async fn listing(&self) -> Result<Arc<ModelListing>, Refusal> {
        self.models.commands().models().caught_up().await.map_err(|error| stopping(&error))
    }
}

fn stopping(error: &LogError) -> Refusal {
    Refusal::new(RefusalKind::Unavailable, error.to_string())
}

fn registered(listing: &ModelListing, who: &ApiState, name: &Slug, model: &Arc<Model>) -> Option<Registered> {
    let times = listing.times(who.tenant(), name).filter(|_| !model.retired)?;
    Some(Registered {
        name: name.to_string(),
        model: Arc::clone(model),
        created_ms: times.created_ms,
        updated_ms: times.updated_ms,
        added_ms: times.added_ms.clone(),
    })
}

/// The name of a model: what cannot be one names none.
fn name_of(name: &str) -> Result<Slug, Refusal> {
    Slug::try_new(name).map_err(|error| Refusal::new(RefusalKind::Missing, format!("there is no such model: {error}")))
}

fn refused(error: &CommandError) -> Refusal {
    let kind = match error {
        CommandError::Refused(refusal) if refusal.code == "FORBIDDEN" => RefusalKind::Forbidden,
        CommandError::Refused(refusal) if refusal.code.ends_with("_NOT_FOUND") => RefusalKind::Missing,
        CommandError::Refused(_) => RefusalKind::Invalid,
        CommandError::Conflict { .. } | CommandError::Unexpected { .. } => RefusalKind::Conflict,
        CommandError::Busy { .. } => RefusalKind::Unavailable,
        CommandError::Fault(_) => RefusalKind::Fault,
    };
    Refusal::new(kind, error.to_string())
}

#[async_trait]
impl Registry for RegisteredModels {
    type Who = ApiState;

    fn who(&self, request: &HttpRequest, purpose: Purpose) -> Result<ApiState, Refusal> {
        let state = ApiState::asking(request);
        let state = state.ok_or_else(|| Refusal::new(RefusalKind::Unauthenticated, "show who you are"))?;
        let needed = match purpose {
            Purpose::See => Permission::RegistryRead,
            Purpose::Change => Permission::RegistryWrite,
        };
        state.require(needed).map_err(|error| Refusal::new(RefusalKind::Forbidden, error.to_string()))?;
        Ok(state)
    }

    async fn models(&self, who: &ApiState) -> Result<Vec<Registered>, Refusal> {
        let listing = self.listing().await?;
        let own = listing.models().filter(|(tenant, ..)| *tenant == who.tenant());
        Ok(own.filter_map(|(_, name, model)| registered(&listing, who, name, model)).collect())
    }

    async fn model(&self, who: &ApiState, name: &str) -> Result<Registered, Refusal> {
        let listing = self.listing().await?;
        let name = name_of(name)?;
        let found = listing.model(who.tenant(), &name).and_then(|model| registered(&listing, who, &name, model));
        found.ok_or_else(|| {
            let message = format!("there is no model '{name}': search_registered_models() tells those that there are");
            Refusal::new(RefusalKind::Missing, message)
        })
    }

    async fn change(&self, who: &ApiState, name: &str, change: Change) -> Result<(), Refusal> {
        let (commands, context, name) = (self.models.commands(), who.context(None), name_of(name)?);
        let alias_of =
            |alias: &str| Slug::try_new(alias).map_err(|error| Refusal::new(RefusalKind::Invalid, error.to_string()));
        let changed = match change {
            Change::SetAlias { alias, version } => {
                commands.set_model_alias(&context, name, alias_of(&alias)?, version, None).await
            }
            Change::RemoveAlias { alias } => commands.remove_model_alias(&context, name, alias_of(&alias)?).await,
            Change::Promote { version } => commands.promote_model(&context, name, version, None).await,
        };
        let changed = changed.map_err(|error| refused(&error))?;
        commands.models().wait_for(changed.position).await.map_err(|error| stopping(&error))?;
        Ok(())
    }
}
