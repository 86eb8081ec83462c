//! Models that the program computes, over HTTP: beside computing the same in one process, batched, and beside servers that
//! others wrote; and what is left when three times as much is asked as can be computed.
//!
//! `cargo bench -p timeloom-tests --bench worker`. Servers of others are measured where they are installed, in the folder
//! that `AI_PEERS` names; docs/performance.md tells how. All share the cores with their clients, so rows compare with rows
//! of the same run only. `PARTS=speed,overload` says what is wanted.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench ends when something is wrong")]
#![expect(clippy::disallowed_methods, reason = "a bench is told by its environment")]

#[path = "worker/ceiling.rs"]
mod ceiling;
#[path = "support/client.rs"]
#[expect(dead_code, reason = "only its figures")]
mod client;
#[path = "worker/overload.rs"]
mod overload;
#[path = "worker/peers.rs"]
mod peers;
#[path = "support/process.rs"]
mod process;
mod support;
#[path = "support/wire.rs"]
mod wire;
#[path = "../../inference/runtime/benches/support/writer.rs"]
mod writer;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::{memory, processor};
use crate::support::{Server, program, serve};
use crate::wire::{Request, closed};

/// Measured time for one figure.
const WINDOW: Duration = Duration::from_secs(5);
/// Time before it that is not measured.
const WARM_UP: Duration = Duration::from_secs(2);
/// Clients at once.
const CLIENTS: usize = 64;

/// A model that is measured: the widths of its layers.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    widths: &'static [u64],
}

impl Shape {
    pub(crate) fn width(&self) -> usize {
        self.widths[0] as usize
    }

    /// One row for it.
    pub(crate) fn row(&self) -> Vec<f32> {
        (0..self.width()).map(|at| ((at * 37 % 101) as f32 - 50.0) / 25.0).collect()
    }
}

const SMALL: Shape = Shape { name: "small", widths: &[32, 64, 64, 4] };
const MEDIUM: Shape = Shape { name: "medium", widths: &[512, 1024, 1024, 16] };
pub(crate) const BIG: Shape = Shape { name: "big", widths: &[512, 4096, 4096, 16] };

/// Whatever may be said of how the model is run.
pub(crate) fn server(program: &Path, folder: &Path, shape: &Shape, settings: &[&str]) -> Server {
    std::fs::create_dir_all(folder).unwrap();
    let file = folder.join("model.onnx");
    std::fs::write(&file, writer::perceptron(shape.widths)).unwrap();
    let data = folder.join("data");
    let server = serve(program, &data, &[]);
    let url = format!("http://{}", server.address);
    let verb = |words: &[&str]| {
        let done = Command::new(program).args(words).args(["--server", &url]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    verb(&["model", "register", shape.name]);
    if !settings.is_empty() {
        verb(&[&["model", "configure", shape.name], settings].concat());
    }
    verb(&["model", "add", shape.name, file.to_str().unwrap(), "--promote"]);
    verb(&["model", "load", shape.name, "1"]);
    server
}

/// Its row as the Open Inference Protocol has it, in JSON.
pub(crate) fn json_request(address: &str, shape: &Shape, timeout_us: Option<u64>) -> Request {
    let mut body = serde_json::json!({ "inputs": [{ "name": "x", "shape": [1, shape.width()], "datatype": "FP32",
        "data": shape.row() }] });
    if let Some(timeout) = timeout_us {
        body["parameters"] = serde_json::json!({ "timeout": timeout });
    }
    let url = format!("http://{address}/v2/models/{}/infer", shape.name);
    Request::post(&url, &[("content-type", "application/json")], body.to_string().as_bytes())
}

/// The same with the tensors as bytes behind the JSON, both ways.
pub(crate) fn binary_request(address: &str, shape: &Shape, timeout_us: Option<u64>) -> Request {
    let row: Vec<u8> = shape.row().iter().flat_map(|number| number.to_le_bytes()).collect();
    let mut parameters = serde_json::json!({ "binary_data_output": true });
    if let Some(timeout) = timeout_us {
        parameters["timeout"] = timeout.into();
    }
    let words = serde_json::json!({ "parameters": parameters, "inputs": [{ "name": "x", "shape": [1, shape.width()],
        "datatype": "FP32", "parameters": { "binary_data_size": row.len() } }] })
    .to_string();
    let url = format!("http://{address}/v2/models/{}/infer", shape.name);
    let length = words.len().to_string();
    let headers = [("content-type", "application/octet-stream"), ("inference-header-content-length", length.as_str())];
    Request::post(&url, &headers, &[words.as_bytes(), &row].concat())
}

/// Its figures; what it answers a second.
pub(crate) async fn row(what: &str, id: u32, request: &Request, ceiling: f64) -> f64 {
    let warm = closed(request, CLIENTS, WARM_UP).await;
    let before = processor(id);
    match warm.and(closed(request, CLIENTS, WINDOW).await) {
        Ok(figure) => {
            let taken = (processor(id) - before) * 1e6 / figure.latencies_ms.len() as f64;
            println!(
                "  {what:<34} {:>7.0} /s   p50 {:>7.2} ms, p99 {:>7.2} ms   processor {taken:>6.0} µs each   {:>4.0} MiB   \
                 of the ceiling {:.2}",
                figure.per_second,
                figure.percentile(0.5),
                figure.percentile(0.99),
                memory(id),
                figure.per_second / ceiling
            );
            figure.per_second
        }
        Err(error) => {
            println!("  {what:<34} is not answered: {}", error.replace("\r\n", " "));
            f64::NAN
        }
    }
}

async fn speed(program: &Path, folder: &Path, shape: &Shape, installed: &Path) {
    println!("{}: rows of {} numbers, {CLIENTS} clients with one row each", shape.name, shape.width());
    let ceiling = ceiling::rows_per_second(shape.widths, folder);
    println!("  {:<34} {ceiling:>7.0} /s", "in one process, 32 rows together");
    let mut own = f64::NAN;
    for (what, settings) in
        [("all written down", &[][..]), ("one in 100 written down", &["--recording", "sampled", "--one-in", "100"][..])]
    {
        let server = server(program, &folder.join(what), shape, settings);
        let id = server.child.id();
        row(&format!("timeloom, binary, {what}"), id, &binary_request(&server.address, shape, None), ceiling).await;
        let json =
            row(&format!("timeloom, JSON, {what}"), id, &json_request(&server.address, shape, None), ceiling).await;
        if settings.is_empty() {
            own = json;
        }
    }
    for (name, rate) in peers::measure(installed, folder, shape, ceiling).await {
        println!("  JSON, timeloom to {name}: {:.2}", own / rate);
    }
}

fn main() {
    let parts = std::env::var("PARTS").unwrap_or_else(|_| "speed,overload".to_owned());
    let installed = process::peers();
    let program = program();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for part in parts.split(',') {
        let scratch = tempfile::tempdir().unwrap();
        match part {
            "speed" => {
                for shape in [&MEDIUM, &SMALL] {
                    runtime.block_on(speed(&program, &scratch.path().join(shape.name), shape, &installed));
                }
            }
            "overload" => runtime.block_on(overload::measure(&program, scratch.path())),
            other => println!("there is no part '{other}'"),
        }
    }
}
