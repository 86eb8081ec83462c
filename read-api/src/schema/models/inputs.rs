//! What changes of models take.

use async_graphql::InputObject;
use uuid::Uuid;

use super::rollout::RolloutGuardInput;
use super::words::GpuWanted;

/// An input with the fields that every change of a model has, and its own.
macro_rules! model_input {
    ($(#[$doc:meta])* $name:ident { $($(#[$field:meta])* $own:ident: $ty:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, InputObject)]
        pub(crate) struct $name {
            /// Makes this the same command as an earlier one with this id.
            pub command_id: Option<Uuid>,
            /// It is carried out only while the model is at this revision.
            pub expected_revision: Option<u64>,
            /// The model.
            pub name: String,
            $($(#[$field])* pub $own: $ty,)*
        }
    };
}

model_input! {
    /// A model version to add; it gets the next number.
    AddModelVersionInput {
        /// Format of the file, for example `onnx`.
        format: String,
        /// SHA-256 of the file, hexadecimal.
        digest: String,
    }
}

model_input! {
    /// The model version that answers requests which name none.
    PromoteModelInput {
        /// The version.
        version: u32,
        /// Why, for those who read its history: 1 to 1,000 characters.
        reason: Option<String>,
    }
}

model_input! {
    /// A model whose version before the promoted one answers again.
    RollBackModelInput {
        /// Why: 1 to 1,000 characters.
        reason: String,
    }
}

model_input! {
    /// A model version that answers nothing any more.
    WithdrawModelVersionInput {
        /// The version.
        version: u32,
        /// Why: 1 to 1,000 characters.
        reason: String,
    }
}

model_input! {
    /// An alias and the version that it names.
    SetModelAliasInput {
        /// The alias, such as `prod`; never a number.
        alias: String,
        /// The version.
        version: u32,
        /// Why: 1 to 1,000 characters.
        reason: Option<String>,
    }
}

model_input! {
    /// An alias that names nothing any more.
    RemoveModelAliasInput {
        /// The alias.
        alias: String,
    }
}

model_input! {
    /// A version of a model.
    ModelVersionInput {
        /// The version.
        version: u32,
    }
}

model_input! {
    /// A version to try.
    StartModelRolloutInput {
        /// The version.
        version: u32,
        /// Of a hundred requests it answers so many: 1 to 99; a shadow takes up to 100.
        percent: u8,
        /// Whether it computes copies of the requests only, whose answers nobody gets.
        #[graphql(default)]
        shadow: bool,
        /// The alias whose requests are meant; absent = those that name no version.
        alias: Option<String>,
        /// When the trial is over by itself; absent = never.
        guard: Option<RolloutGuardInput>,
    }
}

model_input! {
    /// The part of the requests that a trial takes.
    StepModelRolloutInput {
        /// Of a hundred so many.
        percent: u8,
    }
}

model_input! {
    /// A trial that is over.
    EndModelRolloutInput {
        /// Whether the version that was tried is promoted.
        promote: bool,
        /// Why: 1 to 1,000 characters.
        reason: String,
    }
}

model_input! {
    /// A model that answers no more.
    DisableModelInput {
        /// Why.
        #[graphql(default)]
        reason: String,
    }
}

model_input! {
    /// A model to do something with.
    ModelInput {}
}

model_input! {
    /// How a model's versions are run from their next load on. What is not named is as for a new model.
    ConfigureModelInput {
        /// Whether it wants a GPU.
        gpu: Option<GpuWanted>,
        /// Fewest instances in a worker: 1 to 64.
        instances_min: Option<u32>,
        /// Most instances in a worker; absent = as many as the machine gains by.
        instances_max: Option<u32>,
        /// Threads of each instance; absent = measured.
        threads: Option<u32>,
        /// Most rows of a batch and of one request, at most 4,096; absent = 32.
        rows_max: Option<u32>,
        /// How long the first request of a batch waits for more, in microseconds.
        queue_delay_us: Option<u64>,
        /// Most requests that wait in a worker.
        queue_max: Option<u32>,
        /// How long a request may take that names no deadline, in milliseconds.
        timeout_ms: Option<u64>,
        /// Whether a GPU may round 32-bit products: faster, and with other last digits.
        tf32: Option<bool>,
        /// Whether inputs that hold "not a number" or infinity are refused.
        finite_only: Option<bool>,
        /// How much of its inferences is written down.
        recording: Option<RecordingInput>,
    }
}

/// How much of a model's inferences is written down.
#[derive(Debug, Clone, Copy, InputObject)]
pub(crate) struct RecordingInput {
    /// How much.
    pub level: super::words::RecordingLevel,
    /// Of so many inferences one is written down: with `SAMPLED`, and only there.
    pub one_in: Option<u32>,
}
