//! Where everything is kept: a data folder, a database, or memory. The rest of the program does not know which.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use timeloom_commands::{Ids as _, SystemIds};
use timeloom_engine::checkpoint::{Checkpoint, CheckpointStore, NoCheckpoint};
use timeloom_projections::{PostgresPlace, ReadModelStore};
use timeloom_read_api::StoredLog;
use timeloom_store::clock::SystemClock;
use timeloom_store::leases::{AllShards, Roles, WorkerId, Workers};
use timeloom_store::mark::{Mark, NoMark};
use timeloom_store::memory::{MemoryBlobs, MemoryLog};
use timeloom_store::{BlobStore, EventLog, Leases, LogError, LogTransfer, Position, SnapshotStore};
use timeloom_store_postgres::{Address, PostgresLeases, PostgresLog, PostgresOptions};
use timeloom_store_sqlite::{DataFolder, SqliteLog, SqliteOptions, SqliteSnapshots};

use crate::config::Config;
use crate::keys::KeyPlace;
use crate::marks::{DatabaseMark, FileMark};

/// Name of the file that remembers the engine's place in the log, and of the mark that does in a database.
const CHECKPOINT: &str = "engine.checkpoint";
/// Name under which a database remembers the executions that are open.
const OPEN: &str = "engine.open";

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
    /// The shards of executions that this process has.
    pub leases: Arc<dyn Leases>,
    /// The processes of the log.
    pub workers: Arc<dyn Workers>,
    place: Place,
}

enum Place {
    Folder(Arc<SqliteLog>, Arc<AllShards>),
    Database(Arc<PostgresLog>, Arc<PostgresLeases>),
    Memory(Arc<AllShards>),
}

impl Store {
    /// Opens what `config` names, for a process with these roles.
    ///
    /// # Errors
    /// When it is in use, cannot be written, or was written by a newer version; the message says what to do.
    pub async fn open(config: &Config, roles: Roles) -> anyhow::Result<Self> {
        match &config.database {
            Some(url) => Self::in_database(url, config, roles).await,
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
        let all = all_shards();
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
            leases: Arc::clone(&all) as Arc<dyn Leases>,
            workers: Arc::clone(&all) as Arc<dyn Workers>,
            place: Place::Folder(log, all),
        })
    }

    async fn in_database(url: &str, config: &Config, roles: Roles) -> anyhow::Result<Self> {
        let options = PostgresOptions {
            durability: config.durability.choice(),
            ..PostgresOptions::new(SystemIds.uuid(), Arc::new(SystemClock))
        };
        let address = Address::parse(url)?;
        let (log, blobs) = PostgresLog::open(&address, options).await?;
        let leases = log.leases(worker_id(), roles);
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
            leases: Arc::clone(&leases) as Arc<dyn Leases>,
            workers: Arc::clone(&log) as Arc<dyn Workers>,
            place: Place::Database(log, leases),
        })
    }

    /// A log in memory, with read models in `folder`.
    pub fn in_memory(folder: &Path) -> Self {
        let all = all_shards();
        Self {
            log: MemoryLog::new(Arc::new(SystemClock)),
            stored: None,
            blobs: MemoryBlobs::new(),
            read_models: folder.into(),
            checkpoints: Arc::new(NoCheckpoint),
            snapshots: None,
            leases: Arc::clone(&all) as Arc<dyn Leases>,
            workers: Arc::clone(&all) as Arc<dyn Workers>,
            place: Place::Memory(all),
        }
    }

    /// Where the keys of credentials are when they are not given.
    pub fn key_place<'a>(&self, config: &'a Config) -> KeyPlace<'a> {
        match &self.place {
            Place::Folder(..) => KeyPlace::Folder(&config.data),
            Place::Database(..) => KeyPlace::Nowhere,
            Place::Memory(_) => KeyPlace::Memory,
        }
    }

    /// Remembers how far a part of the program came.
    pub fn mark(&self, name: &str) -> Arc<dyn Mark> {
        match &self.place {
            Place::Folder(log, _) => Arc::new(FileMark { path: log.folder().path().join(name) }),
            Place::Database(log, _) => Arc::new(DatabaseMark { log: Arc::clone(log), name: name.to_owned() }),
            Place::Memory(_) => Arc::new(NoMark),
        }
    }

    /// Tells other processes where this one can be reached, and lets it have shards of executions.
    ///
    /// # Errors
    /// When the folder's lock file cannot be written.
    pub fn join(&self, url: &str) -> anyhow::Result<()> {
        match &self.place {
            Place::Folder(log, all) => {
                log.folder().set_owner_url(url)?;
                all.join(url);
            }
            Place::Memory(all) => all.join(url),
            Place::Database(_, leases) => leases.join(url),
        }
        Ok(())
    }

    /// Whether other processes may work on the same log.
    pub fn is_shared(config: &Config) -> bool {
        config.database.is_some()
    }

    /// Finishes what waits and closes the log.
    pub async fn close(&self) {
        match &self.place {
            Place::Folder(log, _) => log.close().await,
            Place::Database(log, _) => log.close().await,
            Place::Memory(_) => {}
        }
    }
}

