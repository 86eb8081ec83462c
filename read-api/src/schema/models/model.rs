//! Models as the read models have them.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use timeloom_projections::{AsOf, InferenceFilter, ModelLoadFilter, ModelRow};

use super::rollout::ModelRollout;
use super::words::{ModelSettingsView, TensorSpecView};
use crate::schema::drift::{DriftWatch, drift_watch};
use crate::schema::history::History;
use crate::schema::inference::{Inference, InferenceList, ModelLoad, ModelLoadList};
use crate::schema::node::model_id;
use crate::schema::paging::{Pages, Paging, page_cost};
use crate::schema::reading::state;

/// One version of a model.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct ModelVersion {
    /// 1 for the first.
    pub version: u32,
    /// Format of the file, for example `onnx`.
    pub format: String,
    /// SHA-256 of the file, hexadecimal.
    pub digest: String,
    /// What was read from the file; absent where only its digest was told.
    pub file: Option<ModelFileView>,
    /// Why it answers no more; absent = it may.
    pub withdrawn_reason: Option<String>,
}

/// What was read from a version's file when it came in.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name = "ModelFile")]
pub(crate) struct ModelFileView {
    /// Its length in bytes.
    bytes: u64,
    /// What the model wants.
    inputs: Vec<TensorSpecView>,
    /// What it gives.
    outputs: Vec<TensorSpecView>,
    /// Version of the standard operators that it was made for.
    opset: u64,
    /// How many nodes its graph has.
    nodes: u64,
    /// The program that made it, as the file says.
    producer: String,
    /// Where it was taken from.
    source: Option<String>,
    /// Under which licence its source says that it may be used.
    licence: Option<String>,
}

/// A name of a version.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct ModelAlias {
    /// The alias.
    alias: String,
    /// The version that it names.
    version: u32,
}

impl From<&timeloom_domain::model::ModelVersion> for ModelVersion {
    fn from(known: &timeloom_domain::model::ModelVersion) -> Self {
        let file = known.file.as_deref().map(|file| ModelFileView {
            bytes: file.bytes,
            inputs: file.signature.inputs.iter().map(Into::into).collect(),
            outputs: file.signature.outputs.iter().map(Into::into).collect(),
            opset: file.opset,
            nodes: file.nodes,
            producer: file.producer.clone(),
            source: file.source.clone(),
            licence: file.licence.clone(),
        });
        ModelVersion {
            version: known.version,
            format: known.format.clone(),
            digest: known.digest.clone(),
            file,
            withdrawn_reason: known.withdrawn.clone(),
        }
    }
}

/// A model.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub row: ModelRow,
    /// As of when it was read; its parts are read as of the same moment.
    pub as_of: AsOf,
}

#[Object]
impl Model {
    /// Its id among everything: its kind and its name.
    pub(crate) async fn id(&self) -> ID {
        model_id(&self.row.name)
    }

    /// Its name.
    async fn name(&self) -> &str {
        self.row.name.as_str()
    }

    /// What it computes.
    async fn description(&self) -> &str {
        &self.row.model.description
    }

    /// Its versions, oldest first.
    async fn versions(&self) -> Vec<ModelVersion> {
        self.row.model.versions.iter().map(ModelVersion::from).collect()
    }

    /// The version that answers requests which name none.
    async fn promoted_version(&self) -> Option<u32> {
        self.row.model.promoted_version
    }

    /// What its aliases name, in the order of their names.
    async fn aliases(&self) -> Vec<ModelAlias> {
        let view = |(alias, version): (&timeloom_domain::ids::Slug, &u32)| ModelAlias {
            alias: alias.to_string(),
            version: *version,
        };
        self.row.model.aliases.iter().map(view).collect()
    }

    /// The trial of a version that is under way.
    async fn rollout(&self) -> Option<ModelRollout> {
        let rollout = self.row.model.rollout.clone()?;
        Some(ModelRollout { model: self.row.name.clone(), rollout, as_of: self.as_of })
    }

    /// The watch over its drift: the one under way, or the last.
    #[graphql(complexity = "child_complexity + 5")]
    async fn drift_watch(&self, context: &Context<'_>) -> Result<Option<DriftWatch>> {
        drift_watch(state(context)?, &self.row.name, self.as_of).await
    }

    /// How its versions are run from their next load on.
    async fn settings(&self) -> ModelSettingsView {
        (&self.row.model.settings).into()
    }

    /// Versions that workers keep loaded.
    async fn kept_loaded(&self) -> Vec<u32> {
        self.row.model.kept_loaded.iter().copied().collect()
    }

    /// Whether it answers no requests.
    async fn disabled(&self) -> bool {
        self.row.model.disabled
    }

    /// Why it was disabled, while it is.
    async fn disabled_reason(&self) -> Option<&str> {
        self.row.disabled_reason.as_deref()
    }

    /// Whether it was put away.
    async fn retired(&self) -> bool {
        self.row.model.retired
    }

    /// Where it is in memory, newest first: which version, in which worker, computed how.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn loads(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Pages<ModelLoad>> {
        let filter = ModelLoadFilter { model: Some(self.row.name.clone()), worker: None, in_memory: Some(true) };
        ModelLoadList { paging: Paging::new(first, after, last, before), filter, as_of: self.as_of }.read(context).await
    }

    /// Its inferences, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn inferences(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Pages<Inference>> {
        let filter = InferenceFilter { model: Some(self.row.name.clone()), ..InferenceFilter::default() };
        InferenceList { paging: Paging::new(first, after, last, before), filter, as_of: self.as_of }.read(context).await
    }

    /// Which events made it what it is.
    async fn history(&self) -> History {
        self.row.provenance.into()
    }
}
