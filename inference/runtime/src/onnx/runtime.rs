//! The library opened: once a process, and kept open to its end.

use std::error::Error as _;
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ort::LoadDynamicError;
use ort::environment::Environment;
use ort::logging::LogLevel;
use sha2::{Digest, Sha256};

use super::error::OpenError;

/// The oldest library that is taken, by the second part of its version: the first that tells who computes which node.
pub(super) const MINOR_MIN: u32 = ort::MINOR_VERSION;

/// Bytes of the library that are read at once to make its digest.
const READ_BYTES: usize = 1 << 20;

/// The library that this process has open. A process holds one: the binding keeps it in a static of its own.
static OPEN: Mutex<Option<Runtime>> = Mutex::new(None);

/// Which library is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// The file.
    pub path: PathBuf,
    /// Its version, as it says itself.
    pub version: String,
    /// Of which source and how it was built, as it says itself.
    pub build: String,
}

/// ONNX Runtime, open. Clones are the same one.
#[derive(Clone)]
pub struct Runtime {
    environment: Environment,
    facts: Arc<Facts>,
}

struct Facts {
    build: Build,
    digest: OnceLock<[u8; 32]>,
}

impl Runtime {
    /// Opens the library in that file, or gives the one that is open already if it is that file.
    ///
    /// # Errors
    /// When it cannot be loaded, is not ONNX Runtime, is too old, or another one is open.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let unloadable =
            |detail: io::Error| OpenError::NoLibrary { path: path.to_path_buf(), detail: detail.to_string() };
        let path = &path.canonicalize().map_err(unloadable)?;
        let mut held = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*held {
            let open = runtime.build().path.clone();
            return if open == *path {
                Ok(runtime.clone())
            } else {
                Err(OpenError::Another { path: path.clone(), open })
            };
        }
        silence();
        // The version is read before the binding sees the library: the binding ends the process where it finds too much
        // amiss.
        let version = version(path)?;
        let not_started = |detail: String| OpenError::NotStarted { path: path.clone(), detail };
        let builder = ort::init_from(path).map_err(|error| refused(path, error))?;
        let environment = builder
            .with_name("timeloom")
            .with_telemetry(false)
            .with_logger(Arc::new(log))
            .build()
            .map_err(|error| not_started(error.to_string()))?;
        environment.set_log_level(LogLevel::Warning);
        let build = Build { path: path.clone(), version, build: ort::info().to_owned() };
        let runtime = Self { environment, facts: Arc::new(Facts { build, digest: OnceLock::new() }) };
        *held = Some(runtime.clone());
        Ok(runtime)
    }

    /// Which library it is.
    pub fn build(&self) -> &Build {
        &self.facts.build
    }

    /// SHA-256 of the library's file. Read the first time it is asked for.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    pub fn digest(&self) -> io::Result<[u8; 32]> {
        if let Some(digest) = self.facts.digest.get() {
            return Ok(*digest);
        }
        let mut file = File::open(&self.facts.build.path)?;
        let mut hash = Sha256::new();
        let mut bytes = vec![0; READ_BYTES];
        loop {
            match file.read(&mut bytes)? {
                0 => break,
                read => hash.update(&bytes[..read]),
            }
        }
        Ok(*self.facts.digest.get_or_init(|| hash.finalize().into()))
    }

    /// What the binding's own sessions are made with: for benches that measure what it costs to go through this module.
    #[doc(hidden)]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }
}

/// The setting that keeps the library from writing down an id for this machine and sending what it sees of sessions and
/// models to its makers. Libraries since 1.29 do so on Linux, from the moment their environment is made on: the interface's own
/// switch comes too late.
const SILENCE: &str = "ORT_DISABLE_TELEMETRY";

/// Keeps ONNX Runtime from telling anybody anything. [`Runtime::open`] does it too; a program does it at its start, where it
/// has one thread.
#[expect(unsafe_code, reason = "the library can be silenced by its environment alone")]
#[expect(clippy::disallowed_methods, reason = "it is asked whether it is set already, nothing is configured by it")]
pub fn silence() {
    if std::env::var_os(SILENCE).is_none_or(|value| value != "1") {
        // SAFETY: programs do this at their start. Where it was forgotten, all of ours that reads the environment does so
        // through the standard library, which holds a lock, and this happens once in a process.
        unsafe { std::env::set_var(SILENCE, "1") };
    }
}

/// What the library says goes where all else goes. Its errors are answered to whoever asked, so none is a fault yet.
fn log(level: LogLevel, category: &str, _: &str, place: &str, message: &str) {
    match level {
        LogLevel::Fatal | LogLevel::Error => tracing::warn!(category, place, message, "onnx runtime"),
        LogLevel::Warning => tracing::debug!(category, place, message, "onnx runtime"),
        LogLevel::Info | LogLevel::Verbose => tracing::trace!(category, place, message, "onnx runtime"),
    }
}

fn refused(path: &Path, error: LoadDynamicError) -> OpenError {
    let path = path.to_path_buf();
    match error {
        LoadDynamicError::MissingApi { .. } | LoadDynamicError::InvalidVersionString => OpenError::NotOnnxRuntime(path),
        LoadDynamicError::BadVersion { version_str, .. } => OpenError::TooOld { path, version: version_str },
        LoadDynamicError::Dlopen { error, .. } => OpenError::NoLibrary { path, detail: why(&error) },
    }
}

/// What the linker said: it is the cause of the error, whose own words are few.
pub(super) fn why(error: &libloading::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| cause.to_string())
}

/// The version that the library says it is.
#[expect(unsafe_code, reason = "a library's function is called before the binding does it, which would not return")]
fn version(path: &Path) -> Result<String, OpenError> {
    type Getter = unsafe extern "C" fn() -> *const ort::sys::OrtApiBase;
    let not_it = || OpenError::NotOnnxRuntime(path.to_path_buf());
    // SAFETY: loading runs the library's initialisers. Whoever names the file trusts it as much as the program, and ONNX
    // Runtime's initialisers have no demands.
    let library = unsafe { libloading::Library::new(path) }
        .map_err(|error| OpenError::NoLibrary { path: path.to_path_buf(), detail: why(&error) })?;
    // SAFETY: a symbol of that name has that type in every version of ONNX Runtime, it is its one stable entry.
    let getter = unsafe { library.get::<Getter>(b"OrtGetApiBase\0") }.map_err(|_| not_it())?;
    // SAFETY: it takes nothing and gives a pointer to a static of the library, which is still loaded here, or null.
    let base = unsafe { getter().as_ref() }.ok_or_else(not_it)?;
    // SAFETY: the version is a static text of the library, ended by a zero.
    let version = unsafe { CStr::from_ptr((base.GetVersionString)()) };
    let version = version.to_str().map_err(|_| not_it())?.to_owned();
    let minor = version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    if minor.is_none_or(|minor| minor < MINOR_MIN) {
        return Err(OpenError::TooOld { path: path.to_path_buf(), version });
    }
    Ok(version)
}
