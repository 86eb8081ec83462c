//! Computes what many callers ask of one model: queues with priorities and deadlines, gathers batches, and keeps as many
//! instances as it takes. Never writes an event, never talks to a network.
//!
//! ```text
//! Pool::infer -> desk (one lock: queue, who sleeps, who flies) <- worker (a thread for each instance)
//!                                                             <- keeper (a thread: deadlines, growing, the end)
//! ```
//!
//! Invariants: every ask gets exactly one answer; nothing is computed whose deadline has passed; no batch has more rows
//! than it may; requests and bytes that wait are bounded; an instance is touched by its own thread alone.

mod ask;
mod clock;
mod counts;
mod desk;
mod estimate;
mod execute;
mod fit;
mod job;
mod limit;
mod policy;
#[expect(clippy::module_inception, reason = "the pool itself is one of the things that make it up")]
mod pool;
mod queue;
mod rebirth;
mod rows;
mod scale;
mod shared;
mod tune;
mod warm;
mod worker;

pub use ask::{Answer, Ask, NotComputed, Priority, Reason, Timings};
pub use clock::{Clock, MachineClock};
pub use counts::{Counts, Histogram, ROWS_BOUNDS, TIME_BOUNDS_US};
pub use policy::{
    BATCH_ROWS_MAX, INSTANCES_MAX, InvalidPolicy, Policy, QUEUE_BYTES_MAX, QUEUE_DELAY_MAX, QUEUE_REQUESTS_MAX,
};
pub use pool::{Closed, Factory, LoadError, Pending, Pool, Refused, Spec};
pub use tune::{Measured, Room, Tuned, tune};
pub use warm::zeros;
