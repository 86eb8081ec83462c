//! Why the library was not opened or a model not loaded.

use std::path::PathBuf;

/// Why ONNX Runtime was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// There is no such file, or it is no library that this machine can load.
    #[error("{path} is no library that can be loaded here: {detail}")]
    NoLibrary {
        /// The file.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// It is a library, but not ONNX Runtime.
    #[error("{0} is not ONNX Runtime: name the file libonnxruntime.so.VERSION of its C interface")]
    NotOnnxRuntime(PathBuf),
    /// It is too old.
    #[error("{path} is ONNX Runtime {version}: 1.{} or newer is needed", super::runtime::MINOR_MIN)]
    TooOld {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: String,
    },
    /// This process has another one open, and only one fits into a process.
    #[error("this process has {open} open already, {path} cannot be opened beside it: restart with one of them")]
    Another {
        /// The file that was wanted.
        path: PathBuf,
        /// The file that is open.
        open: PathBuf,
    },
    /// It did not start.
    #[error("ONNX Runtime in {path} did not start: {detail}")]
    NotStarted {
        /// The file.
        path: PathBuf,
        /// What it said.
        detail: String,
    },
}

/// Why there is no GPU to compute with. Each is told apart, since each is mended in another way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GpuError {
    /// The program was built without it.
    #[error("this program was built without CUDA: build it with the feature 'cuda'")]
    NotCompiled,
    /// The library is one for the CPU.
    #[error("the ONNX Runtime at {0} has no CUDA provider: use the library of the package onnxruntime-gpu")]
    NoProvider(PathBuf),
    /// The library knows of the provider, whose own file is not beside it.
    #[error("{0} is missing: it must lie beside the library, take both from the package onnxruntime-gpu")]
    NoProviderFile(PathBuf),
    /// There is no driver.
    #[error("there is no NVIDIA driver here: {0}")]
    NoDriver(String),
    /// There is a driver and no GPU, or not the one that was named.
    #[error("the driver shows no GPU of number {wanted}, it shows {found}: check the number and CUDA_VISIBLE_DEVICES")]
    NoDevice {
        /// The number that was wanted.
        wanted: u32,
        /// How many there are.
        found: u32,
    },
    /// CUDA's own libraries are missing or too old.
    #[error(
        "CUDA's libraries could not be loaded: {0}; install CUDA 13 and cuDNN 9, or name their folders to the linker"
    )]
    NoCuda(String),
    /// The provider refused to start.
    #[error("the CUDA provider did not start: {0}")]
    Refused(String),
    /// Everything is there, and the provider took no node of the model.
    #[error("the CUDA provider took no node of the model: {0}")]
    NoNodes(String),
}

/// Why a model was not loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("the model {path} cannot be read: {detail}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// The options cannot be had.
    #[error("the options do not hold: {0}")]
    Options(String),
    /// The runtime does not take the model.
    #[error("the model is not one that can be computed: {0}")]
    Rejected(String),
    /// An input or output is no tensor of a type that can be sent.
    #[error(
        "'{name}' of the model is {found}: only tensors of truth values, whole and floating numbers and texts can be sent"
    )]
    Signature {
        /// The input or output.
        name: String,
        /// What it is.
        found: String,
    },
    /// It must be computed by a GPU and there is none.
    #[error("the model requires a GPU: {0}")]
    Gpu(#[from] GpuError),
    /// It must be computed by a GPU as a whole and cannot be.
    #[error("the model requires a GPU, and {} of its nodes can only be computed by the CPU: {}", .0.len(), .0.join(", "))]
    NotAllOnGpu(Vec<String>),
    /// Memory ran out.
    #[error("there was not memory enough to load the model: {0}")]
    OutOfMemory(String),
}
