//! The read models of one log: kept up with it by one writing thread, asked through a few connections.
//!
//! Every question takes the position as of which it is answered. A position that is not folded yet is waited for up to
//! [`AS_OF_WAIT`], then refused: an answer as of a position never changes.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use timeloom_store::{EventLog, Position, TenantScope};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::database::{Cells, Dialect, Named, Query, Read, Readers};
use crate::error::{Behind, ProjectionError};
use crate::page::AsOf;
use crate::parked::{self, ParkedEvent, ParkedRange};
use crate::progress::{Progress, ProjectionStatus, Role};
use crate::read_model::Projection;
use crate::rebuild::{PAGE_EVENTS_MAX, RebuildReport, blocking, known_names};
use crate::runner::{COMMANDS_MAX, Command, Done, Runner};
use crate::standby;
use crate::store::ReadModelStore;
use crate::writer::{PROJECTIONS, Writer};

/// How long a question waits for the position as of which it is asked.
pub const AS_OF_WAIT: Duration = Duration::from_secs(1);
/// Pause before a question looks again for tables that are not made yet.
const NOT_MADE_PAUSE: Duration = Duration::from_millis(20);
/// Builds after which no row is of what was read before the first.
const SCRUB_BUILDS: u32 = 2;
/// How often a question is asked, when the rows that it is asked of are replaced meanwhile.
const ASK_TRIES_MAX: u32 = 3;
/// Most questions that one statement asks.
const QUESTIONS_TOGETHER_MAX: usize = 100;
/// Most parked events that are told at once.
pub const PARKED_PAGE_MAX: usize = 1_000;

/// What the thread answers to something that it was asked.
type Answer<T> = oneshot::Receiver<Result<T, ProjectionError>>;

/// A build that has begun. It goes on when this is dropped.
#[derive(Debug)]
pub struct Rebuilding(Answer<RebuildReport>);

impl Rebuilding {
    /// Waits until the new rows have taken their place.
    ///
    /// # Errors
    /// [`ProjectionError::Closed`] when the read models were closed before; the build goes on after the next start.
    pub async fn end(self) -> Result<RebuildReport, ProjectionError> {
        self.0.await.map_err(|_| ProjectionError::Closed)?
    }
}

/// The read models of one log.
pub struct ReadModels {
    store: ReadModelStore,
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) readers: Arc<Readers>,
    progress: Arc<Progress>,
    statements: AtomicU64,
    life: Mutex<Life>,
}

/// Who has the writer.
enum Life {
    /// Nobody: not started yet. There is none when the database is not opened yet.
    Idle(Option<Box<Writer>>),
    /// The thread.
    Running {
        /// Ends the thread, also when the read models are dropped without being closed.
        closing: DropGuard,
        /// Asks something of it.
        commands: mpsc::Sender<Command>,
        /// Gives the writer back, if it has one.
        thread: JoinHandle<Option<Writer>>,
    },
    /// Closed.
    Closed,
}

impl std::fmt::Debug for ReadModels {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ReadModels").field("store", &self.store).field("position", &self.position()).finish()
    }
}

impl ReadModels {
    /// Opens the read models in `store`. In a folder they are made or begun again if they are missing, damaged or of
    /// another version; PostgreSQL is not asked anything before [`Self::start`], and [`Self::fault`] tells how it answered.
    ///
    /// # Errors
    /// [`ProjectionError`] when the folder cannot be written or the address cannot be understood.
    pub fn open(store: impl Into<ReadModelStore>, log: Arc<dyn EventLog>) -> Result<Arc<Self>, ProjectionError> {
        let (store, progress) = (store.into(), Progress::new());
        let (writer, readers) = match &store {
            ReadModelStore::Folder(folder) => {
                let writer = Writer::open(&store, &log)?;
                writer.iter().for_each(|writer| progress.publish_writer(writer));
                (writer.map(Box::new), Readers::of_folder(folder))
            }
            ReadModelStore::Postgres(place) => (None, Readers::of_postgres(place)?),
        };
        let (readers, progress, life) = (Arc::new(readers), Arc::new(progress), Mutex::new(Life::Idle(writer)));
        Ok(Arc::new(Self { store, log, readers, progress, statements: AtomicU64::new(0), life }))
    }

    /// Begins to follow the log; does nothing when it already does. To be called within a tokio runtime with time.
    ///
    /// # Errors
    /// [`ProjectionError::Closed`] after [`Self::close`]; [`ProjectionError::Thread`] without a runtime or a thread.
    pub fn start(&self) -> Result<(), ProjectionError> {
        self.begin(true)
    }

