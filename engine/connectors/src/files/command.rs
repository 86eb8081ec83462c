//! Execute Command: runs a command of the shell on this machine, where the operator allows it.
//!
//! A command has none of the server's environment, its time and its output are bounded, and it ends with the run: so do the
//! processes that it began, as long as they stay in its group.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use serde_json::json;
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};
use timeloom_nodes::describe::{ONE_TO_ONE, long_text, palette, switch};

use crate::Settings;

/// Longest time for a command.
pub(crate) const COMMAND_TIME_MAX: Duration = Duration::from_secs(300);
/// Most bytes that a command may write to one of its outputs.
pub(crate) const OUTPUT_BYTES_MAX: usize = 1 << 20;
/// Where programs are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const PARAMETERS: &[ParameterDefinition] = &[
    switch("executeOnce", "Whether the command runs once, for the first item alone.").or_true(),
    long_text("command", "The command, for the shell.").like("df --human-readable").needed(),
];

/// Execute Command.
pub(crate) struct ExecuteCommand {
    is_allowed: bool,
    folder: Option<PathBuf>,
}

impl ExecuteCommand {
    pub fn new(settings: &Settings) -> Self {
        Self { is_allowed: settings.commands, folder: settings.files_root.clone() }
    }
}

impl NodeType for ExecuteCommand {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.executeCommand",
            display_name: "Execute Command",
            description: "Runs a command on the server's machine.",
            versions: &[1.0],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::HttpAndFiles, "terminal", &["shell", "bash", "script", "run"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

/// Refuses commands where the operator did not allow them.
///
/// # Errors
/// [`NodeError`], which says how to allow them.
pub(crate) fn check_allowed(is_allowed: bool) -> Result<(), NodeError> {
    if is_allowed {
        return Ok(());
    }
    Err(NodeError::operation("commands are refused here")
        .described("the operator of this deployment can allow them: `timeloom serve --allow-commands`"))
}

#[async_trait]
impl EffectNode for ExecuteCommand {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        check_allowed(self.is_allowed)?;
        let count = run.items().len();
        let runs = if run.boolean("executeOnce", 0, true)? { count.min(1) } else { count };
        let mut given = Vec::with_capacity(runs);
        for index in 0..runs {
            let done = match run.text("command", index, "") {
                Ok(command) => self.ended(&command).await,
                Err(error) => Err(error),
            };
            match done {
                Ok(fields) => given.push(Item::new(fields).paired_with(index)),
                Err(error) if run.continues_on_fail() => given.push(run.failed_item(index, &error)),
                Err(error) => return Err(error.at_item(index)),
            }
        }
        Ok(NodeOutput::single(given))
    }
}

impl ExecuteCommand {
    /// Runs a command to its end.
    async fn ended(&self, command: &str) -> Result<JsonObject, NodeError> {
        if command.trim().is_empty() {
            return Err(NodeError::operation("the command is empty: write one"));
        }
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(command).env_clear().env("PATH", PATH).env("LANG", "C.UTF-8");
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        shell.current_dir(self.folder.as_deref().unwrap_or_else(|| std::path::Path::new("/")));
        std::os::unix::process::CommandExt::process_group(&mut shell, 0);
        let mut child =
            shell.spawn().map_err(|error| NodeError::operation(format!("the command cannot be started: {error}")))?;
        let pipes = (child.stdout.take(), child.stderr.take());
        let group = Group::of(&child);
        let _guard = Guard(group.clone());
        let reading = (reader(pipes.0, group.clone()), reader(pipes.1, group.clone()));
        let (mark, waiting) = (group.clone(), async { tokio::join!(reading.0, reading.1) });
        let ending = tokio::task::spawn_blocking(move || mark.wait(child));
        let whole = async {
            let (outputs, code) = tokio::join!(waiting, ending);
            (outputs, code.ok().flatten())
        };
        let ((stdout, stderr), code) = tokio::time::timeout(COMMAND_TIME_MAX, whole).await.map_err(|_| {
            let seconds = COMMAND_TIME_MAX.as_secs();
            NodeError::operation(format!("the command did not end within {seconds} s")).described("let it do less")
        })?;
        outcome(stdout?, stderr?, code)
    }
}

/// What a command came to; a failure where it says so by its code.
pub(crate) fn outcome(stdout: Vec<u8>, stderr: Vec<u8>, code: Option<i32>) -> Result<JsonObject, NodeError> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim_end().to_owned();
    let (stdout, stderr) = (text(stdout), text(stderr));
    if code == Some(0) {
        let told = json!({"exitCode": 0, "stderr": stderr, "stdout": stdout});
        return Ok(told.as_object().cloned().unwrap_or_default());
    }
    let how = code.map_or_else(|| "was ended by a signal".to_owned(), |code| format!("ended with code {code}"));
    let data = json!({"exitCode": code, "stderr": stderr, "stdout": stdout});
    let mut failed = NodeError { data: Some(data), ..NodeError::operation(format!("the command {how}")) };
    if !stderr.is_empty() {
        failed = failed.described(stderr);
    }
    Err(failed)
}

