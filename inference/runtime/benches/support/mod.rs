//! What the benches share: the library, inputs by chance, rounds that take turns, and a table of what came out.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench ends where it fails")]
#![expect(clippy::disallowed_methods, reason = "a bench is told by its environment")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use timeloom_domain::inference::{ElementType, Signature};
use timeloom_inference::onnx::{self, Library, Runtime};
use timeloom_inference::{Inputs, Tensor};

/// A setting of the bench, by its environment.
pub fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// How often each side is measured.
pub fn rounds() -> usize {
    setting("ROUNDS").map_or(7, |rounds| rounds.parse().unwrap())
}

/// How long one round takes.
fn round_time() -> Duration {
    Duration::from_millis(setting("ROUND_MS").map_or(500, |round| round.parse().unwrap()))
}

pub fn runtime() -> Runtime {
    let configured = setting("TIMELOOM_ONNXRUNTIME").map(PathBuf::from);
    let cache = setting("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(setting("HOME")?).join(".cache")));
    Runtime::open(&onnx::find(&Library { explicit: None, configured, cache }).unwrap()).unwrap()
}

/// Numbers that look like chance and are the same each time.
fn scattered(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

/// What a model takes, for one caller with so many rows. Whole numbers are 0 to 999, or 1 where they mask.
pub fn inputs(signature: &Signature, rows: usize, seed: u64) -> Inputs {
    let mut seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let tensors = signature.inputs.iter().map(|spec| {
        let shape: Vec<usize> = spec.shape.iter().map(|length| length.map_or(rows, |length| length as usize)).collect();
        let mut data = Vec::new();
        for _ in 0..shape.iter().product() {
            let number = scattered(&mut seed);
            let float = (number >> 40) as f32 / (1_u64 << 23) as f32 - 1.0;
            match spec.element {
                ElementType::I64 if spec.name == "mask" => data.extend(1_i64.to_le_bytes()),
                ElementType::I64 => data.extend(((number >> 20) as i64 % 1_000).to_le_bytes()),
                ElementType::F32 => data.extend(float.to_le_bytes()),
                // The upper half of a number between 0.25 and 0.5.
                ElementType::F16 => data.extend((0x3400 | (number >> 54) as u16).to_le_bytes()),
                other => panic!("no inputs of {other} are made"),
            }
        }
        Tensor::new(spec.element, shape, data.into()).unwrap()
    });
    Inputs { tensors: tensors.collect(), rows }
}

/// Measures two ways in turns: the median time of a run of each, of as many rounds as are set.
pub fn duel(left: &mut dyn FnMut(), right: &mut dyn FnMut()) -> (Duration, Duration) {
    let (mut lefts, mut rights) = (Vec::new(), Vec::new());
    for _ in 0..rounds() {
        lefts.push(measure(left));
        rights.push(measure(right));
    }
    (median(lefts), median(rights))
}

/// The mean time of a run, over one round.
pub fn measure(run: &mut dyn FnMut()) -> Duration {
    for _ in 0..3 {
        run();
    }
    let (begun, time) = (Instant::now(), round_time());
    let mut runs = 0;
    while begun.elapsed() < time {
        run();
        runs += 1;
    }
    begun.elapsed() / runs
}

pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

pub fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