    /// Begins to follow what another process writes, and never writes itself; does nothing when it already follows. To be
    /// called within a tokio runtime with time. Rows in a folder have no other process: they stay as they are.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_reading(&self) -> Result<(), ProjectionError> {
        self.begin(false)
    }

    fn begin(&self, may_write: bool) -> Result<(), ProjectionError> {
        let thread_error = |error: &dyn std::fmt::Display| ProjectionError::Thread(error.to_string());
        let runtime = Handle::try_current().map_err(|error| thread_error(&error))?;
        let mut life = self.life();
        let writer = match mem::replace(&mut *life, Life::Closed) {
            Life::Idle(writer) => writer,
            running @ Life::Running { .. } => {
                *life = running;
                return Ok(());
            }
            Life::Closed => return Err(ProjectionError::Closed),
        };
        let closing = CancellationToken::new();
        let (commands, asked) = mpsc::channel(COMMANDS_MAX);
        let runner = Runner {
            store: self.store.clone(),
            log: Arc::clone(&self.log),
            readers: Arc::clone(&self.readers),
            progress: Arc::clone(&self.progress),
            closing: closing.clone(),
            runtime,
            commands: asked,
            may_write,
            failed: None,
            build: None,
            text_page_events: PAGE_EVENTS_MAX,
            texts_go_on: Instant::now(),
        };
        let run = move || runner.run(writer.filter(|_| may_write).map(|writer| *writer));
        let thread = std::thread::Builder::new().name("read-models".to_owned()).spawn(run);
        let thread = thread.map_err(|error| thread_error(&error))?;
        *life = Life::Running { closing: closing.drop_guard(), commands, thread };
        Ok(())
    }

    /// Stops following the log and closes the database. What was not folded is folded after the next start.
    ///
    /// # Errors
    /// [`ProjectionError`] when the database cannot be closed.
    pub async fn close(&self) -> Result<(), ProjectionError> {
        let life = mem::replace(&mut *self.life(), Life::Closed);
        let writer = match life {
            Life::Idle(writer) => writer.map(|writer| *writer),
            Life::Running { closing, thread, .. } => {
                drop(closing);
                let stopped = || thread.join().map_err(|_| ProjectionError::Thread("it has panicked".to_owned()));
                blocking(stopped).await?
            }
            Life::Closed => return Ok(()),
        };
        self.readers.close().await?;
        match writer {
            Some(writer) => blocking(move || writer.close()).await,
            None => Ok(()),
        }
    }

    /// Builds the projections with these names again, or all without any, while the present rows are kept up and answer;
    /// lets the new rows take their place once they have caught up. Only the process that writes can. The build goes on
    /// when nobody waits for it any more, and after a restart.
    ///
    /// # Errors
    /// [`ProjectionError`] when the database fails, when another process writes, when a name is not known;
    /// [`ProjectionError::Closed`] before [`Self::start`] and after [`Self::close`].
    pub async fn rebuild(&self, names: &[&str]) -> Result<RebuildReport, ProjectionError> {
        self.begin_rebuild(names).await?.end().await
    }

    /// Begins what [`Self::rebuild`] does, and answers once [`Self::status`] shows it.
    ///
    /// # Errors
    /// As [`Self::rebuild`].
    pub async fn begin_rebuild(&self, names: &[&str]) -> Result<Rebuilding, ProjectionError> {
        let names = known_names(names)?;
        let (begun, beginning) = oneshot::channel();
        let answer = self.send(|done| Command::Rebuild { names, begun, done }).await?;
        if beginning.await.is_err() {
            // It was refused, and the answer says why.
            answer.await.map_err(|_| ProjectionError::Closed)??;
            return Err(ProjectionError::Closed);
        }
        Ok(Rebuilding(answer))
    }

    /// Builds everything again from the log, and leaves nothing on the disk of the rows that were there before: what was
    /// erased from the log is gone from the read models then. Only the process that writes can.
    ///
    /// # Errors
    /// As [`Self::rebuild`]; when somebody reads the rows all the time.
    pub async fn scrub(&self) -> Result<(), ProjectionError> {
        // A build that had begun goes on with what it has read: the second one reads everything after the first.
        for _ in 0..SCRUB_BUILDS {
            self.rebuild(&[]).await?;
        }
        let answer = self.send(|done| Command::Scrub { done }).await?;
        answer.await.map_err(|_| ProjectionError::Closed)?
    }

    /// Folds again what the projections with these names have parked, or all without any. Tells how many events are parked
    /// still.
    ///
    /// # Errors
    /// As [`Self::rebuild`].
    pub async fn retry(&self, names: &[&str]) -> Result<usize, ProjectionError> {
        let names = known_names(names)?;
        let answer = self.send(|done| Command::Retry { names, done }).await?;
        answer.await.map_err(|_| ProjectionError::Closed)?
    }

    async fn send<T>(&self, command: impl FnOnce(Done<T>) -> Command) -> Result<Answer<T>, ProjectionError> {
        let commands = match &*self.life() {
            Life::Running { commands, .. } => commands.clone(),
            Life::Idle(_) | Life::Closed => return Err(ProjectionError::Closed),
        };
        let (done, answer) = oneshot::channel();
        commands.send(command(done)).await.map_err(|_| ProjectionError::Closed)?;
        Ok(answer)
    }

    /// The last position that every projection's rows hold. One that has stopped does not count.
    pub fn position(&self) -> Position {
        *self.progress.position().borrow()
    }

    /// Tells each new position after its rows were committed.
    pub fn positions(&self) -> watch::Receiver<Position> {
        self.progress.position()
    }

    /// Waits until the rows hold `position`.
    ///
    /// # Errors
    /// [`Behind`] when that takes longer than `timeout`.
    pub async fn wait_for(&self, position: Position, timeout: Duration) -> Result<(), Behind> {
        let reached = tokio::time::timeout(timeout, self.progress.wait_for(position)).await;
        reached.map_err(|_| Behind { reached: self.position(), wanted: position })
    }

    /// How far each projection is, and what keeps it.
    pub fn status(&self) -> Vec<ProjectionStatus> {
        self.progress.status(self.log.head())
    }

    /// Which part this process has.
    pub fn role(&self) -> Role {
        self.progress.role()
    }

    /// Why no projection goes on at present, when the database or the log fails. It is tried again all the time.
    pub fn fault(&self) -> Option<String> {
        self.progress.fault()
    }

    /// What a projection has parked of somebody's events, in the order of the log, from the end in the other order: at most
    /// [`PARKED_PAGE_MAX`] at once.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn parked(
        &self,
        name: &str,
        scope: TenantScope,
        range: ParkedRange,
    ) -> Result<Vec<ParkedEvent>, ProjectionError> {
        let known = known_names(&[name])?;
        let projection = PROJECTIONS.into_iter().find(|projection| known.contains(&projection.name()));
        let Some(projection) = projection else { return Ok(Vec::new()) };
        let range = ParkedRange { limit: range.limit.min(PARKED_PAGE_MAX), ..range };
        let question = |named: &Named| parked::select(named.dialect, name, named.generation, scope, range);
        self.ask(projection, None, question, parked::read).await
    }

    /// Asks a projection's rows.
    pub(crate) async fn ask<R: Send + 'static>(
        &self,
        projection: &'static dyn Projection,
        as_of: AsOf,
        question: impl Fn(&Named) -> Query + Send,
        read: impl Read<R>,
    ) -> Result<Vec<R>, ProjectionError> {
        if let Some(position) = as_of {
            self.wait_for(position, AS_OF_WAIT).await?;
        }
        let (dialect, table) = (self.readers.dialect(), projection.table());
        let mut generation = match self.progress.generation(projection.name()) {
            Some(generation) => generation,
            None => self.first_generation(projection).await?,
        };
        let mut tries = 1;
        loop {
            self.statements.fetch_add(1, Ordering::Relaxed);
            let answer = self.readers.ask(question(&Named { dialect, table, generation }), read).await;
            let Err(error) = answer else { return answer };
            // Other rows may have taken the place of those that were asked, which are dropped then.
            let newest = self.generation(projection).await?;
            if newest == generation || tries == ASK_TRIES_MAX {
                return Err(error);
            }
            (generation, tries) = (newest, tries + 1);
        }
    }

    /// Asks many questions of a projection's rows, a bounded number of them in one statement. Answers in their order.
    pub(crate) async fn ask_all<Q: Sync, R: Send + 'static>(
        &self,
        projection: &'static dyn Projection,
        as_of: AsOf,
        questions: &[Q],
        question: impl Fn(&Named, &Q) -> Query + Send + Sync,
        read: impl Read<R>,
    ) -> Result<Vec<Vec<R>>, ProjectionError> {
        let mut answers = Vec::with_capacity(questions.len());
        for some in questions.chunks(QUESTIONS_TOGETHER_MAX) {
            let together =
                |named: &Named| Query::together(named.dialect, some.iter().map(|asked| question(named, asked)));
            let placed = move |cells: &mut Cells<'_>| Ok((cells.take::<u64>()?, read(cells)?));
            let found = self.ask(projection, as_of, together, placed).await?;
            let begin = answers.len();
            answers.extend(some.iter().map(|_| Vec::new()));
            for (place, row) in found {
                let place = usize::try_from(place).unwrap_or(usize::MAX).saturating_add(begin);
                if let Some(answer) = answers.get_mut(place) {
                    answer.push(row);
                }
            }
        }
        Ok(answers)
    }

    /// How many statements the rows were asked by since this was opened.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// The build that answers for a projection, waiting a moment for the writer of a new database to make it.
    async fn first_generation(&self, projection: &'static dyn Projection) -> Result<u32, ProjectionError> {
        let began = Instant::now();
        loop {
            match self.generation(projection).await {
                Err(ProjectionError::NotMade { .. }) if began.elapsed() < AS_OF_WAIT => {
                    tokio::time::sleep(NOT_MADE_PAUSE).await;
                }
                other => return other,
            }
        }
    }

    /// The build that answers for a projection at present.
    async fn generation(&self, projection: &'static dyn Projection) -> Result<u32, ProjectionError> {
        let name = projection.name();
        let generation = if self.readers.dialect() == Dialect::Sqlite || self.role() == Role::Writer {
            self.progress.generation(name)
        } else {
            let views = standby::look(&self.readers, &self.progress).await?;
            views.iter().find(|view| view.name == name).map(|view| view.generation)
        };
        generation.ok_or(ProjectionError::NotMade { projection: name })
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        // It is replaced as a whole, so that no holder leaves it half-way.
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
