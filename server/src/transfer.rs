//! Where logs are copied from and to: data folders, running servers, and databases. The copying itself is in `store`.

mod http;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use timeloom_store::proofs::{ProofLog, ProofsError, TreeStore};
use timeloom_store::transfer::{CopySource, CopyTarget};
use timeloom_store::verify::{VerifyFault, VerifyReport, verify};
use timeloom_store::{BlobStore, LogError, LogImport, LogTransfer, Position};
use timeloom_store_postgres::{Address, OpenError as PostgresOpenError, PostgresImport, PostgresSource};
use timeloom_store_sqlite::{SqliteImport, SqliteSource, SqliteTree};

use self::http::ServedLog;
use crate::config::Config;
use crate::store::{segments_of, shared_segments};
use crate::token::shown;

/// What the lock of a data folder is called; a folder with nothing else is empty.
const LOCK_FILE: &str = "LOCK";

/// Where a log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A data folder of this machine.
    Folder(PathBuf),
    /// A running server, which can only be read.
    Server(String),
    /// A PostgreSQL database; its address may hold a password.
    Postgres(String),
}

impl Location {
    /// Reads a location as people write it.
    ///
    /// # Errors
    /// When it is an address of an unknown kind.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        match text.split_once("://") {
            Some(("http" | "https", _)) => Ok(Self::Server(text.trim_end_matches('/').to_owned())),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(text.to_owned())),
            Some((scheme, _)) => {
                bail!("'{scheme}://' is no place for a log: give a data folder, postgres://… or http://…")
            }
            None if text.is_empty() => bail!("the location is empty: give a data folder, postgres://… or http://…"),
            None => Ok(Self::Folder(PathBuf::from(text))),
        }
    }
}

/// Never shows what may be a password.
impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(formatter),
            Self::Server(url) => url.fmt(formatter),
            Self::Postgres(_) => formatter.write_str("the PostgreSQL database"),
        }
    }
}

/// A log that is read.
pub struct Source {
    log: Arc<dyn LogTransfer>,
    blobs: Arc<dyn BlobStore>,
}

impl Source {
    /// As the copying takes it.
    pub fn as_copy_source(&self) -> CopySource<'_> {
        CopySource { log: &*self.log, blobs: &*self.blobs }
    }
}

/// A log that is written.
pub struct Target {
    log: Arc<dyn LogImport>,
    blobs: Arc<dyn BlobStore>,
}

impl Target {
    /// As the copying takes it.
    pub fn as_copy_target(&self) -> CopyTarget<'_> {
        CopyTarget { log: &*self.log, blobs: &*self.blobs }
    }
}

/// Opens a log to read it.
///
/// # Errors
/// When there is none, or it cannot be read; the message says what to do.
pub async fn open_source(location: &Location, config: &Config) -> anyhow::Result<Source> {
    match location {
        Location::Folder(path) => {
            let (log, blobs) = SqliteSource::open_with(path, segments_of(path))?;
            Ok(Source { log, blobs })
        }
        Location::Server(url) => {
            let served = Arc::new(ServedLog::try_new(url, shown(config.token()?.as_deref())?)?);
            Ok(Source { log: Arc::clone(&served) as Arc<dyn LogTransfer>, blobs: served })
        }
        Location::Postgres(url) => {
            let (log, blobs) = PostgresSource::open_with(&Address::parse(url)?, shared_segments()).await?;
            Ok(Source { log, blobs })
        }
    }
}

/// A log that is read together with what proves it.
pub struct AuditSource {
    /// Its rows.
    pub log: Arc<dyn LogTransfer>,
    /// Its payloads.
    pub blobs: Arc<dyn BlobStore>,
    /// Its tree and checkpoints.
    pub proofs: ProofLog,
    /// Whether nobody else lets the tree follow the log: it is to be brought up to it here.
    pub is_at_rest: bool,
}

/// Opens a log to read it together with what proves it.
///
/// # Errors
/// When there is none, or it cannot be read; the message says what to do.
pub async fn open_audit(location: &Location, config: &Config) -> anyhow::Result<AuditSource> {
    let source = |log: Arc<dyn LogTransfer>, blobs: Arc<dyn BlobStore>, tree: Arc<dyn TreeStore>| {
        let is_at_rest = matches!(location, Location::Folder(_));
        AuditSource { proofs: ProofLog::new(Arc::clone(&log), tree), log, blobs, is_at_rest }
    };
    Ok(match location {
        Location::Folder(path) => {
            let (log, blobs) = SqliteSource::open_with(path, segments_of(path))?;
            let tree = SqliteTree::open(Arc::clone(log.folder()))?;
            source(log, blobs, tree)
        }
        Location::Server(url) => {
            let served = Arc::new(ServedLog::try_new(url, shown(config.token()?.as_deref())?)?);
            source(Arc::clone(&served) as Arc<dyn LogTransfer>, Arc::clone(&served) as Arc<dyn BlobStore>, served)
        }
        Location::Postgres(url) => {
            let (log, blobs) = PostgresSource::open_with(&Address::parse(url)?, shared_segments()).await?;
            let tree = Arc::new(log.tree());
            source(log, blobs, tree)
        }
    })
}

