//! Weights that the sessions of a model share.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use timeloom_inference::onnx::{Model, Options};
use timeloom_inference::{Instance, Stop};

use crate::support::{floats, inputs, runtime, scattered};

#[path = "../../benches/support/writer.rs"]
mod writer;

/// Width of the model's four large layers: 4 MiB of weights each.
const WIDTH: usize = 1_024;
/// Bytes of its weights.
const WEIGHTS: usize = 4 * WIDTH * WIDTH * 4;
/// Sessions beside the first.
const OTHERS: usize = 12;

/// Bytes that the process has in memory once it has given back what it does not use: what loading needed for a moment only
/// would hide what stays.
fn resident_bytes() -> usize {
    give_back();
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the C library is asked to give memory back")]
fn give_back() {
    unsafe extern "C" {
        fn malloc_trim(pad: usize) -> i32;
    }
    // SAFETY: it may be called at any time, from any thread.
    unsafe { malloc_trim(0) };
}

#[cfg(not(target_env = "gnu"))]
fn give_back() {}

#[test]
fn sessions_that_share_their_weights_need_the_memory_of_few_and_give_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wide.onnx");
    let width = WIDTH as u64;
    std::fs::write(&file, writer::perceptron(&[width, width, width, width, width, 4])).unwrap();
    let runtime = runtime();
    let grown = |shared: bool| {
        let made = Model::open(&runtime, &file, Options { shared, ..Options::default() }).unwrap();
        let mut first = made.session().unwrap();
        let before = resident_bytes();
        let mut others: Vec<_> = (0..OTHERS).map(|_| made.session().unwrap()).collect();
        let grown = resident_bytes().saturating_sub(before);
        let sent = inputs(vec![floats(&[1, WIDTH], &scattered(WIDTH, 5))]);
        let run = |session: &mut timeloom_inference::onnx::Session| {
            session.run(std::slice::from_ref(&sent), &Stop::default()).unwrap().outputs
        };
        let answer = run(&mut first);
        assert!(others.iter_mut().all(|other| run(other) == answer));
        (grown, answer)
    };
    let (apart, alone) = grown(false);
    let (together, shared) = grown(true);
    println!("{OTHERS} more sessions took {} MiB apart, {} MiB together", apart >> 20, together >> 20);
    // Half of what is to be saved is left to what sessions need beside their weights.
    assert!(together + OTHERS * WEIGHTS / 2 < apart, "{together} bytes together, {apart} apart");
    assert_eq!(alone, shared);
}
