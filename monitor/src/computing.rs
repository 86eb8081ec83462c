//! What models, GPUs and gateways of this process do, looked at when the metrics are asked for.

mod gateway;

use std::fmt;
use std::sync::{Arc, OnceLock};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

pub use self::gateway::{RouteNumbers, TargetNumbers};

/// Microseconds of a second.
const US: f64 = 1_000_000.0;

/// Looks at what is computed.
pub trait Computing: fmt::Debug + Send + Sync + 'static {
    /// The models that are loaded, each version by itself.
    fn models(&self) -> Vec<ModelNumbers>;

    /// The GPUs that there are.
    fn gpus(&self) -> Vec<GpuNumbers>;

    /// The routes of gateways that were asked.
    fn routes(&self) -> Vec<RouteNumbers>;

    /// The models of providers that gateways asked.
    fn targets(&self) -> Vec<TargetNumbers>;
}

/// How often something was how large.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bars {
    /// The upper bounds of the bars but the last, which has none.
    pub bounds: &'static [u64],
    /// How many fell into each.
    pub counts: Vec<u64>,
    /// The sum of all.
    pub sum: u64,
}

/// The numbers of a loaded version of a model. All but the levels grow only, from its load on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelNumbers {
    /// Whose model it is.
    pub tenant: String,
    /// The model.
    pub model: String,
    /// The version.
    pub version: u32,
    /// Requests that ended, by how: `answered`, or why not.
    pub requests: Vec<(&'static str, u64)>,
    /// Rows that were computed for somebody.
    pub inferences: u64,
    /// Batches that were computed.
    pub executions: u64,
    /// Rows that only filled batches up.
    pub padding_rows: u64,
    /// Answers that were there after their deadline.
    pub late: u64,
    /// How often memory ran out.
    pub out_of_memory: u64,
    /// Instances that broke down and were made again.
    pub replaced: u64,
    /// From ask to run, in microseconds.
    pub queue_us: Bars,
    /// The runs, in microseconds.
    pub compute_us: Bars,
    /// Rows of the batches.
    pub batch_rows: Bars,
    /// Level: requests that wait.
    pub pending: u64,
    /// Level: requests that are computed.
    pub running: u64,
    /// Level: instances that can compute.
    pub instances: u64,
    /// Level: whether memory allows smaller batches only than it was loaded for.
    pub degraded: bool,
}

/// The levels of a GPU.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GpuNumbers {
    /// Its own id.
    pub uuid: String,
    /// What it is called.
    pub name: String,
    /// Bytes of memory that it has.
    pub memory_bytes: u64,
    /// Bytes that are taken, by all programs together.
    pub memory_used_bytes: u64,
    /// Percent of the last second in which it computed.
    pub busy_percent: u32,
    /// What it draws, in milliwatts.
    pub power_mw: u32,
    /// Degrees Celsius.
    pub temperature_c: u32,
}

/// Where what looks at the models is put once they are open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place(Arc<OnceLock<Arc<dyn Computing>>>);

