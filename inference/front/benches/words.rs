//! What it costs to read a request of 512 floats and to write an answer of as many: JSON and binary, beside a tree of
//! `serde_json` values as most servers go through. All ways in turns in one run, so that the ratios are of one machine in one
//! state.
//!
//! `cargo bench -p timeloom-inference-front --bench words [-- <rounds>]`; five thousand when not said.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench stops at anything and prints what it measured")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use timeloom_domain::inference::ElementType;
use timeloom_inference::Tensor;
use timeloom_inference_front::v2::{Answered, OutputTensor, parse};

/// Rounds of each way when nothing else is said.
const ROUNDS: usize = 5000;
/// Turns of each way, of which the median counts.
const TURNS: usize = 5;
const FLOATS: usize = 512;

fn floats() -> Vec<f32> {
    (0..FLOATS).map(|at| (at as f32 * 0.37).sin() * 3.0).collect()
}

fn tensor() -> Tensor {
    let bytes: Vec<u8> = floats().into_iter().flat_map(f32::to_le_bytes).collect();
    Tensor::new(ElementType::F32, vec![1, FLOATS], bytes.into()).unwrap()
}

fn json_body() -> Bytes {
    json!({"inputs": [{"name": "x", "shape": [1, FLOATS], "datatype": "FP32", "data": floats()}]}).to_string().into()
}

fn binary_body() -> (Bytes, usize) {
    let parameters = json!({"binary_data_size": FLOATS * 4});
    let json = json!({"inputs": [{"name": "x", "shape": [1, FLOATS], "datatype": "FP32", "parameters": parameters}]});
    let json = json.to_string();
    (Bytes::from([json.as_bytes(), tensor().data()].concat()), json.len())
}

fn by_values(body: &Bytes) -> Vec<u8> {
    let request: Value = serde_json::from_slice(body).unwrap();
    let numbers = request["inputs"][0]["data"].as_array().unwrap();
    let read: Vec<f32> = numbers.iter().map(|number| number.as_f64().unwrap() as f32).collect();
    let output = json!({"name": "y", "datatype": "FP32", "shape": [1, read.len()], "data": read});
    serde_json::to_vec(&json!({"model_name": "m", "model_version": "1", "outputs": [output]})).unwrap()
}

fn by_words(body: &Bytes, json_length: Option<usize>) -> Vec<u8> {
    let mut request = parse(body, json_length).unwrap();
    let (tensor, binary) = (request.inputs.remove(0).tensor, json_length.is_some());
    let outputs = vec![OutputTensor { name: "y".to_owned(), tensor, binary }];
    let answer = Answered { model: "m".to_owned(), version: "1".to_owned(), id: None, outputs };
    answer.encode().unwrap().body
}

fn time(rounds: usize, mut way: impl FnMut() -> Vec<u8>) -> Duration {
    let began = Instant::now();
    for _ in 0..rounds {
        black_box(way());
    }
    began.elapsed() / rounds as u32
}

fn main() {
    // Cargo adds arguments of its own; ours is a number.
    let rounds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(ROUNDS).max(1);
    let (json, (binary, length)) = (json_body(), binary_body());
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..TURNS {
        times[0].push(time(rounds, || by_values(&json)));
        times[1].push(time(rounds, || by_words(&json, None)));
        times[2].push(time(rounds, || by_words(&binary, Some(length))));
    }
    let [values, words, bytes] = times.map(|mut times| {
        times.sort_unstable();
        times[TURNS / 2]
    });
    println!("reading and writing {FLOATS} floats, median of {TURNS} times {rounds}");
    println!("  a tree of values, JSON  {values:>10.2?}");
    for (way, time) in [("words, JSON", words), ("words, binary", bytes)] {
        println!("  {way:<22}  {time:>10.2?}   ratio {:.1}", values.as_secs_f64() / time.as_secs_f64());
    }
}
