//! Writes batches of events into the read models' database: rows and checkpoints in one transaction.
//!
//! Each build of a projection has its own checkpoint, which only moves from where this writer left it: no batch is folded
//! twice, by whomever. A batch that the database refuses is tried again event by event, and the event that is refused
//! alone is parked, as one that cannot be read is. Invariant: what is in the rows of a build is what the events up to its
//! checkpoint say, except those that are parked.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use timeloom_store::{EventLog, Position, RecordedEvent, StreamKey};

use crate::access::{Accounts, ApiKeys, Sessions, Tenants};
use crate::agents::{AgentRuns, Agents};
use crate::builds;
use crate::checkpoints;
use crate::credentials::Credentials;
use crate::database::{Change, Database, Dialect, Load, Named, Postgres, Sqlite, StorageError};
use crate::error::ProjectionError;
use crate::evaluation_sets::EvaluationSets;
use crate::evaluations::Evaluations;
use crate::executions::Executions;
use crate::inferences::{InferenceWindows, InferenceWorkers, Inferences, ModelLoads};
use crate::model_calls::ModelCalls;
use crate::models::Models;
use crate::node_runs::NodeRuns;
use crate::parked::{self, ParkedEvent, ParkedStreams};
use crate::plugins::Plugins;
use crate::read_model::{Fold, Projection};
use crate::store::ReadModelStore;
use crate::texts::TextIndex;
use crate::workflows::Workflows;

/// Most events of one transaction while the log is followed.
pub(crate) const BATCH_EVENTS_MAX: usize = 500;
/// How often an event is tried that the database refuses, before it is parked.
pub(crate) const WRITE_TRIES_MAX: u32 = 3;

/// How long a new writer waits for the log to come to where the last one was.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);

/// Every projection.
pub(crate) static PROJECTIONS: [&dyn Projection; 19] = [
    &Workflows,
    &Plugins,
    &Models,
    &Agents,
    &AgentRuns,
    &Credentials,
    &Executions,
    &NodeRuns,
    &Inferences,
    &InferenceWindows,
    &InferenceWorkers,
    &ModelLoads,
    &ModelCalls,
    &Evaluations,
    &EvaluationSets,
    &Accounts,
    &ApiKeys,
    &Sessions,
    &Tenants,
];

/// The one connection that writes.
pub(crate) struct Writer {
    pub(crate) database: Box<dyn Database>,
    /// The builds from which questions are answered.
    pub live: Vec<State>,
    /// Those that are to take their place.
    pub building: Vec<State>,
    /// The index of texts.
    pub texts: TextIndex,
}

/// One build of a projection.
#[derive(Clone)]
pub(crate) struct State {
    pub projection: &'static dyn Projection,
    pub generation: u32,
    /// The last event that its rows hold.
    pub position: Position,
    pub parked: ParkedStreams,
    /// The event before which it stopped, when it may not park more.
    pub stopped: Option<ParkedEvent>,
    /// Row versions written since it was opened.
    pub rows: u64,
}

/// Which builds a batch is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Builds {
    Live,
    Building,
}

/// What a batch made of one build.
struct Advanced {
    state: usize,
    position: Position,
    parked: Vec<ParkedEvent>,
    stopped: Option<ParkedEvent>,
    rows: u64,
}

/// What is refused of an event: the number of the state, and why.
type Refused = Vec<(usize, String)>;

/// Why a batch was not written.
enum Failed {
    /// For one state it cannot be: the database works and refuses what comes of it, or the fold panicked.
    Refused { state: usize, error: String },
    /// Something else.
    Fault(ProjectionError),
}

impl From<StorageError> for Failed {
    fn from(error: StorageError) -> Self {
        Self::Fault(error.into())
    }
}

impl State {
    pub fn named(&self, dialect: Dialect) -> Named {
        Named { dialect, table: self.projection.table(), generation: self.generation }
    }
}

