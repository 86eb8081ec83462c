//! Models: what is known of them, and every change of theirs.

mod inputs;
mod model;
mod rollout;
mod words;

use async_graphql::{Context, Object, Result};
use timeloom_commands::{AddModelVersion, StartModelRollout};
use timeloom_domain::ids::Slug;
use timeloom_domain::model::ModelSettings;

use self::inputs::{
    AddModelVersionInput, ConfigureModelInput, DisableModelInput, EndModelRolloutInput, ModelInput, ModelVersionInput,
    PromoteModelInput, RemoveModelAliasInput, RollBackModelInput, SetModelAliasInput, StartModelRolloutInput,
    StepModelRolloutInput, WithdrawModelVersionInput,
};
pub(crate) use self::model::{Model, ModelVersion};
use self::rollout::RolloutGuardInput;
pub(crate) use self::words::GpuWanted;
use self::words::{gpu_of, recording_of};
use super::mutation::RegisterInput;
use super::payloads::{payload, refused};
use super::query::model;
use super::reading::state;

payload! {
    /// What a command on a model came to.
    ModelPayload {
        name: Slug => String,
        /// The model, from the read models: asking for it waits until they show `position`.
        model: Model = model
    }
}

/// A name as the domain takes it, or the payload that says why not.
macro_rules! slug {
    ($name:expr) => {
        match Slug::try_new($name) {
            Ok(name) => name,
            Err(error) => return Ok(ModelPayload::from(refused("INVALID_NAME", error.to_string()))),
        }
    };
}
/// Sends one command on the model that `$input` names.
macro_rules! change {
    ($context:ident, $input:ident, $command:ident $(, $argument:expr)*) => {{
        let (state, name) = (state($context)?, slug!($input.name));
        let asked = state.context_at($input.command_id, $input.expected_revision);
        ModelPayload::of(state.commands().$command(&asked, name $(, $argument)*).await)
    }};
}

/// The changes of models.
#[derive(Debug, Default)]
pub struct ModelMutation;

#[Object]
impl ModelMutation {
    /// Takes a name for a model.
    async fn register_model(&self, context: &Context<'_>, input: RegisterInput) -> Result<ModelPayload> {
        let (state, name) = (state(context)?, slug!(input.name));
        let context = state.context(input.command_id);
        ModelPayload::of(state.commands().register_model(&context, name, input.description).await)
    }

    /// Adds a version to a model; it gets the next number.
    async fn add_model_version(&self, context: &Context<'_>, input: AddModelVersionInput) -> Result<ModelPayload> {
        let add = AddModelVersion { format: input.format, digest: input.digest, file: None };
        change!(context, input, add_model_version, add)
    }

    /// Lets a version answer nothing any more. One that answers is refused: another one takes its place first.
    async fn withdraw_model_version(
        &self,
        context: &Context<'_>,
        input: WithdrawModelVersionInput,
    ) -> Result<ModelPayload> {
        change!(context, input, withdraw_model_version, input.version, input.reason)
    }

    /// Lets a version of a model answer requests that name none.
    async fn promote_model(&self, context: &Context<'_>, input: PromoteModelInput) -> Result<ModelPayload> {
        change!(context, input, promote_model, input.version, input.reason)
    }

    /// Lets the version answer again that did before the promoted one.
    async fn roll_back_model(&self, context: &Context<'_>, input: RollBackModelInput) -> Result<ModelPayload> {
        change!(context, input, roll_back_model, input.reason)
    }

    /// Lets an alias name a version.
    async fn set_model_alias(&self, context: &Context<'_>, input: SetModelAliasInput) -> Result<ModelPayload> {
        let alias = slug!(input.alias);
        change!(context, input, set_model_alias, alias, input.version, input.reason)
    }

    /// Lets an alias name nothing.
    async fn remove_model_alias(&self, context: &Context<'_>, input: RemoveModelAliasInput) -> Result<ModelPayload> {
        let alias = slug!(input.alias);
        change!(context, input, remove_model_alias, alias)
    }

    /// Lets a model's versions be run otherwise from their next load on.
    async fn configure_model(&self, context: &Context<'_>, input: ConfigureModelInput) -> Result<ModelPayload> {
        let usual = ModelSettings::default();
        let recording = match input.recording.map(recording_of).transpose() {
            Ok(recording) => recording.unwrap_or_default(),
            Err(why) => return Ok(ModelPayload::from(refused("INVALID_MODEL_SETTINGS", why))),
        };
        let settings = ModelSettings {
            gpu: gpu_of(input.gpu),
            instances_min: input.instances_min.unwrap_or(usual.instances_min),
            instances_max: input.instances_max,
            threads: input.threads,
            rows_max: input.rows_max,
            queue_delay_us: input.queue_delay_us.unwrap_or(usual.queue_delay_us),
            queue_max: input.queue_max.unwrap_or(usual.queue_max),
            timeout_ms: input.timeout_ms.unwrap_or(usual.timeout_ms),
            tf32: input.tf32.unwrap_or(usual.tf32),
            finite_only: input.finite_only.unwrap_or(usual.finite_only),
            recording,
        };
        change!(context, input, configure_model, settings)
    }

    /// Lets workers keep a version loaded.
    async fn load_model(&self, context: &Context<'_>, input: ModelVersionInput) -> Result<ModelPayload> {
        change!(context, input, load_model, input.version)
    }

    /// Lets workers put a version away until somebody asks for it.
    async fn unload_model(&self, context: &Context<'_>, input: ModelVersionInput) -> Result<ModelPayload> {
        change!(context, input, unload_model, input.version)
    }

    /// Tries a version on a part of the requests that name none, or an alias. The same requests fall to it each time.
    async fn start_model_rollout(&self, context: &Context<'_>, input: StartModelRolloutInput) -> Result<ModelPayload> {
        let alias = match input.alias {
            Some(alias) => Some(slug!(alias)),
            None => None,
        };
        let guard = match input.guard.map(RolloutGuardInput::guard).transpose() {
            Ok(guard) => guard,
            Err(why) => return Ok(ModelPayload::from(refused("INVALID_ROLLOUT_GUARD", why))),
        };
        let StartModelRolloutInput { version, percent, shadow, .. } = input;
        let start = StartModelRollout { version, percent, shadow, alias, guard };
        change!(context, input, start_model_rollout, start)
    }

    /// Tries it on another part.
    async fn step_model_rollout(&self, context: &Context<'_>, input: StepModelRolloutInput) -> Result<ModelPayload> {
        change!(context, input, step_model_rollout, input.percent)
    }

    /// Ends the trial, with a promotion or without.
    async fn end_model_rollout(&self, context: &Context<'_>, input: EndModelRolloutInput) -> Result<ModelPayload> {
        change!(context, input, end_model_rollout, input.promote, input.reason)
    }

    /// Lets a model answer again.
    async fn enable_model(&self, context: &Context<'_>, input: ModelInput) -> Result<ModelPayload> {
        change!(context, input, enable_model)
    }

    /// Lets a model answer no more.
    async fn disable_model(&self, context: &Context<'_>, input: DisableModelInput) -> Result<ModelPayload> {
        change!(context, input, disable_model, input.reason)
    }

    /// Puts a model away for good.
    async fn retire_model(&self, context: &Context<'_>, input: ModelInput) -> Result<ModelPayload> {
        change!(context, input, retire_model)
    }
}
