//! `timeloom audit`: what proves the log to others; what erases subjects is in `erasure.rs`. Never shows a private key.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use timeloom_store::Direction;
use timeloom_store::proofs::ProofsError;
use timeloom_verify::export::{EventsFormat, Payloads};
use timeloom_verify::key::{PrivateKey, PublicKey, time_text};
use timeloom_verify::{Checkpoint, cli as verify, hexadecimal};

use super::client::Client;
use super::erasure::ErasureVerb;
use super::log::{location, own, refused};
use super::progress::Progress;
use super::{Access, Failure, output};
use crate::audit::{AuditKeys, ExportError, ExportOptions, ExportReport, ExportSource, bring_up_to_date, export};
use crate::config::Config;
use crate::keys::KeyPlace;
use crate::transfer::{AuditSource, Location, open_audit};

#[derive(Debug, Subcommand)]
pub enum AuditVerb {
    /// Show the newest signed checkpoint, or the one of a size; of a data folder that nobody serves one is made first
    Checkpoint {
        /// How many events it covers.
        #[arg(long, value_name = "EVENTS")]
        size: Option<u64>,
        #[command(flatten)]
        access: Access,
    },
    /// Prove that an event is in the log, or that an older checkpoint is the beginning of it
    Proof {
        /// The event.
        #[arg(long, value_name = "POSITION", required_unless_present = "from", conflicts_with = "from")]
        position: Option<u64>,
        /// How many events the older checkpoint covers.
        #[arg(long, value_name = "EVENTS")]
        from: Option<u64>,
        /// How many events the tree has in which it is proved; those of the newest checkpoint when absent.
        #[arg(long, value_name = "EVENTS")]
        size: Option<u64>,
        #[command(flatten)]
        access: Access,
    },
    /// Show the keys that check what is signed, or make a new one
    Keys {
        #[command(subcommand)]
        verb: Option<KeysVerb>,
        #[command(flatten)]
        access: Access,
    },
    /// Write events into a folder that an auditor can check with timeloom-verify, without this server
    Export(ExportArguments),
    /// Check such a folder, as timeloom-verify does
    Verify(verify::Arguments),
    #[command(flatten)]
    Erasure(ErasureVerb),
}

#[derive(Debug, Subcommand)]
pub enum KeysVerb {
    /// End the key that is in use now, and sign with a new one from here on
    New,
}

#[derive(Debug, Args)]
pub struct ExportArguments {
    /// The folder to write into. What an export that was cut off has written there is kept.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Position of the first event.
    #[arg(long, value_name = "POSITION")]
    from: Option<u64>,
    /// Position of the last event; the last that a signed checkpoint covers when absent.
    #[arg(long, value_name = "POSITION")]
    to: Option<u64>,
    /// Which way events are written. Only jsonl can be checked.
    #[arg(long, default_value = "jsonl")]
    format: Format,
    /// Write payloads that are too large for events as well, not their hashes alone.
    #[arg(long)]
    payloads: bool,
    /// Prove as well that this is the history of an older checkpoint: its size, or its file.
    #[arg(long, value_name = "EVENTS|FILE")]
    older: Vec<String>,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Jsonl,
    #[value(name = "cloudevents")]
    CloudEvents,
    Csv,
    Parquet,
}

impl From<Format> for EventsFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Jsonl => Self::Jsonl,
            Format::CloudEvents => Self::CloudEvents,
            Format::Csv => Self::Csv,
            Format::Parquet => Self::Parquet,
        }
    }
}

impl AuditVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::Checkpoint { size, access } => checkpoint(size, &access, config).await,
            Self::Proof { position, from, size, access } => {
                let source = open(&access, config).await?;
                proof(&source, position, from, size, access.json).await
            }
            Self::Keys { verb: Some(KeysVerb::New), access } => new_key(&access, config).await,
            Self::Keys { verb: None, access } => keys(&access, config).await,
            Self::Export(arguments) => arguments.run(config).await,
            Self::Erasure(verb) => verb.run(config).await,
            Self::Verify(arguments) => match verify::run(&arguments) {
                Ok(true) => Ok(()),
                Ok(false) => Err(Failure::Failed),
                Err(message) => Err(refused(&message)),
            },
        }
    }
}

/// The place that is asked: a server, or what is one's own.
fn place(access: &Access, config: &Config) -> Result<Location, Failure> {
    access.server.as_deref().map_or_else(|| own(config), location)
}

