//! The metrics and their text form.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use timeloom_projections::ProjectionStatus;
use timeloom_store::Position;

use crate::computing::{Computing, Place};
use crate::process::Process;

/// Media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Bounds of the duration buckets, in seconds.
const DURATION_BOUNDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// Everything that is counted. Counting never waits.
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    request_seconds: Family<Route, Histogram, fn() -> Histogram>,
    pub(crate) appends: Family<Append, Counter>,
    pub(crate) append_seconds: Histogram,
    pub(crate) events: Family<Category, Counter>,
    pub(crate) executions: Family<Execution, Counter>,
    pub(crate) node_runs: Family<NodeRun, Counter>,
    pub(crate) rollouts: Family<Rollout, Counter>,
    pub(crate) drifts: Family<Drift, Counter>,
    head: Gauge,
    tree: Gauge,
    tree_lag: Gauge,
    checkpoint: Gauge,
    history_changed: Gauge,
    positions: Family<Projection, Gauge>,
    lags: Family<Projection, Gauge>,
    parked: Family<Projection, Gauge>,
    spans_sent: Counter,
    spans_dropped: Family<Dropped, Counter>,
    process: Process,
    computing: Place,
}

/// What is looked at when the metrics are asked for.
#[derive(Debug)]
pub struct Seen<'seen> {
    /// Position of the newest event.
    pub head: Position,
    /// How far the read models are.
    pub projections: &'seen [ProjectionStatus],
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    route: String,
    method: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Projection {
    projection: &'static str,
}

/// How an append ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Append {
    pub(crate) outcome: &'static str,
}

/// The category of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Category {
    pub(crate) category: &'static str,
}

/// What became of an execution.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Execution {
    pub(crate) change: &'static str,
}

/// What became of a node run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct NodeRun {
    pub(crate) change: &'static str,
}

/// What became of a roll-out of a workflow's version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Rollout {
    pub(crate) change: &'static str,
}

/// What a watch over the drift of a model came to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Drift {
    pub(crate) change: &'static str,
}

/// Why a span was not sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Dropped {
    reason: &'static str,
}

/// There was no room for it.
pub(crate) const NO_ROOM: &str = "no_room";
/// The collector did not take it.
pub(crate) const NOT_TAKEN: &str = "not_taken";

fn durations() -> Histogram {
    Histogram::new(DURATION_BOUNDS)
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(durations),
            appends: Family::default(),
            append_seconds: durations(),
            events: Family::default(),
            executions: Family::default(),
            node_runs: Family::default(),
            rollouts: Family::default(),
            drifts: Family::default(),
            head: Gauge::default(),
            tree: Gauge::default(),
            tree_lag: Gauge::default(),
            checkpoint: Gauge::default(),
            history_changed: Gauge::default(),
            positions: Family::default(),
            lags: Family::default(),
            parked: Family::default(),
            spans_sent: Counter::default(),
            spans_dropped: Family::default(),
            process: Process::default(),
            computing: Place::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        self.process.register(&mut self.registry);
        let own = self.registry.sub_registry_with_prefix("timeloom");
        own.register("build", "The program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        own.register("http_requests", "Requests answered, by route, method and status", self.requests.clone());
        let seconds = || Unit::Seconds;
        own.register_with_unit(
            "http_request_duration",
            "From a request's first byte to the head of its answer",
            seconds(),
            self.request_seconds.clone(),
        );
        own.register("log_appends", "Appends of this process, by how they ended", self.appends.clone());
        own.register_with_unit(
            "log_append_duration",
            "From an append to its answer: written, and durable as its workflow asks",
            seconds(),
            self.append_seconds.clone(),
        );
        own.register("log_events", "Events that this process wrote, by category of their stream", self.events.clone());
        own.register("log_head_position", "Position of the newest event of the log", self.head.clone());
        own.register(
            "log_tree_size",
            "Events in the tree over the log, as this process saw it last",
            self.tree.clone(),
        );
        own.register("log_tree_lag_events", "Events that are not in the tree over the log yet", self.tree_lag.clone());
        own.register("log_checkpoint_size", "Events that the newest signed checkpoint covers", self.checkpoint.clone());
        own.register(
            "log_history_changed",
            "1 when the log is not the one of which checkpoints were made",
            self.history_changed.clone(),
        );
        own.register("executions", "Executions that this process began or ended, by change", self.executions.clone());
        own.register("node_runs", "Node runs that this process took down, by change", self.node_runs.clone());
        let told = "Changes of roll-outs of workflows by this process, by change";
        own.register("workflow_rollouts", told, self.rollouts.clone());
        let told = "What watches over the drift of models came to in this process, by change";
        own.register("model_drifts", told, self.drifts.clone());
        own.register("projection_position", "Position that the rows of a read model show", self.positions.clone());
        own.register("projection_lag_events", "Events that a read model does not show yet", self.lags.clone());
        own.register("projection_parked_events", "Events that a read model could not fold", self.parked.clone());
        own.register("trace_spans_sent", "Spans that the collector took", self.spans_sent.clone());
        own.register("trace_spans_dropped", "Spans that were not sent, by reason", self.spans_dropped.clone());
        own.register_collector(Box::new(self.computing.clone()));
    }

    /// From now on it is told what the models of this process do. The first ones stay.
    pub fn watch(&self, computing: Arc<dyn Computing>) {
        self.computing.put(computing);
    }

    /// Counts a request that was answered. `route` is the pattern of its path, never the path itself.
    pub fn answered(&self, route: &str, method: &str, status: u16, took: Duration) {
        let request = Request { route: route.to_owned(), method: method.to_owned(), status };
        self.requests.get_or_create(&request).inc();
        self.request_seconds.get_or_create(&Route { route: route.to_owned() }).observe(took.as_secs_f64());
    }

    /// How far the tree over the log is, and the newest checkpoint.
    pub fn proved(&self, size: u64, checkpoint: u64) {
        self.tree.set(level(size));
        self.checkpoint.set(level(checkpoint));
    }

    /// The log is not the one of which checkpoints were made.
    pub fn history_changed(&self) {
        self.history_changed.set(1);
    }

    pub(crate) fn spans_sent(&self, count: u64) {
        self.spans_sent.inc_by(count);
    }

    pub(crate) fn spans_dropped(&self, reason: &'static str, count: u64) {
        if count > 0 {
            self.spans_dropped.get_or_create(&Dropped { reason }).inc_by(count);
        }
    }

    /// The text form, with the levels as they are now.
    ///
    /// # Errors
    /// [`fmt::Error`] when it cannot be written, which does not happen.
    pub fn text(&self, seen: &Seen<'_>) -> Result<String, fmt::Error> {
        self.head.set(level(seen.head.0));
        // Where nothing is proved, nothing lags.
        if self.tree.get() > 0 {
            self.tree_lag.set(level(seen.head.0).saturating_sub(self.tree.get()));
        }
        for status in seen.projections {
            let of = Projection { projection: status.name };
            self.positions.get_or_create(&of).set(level(status.position.0));
            self.lags.get_or_create(&of).set(level(status.lag));
            self.parked.get_or_create(&of).set(level(status.parked as u64));
        }
        self.process.look();
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn level(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
