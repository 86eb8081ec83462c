//! Servers of models that others wrote, with the same file and the same rows as JSON.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::process::{Peer, free_port};
use crate::wire::{Request, ready};
use crate::{Shape, row};

/// How long one may take to start.
const START: Duration = Duration::from_secs(90);

/// What is asked a second of each that is installed in `installed`.
pub(crate) async fn measure(installed: &Path, folder: &Path, shape: &Shape, ceiling: f64) -> Vec<(&'static str, f64)> {
    let programs = installed.join("serving/bin");
    if !programs.exists() {
        println!("  FastAPI, LitServe and BentoML are not installed in {}", installed.display());
        return Vec::new();
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/worker");
    let mut rates = Vec::new();
    for name in ["FastAPI", "LitServe", "BentoML"] {
        let port = free_port().to_string();
        let body = if name == "BentoML" { json!({ "rows": [shape.row()] }) } else { json!({ "row": shape.row() }) };
        let mut command = command(name, &programs, &here, &port);
        command.current_dir(folder).env("MODEL", folder.join("ceiling.onnx")).env("PORT", &port);
        let mut peer = Peer::start(command, &folder.join(format!("{name}.log")));
        let request = request(&port, &body);
        if ready(&request, START, || peer.ended()).await.is_none() {
            println!("  {name} does not answer");
            continue;
        }
        rates.push((name, row(&format!("{name}, JSON"), peer.id(), &request, ceiling).await));
    }
    rates
}

fn command(name: &str, programs: &Path, here: &Path, port: &str) -> Command {
    match name {
        "FastAPI" => {
            let mut command = Command::new(programs.join("uvicorn"));
            command.args(["serve_fastapi:app", "--port", port, "--workers", "2"]);
            command.args(["--log-level", "warning", "--no-access-log", "--app-dir"]).arg(here);
            command
        }
        "LitServe" => {
            let mut command = Command::new(programs.join("python"));
            command.arg(here.join("serve_litserve.py"));
            command
        }
        _ => {
            let mut command = Command::new(programs.join("bentoml"));
            command.args(["serve", "serve_bentoml:Perceptron", "--host", "127.0.0.1", "--port", port, "--working-dir"]);
            command.arg(here).env("BENTOML_DO_NOT_TRACK", "True");
            command
        }
    }
}

fn request(port: &str, body: &Value) -> Request {
    let url = format!("http://127.0.0.1:{port}/predict");
    Request::post(&url, &[("content-type", "application/json")], body.to_string().as_bytes())
}
