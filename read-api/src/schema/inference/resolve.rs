//! Which version a model's name means, now or at any moment: by the same rule as when somebody asks the model.

use async_graphql::{Result, SimpleObject};
use timeloom_domain::model::ModelReference;
use timeloom_projections::AsOf;

use crate::schema::faults::bad_input;
use crate::schema::models::{Model, ModelVersion};
use crate::schema::query::model;
use crate::state::ApiState;

/// What a model's name means.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct ResolvedModel {
    /// The model.
    model: Model,
    /// The version that answers; absent where none does.
    version: Option<ModelVersion>,
    /// Why none answers, in words that say what to do.
    refusal: Option<String>,
}

/// A model's name with what is behind the @; what is none is the client's mistake.
pub(super) fn read(reference: &str) -> Result<ModelReference> {
    reference.parse().map_err(|error: timeloom_domain::model::InvalidModelReference| bad_input(error.to_string()))
}

/// What a name meant at a moment; `None` when there was no such model.
pub(super) async fn resolve(
    state: &ApiState,
    reference: ModelReference,
    key: Option<&str>,
    as_of: AsOf,
) -> Result<Option<ResolvedModel>> {
    let Some(model) = model(state, reference.name, as_of).await? else { return Ok(None) };
    let resolved = model.row.model.resolve(&reference.version, key);
    let (version, refusal) = match resolved {
        Ok(version) => (Some(version.into()), None),
        Err(refusal) => (None, Some(refusal.to_string())),
    };
    Ok(Some(ResolvedModel { model, version, refusal }))
}