/// Opens the log with what proves it, which of a folder at rest is made first.
async fn open(access: &Access, config: &Config) -> Result<AuditSource, Failure> {
    let source = open_audit(&place(access, config)?, config).await?;
    if source.is_at_rest {
        let keys = AuditKeys::new(config, KeyPlace::Folder(&config.data));
        let head = source.log.identity().await?.head;
        let mut progress = Progress::new();
        let up_to_date = bring_up_to_date(&source.proofs, &keys, head, |done, all| progress.show("proving", done, all));
        let up_to_date = up_to_date.await;
        progress.end();
        up_to_date?;
    }
    Ok(source)
}

async fn checkpoint(size: Option<u64>, access: &Access, config: &Config) -> Result<(), Failure> {
    let source = open(access, config).await?;
    let found = match size {
        None => source.proofs.newest_checkpoint().await?,
        Some(size) => source.proofs.tree().checkpoints(size..=size, Direction::Forward, 1).await?.pop(),
    };
    let Some(found) = found else {
        return Err(refused(match size {
            None => {
                "there is no checkpoint yet: one is signed within a minute of the first event, where there is a key"
            }
            Some(_) => "there is no checkpoint of this size: `timeloom audit checkpoint` shows the newest",
        }));
    };
    if access.json {
        let (checkpoint, note) = Checkpoint::parse(&found.note)?;
        output::json(&json!({
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "root": hexadecimal::encode(&checkpoint.root),
            "recordedAt": time_text(checkpoint.recorded_at_us),
            "signedBy": note.signatures.iter().map(|signature| &signature.name).collect::<Vec<_>>(),
            "note": found.note,
        }));
    } else {
        // As it is to be kept, byte for byte.
        output::line(found.note.trim_end_matches('\n'));
    }
    Ok(())
}

