//! What happens to a model.

use serde::{Deserialize, Serialize};

use super::{ModelFile, ModelSettings, RolloutFigures, RolloutGuard};
use crate::event::Event;
use crate::ids::Slug;

/// A fact about one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ModelEvent {
    /// Its name was taken.
    ModelRegistered {
        /// Its name.
        name: Slug,
        /// What it computes.
        description: String,
    },
    /// A version of it came in.
    ModelVersionAdded {
        /// 1 for the first.
        version: u32,
        /// Format of the file, for example `onnx`.
        format: String,
        /// SHA-256 of the file, hexadecimal.
        digest: String,
        /// What was read from the file; absent where only its digest was told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<Box<ModelFile>>,
    },
    /// A file came in that is no version: it did not pass the checks.
    ModelVersionRejected {
        /// SHA-256 of the file, hexadecimal.
        digest: String,
        /// Its length in bytes.
        bytes: u64,
        /// Which check it did not pass, and why.
        reason: String,
    },
    /// No request is answered by this version any more.
    ModelVersionWithdrawn {
        /// The version.
        version: u32,
        /// Why.
        reason: String,
    },
    /// Requests that name no version are answered by this one.
    ModelPromoted {
        /// The version.
        version: u32,
        /// The version that answered before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<u32>,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// They are answered by the version again that did so before.
    ModelRolledBack {
        /// The version that answers again.
        version: u32,
        /// The version that does not any more.
        from: u32,
        /// Why.
        reason: String,
    },
    /// Requests that name this alias are answered by that version.
    ModelAliasSet {
        /// The alias.
        alias: Slug,
        /// The version.
        version: u32,
        /// The version that it named before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<u32>,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The alias names nothing any more.
    ModelAliasRemoved {
        /// The alias.
        alias: Slug,
        /// The version that it named.
        version: u32,
    },
    /// Its versions are run otherwise from the next load on.
    ModelConfigured {
        /// How.
        settings: Box<ModelSettings>,
    },
    /// Workers keep this version loaded.
    ModelLoadRequested {
        /// The version.
        version: u32,
    },
    /// They need not any more.
    ModelUnloadRequested {
        /// The version.
        version: u32,
    },
    /// A version is tried on a part of the requests that name none, or that name an alias.
    ModelRolloutStarted {
        /// The version that is tried.
        version: u32,
        /// Of a hundred requests it answers so many.
        percent: u8,
        /// Whether it computes a copy of the requests instead, whose answers nobody gets.
        shadow: bool,
        /// The alias whose requests are meant; absent = those that name no version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alias: Option<Slug>,
        /// When it is over by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        guard: Option<RolloutGuard>,
    },
    /// The part is another one now.
    ModelRolloutStepped {
        /// Of a hundred requests it answers so many.
        percent: u8,
    },
    /// The trial is over.
    ModelRolloutEnded {
        /// Whether the version is promoted.
        promoted: bool,
        /// Why.
        reason: String,
        /// What was counted, where the guard ended it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        figures: Option<Box<RolloutFigures>>,
    },
    /// It answers requests again.
    ModelEnabled {},
    /// It answers no requests.
    ModelDisabled {
        /// Why.
        reason: String,
    },
    /// It was put away for good.
    ModelRetired {},
}

impl Event for ModelEvent {
    const CATEGORY: &'static str = "model";
    const TYPES: &'static [(&'static str, u16)] = &[
        ("ModelRegistered", 1),
        ("ModelVersionAdded", 2),
        ("ModelVersionRejected", 1),
        ("ModelVersionWithdrawn", 1),
        ("ModelPromoted", 2),
        ("ModelRolledBack", 1),
        ("ModelAliasSet", 1),
        ("ModelAliasRemoved", 1),
        ("ModelConfigured", 1),
        ("ModelLoadRequested", 1),
        ("ModelUnloadRequested", 1),
        ("ModelRolloutStarted", 2),
        ("ModelRolloutStepped", 1),
        ("ModelRolloutEnded", 2),
        ("ModelEnabled", 1),
        ("ModelDisabled", 1),
        ("ModelRetired", 1),
    ];

    fn event_type(&self) -> &'static str {
        match self {
            Self::ModelRegistered { .. } => "ModelRegistered",
            Self::ModelVersionAdded { .. } => "ModelVersionAdded",
            Self::ModelVersionRejected { .. } => "ModelVersionRejected",
            Self::ModelVersionWithdrawn { .. } => "ModelVersionWithdrawn",
            Self::ModelPromoted { .. } => "ModelPromoted",
            Self::ModelRolledBack { .. } => "ModelRolledBack",
            Self::ModelAliasSet { .. } => "ModelAliasSet",
            Self::ModelAliasRemoved { .. } => "ModelAliasRemoved",
            Self::ModelConfigured { .. } => "ModelConfigured",
            Self::ModelLoadRequested { .. } => "ModelLoadRequested",
            Self::ModelUnloadRequested { .. } => "ModelUnloadRequested",
            Self::ModelRolloutStarted { .. } => "ModelRolloutStarted",
            Self::ModelRolloutStepped { .. } => "ModelRolloutStepped",
            Self::ModelRolloutEnded { .. } => "ModelRolloutEnded",
            Self::ModelEnabled {} => "ModelEnabled",
            Self::ModelDisabled { .. } => "ModelDisabled",
            Self::ModelRetired {} => "ModelRetired",
        }
    }

    fn reads_as_current(event_type: &str, version: u16) -> bool {
        let grew = ["ModelVersionAdded", "ModelPromoted", "ModelRolloutStarted", "ModelRolloutEnded"];
        version == 1 && grew.contains(&event_type)
    }
}
