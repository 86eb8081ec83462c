//! Keys of subjects in tables beside the log, which its processes share: wrapped under a master key, which is not in the
//! database.
//!
//! A connection of the pool answers a commit once it is on the disk, whatever the deployment chose for its log.
//! Invariants: two processes that make the key of a subject at once make one; what one process has destroyed, another one uses
//! at most [`KEPT_FOR`] longer, and not at all once it has read of that in the log. A copy of the whole database has the wrapped
//! keys in it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use timeloom_domain::ids::TenantId;
use timeloom_store::subjects::vault::{Finder, MasterKeys, StoredKey, Wrapped, read_backup, write_backup};
use timeloom_store::{FoundKey, KeyId, LogError, SubjectKey, SubjectKeyError, SubjectKeys};
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;

use crate::error::{log_error, pool_error};
use crate::log::PostgresLog;
use crate::readers::Readers;

/// How long an opened key is used without a look at whether it is there still.
const KEPT_FOR: Duration = Duration::from_secs(1);
/// Most opened keys, and most destroyed ones, that are kept in memory.
const KEPT_MAX: usize = 65_536;
/// Held while keys are made: two processes that make the same at once make it once.
const MAKING: &str = "SELECT pg_advisory_xact_lock('subject_keys'::regclass::oid::bigint)";
const COLUMNS: &str = "id, tenant_id, found_by, name, master, sealed";
const FIND: &str = "SELECT id FROM subject_keys WHERE tenant_id = $1 AND found_by = $2 ORDER BY made DESC";
const INSERT: &str = "INSERT INTO subject_keys (made, id, tenant_id, found_by, name, master, sealed) \
     SELECT coalesce(max(made), 0) + 1, $1, $2, $3, $4, $5, $6 FROM subject_keys";
/// What is restored comes before what is there, so that a subject's own key seals on.
const RESTORE: &str = "INSERT INTO subject_keys (made, id, tenant_id, found_by, name, master, sealed) \
     SELECT coalesce(min(made), 1) - 1, $1, $2, $3, $4, $5, $6 FROM subject_keys";
const KNOWN: &str = "SELECT id FROM subject_keys WHERE id = ANY($1) UNION SELECT id FROM destroyed_subject_keys \
     WHERE id = ANY($1)";

/// [`SubjectKeys`] in the database of the log.
pub struct PostgresSubjectKeys {
    readers: Readers,
    masters: Arc<dyn MasterKeys>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    finder: Option<Arc<Finder>>,
    opened: HashMap<KeyId, (SubjectKey, Instant)>,
    destroyed: HashSet<KeyId>,
    held: HashSet<KeyId>,
}

impl std::fmt::Debug for PostgresSubjectKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PostgresSubjectKeys").finish_non_exhaustive()
    }
}

impl PostgresLog {
    /// The keys of subjects beside the log, wrapped under `masters`. What lies under an older master key is wrapped under the
    /// newest.
    ///
    /// # Errors
    /// [`SubjectKeyError`] when the database fails.
    pub async fn subject_keys(
        &self,
        masters: Arc<dyn MasterKeys>,
    ) -> Result<Arc<PostgresSubjectKeys>, SubjectKeyError> {
        let keys = PostgresSubjectKeys { readers: self.readers().clone(), masters, kept: Mutex::default() };
        if let Err(error) = keys.rewrap().await {
            tracing::warn!(%error, "keys of subjects are not wrapped under the newest master key");
        }
        Ok(Arc::new(keys))
    }
}

fn failed(error: LogError) -> SubjectKeyError {
    SubjectKeyError::storage(error)
}

fn database(error: tokio_postgres::Error) -> SubjectKeyError {
    failed(log_error(error))
}

impl PostgresSubjectKeys {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn all(&self) -> Result<Vec<StoredKey>, SubjectKeyError> {
        let sql = format!("SELECT {COLUMNS} FROM subject_keys ORDER BY made");
        let rows = self.readers.query(&sql, &Vec::new()).await.map_err(failed)?;
        rows.iter().map(|row| stored(row).map_err(database)).collect()
    }

    /// What finds keys, made where `makes` says so and there is none.
    async fn finder(&self, makes: bool) -> Result<Option<Arc<Finder>>, SubjectKeyError> {
        if let Some(finder) = &self.lock().finder {
            return Ok(Some(Arc::clone(finder)));
        }
        let read = "SELECT master, sealed FROM subject_key_finder";
        let mut rows = self.readers.query(read, &Vec::new()).await.map_err(failed)?;
        if rows.is_empty() && makes {
            let (_, Wrapped { master, sealed }) = Finder::make(&*self.masters)?;
            // Somebody else may have made it first: theirs is the one.
            let make = "INSERT INTO subject_key_finder (master, sealed) VALUES ($1, $2) ON CONFLICT DO NOTHING";
            self.readers.query(make, &vec![&master, &sealed]).await.map_err(failed)?;
            rows = self.readers.query(read, &Vec::new()).await.map_err(failed)?;
        }
        let Some(row) = rows.first() else { return Ok(None) };
        let wrapped = Wrapped { master: row.try_get(0).map_err(database)?, sealed: row.try_get(1).map_err(database)? };
        let finder = Arc::new(Finder::open(&*self.masters, &wrapped)?);
        Ok(Some(Arc::clone(self.lock().finder.insert(finder))))
    }

