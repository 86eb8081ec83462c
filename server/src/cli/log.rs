//! `timeloom log`: copy, backup, restore, verify. All four are the same reading of rows as they are stored; archiving is
//! in a module of its own.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Subcommand;
use serde_json::{Value, json};
use timeloom_store::transfer::{CopyError, CopyPhase, CopyReport, copy};
use timeloom_store::verify::VerifyReport;
use timeloom_store::{ImportError, Position};

use super::archive::{ArchiveArguments, UnarchiveArguments, list_segments};
use super::client::Client;
use super::external::ExternalVerb;
use super::progress::Progress;
use super::{Access, Failure, output};
use crate::config::Config;
use crate::transfer::{Location, may_be_restored_to, open_source, open_target, verify_at};

const NOTE_BACKUP: &str = "mutation($input: NoteBackupInput!) { noteBackup(input: $input) { errors { message } } }";

#[derive(Debug, Subcommand)]
pub enum LogVerb {
    /// Copy a log to another place, or go on with a copy; a location is a data folder, postgres://… or http://… of a server
    Copy {
        /// Where the log is.
        #[arg(long, value_name = "LOCATION")]
        from: String,
        /// Where the copy is to be; what is there of the same log already is kept.
        #[arg(long, value_name = "LOCATION")]
        to: String,
        /// Answer in JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write a backup of the log while it is in use (with --server), or add to one what is new
    Backup {
        /// The folder of the backup. It is a data folder like any other.
        destination: PathBuf,
        #[command(flatten)]
        access: Access,
    },
    /// Write a backup back into an empty data folder, the one that --data names, or an empty database (--database)
    Restore {
        /// The folder of the backup.
        backup: PathBuf,
        /// Answer in JSON.
        #[arg(long)]
        json: bool,
    },
    /// Move old events into compressed segments, in a folder or in S3, from which they are read as before
    Archive(ArchiveArguments),
    /// Bring archived events back into the log, from a segment or a position on
    Unarchive(UnarchiveArguments),
    /// List the segments of the archive
    Segments {
        #[command(flatten)]
        access: Access,
    },
    /// Categories that other programs may append to by themselves
    #[command(subcommand)]
    External(ExternalVerb),
    /// Read a whole log and say whether it is what was recorded
    Verify {
        /// A data folder, postgres://… or http://… of a server; what --data or --database names when absent.
        location: Option<String>,
        /// Answer in JSON.
        #[arg(long)]
        json: bool,
    },
}

impl LogVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::Copy { from, to, json } => {
                let (from, to) = (location(&from)?, location(&to)?);
                copied((&from, &to), config, "copied", json).await.map(drop)
            }
            Self::Backup { destination, access } => {
                let from = match &access.server {
                    Some(url) => location(url)?,
                    None => own(config)?,
                };
                backed_up(&from, destination, &access, config).await
            }
            Self::Archive(arguments) => arguments.run(config).await,
            Self::Unarchive(arguments) => arguments.run(config).await,
            Self::Segments { access } => list_segments(&access, config).await,
            Self::External(verb) => verb.run(config).await,
            Self::Restore { backup, json } => restore(backup, &own(config)?, config, json).await,
            Self::Verify { location: named, json } => {
                let place = named.map_or_else(|| own(config), |named| location(&named))?;
                verified(&place, config, json).await
            }
        }
    }
}

pub(super) fn location(text: &str) -> Result<Location, Failure> {
    Location::parse(text).map_err(|error| refused(&error.to_string()))
}

pub(super) fn refused(message: &str) -> Failure {
    output::error(message);
    Failure::Refused
}

/// Writes a backup, and tells the server of which it is, so that those who run it see when the last one was made.
async fn backed_up(from: &Location, folder: PathBuf, access: &Access, config: &Config) -> Result<(), Failure> {
    let began = Instant::now();
    let to = Location::Folder(folder.clone());
    let report = copied((from, &to), config, "backed up", access.json).await?;
    if access.server.is_some()
        && let Err(error) = note_backup(&report, folder, began, access, config).await
    {
        // The backup is whole all the same.
        output::notice(&format!("the server was not told of this backup: {error:#}"));
    }
    Ok(())
}

async fn note_backup(
    report: &CopyReport,
    folder: PathBuf,
    began: Instant,
    access: &Access,
    config: &Config,
) -> anyhow::Result<()> {
    let place = folder.canonicalize()?;
    let counted = place.clone();
    let size = tokio::task::spawn_blocking(move || bytes_in(&counted)).await??;
    let input = json!({
        "place": place.display().to_string(),
        "upTo": report.head.to_string(),
        "events": report.events,
        "bytes": report.bytes,
        "sizeBytes": size,
        "tookMs": u64::try_from(began.elapsed().as_millis())?,
    });
    let client = Client::open(access, config).await?;
    let data = client.ask(NOTE_BACKUP, json!({ "input": input })).await;
    client.close().await;
    let data = data?;
    match data.pointer("/noteBackup/errors/0/message").and_then(Value::as_str) {
        Some(message) => anyhow::bail!("{message}"),
        None => Ok(()),
    }
}

