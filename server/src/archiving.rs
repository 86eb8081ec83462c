//! The task that moves events into the archive once they are old enough. It looks once a day; what fails is logged, and tried
//! again with the next look. Of several processes of a log the one does it that has the lease of the shard into which its name falls.

use std::sync::Arc;
use std::time::Duration;

use timeloom_archive::{ArchiveError, Archiver, Job};
use timeloom_domain::ids::Actor;
use timeloom_store::clock::{Clock as _, SystemClock};
use timeloom_store::leases::{Held, Shard};
use timeloom_store::{EventLog, Leases, Position};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Time from one look to the next.
const LOOK_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// Fewer events than this stay until there are more: small segments are many.
const EVENTS_MIN: u64 = 10_000;
/// Most segments of one look.
const SEGMENTS_MAX: u64 = 10_000;
/// Who archives.
const NAME: &str = "archiver";
/// Microseconds of a day.
const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

/// Moves what is old, until it is stopped.
pub struct Archiving {
    stopping: CancellationToken,
    task: JoinSet<()>,
}

/// What goes where.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What the log took more than so many days ago.
    pub days: u32,
    /// A folder, or `s3://bucket/prefix`.
    pub place: String,
}

impl Archiving {
    /// Begins, where this process has the lease.
    pub fn start(archiver: Arc<Archiver>, log: Arc<dyn EventLog>, leases: Arc<dyn Leases>, plan: Plan) -> Self {
        let stopping = CancellationToken::new();
        let stopped = stopping.clone();
        let mut task = JoinSet::new();
        let mut held = leases.held();
        task.spawn(async move {
            loop {
                if !has_lease(NAME, &mut held, &stopped).await {
                    return;
                }
                // A step of it that was begun is finished by the next start.
                tokio::select! {
                    () = stopped.cancelled() => return,
                    looked = look(&archiver, &*log, &plan) => if let Err(error) = looked {
                        tracing::error!(%error, "old events were not archived; it is tried again in a day");
                    },
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
            tracing::error!(%error, "the archiver ended early");
        }
    }
}

/// Waits until this process has the lease of the shard into which a name falls; false when it is stopped before.
pub async fn has_lease(name: &str, held: &mut watch::Receiver<Held>, stopped: &CancellationToken) -> bool {
    tokio::select! {
        () = stopped.cancelled() => false,
        held = held.wait_for(|held| held.shards.contains_key(&Shard::of(name))) => held.is_ok(),
    }
}

async fn look(archiver: &Archiver, log: &dyn EventLog, plan: &Plan) -> Result<(), ArchiveError> {
    let old_us = SystemClock.now().timestamp_micros().saturating_sub(i64::from(plan.days).saturating_mul(DAY_US));
    let up_to = log.position_at(old_us).await?;
    let archived = archiver.rows().archived().await?;
    // What was registered and not dropped is finished, however little it is.
    if up_to < Position(archived.registered.0.saturating_add(EVENTS_MIN)) && archived.dropped == archived.registered {
        return Ok(());
    }
    let actor = Actor::System(NAME.to_owned());
    let job = Job { up_to, place: plan.place.clone(), segments_max: SEGMENTS_MAX, actor };
    let sealed = archiver.run(&job, |_| {}).await?;
    tracing::info!(
        events = sealed.events,
        segments = sealed.segments,
        bytes = sealed.bytes,
        archived_up_to = sealed.archived.registered.0,
        "old events were archived"
    );
    Ok(())
}
