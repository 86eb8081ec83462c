//! What an erasure makes again: read models, and what the API keeps in memory; and how processes of one database hear of what
//! another one of them erases.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use timeloom_commands::credentials::keys::{Key, KeySource};
use timeloom_commands::erasure::{Derived, destroy_erased};
use timeloom_commands::{CommandError, Erasures};
use timeloom_projections::{ReadModels, Role};
use timeloom_read_api::ApiState;
use timeloom_store::subjects::vault::{MasterKey, MasterKeys};
use timeloom_store::{
    EventLog, Filter, Position, StreamKey, SubjectKeyError, SubjectKeys, SubscriptionMessage, TenantScope,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::models::Port;

/// For what the keys of credentials are used here: never the same key for two things.
const PURPOSE: &str = "timeloom keys of subjects";

/// The keys of a deployment as master keys of subjects' keys.
pub struct Masters(pub Arc<dyn KeySource>);

fn master(key: &Key) -> MasterKey {
    MasterKey { fingerprint: key.fingerprint().to_owned(), bytes: key.derived(PURPOSE) }
}

impl MasterKeys for Masters {
    fn newest(&self) -> Result<MasterKey, SubjectKeyError> {
        let keys = self.0.keys_to_seal().map_err(|error| SubjectKeyError::Master(error.to_string()))?;
        let none = || SubjectKeyError::Master(format!("{} has none", self.0.place()));
        keys.newest().map(master).ok_or_else(none)
    }

    fn find(&self, fingerprint: &str) -> Result<MasterKey, SubjectKeyError> {
        let keys = self.0.keys().map_err(|error| SubjectKeyError::Master(error.to_string()))?;
        let missing = || SubjectKeyError::NoMasterKey { fingerprint: fingerprint.to_owned() };
        keys.find(fingerprint).map(master).ok_or_else(missing)
    }
}

/// What was made of the log in this process.
pub struct Made {
    /// Rows.
    read_models: Arc<ReadModels>,
    /// What the API keeps.
    api: ApiState,
    /// Answers that are kept for the same question.
    models: Arc<Port>,
}

impl Made {
    /// All of it that these keep.
    pub fn of(read_models: &Arc<ReadModels>, api: &ApiState, models: &Arc<Port>) -> Arc<Self> {
        Arc::new(Self { read_models: Arc::clone(read_models), api: api.clone(), models: Arc::clone(models) })
    }
}

#[async_trait]
impl Derived for Made {
    fn is_made_here(&self) -> bool {
        self.read_models.role() != Role::Standby
    }

    fn forget(&self, streams: &[StreamKey]) {
        self.api.forget(streams);
        self.models.forget_answers();
    }

    async fn scrub(&self, streams: &[StreamKey]) -> Result<(), String> {
        self.forget(streams);
        self.read_models.scrub().await.map_err(|error| format!("the read models are not made again: {error}"))
    }
}

/// Events that wait to be heard.
const QUEUE_EVENTS_MAX: usize = 64;
/// Pause before the log is listened to again after it failed.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Hears what other processes of the same log erase, until it is stopped.
pub struct Hearing {
    stopping: CancellationToken,
    task: JoinSet<()>,
}

impl Hearing {
    /// Begins. What was erased before is looked at once more: it may have been decided while this process began.
    pub fn start(log: Arc<dyn EventLog>, keys: Arc<dyn SubjectKeys>, erasures: Erasures) -> Self {
        let stopping = CancellationToken::new();
        let stopped = stopping.clone();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut after = log.head();
            loop {
                tokio::select! {
                    () = stopped.cancelled() => return,
                    ended = listen(&*log, &*keys, &erasures, &mut after) => if let Err(error) = ended {
                        tracing::error!(%error, "what other processes erase is not heard; it is listened to again");
                    },
                }
                tokio::select! {
                    () = stopped.cancelled() => return,
                    () = tokio::time::sleep(AGAIN_AFTER) => {}
                }
            }
        });
        Self { stopping, task }
    }

    /// Stops.
    pub async fn stop(mut self) {
        self.stopping.cancel();
        if let Some(Err(error)) = self.task.join_next().await {
            tracing::error!(%error, "what hears of erasures ended early");
        }
    }
}

/// Listens from `after` on, until that fails or falls behind.
async fn listen(
    log: &dyn EventLog,
    keys: &dyn SubjectKeys,
    erasures: &Erasures,
    after: &mut Position,
) -> Result<(), CommandError> {
    destroy_erased(log, keys).await?;
    let filter = Filter { event_types: vec!["SubjectErased".into(), "RetentionApplied".into()], ..Filter::default() };
    let mut events = log.subscribe(TenantScope::All, *after, filter, QUEUE_EVENTS_MAX);
    while let Some(message) = events.next().await {
        match message {
            SubscriptionMessage::Event(event) => {
                erasures.heard(&event).await?;
                *after = event.position;
            }
            SubscriptionMessage::Checkpoint(position) | SubscriptionMessage::CaughtUp(position) => *after = position,
            SubscriptionMessage::FellBehind(_) => return Ok(()),
            SubscriptionMessage::Failed(error) => return Err(error.into()),
        }
    }
    Ok(())
}
