//! The table of builds: which there are of every projection, and how far each is.
//!
//! One build of a projection is live: questions are answered from it. Another may be in the making, and those that are
//! retired are dropped as soon as nobody reads them. Invariant: a checkpoint moves only from where its writer left it.

use timeloom_store::Position;

use crate::database::{Cells, Change, Column, Dialect, Query, StorageError, damaged, integer, text};

/// What a build is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Questions are answered from it.
    Live,
    /// It is to be live once it has caught up.
    Building,
    /// To be dropped.
    Retired,
}

/// The words that the table holds for stages.
const STAGES: [(Stage, &str); 3] = [(Stage::Live, "live"), (Stage::Building, "building"), (Stage::Retired, "retired")];

impl Stage {
    fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Building => "building",
            Self::Retired => "retired",
        }
    }
}

/// One build of a projection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub name: String,
    pub generation: u32,
    pub stage: Stage,
    /// Version and tables of the projection when it was begun.
    pub definition: String,
    /// Its tables, without the generation, with commas between.
    pub tables: String,
    /// The last event that its rows hold.
    pub position: Position,
    /// How many events are parked.
    pub parked: u64,
    /// The event before which it stopped, and why, if it did.
    pub stopped: Option<(Position, String)>,
}

/// What the database is made with.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE projections (
        name             TEXT NOT NULL,
        generation       INTEGER NOT NULL,
        stage            TEXT NOT NULL,
        definition       TEXT NOT NULL,
        tables           TEXT NOT NULL,
        position         INTEGER NOT NULL,
        parked           INTEGER NOT NULL,
        stopped_position INTEGER,
        stopped_error    TEXT,
        PRIMARY KEY (name, generation)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX projections_live ON projections (name) WHERE stage = 'live';";

/// Every build.
pub(crate) fn select(dialect: Dialect) -> Query {
    let sql = "SELECT name, generation, stage, definition, tables, position, parked, stopped_position, stopped_error \
               FROM projections ORDER BY name, generation";
    Query::new(dialect, sql.to_owned(), Vec::new())
}

/// A build from its cells.
pub(crate) fn read(cells: &mut Cells<'_>) -> Result<Checkpoint, StorageError> {
    let (name, generation) = (cells.take()?, cells.take()?);
    let stage = cells.take_word(&STAGES)?;
    let (definition, tables) = (cells.take()?, cells.take()?);
    let (position, parked) = (cells.take()?, cells.take()?);
    let (stopped, error): (Option<Position>, Option<String>) = (cells.take()?, cells.take()?);
    let stopped = match (stopped, error) {
        (Some(position), Some(error)) => Some((position, error)),
        (None, None) => None,
        _ => return Err(damaged("a stop has a place or a reason alone")),
    };
    Ok(Checkpoint { name, generation, stage, definition, tables, position, parked, stopped })
}

/// Begins a build.
pub(crate) fn insert(dialect: Dialect, checkpoint: Checkpoint) -> Query {
    let sql = "INSERT INTO projections (name, generation, stage, definition, tables, position, parked) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)";
    let Checkpoint { name, generation, stage, definition, tables, position, .. } = checkpoint;
    let values =
        vec![name.into(), generation.into(), stage.word().into(), definition.into(), tables.into(), position.into()];
    Query::new(dialect, sql.to_owned(), values)
}

/// Moves a build from one stage to another; it changes no row when the build is not there.
pub(crate) fn turn(dialect: Dialect, name: &str, generation: u32, from: Stage, to: Stage) -> Query {
    let sql = "UPDATE projections SET stage = ?4 WHERE name = ?1 AND generation = ?2 AND stage = ?3";
    let values = vec![name.to_owned().into(), generation.into(), from.word().into(), to.word().into()];
    Query::new(dialect, sql.to_owned(), values)
}

/// Forgets a build.
pub(crate) fn delete(dialect: Dialect, name: &str, generation: u32) -> Query {
    let sql = "DELETE FROM projections WHERE name = ?1 AND generation = ?2";
    Query::new(dialect, sql.to_owned(), vec![name.to_owned().into(), generation.into()])
}

/// The change that moves checkpoints: name, generation, where it was left; what it is moved to, how many events are parked,
/// where it stopped, why.
pub(crate) fn advance<'a>(dialect: Dialect) -> Change<'a> {
    const KEY: [Column; 3] = [text("name"), integer("generation"), integer("position")];
    const SET: [Column; 4] =
        [integer("position"), integer("parked"), integer("stopped_position"), text("stopped_error")];
    Change::update(dialect, "projections", &KEY, &SET)
}
