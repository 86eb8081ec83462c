//! What a pool costs beside calling an instance directly, and what gathering is worth: an MLP in plain Rust, asked by 1, 8
//! and 64 callers. All ways in turns in one run, so that the ratios are of one machine in one state.
//!
//! `cargo bench -p timeloom-inference --bench pool [-- <milliseconds for each>]`; a thousand when not said.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench stops at anything and prints what it measured")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use timeloom_domain::inference::{ElementType, Provider, Signature, TensorSpec};
use timeloom_inference::pool::{Ask, MachineClock, Policy, Pool, Spec};
use timeloom_inference::{Inputs, Instance, InstanceFacts, Ran, RunError, Stop, Tensor};
use tokio::task::JoinSet;

/// Milliseconds for each way when nothing else is said.
const MEASURED_MS: u64 = 1000;
/// Turns of each way, of which the median counts.
const TURNS: usize = 3;
const INPUTS: usize = 32;
const HIDDEN: usize = 64;
const OUTPUTS: usize = 4;

/// Two layers; its weights are made from their places.
#[derive(Clone)]
struct Mlp {
    first: Arc<Vec<f32>>,
    second: Arc<Vec<f32>>,
}

impl Mlp {
    fn new() -> Self {
        let weights = |count: usize| Arc::new((0..count).map(|at| (at % 17) as f32 / 17.0 - 0.5).collect());
        Self { first: weights(INPUTS * HIDDEN), second: weights(HIDDEN * OUTPUTS) }
    }

    fn row(&self, row: &[f32], out: &mut Vec<u8>) {
        let mut hidden = [0.0_f32; HIDDEN];
        for (input, weights) in row.iter().zip(self.first.chunks_exact(HIDDEN)) {
            hidden.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += input * weight);
        }
        let mut sums = [0.0_f32; OUTPUTS];
        for (input, weights) in hidden.iter().zip(self.second.chunks_exact(OUTPUTS)) {
            sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += input.max(0.0) * weight);
        }
        out.extend(sums.iter().flat_map(|sum| sum.to_le_bytes()));
    }
}

impl Instance for Mlp {
    fn run(&mut self, batch: &[Inputs], _: &Stop) -> Result<Ran, RunError> {
        let mut bucket = 0;
        let mut outputs = Vec::with_capacity(batch.len());
        for inputs in batch {
            let data = inputs.tensors[0].data();
            let numbers: Vec<f32> =
                data.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
            let mut out = Vec::with_capacity(inputs.rows * OUTPUTS * 4);
            numbers.chunks_exact(INPUTS).for_each(|row| self.row(row, &mut out));
            bucket += inputs.rows;
            outputs.push(vec![Tensor::new(ElementType::F32, vec![inputs.rows, OUTPUTS], out.into()).unwrap()]);
        }
        Ok(Ran { outputs, bucket })
    }

    fn facts(&self) -> InstanceFacts {
        InstanceFacts { provider: Provider::Cpu, rows_max: 4096 }
    }
}

fn one_row() -> Inputs {
    let bytes: Vec<u8> = (0..INPUTS).flat_map(|at| (at as f32 / 32.0).to_le_bytes()).collect();
    let tensor = Tensor::new(ElementType::F32, vec![1, INPUTS], bytes.into()).unwrap();
    Inputs { tensors: vec![tensor], rows: 1 }
}

fn spec(policy: Policy) -> Spec {
    let tensor = |name: &str, width: usize| TensorSpec {
        name: name.to_owned(),
        element: ElementType::F32,
        shape: vec![None, Some(width as u64)],
    };
    let signature = Signature { inputs: vec![tensor("in", INPUTS)], outputs: vec![tensor("out", OUTPUTS)] };
    let mlp = Mlp::new();
    let factory = move |_: usize| Ok(Box::new(mlp.clone()) as Box<dyn Instance>);
    Spec { name: "mlp".to_owned(), signature, factory: Arc::new(factory), policy, warm_up: vec![one_row()] }
}

/// Rows a second when one thread calls an instance with batches of `rows`.
fn directly(rows: usize, time: Duration) -> f64 {
    let (mut mlp, inputs) = (Mlp::new(), vec![one_row(); rows]);
    let (began, mut computed) = (Instant::now(), 0);
    while began.elapsed() < time {
        computed += std::hint::black_box(mlp.run(&inputs, &Stop::default()).unwrap()).bucket;
    }
    computed as f64 / began.elapsed().as_secs_f64()
}

/// Rows a second, the mean batch, and wakes of instances an ask.
async fn through_the_pool(callers: usize, time: Duration) -> (f64, f64, f64) {
    let pool = Arc::new(Pool::load(spec(Policy::default()), Arc::new(MachineClock::default())).await.unwrap());
    let (began, computed) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let mut asking = JoinSet::new();
    for _ in 0..callers {
        let (pool, computed) = (Arc::clone(&pool), Arc::clone(&computed));
        asking.spawn(async move {
            while began.elapsed() < time {
                pool.infer(one_row(), Ask::default()).await.unwrap();
                computed.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    while asking.join_next().await.is_some() {}
    let rate = computed.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
    let counts = pool.counts();
    pool.close(Duration::from_secs(1)).await;
    (rate, counts.inferences as f64 / counts.executions.max(1) as f64, counts.wakes as f64 / counts.ok.max(1) as f64)
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

async fn measure(time: Duration) {
    let (mut single, mut batched) = (Vec::new(), Vec::new());
    let mut pooled = [1, 8, 64].map(|callers| (callers, Vec::new(), 0.0, 0.0));
    for _ in 0..TURNS {
        single.push(directly(1, time));
        batched.push(directly(32, time));
        for (callers, rates, batch, wakes) in &mut pooled {
            let (rate, mean, woken) = through_the_pool(*callers, time).await;
            rates.push(rate);
            (*batch, *wakes) = (mean, woken);
        }
    }
    let (single, batched) = (median(single), median(batched));
    println!("an MLP {INPUTS}-{HIDDEN}-{OUTPUTS}, rows a second, median of {TURNS}");
    println!("  directly, a row at a time    {single:>12.0}");
    println!("  directly, 32 rows at a time  {batched:>12.0}   ratio {:.2}", batched / single);
    for (callers, rates, batch, wakes) in pooled {
        let rate = median(rates);
        let cost = (1.0 / rate - 1.0 / single) * 1e6;
        println!(
            "  pool, {callers:>2} callers             {rate:>12.0}   ratio {:.2}, {cost:.1} us more a row, {batch:.1} rows a batch, {wakes:.2} wakes an ask",
            rate / single
        );
    }
}

fn main() {
    // Cargo adds arguments of its own; ours is a number.
    let ms = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(MEASURED_MS);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure(Duration::from_millis(ms)));
}
