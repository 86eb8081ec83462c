//! Roles that one process at a time has, such as running executions: a lock of a session, which the database gives up when
//! the process ends, however it ends. And positions that are remembered for all processes.
//!
//! The lock keeps effects from being begun twice; what keeps the log right is the expected revision of every append.

use std::time::Duration;

use timeloom_store::{LogError, Position};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_postgres::Client;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::error::log_error;
use crate::log::PostgresLog;
use crate::recorded::{signed, unsigned};

/// How often a process that waits for a role asks for it, and one that has it tells the database that it is there.
const LOOK: Duration = Duration::from_secs(1);
/// After this many milliseconds without a word the database takes the role from a process, whose machine may have lost its
/// power.
const SILENCE_MS_MAX: u32 = 15_000;
/// How long a process that lost its connection asks for its role before it believes that another process has it.
const AGAIN_MAX: Duration = Duration::from_secs(3);

/// A role that this process has until it is dropped.
#[derive(Debug)]
pub struct Leader {
    /// The server's number for the session that has the role.
    session: i32,
    lost: watch::Receiver<bool>,
    // Ends the task that has the connection.
    _dropped: DropGuard,
    _tasks: TaskTracker,
}

impl Leader {
    /// Returns when the role is lost: the connection that held it is gone.
    pub async fn lost(&self) {
        // An error is the end of the task that tells it.
        let _ = self.lost.clone().wait_for(|lost| *lost).await;
    }
}

/// Tells the database that the process is there until it cannot, or nobody has the role any more.
async fn keep(client: Client, dropped: CancellationToken, lost: watch::Sender<bool>) {
    while let Some(Ok(())) = dropped.run_until_cancelled(client.batch_execute("")).await {
        if dropped.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_none() {
            return;
        }
    }
    lost.send_replace(true);
}

impl PostgresLog {
    /// Takes a role if no other process has it.
    ///
    /// # Errors
    /// [`LogError`] when the database fails.
    pub async fn try_lead(&self, role: &str) -> Result<Option<Leader>, LogError> {
        let tasks = TaskTracker::new();
        let client = self.address().connect(&tasks).await.map_err(log_error)?.client;
        client.batch_execute(&format!("SET idle_session_timeout = {SILENCE_MS_MAX}")).await.map_err(log_error)?;
        let key = format!("{} {role}", self.log_id());
        let sql = "SELECT pg_try_advisory_lock(hashtextextended($1, 0)), pg_backend_pid()";
        let row = client.query_one(sql, &[&key]).await.map_err(log_error)?;
        let (taken, session): (bool, i32) =
            (row.try_get(0).map_err(log_error)?, row.try_get(1).map_err(log_error)?);
        if !taken {
            return Ok(None);
        }
        let (dropped, (told, lost)) = (CancellationToken::new(), watch::channel(false));
        tasks.spawn(keep(client, dropped.clone(), told));
        Ok(Some(Leader { session, lost, _dropped: dropped.drop_guard(), _tasks: tasks }))
    }

    /// Takes a role again that was lost with its connection; `None` when another process has it by now. A database that is
    /// out of reach is waited for.
    pub async fn lead_again(&self, role: &str, before: Leader) -> Option<Leader> {
        let session = before.session;
        drop(before);
        let mut asked_since = None;
        loop {
            // The server may still believe in the connection that is gone, and keep its lock.
            let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                       WHERE pid = $1 AND usename = current_user AND application_name = 'timeloom'";
            let ended = self.readers().query(sql, &vec![&session]).await;
            match (ended, self.try_lead(role).await) {
                (_, Ok(Some(leader))) => return Some(leader),
                (Ok(_), Ok(None)) => {
                    let since = asked_since.get_or_insert_with(Instant::now);
                    if since.elapsed() > AGAIN_MAX {
                        return None;
                    }
                }
                (_, Err(error)) | (Err(error), _) => {
                    tracing::debug!(%error, role, "the role cannot be asked for; trying again");
                }
            }
            tokio::time::sleep(LOOK / 5).await;
        }
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
