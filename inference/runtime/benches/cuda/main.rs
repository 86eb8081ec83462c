//! What it costs to compute through [`Session`] instead of calling the binding with CUDA.
//!
//! The other side is what somebody would write by hand: places on the GPU bound once, launches recorded and played back,
//! inputs copied from ordinary memory before and outputs back after. Its computing alone, without copies, is told too, and
//! for images that of other ways to compute convolutions.
//! `MODELS` names a folder of models made by `benches/models/make.py`, `BATCHES` the rows, `ROUNDS` and `ROUND_MS` how long.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench ends where it fails and prints what it found")]

#[path = "../support/mod.rs"]
mod support;

mod raw;

use std::path::{Path, PathBuf};

use timeloom_domain::inference::{Gpu, Provider};
use timeloom_inference::onnx::{self, Model, Options, Runtime};
use timeloom_inference::{Inputs, Instance, Stop};

use raw::{Convolutions, Raw};
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
        "{:<12} {:>5} {:>14} {:>14} {:>14} {:>8} {:>10}",
        "model", "batch", "compute, µs", "binding, µs", "Session, µs", "ratio", "rows/s"
    );
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "onnx")) {
        // Multiplying with fewer bits is what such models are run with where speed counts.
        for batch in &batches {
            compare(&runtime, file, *batch);
        }
    }
}

fn compare(runtime: &Runtime, file: &Path, batch: usize) {
    let name = file.file_stem().unwrap().to_string_lossy();
    let options = Options { gpu: Gpu::Required, tf32: true, buckets: vec![batch], ..Options::default() };
    let load = |options: Options| Model::open(runtime, file, options).and_then(|model| model.session());
    // A model that the GPU cannot compute as a whole is measured all the same, and it is said.
    let loaded = load(options.clone()).or_else(|error| {
        println!("{name}: {error}");
        load(Options { gpu: Gpu::Optional, ..options })
    });
    let mut session = match loaded {
        Ok(session) if session.facts().provider == Provider::Cuda => session,
        Ok(session) => return println!("{name}: {:?}", session.loaded().fell_back),
        Err(error) => return println!("{name}: {error}"),
    };
    println!("{name}: {:?}", session.loaded().placement.nodes);
    if let Some(reason) = &session.loaded().graphs_refused {
        println!("{name}: launches are not played back: {reason}");
    }
    let graphs = session.loaded().graphs;
    let callers: Vec<_> = (0..batch).map(|caller| inputs(session.signature(), 1, caller as u64 + 1)).collect();
    let mut raw = Raw::new(runtime, file, session.signature(), batch, graphs, Convolutions::default());
    let mut by_hand = raw.run(&callers);
    let ran = session.run(&callers, &Stop::default()).unwrap();
    let ours: Vec<u8> = ran.outputs.iter().flat_map(|outputs| outputs[0].data().to_vec()).collect();
    let same = if by_hand.swap_remove(0) == ours { "" } else { "  (other bits)" };
    let (theirs, ours) =
        duel(&mut || drop(raw.run(&callers)), &mut || drop(session.run(&callers, &Stop::default()).unwrap()));
    let compute = median((0..rounds()).map(|_| measure(&mut || raw.compute())).collect());
    println!(
        "{name:<12} {batch:>5} {:>14.1} {:>14.1} {:>14.1} {:>7.1}% {:>10.0}{same}",
        micros(compute),
        micros(theirs),
        micros(ours),
        100.0 * theirs.as_secs_f64() / ours.as_secs_f64(),
        batch as f64 / ours.as_secs_f64(),
    );
    let images = session.signature().inputs.iter().any(|spec| spec.shape.len() == IMAGE_DIMENSIONS);
    if images && batch > 1 {
        drop(raw);
        let make = |how| Raw::new(runtime, file, session.signature(), batch, graphs, how);
        other_ways(&format!("{name:<12} {batch:>5}"), &make, &callers);
    }
}

/// Other ways to compute convolutions, computing alone.
fn other_ways(head: &str, make: &dyn Fn(Convolutions) -> Raw, callers: &[Inputs]) {
    for how in [
        Convolutions { channels_last: true, timed: false },
        Convolutions { channels_last: false, timed: true },
        Convolutions { channels_last: true, timed: true },
    ] {
        let mut raw = make(how);
        drop(raw.run(callers));
        let compute = median((0..rounds()).map(|_| measure(&mut || raw.compute())).collect());
        println!("{head} {:>14.1} {how:?}", micros(compute));
    }
}
