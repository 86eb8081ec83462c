//! The process that reads a document: how it is started, limited and understood.

use std::io::{Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};
use timeloom_engine::node::{DocumentPort, NodeError, PdfQuestion, PdfText};

use crate::pdf;

/// Largest document, in bytes.
const DOCUMENT_BYTES_MAX: usize = 64 << 20;
/// Largest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// Most characters of a reason that are passed on.
const REASON_CHARACTERS_MAX: usize = 500;
/// Stack of the thread that reads, in bytes: documents are trees, and the library walks them by calling itself.
const STACK_BYTES: usize = 64 << 20;
/// Signals: too much time of the processor, and the one that cannot be caught, by which the kernel enforces that.
const OVER_TIME: [i32; 2] = [24, 9];
/// Exit status of a child that could not begin.
const NOT_BEGUN: u8 = 2;

/// The program that the child is: this one, started again with a verb that calls [`child_main`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its file.
    pub path: PathBuf,
    /// What stands before the child's own arguments.
    pub arguments: Vec<String>,
}

/// What a child may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of address space. The program takes one GiB of it before it reads anything.
    pub memory_bytes: u64,
    /// Seconds of the processor.
    pub processor_seconds: u64,
    /// How long it may take altogether.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_bytes: 3 << 30, processor_seconds: 30, time: Duration::from_secs(60) }
    }
}

/// Reads documents, each in a process of its own.
#[derive(Debug, Clone)]
pub struct DocumentReader {
    /// What is started.
    pub program: Program,
    /// What it may take.
    pub limits: Limits,
}

/// What a child answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
enum Answer {
    Read { text: PdfText },
    Refused { reason: String },
}

impl DocumentPort for DocumentReader {
    fn pdf(&self, content: &[u8], question: &PdfQuestion) -> Result<PdfText, NodeError> {
        if content.len() > DOCUMENT_BYTES_MAX {
            return Err(refusal(&format!("it has more than {} MiB", DOCUMENT_BYTES_MAX >> 20)));
        }
        let fault = |error: std::io::Error| {
            NodeError::operation(format!("the process that reads documents could not be started: {error}"))
        };
        let asked = serde_json::to_vec(question).map_err(|error| NodeError::operation(error.to_string()))?;
        let mut child = self.start().map_err(fault)?;
        let Some(mut stdin) = child.stdin.take() else { return Err(fault(std::io::ErrorKind::BrokenPipe.into())) };
        let heard = hear(&mut child).map_err(fault)?;
        // A child that ends before it has read everything breaks the pipe, and tells why by how it ended. It reads all before it
        // answers, so that neither side waits for the other.
        let _ = stdin.write_all(&(asked.len() as u64).to_le_bytes());
        let _ = stdin.write_all(&asked).and_then(|()| stdin.write_all(content));
        drop(stdin);
        let said = heard.recv_timeout(self.limits.time);
        if said.is_err() {
            // It may have ended by itself just now, which is as good.
            let _ = child.kill();
        }
        let status = child.wait().map_err(fault)?;
        let Ok(said) = said else { return Err(self.too_slow()) };
        match serde_json::from_slice(&said) {
            Ok(Answer::Read { text }) => Ok(text),
            Ok(Answer::Refused { reason }) => Err(refusal(&reason)),
            Err(_) => Err(self.ended(status)),
        }
    }
}

impl DocumentReader {
    fn start(&self) -> std::io::Result<Child> {
        Command::new(&self.program.path)
            .args(&self.program.arguments)
            .args([self.limits.memory_bytes.to_string(), self.limits.processor_seconds.to_string()])
            // What it can learn of this process's surroundings is nothing.
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
    }

    fn too_slow(&self) -> NodeError {
        refusal(&format!("reading it took more than {} seconds", self.limits.processor_seconds))
    }

    /// What it means that a child ended without an answer.
    fn ended(&self, status: ExitStatus) -> NodeError {
        match status.signal() {
            Some(signal) if OVER_TIME.contains(&signal) => self.too_slow(),
            _ => refusal(&format!(
                "reading it took more than {} MiB of address space, or brought its process down ({status})",
                self.limits.memory_bytes >> 20
            )),
        }
    }
}

fn refusal(reason: &str) -> NodeError {
    NodeError::operation(format!("the file is not a PDF that can be read: {reason}"))
}

/// What the child says, once it is all there: at the latest when the child is killed.
fn hear(child: &mut Child) -> std::io::Result<mpsc::Receiver<Vec<u8>>> {
    let (told, heard) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        thread::Builder::new().name("document".to_owned()).spawn(move || {
            let mut said = Vec::new();
            let _ = stdout.take(ANSWER_BYTES_MAX).read_to_end(&mut said);
            let _ = told.send(said);
        })?;
    }
    Ok(heard)
}

/// What the child does: takes on its limits, reads the question and the document from its input, and answers on its output.
/// `arguments` are those that [`DocumentReader`] adds. Gives the exit status.
pub fn child_main(arguments: &[String]) -> u8 {
    let [memory, seconds] = arguments else { return NOT_BEGUN };
    let (Ok(memory), Ok(seconds)) = (memory.parse(), seconds.parse()) else { return NOT_BEGUN };
    if limit(memory, seconds).is_err() {
        return NOT_BEGUN;
    }
    let reading = thread::Builder::new().stack_size(STACK_BYTES).spawn(|| {
        let (question, content) = asked()?;
        pdf::read(&content, &question)
    });
    let answer = match reading.map(thread::JoinHandle::join) {
        Ok(Ok(Ok(text))) => Answer::Read { text },
        Ok(Ok(Err(reason))) => Answer::Refused { reason: reason.chars().take(REASON_CHARACTERS_MAX).collect() },
        // The library ends its thread where a document is not what the format says.
        Ok(Err(_)) => Answer::Refused { reason: "something in it is not as the format says".to_owned() },
        Err(_) => return NOT_BEGUN,
    };
    let told = serde_json::to_vec(&answer).unwrap_or_default();
    u8::from(std::io::stdout().write_all(&told).is_err())
}

fn asked() -> Result<(PdfQuestion, Vec<u8>), String> {
    let lost = |error: std::io::Error| format!("it did not come whole: {error}");
    let mut input = std::io::stdin().lock();
    let mut length = [0; 8];
    input.read_exact(&mut length).map_err(lost)?;
    let mut question = Vec::new();
    input.by_ref().take(u64::from_le_bytes(length)).read_to_end(&mut question).map_err(lost)?;
    let question = serde_json::from_slice(&question).map_err(|error| error.to_string())?;
    let mut content = Vec::new();
    input.read_to_end(&mut content).map_err(lost)?;
    Ok((question, content))
}

fn limit(memory: u64, seconds: u64) -> rustix::io::Result<()> {
    let set = |resource, most| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    set(Resource::As, memory)?;
    set(Resource::Cpu, seconds)?;
    // It leaves no image of its memory behind and writes no files.
    set(Resource::Core, 0)?;
    set(Resource::Fsize, 0)
}
