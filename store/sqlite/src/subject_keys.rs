//! Keys of subjects in a file of their own, `keys/subjects.db` of the data folder, apart from the log.
//!
//! Invariants: a new key is on the disk before anything is sealed with it; a destroyed key is in the file no more when that
//! is answered, nor in what SQLite keeps beside it; one connection reads and writes. Keys lie there wrapped under a master
//! key, so that neither the file nor a copy of it opens anything by itself.

use std::collections::{HashMap, HashSet};
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use timeloom_domain::ids::TenantId;
use timeloom_store::subjects::vault::{Finder, MasterKeys, StoredKey, Wrapped, read_backup, write_backup};
use timeloom_store::{FoundKey, KeyId, SubjectKey, SubjectKeyError, SubjectKeys};
use uuid::Uuid;

use crate::error::OpenError;
use crate::folder::DataFolder;

/// The folder of keys in a data folder.
const KEYS_FOLDER: &str = "keys";
/// Name of the file in it.
const FILE: &str = "subjects.db";
/// Marks the file as ours: `TSub` in ASCII.
const APPLICATION_ID: u32 = 0x5453_7562;
/// Version of the tables.
const SCHEMA_VERSION: u32 = 1;
/// Keys that are kept opened in memory; of one that was let go the file is read again.
const OPENED_MAX: usize = 16_384;

const TABLES: &str = "
CREATE TABLE subject_keys (
    made      INTEGER PRIMARY KEY, -- counts up: of a subject's keys the greatest seals
    id        BLOB    NOT NULL UNIQUE,
    tenant_id INTEGER NOT NULL,
    found_by  TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    master    TEXT    NOT NULL,
    sealed    TEXT    NOT NULL
) STRICT;
CREATE INDEX subject_keys_by_subject ON subject_keys (tenant_id, found_by, made);
CREATE TABLE destroyed (id BLOB PRIMARY KEY NOT NULL) STRICT;
CREATE TABLE finder (one INTEGER PRIMARY KEY CHECK (one = 1), master TEXT NOT NULL, sealed TEXT NOT NULL) STRICT;
";

const COLUMNS: &str = "id, tenant_id, found_by, name, master, sealed";

/// [`SubjectKeys`] in a data folder.
pub struct SqliteSubjectKeys {
    kept: Arc<Mutex<Kept>>,
    masters: Arc<dyn MasterKeys>,
    /// The folder belongs to this process as long as this is used.
    _folder: Arc<DataFolder>,
}

struct Kept {
    path: PathBuf,
    /// Made with the first key, so that a folder without subjects has no such file.
    connection: Option<Connection>,
    finder: Option<Arc<Finder>>,
    opened: HashMap<KeyId, SubjectKey>,
    destroyed: HashSet<KeyId>,
    held: HashSet<KeyId>,
}

impl std::fmt::Debug for SqliteSubjectKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SqliteSubjectKeys").finish_non_exhaustive()
    }
}

impl SqliteSubjectKeys {
    /// Opens the keys of a data folder, which are wrapped under `masters`. What lies under an older master key is wrapped
    /// under the newest.
    ///
    /// # Errors
    /// [`OpenError`] when the file cannot be used.
    pub fn open(folder: Arc<DataFolder>, masters: Arc<dyn MasterKeys>) -> Result<Arc<Self>, OpenError> {
        let path = folder.path().join(KEYS_FOLDER).join(FILE);
        let mut kept = Kept {
            path: path.clone(),
            connection: None,
            finder: None,
            opened: HashMap::new(),
            destroyed: HashSet::new(),
            held: HashSet::new(),
        };
        if path.exists() {
            let failed = |error: rusqlite::Error| OpenError::Storage { path: path.clone(), error: error.into() };
            kept.begin().map_err(failed)?;
            kept.destroyed = kept.read_destroyed().map_err(failed)?;
            if let Err(error) = kept.rewrap(&*masters) {
                tracing::warn!(%error, "keys of subjects are not wrapped under the newest master key");
            }
        }
        Ok(Arc::new(Self { kept: Arc::new(Mutex::new(kept)), masters, _folder: folder }))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Kept, &dyn MasterKeys) -> Result<T, SubjectKeyError> + Send + 'static,
    ) -> Result<T, SubjectKeyError> {
        let (kept, masters) = (Arc::clone(&self.kept), Arc::clone(&self.masters));
        let work = move || work(&mut kept.lock().unwrap_or_else(PoisonError::into_inner), &*masters);
        tokio::task::spawn_blocking(work).await.map_err(SubjectKeyError::storage)?
    }
}

