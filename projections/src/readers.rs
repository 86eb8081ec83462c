//! Connections that read: a few, each used by one question at a time, off the async threads.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ProjectionError;
use crate::file::open_reader;

/// Connections at most; more questions wait their turn.
const READERS: u32 = 4;

/// A pool of connections that read one file.
pub(crate) struct Readers {
    path: PathBuf,
    turns: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), turns: Arc::new(Semaphore::new(READERS as usize)), idle: Arc::default() }
    }

    /// Asks one question.
    pub async fn ask<R: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, ProjectionError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| ProjectionError::Closed)?;
        let (path, idle) = (self.path.clone(), Arc::clone(&self.idle));
        let answer = tokio::task::spawn_blocking(move || {
            // Kept until the connection is back, so that there are never more connections than turns.
            let _turn = turn;
            let connection = match lock(&idle).pop() {
                Some(connection) => connection,
                None => open_reader(&path)?,
            };
            let answer = question(&connection);
            lock(&idle).push(connection);
            answer
        });
        Ok(answer.await.map_err(|_| ProjectionError::Closed)??)
    }

    /// Waits until no question is being answered and closes every connection; questions wait while the permit is held.
    pub async fn pause(&self) -> Result<OwnedSemaphorePermit, ProjectionError> {
        let permit = Arc::clone(&self.turns).acquire_many_owned(READERS).await.map_err(|_| ProjectionError::Closed)?;
        lock(&self.idle).clear();
        Ok(permit)
    }
}

fn lock(idle: &Mutex<Vec<Connection>>) -> MutexGuard<'_, Vec<Connection>> {
    // A list of connections is whole after every step.
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