/// Reads an output to its end; one that is too long ends the command.
async fn reader<R: Read + Send + 'static>(pipe: Option<R>, group: Group) -> Result<Vec<u8>, NodeError> {
    let Some(mut pipe) = pipe else { return Ok(Vec::new()) };
    let reading = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        let read = (&mut pipe).take(OUTPUT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
        if read.is_err() || bytes.len() > OUTPUT_BYTES_MAX {
            group.kill();
            let message = format!("the command wrote more than {OUTPUT_BYTES_MAX} bytes, or could not be heard");
            return Err(NodeError::operation(message).described("let it write to a file"));
        }
        Ok(bytes)
    });
    reading.await.map_err(|_| NodeError::operation("the command was cut off"))?
}

/// A command with the processes that it began.
#[derive(Clone)]
struct Group(Arc<Led>);

/// Kills a command that nobody waits for any more.
struct Guard(Group);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.kill();
    }
}

struct Led {
    leader: Option<Pid>,
    /// Whether the leader's number is still its own.
    is_there: Mutex<bool>,
}

impl Group {
    fn of(child: &Child) -> Self {
        let leader = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Self(Arc::new(Led { leader, is_there: Mutex::new(leader.is_some()) }))
    }

    fn kill(&self) {
        self.0.kill();
    }

    /// Waits for the end of the command; its code, where it was no signal.
    fn wait(self, mut child: Child) -> Option<i32> {
        if let Some(leader) = self.0.leader {
            // The number is kept until it is known that nobody kills it any more.
            let _ = waitid(WaitId::Pid(leader), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        }
        // What it left running in its group would hold its outputs open.
        self.0.kill();
        *self.0.is_there.lock().unwrap_or_else(PoisonError::into_inner) = false;
        child.wait().ok()?.code()
    }
}

impl Led {
    fn kill(&self) {
        let is_there = self.is_there.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leader) = self.leader.filter(|_| *is_there) {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use timeloom_nodes::testing::{Bench, json_of};

    use super::*;

    fn allowed() -> ExecuteCommand {
        ExecuteCommand::new(&Settings { commands: true, ..Settings::default() })
    }

    async fn ran(command: &str) -> Result<Value, NodeError> {
        let node = allowed();
        let mut bench = Bench::new(&node, 1.0, json!({ "command": command })).input(json!([{}]));
        Ok(json_of(&bench.run_effect().await?, 0))
    }

    #[tokio::test]
    async fn a_command_gives_its_outputs_and_its_code() {
        let given = ran("echo out; echo err >&2").await.unwrap();
        assert_eq!(given, json!([{"exitCode": 0, "stderr": "err", "stdout": "out"}]));
        let failed = ran("echo no >&2; exit 3").await.unwrap_err();
        assert!(failed.message.contains("code 3") && failed.description.as_deref() == Some("no"), "{failed}");
        assert!(ran("kill -9 $$").await.unwrap_err().message.contains("signal"));
        assert!(ran(" ").await.unwrap_err().message.contains("empty"));
    }

    #[tokio::test]
    async fn it_runs_once_or_for_each_item() {
        let node = allowed();
        for (once, count) in [(true, 1), (false, 2)] {
            let parameters = json!({"command": "=echo {{ $json.a }}", "executeOnce": once});
            let output = Bench::new(&node, 1.0, parameters).input(json!([{"a": 1}, {"a": 2}])).run_effect().await;
            assert_eq!(output.unwrap().outputs[0].len(), count);
        }
    }

    #[tokio::test]
    async fn it_knows_nothing_of_the_server_and_leaves_nothing_running() {
        let given = ran("env | sort | cut -d= -f1 | tr '\\n' ' '").await.unwrap();
        assert_eq!(given[0]["stdout"].as_str().unwrap().trim(), "LANG PATH PWD");
        let given = ran("sleep 1000 & echo $!").await.unwrap();
        let left = given[0]["stdout"].as_str().unwrap().to_owned();
        // It is killed by now, and goes in its own time.
        let is_there = || {
            let state = std::fs::read_to_string(format!("/proc/{left}/stat")).unwrap_or_default();
            !state.is_empty() && !state.contains(") Z")
        };
        let began = std::time::Instant::now();
        while is_there() {
            assert!(began.elapsed() < Duration::from_secs(30), "it still runs");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn one_that_writes_without_end_is_ended() {
        let error = ran("yes").await.unwrap_err();
        assert!(error.message.contains("more than 1048576 bytes"), "{error}");
    }

    #[tokio::test]
    async fn it_is_refused_unless_the_operator_allows_it() {
        let node = ExecuteCommand::new(&Settings::default());
        let error = Bench::new(&node, 1.0, json!({"command": "id"})).input(json!([{}])).run_effect().await.unwrap_err();
        assert!(error.description.unwrap().contains("--allow-commands"));
    }
}
