//! What a worker runs on, as far as it decides what answers come to.

use timeloom_domain::inference::{Provider, WorkerMachine, hexadecimal};
use timeloom_inference::onnx::{Processor, Runtime, gpus};

/// Settings of the environment that change what is computed.
pub const OVERRIDES: [&str; 2] = ["NVIDIA_TF32_OVERRIDE", "CUDA_VISIBLE_DEVICES"];

/// What a worker runs on, in the words of fingerprints.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub runtime: String,
    processor: String,
    gpu: String,
}

impl Machine {
    /// What this process runs on, and the same as it is written down. `overrides` are those of [`OVERRIDES`] that are set.
    pub fn here(runtime: &Result<Runtime, String>, overrides: Vec<String>) -> (Self, WorkerMachine) {
        let processor = Processor::here();
        let cores =
            std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX));
        let (gpus, gpu_missing) = match gpus() {
            Ok(gpus) => (gpus, None),
            Err(why) => (Vec::new(), Some(why.to_string())),
        };
        let named = runtime.as_ref().map(|runtime| {
            let build = runtime.build();
            format!("ONNX Runtime {} ({})", build.version, build.build)
        });
        let digest = runtime.as_ref().ok().and_then(|runtime| runtime.digest().ok()).map(|digest| hexadecimal(&digest));
        let told = WorkerMachine {
            runtime: named.as_ref().ok().cloned(),
            runtime_digest: digest.clone(),
            runtime_missing: named.as_ref().err().map(ToString::to_string),
            architecture: processor.architecture.to_owned(),
            processor_features: processor.features.iter().map(ToString::to_string).collect(),
            cores,
            gpus: gpus.iter().map(|gpu| format!("{} {} driver {}", gpu.name, gpu.uuid, gpu.driver)).collect(),
            gpu_missing,
            overrides: overrides.clone(),
        };
        let gpu = gpus.first().map(|gpu| format!("{} driver {}", gpu.name, gpu.driver));
        let machine = Self {
            runtime: format!("{} {}", named.unwrap_or_default(), digest.unwrap_or_default()),
            processor: format!("{} {}", processor.architecture, processor.features.join(",")),
            gpu: format!("{} {}", gpu.unwrap_or_default(), overrides.join(",")),
        };
        (machine, told)
    }

    /// What computes where `provider` does.
    pub fn of(&self, provider: Provider) -> String {
        match provider {
            Provider::Cpu => self.processor.clone(),
            Provider::Cuda => self.gpu.clone(),
        }
    }
}
