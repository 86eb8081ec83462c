//! Where everything is kept: a data folder, a database, or memory. The rest of the program does not know which.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use timeloom_archive::{Archiver, Places, SegmentReader};
use timeloom_commands::credentials::keys::KeySource;
use timeloom_commands::erasure::destroy_erased;
use timeloom_commands::{Ids as _, SystemIds};
use timeloom_engine::checkpoint::{Checkpoint, CheckpointStore, NoCheckpoint};
use timeloom_projections::{PostgresPlace, ReadModelStore};
use timeloom_read_api::StoredLog;
use timeloom_store::archive::{Archivable, Segments};
use timeloom_store::claims::{Claims, OneProcess};
use timeloom_store::clock::SystemClock;
use timeloom_store::leases::{AllShards, Roles, WorkerId, Workers};
use timeloom_store::mark::{Mark, NoMark};
use timeloom_store::memory::{MemoryBlobs, MemoryLog};
use timeloom_store::proofs::ProofLog;
use timeloom_store::{
    BlobStore, EventLog, Leases, LogError, LogTransfer, MemorySubjectKeys, Position, SealingLog, SnapshotStore,
    SubjectKeys,
};
use timeloom_store_postgres::{Address, PostgresLeases, PostgresLog, PostgresOptions};
use timeloom_store_sqlite::{
    DataFolder, SqliteBlobs, SqliteLog, SqliteOptions, SqliteSnapshots, SqliteSubjectKeys, SqliteTree,
};

use crate::config::Config;
use crate::erasure::Masters;
use crate::followed::{self, Followed};
use crate::keys::{KeyPlace, credential_keys};
use crate::marks::{DatabaseMark, FileMark};

/// Name of the file that remembers the engine's place in the log, and of the mark that does in a database.
const CHECKPOINT: &str = "engine.checkpoint";
/// Name under which a database remembers the executions that are open.
const OPEN: &str = "engine.open";

/// What an opened place has.
pub struct Store {
    /// The log, in which what is about subjects is sealed on its way in and opened on its way out.
    pub log: Arc<dyn EventLog>,
    /// The same, as what seals.
    pub sealing: Arc<SealingLog>,
    /// The same log as it is stored: what is sealed is seen sealed.
    pub sealed: Arc<dyn EventLog>,
    /// The keys of subjects.
    pub subject_keys: Arc<dyn SubjectKeys>,
    /// The keys of credentials, under which those of subjects lie.
    pub keys: Arc<dyn KeySource>,
    /// The log as it is stored; `None` where nothing is.
    pub stored: Option<StoredLog>,
    /// The log and the tree over it; `None` where nothing is stored.
    pub proofs: Option<ProofLog>,
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
    /// What is followed, where the log is on a server.
    followed: Option<Followed>,
}

