//! A model's file, and sessions made of it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;
use ort::session::Session as OrtSession;
use ort::session::builder::{AutoDevicePolicy, GraphOptimizationLevel, PrepackedWeights, SessionBuilder};
use ort::value::DynValue;
use timeloom_domain::inference::{Gpu, Provider};

use super::error::{GpuError, LoadError};
use super::facts::{FellBack, Loaded};
use super::options::{Optimisation, Options};
use super::runtime::Runtime;
use super::session::{Session, is_out_of_memory};
use super::steps::{Carried, Steps};
use super::{placement, weights};

/// Where weights that lie beside a model are looked for.
const FOLDER: &str = "session.model_external_initializers_file_folder_path";

/// A model that sessions are made of. The file is mapped; with [`Options::shared`] its weights, and what the CPU lays out
/// anew of them, are in memory once for all sessions.
pub struct Model {
    pub(super) runtime: Runtime,
    pub(super) options: Options,
    path: PathBuf,
    bytes: Mmap,
    /// Weights, where more than one session of it is expected.
    weights: Vec<(String, Arc<DynValue>)>,
    prepacked: PrepackedWeights,
}

impl Model {
    /// Opens the file.
    ///
    /// # Errors
    /// When it cannot be read, or the options do not hold.
    pub fn open(runtime: &Runtime, path: &Path, options: Options) -> Result<Self, LoadError> {
        if let Some(detail) = options.objection() {
            return Err(LoadError::Options(detail));
        }
        let bytes =
            map(path).map_err(|error| LoadError::Unreadable { path: path.to_path_buf(), detail: error.to_string() })?;
        let weights = if options.shared { weights::shared(&bytes).map_err(rejected)? } else { Vec::new() };
        let prepacked = PrepackedWeights::new();
        Ok(Self { runtime: runtime.clone(), options, path: path.to_path_buf(), bytes, weights, prepacked })
    }

    /// How it is computed.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Loads it: one more instance that computes. It is made by the thread that runs it, since what a GPU records belongs
    /// to a thread.
    ///
    /// # Errors
    /// When it cannot be computed, or not by whom it must be.
    pub fn session(&self) -> Result<Session, LoadError> {
        match self.options.gpu {
            Gpu::None => self.on_cpu(None),
            Gpu::Required => self.on_gpu(),
            Gpu::Optional => match self.on_gpu() {
                Ok(session) => Ok(session),
                Err(error) => {
                    let reason = match error {
                        LoadError::Gpu(reason) => reason,
                        other => GpuError::Refused(other.to_string()),
                    };
                    self.on_cpu(Some(FellBack { wanted: Provider::Cuda, got: Provider::Cpu, reason }))
                }
            },
        }
    }

    /// Loads it as one that goes step by step, on the CPU: outputs that are `carried` are inputs of the next step.
    ///
    /// # Errors
    /// When it cannot be computed, or what is carried does not fit.
    pub fn steps(&self, carried: &[Carried]) -> Result<Steps, LoadError> {
        let builder = self.builder().map_err(rejected)?;
        let builder = builder.with_memory_pattern(false).map_err(|error| rejected(error.into()))?;
        Steps::new(self.commit(builder).map_err(rejected)?, carried)
    }

    fn on_cpu(&self, fell_back: Option<FellBack>) -> Result<Session, LoadError> {
        let builder = self.builder().map_err(rejected)?;
        // Patterns of memory are kept for each shape: with batches of any number of rows they would only grow.
        let builder = builder.with_memory_pattern(false).map_err(|error| rejected(error.into()))?;
        let session = self.commit(self.share(builder).map_err(rejected)?).map_err(rejected)?;
        let placement = placement::read(&session).map_err(rejected)?;
        let loaded = Loaded {
            provider: Provider::Cpu,
            placement,
            fell_back,
            buckets: Vec::new(),
            graphs: false,
            graphs_refused: None,
        };
        Session::new(self, session, loaded)
    }

    #[cfg(not(feature = "cuda"))]
    fn on_gpu(&self) -> Result<Session, LoadError> {
        Err(GpuError::NotCompiled.into())
    }

