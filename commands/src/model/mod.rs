//! Commands on models, and all models at a glance.

mod figures;
mod listing;

use std::sync::Arc;

use timeloom_domain::access::Permission;
use timeloom_domain::ids::Slug;
use timeloom_domain::model::{
    Model, ModelCommand, ModelEvent, ModelFile, ModelRefusal, ModelSettings, RolloutFigures, RolloutGuard,
};

pub(crate) use figures::RolloutCounts;
pub use listing::{ModelListing, ModelTimes};

use crate::bridge::Base;
use crate::live::Live;
use crate::{CommandContext, CommandError, Commands, Outcome, Refusal};

/// A model version to add.
#[derive(Debug, Clone)]
pub struct AddModelVersion {
    /// Format of the file, for example `onnx`.
    pub format: String,
    /// SHA-256 of the file, hexadecimal.
    pub digest: String,
    /// What was read from the file; absent where only its digest is told.
    pub file: Option<Box<ModelFile>>,
}

/// A model's file that did not pass the checks.
#[derive(Debug, Clone)]
pub struct RejectModelVersion {
    /// SHA-256 of the file, hexadecimal.
    pub digest: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Which check, and why.
    pub reason: String,
}

/// A version to try on a part of the requests.
#[derive(Debug, Clone)]
pub struct StartModelRollout {
    /// The version.
    pub version: u32,
    /// Of a hundred requests so many.
    pub percent: u8,
    /// Whether on copies only, whose answers nobody gets.
    pub shadow: bool,
    /// The alias whose requests are meant; absent = those that name no version.
    pub alias: Option<Slug>,
    /// When the trial is over by itself.
    pub guard: Option<RolloutGuard>,
}

impl Commands {
    /// All models at a glance. It begins to follow the log when it is first asked for.
    pub fn models(&self) -> &Live<ModelListing> {
        self.inner.models.get_or_init(|| Live::follow(Arc::clone(&self.inner.log)))
    }

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

    /// Adds a version to a model; it gets the next number. A file that is a version already adds nothing.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn add_model_version(
        &self,
        context: &CommandContext,
        name: Slug,
        add: AddModelVersion,
    ) -> Result<Outcome<Slug>, CommandError> {
        let AddModelVersion { format, digest, file } = add;
        self.change_model(context, name, ModelCommand::AddVersion { format, digest, file }).await
    }

    /// Writes down that a file did not pass the checks.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn reject_model_version(
        &self,
        context: &CommandContext,
        name: Slug,
        reject: RejectModelVersion,
    ) -> Result<Outcome<Slug>, CommandError> {
        let RejectModelVersion { digest, bytes, reason } = reject;
        self.change_model(context, name, ModelCommand::RejectVersion { digest, bytes, reason }).await
    }

    /// Lets a version answer nothing any more.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn withdraw_model_version(
        &self,
        context: &CommandContext,
        name: Slug,
        version: u32,
        reason: String,
    ) -> Result<Outcome<Slug>, CommandError> {
        self.change_model(context, name, ModelCommand::Withdraw { version, reason }).await
    }

    /// Lets a version of a model answer requests that name none.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn promote_model(
        &self,
        context: &CommandContext,
        name: Slug,
        version: u32,
        reason: Option<String>,
    ) -> Result<Outcome<Slug>, CommandError> {
        self.change_model(context, name, ModelCommand::Promote { version, reason }).await
    }

    /// Lets the version answer again that did before the promoted one.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn roll_back_model(
        &self,
        context: &CommandContext,
        name: Slug,
        reason: String,
    ) -> Result<Outcome<Slug>, CommandError> {
        self.change_model(context, name, ModelCommand::RollBack { reason }).await
    }

    /// Lets an alias name a version.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn set_model_alias(
        &self,
        context: &CommandContext,
        name: Slug,
        alias: Slug,
        version: u32,
        reason: Option<String>,
    ) -> Result<Outcome<Slug>, CommandError> {
        self.change_model(context, name, ModelCommand::SetAlias { alias, version, reason }).await
    }

    /// Lets an alias name nothing.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn remove_model_alias(
        &self,
        context: &CommandContext,
        name: Slug,
        alias: Slug,
    ) -> Result<Outcome<Slug>, CommandError> {
        self.change_model(context, name, ModelCommand::RemoveAlias { alias }).await
    }

    /// Lets a model's versions be run otherwise from their next load on.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn configure_model(
        &self,
        context: &CommandContext,
        name: Slug,
        settings: ModelSettings,
    ) -> Result<Outcome<Slug>, CommandError> {
        self.change_model(context, name, ModelCommand::Configure { settings }).await
    }

    /// Lets workers keep a version loaded.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn load_model(
        &self,
        context: &CommandContext,
        name: Slug,
        version: u32,
    ) -> Result<Outcome<Slug>, CommandError> {
        self.change_model(context, name, ModelCommand::Load { version }).await
    }

    /// Lets workers put a version away until somebody asks for it.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn unload_model(
        &self,
        context: &CommandContext,
        name: Slug,
        version: u32,
    ) -> Result<Outcome<Slug>, CommandError> {
        self.change_model(context, name, ModelCommand::Unload { version }).await
    }

    /// Tries a version on a part of the requests that name none, or that name an alias.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn start_model_rollout(
        &self,
        context: &CommandContext,
        name: Slug,
        start: StartModelRollout,
    ) -> Result<Outcome<Slug>, CommandError> {
        let StartModelRollout { version, percent, shadow, alias, guard } = start;
        self.change_model(context, name, ModelCommand::StartRollout { version, percent, shadow, alias, guard }).await
    }

    /// Tries it on another part.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn step_model_rollout(
        &self,
        context: &CommandContext,
        name: Slug,
        percent: u8,
    ) -> Result<Outcome<Slug>, CommandError> {
        self.change_model(context, name, ModelCommand::StepRollout { percent }).await
    }

    /// Ends the trial, with a promotion or without.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn end_model_rollout(
        &self,
        context: &CommandContext,
        name: Slug,
        promote: bool,
        reason: String,
    ) -> Result<Outcome<Slug>, CommandError> {
        self.change_model(context, name, ModelCommand::EndRollout { promote, reason }).await
    }

    /// Ends the trial of a version because its guard says so. Where it is not under way any more, nothing happens.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn guard_model_rollout(
        &self,
        context: &CommandContext,
        name: Slug,
        version: u32,
        reason: String,
        figures: RolloutFigures,
    ) -> Result<Outcome<Slug>, CommandError> {
        let figures = Box::new(figures);
        self.change_model(context, name, ModelCommand::GuardRollout { version, reason, figures }).await
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
        let changed = self.execute::<Model>(context, stream, command, Base::Current).await;
        Ok(changed.map_err(|error| naming(error, &name))?.with(name))
    }
}

/// Tells which model there is none of.
fn naming(error: CommandError, name: &Slug) -> CommandError {
    match error {
        CommandError::Refused(refusal) if refusal.code == "MODEL_NOT_FOUND" => {
            Refusal::from(ModelRefusal::NoModel(name.clone())).into()
        }
        other => other,
    }
}