/// Opens a log to write a copy into it.
///
/// # Errors
/// When it cannot be written; the message says what to do.
pub async fn open_target(location: &Location) -> anyhow::Result<Target> {
    match location {
        Location::Folder(path) => {
            let (log, blobs) = SqliteImport::open(path)?;
            Ok(Target { log, blobs })
        }
        Location::Server(url) => bail!("the log of the server at {url} can only be read: give a data folder"),
        Location::Postgres(url) => {
            let (log, blobs) = PostgresImport::open(&Address::parse(url)?).await?;
            Ok(Target { log, blobs })
        }
    }
}

/// Reads the whole log at a place and says what is wrong with it; of a data folder also whether its file is whole.
/// `progress` is told how far it is and where the log ends.
///
/// # Errors
/// When the log cannot be read at all.
pub async fn verify_at(
    location: &Location,
    config: &Config,
    mut progress: impl FnMut(Position, Position) + Send,
) -> anyhow::Result<VerifyReport> {
    match location {
        Location::Folder(path) => {
            let (log, blobs) = SqliteSource::open_with(path, segments_of(path))?;
            let head = log.identity().await?.head;
            let mut report = log.verify(&*blobs, |position| progress(position, head)).await?;
            if SqliteTree::is_in(log.folder()) {
                let tree = SqliteTree::open(Arc::clone(log.folder()))?;
                compare(&ProofLog::new(log, tree), &mut report).await?;
            }
            Ok(report)
        }
        Location::Postgres(url) => {
            let (log, blobs) = PostgresSource::open_with(&Address::parse(url)?, shared_segments()).await?;
            let head = log.identity().await?.head;
            let mut report = verify(&*log, &*blobs, |position| progress(position, head)).await?;
            let order = log.check().await?;
            if !order.is_sound() {
                report.faults += 1;
                report.first_faults.push(VerifyFault { position: order.head, detail: order.to_string() });
            }
            let tree = Arc::new(log.tree());
            compare(&ProofLog::new(log, tree), &mut report).await?;
            Ok(report)
        }
        Location::Server(_) => {
            let source = open_audit(location, config).await?;
            let head = source.log.identity().await?.head;
            let mut report = verify(&*source.log, &*source.blobs, |position| progress(position, head)).await?;
            compare(&source.proofs, &mut report).await?;
            Ok(report)
        }
    }
}

/// Compares the log with every checkpoint that was signed of it.
async fn compare(proofs: &ProofLog, report: &mut VerifyReport) -> anyhow::Result<()> {
    match proofs.compare_with_checkpoints(|_| {}).await {
        Ok(checkpoints) => report.checkpoints = checkpoints,
        Err(error @ ProofsError::HistoryChanged { position, .. }) => report.fault(position, error.to_string()),
        // Rows that are missing were told.
        Err(ProofsError::Log(LogError::Corrupt { .. })) if !report.is_whole() => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Whether a backup may be written there: nothing is there, or only a copy that was not finished.
///
/// # Errors
/// When that cannot be found out.
pub async fn may_be_restored_to(location: &Location) -> anyhow::Result<bool> {
    match location {
        Location::Folder(path) => Ok(is_empty(path)? || SqliteImport::is_unfinished_copy(path)?),
        Location::Server(_) => Ok(false),
        Location::Postgres(url) => match PostgresSource::open_with(&Address::parse(url)?, shared_segments()).await {
            Ok(_) => Ok(false),
            Err(PostgresOpenError::NoLog { .. } | PostgresOpenError::UnfinishedCopy { .. }) => Ok(true),
            Err(error) => Err(error.into()),
        },
    }
}

fn is_empty(folder: &Path) -> anyhow::Result<bool> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", folder.display())),
    };
    let names: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.file_name())).collect();
    Ok(names?.iter().all(|name| name == LOCK_FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_told_apart_and_passwords_are_not_shown() {
        let parsed = |text| Location::parse(text).unwrap();
        assert_eq!(parsed("./data"), Location::Folder("./data".into()));
        assert_eq!(parsed("http://127.0.0.1:8080/"), Location::Server("http://127.0.0.1:8080".to_owned()));
        let database = parsed("postgres://timeloom:secret@db/timeloom");
        assert!(matches!(database, Location::Postgres(_)) && !database.to_string().contains("secret"));
        for wrong in ["ftp://host/data", ""] {
            assert!(Location::parse(wrong).unwrap_err().to_string().contains("give a data folder"), "{wrong}");
        }
    }
}
