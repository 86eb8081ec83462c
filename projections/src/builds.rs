//! Builds of projections: how one is begun beside the live one, takes its place, and is dropped.
//!
//! A build has tables of its own, so that beginning one changes nothing for anybody who reads. It is promoted when it holds
//! what the live one holds, in one transaction between two batches. Invariant: of every projection there is one live build
//! at all times, from the first transaction on.

use timeloom_store::Position;

use crate::checkpoints::{self, Checkpoint, Stage};
use crate::database::{Database, StorageError, quoted};
use crate::error::ProjectionError;
use crate::parked::{self, ParkedStreams};
use crate::read_model::Projection;
use crate::texts::TextIndex;
use crate::writer::{PROJECTIONS, State, Writer};

/// Takes up the builds that are in the database, as far as this code made them from this log, and begins the others.
pub(crate) fn open(mut database: Box<dyn Database>, head: Position) -> Result<Writer, ProjectionError> {
    database.begin()?;
    let opened = open_builds(&mut *database, head).and_then(|builds| {
        let texts = TextIndex::open(&mut *database, head)?;
        database.commit()?;
        Ok((builds, texts))
    });
    match opened {
        Ok(((live, building), texts)) => {
            let mut writer = Writer { database, live, building, texts };
            writer.drop_retired();
            Ok(writer)
        }
        Err(error) => {
            database.rollback();
            Err(error.into())
        }
    }
}

fn open_builds(database: &mut dyn Database, head: Position) -> Result<(Vec<State>, Vec<State>), StorageError> {
    let dialect = database.dialect();
    let known = all(database)?;
    let (mut live, mut building) = (Vec::with_capacity(PROJECTIONS.len()), Vec::new());
    for checkpoint in &known {
        let projection = PROJECTIONS.iter().find(|projection| projection.name() == checkpoint.name).copied();
        let usable = projection
            .filter(|projection| projection.definition() == checkpoint.definition && checkpoint.position <= head);
        match (usable, checkpoint.stage) {
            (_, Stage::Retired) => {}
            (Some(projection), Stage::Live) => live.push(take_up(database, projection, checkpoint)?),
            (Some(projection), Stage::Building) => building.push(take_up(database, projection, checkpoint)?),
            (None, stage) => {
                let Checkpoint { name, generation, position, .. } = checkpoint;
                tracing::info!(projection = name, generation, %position, %head, "rows are of another version or log");
                database.execute(&checkpoints::turn(dialect, name, *generation, stage, Stage::Retired))?;
                if projection.is_none() {
                    // Nothing will take the plain names again.
                    let views = checkpoint.tables.split(',').map(|view| format!("DROP VIEW IF EXISTS {view};"));
                    database.run(&views.collect::<String>())?;
                }
            }
        }
    }
    for projection in PROJECTIONS {
        if !live.iter().any(|state| state.projection.name() == projection.name()) {
            let state = begin(database, projection, Stage::Live, &known)?;
            database.run(&state.named(dialect).show())?;
            live.push(state);
        }
    }
    // In one order always, whatever was taken up.
    live.sort_by_key(|state| PROJECTIONS.iter().position(|known| known.name() == state.projection.name()));
    Ok((live, building))
}

/// Every build that is in the database.
fn all(database: &mut dyn Database) -> Result<Vec<Checkpoint>, StorageError> {
    let mut found = Vec::new();
    database.query(&checkpoints::select(database.dialect()), &mut |cells| {
        found.push(checkpoints::read(cells)?);
        Ok(())
    })?;
    Ok(found)
}

/// The last event that the rows of any build hold which is not to be dropped.
pub(crate) fn furthest(database: &mut dyn Database) -> Result<Position, StorageError> {
    let known = all(database)?;
    let kept = known.iter().filter(|build| build.stage != Stage::Retired);
    Ok(kept.map(|build| build.position).max().unwrap_or_default())
}

fn take_up(
    database: &mut dyn Database,
    projection: &'static dyn Projection,
    checkpoint: &Checkpoint,
) -> Result<State, StorageError> {
    let Checkpoint { generation, position, .. } = *checkpoint;
    let parked = parked::load(database, projection.name(), generation)?;
    // What stopped it before may be understood by now.
    Ok(State { projection, generation, position, parked, stopped: None, rows: 0 })
}

/// Begins a build with empty tables.
pub(crate) fn begin(
    database: &mut dyn Database,
    projection: &'static dyn Projection,
    stage: Stage,
    known: &[Checkpoint],
) -> Result<State, StorageError> {
    let dialect = database.dialect();
    let name = projection.name();
    let newest = known.iter().filter(|build| build.name == name).map(|build| build.generation).max();
    let generation = newest.unwrap_or(0) + 1;
    let position = Position::START;
    let state = State { projection, generation, position, parked: ParkedStreams::default(), stopped: None, rows: 0 };
    database.run(&state.named(dialect).create())?;
    let tables: Vec<&str> = projection.table().names().collect();
    let checkpoint = Checkpoint {
        name: name.to_owned(),
        generation,
        stage,
        definition: projection.definition(),
        tables: tables.join(","),
        position,
        parked: 0,
        stopped: None,
    };
    database.execute(&checkpoints::insert(dialect, checkpoint))?;
    Ok(state)
}

