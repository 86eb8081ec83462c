//! Builds the read models again, beside the present ones, and puts them in their place when they are complete.

use std::path::Path;
use std::sync::Arc;

use timeloom_store::{Direction, EventLog, Filter, LogError, Position, RecordedEvent, TenantScope};

use crate::error::ProjectionError;
use crate::file::{FILE, NEXT_FILE, remove, swap};
use crate::writer::{ProjectionStatus, Writer};

/// Events read at a time.
const PAGE_EVENTS: usize = 1_000;

/// What a rebuild did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebuildReport {
    /// Events that were folded.
    pub events: u64,
    /// Up to which position.
    pub position: Position,
    /// Every projection, with its error if it could not fold an event.
    pub projections: Vec<ProjectionStatus>,
}

/// Builds the read models in `folder` again from the whole log. The server that owns the folder must not run; while it does,
/// use [`crate::ReadModels::rebuild`].
///
/// # Errors
/// [`ProjectionError`] when the folder or the log fails; the present read models are untouched then.
pub async fn rebuild(folder: &Path, log: Arc<dyn EventLog>) -> Result<RebuildReport, ProjectionError> {
    let (writer, events) = build(folder, &*log).await?;
    let report = report(&writer, events, log.head());
    let folder = folder.to_owned();
    blocking(move || {
        writer.close()?;
        // Opened once more and closed, the present file leaves no write-ahead log behind.
        if folder.join(FILE).exists() {
            Writer::open(&folder.join(FILE), Position(u64::MAX))?.close()?;
        }
        swap(&folder)
    })
    .await?;
    Ok(report)
}

pub(crate) fn report(writer: &Writer, events: u64, head: Position) -> RebuildReport {
    let projections = writer.states().iter().map(|state| state.status(head)).collect();
    RebuildReport { events, position: writer.position().unwrap_or_default(), projections }
}

/// Builds the file beside the present one up to the log's head.
pub(crate) async fn build(folder: &Path, log: &dyn EventLog) -> Result<(Writer, u64), ProjectionError> {
    let next = folder.join(NEXT_FILE);
    let head = log.head();
    let writer = blocking(move || {
        remove(&next)?;
        Writer::open(&next, head)
    })
    .await?;
    catch_up(writer, log).await
}

/// Folds everything that the log has, reading one page while the one before is written.
pub(crate) async fn catch_up(mut writer: Writer, log: &dyn EventLog) -> Result<(Writer, u64), ProjectionError> {
    let mut folded = 0;
    let Some(mut position) = writer.position() else { return Ok((writer, folded)) };
    let mut page = read(log, position).await?;
    while let Some(last) = page.last() {
        position = last.position;
        folded += page.len() as u64;
        let written = blocking(move || {
            writer.apply(&page, position)?;
            Ok(writer)
        });
        let (written, next) = tokio::join!(written, read(log, position));
        writer = written?;
        page = next?;
    }
    Ok((writer, folded))
}

async fn read(log: &dyn EventLog, after: Position) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
    log.read_all(TenantScope::All, after, Direction::Forward, &Filter::default(), PAGE_EVENTS).await
}

/// Does what waits for the disk off the async threads.
pub(crate) async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, ProjectionError> + Send + 'static,
) -> Result<R, ProjectionError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ProjectionError::Thread(error.to_string()))?
}