    #[cfg(feature = "cuda")]
    fn on_gpu(&self) -> Result<Session, LoadError> {
        super::cuda::check(&self.runtime.build().path, self.options.device)?;
        let strict = self.options.gpu == Gpu::Required;
        let mut graphs_refused = None;
        if self.options.cuda_graphs {
            match self.on_gpu_with(strict, true) {
                Ok(session) => return Ok(session),
                Err(error @ LoadError::Gpu(_)) => return Err(error),
                Err(LoadError::Rejected(detail)) => graphs_refused = Some(detail),
                Err(error) => graphs_refused = Some(error.to_string()),
            }
        }
        match self.on_gpu_with(strict, false) {
            Ok(mut session) => {
                session.loaded.graphs_refused = graphs_refused;
                Ok(session)
            }
            // The runtime says that a node needs the CPU, not which: a session that may use it tells.
            Err(LoadError::Rejected(detail)) if strict => self.explain(detail),
            Err(error) => Err(error),
        }
    }

    #[cfg(feature = "cuda")]
    fn on_gpu_with(&self, strict: bool, graphs: bool) -> Result<Session, LoadError> {
        let session = self.cuda_session(strict, graphs)?;
        let placement = placement::read(&session).map_err(rejected)?;
        if placement.of(Provider::Cuda) == 0 {
            let on_cpu: Vec<String> = placement.on_cpu.into_iter().collect();
            return Err(GpuError::NoNodes(on_cpu.join(", ")).into());
        }
        if strict && placement.of(Provider::Cpu) > 0 {
            return Err(LoadError::NotAllOnGpu(placement.on_cpu.into_iter().collect()));
        }
        let loaded = Loaded {
            provider: Provider::Cuda,
            placement,
            fell_back: None,
            buckets: self.options.buckets.clone(),
            graphs,
            graphs_refused: None,
        };
        Session::new(self, session, loaded)
    }

    #[cfg(feature = "cuda")]
    fn cuda_session(&self, strict: bool, graphs: bool) -> Result<OrtSession, LoadError> {
        let builder = self.builder().map_err(rejected)?;
        let mut builder = super::cuda::register(builder, &self.options, graphs)?;
        if strict {
            builder = builder.with_disable_cpu_fallback().map_err(|error| rejected(error.into()))?;
        }
        self.commit(builder).map_err(rejected)
    }

    /// Why a model cannot be computed by the GPU as a whole.
    #[cfg(feature = "cuda")]
    fn explain(&self, detail: String) -> Result<Session, LoadError> {
        let session = self.cuda_session(false, false)?;
        let on_cpu = placement::read(&session).map_err(rejected)?.on_cpu;
        Err(if on_cpu.is_empty() {
            LoadError::Rejected(detail)
        } else {
            LoadError::NotAllOnGpu(on_cpu.into_iter().collect())
        })
    }

    fn builder(&self) -> ort::Result<SessionBuilder> {
        let options = &self.options;
        let level = match options.optimisation {
            Optimisation::None => GraphOptimizationLevel::Disable,
            Optimisation::Basic => GraphOptimizationLevel::Level1,
            Optimisation::Extended => GraphOptimizationLevel::Level2,
            Optimisation::All => GraphOptimizationLevel::All,
        };
        let mut builder = OrtSession::builder(self.runtime.environment())?
            // No provider is ever taken that was not asked for.
            .with_auto_device(AutoDevicePolicy::PreferCPU)?
            .with_optimization_level(level)?
            .with_intra_threads(options.intra_threads)?
            .with_inter_threads(1)?
            // Threads that wait do not burn a core.
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?
            .with_deterministic_compute(options.deterministic)?
            .with_config_entry(placement::RECORD, "1")?;
        if let Some(folder) = self.path.parent().and_then(Path::to_str) {
            builder = builder.with_config_entry(FOLDER, folder)?;
        }
        Ok(builder)
    }

    /// Gives a session the weights that it shares with the others.
    fn share(&self, mut builder: SessionBuilder) -> ort::Result<SessionBuilder> {
        if self.weights.is_empty() {
            return Ok(builder);
        }
        for (name, weight) in &self.weights {
            builder = builder.with_initializer(name, Arc::clone(weight))?;
        }
        Ok(builder.with_prepacked_weights(&self.prepacked)?)
    }

    fn commit(&self, mut builder: SessionBuilder) -> ort::Result<OrtSession> {
        builder.commit_from_memory(&self.bytes)
    }
}

#[expect(unsafe_code, reason = "a file is mapped")]
fn map(path: &Path) -> std::io::Result<Mmap> {
    let file = File::open(path)?;
    // SAFETY: the files of models are written once under another name and never changed after they have got their own.
    // Whoever changes one all the same ends this process, as with its own program's file.
    unsafe { Mmap::map(&file) }
}

pub(super) fn rejected(error: ort::Error) -> LoadError {
    let detail = error.message().to_owned();
    if is_out_of_memory(&detail) { LoadError::OutOfMemory(detail) } else { LoadError::Rejected(detail) }
}
