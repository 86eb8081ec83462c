//! What was seen of a loaded model: who computes, and what the machine is.

use std::collections::{BTreeMap, BTreeSet};

use timeloom_domain::inference::Provider;

use super::error::GpuError;

/// Who computes which of a model's nodes, as the runtime assigned them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement {
    /// How many nodes each provider has, by the runtime's names of providers.
    pub nodes: BTreeMap<String, usize>,
    /// Operators that the CPU has.
    pub on_cpu: BTreeSet<String>,
}

impl Placement {
    /// The runtime's name of the CPU.
    pub const CPU: &str = "CPUExecutionProvider";
    /// The runtime's name of CUDA.
    pub const CUDA: &str = "CUDAExecutionProvider";

    /// How many nodes that provider has.
    pub fn of(&self, provider: Provider) -> usize {
        let name = match provider {
            Provider::Cpu => Self::CPU,
            Provider::Cuda => Self::CUDA,
        };
        self.nodes.get(name).copied().unwrap_or(0)
    }
}

/// A GPU was wanted and the CPU computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FellBack {
    /// Who was wanted.
    pub wanted: Provider,
    /// Who computes.
    pub got: Provider,
    /// Why.
    pub reason: GpuError,
}

/// What was seen when a model was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Who computes.
    pub provider: Provider,
    /// Who computes which nodes.
    pub placement: Placement,
    /// Set when a GPU was wanted and not had.
    pub fell_back: Option<FellBack>,
    /// Rows of the batches that were found to fit; empty where rows are not filled up.
    pub buckets: Vec<usize>,
    /// Whether launches are played back.
    pub graphs: bool,
    /// Why they are not, where they were wanted.
    pub graphs_refused: Option<String>,
}

/// The processor of this machine, as far as it decides which of the runtime's ways to compute is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processor {
    /// Its kind: `x86_64`.
    pub architecture: &'static str,
    /// What it can do beyond the least of its kind, in a fixed order.
    pub features: Vec<&'static str>,
}

macro_rules! features {
    ($is:ident: $($name:tt),* $(,)?) => {{
        let mut found = Vec::new();
        $(if std::arch::$is!($name) { found.push($name); })*
        found
    }};
}

impl Processor {
    /// That of this machine.
    pub fn here() -> Self {
        Self { architecture: std::env::consts::ARCH, features: features() }
    }
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
    features!(is_x86_feature_detected:
        "sse4.1", "avx", "f16c", "fma", "avx2", "avxvnni", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512vnni",
        "avx512bf16", "avx512fp16",
    )
}

#[cfg(target_arch = "aarch64")]
fn features() -> Vec<&'static str> {
    features!(is_aarch64_feature_detected: "neon", "dotprod", "fp16", "bf16", "i8mm", "sve", "sve2")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn features() -> Vec<&'static str> {
    Vec::new()
}