    async fn making_finder(&self) -> Result<Arc<Finder>, SubjectKeyError> {
        self.finder(true).await?.ok_or(SubjectKeyError::Unavailable("what finds them is not in the database"))
    }

    async fn found(&self, tenant: TenantId, found_by: &str) -> Result<Vec<KeyId>, SubjectKeyError> {
        let rows = self.readers.query(FIND, &vec![&i64::from(tenant.0), &found_by]).await.map_err(failed)?;
        ids(&rows).map_err(database)
    }

    /// What is in memory of a key; `None` where that is too old.
    fn kept(&self, id: KeyId) -> Option<FoundKey> {
        let kept = self.lock();
        if kept.destroyed.contains(&id) {
            return Some(FoundKey::Erased);
        }
        let (key, at) = kept.opened.get(&id)?;
        (at.elapsed() < KEPT_FOR).then(|| FoundKey::Key(key.clone()))
    }

    fn remember(&self, key: &SubjectKey, at: Instant) {
        let mut kept = self.lock();
        // It may have been destroyed while it was read.
        if !kept.destroyed.contains(&key.id) {
            if kept.opened.len() >= KEPT_MAX {
                kept.opened.clear();
            }
            kept.opened.insert(key.id, (key.clone(), at));
        }
    }

    fn forget(&self, ids: &[KeyId]) {
        let mut kept = self.lock();
        for id in ids {
            kept.opened.remove(id);
            if kept.destroyed.len() >= KEPT_MAX {
                kept.destroyed.clear();
            }
            kept.destroyed.insert(*id);
        }
    }

    /// Makes the key of a subject, unless somebody else has just made it.
    async fn make(&self, finder: &Finder, tenant: TenantId, subject: &str) -> Result<SubjectKey, SubjectKeyError> {
        let (key, made) = finder.make_key(&*self.masters, tenant, subject)?;
        let mut client = self.readers.pool().get().await.map_err(|error| failed(pool_error(error)))?;
        let transaction = client.transaction().await.map_err(database)?;
        let theirs = async {
            transaction.query_one(MAKING, &[]).await?;
            let found = transaction.query(FIND, &[&i64::from(tenant.0), &made.found_by]).await?;
            if let Some(found) = found.first() {
                return Ok(Some(KeyId(found.try_get(0)?)));
            }
            put(&transaction, INSERT, &made).await?;
            transaction.commit().await?;
            Ok(None)
        };
        match theirs.await.map_err(database)? {
            None => {
                self.remember(&key, Instant::now());
                Ok(key)
            }
            Some(id) => self.usable(id).await,
        }
    }

    async fn usable(&self, id: KeyId) -> Result<SubjectKey, SubjectKeyError> {
        if self.lock().held.contains(&id) {
            return Err(SubjectKeyError::BeingErased);
        }
        match self.open(id).await? {
            FoundKey::Key(key) => Ok(key),
            // It went just now: who comes next gets a new one.
            FoundKey::Erased => Err(SubjectKeyError::BeingErased),
            FoundKey::Lost => Err(SubjectKeyError::Damaged(id)),
        }
    }

