//! The task that lets data go whose time is over. It looks once an hour; what fails is logged, and tried again with the next
//! look.

use std::time::Duration;

use timeloom_commands::Erasures;
use timeloom_commands::erasure::LetGo;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Time from one look to the next.
const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);

/// Lets data go whose time is over, until it is stopped.
pub struct Retaining {
    stopping: CancellationToken,
    task: JoinSet<()>,
}

impl Retaining {
    /// Begins.
    pub fn start(erasures: Erasures) -> Self {
        let stopping = CancellationToken::new();
        let stopped = stopping.clone();
        let mut task = JoinSet::new();
        task.spawn(async move {
            loop {
                // What was begun is finished by the next start.
                tokio::select! {
                    () = stopped.cancelled() => return,
                    () = look(&erasures) => {}
                }
                tokio::select! {
                    () = stopped.cancelled() => return,
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                }
            }
        });
        Self { stopping, task }
    }

    /// Stops, wherever it is.
    pub async fn stop(mut self) {
        self.stopping.cancel();
        if let Some(Err(error)) = self.task.join_next().await {
            tracing::error!(%error, "what lets old data go ended early");
        }
    }
}

async fn look(erasures: &Erasures) {
    // What failed before is tried again.
    let finished = if erasures.is_to_be_finished_here() { erasures.finish().await } else { Ok(()) };
    if let Err(error) = finished {
        tracing::error!(%error, "what is erased is not gone from everywhere yet; it is tried again in an hour");
    }
    match erasures.apply_retention().await {
        Ok(LetGo { days: 0, kept: 0 }) => {}
        Ok(LetGo { days, kept }) => tracing::info!(days, kept, "data whose time is over went"),
        Err(error) => tracing::error!(%error, "data whose time is over is not gone yet; it is tried again in an hour"),
    }
}
