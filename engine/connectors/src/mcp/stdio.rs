//! A server that is a program of this machine: one message a line on its standard input and output.
//!
//! Only programs that the operator named are started, as they were named. One knows nothing of this program's environment, and
//! ends with the node run that started it, with all processes that it began in its group.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::error::McpError;
use super::message::{Incoming, incoming, messages, question};
use super::{ANSWER_BYTES_MAX, MESSAGES_MAX};

/// Most programs at once.
pub(super) const PROGRAMS_MAX: usize = 16;
/// Longest that a program is let end by itself.
const END_TIME_MAX: Duration = Duration::from_secs(1);
/// Where programs are looked for, unless the operator says otherwise.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Most commands of a deployment.
const COMMANDS_MAX: usize = 100;

/// The commands of servers that the operator set up, by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct McpCommands(BTreeMap<String, McpCommand>);

/// How a server is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpCommand {
    program: String,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
}

impl McpCommands {
    /// Reads commands as clients of the protocol commonly write them down: `{"mcpServers": {"files": {"command": …, "args": […],
    /// "env": {…}}}}`.
    ///
    /// # Errors
    /// What is wrong, in words that repeat no value: there may be secrets in the environment.
    pub fn read(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
        let named = value.get("mcpServers").and_then(Value::as_object);
        let named = named.ok_or("it has no \"mcpServers\" with commands by their names")?;
        if named.len() > COMMANDS_MAX {
            return Err(format!("it has more than {COMMANDS_MAX} commands"));
        }
        let read = |(name, value): (&String, &Value)| {
            let command = McpCommand::read(value).map_err(|why| format!("'{name}' {why}"))?;
            if name.is_empty() || name.contains("://") {
                return Err(format!("'{name}' is no name for a command: it is empty, or looks like an address"));
            }
            Ok((name.clone(), command))
        };
        named.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// The command of that name.
    pub(super) fn get(&self, name: &str) -> Option<&McpCommand> {
        self.0.get(name)
    }
}

impl McpCommand {
    fn read(value: &Value) -> Result<Self, String> {
        let fields = value.as_object().ok_or("is no JSON object")?;
        if let Some(other) = fields.keys().find(|key| !["command", "args", "env"].contains(&key.as_str())) {
            return Err(format!("has no '{other}': it has command, args, env"));
        }
        let program = fields.get("command").and_then(Value::as_str).filter(|program| !program.trim().is_empty());
        let program = program.ok_or("has no \"command\"")?.to_owned();
        let arguments = fields.get("args").cloned().unwrap_or_else(|| Value::Array(Vec::new()));
        let environment = fields.get("env").cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        Ok(Self {
            program,
            arguments: serde_json::from_value(arguments).map_err(|_| "has args that are no list of texts")?,
            environment: serde_json::from_value(environment).map_err(|_| "has an env that is no object of texts")?,
        })
    }
}

/// A program that runs.
pub(super) struct Program {
    input: pipe::Sender,
    output: pipe::Receiver,
    /// What it wrote and was not read yet.
    buffer: Vec<u8>,
    running: Running,
    _place: OwnedSemaphorePermit,
}

impl Program {
    /// Starts a program, when there is a place for it.
    pub(super) async fn start(command: &McpCommand, places: &Arc<Semaphore>) -> Result<Self, McpError> {
        let place = Arc::clone(places).acquire_owned().await.map_err(|_| McpError::BrokenOff)?;
        let mut starting = Command::new(&command.program);
        starting.args(&command.arguments).env_clear().env("PATH", PATH).env("LANG", "C.UTF-8");
        starting.envs(&command.environment).current_dir("/").process_group(0);
        starting.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let failed = |error: std::io::Error| McpError::Unreachable(format!("its command cannot be started: {error}"));
        let mut child = starting.spawn().map_err(failed)?;
        let pipes = (child.stdin.take(), child.stdout.take());
        let running = Running::of(child);
        let (Some(input), Some(output)) = pipes else { return Err(McpError::BrokenOff) };
        Ok(Self {
            input: pipe::Sender::from_owned_fd(OwnedFd::from(input)).map_err(failed)?,
            output: pipe::Receiver::from_owned_fd(OwnedFd::from(output)).map_err(failed)?,
            buffer: Vec::new(),
            running,
            _place: place,
        })
    }

