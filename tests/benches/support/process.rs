//! Servers in processes of their own, ours and those of others: what they take of the processor and of memory.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Clock ticks of the kernel's accounting in a second.
const TICKS: f64 = 100.0;

/// The folder in which what others made is installed.
pub(crate) fn peers() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    variable("AI_PEERS").unwrap_or_else(|| variable("HOME").unwrap_or_default().join("peers/ai"))
}

/// A port at which nobody listens.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server that somebody else made. Dropping it ends all of its processes.
pub(crate) struct Peer {
    child: Child,
}

impl Peer {
    /// Starts `command`; what it says goes to `log`.
    pub(crate) fn start(mut command: Command, log: &Path) -> Self {
        let file = File::create(log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file).process_group(0);
        Self { child: command.spawn().unwrap() }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it ended by itself.
    pub(crate) fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Its workers are in its process group.
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.child.id())]).status();
        let _ = self.child.wait();
    }
}

/// The process `id` and all that it started.
fn family(id: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if let Some(parent) = stat(process).and_then(|fields| fields.get(1)?.parse().ok()) {
            children.entry(parent).or_default().push(process);
        }
    }
    let mut all = vec![id];
    let mut next = 0;
    while let Some(&process) = all.get(next) {
        all.extend(children.remove(&process).unwrap_or_default());
        next += 1;
    }
    all
}

/// What the kernel says of a process, from its state on.
fn stat(process: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    Some(text.rsplit_once(") ")?.1.split(' ').map(str::to_owned).collect())
}

/// Seconds of the processor that the process and all that it started have taken.
pub(crate) fn processor(id: u32) -> f64 {
    let ticks = |process| -> Option<f64> {
        let fields = stat(process)?;
        Some(fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?)
    };
    family(id).into_iter().filter_map(ticks).sum::<f64>() / TICKS
}

/// Memory in MiB of the process and all that it started; what is shared counts in parts.
pub(crate) fn memory(id: u32) -> f64 {
    let set = |process| -> Option<f64> {
        let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.split_whitespace().next()?.parse().ok()
    };
    family(id).into_iter().filter_map(set).sum::<f64>() / 1024.0
}
