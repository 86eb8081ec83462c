//! A model loaded on trial: in a process of its own with limits of memory and time, since the runtime was not made for files
//! that mean harm. A crash, a hang or a greed for memory ends the child and is told as a refusal.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};
use timeloom_domain::inference::{Signature, TensorSpec};

use super::limits::Rejection;
use crate::onnx::{Model, Options, Runtime};

/// What stands before the child's answer: the runtime writes to the same place.
const ANSWER: &str = "timeloom-trial: ";
/// Most bytes that are read of what a child says.
const SAID_BYTES_MAX: u64 = 1 << 20;
/// Most characters of a reason that are passed on.
const REASON_CHARACTERS_MAX: usize = 2_000;
/// The signal for too much time of the processor.
const OVER_TIME: i32 = 24;
/// The signal that cannot be caught.
const KILLED: i32 = 9;

/// The program that the child is: this one, started again with a verb that calls [`child_main`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its file.
    pub path: PathBuf,
    /// What stands before the trial's own arguments.
    pub arguments: Vec<String>,
}

/// What a child may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrialLimits {
    /// Bytes of address space. The library alone needs several hundred MiB of it.
    pub memory_bytes: u64,
    /// Seconds of the processor.
    pub processor_seconds: u64,
    /// How long it may take altogether.
    pub time: Duration,
}

impl Default for TrialLimits {
    fn default() -> Self {
        Self { memory_bytes: 8 << 30, processor_seconds: 60, time: Duration::from_secs(90) }
    }
}

/// Why a trial failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrialError {
    /// The runtime refused the model.
    #[error("{0}")]
    Refused(String),
    /// Its inputs and outputs are others than its file says.
    #[error("it takes and gives other tensors than its file says")]
    OtherSignature,
    /// The child came to an end by itself.
    #[error("loading it brought its process down ({0})")]
    Crashed(String),
    /// It took too long.
    #[error("loading it took longer than {0:?}")]
    TookTooLong(Duration),
    /// It took too much memory.
    #[error("loading it took more than {} MiB of memory", .0 >> 20)]
    TookTooMuchMemory(u64),
    /// There is no child: our fault, not the model's.
    #[error("the process for the trial could not be started: {0}")]
    NoChild(String),
}

/// What the child answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
enum Answer {
    Loaded { signature: Signature },
    Refused { reason: String },
    OutOfMemory,
}

/// Loads the model at `path` on trial; `declared` is what its file says of its inputs and outputs. Gives what the runtime
/// says of them, which may know more.
///
/// # Errors
/// When it does not load within the limits.
pub fn in_child(
    program: &Program,
    library: &Path,
    path: &Path,
    declared: &Signature,
    limits: &TrialLimits,
) -> Result<Signature, Rejection> {
    let failed = |error: std::io::Error| TrialError::NoChild(error.to_string());
    let mut child = Command::new(&program.path)
        .args(&program.arguments)
        .args([limits.memory_bytes.to_string(), limits.processor_seconds.to_string()])
        .args([library, path])
        // What it can learn of this process's surroundings is nothing.
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let (said, status) = wait(&mut child, limits.time).map_err(failed)?;
    let Some(status) = status else { return Err(TrialError::TookTooLong(limits.time).into()) };
    match answer(&said) {
        Some(Answer::Loaded { signature }) if agrees(&signature, declared) => Ok(signature),
        Some(Answer::Loaded { .. }) => Err(TrialError::OtherSignature.into()),
        Some(Answer::Refused { reason }) => Err(TrialError::Refused(reason).into()),
        Some(Answer::OutOfMemory) => Err(TrialError::TookTooMuchMemory(limits.memory_bytes).into()),
        None => Err(ended(status, limits).into()),
    }
}