    /// Asks, and waits for the answer.
    pub(super) async fn exchange(&mut self, id: u64, method: &str, params: &Value) -> Result<Value, McpError> {
        self.tell(&question(id, method, params)).await?;
        for _ in 0..MESSAGES_MAX {
            let line = self.line().await?;
            if line.trim_ascii().is_empty() {
                continue;
            }
            for message in messages(&line)? {
                match incoming(&message, id)? {
                    Incoming::Answer(answer) => return answer,
                    Incoming::Asked(reply) => self.tell(&reply).await?,
                    Incoming::Told => {}
                }
            }
        }
        Err(McpError::TooMany(MESSAGES_MAX))
    }

    /// Tells something that needs no answer.
    pub(super) async fn tell(&mut self, message: &Value) -> Result<(), McpError> {
        // JSON as it is written here has no line feed in it.
        let line = format!("{message}\n");
        self.input.write_all(line.as_bytes()).await.map_err(|_| McpError::BrokenOff)
    }

    /// Lets the program end, for a moment by itself.
    pub(super) async fn close(self) {
        let Self { input, mut output, running, _place, .. } = self;
        drop(input);
        let mut rest = [0; 512];
        let ending = async { while output.read(&mut rest).await.is_ok_and(|read| read > 0) {} };
        let _ = timeout(END_TIME_MAX, ending).await;
        drop(running);
    }

    async fn line(&mut self) -> Result<Vec<u8>, McpError> {
        let mut looked = 0;
        loop {
            let rest = self.buffer.get(looked..).unwrap_or_default();
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let after = self.buffer.split_off(looked + end + 1);
                return Ok(std::mem::replace(&mut self.buffer, after));
            }
            looked = self.buffer.len();
            if looked > ANSWER_BYTES_MAX {
                return Err(McpError::TooLarge(ANSWER_BYTES_MAX));
            }
            if self.output.read_buf(&mut self.buffer).await.map_err(|_| McpError::BrokenOff)? == 0 {
                return Err(McpError::BrokenOff);
            }
        }
    }
}

/// A child, which ends with this value, and so do the processes of its group.
struct Running(Option<Child>);

impl Running {
    fn of(child: Child) -> Self {
        Self(Some(child))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(mut child) = self.0.take() else { return };
        // It was not waited for: its number is still its own.
        if let Some(leader) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(leader, Signal::KILL);
        }
        // It is gone in a moment; only its number has to be let go.
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || child.wait())),
            Err(_) => drop(child.wait()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_as_they_are_commonly_written_and_nothing_else_is() {
        let text =
            r#"{"mcpServers": {"files": {"command": "/usr/bin/files", "args": ["/srv"], "env": {"KEY": "s3cret"}}}}"#;
        let read = McpCommands::read(text).unwrap();
        assert_eq!(read.get("files").unwrap().arguments, ["/srv"]);
        assert!(read.get("other").is_none());
        for (wrong, why) in [
            ("{", "no JSON"),
            ("{}", "mcpServers"),
            (r#"{"mcpServers": {"a": {"args": []}}}"#, "has no \"command\""),
            (r#"{"mcpServers": {"a": {"command": "x", "url": "y"}}}"#, "has no 'url'"),
            (r#"{"mcpServers": {"a": {"command": "x", "env": {"KEY": 7}}}}"#, "no object of texts"),
            (r#"{"mcpServers": {"https://a": {"command": "x"}}}"#, "looks like an address"),
        ] {
            let refused = McpCommands::read(wrong).unwrap_err();
            assert!(refused.contains(why), "{wrong}: {refused}");
        }
    }
}