impl Writer {
    /// Opens the database of `store` and makes what is missing or of another version; `None` when another process writes
    /// it. Rows that are ahead of the log were folded from another log and are begun again. For PostgreSQL to be called
    /// within a runtime's context, outside its own threads.
    pub fn open(store: &ReadModelStore, log: &Arc<dyn EventLog>) -> Result<Option<Self>, ProjectionError> {
        let layout = [checkpoints::SCHEMA, parked::SCHEMA].concat();
        let database: Box<dyn Database> = match store {
            ReadModelStore::Folder(folder) => Box::new(Sqlite::open(folder, &layout)?),
            ReadModelStore::Postgres(place) => {
                let runtime = tokio::runtime::Handle::try_current();
                let runtime = runtime.map_err(|error| ProjectionError::Thread(error.to_string()))?;
                let Some(mut database) = Postgres::open(place, &runtime, &layout)? else { return Ok(None) };
                // What the last writer has folded may not have come to this process yet.
                let furthest = builds::furthest(&mut database)?;
                let _ = runtime.block_on(tokio::time::timeout(HEAD_TIME_MAX, log.wait_for(furthest)));
                Box::new(database)
            }
        };
        builds::open(database, log.head()).map(Some)
    }

    /// Folds `events`, of which there are all up to `up_to`, into builds that are not further. All or nothing.
    pub fn apply(
        &mut self,
        builds: Builds,
        events: &[Arc<RecordedEvent>],
        up_to: Position,
    ) -> Result<(), ProjectionError> {
        match self.try_apply(builds, events, up_to, &Vec::new()) {
            Ok(()) => Ok(()),
            Err(Failed::Fault(error)) => Err(error),
            Err(Failed::Refused { error, .. }) => {
                tracing::warn!(%error, %up_to, "a batch is refused by the database; its events are folded one by one");
                for event in events {
                    self.apply_one(builds, event)?;
                }
                match self.try_apply(builds, &[], up_to, &Vec::new()) {
                    Err(Failed::Fault(error)) => Err(error),
                    Err(Failed::Refused { error, .. }) => Err(ProjectionError::Refused(error)),
                    Ok(()) => Ok(()),
                }
            }
        }
    }

    fn apply_one(&mut self, builds: Builds, event: &Arc<RecordedEvent>) -> Result<(), ProjectionError> {
        let (mut refused, mut tries) = (Refused::new(), 0);
        loop {
            match self.try_apply(builds, std::slice::from_ref(event), event.position, &refused) {
                Ok(()) => return Ok(()),
                Err(Failed::Fault(error)) => return Err(error),
                Err(Failed::Refused { error, .. }) if tries + 1 < WRITE_TRIES_MAX => {
                    tries += 1;
                    tracing::warn!(%error, position = %event.position, tries, "an event is refused by the database");
                }
                Err(Failed::Refused { state, error }) if refused.iter().any(|(known, _)| *known == state) => {
                    // Not even its being parked is taken.
                    return Err(ProjectionError::Refused(error));
                }
                Err(Failed::Refused { state, error }) => {
                    refused.push((state, error));
                    tries = 0;
                }
            }
        }
    }

    fn try_apply(
        &mut self,
        builds: Builds,
        events: &[Arc<RecordedEvent>],
        up_to: Position,
        refused: &Refused,
    ) -> Result<(), Failed> {
        let states = match builds {
            Builds::Live => &self.live,
            Builds::Building => &self.building,
        };
        self.database.begin()?;
        let advanced = advance(&mut *self.database, states, events, up_to, refused);
        let committed = advanced.and_then(|advanced| {
            self.database.commit()?;
            Ok(advanced)
        });
        if committed.is_err() {
            self.database.rollback();
        }
        let states = match builds {
            Builds::Live => &mut self.live,
            Builds::Building => &mut self.building,
        };
        for advanced in committed? {
            if let Some(state) = states.get_mut(advanced.state) {
                state.take(advanced);
            }
        }
        Ok(())
    }

