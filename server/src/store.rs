//! Where everything is kept: a data folder, a database, or memory. The rest of the program does not know which.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use timeloom_commands::{Ids as _, SystemIds};
use timeloom_engine::checkpoint::{CheckpointStore, NoCheckpoint};
use timeloom_projections::{PostgresPlace, ReadModelStore};
use timeloom_read_api::StoredLog;
use timeloom_store::clock::SystemClock;
use timeloom_store::memory::{MemoryBlobs, MemoryLog};
use timeloom_store::{BlobStore, EventLog, LogError, LogTransfer, Position, SnapshotStore};
use timeloom_store_postgres::{Address, Leader, PostgresLog, PostgresOptions};
use timeloom_store_sqlite::{DataFolder, SqliteLog, SqliteOptions, SqliteSnapshots};

use crate::config::Config;

/// Name of the file that remembers the engine's place in the log, and of the mark that does in a database.
const CHECKPOINT: &str = "engine.checkpoint";
/// The role of the process that runs executions.
const ENGINE: &str = "engine";

/// What an opened place has.
pub struct Store {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// The log as it is stored; `None` where nothing is.
    pub stored: Option<StoredLog>,
    /// What is too large for events: payloads and attachments.
    pub blobs: Arc<dyn BlobStore>,
    /// Where read models are.
    pub read_models: ReadModelStore,
    /// Where the engine remembers its place.
    pub checkpoints: Arc<dyn CheckpointStore>,
    /// Where folded states of long streams are.
    pub snapshots: Option<Arc<dyn SnapshotStore>>,
    place: Place,
}

enum Place {
    Folder(Arc<SqliteLog>),
    Database(Arc<PostgresLog>),
    Memory,
}

/// The role of the process that runs executions, as long as this is kept.
pub struct Leadership(Option<Leader>);

impl Leadership {
    /// Returns when another process may have the role: never where only one process can have the log.
    pub async fn lost(&self) {
        match &self.0 {
            Some(leader) => leader.lost().await,
            None => std::future::pending().await,
        }
    }
}

