//! Models and their threads.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use timeloom_domain::chat::{ChatRequest, ErrorClass, FinishReason, Usage};
use timeloom_domain::inference::Signature;
use timeloom_gateway::CallError;
use timeloom_inference::instance::Stop;
use timeloom_inference::onnx::Runtime;
use tokio::sync::mpsc as heard;

use super::answer::{answer, check, late};
use super::model::Loaded;
use crate::tokens::fault;

/// Most models that are loaded at once: the one not asked for longest goes first.
pub const LOADED_MAX: usize = 2;
/// Most chats that wait for a model.
pub const WAITING_MAX: usize = 32;
/// How long an answer may take, its waiting too.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(300);
/// A model that nobody asked for so long is put away.
const IDLE: Duration = Duration::from_secs(900);
/// Most parts of an answer that wait for whoever listens: the model waits then.
const PARTS_MAX: usize = 64;
/// After how many milliseconds to ask again when too many wait.
const RETRY_AFTER_MS: u64 = 2_000;

/// What is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// SHA-256 of its file.
    pub digest: String,
    /// Its file, with its tokenizer and its template beside it.
    pub path: PathBuf,
    /// What it takes and gives.
    pub signature: Signature,
    /// Threads of the processor that it may use.
    pub threads: usize,
}

/// A part of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// More text; it may be empty.
    Text(String),
    /// It ended, and took so many tokens.
    Finished(FinishReason, Usage),
}

/// Opens ONNX Runtime, or says why it cannot.
pub type OpenRuntime = Arc<dyn Fn() -> Result<Runtime, String> + Send + Sync>;

/// All language models of a process.
pub struct Engines {
    runtime: OpenRuntime,
    running: Mutex<Vec<Running>>,
    closing: Arc<AtomicBool>,
}

/// A thread with its model. The last asked is the last.
struct Running {
    load: Load,
    jobs: SyncSender<Job>,
    thread: JoinHandle<()>,
}

struct Job {
    request: Arc<ChatRequest>,
    seed: u64,
    stop: Stop,
    until: Instant,
    out: heard::Sender<Result<Said, CallError>>,
}

impl std::fmt::Debug for Engines {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Engines").finish_non_exhaustive()
    }
}

/// An answer that is on its way. Dropping it ends it.
#[derive(Debug)]
pub struct Hearing {
    parts: heard::Receiver<Result<Said, CallError>>,
    stop: Stop,
}

impl Hearing {
    /// The next part; nothing after the last one.
    pub async fn next(&mut self) -> Option<Result<Said, CallError>> {
        self.parts.recv().await
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        self.stop.stop();
    }
}

impl Engines {
    /// None are loaded yet.
    pub fn new(runtime: OpenRuntime) -> Self {
        Self { runtime, running: Mutex::default(), closing: Arc::default() }
    }

    /// Asks a model, which is loaded if it is not.
    ///
    /// # Errors
    /// When the model cannot do what is asked, or too many wait for it.
    pub fn ask(&self, load: &Load, request: Arc<ChatRequest>, seed: u64) -> Result<Hearing, CallError> {
        check(&request)?;
        if self.closing.load(Ordering::Acquire) {
            return Err(stopping());
        }
        let (out, parts) = heard::channel(PARTS_MAX);
        let stop = Stop::default();
        let mut job = Job { request, seed, stop: stop.clone(), until: Instant::now() + ANSWER_TIME_MAX, out };
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = running.iter().position(|one| one.load == *load) {
            let one = running.remove(place);
            match one.jobs.try_send(job) {
                Ok(()) => {
                    running.push(one);
                    return Ok(Hearing { parts, stop });
                }
                Err(TrySendError::Full(_)) => {
                    running.push(one);
                    return Err(overloaded());
                }
                // It was put away because nobody asked, or it broke down.
                Err(TrySendError::Disconnected(back)) => job = back,
            }
        }
        if running.len() >= LOADED_MAX {
            // Its thread ends when it has answered those who wait.
            running.remove(0);
        }
        let one = self.start(load)?;
        one.jobs.try_send(job).map_err(|_| overloaded())?;
        running.push(one);
        Ok(Hearing { parts, stop })
    }

    fn start(&self, load: &Load) -> Result<Running, CallError> {
        let (jobs, waiting) = mpsc::sync_channel(WAITING_MAX);
        let (what, runtime, closing) = (load.clone(), Arc::clone(&self.runtime), Arc::clone(&self.closing));
        let thread = thread::Builder::new().name("language model".to_owned());
        let thread = thread.spawn(move || live(&what, &runtime, &waiting, &closing));
        let thread = thread.map_err(|error| fault(format!("the model's thread could not be started: {error}")))?;
        Ok(Running { load: load.clone(), jobs, thread })
    }

    /// Ends what is under way, and waits for the threads. Blocks.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
        let running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        for one in running {
            drop(one.jobs);
            // One that broke down has told so already.
            let _ = one.thread.join();
        }
    }
}

/// The life of a model's thread.
fn live(load: &Load, runtime: &OpenRuntime, waiting: &Receiver<Job>, closing: &AtomicBool) {
    let mut loaded = None;
    loop {
        let job = match waiting.recv_timeout(IDLE) {
            Ok(job) => job,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        };
        let tell = |error: CallError| {
            // Nobody listens any more: there is nobody to tell.
            let _ = job.out.blocking_send(Err(error));
        };
        if closing.load(Ordering::Acquire) {
            tell(stopping());
        } else if Instant::now() >= job.until {
            tell(late());
        } else if !job.out.is_closed() {
            let opened = match loaded.take() {
                Some(model) => Ok(model),
                None => open(load, runtime),
            };
            let said = opened.and_then(|model| serve(loaded.insert(model), &job, closing));
            if let Err(error) = said {
                tell(error);
            }
        }
    }
}

fn open(load: &Load, runtime: &OpenRuntime) -> Result<Loaded, CallError> {
    let began = Instant::now();
    let runtime = runtime().map_err(fault)?;
    let model = Loaded::open(&runtime, &load.path, &load.signature, load.threads)?;
    tracing::info!(digest = load.digest, threads = load.threads, after = ?began.elapsed(), "a language model was loaded");
    Ok(model)
}

fn serve(model: &mut Loaded, job: &Job, closing: &AtomicBool) -> Result<(), CallError> {
    let mut closed = false;
    let mut say = |said: Said| {
        closed = closing.load(Ordering::Acquire);
        !closed && job.out.blocking_send(Ok(said)).is_ok()
    };
    answer(model, &job.request, job.seed, (&job.stop, job.until), &mut say)?;
    if closed { Err(stopping()) } else { Ok(()) }
}

fn overloaded() -> CallError {
    let why = format!("{WAITING_MAX} chats wait for the model already: ask again a little later");
    CallError { retry_after_ms: Some(RETRY_AFTER_MS), ..CallError::new(ErrorClass::Overloaded, why) }
}

fn stopping() -> CallError {
    CallError::new(ErrorClass::Overloaded, "the server is about to stop: ask again when it is back")
}