    /// Folds again what one live build has parked of a stream: `events` are all of its from the first parked one on, up to
    /// where the build is, or the first of them. All or nothing.
    pub fn retry(
        &mut self,
        number: usize,
        stream: &StreamKey,
        events: &[Arc<RecordedEvent>],
    ) -> Result<(), ProjectionError> {
        let (Some(state), Some(last)) = (self.live.get(number), events.last()) else { return Ok(()) };
        let mut again = state.clone();
        again.parked = state.parked.without(stream);
        // Some room is made: what is tried again is parked already.
        again.parked.events = again.parked.events.saturating_sub(events.len());
        self.database.begin()?;
        let folded = refold(&mut *self.database, &again, stream, events, last.position);
        let committed = folded.and_then(|parked| {
            self.database.commit()?;
            Ok(parked)
        });
        match committed {
            Ok(parked) => {
                if let Some(state) = self.live.get_mut(number) {
                    state.parked = parked;
                }
                Ok(())
            }
            Err(error) => {
                self.database.rollback();
                match error {
                    // It stays parked, as it was.
                    Failed::Refused { .. } => Ok(()),
                    Failed::Fault(error) => Err(error),
                }
            }
        }
    }

    /// Counts the texts of events, and writes down what is complete of them.
    pub fn count_texts(&mut self, events: &[Arc<RecordedEvent>]) -> Result<(), ProjectionError> {
        self.texts.count(events);
        Ok(self.texts.write(&mut *self.database)?)
    }

    /// The last event that every live build holds which has not stopped; `None` when all have.
    pub fn position(&self) -> Option<Position> {
        self.live.iter().filter(|state| state.stopped.is_none()).map(|state| state.position).min()
    }

    /// Closes the database, so that nothing of it is left in a write-ahead log.
    pub fn close(self) -> Result<(), ProjectionError> {
        Ok(self.database.close()?)
    }
}

impl State {
    fn take(&mut self, advanced: Advanced) {
        let name = self.projection.name();
        for event in &advanced.parked {
            if let Some(error) = &event.error {
                let (position, stream) = (event.position, &event.stream);
                tracing::error!(projection = name, %position, %stream, error, "an event cannot be folded and is parked");
            }
            self.parked.add(event);
        }
        if let Some(stopped) = &advanced.stopped {
            tracing::error!(projection = name, position = %stopped.position, "too many events are parked: it stops");
        }
        self.position = advanced.position;
        self.stopped = advanced.stopped;
        self.rows += advanced.rows;
    }
}

/// Folds events into the rows of each build that is before them, and moves the checkpoints.
fn advance(
    database: &mut dyn Database,
    states: &[State],
    events: &[Arc<RecordedEvent>],
    up_to: Position,
    refused: &Refused,
) -> Result<Vec<Advanced>, Failed> {
    let behind = |state: &&State| state.stopped.is_none() && state.position < up_to;
    let numbered = states.iter().enumerate().filter(|(_, state)| behind(state));
    let mut folds: Vec<(usize, &State, Box<dyn Fold>)> = numbered
        .map(|(number, state)| {
            let known = events.partition_point(|event| event.position <= state.position);
            let refused = refused.iter().find(|(state, _)| *state == number).map(|(_, error)| error.as_str());
            let new = events.get(known..).unwrap_or_default();
            (number, state, state.projection.begin(new, &state.parked, refused))
        })
        .collect();
    load_and_fold(database, &mut folds)?;

    let dialect = database.dialect();
    let mut changes = Changes::default();
    let (mut moves, mut parking) = (checkpoints::advance(dialect), parked::insert(dialect));
    let mut rows = Vec::with_capacity(folds.len());
    for (number, state, fold) in &folds {
        rows.push(changes.add(*number, state, &**fold, dialect)?);
        let name = state.projection.name();
        fold.parked().iter().for_each(|event| parked::add_row(&mut parking, name, state.generation, event));
        let parked = state.parked.events + fold.parked().len();
        add_move(&mut moves, state, reached(&**fold, up_to), parked, fold.stopped());
    }
    changes.add_for_nobody(parking);
    let wanted = folds.len() as u64;
    let moved = changes.write(database, moves)?;
    if moved != wanted {
        return Err(Failed::Fault(ProjectionError::Fenced));
    }
    let advanced = folds.iter().zip(rows).map(|((number, _, fold), rows)| Advanced {
        state: *number,
        position: reached(&**fold, up_to),
        parked: fold.parked().to_vec(),
        stopped: fold.stopped().cloned(),
        rows,
    });
    Ok(advanced.collect())
}

