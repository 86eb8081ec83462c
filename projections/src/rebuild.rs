//! Builds read models again, beside the live ones, which go on following the log and answering all the time.
//!
//! A page of the log is folded at a time, so that whoever follows the log waits for a page at most. The next page is read
//! while one is written. A build that was interrupted is taken up where it was.

use std::sync::Arc;
use std::time::{Duration, Instant};

use timeloom_store::{Direction, EventLog, Filter, LogError, Position, RecordedEvent, TenantScope};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::error::ProjectionError;
use crate::progress::{Progress, ProjectionStatus};
use crate::store::ReadModelStore;
use crate::writer::{Builds, PROJECTIONS, Writer};

/// Most events read at a time.
pub(crate) const PAGE_EVENTS_MAX: usize = 1_000;
/// Fewest, when they are large.
const PAGE_EVENTS_MIN: usize = 10;
/// Bytes of payload that a page should not be larger than. What comes is not known before it is there, so that a page may be
/// once; the next ones are smaller.
const PAGE_BYTES: usize = 16 << 20;

/// What a rebuild did.
#[derive(Debug, Clone, PartialEq)]
pub struct RebuildReport {
    /// Events that were looked at.
    pub events: u64,
    /// Row versions that were written.
    pub rows: u64,
    /// How long it took.
    pub took: Duration,
    /// Up to which position all new rows were when they took the place of the old ones.
    pub position: Position,
    /// Every projection.
    pub projections: Vec<ProjectionStatus>,
}

/// Builds the read models in `store` again from the whole log: those with these names, or all without any. No other
/// process may write them; in a process that does use [`crate::ReadModels::rebuild`].
///
/// # Errors
/// [`ProjectionError`] when the database or the log fails, when another process writes, or when a name is not known; the
/// present read models are untouched then.
pub async fn rebuild(
    store: impl Into<ReadModelStore>,
    log: Arc<dyn EventLog>,
    names: &[&str],
) -> Result<RebuildReport, ProjectionError> {
    let (store, names) = (store.into(), known_names(names)?);
    blocking(move || {
        let runtime = Handle::try_current().map_err(|error| ProjectionError::Thread(error.to_string()))?;
        let mut writer = Writer::open(&store, &log)?.ok_or(ProjectionError::NotWriter)?;
        writer.begin_builds(&names)?;
        let mut build = Build::new(names);
        let progress = Arc::new(Progress::new());
        let around = Around { log: Arc::clone(&log), runtime, progress: Arc::clone(&progress), alone: true };
        let report = loop {
            if let Some(report) = build.step(&mut writer, &around)? {
                break report;
            }
        };
        progress.publish_writer(&writer);
        writer.close()?;
        Ok(RebuildReport { projections: progress.status(log.head()), ..report })
    })
    .await
}

/// The projections with these names, or all without any.
pub(crate) fn known_names(names: &[&str]) -> Result<Vec<&'static str>, ProjectionError> {
    let all = PROJECTIONS.map(|projection| projection.name());
    if names.is_empty() {
        return Ok(all.to_vec());
    }
    let find = |name: &&str| {
        let found = all.iter().find(|known| *known == name).copied();
        found.ok_or_else(|| ProjectionError::UnknownName { name: (*name).to_owned(), known: all.join(", ") })
    };
    names.iter().map(find).collect()
}

type Page = Result<Vec<Arc<RecordedEvent>>, LogError>;

/// What a rebuild goes on among.
pub(crate) struct Around {
    pub log: Arc<dyn EventLog>,
    pub runtime: Handle,
    pub progress: Arc<Progress>,
    /// Whether nobody follows the log, so that the end of it is where to come to.
    pub alone: bool,
}

/// A rebuild under way.
pub(crate) struct Build {
    names: Vec<&'static str>,
    began: Instant,
    events: u64,
    rows: u64,
    position: Position,
    /// Events of the next page.
    page_events: usize,
    /// The page that is being read, and after which position it is.
    next: Option<(Position, JoinSet<Page>)>,
}