/// Bytes of all files below a folder.
fn bytes_in(folder: &Path) -> std::io::Result<u64> {
    let (mut bytes, mut folders) = (0, vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next)? {
            let entry = entry?;
            let facts = entry.metadata()?;
            if facts.is_dir() {
                folders.push(entry.path());
            } else {
                bytes += facts.len();
            }
        }
    }
    Ok(bytes)
}

/// Where this program keeps its own log.
pub(super) fn own(config: &Config) -> Result<Location, Failure> {
    match &config.database {
        Some(url) => location(url),
        None => Ok(Location::Folder(config.data.clone())),
    }
}

async fn restore(backup: PathBuf, to: &Location, config: &Config, json: bool) -> Result<(), Failure> {
    if !may_be_restored_to(to).await? {
        let message =
            format!("{to} is not empty: give an empty folder with --data, or an empty database with --database");
        return Err(refused(&message));
    }
    copied((&Location::Folder(backup), to), config, "restored", json).await?;
    output::notice("the read models are built when a server starts with it");
    Ok(())
}

async fn copied(
    (from, to): (&Location, &Location),
    config: &Config,
    done: &str,
    json: bool,
) -> Result<CopyReport, Failure> {
    if from == to {
        return Err(refused("the log would be copied onto itself: give another target"));
    }
    let began = Instant::now();
    let source = open_source(from, config).await?;
    // Before anything of the target is made.
    source.as_copy_source().log.identity().await?;
    let target = open_target(to).await?;
    let mut progress = Progress::new();
    let copied = copy(source.as_copy_source(), target.as_copy_target(), |now| {
        let doing = match now.phase {
            CopyPhase::Rereading => "comparing",
            CopyPhase::Copying => "copying",
            CopyPhase::Verifying => "verifying",
        };
        progress.show(doing, now.position.0 - now.after.0, now.end.0 - now.after.0);
    });
    let copied = copied.await;
    progress.end();
    match copied {
        Ok(report) => {
            tell(&report, from, to, done, began.elapsed().as_secs_f64(), json);
            Ok(report)
        }
        Err(error @ (CopyError::Ahead { .. } | CopyError::Diverged(_)))
        | Err(error @ CopyError::Target(ImportError::OtherLog { .. })) => Err(refused(&error.to_string())),
        Err(error) => Err(error.into()),
    }
}

fn tell(report: &CopyReport, from: &Location, to: &Location, done: &str, seconds: f64, json: bool) {
    let rate = report.events as f64 / seconds.max(0.001);
    if json {
        output::json(&json!({
            "logId": report.log_id,
            "head": report.head,
            "events": report.events,
            "blobs": report.blobs,
            "bytes": report.bytes,
            "seconds": (seconds * 1_000.0).round() / 1_000.0,
            "eventsPerSecond": rate.round(),
            "verifiedAfter": report.verified_after,
            "leavesSha256": report.leaves.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
        }));
        return;
    }
    let megabytes = report.bytes as f64 / 1_000_000.0;
    output::line(&format!("{done} log {} from {from} to {to}, up to position {}", report.log_id, report.head));
    output::line(&format!(
        "{} events and {} blobs were written ({megabytes:.1} MB) in {seconds:.1} s, {rate:.0} events/s",
        report.events, report.blobs,
    ));
    let compared = match report.verified_after {
        Position::START => "all events were compared".to_owned(),
        after => format!("the events after position {after} were compared, those before in an earlier run"),
    };
    output::line(&format!("{compared}: both sides are equal"));
}

async fn verified(location: &Location, config: &Config, json: bool) -> Result<(), Failure> {
    let mut progress = Progress::new();
    let report = verify_at(location, config, |position, head| progress.show("verifying", position.0, head.0)).await;
    progress.end();
    let report = report?;
    if json {
        let faults = report.first_faults.iter();
        let faults: Vec<_> =
            faults.map(|fault| json!({ "position": fault.position, "detail": fault.detail })).collect();
        output::json(&json!({
            "head": report.head,
            "events": report.events,
            "streams": report.streams,
            "blobs": report.blobs,
            "checkpoints": report.checkpoints,
            "faultCount": report.faults,
            "faults": faults,
        }));
    } else {
        tell_verified(&report, location);
    }
    if report.is_whole() { Ok(()) } else { Err(Failure::Failed) }
}

fn tell_verified(report: &VerifyReport, location: &Location) {
    for fault in &report.first_faults {
        output::error(&format!("position {}: {}", fault.position, fault.detail));
    }
    let found = format!("{} events of {} streams and {} blobs", report.events, report.streams, report.blobs);
    if report.is_whole() {
        output::line(&format!("the log in {location} is whole: {found}, up to position {}", report.head));
        if report.checkpoints > 0 {
            output::line(&format!("it has the root that each of {} signed checkpoints says", report.checkpoints));
        }
    } else {
        output::line(&format!("the log in {location} is damaged: {} faults in {found}", report.faults));
    }
}