/// Adds a build to the change that moves checkpoints.
fn add_move<'a>(moves: &mut Change<'a>, state: &State, to: Position, parked: usize, stopped: Option<&'a ParkedEvent>) {
    moves.values.extend([
        state.projection.name().into(),
        state.generation.into(),
        state.position.into(),
        to.into(),
        (parked as u64).into(),
        stopped.map(|event| event.position).into(),
        stopped.map(ParkedEvent::reason).into(),
    ]);
}

fn reached(fold: &dyn Fold, up_to: Position) -> Position {
    fold.stopped().map_or(up_to, |event| Position(event.position.0.saturating_sub(1)))
}

fn load_and_fold(database: &mut dyn Database, folds: &mut [(usize, &State, Box<dyn Fold>)]) -> Result<(), Failed> {
    let dialect = database.dialect();
    let mut loads: Vec<(Load, &mut dyn Fold)> = Vec::with_capacity(folds.len());
    for (_, state, fold) in folds.iter_mut().filter(|(_, _, fold)| fold.keys() > 0) {
        loads.push((state.named(dialect).load(), &mut **fold));
    }
    database.load(&mut loads)?;
    for (state, _, fold) in folds {
        fold.fold().map_err(|error| Failed::Refused { state: *state, error })?;
    }
    Ok(())
}

/// The changes of a batch, each with the state that it is for.
#[derive(Default)]
struct Changes<'a> {
    changes: Vec<Change<'a>>,
    states: Vec<Option<usize>>,
}

impl<'a> Changes<'a> {
    fn add(&mut self, number: usize, state: &State, fold: &'a dyn Fold, dialect: Dialect) -> Result<u64, StorageError> {
        if fold.keys() == 0 {
            return Ok(0);
        }
        let rows = fold.changes(&state.named(dialect), &mut self.changes)?;
        self.changes.retain(|change| !change.values.is_empty());
        self.states.resize(self.changes.len(), Some(number));
        Ok(rows)
    }

    fn add_for_nobody(&mut self, change: Change<'a>) {
        if !change.values.is_empty() {
            self.changes.push(change);
            self.states.push(None);
        }
    }

    /// Makes the changes, then the last one; how many rows that changed.
    fn write(mut self, database: &mut dyn Database, last: Change<'a>) -> Result<u64, Failed> {
        let last_matters = !last.values.is_empty();
        self.add_for_nobody(last);
        let counts = database.write(&self.changes).map_err(|failed| {
            match self.states.get(failed.change).copied().flatten() {
                Some(state) if failed.error.is_refusal() => Failed::Refused { state, error: failed.error.to_string() },
                _ => failed.error.into(),
            }
        })?;
        Ok(counts.last().copied().filter(|_| last_matters).unwrap_or(0))
    }
}

/// Folds events of one stream again into a build that has parked them.
fn refold(
    database: &mut dyn Database,
    state: &State,
    stream: &StreamKey,
    events: &[Arc<RecordedEvent>],
    up_to: Position,
) -> Result<ParkedStreams, Failed> {
    let (dialect, name) = (database.dialect(), state.projection.name());
    database.execute(&parked::delete(dialect, name, state.generation, stream, up_to))?;
    let mut folds = vec![(0, state, state.projection.begin(events, &state.parked, None))];
    load_and_fold(database, &mut folds)?;
    let (mut changes, mut parking) = (Changes::default(), parked::insert(dialect));
    for (number, state, fold) in &folds {
        changes.add(*number, state, &**fold, dialect)?;
        fold.parked().iter().for_each(|event| parked::add_row(&mut parking, name, state.generation, event));
    }
    let (_, nothing) = (changes.add_for_nobody(parking), parked::insert(dialect));
    changes.write(database, nothing)?;
    let parked = parked::load(database, name, state.generation)?;
    // It moves nowhere, and only if it is where this writer left it.
    let mut moves = checkpoints::advance(dialect);
    add_move(&mut moves, state, state.position, parked.events, state.stopped.as_ref());
    match Changes::default().write(database, moves)? {
        1 => Ok(parked),
        _ => Err(Failed::Fault(ProjectionError::Fenced)),
    }
}