impl Writer {
    /// Begins to build projections again, beside the live ones. One that is being built already goes on.
    pub fn begin_builds(&mut self, names: &[&str]) -> Result<(), ProjectionError> {
        let missing: Vec<_> = PROJECTIONS
            .into_iter()
            .filter(|projection| names.contains(&projection.name()))
            .filter(|projection| !self.building.iter().any(|state| state.projection.name() == projection.name()))
            .collect();
        self.database.begin()?;
        let begun = all(&mut *self.database).and_then(|known| {
            let database = &mut *self.database;
            missing.into_iter().map(|projection| begin(database, projection, Stage::Building, &known)).collect()
        });
        let begun: Result<Vec<State>, StorageError> = begun;
        let begun = begun.and_then(|begun| self.database.commit().map(|()| begun));
        match begun {
            Ok(begun) => self.building.extend(begun),
            Err(error) => {
                self.database.rollback();
                return Err(error.into());
            }
        }
        if names.len() == PROJECTIONS.len() {
            // Everything that is made of the log is made again.
            self.texts.begin_again(&mut *self.database)?;
        }
        Ok(())
    }

    /// Lets every build that has caught up take the place of the live one; gives those that did. `alone` = the live ones do
    /// not follow, so that the log's `head` is where to come to. One that stops has come as
    /// far as this code can bring it.
    pub fn promote(&mut self, head: Position, alone: bool) -> Result<Vec<State>, ProjectionError> {
        let goal = |state: &State| if alone { head } else { self.target(state, head) };
        let done = |state: &&State| state.stopped.is_some() || state.position >= goal(state);
        let ready: Vec<State> = self.building.iter().filter(done).cloned().collect();
        let mut promoted = Vec::with_capacity(ready.len());
        for state in ready {
            match self.promote_one(&state) {
                Ok(()) => promoted.push(state),
                Err(ProjectionError::Storage(error)) if error.is_in_use() => {
                    let name = state.projection.name();
                    tracing::info!(projection = name, %error, "somebody looks at the rows for long; promoted later");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(promoted)
    }

    /// How far a build has to come: to where the live one is, unless that has stopped.
    pub fn target(&self, building: &State, head: Position) -> Position {
        let live = self.live.iter().find(|live| live.projection.name() == building.projection.name());
        live.filter(|live| live.stopped.is_none()).map_or(head, |live| live.position)
    }

    fn promote_one(&mut self, next: &State) -> Result<(), ProjectionError> {
        let name = next.projection.name();
        let Some(present) = self.live.iter_mut().find(|state| state.projection.name() == name) else {
            return Ok(());
        };
        let database = &mut *self.database;
        let dialect = database.dialect();
        database.run(&next.named(dialect).analyze())?;
        database.begin()?;
        let impatient = database.run(dialect.impatient());
        let retire = checkpoints::turn(dialect, name, present.generation, Stage::Live, Stage::Retired);
        let promote = checkpoints::turn(dialect, name, next.generation, Stage::Building, Stage::Live);
        let turned = impatient.and_then(|()| Ok(database.execute(&retire)? + database.execute(&promote)?));
        let turned = turned.and_then(|turned| {
            database.run(&next.named(dialect).show())?;
            Ok(turned)
        });
        let committed = turned.map_err(ProjectionError::from).and_then(|turned| {
            if turned != 2 {
                return Err(ProjectionError::Fenced);
            }
            Ok(database.commit()?)
        });
        if let Err(error) = committed {
            database.rollback();
            return Err(error);
        }
        tracing::info!(projection = name, generation = next.generation, position = %next.position, "promoted");
        *present = next.clone();
        self.building.retain(|state| state.projection.name() != name);
        Ok(())
    }

    /// Drops the tables of retired builds. What cannot be dropped now, since somebody reads it for long, is dropped later.
    pub fn drop_retired(&mut self) {
        let database = &mut *self.database;
        let known = match all(database) {
            Ok(known) => known,
            Err(error) => {
                tracing::warn!(%error, "retired rows are dropped later");
                return;
            }
        };
        for build in known.iter().filter(|build| build.stage == Stage::Retired) {
            if let Err(error) = drop_build(database, build) {
                database.rollback();
                tracing::warn!(%error, projection = build.name, build.generation, "retired rows are dropped later");
            }
        }
    }
}

fn drop_build(database: &mut dyn Database, build: &Checkpoint) -> Result<(), StorageError> {
    let dialect = database.dialect();
    let tables = build.tables.split(',').map(|table| quoted(table, build.generation));
    let drop: String = tables.map(|table| format!("DROP TABLE IF EXISTS {table};")).collect();
    database.begin()?;
    database.run(&drop)?;
    database.execute(&parked::delete_all(dialect, &build.name, build.generation))?;
    database.execute(&checkpoints::delete(dialect, &build.name, build.generation))?;
    database.commit()
}
