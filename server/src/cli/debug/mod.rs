//! `timeloom debug`: an execution in the terminal, event by event, out of a server, a data folder or a capsule.

mod asked;
mod packed;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use clap::Args;
use timeloom_debugger::{Options, RunError, Source, run};
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;

use self::asked::AskedSource;
use self::packed::PackedSource;
use super::client::Client;
use super::log::refused;
use super::{Access, Failure, capsule};
use crate::capsule::OpenCapsule;
use crate::config::Config;

/// What is shown, and where it is.
#[derive(Debug, Args)]
pub struct DebugArguments {
    /// The execution.
    #[arg(required_unless_present = "capsule", conflicts_with = "capsule")]
    execution: Option<Uuid>,
    /// A running server, such as http://127.0.0.1:8080; without it the verb opens the data folder itself.
    #[arg(long, value_name = "URL", conflicts_with = "capsule")]
    server: Option<String>,
    /// A capsule: nothing else is needed.
    #[arg(long, value_name = "FILE")]
    capsule: Option<PathBuf>,
}

impl DebugArguments {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
            return Err(refused(
                "the debugger needs a terminal: `timeloom state get` prints the state of an execution at any moment",
            ));
        }
        let handle = tokio::runtime::Handle::current();
        if let Some(file) = &self.capsule {
            let open = OpenCapsule::new(&capsule::read(file)?)?;
            let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
            let mut source = PackedSource::new(open, format!("capsule {name}"), handle);
            return shown(&mut source, config);
        }
        let place = match (&self.server, &config.database) {
            (Some(url), _) => format!("server {url}"),
            (None, Some(_)) => "database".to_owned(),
            (None, None) => format!("folder {}", config.data.display()),
        };
        let execution = self.execution.map(|id| id.to_string()).unwrap_or_default();
        let is_live = self.server.is_some();
        let access = Access { server: self.server, json: false };
        let client = Client::open(&access, config).await?;
        let mut source = AskedSource::new(&client, execution, place, is_live, handle);
        let result = shown(&mut source, config);
        client.close().await;
        result
    }
}

/// Shows it until the person quits, or a signal says so.
fn shown(source: &mut impl Source, config: &Config) -> Result<(), Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut signals = tokio::task::JoinSet::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let mut wished = signal(kind).context("signals cannot be listened to")?;
        let stop = Arc::clone(&stop);
        signals.spawn(async move {
            wished.recv().await;
            stop.store(true, Ordering::Relaxed);
        });
    }
    let options = Options { has_colours: config.has_colours() };
    let ended = tokio::task::block_in_place(|| run(source, options, &stop));
    signals.abort_all();
    match ended {
        Ok(()) => Ok(()),
        Err(RunError::Source(error)) => Err(refused(&error.to_string())),
        Err(error) => Err(error.into()),
    }
}
