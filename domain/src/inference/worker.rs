//! What happens to an inference worker: one life of one process that computes models.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Gpu, Provider};
use crate::event::{Aggregate, Event};
use crate::ids::{ModelLoadId, Slug};

/// A fact about one worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum InferenceWorkerEvent {
    /// It began.
    InferenceWorkerStarted {
        /// What it runs on.
        machine: Box<WorkerMachine>,
    },
    /// It has a version of a model in memory and answers with it.
    ModelLoaded(Box<ModelLoad>),
    /// It could not load a version of a model.
    ModelLoadFailed {
        /// The model.
        model: Slug,
        /// The version.
        version: u32,
        /// SHA-256 of that version's file, hexadecimal.
        digest: String,
        /// What is in the way, as a word: `NO_RUNTIME`, `NO_GPU`, `NOT_ALL_ON_GPU`, `BROKEN_FILE` and others.
        code: String,
        /// Why, in words that say what to do.
        reason: String,
    },
    /// A GPU was wanted where there is one, and another one computes.
    ProviderFellBack {
        /// The load of the model.
        load: ModelLoadId,
        /// The model.
        model: Slug,
        /// The version.
        version: u32,
        /// Who was wanted.
        wanted: Provider,
        /// Who computes.
        got: Provider,
        /// Why.
        reason: String,
    },
    /// It takes smaller batches of a model than before.
    ModelDegraded {
        /// The load of the model.
        load: ModelLoadId,
        /// The model.
        model: Slug,
        /// The version.
        version: u32,
        /// Most rows of a batch from now on.
        rows_max: u32,
        /// Why.
        reason: String,
    },
    /// It takes batches as large as at first.
    ModelRecovered {
        /// The load of the model.
        load: ModelLoadId,
        /// The model.
        model: Slug,
        /// The version.
        version: u32,
        /// Most rows of a batch from now on.
        rows_max: u32,
    },
    /// It has a version of a model in memory no more.
    ModelUnloaded {
        /// The load of the model.
        load: ModelLoadId,
        /// The model.
        model: Slug,
        /// The version.
        version: u32,
        /// Why, as a word: `asked`, `idle`, `replaced`, `withdrawn`, `stopping`.
        reason: String,
    },
    /// It takes no more requests and answers those that it has.
    InferenceWorkerDraining {},
    /// It ended. A worker that was killed has no such event.
    InferenceWorkerStopped {},
}

/// What a worker runs on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerMachine {
    /// The runtime with its version and build; absent where its library was not found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// SHA-256 of the runtime's library, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_digest: Option<String>,
    /// Why there is no runtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_missing: Option<String>,
    /// The kind of processor.
    pub architecture: String,
    /// What the processor can do beyond the least of its kind.
    pub processor_features: Vec<String>,
    /// How many cores the process may use.
    pub cores: u32,
    /// The GPUs, each with its name, id and driver.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<String>,
    /// Why no GPU can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_missing: Option<String>,
    /// Settings of the environment that change what is computed: `NVIDIA_TF32_OVERRIDE=1`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<String>,
}

/// A version of a model in a worker's memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelLoad {
    /// The load.
    pub load: ModelLoadId,
    /// The model.
    pub model: Slug,
    /// The version.
    pub version: u32,
    /// SHA-256 of that version's file, hexadecimal.
    pub digest: String,
    /// Whether a GPU was wanted.
    pub gpu: Gpu,
    /// Who computes, as it was seen.
    pub provider: Provider,
    /// How many nodes of the model each of the runtime's providers has.
    pub nodes: BTreeMap<String, u64>,
    /// Operators that the CPU has although a GPU computes the rest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_cpu: Vec<String>,
    /// How it is computed, in the runtime's canonical words: part of every fingerprint.
    pub options: String,
    /// The runtime, its version, its build and the digest of its library: part of every fingerprint.
    pub runtime: String,
    /// What computes: the processor, or the GPU with its driver: part of every fingerprint.
    pub machine: String,
    /// Instances.
    pub instances: u32,
    /// Threads of each.
    pub threads: u32,
    /// Most rows of a batch.
    pub rows_max: u32,
    /// How long the file took to load, in milliseconds.
    pub load_ms: u64,
    /// How long it took to find out how to run it and to run it once, in milliseconds.
    pub warm_up_ms: u64,
}

impl Event for InferenceWorkerEvent {
    const CATEGORY: &'static str = "inference-worker";
    const TYPES: &'static [(&'static str, u16)] = &[
        ("InferenceWorkerStarted", 1),
        ("ModelLoaded", 1),
        ("ModelLoadFailed", 1),
        ("ProviderFellBack", 1),
        ("ModelDegraded", 1),
        ("ModelRecovered", 1),
        ("ModelUnloaded", 1),
        ("InferenceWorkerDraining", 1),
        ("InferenceWorkerStopped", 1),
    ];

    fn event_type(&self) -> &'static str {
        match self {
            Self::InferenceWorkerStarted { .. } => "InferenceWorkerStarted",
            Self::ModelLoaded(_) => "ModelLoaded",
            Self::ModelLoadFailed { .. } => "ModelLoadFailed",
            Self::ProviderFellBack { .. } => "ProviderFellBack",
            Self::ModelDegraded { .. } => "ModelDegraded",
            Self::ModelRecovered { .. } => "ModelRecovered",
            Self::ModelUnloaded { .. } => "ModelUnloaded",
            Self::InferenceWorkerDraining {} => "InferenceWorkerDraining",
            Self::InferenceWorkerStopped {} => "InferenceWorkerStopped",
        }
    }
}

/// A worker as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InferenceWorker {
    /// What it runs on; absent before it began.
    pub machine: Option<WorkerMachine>,
    /// What it has in memory, in the order in which it came.
    pub loads: Vec<ModelLoad>,
    /// Whether it takes no more requests.
    pub draining: bool,
    /// Whether it ended.
    pub stopped: bool,
}

/// Nothing is refused: what a worker did is a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InferenceWorkerRefusal {}

impl Aggregate for InferenceWorker {
    const FOLD_VERSION: u32 = 1;

    type Event = InferenceWorkerEvent;
    type Command = Vec<InferenceWorkerEvent>;
    type Refusal = InferenceWorkerRefusal;

    fn apply(&mut self, event: &InferenceWorkerEvent) {
        match event {
            InferenceWorkerEvent::InferenceWorkerStarted { machine } => self.machine = Some((**machine).clone()),
            InferenceWorkerEvent::ModelLoaded(load) => self.loads.push((**load).clone()),
            InferenceWorkerEvent::ModelLoadFailed { .. } | InferenceWorkerEvent::ProviderFellBack { .. } => {}
            InferenceWorkerEvent::ModelDegraded { load, rows_max, .. }
            | InferenceWorkerEvent::ModelRecovered { load, rows_max, .. } => {
                if let Some(known) = self.loads.iter_mut().find(|known| known.load == *load) {
                    known.rows_max = *rows_max;
                }
            }
            InferenceWorkerEvent::ModelUnloaded { load, .. } => self.loads.retain(|known| known.load != *load),
            InferenceWorkerEvent::InferenceWorkerDraining {} => self.draining = true,
            InferenceWorkerEvent::InferenceWorkerStopped {} => {
                self.stopped = true;
                self.loads.clear();
            }
        }
    }

    fn decide(&self, command: &Vec<InferenceWorkerEvent>) -> Result<Vec<InferenceWorkerEvent>, InferenceWorkerRefusal> {
        Ok(command.clone())
    }
}
