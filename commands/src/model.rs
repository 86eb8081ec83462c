//! Commands on models.

use timeloom_domain::access::Permission;
use timeloom_domain::ids::Slug;
use timeloom_domain::model::{Model, ModelCommand, ModelEvent};

use crate::bridge::Base;
use crate::{CommandContext, CommandError, Commands, Outcome};

/// A model version to add.
#[derive(Debug, Clone)]
pub struct AddModelVersion {
    /// Format of the file, for example `onnx`.
    pub format: String,
    /// SHA-256 of the file, hexadecimal.
    pub digest: String,
}

impl Commands {
    /// Takes a name for a model.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn register_model(
        &self,
        context: &CommandContext,
        name: Slug,
        description: String,
    ) -> Result<Outcome<Slug>, CommandError> {
        self.change_model(context, name.clone(), ModelCommand::Register { name, description }).await
    }

    /// Adds a version to a model; it gets the next number.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn add_model_version(
        &self,
        context: &CommandContext,
        name: Slug,
        add: AddModelVersion,
    ) -> Result<Outcome<Slug>, CommandError> {
        let AddModelVersion { format, digest } = add;
        self.change_model(context, name, ModelCommand::AddVersion { format, digest }).await
    }

    /// Lets a version of a model answer.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn promote_model(
        &self,
        context: &CommandContext,
        name: Slug,
        version: u32,
    ) -> Result<Outcome<Slug>, CommandError> {
        self.change_model(context, name, ModelCommand::Promote { version }).await
    }

    /// Lets a model answer again.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn enable_model(&self, context: &CommandContext, name: Slug) -> Result<Outcome<Slug>, CommandError> {
        self.change_model(context, name, ModelCommand::Enable).await
    }

    /// Lets a model answer no more.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn disable_model(
        &self,
        context: &CommandContext,
        name: Slug,
        reason: String,
    ) -> Result<Outcome<Slug>, CommandError> {
        self.change_model(context, name, ModelCommand::Disable { reason }).await
    }

    /// Puts a model away for good.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn retire_model(&self, context: &CommandContext, name: Slug) -> Result<Outcome<Slug>, CommandError> {
        self.change_model(context, name, ModelCommand::Retire).await
    }

    async fn change_model(
        &self,
        context: &CommandContext,
        name: Slug,
        command: ModelCommand,
    ) -> Result<Outcome<Slug>, CommandError> {
        context.require(Permission::RegistryWrite)?;
        let stream = self.stream::<ModelEvent>(context, &name);
        Ok(self.execute::<Model>(context, stream, command, Base::Current).await?.with(name))
    }
}
