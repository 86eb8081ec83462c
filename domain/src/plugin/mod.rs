//! The Plugin aggregate in its first form: registered, its versions, enabled or not, retired.

use serde::{Deserialize, Serialize};

use crate::event::{Aggregate, Event};
use crate::ids::Slug;

/// A fact about one plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PluginEvent {
    /// Its name was taken.
    PluginRegistered {
        /// Its name.
        name: Slug,
        /// What it is for.
        description: String,
    },
    /// A version of it came in.
    PluginVersionAdded {
        /// The version, as its author writes it.
        version: String,
        /// SHA-256 of the package, hexadecimal.
        digest: String,
    },
    /// Workflows may use this version.
    PluginEnabled {
        /// The version.
        version: String,
    },
    /// Workflows may not use it.
    PluginDisabled {
        /// Why.
        reason: String,
    },
    /// It was put away for good.
    PluginRetired {},
}

impl Event for PluginEvent {
    const CATEGORY: &'static str = "plugin";
    const TYPES: &'static [(&'static str, u16)] = &[
        ("PluginRegistered", 1),
        ("PluginVersionAdded", 1),
        ("PluginEnabled", 1),
        ("PluginDisabled", 1),
        ("PluginRetired", 1),
    ];

    fn event_type(&self) -> &'static str {
        match self {
            Self::PluginRegistered { .. } => "PluginRegistered",
            Self::PluginVersionAdded { .. } => "PluginVersionAdded",
            Self::PluginEnabled { .. } => "PluginEnabled",
            Self::PluginDisabled { .. } => "PluginDisabled",
            Self::PluginRetired {} => "PluginRetired",
        }
    }
}

/// The name of the plugin that a node type would come from: `acme-mail` of `acme-mail.send`, `acme/mail` of `@acme/mail.send`.
/// `None` where the type names no package. Whether there is such a plugin, or the type is built in, is not told by its name.
///
/// ```
/// use timeloom_domain::plugin::package_of;
///
/// assert_eq!(package_of("@acme/mail.send"), Some("acme/mail"));
/// assert_eq!(package_of("send"), None);
/// ```
pub fn package_of(node_type: &str) -> Option<&str> {
    let (package, name) = node_type.rsplit_once('.')?;
    let package = package.strip_prefix('@').unwrap_or(package);
    (!package.is_empty() && !name.is_empty()).then_some(package)
}

/// A request to change one plugin.
#[derive(Debug, Clone, PartialEq)]
pub enum PluginCommand {
    /// Take its name.
    Register {
        /// Its name.
        name: Slug,
        /// What it is for.
        description: String,
    },
    /// Add a version.
    AddVersion {
        /// The version.
        version: String,
        /// SHA-256 of the package, hexadecimal.
        digest: String,
    },
    /// Allow a version.
    Enable {
        /// The version.
        version: String,
    },
    /// Forbid it.
    Disable {
        /// Why.
        reason: String,
    },
    /// Put it away for good.
    Retire,
}

/// Why a plugin says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PluginRefusal {
    /// The name is taken.
    #[error("a plugin with this name is registered already: add a version to it")]
    AlreadyRegistered,
    /// There is none.
    #[error("there is no plugin with this name: register it first")]
    NotFound,
    /// It was put away.
    #[error("the plugin is retired: register another name")]
    Retired,
    /// The version is there with another content.
    #[error("version {0} exists with another digest: a version never changes, add a new one")]
    VersionTaken(String),
    /// The version is not there.
    #[error("the plugin has no version {0}: add it first")]
    UnknownVersion(String),
    /// The digest is not one.
    #[error("'{0}' is not a SHA-256 digest: 64 hexadecimal digits are needed")]
    InvalidDigest(String),
}

/// A plugin as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plugin {
    /// Its name; `None` before it was registered.
    pub name: Option<Slug>,
    /// What it is for.
    pub description: String,
    /// Versions in the order in which they came: `(version, digest)`.
    pub versions: Vec<(String, String)>,
    /// The version that workflows may use.
    pub enabled_version: Option<String>,
    /// Whether it was put away.
    pub retired: bool,
}

impl Plugin {
    fn check_open(&self) -> Result<(), PluginRefusal> {
        match (&self.name, self.retired) {
            (None, _) => Err(PluginRefusal::NotFound),
            (_, true) => Err(PluginRefusal::Retired),
            _ => Ok(()),
        }
    }

    fn digest(&self, version: &str) -> Option<&str> {
        self.versions.iter().find(|(known, _)| known == version).map(|(_, digest)| digest.as_str())
    }
}

impl Aggregate for Plugin {
    const FOLD_VERSION: u32 = 1;

    type Event = PluginEvent;
    type Command = PluginCommand;
    type Refusal = PluginRefusal;

    fn apply(&mut self, event: &PluginEvent) {
        match event {
            PluginEvent::PluginRegistered { name, description } => {
                self.name = Some(name.clone());
                self.description.clone_from(description);
            }
            PluginEvent::PluginVersionAdded { version, digest } => {
                self.versions.push((version.clone(), digest.clone()));
            }
            PluginEvent::PluginEnabled { version } => self.enabled_version = Some(version.clone()),
            PluginEvent::PluginDisabled { .. } => self.enabled_version = None,
            PluginEvent::PluginRetired {} => {
                self.retired = true;
                self.enabled_version = None;
            }
        }
    }

    fn decide(&self, command: &PluginCommand) -> Result<Vec<PluginEvent>, PluginRefusal> {
        let event = match command {
            PluginCommand::Register { name, description } => match &self.name {
                Some(_) => return Err(PluginRefusal::AlreadyRegistered),
                None => PluginEvent::PluginRegistered { name: name.clone(), description: description.clone() },
            },
            PluginCommand::AddVersion { version, digest } => {
                self.check_open()?;
                if digest.len() != 64 || !digest.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return Err(PluginRefusal::InvalidDigest(digest.chars().take(64).collect()));
                }
                let digest = digest.to_ascii_lowercase();
                match self.digest(version) {
                    Some(known) if known == digest => return Ok(Vec::new()),
                    Some(_) => return Err(PluginRefusal::VersionTaken(version.clone())),
                    None => PluginEvent::PluginVersionAdded { version: version.clone(), digest },
                }
            }
            PluginCommand::Enable { version } => {
                self.check_open()?;
                if self.digest(version).is_none() {
                    return Err(PluginRefusal::UnknownVersion(version.clone()));
                }
                if self.enabled_version.as_ref() == Some(version) {
                    return Ok(Vec::new());
                }
                PluginEvent::PluginEnabled { version: version.clone() }
            }
            PluginCommand::Disable { reason } => {
                self.check_open()?;
                if self.enabled_version.is_none() {
                    return Ok(Vec::new());
                }
                PluginEvent::PluginDisabled { reason: reason.clone() }
            }
            PluginCommand::Retire if self.retired => return Ok(Vec::new()),
            PluginCommand::Retire => {
                self.check_open()?;
                PluginEvent::PluginRetired {}
            }
        };
        Ok(vec![event])
    }
}
