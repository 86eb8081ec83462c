//! How a model wants to be run.

use serde::{Deserialize, Serialize};

use crate::inference::Gpu;

/// Most instances of a model in one worker.
pub const INSTANCES_MAX: u32 = 64;
/// Most threads of one instance.
pub const THREADS_MAX: u32 = 256;
/// Most rows of a batch.
pub const ROWS_MAX: u32 = 4_096;
/// Longest wait for more rows, in microseconds.
pub const QUEUE_DELAY_US_MAX: u64 = 1_000_000;
/// Most requests that wait for a model in one worker.
pub const QUEUE_MAX: u32 = 100_000;
/// Longest time that a request may take, in milliseconds.
pub const TIMEOUT_MS_MAX: u64 = 600_000;
/// Most requests of which one is written down where a model is sampled.
pub const ONE_IN_MAX: u32 = 1_000_000;

/// How a model wants to be run. Instances and threads that are absent are found out by measuring when a version is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelSettings {
    /// Whether it wants a GPU.
    pub gpu: Gpu,
    /// Fewest instances in a worker.
    pub instances_min: u32,
    /// Most instances in a worker; absent = as many as the machine gains by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances_max: Option<u32>,
    /// Threads of each instance; absent = measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    /// Most rows of a batch and of one request; absent = 32.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows_max: Option<u32>,
    /// How long the first request of a batch waits for more, in microseconds; 0 = what waits already is taken.
    pub queue_delay_us: u64,
    /// Most requests that wait in a worker; one more is refused.
    pub queue_max: u32,
    /// How long a request may take that names no deadline, in milliseconds.
    pub timeout_ms: u64,
    /// Whether a GPU may round 32-bit products to 10 bits of mantissa: faster, and with other last digits.
    pub tf32: bool,
    /// Whether inputs that hold "not a number" or infinity are refused.
    pub finite_only: bool,
    /// How much of its inferences is written down.
    pub recording: Recording,
}

/// How much of a model's inferences is written down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "level", rename_all = "snake_case")]
pub enum Recording {
    /// Every step as an event of its own, with all inputs and outputs.
    Full,
    /// One event for each inference, written down before its answer goes out.
    #[default]
    Standard,
    /// One inference in so many, all failures, and sums over the rest; answers do not wait for it.
    Sampled {
        /// Of so many one is written down.
        one_in: u32,
    },
}

/// Settings that nothing can be run with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{field}' is {found}: {least} to {most} is possible")]
pub struct InvalidModelSettings {
    /// The setting.
    pub field: &'static str,
    /// What it was to be.
    pub found: u64,
    /// The least it may be.
    pub least: u64,
    /// The most it may be.
    pub most: u64,
}

impl Default for ModelSettings {
    fn default() -> Self {
        Self {
            gpu: Gpu::None,
            instances_min: 1,
            instances_max: None,
            threads: None,
            rows_max: None,
            queue_delay_us: 0,
            queue_max: 1_024,
            timeout_ms: 30_000,
            tf32: false,
            finite_only: false,
            recording: Recording::Standard,
        }
    }
}

impl ModelSettings {
    /// Checks that something can be run with them.
    ///
    /// # Errors
    /// Names the first setting that is out of its bounds.
    pub fn check(&self) -> Result<(), InvalidModelSettings> {
        let least_most = self.instances_max.unwrap_or(INSTANCES_MAX);
        let one_in = match self.recording {
            Recording::Sampled { one_in } => one_in,
            Recording::Full | Recording::Standard => 1,
        };
        let within = |field, found: u64, least: u64, most: u64| {
            if (least..=most).contains(&found) {
                Ok(())
            } else {
                Err(InvalidModelSettings { field, found, least, most })
            }
        };
        within("instancesMax", least_most.into(), 1, INSTANCES_MAX.into())?;
        within("instancesMin", self.instances_min.into(), 1, least_most.into())?;
        within("threads", self.threads.unwrap_or(1).into(), 1, THREADS_MAX.into())?;
        within("rowsMax", self.rows_max.unwrap_or(1).into(), 1, ROWS_MAX.into())?;
        within("queueDelayUs", self.queue_delay_us, 0, QUEUE_DELAY_US_MAX)?;
        within("queueMax", self.queue_max.into(), 1, QUEUE_MAX.into())?;
        within("timeoutMs", self.timeout_ms, 1, TIMEOUT_MS_MAX)?;
        within("oneIn", one_in.into(), 1, ONE_IN_MAX.into())
    }
}
