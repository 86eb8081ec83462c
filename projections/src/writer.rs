//! Writes batches of events into the read models' file: rows and checkpoints in one transaction.
//!
//! Each projection has its own checkpoint. An event that a projection cannot fold parks that projection alone, before that
//! event; it is tried again when the file is opened the next time. Invariant: a checkpoint only moves from where this
//! writer left it, so that no batch is folded twice.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use timeloom_store::{Position, RecordedEvent};

use crate::error::ProjectionError;
use crate::executions::Executions;
use crate::file;
use crate::models::Models;
use crate::node_runs::NodeRuns;
use crate::plugins::Plugins;
use crate::read_model::{Poison, Projection};
use crate::workflows::Workflows;

/// Most events of one transaction.
pub(crate) const BATCH_EVENTS_MAX: usize = 500;

const PROJECTIONS: [&dyn Projection; 5] = [&Workflows, &Plugins, &Models, &Executions, &NodeRuns];

/// How far one projection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectionStatus {
    /// Its name.
    pub name: &'static str,
    /// The last event that its rows hold.
    pub position: Position,
    /// How many events of the log are not folded yet.
    pub lag: u64,
    /// Why it stands still, if it does.
    pub parked: Option<Parked>,
}

/// Why a projection stands still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// The event that it cannot fold.
    pub position: Position,
    /// What is wrong with it.
    pub error: String,
}

/// The one connection that writes.
pub(crate) struct Writer {
    connection: Connection,
    projections: Vec<State>,
}

/// One projection and its checkpoint.
#[derive(Clone)]
pub(crate) struct State {
    projection: &'static dyn Projection,
    pub position: Position,
    pub parked: Option<Parked>,
}

impl State {
    pub fn status(&self, head: Position) -> ProjectionStatus {
        ProjectionStatus {
            name: self.projection.name(),
            position: self.position,
            lag: head.0.saturating_sub(self.position.0),
            parked: self.parked.clone(),
        }
    }

    fn advance(
        &mut self,
        connection: &Connection,
        events: &[Arc<RecordedEvent>],
        up_to: Position,
    ) -> Result<(), ProjectionError> {
        if self.parked.is_some() || up_to <= self.position {
            return Ok(());
        }
        let known = events.partition_point(|event| event.position <= self.position);
        let poison = self.projection.apply(connection, events.get(known..).unwrap_or_default())?;
        let reached = poison.as_ref().map_or(up_to, |poison| Position(poison.position.0.saturating_sub(1)));
        self.parked = poison.map(|Poison { position, error }| Parked { position, error: error.to_string() });
        let sql = "UPDATE projections SET position = ?3, error = ?4, error_position = ?5 \
                   WHERE name = ?1 AND position = ?2";
        let (error, at) = self.parked.as_ref().map(|parked| (&parked.error, parked.position.0)).unzip();
        let name = self.projection.name();
        let moved = connection.prepare_cached(sql)?.execute((name, self.position.0, reached.0, error, at))?;
        if moved != 1 {
            return Err(ProjectionError::Fenced { projection: name });
        }
        self.position = reached;
        Ok(())
    }
}

impl Writer {
    /// Opens the file at `path` and makes what is missing or of another version. A file that is ahead of the log's `head`
    /// was folded from another log and is begun again.
    pub fn open(path: &Path, head: Position) -> Result<Self, ProjectionError> {
        let mut connection = file::open_writer(path)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut projections = Vec::with_capacity(PROJECTIONS.len());
        for projection in PROJECTIONS {
            let position = checkpoint(&transaction, projection, head)?;
            projections.push(State { projection, position, parked: None });
        }
        transaction.commit()?;
        Ok(Self { connection, projections })
    }

    /// Folds `events`; everything up to `up_to` was looked at. All or nothing.
    pub fn apply(&mut self, events: &[Arc<RecordedEvent>], up_to: Position) -> Result<(), ProjectionError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut states = self.projections.clone();
        for state in &mut states {
            state.advance(&transaction, events, up_to)?;
        }
        transaction.commit()?;
        self.projections = states;
        Ok(())
    }

    /// Every projection's state.
    pub fn states(&self) -> &[State] {
        &self.projections
    }

    /// The last event that every projection holds which is not parked; `None` when all are.
    pub fn position(&self) -> Option<Position> {
        self.projections.iter().filter(|state| state.parked.is_none()).map(|state| state.position).min()
    }

    /// Closes the file, so that nothing of it is left in its write-ahead log.
    pub fn close(self) -> Result<(), ProjectionError> {
        self.connection.close().map_err(|(_, error)| error.into())
    }
}

/// Where a projection stands; at the start, with empty tables, when its rows are not to be used.
fn checkpoint(
    connection: &Connection,
    projection: &dyn Projection,
    head: Position,
) -> Result<Position, ProjectionError> {
    let sql = "SELECT definition, position FROM projections WHERE name = ?1";
    let known = connection
        .query_row(sql, [projection.name()], |row| Ok((row.get::<_, String>(0)?, Position(row.get(1)?))))
        .optional()?;
    let definition = projection.definition();
    match known {
        Some((known, position)) if known == definition && position <= head => return Ok(position),
        Some((_, position)) => {
            tracing::info!(projection = projection.name(), %position, %head, "projection is built again");
        }
        None => {}
    }
    projection.reset(connection)?;
    let sql = "INSERT OR REPLACE INTO projections (name, definition, position) VALUES (?1, ?2, 0)";
    connection.execute(sql, (projection.name(), definition))?;
    Ok(Position::START)
}