/// Whether what the runtime says of a model is what its file says, where that says something.
fn agrees(found: &Signature, declared: &Signature) -> bool {
    let length = |(found, declared): (&Option<u64>, &Option<u64>)| found == declared || declared.is_none();
    let slot = |(found, declared): (&TensorSpec, &TensorSpec)| {
        let shaped = found.shape.len() == declared.shape.len() && found.shape.iter().zip(&declared.shape).all(length);
        found.name == declared.name && found.element == declared.element && (shaped || declared.shape.is_empty())
    };
    let slots = |found: &[TensorSpec], declared: &[TensorSpec]| {
        found.len() == declared.len() && found.iter().zip(declared).all(slot)
    };
    slots(&found.inputs, &declared.inputs) && slots(&found.outputs, &declared.outputs)
}

/// What it means that a child ended without an answer.
fn ended(status: ExitStatus, limits: &TrialLimits) -> TrialError {
    match status.signal() {
        Some(OVER_TIME | KILLED) => TrialError::TookTooLong(Duration::from_secs(limits.processor_seconds)),
        _ => TrialError::Crashed(status.to_string()),
    }
}

fn answer(said: &str) -> Option<Answer> {
    let line = said.lines().find_map(|line| line.split_once(ANSWER).map(|(_, answer)| answer))?;
    serde_json::from_str(line).ok()
}

/// Waits for a child, at most for `time`: gives what it said and how it ended, or no end if it had to be killed.
fn wait(child: &mut Child, time: Duration) -> std::io::Result<(String, Option<ExitStatus>)> {
    let (told, heard) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        thread::Builder::new().name("model trial".to_owned()).spawn(move || {
            let mut said = String::new();
            // It ends when the child's side is closed: at the latest when the child is killed.
            let _ = stdout.take(SAID_BYTES_MAX).read_to_string(&mut said);
            let _ = told.send(said);
        })?;
    }
    let Ok(said) = heard.recv_timeout(time) else {
        child.kill()?;
        child.wait()?;
        return Ok((String::new(), None));
    };
    // Whatever it said, it has nothing more to say: a child that lives on all the same is not waited for.
    if child.try_wait()?.is_none() {
        child.kill()?;
    }
    Ok((said, Some(child.wait()?)))
}

/// What the child does: takes on its limits, loads the model, answers with a line. `arguments` are those that [`in_child`]
/// adds. Gives the exit status.
pub fn child_main(arguments: &[String]) -> u8 {
    let [memory, seconds, library, path] = arguments else { return 2 };
    let (Ok(memory), Ok(seconds)) = (memory.parse(), seconds.parse()) else { return 2 };
    let answer = match limit(memory, seconds) {
        Ok(()) => load(Path::new(library), Path::new(path)),
        Err(error) => Answer::Refused { reason: format!("the limits could not be set: {error}") },
    };
    let line = serde_json::to_string(&answer).unwrap_or_default();
    #[expect(clippy::print_stdout, reason = "this is how a child answers its parent")]
    {
        println!("{ANSWER}{line}");
    }
    0
}

fn limit(memory: u64, seconds: u64) -> rustix::io::Result<()> {
    let set = |resource, most| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    set(Resource::As, memory)?;
    set(Resource::Cpu, seconds)?;
    // It leaves no image of its memory behind and writes no files.
    set(Resource::Core, 0)?;
    set(Resource::Fsize, 0)
}

fn load(library: &Path, path: &Path) -> Answer {
    // As a server loads it: what the runtime makes of the graph then is tried here first.
    let loaded = Runtime::open(library)
        .map_err(|error| error.to_string())
        .and_then(|runtime| Model::open(&runtime, path, Options::default()).map_err(|error| error.to_string()))
        .and_then(|model| model.session().map_err(|error| error.to_string()));
    match loaded {
        Ok(session) => Answer::Loaded { signature: session.signature().clone() },
        Err(reason) if crate::onnx::is_out_of_memory(&reason) => Answer::OutOfMemory,
        Err(reason) => Answer::Refused { reason: reason.chars().take(REASON_CHARACTERS_MAX).collect() },
    }
}
