//! Plugins as the read models have them.

use async_graphql::{ID, Object, SimpleObject};
use timeloom_projections::PluginRow;

use super::history::History;
use super::node::plugin_id;

/// One version of a plugin.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct PluginVersion {
    /// The version, as its author writes it.
    pub version: String,
    /// SHA-256 of the package, hexadecimal.
    pub digest: String,
}

/// A plugin.
#[derive(Debug, Clone)]
pub(crate) struct Plugin(pub PluginRow);

#[Object]
impl Plugin {
    /// Its id among everything: its kind and its name.
    pub(crate) async fn id(&self) -> ID {
        plugin_id(&self.0.name)
    }

    /// Its name.
    async fn name(&self) -> &str {
        self.0.name.as_str()
    }

    /// What it is for.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// Its versions, in the order in which they came.
    async fn versions(&self) -> Vec<PluginVersion> {
        let view = |known: &timeloom_projections::PluginVersion| PluginVersion {
            version: known.version.clone(),
            digest: known.digest.clone(),
        };
        self.0.versions.iter().map(view).collect()
    }

    /// The version that workflows may use.
    async fn enabled_version(&self) -> Option<&str> {
        self.0.enabled_version.as_deref()
    }

    /// Why it was disabled, while it is.
    async fn disabled_reason(&self) -> Option<&str> {
        self.0.disabled_reason.as_deref()
    }

    /// Whether it was put away.
    async fn retired(&self) -> bool {
        self.0.retired
    }

    /// Which events made it what it is.
    async fn history(&self) -> History {
        self.0.provenance.into()
    }
}
