//! The read models of one data folder: kept up with the log by one writing thread, asked through a few connections.
//!
//! Every question takes the position as of which it is answered. A position that is not folded yet is waited for up to
//! [`AS_OF_WAIT`], then refused: an answer as of a position never changes.

use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use timeloom_domain::ids::{ExecutionId, Slug, TenantId, WorkflowId};
use timeloom_store::{EventLog, Position, RecordedEvent};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::error::{Behind, ProjectionError};
use crate::executions::{self, ExecutionFilter, ExecutionRow};
use crate::feed::{self, FeedFilter, FeedOrder};
use crate::file::{FILE, swap};
use crate::models::{self, ModelRow};
use crate::node_runs::{self, NODE_RUNS_MAX, NodeRunRow};
use crate::page::{AsOf, Page, PageOf};
use crate::plugins::{self, PluginRow};
use crate::readers::Readers;
use crate::rebuild::{RebuildReport, blocking, build, catch_up, report};
use crate::runner::{Progress, Runner};
use crate::workflows::{self, WorkflowFilter, WorkflowRow};
use crate::writer::{ProjectionStatus, Writer};

/// How long a question waits for the position as of which it is asked.
pub const AS_OF_WAIT: Duration = Duration::from_secs(1);

/// The read models of one data folder.
pub struct ReadModels {
    folder: PathBuf,
    log: Arc<dyn EventLog>,
    readers: Readers,
    progress: Arc<Progress>,
    life: Mutex<Life>,
    rebuilds: tokio::sync::Mutex<()>,
}

/// Who has the writer.
enum Life {
    /// Nobody: not started yet.
    Idle(Box<Writer>),
    /// The thread.
    Running {
        /// Ends the thread, also when the read models are dropped without being closed.
        closing: DropGuard,
        /// Gives the writer back.
        thread: JoinHandle<Writer>,
    },
    /// Another file is taking the present one's place.
    Rebuilding,
    /// Closed.
    Closed,
}

impl std::fmt::Debug for ReadModels {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ReadModels").field("folder", &self.folder).field("position", &self.position()).finish()
    }
}