impl Place {
    /// The first one stays.
    pub(crate) fn put(&self, computing: Arc<dyn Computing>) {
        let _ = self.0.set(computing);
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Version {
    tenant: String,
    model: String,
    version: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    tenant: String,
    model: String,
    version: u32,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Gpu {
    gpu: String,
    name: String,
}

impl Collector for Place {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(computing) = self.0.get() else { return Ok(()) };
        models(&mut encoder, &computing.models())?;
        gpus(&mut encoder, &computing.gpus())?;
        gateway::routes(&mut encoder, &computing.routes())?;
        gateway::targets(&mut encoder, &computing.targets())
    }
}

/// Writes one metric for all of `all`.
fn each<T>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help, unit): (&str, &str, Option<&Unit>),
    kind: MetricType,
    all: &[T],
    mut write: impl FnMut(&mut MetricEncoder<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    if all.is_empty() {
        return Ok(());
    }
    let mut metric = encoder.encode_descriptor(name, help, unit, kind)?;
    all.iter().try_for_each(|one| write(&mut metric, one))
}

fn models(encoder: &mut DescriptorEncoder<'_>, all: &[ModelNumbers]) -> fmt::Result {
    let requests = ("model_requests", "Requests to a model that ended, by how", None);
    each(encoder, requests, MetricType::Counter, all, |metric, model| {
        let Version { tenant, model: name, version } = labels(model);
        model.requests.iter().try_for_each(|(outcome, count)| {
            let ended = Ended { tenant: tenant.clone(), model: name.clone(), version, outcome };
            metric.encode_family(&ended)?.encode_counter::<NoLabelSet, _, u64>(count, None)
        })
    })?;
    for (name, help, of) in COUNTERS {
        each(encoder, (name, help, None), MetricType::Counter, all, |metric, model| {
            metric.encode_family(&labels(model))?.encode_counter::<NoLabelSet, _, u64>(&of(model), None)
        })?;
    }
    for (name, help, of) in LEVELS {
        each(encoder, (name, help, None), MetricType::Gauge, all, |metric, model| {
            metric.encode_family(&labels(model))?.encode_gauge(&level(of(model)))
        })?;
    }
    for (name, help, of) in TIMES {
        each(encoder, (name, help, Some(&Unit::Seconds)), MetricType::Histogram, all, |metric, model| {
            histogram(&mut metric.encode_family(&labels(model))?, of(model), US)
        })?;
    }
    let rows = ("model_batch_rows", "Rows that were computed together", None);
    each(encoder, rows, MetricType::Histogram, all, |metric, model| {
        histogram(&mut metric.encode_family(&labels(model))?, &model.batch_rows, 1.0)
    })
}

/// A number of a model with its name and what it is.
type Number = (&'static str, &'static str, fn(&ModelNumbers) -> u64);

const COUNTERS: [Number; 6] = [
    ("model_inferences", "Rows that were computed for somebody", |model| model.inferences),
    ("model_executions", "Batches that were computed", |model| model.executions),
    ("model_padding_rows", "Rows that only filled batches up", |model| model.padding_rows),
    ("model_late_answers", "Answers that were there after their deadline", |model| model.late),
    ("model_out_of_memory", "How often memory ran out", |model| model.out_of_memory),
    ("model_instances_replaced", "Instances that broke down and were made again", |model| model.replaced),
];

const LEVELS: [Number; 4] = [
    ("model_pending_requests", "Requests that wait", |model| model.pending),
    ("model_running_requests", "Requests that are computed", |model| model.running),
    ("model_instances", "Instances that can compute", |model| model.instances),
    ("model_degraded", "1 where memory allows smaller batches only", |model| u64::from(model.degraded)),
];

/// A time of a model with its name and what it is.
type Time = (&'static str, &'static str, fn(&ModelNumbers) -> &Bars);

const TIMES: [Time; 2] = [
    ("model_queue_duration", "From a request to a model until it is computed", |model| &model.queue_us),
    ("model_compute_duration", "How long batches are computed", |model| &model.compute_us),
];

fn labels(model: &ModelNumbers) -> Version {
    Version { tenant: model.tenant.clone(), model: model.model.clone(), version: model.version }
}

fn histogram(metric: &mut MetricEncoder<'_>, bars: &Bars, unit: f64) -> fmt::Result {
    let bounds = bars.bounds.iter().map(|bound| *bound as f64 / unit).chain([f64::INFINITY]);
    let bars_of: Vec<(f64, u64)> = bounds.zip(bars.counts.iter().copied()).collect();
    metric.encode_histogram::<NoLabelSet>(bars.sum as f64 / unit, bars.counts.iter().sum(), &bars_of, None)
}

fn gpus(encoder: &mut DescriptorEncoder<'_>, all: &[GpuNumbers]) -> fmt::Result {
    /// A level of a GPU with its name, what it is and its unit.
    type Level = (&'static str, &'static str, Option<Unit>, fn(&GpuNumbers) -> f64);
    let levels: [Level; 5] = [
        ("gpu_memory", "Memory that the GPU has", Some(Unit::Bytes), |gpu| gpu.memory_bytes as f64),
        ("gpu_memory_used", "Memory that all programs take of it", Some(Unit::Bytes), |gpu| {
            gpu.memory_used_bytes as f64
        }),
        ("gpu_busy_ratio", "Share of the last second in which it computed", None, |gpu| {
            f64::from(gpu.busy_percent) / 100.0
        }),
        ("gpu_power_watts", "What it draws", None, |gpu| f64::from(gpu.power_mw) / 1_000.0),
        ("gpu_temperature", "How warm it is", Some(Unit::Celsius), |gpu| f64::from(gpu.temperature_c)),
    ];
    for (name, help, unit, of) in &levels {
        each(encoder, (name, help, unit.as_ref()), MetricType::Gauge, all, |metric, gpu| {
            let labels = Gpu { gpu: gpu.uuid.clone(), name: gpu.name.clone() };
            metric.encode_family(&labels)?.encode_gauge(&of(gpu))
        })?;
    }
    Ok(())
}

fn level(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
