//! The Model aggregate in its first form: registered, its versions, the promoted one, retired.

use serde::{Deserialize, Serialize};

use crate::event::{Aggregate, Event};
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
    },
    /// Requests that name no version are answered by this one.
    ModelPromoted {
        /// The version.
        version: u32,
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
        ("ModelVersionAdded", 1),
        ("ModelPromoted", 1),
        ("ModelEnabled", 1),
        ("ModelDisabled", 1),
        ("ModelRetired", 1),
    ];

    fn event_type(&self) -> &'static str {
        match self {
            Self::ModelRegistered { .. } => "ModelRegistered",
            Self::ModelVersionAdded { .. } => "ModelVersionAdded",
            Self::ModelPromoted { .. } => "ModelPromoted",
            Self::ModelEnabled {} => "ModelEnabled",
            Self::ModelDisabled { .. } => "ModelDisabled",
            Self::ModelRetired {} => "ModelRetired",
        }
    }
}

/// A request to change one model.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelCommand {
    /// Take its name.
    Register {
        /// Its name.
        name: Slug,
        /// What it computes.
        description: String,
    },
    /// Add a version; it gets the next number.
    AddVersion {
        /// Format of the file.
        format: String,
        /// SHA-256 of the file, hexadecimal.
        digest: String,
    },
    /// Let this version answer.
    Promote {
        /// The version.
        version: u32,
    },
    /// Let it answer again.
    Enable,
    /// Let it answer no more.
    Disable {
        /// Why.
        reason: String,
    },
    /// Put it away for good.
    Retire,
}

/// Why a model says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelRefusal {
    /// The name is taken.
    #[error("a model with this name is registered already: add a version to it")]
    AlreadyRegistered,
    /// There is none.
    #[error("there is no model with this name: register it first")]
    NotFound,
    /// It was put away.
    #[error("the model is retired: register another name")]
    Retired,
    /// The version is not there.
    #[error("the model has no version {0}: add it first")]
    UnknownVersion(u32),
    /// The digest is not one.
    #[error("'{0}' is not a SHA-256 digest: 64 hexadecimal digits are needed")]
    InvalidDigest(String),
}

/// One version of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelVersion {
    /// 1 for the first.
    pub version: u32,
    /// Format of the file.
    pub format: String,
    /// SHA-256 of the file, hexadecimal.
    pub digest: String,
}

/// A model as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Its name; `None` before it was registered.
    pub name: Option<Slug>,
    /// What it computes.
    pub description: String,
    /// Versions, oldest first.
    pub versions: Vec<ModelVersion>,
    /// The version that answers.
    pub promoted_version: Option<u32>,
    /// Whether it answers no requests.
    pub disabled: bool,
    /// Whether it was put away.
    pub retired: bool,
}

impl Model {
    fn check_open(&self) -> Result<(), ModelRefusal> {
        match (&self.name, self.retired) {
            (None, _) => Err(ModelRefusal::NotFound),
            (_, true) => Err(ModelRefusal::Retired),
            _ => Ok(()),
        }
    }
}

impl Aggregate for Model {
    const FOLD_VERSION: u32 = 1;

    type Event = ModelEvent;
    type Command = ModelCommand;
    type Refusal = ModelRefusal;

    fn apply(&mut self, event: &ModelEvent) {
        match event {
            ModelEvent::ModelRegistered { name, description } => {
                self.name = Some(name.clone());
                self.description.clone_from(description);
            }
            ModelEvent::ModelVersionAdded { version, format, digest } => {
                let (version, format, digest) = (*version, format.clone(), digest.clone());
                self.versions.push(ModelVersion { version, format, digest });
            }
            ModelEvent::ModelPromoted { version } => self.promoted_version = Some(*version),
            ModelEvent::ModelEnabled {} => self.disabled = false,
            ModelEvent::ModelDisabled { .. } => self.disabled = true,
            ModelEvent::ModelRetired {} => self.retired = true,
        }
    }

    fn decide(&self, command: &ModelCommand) -> Result<Vec<ModelEvent>, ModelRefusal> {
        let event = match command {
            ModelCommand::Register { name, description } => match &self.name {
                Some(_) => return Err(ModelRefusal::AlreadyRegistered),
                None => ModelEvent::ModelRegistered { name: name.clone(), description: description.clone() },
            },
            ModelCommand::AddVersion { format, digest } => {
                self.check_open()?;
                if digest.len() != 64 || !digest.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return Err(ModelRefusal::InvalidDigest(digest.chars().take(64).collect()));
                }
                let digest = digest.to_ascii_lowercase();
                if self.versions.iter().any(|known| known.digest == digest) {
                    return Ok(Vec::new());
                }
                let version = self.versions.last().map_or(1, |newest| newest.version.saturating_add(1));
                ModelEvent::ModelVersionAdded { version, format: format.clone(), digest }
            }
            ModelCommand::Promote { version } => {
                self.check_open()?;
                if !self.versions.iter().any(|known| known.version == *version) {
                    return Err(ModelRefusal::UnknownVersion(*version));
                }
                if self.promoted_version == Some(*version) {
                    return Ok(Vec::new());
                }
                ModelEvent::ModelPromoted { version: *version }
            }
            ModelCommand::Enable => {
                self.check_open()?;
                if !self.disabled {
                    return Ok(Vec::new());
                }
                ModelEvent::ModelEnabled {}
            }
            ModelCommand::Disable { reason } => {
                self.check_open()?;
                if self.disabled {
                    return Ok(Vec::new());
                }
                ModelEvent::ModelDisabled { reason: reason.clone() }
            }
            ModelCommand::Retire if self.retired => return Ok(Vec::new()),
            ModelCommand::Retire => {
                self.check_open()?;
                ModelEvent::ModelRetired {}
            }
        };
        Ok(vec![event])
    }
}