impl Build {
    pub fn new(names: Vec<&'static str>) -> Self {
        let (position, page_events) = (Position(u64::MAX), PAGE_EVENTS_MAX);
        Self { names, began: Instant::now(), events: 0, rows: 0, position, page_events, next: None }
    }

    /// Adds projections that are to be built as well.
    pub fn add(&mut self, names: &[&'static str]) {
        let new = names.iter().filter(|name| !self.names.contains(name)).copied().collect::<Vec<_>>();
        self.names.extend(new);
    }

    /// Folds one page into what is being built, and promotes what has caught up. Tells when nothing is left to do.
    pub fn step(&mut self, writer: &mut Writer, around: &Around) -> Result<Option<RebuildReport>, ProjectionError> {
        let head = around.log.head();
        self.promote(writer, head, around)?;
        let goals = writer.building.iter().map(|state| if around.alone { head } else { writer.target(state, head) });
        let places = writer.building.iter().map(|state| state.position);
        let (Some(goal), Some(after)) = (goals.min(), places.min()) else { return Ok(Some(self.report())) };
        let mut page = self.page(around, after)?;
        self.page_events = next_page_events(self.page_events, &page);
        page.truncate(page.partition_point(|event| event.position <= goal));
        let up_to = page.last().map_or(goal, |event| event.position);
        if up_to < goal {
            self.read_ahead(around, up_to);
        }
        writer.apply(Builds::Building, &page, up_to)?;
        writer.count_texts(&page)?;
        self.events += page.len() as u64;
        self.promote(writer, head, around)?;
        Ok(writer.building.is_empty().then(|| self.report()))
    }

    fn promote(&mut self, writer: &mut Writer, head: Position, around: &Around) -> Result<(), ProjectionError> {
        let promoted = writer.promote(head, around.alone)?;
        if promoted.is_empty() {
            return Ok(());
        }
        for state in promoted {
            self.rows += state.rows;
            self.position = self.position.min(state.position);
        }
        // Whoever asks is sent to the new rows before the old ones go.
        around.progress.publish_writer(writer);
        writer.drop_retired();
        Ok(())
    }

    fn report(&self) -> RebuildReport {
        let position = if self.position == Position(u64::MAX) { Position::START } else { self.position };
        RebuildReport {
            events: self.events,
            rows: self.rows,
            took: self.began.elapsed(),
            position,
            projections: Vec::new(),
        }
    }

    fn page(&mut self, around: &Around, after: Position) -> Page {
        let Around { log, runtime, .. } = around;
        match self.next.take() {
            Some((from, mut reading)) if from == after => match runtime.block_on(reading.join_next()) {
                Some(Ok(page)) => page,
                // The runtime is going away.
                Some(Err(_)) | None => Err(LogError::Closed),
            },
            _ => runtime.block_on(read(Arc::clone(log), after, self.page_events)),
        }
    }

    fn read_ahead(&mut self, around: &Around, after: Position) {
        let mut reading = JoinSet::new();
        reading.spawn_on(read(Arc::clone(&around.log), after, self.page_events), &around.runtime);
        self.next = Some((after, reading));
    }
}

pub(crate) async fn read(log: Arc<dyn EventLog>, after: Position, limit: usize) -> Page {
    log.read_all(TenantScope::All, after, Direction::Forward, &Filter::default(), limit).await
}

/// How many events to read next, after a page of so many.
pub(crate) fn next_page_events(now: usize, page: &[Arc<RecordedEvent>]) -> usize {
    let bytes: usize = page.iter().map(|event| event.payload.get().len()).sum();
    if bytes > PAGE_BYTES { (now / 4).max(PAGE_EVENTS_MIN) } else { (now * 2).min(PAGE_EVENTS_MAX) }
}

/// Does what waits for the database off the async threads.
pub(crate) async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, ProjectionError> + Send + 'static,
) -> Result<R, ProjectionError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ProjectionError::Thread(error.to_string()))?
}