/// Each life of a process is a worker of its own.
fn worker_id() -> WorkerId {
    WorkerId(SystemIds.uuid())
}

/// All shards for the only process of a log.
fn all_shards() -> Arc<AllShards> {
    Arc::new(AllShards::new(worker_id(), Roles::all(), Arc::new(SystemClock)))
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
    async fn load(&self) -> Result<Checkpoint, LogError> {
        match tokio::fs::read_to_string(&self.path).await {
            Ok(text) => Ok(read_checkpoint(&text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Checkpoint::default()),
            Err(error) => Err(LogError::storage(error)),
        }
    }

    async fn save(&self, checkpoint: &Checkpoint) -> Result<(), LogError> {
        let (next, text) = (self.path.with_extension("next"), serde_json::to_string(checkpoint));
        tokio::fs::write(&next, text.map_err(LogError::storage)?).await.map_err(LogError::storage)?;
        tokio::fs::rename(&next, &self.path).await.map_err(LogError::storage)
    }
}

/// Older builds wrote the settled position alone. What is damaged only costs time: the log is read from its start.
fn read_checkpoint(text: &str) -> Checkpoint {
    match text.trim().parse() {
        Ok(settled) => Checkpoint::settled_at(Position(settled)),
        Err(_) => serde_json::from_str(text).unwrap_or_default(),
    }
}

/// The engine's place in the log, in the database: the settled position, which builds of before read as well, and apart from
/// it the executions that were open.
struct MarkCheckpoint(Arc<PostgresLog>);

#[async_trait]
impl CheckpointStore for MarkCheckpoint {
    async fn load(&self) -> Result<Checkpoint, LogError> {
        let settled = self.0.mark(CHECKPOINT).await?;
        let open = self.0.note(OPEN).await?.map(|(_, text)| read_checkpoint(&text));
        // An older build may have gone on since: then everything that was open has ended.
        let open = open.filter(|open| open.position() >= settled);
        Ok(open.unwrap_or_else(|| Checkpoint::settled_at(settled)))
    }

    async fn save(&self, checkpoint: &Checkpoint) -> Result<(), LogError> {
        let text = serde_json::to_string(checkpoint).map_err(LogError::storage)?;
        self.0.set_note(OPEN, checkpoint.position(), &text).await?;
        self.0.set_mark(CHECKPOINT, checkpoint.settled).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_any_build_wrote_it() {
        assert_eq!(read_checkpoint("42\n"), Checkpoint::settled_at(Position(42)));
        let checkpoint = Checkpoint { settled: Position(3), seen: Position(9), open: Some(Vec::new()) };
        assert_eq!(read_checkpoint(&serde_json::to_string(&checkpoint).unwrap()), checkpoint);
        assert_eq!(read_checkpoint("{\"settled\":5"), Checkpoint::default(), "what is damaged costs time alone");
    }
}
