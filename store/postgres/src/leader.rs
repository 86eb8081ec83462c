//! Roles that one process at a time has, such as running executions: a lock of a session, which the database gives up when
//! the process ends, however it ends. And positions that are remembered for all processes.
//!
//! The lock keeps effects from being begun twice; what keeps the log right is the expected revision of every append.

use std::time::Duration;

use timeloom_store::{LogError, Position};
use tokio_util::task::TaskTracker;

use crate::error::log_error;
use crate::log::PostgresLog;
use crate::recorded::{signed, unsigned};

/// How often a process that waits for a role asks for it, and one that has it looks whether it still has.
const LOOK: Duration = Duration::from_secs(1);

/// A role that this process has until it is dropped.
#[derive(Debug)]
pub struct Leader {
    client: tokio_postgres::Client,
    // Owns what drives the connection.
    _tasks: TaskTracker,
}

impl Leader {
    /// Returns when the role is lost: the connection that held it is gone.
    pub async fn lost(&self) {
        // A connection that is cut is noticed by its driver; one that hangs, by asking.
        while !self.client.is_closed() && self.client.batch_execute("").await.is_ok() {
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl PostgresLog {
    /// Takes a role if no other process has it.
    ///
    /// # Errors
    /// [`LogError`] when the database fails.
    pub async fn try_lead(&self, role: &str) -> Result<Option<Leader>, LogError> {
        let tasks = TaskTracker::new();
        let client = self.address().connect(&tasks).await.map_err(log_error)?.client;
        let key = format!("{} {role}", self.log_id());
        let sql = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))";
        let taken: bool = client.query_one(sql, &[&key]).await.map_err(log_error)?.try_get(0).map_err(log_error)?;
        Ok(taken.then_some(Leader { client, _tasks: tasks }))
    }

    /// Waits until this process has a role. A database that is out of reach is waited for.
    pub async fn lead(&self, role: &str) -> Leader {
        loop {
            match self.try_lead(role).await {
                Ok(Some(leader)) => return leader,
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, role, "the role cannot be asked for; trying again"),
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The position that is remembered under a name; the start when there is none.
    ///
    /// # Errors
    /// [`LogError`] when the database fails.
    pub async fn mark(&self, name: &str) -> Result<Position, LogError> {
        let rows = self.readers().query("SELECT position FROM marks WHERE name = $1", &vec![&name]).await?;
        let position = rows.first().map(|row| row.try_get(0).map_err(log_error)).transpose()?;
        Ok(position.map_or(Position::START, |position| Position(unsigned(position))))
    }

    /// Remembers a position under a name. It only moves forward.
    ///
    /// # Errors
    /// [`LogError`] when the database fails.
    pub async fn set_mark(&self, name: &str, position: Position) -> Result<(), LogError> {
        let sql = "INSERT INTO marks (name, position) VALUES ($1, $2) \
                   ON CONFLICT (name) DO UPDATE SET position = greatest(marks.position, excluded.position)";
        self.readers().query(sql, &vec![&name, &signed(position.0)]).await?;
        Ok(())
    }
}
