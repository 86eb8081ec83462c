//! The runs of one process: what they are made of, how they start and stop.

use std::sync::Arc;

use timeloom_commands::Commands;
use timeloom_engine::node::{NodeRegistry, Services};
use timeloom_store::EventLog;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::follow::Follower;

/// Questions and calls under way at once in one process; more wait.
const STEPS_AT_ONCE_MAX: usize = 64;

/// Whether this process drives what has that id, at this moment.
pub type Drives = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// What runs are made of.
pub struct AgentRunsParts {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// The way in for events.
    pub commands: Commands,
    /// The node types that tools may be.
    pub registry: Arc<NodeRegistry>,
    /// Clients for the outside world, models among them.
    pub services: Arc<Services>,
    /// Which runs this process drives.
    pub drives: Drives,
}

/// The runs of agents of one process. Cheap to clone.
#[derive(Clone)]
pub struct AgentRuns {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) parts: AgentRunsParts,
    pub(crate) steps: Semaphore,
    pub(crate) tasks: TaskTracker,
    pub(crate) stopping: CancellationToken,
}

impl AgentRuns {
    /// Runs that nobody drives until [`AgentRuns::start`].
    pub fn new(parts: AgentRunsParts) -> Self {
        let inner = Inner {
            parts,
            steps: Semaphore::new(STEPS_AT_ONCE_MAX),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Begins to follow the log; what was left comes first.
    pub fn start(&self) {
        let follower = Follower::new(self.clone());
        let stopping = self.inner.stopping.clone();
        self.inner.tasks.spawn(async move { stopping.run_until_cancelled(follower.run()).await });
    }

    /// Stops. What is under way is given up, and goes on at the next start or in another process.
    pub async fn stop(&self) {
        self.inner.stopping.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }
}