impl ReadModels {
    /// Opens the read models in `folder`, made or begun again if they are missing, damaged or of another version.
    ///
    /// # Errors
    /// [`ProjectionError`] when the folder cannot be written.
    pub fn open(folder: &Path, log: Arc<dyn EventLog>) -> Result<Arc<Self>, ProjectionError> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(FILE);
        let writer = Writer::open(&path, log.head())?;
        let progress = Arc::new(Progress::of(&writer));
        let life = Mutex::new(Life::Idle(Box::new(writer)));
        let readers = Readers::new(&path);
        Ok(Arc::new(Self {
            folder: folder.to_owned(),
            log,
            readers,
            progress,
            life,
            rebuilds: tokio::sync::Mutex::default(),
        }))
    }

    /// Begins to follow the log; does nothing when it already does. To be called within a tokio runtime with time.
    ///
    /// # Errors
    /// [`ProjectionError::Closed`] after [`Self::close`]; [`ProjectionError::Thread`] without a runtime or a thread.
    pub fn start(&self) -> Result<(), ProjectionError> {
        let thread_error = |error: &dyn std::fmt::Display| ProjectionError::Thread(error.to_string());
        let runtime = Handle::try_current().map_err(|error| thread_error(&error))?;
        let mut life = self.life();
        let writer = match mem::replace(&mut *life, Life::Closed) {
            Life::Idle(writer) => writer,
            running @ Life::Running { .. } => {
                *life = running;
                return Ok(());
            }
            without @ (Life::Rebuilding | Life::Closed) => {
                *life = without;
                return Err(ProjectionError::Closed);
            }
        };
        let closing = CancellationToken::new();
        let runner = Runner {
            log: Arc::clone(&self.log),
            progress: Arc::clone(&self.progress),
            closing: closing.clone(),
            runtime,
        };
        let thread = std::thread::Builder::new().name("read-models".to_owned()).spawn(move || runner.run(*writer));
        let thread = thread.map_err(|error| thread_error(&error))?;
        *life = Life::Running { closing: closing.drop_guard(), thread };
        Ok(())
    }

    /// Stops following the log and closes the file. What was not folded is folded after the next start.
    ///
    /// # Errors
    /// [`ProjectionError`] when the file cannot be closed.
    pub async fn close(&self) -> Result<(), ProjectionError> {
        let writer = self.stop(Life::Closed).await?;
        let _paused = self.readers.pause().await?;
        match writer {
            Some(writer) => blocking(move || writer.close()).await,
            None => Ok(()),
        }
    }

    /// Builds the read models again while the present ones serve, then lets the new ones take their place and follow on.
    ///
    /// # Errors
    /// [`ProjectionError`] when the file or the log fails; [`ProjectionError::Closed`] after [`Self::close`].
    pub async fn rebuild(&self) -> Result<RebuildReport, ProjectionError> {
        let _alone = self.rebuilds.lock().await;
        let (next, built) = build(&self.folder, &*self.log).await?;
        let present = self.stop(Life::Rebuilding).await?.ok_or(ProjectionError::Closed)?;
        let replaced = self.replace(present, next, built).await;
        // Whichever file is in place now is followed on.
        let (path, head) = (self.folder.join(FILE), self.log.head());
        let writer = blocking(move || Writer::open(&path, head)).await?;
        self.progress.publish(&writer);
        {
            let mut life = self.life();
            if !matches!(*life, Life::Rebuilding) {
                return Err(ProjectionError::Closed);
            }
            *life = Life::Idle(Box::new(writer));
        }
        self.start()?;
        replaced
    }

    async fn replace(&self, present: Writer, next: Writer, built: u64) -> Result<RebuildReport, ProjectionError> {
        let _paused = self.readers.pause().await?;
        let (next, added) = catch_up(next, &*self.log).await?;
        let report = report(&next, built + added, self.log.head());
        let folder = self.folder.clone();
        blocking(move || {
            present.close()?;
            next.close()?;
            swap(&folder)
        })
        .await?;
        Ok(report)
    }

    /// The last position that every projection's rows hold. A parked projection does not count.
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
        let mut positions = self.progress.position();
        let reached = tokio::time::timeout(timeout, positions.wait_for(|reached| *reached >= position)).await;
        match reached {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Behind { reached: self.position(), wanted: position }),
        }
    }

    /// How far each projection is, and what keeps it.
    pub fn status(&self) -> Vec<ProjectionStatus> {
        let head = self.log.head();
        self.progress.states().0.iter().map(|state| state.status(head)).collect()
    }

    /// Why no projection goes on at present, when the file or the log fails. It is tried again all the time.
    pub fn fault(&self) -> Option<String> {
        self.progress.states().1
    }

    async fn stop(&self, then: Life) -> Result<Option<Writer>, ProjectionError> {
        let life = {
            let mut life = self.life();
            let without = matches!(*life, Life::Closed);
            mem::replace(&mut *life, if without { Life::Closed } else { then })
        };
        match life {
            Life::Idle(writer) => Ok(Some(*writer)),
            Life::Running { closing, thread } => {
                drop(closing);
                let stopped = || thread.join().map_err(|_| ProjectionError::Thread("it has panicked".to_owned()));
                blocking(stopped).await.map(Some)
            }
            Life::Rebuilding | Life::Closed => Ok(None),
        }
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        // It is replaced as a whole, so that no holder leaves it half-way.
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The questions.
impl ReadModels {
    async fn ask<R: Send + 'static>(
        &self,
        as_of: AsOf,
        question: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, ProjectionError> {
        if let Some(position) = as_of {
            self.wait_for(position, AS_OF_WAIT).await?;
        }
        self.readers.ask(question).await
    }

    /// One workflow.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn workflow(
        &self,
        tenant: TenantId,
        id: WorkflowId,
        as_of: AsOf,
    ) -> Result<Option<WorkflowRow>, ProjectionError> {
        self.ask(as_of, move |connection| workflows::one(connection, tenant, id, as_of)).await
    }

    /// Workflows, newest first.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn workflows(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        page: &Page,
        filter: WorkflowFilter,
    ) -> Result<PageOf<WorkflowRow>, ProjectionError> {
        let page = *page;
        self.ask(as_of, move |connection| workflows::page(connection, tenant, as_of, &page, filter)).await
    }

    /// One plugin.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn plugin(
        &self,
        tenant: TenantId,
        name: &Slug,
        as_of: AsOf,
    ) -> Result<Option<PluginRow>, ProjectionError> {
        let name = name.clone();
        self.ask(as_of, move |connection| plugins::one(connection, tenant, name.as_str(), as_of)).await
    }

    /// Plugins, newest first.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn plugins(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        page: &Page,
    ) -> Result<PageOf<PluginRow>, ProjectionError> {
        let page = *page;
        self.ask(as_of, move |connection| plugins::page(connection, tenant, as_of, &page)).await
    }

    /// One model.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn model(&self, tenant: TenantId, name: &Slug, as_of: AsOf) -> Result<Option<ModelRow>, ProjectionError> {
        let name = name.clone();
        self.ask(as_of, move |connection| models::one(connection, tenant, name.as_str(), as_of)).await
    }

    /// Models, newest first.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn models(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        page: &Page,
    ) -> Result<PageOf<ModelRow>, ProjectionError> {
        let page = *page;
        self.ask(as_of, move |connection| models::page(connection, tenant, as_of, &page)).await
    }

    /// One execution.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn execution(
        &self,
        tenant: TenantId,
        id: ExecutionId,
        as_of: AsOf,
    ) -> Result<Option<ExecutionRow>, ProjectionError> {
        self.ask(as_of, move |connection| executions::one(connection, tenant, id, as_of)).await
    }

    /// Executions, newest first.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn executions(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        page: &Page,
        filter: ExecutionFilter,
    ) -> Result<PageOf<ExecutionRow>, ProjectionError> {
        let page = *page;
        self.ask(as_of, move |connection| executions::page(connection, tenant, as_of, &page, filter)).await
    }

    /// Node runs of one execution in the order of execution: the first [`NODE_RUNS_MAX`].
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn node_runs(
        &self,
        tenant: TenantId,
        execution_id: ExecutionId,
        as_of: AsOf,
    ) -> Result<Vec<NodeRunRow>, ProjectionError> {
        self.node_runs_from(tenant, execution_id, as_of, 0, NODE_RUNS_MAX).await
    }

    /// At most `limit` node runs of one execution, from `execution_index` on.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn node_runs_from(
        &self,
        tenant: TenantId,
        execution_id: ExecutionId,
        as_of: AsOf,
        execution_index: u64,
        limit: usize,
    ) -> Result<Vec<NodeRunRow>, ProjectionError> {
        let range = (execution_index, limit);
        self.ask(as_of, move |connection| node_runs::of_execution(connection, tenant, execution_id, as_of, range)).await
    }

    /// Events themselves, from the log.
    ///
    /// # Errors
    /// [`ProjectionError::Log`] when the log fails.
    pub async fn events(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        page: &Page,
        filter: FeedFilter,
        order: FeedOrder,
    ) -> Result<PageOf<Arc<RecordedEvent>>, ProjectionError> {
        feed::page(&*self.log, tenant, as_of, page, filter, order).await
    }

    /// The event at a position, from the log: the data of a row is read by its `event_position`.
    ///
    /// # Errors
    /// [`ProjectionError::Log`] when the log fails.
    pub async fn event(
        &self,
        tenant: TenantId,
        position: Position,
    ) -> Result<Option<Arc<RecordedEvent>>, ProjectionError> {
        Ok(feed::one(&*self.log, tenant, position).await?)
    }
}