impl Store {
    /// Opens what `config` names.
    ///
    /// # Errors
    /// When it is in use, cannot be written, or was written by a newer version; the message says what to do.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        match &config.database {
            Some(url) => Self::in_database(url, config).await,
            None => Self::in_folder(config),
        }
    }

    fn in_folder(config: &Config) -> anyhow::Result<Self> {
        let folder = Arc::new(DataFolder::acquire(&config.data)?);
        let options = SqliteOptions {
            durability: config.durability.choice(),
            ..SqliteOptions::new(SystemIds.uuid(), Arc::new(SystemClock))
        };
        let (log, blobs) = SqliteLog::open_in(Arc::clone(&folder), options)?;
        Ok(Self {
            log: Arc::clone(&log) as Arc<dyn EventLog>,
            stored: Some(StoredLog {
                log: Arc::clone(&log) as Arc<dyn LogTransfer>,
                blobs: Arc::clone(&blobs) as Arc<dyn BlobStore>,
            }),
            blobs,
            read_models: folder.path().into(),
            checkpoints: Arc::new(FileCheckpoint { path: folder.path().join(CHECKPOINT) }),
            snapshots: snapshots(&folder),
            place: Place::Folder(log),
        })
    }

    async fn in_database(url: &str, config: &Config) -> anyhow::Result<Self> {
        let options = PostgresOptions {
            durability: config.durability.choice(),
            ..PostgresOptions::new(SystemIds.uuid(), Arc::new(SystemClock))
        };
        let address = Address::parse(url)?;
        let (log, blobs) = PostgresLog::open(&address, options).await?;
        let place = PostgresPlace { config: address.config().clone(), tls: address.tls().clone() };
        Ok(Self {
            log: Arc::clone(&log) as Arc<dyn EventLog>,
            stored: Some(StoredLog {
                log: Arc::clone(&log) as Arc<dyn LogTransfer>,
                blobs: Arc::clone(&blobs) as Arc<dyn BlobStore>,
            }),
            blobs,
            read_models: ReadModelStore::Postgres(Box::new(place)),
            checkpoints: Arc::new(MarkCheckpoint(Arc::clone(&log))),
            snapshots: Some(Arc::new(log.snapshots())),
            place: Place::Database(log),
        })
    }

    /// A log in memory, with read models in `folder`.
    pub fn in_memory(folder: &Path) -> Self {
        Self {
            log: MemoryLog::new(Arc::new(SystemClock)),
            stored: None,
            blobs: MemoryBlobs::new(),
            read_models: folder.into(),
            checkpoints: Arc::new(NoCheckpoint),
            snapshots: None,
            place: Place::Memory,
        }
    }

    /// Tells other processes of this machine where this one can be reached, if they cannot use the place beside it.
    ///
    /// # Errors
    /// When the folder's lock file cannot be written.
    pub fn announce(&self, url: &str) -> anyhow::Result<()> {
        match &self.place {
            Place::Folder(log) => Ok(log.folder().set_owner_url(url)?),
            Place::Database(_) | Place::Memory => Ok(()),
        }
    }

    /// Takes the role of running executions; `None` when another process has it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn try_lead(&self) -> anyhow::Result<Option<Leadership>> {
        match &self.place {
            Place::Database(log) => Ok(log.try_lead(ENGINE).await?.map(|leader| Leadership(Some(leader)))),
            Place::Folder(_) | Place::Memory => Ok(Some(Leadership(None))),
        }
    }

    /// Waits for the role of running executions.
    pub async fn lead(&self) -> Leadership {
        match &self.place {
            Place::Database(log) => Leadership(Some(log.lead(ENGINE).await)),
            Place::Folder(_) | Place::Memory => Leadership(None),
        }
    }

    /// Takes the role again after it was lost; `None` when another process has it by now. A database that is out of reach
    /// is waited for.
    pub async fn lead_again(&self, before: Leadership) -> Option<Leadership> {
        match (&self.place, before.0) {
            (Place::Database(log), Some(before)) => {
                log.lead_again(ENGINE, before).await.map(|leader| Leadership(Some(leader)))
            }
            (_, before) => Some(Leadership(before)),
        }
    }

    /// Finishes what waits and closes the log.
    pub async fn close(&self) {
        match &self.place {
            Place::Folder(log) => log.close().await,
            Place::Database(log) => log.close().await,
            Place::Memory => {}
        }
    }
}

/// The snapshots of a data folder. Without them everything is as it is with them, and some of it takes longer.
fn snapshots(folder: &Arc<DataFolder>) -> Option<Arc<dyn SnapshotStore>> {
    match SqliteSnapshots::open(Arc::clone(folder)) {
        Ok(snapshots) => Some(snapshots),
        Err(error) => {
            tracing::warn!(%error, "there are no snapshots in this run");
            None
        }
    }
}

/// The engine's place in the log, in a file of the data folder.
struct FileCheckpoint {
    path: PathBuf,
}

#[async_trait]
impl CheckpointStore for FileCheckpoint {
    async fn load(&self) -> Result<Position, LogError> {
        match tokio::fs::read_to_string(&self.path).await {
            // A damaged file only costs time: the log is read from its start.
            Ok(text) => Ok(text.trim().parse().map_or(Position::START, Position)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Position::START),
            Err(error) => Err(LogError::storage(error)),
        }
    }

    async fn save(&self, position: Position) -> Result<(), LogError> {
        let next = self.path.with_extension("next");
        tokio::fs::write(&next, position.to_string()).await.map_err(LogError::storage)?;
        tokio::fs::rename(&next, &self.path).await.map_err(LogError::storage)
    }
}

/// The engine's place in the log, in the database.
struct MarkCheckpoint(Arc<PostgresLog>);

#[async_trait]
impl CheckpointStore for MarkCheckpoint {
    async fn load(&self) -> Result<Position, LogError> {
        self.0.mark(CHECKPOINT).await
    }

    async fn save(&self, position: Position) -> Result<(), LogError> {
        self.0.set_mark(CHECKPOINT, position).await
    }
}
