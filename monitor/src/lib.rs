//! What Timeloom tells of itself to those who watch over it: counters, durations and levels in the form of Prometheus.
//!
//! Each process counts what it did itself, so that the counters of several add up. Never looks into an event's payload, never
//! has a label with an id or a name that a user gave: the number of series is bounded by the program's own text.

mod log;
mod metrics;
mod process;

pub use log::MeasuredLog;
pub use metrics::{CONTENT_TYPE, Metrics, Seen};
