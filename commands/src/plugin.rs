//! Commands on plugins.

use timeloom_domain::access::Permission;
use timeloom_domain::ids::Slug;
use timeloom_domain::plugin::{Plugin, PluginCommand, PluginEvent};

use crate::bridge::Base;
use crate::{CommandContext, CommandError, Commands, Outcome};

/// A plugin version to add.
#[derive(Debug, Clone)]
pub struct AddPluginVersion {
    /// The version, as its author writes it.
    pub version: String,
    /// SHA-256 of the package, hexadecimal.
    pub digest: String,
}

impl Commands {
    /// Takes a name for a plugin.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn register_plugin(
        &self,
        context: &CommandContext,
        name: Slug,
        description: String,
    ) -> Result<Outcome<Slug>, CommandError> {
        self.change_plugin(context, name.clone(), PluginCommand::Register { name, description }).await
    }

    /// Adds a version to a plugin.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn add_plugin_version(
        &self,
        context: &CommandContext,
        name: Slug,
        add: AddPluginVersion,
    ) -> Result<Outcome<Slug>, CommandError> {
        let AddPluginVersion { version, digest } = add;
        self.change_plugin(context, name, PluginCommand::AddVersion { version, digest }).await
    }

    /// Lets workflows use a version of a plugin.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn enable_plugin(
        &self,
        context: &CommandContext,
        name: Slug,
        version: String,
    ) -> Result<Outcome<Slug>, CommandError> {
        self.change_plugin(context, name, PluginCommand::Enable { version }).await
    }

    /// Forbids a plugin to workflows.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn disable_plugin(
        &self,
        context: &CommandContext,
        name: Slug,
        reason: String,
    ) -> Result<Outcome<Slug>, CommandError> {
        self.change_plugin(context, name, PluginCommand::Disable { reason }).await
    }

    /// Puts a plugin away for good.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn retire_plugin(&self, context: &CommandContext, name: Slug) -> Result<Outcome<Slug>, CommandError> {
        self.change_plugin(context, name, PluginCommand::Retire).await
    }

    async fn change_plugin(
        &self,
        context: &CommandContext,
        name: Slug,
        command: PluginCommand,
    ) -> Result<Outcome<Slug>, CommandError> {
        context.require(Permission::RegistryWrite)?;
        let stream = self.stream::<PluginEvent>(context, &name);
        Ok(self.execute::<Plugin>(context, stream, command, Base::Current).await?.with(name))
    }
}
