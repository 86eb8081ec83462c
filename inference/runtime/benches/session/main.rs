//! What it costs to compute through [`Session`] instead of calling the binding: the same model, the same settings, the CPU.
//!
//! Callers have one row each, as the pool gives them. Both sides begin with bytes of each caller and end with bytes for
//! each. `ROUNDS` and `ROUND_MS` say how long.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench ends where it fails and prints what it found")]

#[path = "../support/mod.rs"]
mod support;
#[path = "../support/writer.rs"]
mod writer;

use ort::session::Session as Raw;
use ort::value::TensorRef;
use timeloom_inference::onnx::{Model, Options, Session};
use timeloom_inference::{Inputs, Instance, Stop};

use support::{duel, inputs, micros, runtime};

fn main() {
    let runtime = runtime();
    println!(
        "ONNX Runtime {}, one thread within an operator; median of {} rounds",
        runtime.build().version,
        support::rounds()
    );
    println!("{:<10} {:>5} {:>14} {:>14} {:>8}", "model", "batch", "binding, µs", "Session, µs", "ratio");
    for (name, widths) in [("small", &[32, 64, 64, 4][..]), ("medium", &[512, 1024, 1024, 16])] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.onnx");
        std::fs::write(&file, writer::perceptron(widths)).unwrap();
        let mut session = Model::open(&runtime, &file, Options::default()).unwrap().session().unwrap();
        let mut raw = Raw::builder(runtime.environment())
            .and_then(|builder| Ok(builder.with_intra_threads(1)?.with_intra_op_spinning(false)?))
            .and_then(|mut builder| builder.commit_from_file(&file))
            .unwrap();
        for batch in [1, 8, 32] {
            let callers: Vec<Inputs> =
                (0..batch).map(|caller| inputs(session.signature(), 1, caller as u64 + 1)).collect();
            assert_eq!(by_session(&mut session, &callers), by_binding(&mut raw, &callers));
            let mut theirs = || drop(by_binding(&mut raw, &callers));
            let mut ours = || drop(by_session(&mut session, &callers));
            let (theirs, ours) = duel(&mut theirs, &mut ours);
            let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
            println!("{name:<10} {batch:>5} {:>14.1} {:>14.1} {:>7.1}%", micros(theirs), micros(ours), 100.0 * ratio);
        }
    }
}

fn by_session(session: &mut Session, callers: &[Inputs]) -> Vec<Vec<u8>> {
    let ran = session.run(callers, &Stop::default()).unwrap();
    ran.outputs.iter().map(|outputs| outputs[0].data().to_vec()).collect()
}

fn by_binding(session: &mut Raw, callers: &[Inputs]) -> Vec<Vec<u8>> {
    let floats = |inputs: &Inputs| {
        let chunks = inputs.tensors[0].data().as_chunks().0;
        chunks.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect::<Vec<f32>>()
    };
    let rows: Vec<f32> = callers.iter().flat_map(floats).collect();
    let tensor = TensorRef::from_array_view(([callers.len(), rows.len() / callers.len()], rows.as_slice())).unwrap();
    let outputs = session.run(ort::inputs![tensor]).unwrap();
    let (_, given) = outputs[0].try_extract_tensor::<f32>().unwrap();
    let rows = given.chunks(given.len() / callers.len());
    rows.map(|row| row.iter().flat_map(|value| value.to_le_bytes()).collect()).collect()
}