    /// Wraps under the newest master key what lies under another.
    async fn rewrap(&self) -> Result<(), SubjectKeyError> {
        let Some(finder) = self.finder(false).await? else { return Ok(()) };
        let read = "SELECT master, sealed FROM subject_key_finder";
        for row in self.readers.query(read, &Vec::new()).await.map_err(failed)? {
            let (master, sealed) = (row.try_get(0).map_err(database)?, row.try_get(1).map_err(database)?);
            if let Some(newer) = finder.rewrapped(&*self.masters, &Wrapped { master, sealed })? {
                let sql = "UPDATE subject_key_finder SET master = $1, sealed = $2";
                self.readers.query(sql, &vec![&newer.master, &newer.sealed]).await.map_err(failed)?;
            }
        }
        let newest = self.masters.newest()?.fingerprint;
        for key in self.all().await?.into_iter().filter(|key| key.key.master != newest) {
            if let Some(newer) = key.rewrapped(&*self.masters)? {
                let sql = "UPDATE subject_keys SET master = $1, sealed = $2 WHERE id = $3";
                let (key, id) = (&newer.key, newer.id.0);
                self.readers.query(sql, &vec![&key.master, &key.sealed, &id]).await.map_err(failed)?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl SubjectKeys for PostgresSubjectKeys {
    async fn of_subject(&self, tenant: TenantId, subject: &str) -> Result<SubjectKey, SubjectKeyError> {
        let finder = self.making_finder().await?;
        match self.found(tenant, &finder.found_by(tenant, subject)).await?.first() {
            Some(id) => self.usable(*id).await,
            None => self.make(&finder, tenant, subject).await,
        }
    }

    async fn find(&self, tenant: TenantId, subject: &str) -> Result<Vec<KeyId>, SubjectKeyError> {
        match self.finder(false).await? {
            Some(finder) => self.found(tenant, &finder.found_by(tenant, subject)).await,
            None => Ok(Vec::new()),
        }
    }

    async fn open(&self, id: KeyId) -> Result<FoundKey, SubjectKeyError> {
        if let Some(kept) = self.kept(id) {
            return Ok(kept);
        }
        let asked = Instant::now();
        let sql = format!("SELECT {COLUMNS} FROM subject_keys WHERE id = $1");
        let rows = self.readers.query(&sql, &vec![&id.0]).await.map_err(failed)?;
        if let Some(row) = rows.first() {
            let key = stored(row).map_err(database)?.open(&*self.masters)?;
            self.remember(&key, asked);
            return Ok(FoundKey::Key(key));
        }
        let sql = "SELECT id FROM destroyed_subject_keys WHERE id = $1";
        if self.readers.query(sql, &vec![&id.0]).await.map_err(failed)?.is_empty() {
            return Ok(FoundKey::Lost);
        }
        self.forget(&[id]);
        Ok(FoundKey::Erased)
    }

    async fn destroy(&self, ids: &[KeyId]) -> Result<(), SubjectKeyError> {
        // Nobody here gets them any more, whatever becomes of the tables.
        self.forget(ids);
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let mut client = self.readers.pool().get().await.map_err(|error| failed(pool_error(error)))?;
        let destroyed = async {
            let transaction = client.transaction().await?;
            let sql = "INSERT INTO destroyed_subject_keys (id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING";
            transaction.execute(sql, &[&ids]).await?;
            let deleted = transaction.execute("DELETE FROM subject_keys WHERE id = ANY($1)", &[&ids]).await?;
            transaction.commit().await?;
            Ok(deleted)
        };
        let deleted = destroyed.await.map_err(database)?;
        // What was deleted is to be written over soon; where else it may lie is for who runs the database.
        if deleted > 0
            && let Err(error) = client.batch_execute("VACUUM subject_keys").await
        {
            tracing::warn!(%error, "the table of subject keys was not vacuumed: wrapped keys that were deleted lie in its file until then");
        }
        Ok(())
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
        write_backup(&self.all().await?)
    }

    async fn restore(&self, backup: &str) -> Result<u64, SubjectKeyError> {
        let backed_up = read_backup(backup)?;
        let finder = self.making_finder().await?;
        let mut client = self.readers.pool().get().await.map_err(|error| failed(pool_error(error)))?;
        let transaction = client.transaction().await.map_err(database)?;
        let wanted: Vec<Uuid> = backed_up.iter().map(|key| key.id.0).collect();
        let known = async {
            transaction.query_one(MAKING, &[]).await?;
            ids(&transaction.query(KNOWN, &[&wanted]).await?)
        };
        let known: HashSet<KeyId> = known.await.map_err(database)?.into_iter().collect();
        let mut count = 0;
        for key in backed_up.into_iter().filter(|key| !known.contains(&key.id)) {
            let adopted = finder.adopted(&*self.masters, key)?;
            put(&transaction, RESTORE, &adopted).await.map_err(database)?;
            count += 1;
        }
        transaction.commit().await.map_err(database)?;
        Ok(count)
    }
}

async fn put(transaction: &Transaction<'_>, sql: &str, key: &StoredKey) -> Result<(), tokio_postgres::Error> {
    let tenant = i64::from(key.tenant.0);
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
        [&key.id.0, &tenant, &key.found_by, &key.name, &key.key.master, &key.key.sealed];
    transaction.execute(sql, &values).await.map(|_| ())
}

fn ids(rows: &[Row]) -> Result<Vec<KeyId>, tokio_postgres::Error> {
    rows.iter().map(|row| Ok(KeyId(row.try_get(0)?))).collect()
}

fn stored(row: &Row) -> Result<StoredKey, tokio_postgres::Error> {
    let tenant: i64 = row.try_get(1)?;
    Ok(StoredKey {
        id: KeyId(row.try_get(0)?),
        // Written from such a number.
        tenant: TenantId(u32::try_from(tenant).unwrap_or(u32::MAX)),
        found_by: row.try_get(2)?,
        name: row.try_get(3)?,
        key: Wrapped { master: row.try_get(4)?, sealed: row.try_get(5)? },
    })
}
