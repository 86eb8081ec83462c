//! The numbers of a model, as Triton tells them.

use serde::Serialize;
use timeloom_inference::pool::{Counts, Histogram};

/// Nanoseconds of the pool's unit of time.
const NS_IN_US: u64 = 1000;

/// The numbers of one version of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelStatistics {
    name: String,
    version: String,
    inference_count: u64,
    execution_count: u64,
    inference_stats: InferenceStatistics,
}

/// How often something was done, and how long it took, all together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
struct Took {
    count: u64,
    ns: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct InferenceStatistics {
    success: Took,
    fail: Took,
    queue: Took,
    compute_input: Took,
    compute_infer: Took,
    compute_output: Took,
}

impl ModelStatistics {
    /// The numbers of a pool. What is laid together before and cut apart after a run belongs to the run here, so that
    /// those two are none. Each request counts by itself, with the whole of the batch that it waited for.
    pub fn new(name: String, version: String, counts: &Counts) -> Self {
        let queue = took(&counts.queue_us);
        let compute = Took { count: counts.ok, ns: counts.answered_compute_us.saturating_mul(NS_IN_US) };
        let success = Took { count: counts.ok, ns: queue.ns.saturating_add(compute.ns) };
        let inference_stats = InferenceStatistics {
            success,
            fail: Took { count: counts.failed_all(), ns: 0 },
            queue,
            compute_input: Took::default(),
            compute_infer: compute,
            compute_output: Took::default(),
        };
        let (inference_count, execution_count) = (counts.inferences, counts.executions);
        Self { name, version, inference_count, execution_count, inference_stats }
    }
}

fn took(times_us: &Histogram) -> Took {
    Took { count: times_us.count(), ns: times_us.sum().saturating_mul(NS_IN_US) }
}
