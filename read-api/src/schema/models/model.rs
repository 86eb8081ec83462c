//! Models as the read models have them.

use async_graphql::{ID, Object, SimpleObject};
use timeloom_projections::ModelRow;

use super::words::{ModelSettingsView, TensorSpecView};
use crate::schema::history::History;
use crate::schema::node::model_id;

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

/// The trial of a version.
#[derive(Debug, Clone, Copy, SimpleObject)]
pub(crate) struct ModelRollout {
    /// The version that is tried.
    version: u32,
    /// Of a hundred requests that name no version it answers so many.
    percent: u8,
    /// Whether it computes copies only, whose answers nobody gets.
    shadow: bool,
}

fn version_view(known: &timeloom_domain::model::ModelVersion) -> ModelVersion {
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

/// A model.
#[derive(Debug, Clone)]
pub(crate) struct Model(pub ModelRow);

#[Object]
impl Model {
    /// Its id among everything: its kind and its name.
    pub(crate) async fn id(&self) -> ID {
        model_id(&self.0.name)
    }

    /// Its name.
    async fn name(&self) -> &str {
        self.0.name.as_str()
    }

    /// What it computes.
    async fn description(&self) -> &str {
        &self.0.model.description
    }

    /// Its versions, oldest first.
    async fn versions(&self) -> Vec<ModelVersion> {
        self.0.model.versions.iter().map(version_view).collect()
    }

    /// The version that answers requests which name none.
    async fn promoted_version(&self) -> Option<u32> {
        self.0.model.promoted_version
    }

    /// What its aliases name, in the order of their names.
    async fn aliases(&self) -> Vec<ModelAlias> {
        let view = |(alias, version): (&timeloom_domain::ids::Slug, &u32)| ModelAlias {
            alias: alias.to_string(),
            version: *version,
        };
        self.0.model.aliases.iter().map(view).collect()
    }

    /// The trial of a version that is under way.
    async fn rollout(&self) -> Option<ModelRollout> {
        let rollout = self.0.model.rollout?;
        Some(ModelRollout { version: rollout.version, percent: rollout.percent, shadow: rollout.shadow })
    }

    /// How its versions are run from their next load on.
    async fn settings(&self) -> ModelSettingsView {
        (&self.0.model.settings).into()
    }

    /// Versions that workers keep loaded.
    async fn kept_loaded(&self) -> Vec<u32> {
        self.0.model.kept_loaded.iter().copied().collect()
    }

    /// Whether it answers no requests.
    async fn disabled(&self) -> bool {
        self.0.model.disabled
    }

    /// Why it was disabled, while it is.
    async fn disabled_reason(&self) -> Option<&str> {
        self.0.disabled_reason.as_deref()
    }

    /// Whether it was put away.
    async fn retired(&self) -> bool {
        self.0.model.retired
    }

    /// Which events made it what it is.
    async fn history(&self) -> History {
        self.0.provenance.into()
    }
}