#[async_trait]
impl SubjectKeys for SqliteSubjectKeys {
    async fn of_subject(&self, tenant: TenantId, subject: &str) -> Result<SubjectKey, SubjectKeyError> {
        let subject = subject.to_owned();
        self.work(move |kept, masters| {
            kept.make_file()?;
            let finder = kept.finder(masters)?;
            let found = kept.find(tenant, &finder.found_by(tenant, &subject))?;
            if let Some(id) = found.first() {
                if kept.held.contains(id) {
                    return Err(SubjectKeyError::BeingErased);
                }
                return match kept.key(masters, *id)? {
                    FoundKey::Key(key) => Ok(key),
                    FoundKey::Erased | FoundKey::Lost => Err(SubjectKeyError::Damaged(*id)),
                };
            }
            let (key, stored) = finder.make_key(masters, tenant, &subject)?;
            kept.insert(&[stored], false)?;
            kept.remember(&key);
            Ok(key)
        })
        .await
    }

    async fn find(&self, tenant: TenantId, subject: &str) -> Result<Vec<KeyId>, SubjectKeyError> {
        let subject = subject.to_owned();
        self.work(move |kept, masters| {
            if kept.connection.is_none() {
                return Ok(Vec::new());
            }
            let finder = kept.finder(masters)?;
            kept.find(tenant, &finder.found_by(tenant, &subject))
        })
        .await
    }

    /// Waits for nothing: a key that is not in memory is read from the file at once, by its id.
    async fn open(&self, id: KeyId) -> Result<FoundKey, SubjectKeyError> {
        self.lock().key(&*self.masters, id)
    }

    async fn destroy(&self, ids: &[KeyId]) -> Result<(), SubjectKeyError> {
        let ids = ids.to_vec();
        self.work(move |kept, _| kept.destroy(&ids)).await
    }

    fn hold_back(&self, ids: &[KeyId], held: bool) {
        let mut kept = self.lock();
        for id in ids {
            if held {
                kept.held.insert(*id)
            } else {
                kept.held.remove(id)
            };
        }
    }

    async fn backup(&self) -> Result<String, SubjectKeyError> {
        self.work(|kept, _| {
            let Some(connection) = &kept.connection else { return write_backup(&[]) };
            write_backup(&all(connection).map_err(SubjectKeyError::storage)?)
        })
        .await
    }

    async fn restore(&self, backup: &str) -> Result<u64, SubjectKeyError> {
        let stored = read_backup(backup)?;
        self.work(move |kept, masters| {
            kept.make_file()?;
            let finder = kept.finder(masters)?;
            let mut taken = Vec::new();
            for stored in stored {
                let is_known = kept.stored(stored.id)?.is_some();
                if !is_known && !kept.destroyed.contains(&stored.id) {
                    taken.push(finder.adopted(masters, stored)?);
                }
            }
            kept.insert(&taken, true)?;
            Ok(taken.len() as u64)
        })
        .await
    }
}

