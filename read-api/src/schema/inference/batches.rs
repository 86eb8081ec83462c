//! Loads of models, inferences and who computes them that come up at the same moment, made as one.

use std::collections::{HashMap, HashSet};

use async_graphql::Result;
use timeloom_domain::ids::{InferenceWorkerId, ModelLoadId, Slug};
use timeloom_projections::{
    AsOf, InferenceFilter, InferenceRow, InferenceWorkerRow, ModelLoadFilter, ModelLoadRow, ModelRow, Page, PageOf,
};

use crate::schema::batch::{Batch, by_moment, unanswered};
use crate::schema::faults::fault;
use crate::schema::reading::rows;
use crate::state::ApiState;

/// The loads of one request that are about inferences.
#[derive(Debug, Default)]
pub(crate) struct InferenceLoads {
    models: Batch<(Slug, AsOf), ModelRow>,
    workers: Batch<(InferenceWorkerId, AsOf), InferenceWorkerRow>,
    loads: Batch<(ModelLoadId, AsOf), ModelLoadRow>,
    living: Batch<InferenceWorkerId, ()>,
    pages: Batch<(AsOf, Page, InferenceFilter), PageOf<InferenceRow>>,
    load_pages: Batch<(AsOf, Page, ModelLoadFilter), PageOf<ModelLoadRow>>,
}

impl InferenceLoads {
    /// A model.
    pub(crate) async fn model(&self, state: &ApiState, name: &Slug, as_of: AsOf) -> Result<Option<ModelRow>> {
        let load = |keys: Vec<(Slug, AsOf)>| async move {
            let mut found = HashMap::with_capacity(keys.len());
            for (as_of, keys) in by_moment(keys, |(_, as_of)| *as_of) {
                let names: Vec<Slug> = keys.into_iter().map(|(name, _)| name).collect();
                let loaded = rows(state.read_models().models_by_name(state.tenant(), &names, as_of).await)?;
                found.extend(loaded.into_iter().map(|row| ((row.name.clone(), as_of), row)));
            }
            Ok(found)
        };
        self.models.load((name.clone(), as_of), load).await
    }

    /// An inference worker.
    pub(crate) async fn worker(
        &self,
        state: &ApiState,
        id: InferenceWorkerId,
        as_of: AsOf,
    ) -> Result<Option<InferenceWorkerRow>> {
        let load = |keys: Vec<(InferenceWorkerId, AsOf)>| async move {
            let mut found = HashMap::with_capacity(keys.len());
            for (as_of, keys) in by_moment(keys, |(_, as_of)| *as_of) {
                let ids: Vec<InferenceWorkerId> = keys.iter().map(|(id, _)| *id).collect();
                let loaded = rows(state.read_models().inference_workers_by_id(state.tenant(), &ids, as_of).await)?;
                found.extend(loaded.into_iter().map(|row| ((row.id, as_of), row)));
            }
            Ok(found)
        };
        self.workers.load((id, as_of), load).await
    }

    /// Whether the process of a worker is there now: both have one id.
    pub(crate) async fn is_living(&self, state: &ApiState, id: InferenceWorkerId) -> Result<bool> {
        let load = |keys: Vec<InferenceWorkerId>| async move {
            let workers = state.workers().workers().await.map_err(|error| fault(&error))?;
            let living: HashSet<_> = workers.iter().filter(|worker| worker.is_live).map(|worker| worker.id.0).collect();
            Ok(keys.into_iter().filter(|key| living.contains(&key.0)).map(|key| (key, ())).collect())
        };
        Ok(self.living.load(id, load).await?.is_some())
    }

    /// A load of a model.
    pub(crate) async fn load(&self, state: &ApiState, id: ModelLoadId, as_of: AsOf) -> Result<Option<ModelLoadRow>> {
        let load = |keys: Vec<(ModelLoadId, AsOf)>| async move {
            let mut found = HashMap::with_capacity(keys.len());
            for (as_of, keys) in by_moment(keys, |(_, as_of)| *as_of) {
                let ids: Vec<ModelLoadId> = keys.iter().map(|(id, _)| *id).collect();
                let loaded = rows(state.read_models().model_loads_by_id(state.tenant(), &ids, as_of).await)?;
                found.extend(loaded.into_iter().map(|row| ((row.load.load, as_of), row)));
            }
            Ok(found)
        };
        self.loads.load((id, as_of), load).await
    }

    /// A page of inferences.
    pub(crate) async fn page(
        &self,
        state: &ApiState,
        as_of: AsOf,
        page: Page,
        filter: InferenceFilter,
    ) -> Result<PageOf<InferenceRow>> {
        let load = |keys: Vec<(AsOf, Page, InferenceFilter)>| async move {
            let mut found = HashMap::with_capacity(keys.len());
            for (as_of, keys) in by_moment(keys, |(as_of, ..)| *as_of) {
                let pages: Vec<_> = keys.iter().map(|(_, page, filter)| (*page, filter.clone())).collect();
                let loaded = rows(state.read_models().inference_pages(state.tenant(), as_of, &pages).await)?;
                found.extend(keys.into_iter().zip(loaded));
            }
            Ok(found)
        };
        self.pages.load((as_of, page, filter), load).await?.ok_or_else(unanswered)
    }

    /// A page of loads of models.
    pub(crate) async fn load_page(
        &self,
        state: &ApiState,
        as_of: AsOf,
        page: Page,
        filter: ModelLoadFilter,
    ) -> Result<PageOf<ModelLoadRow>> {
        let load = |keys: Vec<(AsOf, Page, ModelLoadFilter)>| async move {
            let mut found = HashMap::with_capacity(keys.len());
            for (as_of, keys) in by_moment(keys, |(as_of, ..)| *as_of) {
                let pages: Vec<_> = keys.iter().map(|(_, page, filter)| (*page, filter.clone())).collect();
                let loaded = rows(state.read_models().model_load_pages(state.tenant(), as_of, &pages).await)?;
                found.extend(keys.into_iter().zip(loaded));
            }
            Ok(found)
        };
        self.load_pages.load((as_of, page, filter), load).await?.ok_or_else(unanswered)
    }
}
