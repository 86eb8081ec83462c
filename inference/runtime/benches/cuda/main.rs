//! What it costs to compute through [`Session`] instead of calling the binding with CUDA.
//!
//! The other side is what somebody would write by hand: places on the GPU bound once, launches recorded and played back,
//! inputs copied from ordinary memory before and outputs back after. Its computing alone, without copies, is told too;
//! models that take images are measured once more with channels last.
//! `MODELS` names a folder of models made by `benches/models/make.py`, `BATCHES` the rows, `ROUNDS` and `ROUND_MS` how long.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench ends where it fails and prints what it found")]

#[path = "../support/mod.rs"]
mod support;

mod raw;

use std::path::{Path, PathBuf};

use timeloom_domain::inference::{Gpu, Provider};
use timeloom_inference::onnx::{self, Model, Options, Runtime};
use timeloom_inference::{Instance, Stop};

use raw::Raw;
use support::{duel, inputs, measure, median, micros, rounds, runtime, setting};

/// Dimensions of a batch of images.
const IMAGE_DIMENSIONS: usize = 4;

fn main() {
    let runtime = runtime();
    println!("ONNX Runtime {}: {}", runtime.build().version, runtime.build().build);
    match onnx::gpus() {
        Ok(gpus) => gpus.iter().for_each(|gpu| println!("{gpu:?}")),
        Err(error) => println!("{error}"),
    }
    let folder = PathBuf::from(setting("MODELS").unwrap());
    let batches: Vec<usize> = setting("BATCHES")
        .unwrap_or("1 32".to_owned())
        .split_whitespace()
        .map(|batch| batch.parse().unwrap())
        .collect();
    println!(
        "{:<18} {:>5} {:>14} {:>14} {:>14} {:>8} {:>10}",
        "model", "batch", "compute, µs", "binding, µs", "Session, µs", "ratio", "rows/s"
    );
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "onnx")) {
        // Multiplying with fewer bits is what such models are run with where speed counts.
        for batch in &batches {
            if compare(&runtime, file, *batch, false) {
                compare(&runtime, file, *batch, true);
            }
        }
    }
}

/// Prints a row, and gives whether the model takes images.
fn compare(runtime: &Runtime, file: &Path, batch: usize, channels_last: bool) -> bool {
    let last = if channels_last { ", last" } else { "" };
    let name = format!("{}{last}", file.file_stem().unwrap().to_string_lossy());
    let options = Options { gpu: Gpu::Required, tf32: true, channels_last, buckets: vec![batch], ..Options::default() };
    let load = |options: Options| Model::open(runtime, file, options).and_then(|model| model.session());
    // A model that the GPU cannot compute as a whole is measured all the same, and it is said.
    let loaded = load(options.clone()).or_else(|error| {
        println!("{name}: {error}");
        load(Options { gpu: Gpu::Optional, ..options })
    });
    let mut session = match loaded {
        Ok(session) if session.facts().provider == Provider::Cuda => session,
        Ok(session) => {
            println!("{name}: {:?}", session.loaded().fell_back);
            return false;
        }
        Err(error) => {
            println!("{name}: {error}");
            return false;
        }
    };
    println!("{name}: {:?}", session.loaded().placement.nodes);
    if let Some(reason) = &session.loaded().graphs_refused {
        println!("{name}: launches are not played back: {reason}");
    }
    let graphs = session.loaded().graphs;
    let callers: Vec<_> = (0..batch).map(|caller| inputs(session.signature(), 1, caller as u64 + 1)).collect();
    let mut raw = Raw::new(runtime, file, session.signature(), batch, graphs, channels_last);
    let mut by_hand = raw.run(&callers);
    let ran = session.run(&callers, &Stop::default()).unwrap();
    let ours: Vec<u8> = ran.outputs.iter().flat_map(|outputs| outputs[0].data().to_vec()).collect();
    let same = if by_hand.swap_remove(0) == ours { "" } else { "  (other bits)" };
    let (theirs, ours) =
        duel(&mut || drop(raw.run(&callers)), &mut || drop(session.run(&callers, &Stop::default()).unwrap()));
    let compute = median((0..rounds()).map(|_| measure(&mut || raw.compute())).collect());
    println!(
        "{name:<18} {batch:>5} {:>14.1} {:>14.1} {:>14.1} {:>7.1}% {:>10.0}{same}",
        micros(compute),
        micros(theirs),
        micros(ours),
        100.0 * theirs.as_secs_f64() / ours.as_secs_f64(),
        batch as f64 / ours.as_secs_f64(),
    );
    session.signature().inputs.iter().any(|spec| spec.shape.len() == IMAGE_DIMENSIONS)
}