async fn proof(
    source: &AuditSource,
    position: Option<u64>,
    from: Option<u64>,
    size: Option<u64>,
    as_json: bool,
) -> Result<(), Failure> {
    let newest = source.proofs.newest_checkpoint().await?.map_or(0, |newest| newest.size);
    let size = size.unwrap_or(newest);
    let hashes = |path: &[[u8; 32]]| path.iter().map(hexadecimal::encode).collect::<Vec<_>>();
    let answer = match (position, from) {
        (Some(position), _) => {
            let path = source.proofs.inclusion(position, size).await.map_err(told)?;
            json!({
                "position": position,
                "size": size,
                "leaf": hexadecimal::encode(&source.proofs.leaf(position).await.map_err(told)?),
                "root": hexadecimal::encode(&source.proofs.root(size).await.map_err(told)?),
                "path": hashes(&path),
            })
        }
        (None, from) => {
            let from = from.unwrap_or_default();
            let path = source.proofs.consistency(from, size).await.map_err(told)?;
            json!({
                "from": from,
                "to": size,
                "fromRoot": hexadecimal::encode(&source.proofs.root(from).await.map_err(told)?),
                "toRoot": hexadecimal::encode(&source.proofs.root(size).await.map_err(told)?),
                "path": hashes(&path),
            })
        }
    };
    if as_json {
        output::json(&answer);
        return Ok(());
    }
    for name in ["position", "from", "size", "to", "leaf", "fromRoot", "root", "toRoot"] {
        if let Some(value) = answer.get(name) {
            output::line(&format!("{name:>10}  {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
        }
    }
    for hash in answer["path"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        output::line(&format!("{:>10}  {hash}", "path"));
    }
    Ok(())
}

/// What was asked for is whoever asks' matter; anything else is ours.
fn told(error: ProofsError) -> Failure {
    match error {
        ProofsError::Range(_) | ProofsError::Behind { .. } | ProofsError::NoCheckpoint { .. } => {
            refused(&error.to_string())
        }
        error => error.into(),
    }
}

async fn keys(access: &Access, config: &Config) -> Result<(), Failure> {
    if access.server.is_some() {
        let client = Client::open(access, config).await?;
        let answer = client.ask("{ auditKeys { name id key validFrom validUntil } }", json!({})).await?;
        if access.json {
            output::json(&answer["auditKeys"]);
        } else {
            let keys = answer["auditKeys"].as_array().into_iter().flatten();
            keys.filter_map(|key| key["key"].as_str()).for_each(output::line);
        }
        return Ok(());
    }
    let mut keys = own_keys(config).read()?;
    if keys.is_empty() && config.database.is_some() {
        return Err(refused("there is no key: `timeloom audit keys new --audit-key-file FILE` makes one"));
    }
    if keys.is_empty() {
        let log_id = open_audit(&own(config)?, config).await?.log.identity().await?.log_id;
        keys = own_keys(config).read_or_make(log_id)?;
    }
    tell_keys(&keys, access.json);
    Ok(())
}

fn own_keys(config: &Config) -> AuditKeys {
    let place = if config.database.is_some() { KeyPlace::Nowhere } else { KeyPlace::Folder(&config.data) };
    AuditKeys::new(config, place)
}

/// A key is named after its log, so the log is looked at, be it in use or not.
async fn new_key(access: &Access, config: &Config) -> Result<(), Failure> {
    let keys = own_keys(config);
    if keys.file().is_none() {
        return Err(refused("nothing says where the key is to lie: give --audit-key-file FILE"));
    }
    let log_id = match keys.read() {
        Ok(known) if !known.is_empty() => known.last().and_then(|key| key.name().rsplit('/').next()?.parse().ok()),
        _ => None,
    };
    let log_id = match log_id {
        Some(log_id) => log_id,
        None => open_audit(&place(access, config)?, config).await?.log.identity().await?.log_id,
    };
    tell_keys(&keys.renew(log_id)?, access.json);
    Ok(())
}

fn tell_keys(keys: &[PrivateKey], as_json: bool) {
    let public: Vec<PublicKey> = keys.iter().map(PrivateKey::public).collect();
    if !as_json {
        return public.iter().for_each(|key| output::line(&key.to_string()));
    }
    let shown = public.iter().map(|key| {
        let time = |time: Option<i64>| time.map(time_text);
        json!({
            "name": key.name,
            "id": key.id_text(),
            "key": key.to_string(),
            "validFrom": time(key.validity.from_us),
            "validUntil": time(key.validity.until_us),
        })
    });
    output::json(&shown.collect());
}

impl ExportArguments {
    async fn run(self, config: &Config) -> Result<(), Failure> {
        let older: Result<Vec<u64>, Failure> = self.older.iter().map(|older| older_size(older)).collect();
        let options = ExportOptions {
            from: self.from,
            to: self.to,
            format: self.format.into(),
            with_payloads: self.payloads,
            older: older?,
        };
        let source = open(&self.access, config).await?;
        let from = ExportSource { log: &*source.log, blobs: &*source.blobs, proofs: &source.proofs };
        let mut progress = Progress::new();
        let exported = export(from, &self.out, &options, |done, all| progress.show("exporting", done, all)).await;
        progress.end();
        match exported {
            Ok(report) => tell(&report, &self.out, self.access.json),
            Err(ExportError::Proofs(error)) => return Err(told(error)),
            Err(error @ ExportError::Refused(_)) => return Err(refused(&error.to_string())),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// The size of an older checkpoint, which is told or read from its file.
fn older_size(text: &str) -> Result<u64, Failure> {
    if let Ok(size) = text.parse() {
        return Ok(size);
    }
    let note = std::fs::read_to_string(text).map_err(|error| refused(&format!("{text} cannot be read: {error}")))?;
    let parsed = Checkpoint::parse(&note).map_err(|error| refused(&format!("{text}: {error}")))?;
    Ok(parsed.0.size)
}

fn tell(report: &ExportReport, out: &Path, as_json: bool) {
    let manifest = &report.manifest;
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    if as_json {
        output::json(&json!({
            "logId": manifest.log_id,
            "from": manifest.from,
            "to": manifest.to,
            "treeSize": manifest.tree_size,
            "root": hexadecimal::encode(&manifest.root),
            "files": manifest.files.len(),
            "filesKept": report.files_kept,
            "bytes": bytes,
        }));
        return;
    }
    let (from, to, size) = (manifest.from, manifest.to, manifest.tree_size);
    output::line(&format!("events {from} to {to} are in {}: {:.1} MB", out.display(), bytes as f64 / 1_000_000.0));
    if report.files_kept > 0 {
        output::line(&format!("{} files of an earlier run were kept", report.files_kept));
    }
    output::line(&format!(
        "they are in the tree of {size} events, whose root is {}",
        hexadecimal::encode(&manifest.root)
    ));
    if manifest.events == EventsFormat::Jsonl {
        output::line(&format!("check them with: timeloom-verify {} --key KEYS", out.display()));
    }
    if manifest.payloads == Payloads::Referenced {
        output::notice("payloads over 64 KiB are told by their hashes; --payloads writes them as well");
    }
}