#[derive(Clone)]
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
        match (&config.database, &config.store) {
            (Some(url), _) => Self::in_database(url, config, roles).await,
            (None, Some(url)) => followed::open(url, config).await,
            (None, None) => Self::in_folder(config).await,
        }
    }

    /// What keeps the log.
    pub fn backend(&self) -> &'static str {
        match self.place {
            Place::Folder(..) => "sqlite",
            Place::Database(..) => "postgresql",
            Place::Memory(_) => "memory",
        }
    }

    async fn in_folder(config: &Config) -> anyhow::Result<Self> {
        let folder = Arc::new(DataFolder::acquire(&config.data)?);
        followed::refuse(&folder)?;
        let options = SqliteOptions {
            durability: config.durability.choice(),
            segments: segments_of(folder.path()),
            ..SqliteOptions::new(SystemIds.uuid(), Arc::new(SystemClock))
        };
        let (log, blobs) = SqliteLog::open_in(Arc::clone(&folder), options)?;
        let seen = (Arc::clone(&log) as Arc<dyn EventLog>, Arc::clone(&blobs) as Arc<dyn BlobStore>);
        Self::of_folder(config, &folder, log, blobs, seen, None).await
    }

    /// What is in a folder: the log and the blobs there, and those that are `seen`, which may be elsewhere.
    ///
    /// # Errors
    /// When the keys that are there cannot be used.
    pub async fn of_folder(
        config: &Config,
        folder: &Arc<DataFolder>,
        log: Arc<SqliteLog>,
        own: Arc<SqliteBlobs>,
        (sealed, blobs): (Arc<dyn EventLog>, Arc<dyn BlobStore>),
        followed: Option<Followed>,
    ) -> anyhow::Result<Self> {
        let all = all_shards();
        let tree = SqliteTree::open(Arc::clone(folder))?;
        let keys = credential_keys(config, KeyPlace::Folder(&config.data))?;
        let masters = Arc::new(Masters(Arc::clone(&keys)));
        let subject_keys: Arc<dyn SubjectKeys> = SqliteSubjectKeys::open(Arc::clone(folder), masters)?;
        destroy_erased(&*sealed, &*subject_keys).await.context("the keys of erased subjects are not destroyed")?;
        let sealing = SealingLog::new(
            Arc::clone(&sealed),
            Arc::clone(&subject_keys),
            Arc::new(SystemClock),
            config.seal_accounts,
        );
        Ok(Self {
            log: Arc::clone(&sealing) as Arc<dyn EventLog>,
            sealing,
            sealed,
            subject_keys,
            keys,
            proofs: Some(ProofLog::new(Arc::clone(&log) as Arc<dyn LogTransfer>, tree)),
            stored: Some(StoredLog { log: Arc::clone(&log) as Arc<dyn LogTransfer>, blobs: own }),
            blobs,
            read_models: folder.path().into(),
            checkpoints: Arc::new(FileCheckpoint { path: folder.path().join(CHECKPOINT) }),
            snapshots: snapshots(folder),
            leases: Arc::clone(&all) as Arc<dyn Leases>,
            workers: Arc::clone(&all) as Arc<dyn Workers>,
            place: Place::Folder(log, all),
            followed,
        })
    }

    async fn in_database(url: &str, config: &Config, roles: Roles) -> anyhow::Result<Self> {
        let options = PostgresOptions {
            durability: config.durability.choice(),
            segments: shared_segments(),
            ..PostgresOptions::new(SystemIds.uuid(), Arc::new(SystemClock))
        };
        let address = Address::parse(url)?;
        let (log, blobs) = PostgresLog::open(&address, options).await?;
        let leases = log.leases(worker_id(), roles);
        let keys = credential_keys(config, KeyPlace::Nowhere)?;
        let masters = Arc::new(Masters(Arc::clone(&keys)));
        let subject_keys: Arc<dyn SubjectKeys> = log.subject_keys(masters).await?;
        let sealed = Arc::clone(&log) as Arc<dyn EventLog>;
        destroy_erased(&*sealed, &*subject_keys).await.context("the keys of erased subjects are not destroyed")?;
        let place = PostgresPlace { config: address.config().clone(), tls: address.tls().clone() };
        let sealing = SealingLog::new(
            Arc::clone(&sealed),
            Arc::clone(&subject_keys),
            Arc::new(SystemClock),
            config.seal_accounts,
        );
        Ok(Self {
            log: Arc::clone(&sealing) as Arc<dyn EventLog>,
            sealing,
            sealed,
            subject_keys,
            keys,
            proofs: Some(ProofLog::new(Arc::clone(&log) as Arc<dyn LogTransfer>, Arc::new(log.tree()))),
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
            followed: None,
        })
    }

    /// A log in memory, with read models in `folder`.
    ///
    /// # Errors
    /// When the keys that are given cannot be used.
    pub fn in_memory(config: &Config, folder: &Path) -> anyhow::Result<Self> {
        let all = all_shards();
        let keys = credential_keys(config, KeyPlace::Memory)?;
        let subject_keys: Arc<dyn SubjectKeys> = Arc::new(MemorySubjectKeys::new(Arc::new(Masters(Arc::clone(&keys)))));
        let sealed: Arc<dyn EventLog> = MemoryLog::new(Arc::new(SystemClock));
        let sealing = SealingLog::new(
            Arc::clone(&sealed),
            Arc::clone(&subject_keys),
            Arc::new(SystemClock),
            config.seal_accounts,
        );
        Ok(Self {
            log: Arc::clone(&sealing) as Arc<dyn EventLog>,
            sealing,
            sealed,
            subject_keys,
            keys,
            stored: None,
            proofs: None,
            blobs: MemoryBlobs::new(),
            read_models: folder.into(),
            checkpoints: Arc::new(NoCheckpoint),
            snapshots: None,
            leases: Arc::clone(&all) as Arc<dyn Leases>,
            workers: Arc::clone(&all) as Arc<dyn Workers>,
            place: Place::Memory(all),
            followed: None,
        })
    }

    /// Where keys are when they are not given.
    pub fn key_place<'a>(&self, config: &'a Config) -> KeyPlace<'a> {
        match &self.place {
            Place::Folder(..) => KeyPlace::Folder(&config.data),
            Place::Database(..) => KeyPlace::Nowhere,
            Place::Memory(_) => KeyPlace::Memory,
        }
    }

    /// What moves old ranges of the log into the archive, and tells of them in `log`; `None` where rows cannot be dropped.
    pub fn archiver(&self, log: &Arc<dyn EventLog>) -> Option<Arc<Archiver>> {
        if self.followed.is_some() {
            return None;
        }
        let (rows, places) = match &self.place {
            Place::Folder(rows, _) => (Arc::clone(rows) as Arc<dyn Archivable>, Places::new(rows.folder().path())),
            Place::Database(rows, _) => (Arc::clone(rows) as Arc<dyn Archivable>, Places::shared()),
            Place::Memory(_) => return None,
        };
        Some(Arc::new(Archiver::new(Arc::clone(log), rows, places, || SystemIds.uuid())))
    }

    /// Remembers how far a part of the program came.
    pub fn mark(&self, name: &str) -> Arc<dyn Mark> {
        self.marks()(name)
    }

    /// The same for parts that find out their names later.
    pub fn marks(&self) -> impl Fn(&str) -> Arc<dyn Mark> + Send + Sync + 'static {
        let place = self.place.clone();
        move |name| match &place {
            Place::Folder(log, _) => Arc::new(FileMark { path: log.folder().path().join(name) }),
            Place::Database(log, _) => Arc::new(DatabaseMark { log: Arc::clone(log), name: name.to_owned() }),
            Place::Memory(_) => Arc::new(NoMark),
        }
    }

    /// What one process at a time does, where several have the log.
    pub fn claims(&self) -> Arc<dyn Claims> {
        match &self.place {
            Place::Database(log, _) => Arc::new(log.claims()),
            Place::Folder(..) | Place::Memory(_) => Arc::new(OneProcess),
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
        if let Some(followed) = &self.followed {
            followed.close().await;
        }
        match &self.place {
            Place::Folder(log, _) => log.close().await,
            Place::Database(log, _) => log.close().await,
            Place::Memory(_) => {}
        }
    }
}

/// Reads what is in the archive of the log in a data folder.
pub fn segments_of(folder: &Path) -> Arc<dyn Segments> {
    Arc::new(SegmentReader::new(Places::new(folder)))
}

/// Reads what is in the archive of a log in a database.
pub fn shared_segments() -> Arc<dyn Segments> {
    Arc::new(SegmentReader::new(Places::shared()))
}

/// Each life of a process is a worker of its own.
fn worker_id() -> WorkerId {
    WorkerId(SystemIds.uuid())
}

/// All shards for the only process of a log.
pub(crate) fn all_shards() -> Arc<AllShards> {
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
