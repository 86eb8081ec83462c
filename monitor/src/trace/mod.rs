//! Traces: what happened, as spans that any collector of OpenTelemetry takes.
//!
//! Nobody passes a context through the code. The log says what led to what, so executions, node runs, commands and
//! projections are made into spans by whoever follows it; requests alone are told of when they are answered. Ids of spans
//! follow from ids in the log: the same log gives the same spans.
//!
//! Never sends a payload, a parameter, a path or a header: names, ids, states and counts alone, and of a failure its message,
//! from which secrets were taken before it became an event. Invariant: nothing waits for a collector; what it does not take
//! in time is dropped and counted.

mod command;
mod export;
mod fold;
mod follow;
mod projected;
mod read;
mod request;
mod span;

use std::sync::Arc;

use timeloom_domain::ids::{TenantId, WorkflowId};
use timeloom_domain::trace::Sampling;
use timeloom_projections::ReadModels;
use timeloom_store::mark::Mark;
use timeloom_store::{Clock, EventLog, Leases};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::export::{Collector, NotSent};
use self::export::{Exporter, Outbox};
use self::follow::Follower;
use self::projected::{Projected, Shown};
pub use self::request::{Answered, Operation, RequestSpan, Tracer};
use crate::metrics::Metrics;

/// Tells the name of a workflow.
pub type WorkflowName = dyn Fn(TenantId, WorkflowId) -> Option<String> + Send + Sync;

/// Who sends the spans.
#[derive(Debug, Clone)]
pub struct Service {
    /// The service's name.
    pub name: String,
    /// Which life of which process it is.
    pub instance: String,
}

/// What traces are made from, and where they go.
#[derive(Clone)]
pub struct TracesParts {
    /// The log that is followed.
    pub log: Arc<dyn EventLog>,
    /// Of several processes, the one with a certain shard sends what the log says.
    pub leases: Arc<dyn Leases>,
    /// The rows whose lag is shown.
    pub read_models: Arc<ReadModels>,
    /// Tells when a request was answered.
    pub clock: Arc<dyn Clock>,
    /// Names of workflows.
    pub workflow_name: Arc<WorkflowName>,
    /// Where spans go.
    pub collector: Arc<dyn Collector>,
    /// Remembers up to where the log was sent.
    pub mark: Arc<dyn Mark>,
    /// Who sends.
    pub service: Service,
    /// Which traces are recorded, of those of which nobody else has said it.
    pub sampling: Sampling,
    /// Where it is counted what was sent and what was not.
    pub metrics: Arc<Metrics>,
}

/// The traces of one process. They do nothing until they are started.
pub struct Traces {
    parts: TracesParts,
    outbox: Outbox,
    exporter: std::sync::Mutex<Option<Exporter>>,
    following: CancellationToken,
    exporting: CancellationToken,
    followers: TaskTracker,
    exporters: TaskTracker,
}

impl Traces {
    /// Traces of these parts.
    pub fn new(parts: TracesParts) -> Self {
        let (outbox, exporter) = export::outbox(&parts);
        Self {
            parts,
            outbox,
            exporter: std::sync::Mutex::new(Some(exporter)),
            following: CancellationToken::new(),
            exporting: CancellationToken::new(),
            followers: TaskTracker::new(),
            exporters: TaskTracker::new(),
        }
    }

    /// What requests are told to.
    pub fn tracer(&self) -> Tracer {
        Tracer::new(self.outbox.clone(), self.parts.sampling, Arc::clone(&self.parts.clock))
    }

    /// Begins to send; `follows` says whether this process may be the one that sends what the log says. To be called once.
    pub fn start(&self, follows: bool) {
        let exporter = self.exporter.lock().ok().and_then(|mut exporter| exporter.take());
        let Some(exporter) = exporter else { return };
        self.exporters.spawn(exporter.run(self.exporting.clone()));
        if follows {
            let (shown, projected) = projected::queue();
            self.follow(shown, projected);
        }
    }

    fn follow(&self, shown: Shown, projected: Projected) {
        let (read_models, clock) = (Arc::clone(&self.parts.read_models), Arc::clone(&self.parts.clock));
        let (outbox, following) = (self.outbox.clone(), self.following.clone());
        self.followers.spawn(async move {
            following.run_until_cancelled(projected.run(&read_models, &*clock, &outbox)).await;
        });
        let follower = Follower::new(self.parts.clone(), self.outbox.clone(), shown);
        self.followers.spawn(follower.run(self.following.clone()));
    }

    /// Sends what is there, but not for long, and stops.
    pub async fn stop(&self) {
        self.following.cancel();
        self.followers.close();
        self.followers.wait().await;
        self.exporting.cancel();
        self.exporters.close();
        self.exporters.wait().await;
    }
}
