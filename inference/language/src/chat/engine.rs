//! Models and their threads.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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

/// Most models that are loaded at once: of those that have nothing to do, the one not asked for longest goes first.
pub const LOADED_MAX: usize = 2;
/// Most chats that wait for a model.
pub const WAITING_MAX: usize = 32;
/// How long an answer may take, its waiting too.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(300);
/// A model that nobody asked for so long is put away.
const IDLE: Duration = Duration::from_secs(900);
/// Most parts of an answer that wait for whoever listens: the model waits then.
const PARTS_MAX: usize = 64;
/// After which time is looked again whether somebody who was slow has listened.
const LISTEN_AGAIN: Duration = Duration::from_millis(10);
/// Longest that a part of an answer waits for who listens; the answer ends then.
const LISTENER_WAIT_MAX: Duration = Duration::from_secs(10);
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
    threads: Mutex<Threads>,
    closing: Arc<AtomicBool>,
}

/// The threads of a process.
#[derive(Default)]
struct Threads {
    /// Those that can be asked. The last asked is the last.
    running: Vec<Running>,
    /// Those that were put away, until they have ended.
    leaving: Vec<JoinHandle<()>>,
}

/// A thread with its model.
struct Running {
    load: Load,
    jobs: SyncSender<Job>,
    /// Chats that it has to answer.
    due: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Threads {
    /// Forgets threads that ended.
    fn reap(&mut self) {
        self.leaving.retain(|thread| !thread.is_finished());
        self.running.retain(|one| !one.thread.is_finished());
    }

    /// Makes room for one more model; false when all have something to do.
    fn make_room(&mut self) -> bool {
        if self.running.len() < LOADED_MAX {
            return true;
        }
        let Some(idle) = self.running.iter().position(|one| one.due.load(Ordering::Acquire) == 0) else { return false };
        let Running { jobs, thread, .. } = self.running.remove(idle);
        // It has nothing to do, and ends as soon as it hears that nothing more comes.
        drop(jobs);
        self.leaving.push(thread);
        true
    }
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
        Self { runtime, threads: Mutex::default(), closing: Arc::default() }
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
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.reap();
        if let Some(place) = threads.running.iter().position(|one| one.load == *load) {
            let one = threads.running.remove(place);
            one.due.fetch_add(1, Ordering::AcqRel);
            let sent = one.jobs.try_send(job);
            if !matches!(sent, Ok(())) {
                one.due.fetch_sub(1, Ordering::AcqRel);
            }
            match sent {
                Ok(()) => {
                    threads.running.push(one);
                    return Ok(Hearing { parts, stop });
                }
                Err(TrySendError::Full(_)) => {
                    threads.running.push(one);
                    return Err(overloaded());
                }
                // It was put away because nobody asked, or it broke down.
                Err(TrySendError::Disconnected(back)) => {
                    threads.leaving.push(one.thread);
                    job = back;
                }
            }
        }
        if !threads.make_room() {
            return Err(all_busy());
        }
        let one = self.start(load)?;
        one.due.fetch_add(1, Ordering::AcqRel);
        one.jobs.try_send(job).map_err(|_| overloaded())?;
        threads.running.push(one);
        Ok(Hearing { parts, stop })
    }

    /// Digests of the files of those that are in memory, or about to be.
    pub fn loaded(&self) -> BTreeSet<String> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.reap();
        threads.running.iter().map(|one| one.load.digest.clone()).collect()
    }

    fn start(&self, load: &Load) -> Result<Running, CallError> {
        let (jobs, waiting) = mpsc::sync_channel(WAITING_MAX);
        let (what, runtime, closing) = (load.clone(), Arc::clone(&self.runtime), Arc::clone(&self.closing));
        let due = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&due);
        let thread = thread::Builder::new().name("language model".to_owned());
        let thread = thread.spawn(move || live(&what, &runtime, &waiting, (&closing, &left)));
        let thread = thread.map_err(|error| fault(format!("the model's thread could not be started: {error}")))?;
        Ok(Running { load: load.clone(), jobs, due, thread })
    }

    /// Ends what is under way, and waits for the threads. Blocks.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let ending = threads.running.into_iter().map(|Running { thread, .. }| thread);
        for thread in threads.leaving.into_iter().chain(ending) {
            // One that broke down has told so already.
            let _ = thread.join();
        }
    }
}

/// The life of a model's thread.
fn live(load: &Load, runtime: &OpenRuntime, waiting: &Receiver<Job>, (closing, due): (&AtomicBool, &AtomicUsize)) {
    let mut loaded = None;
    loop {
        let job = match waiting.recv_timeout(IDLE) {
            Ok(job) => job,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        };
        let tell = |error: CallError| {
            // Nobody listens any more: there is nobody to tell.
            let _ = give(&job, Err(error), closing);
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
        due.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Gives whoever listens a part, and waits for those who are slow, but not for who does not listen at all, and no longer
/// than their answer may take and than the process lives: others wait for the model. Whether they have it.
fn give(job: &Job, part: Result<Said, CallError>, closing: &AtomicBool) -> bool {
    let mut part = part;
    let until = job.until.min(Instant::now() + LISTENER_WAIT_MAX);
    loop {
        match job.out.try_send(part) {
            Ok(()) => return true,
            Err(heard::error::TrySendError::Closed(_)) => return false,
            Err(heard::error::TrySendError::Full(back)) => part = back,
        }
        if closing.load(Ordering::Acquire) || Instant::now() >= until {
            return false;
        }
        thread::sleep(LISTEN_AGAIN);
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
        !closed && give(job, Ok(said), closing)
    };
    answer(model, &job.request, job.seed, (&job.stop, job.until), &mut say)?;
    if closed { Err(stopping()) } else { Ok(()) }
}

fn overloaded() -> CallError {
    let why = format!("{WAITING_MAX} chats wait for the model already: ask again a little later");
    CallError { retry_after_ms: Some(RETRY_AFTER_MS), ..CallError::new(ErrorClass::Overloaded, why) }
}

fn all_busy() -> CallError {
    let why =
        format!("{LOADED_MAX} other models have chats to answer, and no more are loaded at once: ask again later");
    CallError { retry_after_ms: Some(RETRY_AFTER_MS), ..CallError::new(ErrorClass::Overloaded, why) }
}

fn stopping() -> CallError {
    CallError::new(ErrorClass::Overloaded, "the server is about to stop: ask again when it is back")
}
