//! How far the rows are in a database that another process writes.

use std::sync::Arc;

use timeloom_store::{Position, TenantScope};

use crate::checkpoints::{self, Checkpoint, Stage};
use crate::database::Readers;
use crate::error::ProjectionError;
use crate::parked::{self, ParkedRange};
use crate::progress::{Progress, Stopped, View};
use crate::writer::PROJECTIONS;

/// Looks it up. Rows that were made under another definition are not ours to read and are left out.
pub(crate) async fn look(readers: &Arc<Readers>, progress: &Progress) -> Result<Vec<View>, ProjectionError> {
    if !readers.is_made().await? {
        return Ok(Vec::new());
    }
    let known = readers.ask(checkpoints::select(readers.dialect()), checkpoints::read).await?;
    let mut views = Vec::with_capacity(PROJECTIONS.len());
    for projection in PROJECTIONS {
        let of_it = |build: &&Checkpoint| build.name == projection.name();
        let live = known.iter().filter(of_it).find(|build| build.stage == Stage::Live);
        let Some(live) = live.filter(|live| live.definition == projection.definition()) else { continue };
        let building = known.iter().filter(of_it).find(|build| build.stage == Stage::Building);
        let mut view = View {
            name: projection.name(),
            generation: live.generation,
            position: live.position,
            parked: usize::try_from(live.parked).unwrap_or(usize::MAX),
            first_parked: None,
            newest_parked_error: None,
            stopped: live.stopped.clone().map(|(position, error)| Stopped { position, error }),
            building: building.map(|next| next.position),
        };
        if view.parked > 0 {
            view.first_parked = match progress.view(view.name).filter(|before| before.parked == view.parked) {
                Some(before) => before.first_parked,
                None => {
                    let (scope, first) = (TenantScope::All, ParkedRange::after(Position::START, 1));
                    let question = parked::select(readers.dialect(), view.name, view.generation, scope, first);
                    readers.ask(question, parked::read).await?.pop()
                }
            };
        }
        view.newest_parked_error = view.first_parked.as_ref().and_then(|event| event.error.clone());
        views.push(view);
    }
    Ok(views)
}
