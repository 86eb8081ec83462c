//! What Timeloom tells of itself to those who watch over it: counters, durations and levels in the form of Prometheus, and
//! traces in that of OpenTelemetry.
//!
//! Each process counts what it did itself, so that the counters of several add up. No label has an id or a name that a user
//! gave, but for the models that are loaded: the number of series is bounded by the program's own text and by its memory.
//! Spans have both, and nothing else of what an event says.

mod computing;
mod log;
mod metrics;
mod process;
mod trace;

pub use computing::{Bars, Computing, GpuNumbers, ModelNumbers, RouteNumbers, TargetNumbers};
pub use log::MeasuredLog;
pub use metrics::{CONTENT_TYPE, Metrics, Seen};
pub use trace::{
    Answered, Collector, NotSent, Operation, RequestSpan, Service, Tracer, Traces, TracesParts, WorkflowName,
};
