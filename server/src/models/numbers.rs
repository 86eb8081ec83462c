//! What the models of this process tell those who watch it.

use timeloom_inference::onnx::gpus;
use timeloom_inference::pool::{Counts, Histogram, Reason};
use timeloom_monitor::{Bars, Computing, GpuNumbers, ModelNumbers, RouteNumbers, TargetNumbers};

use super::Models;

impl Computing for Models {
    fn models(&self) -> Vec<ModelNumbers> {
        let held = self.started().map(|worker| worker.all_held()).unwrap_or_default();
        held.into_iter()
            .map(|(tenant, model, version, counts)| ModelNumbers {
                tenant: tenant.0.to_string(),
                model: model.to_string(),
                version,
                ..numbers(&counts)
            })
            .collect()
    }

    fn gpus(&self) -> Vec<GpuNumbers> {
        // Whoever computes nothing wakes no driver; where there is none there is nothing to tell.
        let found = if self.started().is_some() { gpus().unwrap_or_default() } else { Vec::new() };
        found
            .into_iter()
            .map(|gpu| GpuNumbers {
                uuid: gpu.uuid,
                name: gpu.name,
                memory_bytes: gpu.use_now.memory_bytes,
                memory_used_bytes: gpu.use_now.memory_used_bytes,
                busy_percent: gpu.use_now.busy_percent,
                power_mw: gpu.use_now.power_mw,
                temperature_c: gpu.use_now.temperature_c,
            })
            .collect()
    }

    fn routes(&self) -> Vec<RouteNumbers> {
        let numbers = self.language().numbers();
        let routes = numbers.routes.into_iter().map(|((tenant, route), of)| RouteNumbers {
            tenant: tenant.0.to_string(),
            route,
            calls: [
                ("answered", of.answered),
                ("cached", of.cached),
                ("failed", of.failed),
                ("refused", of.refused),
                ("cancelled", of.cancelled),
            ],
            tokens: [("input", of.tokens.0), ("output", of.tokens.1)],
            cost: of.cost.into_iter().collect(),
            call_us: bars(&of.took_us),
        });
        routes.collect()
    }

    fn targets(&self) -> Vec<TargetNumbers> {
        let numbers = self.language().numbers();
        let targets = numbers.targets.into_iter().map(|((tenant, (provider, model)), of)| TargetNumbers {
            tenant: tenant.0.to_string(),
            provider,
            model,
            attempts: [("answered", of.answered), ("failed", of.failed)],
            attempt_us: bars(&of.took_us),
        });
        targets.collect()
    }
}

fn numbers(counts: &Counts) -> ModelNumbers {
    let failed = Reason::ALL.iter().map(|reason| (reason.name(), counts.failed(*reason)));
    ModelNumbers {
        requests: [("answered", counts.ok)].into_iter().chain(failed).collect(),
        inferences: counts.inferences,
        executions: counts.executions,
        padding_rows: counts.padding_rows,
        late: counts.late,
        out_of_memory: counts.out_of_memory,
        replaced: counts.replaced,
        queue_us: bars(&counts.queue_us),
        compute_us: bars(&counts.compute_us),
        batch_rows: bars(&counts.batch_rows),
        pending: counts.pending as u64,
        running: counts.running as u64,
        instances: counts.instances as u64,
        degraded: counts.degraded,
        ..ModelNumbers::default()
    }
}

fn bars(histogram: &Histogram) -> Bars {
    Bars { bounds: histogram.bounds(), counts: histogram.counts().to_vec(), sum: histogram.sum() }
}