impl Kept {
    /// Opens the file, or makes it, for its owner alone.
    fn begin(&mut self) -> rusqlite::Result<()> {
        let connection = Connection::open(&self.path)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA secure_delete = ON;
             PRAGMA temp_store = MEMORY;
             PRAGMA trusted_schema = OFF;
             PRAGMA busy_timeout = 5000;",
        )?;
        let number = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, u32>(0));
        if number("SELECT count(*) FROM sqlite_schema")? == 0 {
            connection.execute_batch(&format!(
                "BEGIN; {TABLES}
                 PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            ))?;
        } else if number("PRAGMA application_id")? != APPLICATION_ID || number("PRAGMA user_version")? != SCHEMA_VERSION
        {
            return Err(rusqlite::Error::InvalidQuery);
        }
        self.connection = Some(connection);
        Ok(())
    }

    fn make_file(&mut self) -> Result<(), SubjectKeyError> {
        if self.connection.is_some() {
            return Ok(());
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        let made = made
            .and_then(|()| OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&self.path));
        made.and_then(|_| std::fs::File::open(folder)?.sync_all()).map_err(SubjectKeyError::storage)?;
        self.begin().map_err(SubjectKeyError::storage)?;
        // Whom the log says to be erased was told before there was a file.
        let destroyed: Vec<KeyId> = self.destroyed.iter().copied().collect();
        if destroyed.is_empty() { Ok(()) } else { self.destroy(&destroyed) }
    }

    fn connection(&mut self) -> Result<&mut Connection, SubjectKeyError> {
        self.connection.as_mut().ok_or(SubjectKeyError::Unavailable("the file of keys is not open"))
    }

    fn read_destroyed(&self) -> rusqlite::Result<HashSet<KeyId>> {
        let Some(connection) = &self.connection else { return Ok(HashSet::new()) };
        let mut statement = connection.prepare("SELECT id FROM destroyed")?;
        let ids = statement.query_map([], |row| Ok(KeyId(Uuid::from_bytes(row.get(0)?))))?;
        ids.collect()
    }

    fn finder(&mut self, masters: &dyn MasterKeys) -> Result<Arc<Finder>, SubjectKeyError> {
        if let Some(finder) = &self.finder {
            return Ok(Arc::clone(finder));
        }
        let connection = self.connection()?;
        let finder = match stored_finder(connection).map_err(SubjectKeyError::storage)? {
            Some(wrapped) => Finder::open(masters, &wrapped)?,
            None => {
                let (finder, wrapped) = Finder::make(masters)?;
                put_finder(connection, &wrapped).map_err(SubjectKeyError::storage)?;
                finder
            }
        };
        Ok(Arc::clone(self.finder.insert(Arc::new(finder))))
    }

    fn find(&mut self, tenant: TenantId, found_by: &str) -> Result<Vec<KeyId>, SubjectKeyError> {
        let read = |connection: &mut Connection| {
            let sql = "SELECT id FROM subject_keys WHERE tenant_id = ?1 AND found_by = ?2 ORDER BY made DESC";
            let mut statement = connection.prepare_cached(sql)?;
            let ids =
                statement.query_map(params![tenant.0, found_by], |row| Ok(KeyId(Uuid::from_bytes(row.get(0)?))))?;
            ids.collect::<rusqlite::Result<Vec<_>>>()
        };
        read(self.connection()?).map_err(SubjectKeyError::storage)
    }

    fn stored(&self, id: KeyId) -> Result<Option<StoredKey>, SubjectKeyError> {
        let Some(connection) = &self.connection else { return Ok(None) };
        let read = || {
            let mut statement =
                connection.prepare_cached(&format!("SELECT {COLUMNS} FROM subject_keys WHERE id = ?1"))?;
            statement.query_row([id.0.as_bytes()], read_key).optional()
        };
        read().map_err(SubjectKeyError::storage)
    }

    fn key(&mut self, masters: &dyn MasterKeys, id: KeyId) -> Result<FoundKey, SubjectKeyError> {
        if self.destroyed.contains(&id) {
            return Ok(FoundKey::Erased);
        }
        if let Some(key) = self.opened.get(&id) {
            return Ok(FoundKey::Key(key.clone()));
        }
        let Some(stored) = self.stored(id)? else { return Ok(FoundKey::Lost) };
        let key = stored.open(masters)?;
        self.remember(&key);
        Ok(FoundKey::Key(key))
    }

    fn remember(&mut self, key: &SubjectKey) {
        if self.opened.len() >= OPENED_MAX {
            self.opened.clear();
        }
        self.opened.insert(key.id, key.clone());
    }

    /// Adds keys; restored ones come before those that are there, so that a subject's own key seals on.
    fn insert(&mut self, keys: &[StoredKey], restored: bool) -> Result<(), SubjectKeyError> {
        let mut write = || {
            let Some(connection) = self.connection.as_mut() else { return Ok(()) };
            let transaction = connection.transaction()?;
            for key in keys {
                let made: i64 = if restored {
                    transaction
                        .query_row("SELECT coalesce(min(made), 1) - 1 FROM subject_keys", [], |row| row.get(0))?
                } else {
                    transaction
                        .query_row("SELECT coalesce(max(made), 0) + 1 FROM subject_keys", [], |row| row.get(0))?
                };
                transaction.execute(
                    &format!("INSERT INTO subject_keys (made, {COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
                    params![
                        made,
                        key.id.0.as_bytes(),
                        key.tenant.0,
                        key.found_by,
                        key.name,
                        key.key.master,
                        key.key.sealed
                    ],
                )?;
            }
            transaction.commit()
        };
        write().map_err(|error: rusqlite::Error| SubjectKeyError::storage(error))
    }

    fn destroy(&mut self, ids: &[KeyId]) -> Result<(), SubjectKeyError> {
        // Nobody gets them any more, whatever becomes of the file.
        for id in ids {
            self.opened.remove(id);
            self.destroyed.insert(*id);
        }
        let Some(connection) = self.connection.as_mut() else { return Ok(()) };
        let mut write = || {
            let transaction = connection.transaction()?;
            let mut changed = 0;
            for id in ids {
                changed += transaction.execute("DELETE FROM subject_keys WHERE id = ?1", [id.0.as_bytes()])?;
                changed +=
                    transaction.execute("INSERT OR IGNORE INTO destroyed (id) VALUES (?1)", [id.0.as_bytes()])?;
            }
            transaction.commit()?;
            if changed > 0 {
                // What was deleted is zeros in the file by now, and its old pages go from beside it.
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            }
            Ok(())
        };
        write().map_err(|error: rusqlite::Error| SubjectKeyError::storage(error))
    }

    /// Wraps under the newest master key what lies under another.
    fn rewrap(&mut self, masters: &dyn MasterKeys) -> Result<(), SubjectKeyError> {
        let finder = self.finder(masters)?;
        let Some(connection) = self.connection.as_mut() else { return Ok(()) };
        let failed = |error: rusqlite::Error| SubjectKeyError::storage(error);
        if let Some(wrapped) = stored_finder(connection).map_err(failed)?
            && let Some(newer) = finder.rewrapped(masters, &wrapped)?
        {
            put_finder(connection, &newer).map_err(failed)?;
        }
        let newest = masters.newest()?.fingerprint;
        let of_older = all(connection).map_err(failed)?.into_iter().filter(|key| key.key.master != newest);
        let transaction = connection.transaction().map_err(failed)?;
        for key in of_older {
            if let Some(newer) = key.rewrapped(masters)? {
                let values = params![newer.key.master, newer.key.sealed, newer.id.0.as_bytes()];
                let sql = "UPDATE subject_keys SET master = ?1, sealed = ?2 WHERE id = ?3";
                transaction.execute(sql, values).map_err(failed)?;
            }
        }
        transaction.commit().map_err(failed)
    }
}

fn stored_finder(connection: &Connection) -> rusqlite::Result<Option<Wrapped>> {
    let read = |row: &Row<'_>| Ok(Wrapped { master: row.get(0)?, sealed: row.get(1)? });
    connection.query_row("SELECT master, sealed FROM finder", [], read).optional()
}

fn put_finder(connection: &Connection, wrapped: &Wrapped) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO finder (one, master, sealed) VALUES (1, ?1, ?2)";
    connection.execute(sql, params![wrapped.master, wrapped.sealed]).map(|_| ())
}

fn all(connection: &Connection) -> rusqlite::Result<Vec<StoredKey>> {
    let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM subject_keys ORDER BY made"))?;
    statement.query_map([], read_key)?.collect()
}

fn read_key(row: &Row<'_>) -> rusqlite::Result<StoredKey> {
    Ok(StoredKey {
        id: KeyId(Uuid::from_bytes(row.get(0)?)),
        tenant: TenantId(row.get(1)?),
        found_by: row.get(2)?,
        name: row.get(3)?,
        key: Wrapped { master: row.get(4)?, sealed: row.get(5)? },
    })
}
