//! Words about models.

use async_graphql::{Enum, SimpleObject};
use timeloom_domain::inference::{Gpu, TensorSpec};
use timeloom_domain::model::{ModelSettings, Recording};

use super::inputs::RecordingInput;

/// Whether a model wants a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "Gpu", remote = "timeloom_domain::inference::Gpu")]
pub(crate) enum GpuWanted {
    /// It is computed by the CPU.
    None,
    /// By a GPU where there is one. Where there is none the CPU does it, and that is written down.
    Optional,
    /// By a GPU, or not at all.
    Required,
}

/// How much of a model's inferences is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum RecordingLevel {
    /// Every step as an event of its own, with all inputs and outputs.
    Full,
    /// One event for each inference, written down before its answer goes out.
    Standard,
    /// One inference in so many, all failures, and sums over the rest.
    Sampled,
}

/// How a model's versions are run.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct ModelSettingsView {
    /// Whether it wants a GPU.
    gpu: GpuWanted,
    /// Fewest instances in a worker.
    instances_min: u32,
    /// Most instances in a worker; absent = as many as the machine gains by.
    instances_max: Option<u32>,
    /// Threads of each instance; absent = measured.
    threads: Option<u32>,
    /// Most rows of a batch and of one request; absent = 32.
    rows_max: Option<u32>,
    /// How long the first request of a batch waits for more, in microseconds.
    queue_delay_us: u64,
    /// Most requests that wait in a worker.
    queue_max: u32,
    /// How long a request may take that names no deadline, in milliseconds.
    timeout_ms: u64,
    /// Whether a GPU may round 32-bit products.
    tf32: bool,
    /// Whether inputs that hold "not a number" or infinity are refused.
    finite_only: bool,
    /// How much of its inferences is written down.
    recording: RecordingLevel,
    /// Where that is a sample: of so many one.
    recorded_one_in: Option<u32>,
}

impl From<&ModelSettings> for ModelSettingsView {
    fn from(settings: &ModelSettings) -> Self {
        let (recording, recorded_one_in) = match settings.recording {
            Recording::Full => (RecordingLevel::Full, None),
            Recording::Standard => (RecordingLevel::Standard, None),
            Recording::Sampled { one_in } => (RecordingLevel::Sampled, Some(one_in)),
        };
        Self {
            gpu: settings.gpu.into(),
            instances_min: settings.instances_min,
            instances_max: settings.instances_max,
            threads: settings.threads,
            rows_max: settings.rows_max,
            queue_delay_us: settings.queue_delay_us,
            queue_max: settings.queue_max,
            timeout_ms: settings.timeout_ms,
            tf32: settings.tf32,
            finite_only: settings.finite_only,
            recording,
            recorded_one_in,
        }
    }
}

/// How much is written down, or why that cannot be meant.
pub(super) fn recording_of(input: RecordingInput) -> Result<Recording, &'static str> {
    match (input.level, input.one_in) {
        (RecordingLevel::Full, None) => Ok(Recording::Full),
        (RecordingLevel::Standard, None) => Ok(Recording::Standard),
        (RecordingLevel::Sampled, Some(one_in)) => Ok(Recording::Sampled { one_in }),
        (RecordingLevel::Sampled, None) => Err("say with oneIn of how many inferences one is written down"),
        (RecordingLevel::Full | RecordingLevel::Standard, Some(_)) => Err("oneIn goes with SAMPLED only"),
    }
}

/// Whether a model wants a GPU, as the domain has it.
pub(super) fn gpu_of(wanted: Option<GpuWanted>) -> Gpu {
    wanted.map_or_else(Gpu::default, Into::into)
}

/// One input or output of a model.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name = "TensorSpec")]
pub(crate) struct TensorSpecView {
    /// Its name.
    name: String,
    /// What it is made of, by the names of the Open Inference Protocol: `FP32`, `INT64`, `BYTES` and others.
    element: String,
    /// Its dimensions; `null` where any length will do.
    shape: Vec<Option<u64>>,
}

impl From<&TensorSpec> for TensorSpecView {
    fn from(spec: &TensorSpec) -> Self {
        Self { name: spec.name.clone(), element: spec.element.name().to_owned(), shape: spec.shape.clone() }
    }
}
