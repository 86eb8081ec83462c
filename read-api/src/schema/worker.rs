//! The processes of the log: which there are, what they do, and which part of the executions each drives.

use async_graphql::{Enum, ID, Result, SimpleObject};
use chrono::{DateTime, Utc};
use timeloom_store::leases::{Role, Worker as StoredWorker};

use super::faults::fault;
use crate::state::ApiState;

/// A part that a process plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum WorkerRole {
    /// It answers requests.
    Api,
    /// It drives executions.
    Engine,
    /// It folds read models.
    Projector,
    /// It fires schedules.
    Scheduler,
}

impl From<Role> for WorkerRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Api => Self::Api,
            Role::Engine => Self::Engine,
            Role::Projector => Self::Projector,
            Role::Scheduler => Self::Scheduler,
        }
    }
}

/// One life of a process: a restart makes another worker.
#[derive(Debug, SimpleObject)]
pub(crate) struct Worker {
    /// Which one.
    id: ID,
    /// What it does.
    roles: Vec<WorkerRole>,
    /// Where it answers; of a worker without the role API its health alone.
    address: String,
    /// The parts of all executions, of which there are 64, that it drives.
    shards: Vec<u32>,
    /// When it started.
    started_at: DateTime<Utc>,
    /// When it was last heard of.
    heartbeat_at: DateTime<Utc>,
    /// Whether that is recent enough. The executions of one that is not are driven by others.
    live: bool,
}

impl From<StoredWorker> for Worker {
    fn from(worker: StoredWorker) -> Self {
        Self {
            id: ID(worker.id.to_string()),
            roles: worker.roles.iter().map(WorkerRole::from).collect(),
            address: worker.address,
            shards: worker.shards.iter().map(|shard| u32::from(shard.number())).collect(),
            started_at: worker.started_at,
            heartbeat_at: worker.heartbeat_at,
            live: worker.is_live,
        }
    }
}

/// All of them.
pub(crate) async fn workers_now(state: &ApiState) -> Result<Vec<Worker>> {
    let workers = state.workers().workers().await.map_err(|error| fault(&error))?;
    Ok(workers.into_iter().map(Worker::from).collect())
}
