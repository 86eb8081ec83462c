//! Connections that read: a few, each used by one question at a time.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime};
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::postgres::{config_of, layout_of, prepare_reader, values_of};
use super::sqlite::{FILE, open_reader, read_all};
use super::value::{Cells, Row};
use super::{Dialect, Query, StorageError};
use crate::error::ProjectionError;
use crate::store::PostgresPlace;

/// Connections at most; more questions wait their turn.
const READERS: usize = 4;
/// How long a question waits for its turn or for a connection to PostgreSQL.
const TURN_TIME_MAX: Duration = Duration::from_secs(10);

/// Reads one row of an answer.
pub(crate) trait Read<R>: Fn(&mut Cells<'_>) -> Result<R, StorageError> + Copy + Send + Sync + 'static {}

impl<R, F: Fn(&mut Cells<'_>) -> Result<R, StorageError> + Copy + Send + Sync + 'static> Read<R> for F {}

/// A pool of connections that read one database.
pub(crate) enum Readers {
    Sqlite(SqliteReaders),
    Postgres(PostgresReaders),
}

/// Connections to one schema.
pub(crate) struct PostgresReaders {
    pool: Pool,
    /// Whether the tables in which checkpoints are were seen: they do not go away.
    made: AtomicBool,
}

/// Connections to one file.
pub(crate) struct SqliteReaders {
    path: PathBuf,
    turns: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    /// Of the file in `folder`.
    pub fn of_folder(folder: &Path) -> Self {
        let turns = Arc::new(Semaphore::new(READERS));
        Self::Sqlite(SqliteReaders { path: folder.join(FILE), turns, idle: Arc::default() })
    }

    /// Of a PostgreSQL database, to which nothing is connected yet.
    pub fn of_postgres(place: &PostgresPlace) -> Result<Self, ProjectionError> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config_of(place), place.tls.clone(), recycling);
        let prepare = Hook::async_fn(|client: &mut deadpool_postgres::ClientWrapper, _| {
            Box::pin(async move { prepare_reader(client).await.map_err(HookError::Backend) })
        });
        let pool = Pool::builder(manager)
            .max_size(READERS)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(TURN_TIME_MAX))
            .create_timeout(Some(TURN_TIME_MAX))
            .post_create(prepare)
            .build();
        let pool = pool.map_err(|error| StorageError::Pool(error.to_string()))?;
        Ok(Self::Postgres(PostgresReaders { pool, made: AtomicBool::new(false) }))
    }

    /// How the database is spoken to.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Asks one question.
    pub async fn ask<R: Send + 'static>(&self, query: Query, read: impl Read<R>) -> Result<Vec<R>, ProjectionError> {
        match self {
            Self::Sqlite(readers) => readers.ask(query, read).await,
            Self::Postgres(readers) => Ok(ask_postgres(&readers.pool, &query, read).await?),
        }
    }

    /// Whether the database has the tables in which checkpoints are.
    pub async fn is_made(&self) -> Result<bool, ProjectionError> {
        match self {
            Self::Sqlite(_) => Ok(true),
            Self::Postgres(readers) if readers.made.load(Ordering::Relaxed) => Ok(true),
            Self::Postgres(readers) => {
                let client = readers.pool.get().await.map_err(pool_error)?;
                let made = layout_of(&client).await?.is_some();
                readers.made.store(made, Ordering::Relaxed);
                Ok(made)
            }
        }
    }

    /// Closes every connection once no question is being answered; later ones are refused.
    pub async fn close(&self) -> Result<(), ProjectionError> {
        match self {
            Self::Sqlite(readers) => {
                let all = u32::try_from(READERS).unwrap_or(u32::MAX);
                let turns = readers.turns.acquire_many(all).await.map_err(|_| ProjectionError::Closed)?;
                lock(&readers.idle).clear();
                readers.turns.close();
                drop(turns);
            }
            Self::Postgres(readers) => readers.pool.close(),
        }
        Ok(())
    }
}

impl SqliteReaders {
    async fn ask<R: Send + 'static>(&self, query: Query, read: impl Read<R>) -> Result<Vec<R>, ProjectionError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| ProjectionError::Closed)?;
        let (path, idle) = (self.path.clone(), Arc::clone(&self.idle));
        let answer = tokio::task::spawn_blocking(move || {
            // Kept until the connection is back, so that there are never more connections than turns.
            let _turn = turn;
            let connection = match lock(&idle).pop() {
                Some(connection) => connection,
                None => open_reader(&path)?,
            };
            let mut found = Vec::new();
            let answer = read_all(&connection, &query, &mut |cells| {
                found.push(read(cells)?);
                Ok(())
            });
            lock(&idle).push(connection);
            answer.map(|()| found)
        });
        Ok(answer.await.map_err(|_| ProjectionError::Closed)??)
    }
}

async fn ask_postgres<R>(pool: &Pool, query: &Query, read: impl Read<R>) -> Result<Vec<R>, StorageError> {
    let client = pool.get().await.map_err(pool_error)?;
    let statement = client.prepare_cached(&query.sql).await?;
    let rows = client.query(&statement, &values_of(query)).await?;
    rows.iter().map(|row| read(&mut Cells::from(Row::Postgres(row), 0))).collect()
}

fn pool_error(error: PoolError) -> StorageError {
    match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => error.into(),
        other => StorageError::Pool(other.to_string()),
    }
}

fn lock(idle: &Mutex<Vec<Connection>>) -> MutexGuard<'_, Vec<Connection>> {
    // A list of connections is whole after every step.
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
