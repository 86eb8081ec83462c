//! Calls of language models through the gateway, over HTTP, each written down before it is answered; and the same calls
//! through the gateways of others, which write nothing down.
//!
//! All stand in turn before the same provider, which answers at once, and get the same calls from the same clients; the three
//! share the cores of the machine. Rows compare with rows of the same run only.
//!
//! `cargo bench -p timeloom-tests --bench gateway`. Gateways of others are measured where they are installed, in the folder
//! that `AI_PEERS` names; docs/performance.md tells how. `GATEWAYS` names those that are wanted, such as `direct,timeloom`.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench ends when something is wrong")]
#![expect(clippy::disallowed_methods, reason = "a bench is told by its environment")]

#[path = "support/client.rs"]
#[expect(dead_code, reason = "only its figures")]
mod client;
#[path = "support/process.rs"]
mod process;
mod support;
#[path = "../../inference/gateway/benches/call/upstream.rs"]
mod upstream;
#[path = "support/wire.rs"]
mod wire;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process::{Peer, free_port, memory, peers, processor};
use crate::support::{Server, program, serve};
use crate::wire::{Request, closed, ready};

/// Measured time for one figure.
const WINDOW: Duration = Duration::from_secs(5);
/// Time before it that is not measured.
const WARM_UP: Duration = Duration::from_secs(1);
/// How long a gateway may take to start.
const START: Duration = Duration::from_secs(120);

/// A gateway that runs.
enum Running {
    Nobody,
    Own(Server),
    Other(Peer),
}

impl Running {
    fn id(&self) -> Option<u32> {
        match self {
            Self::Nobody => None,
            Self::Own(server) => Some(server.child.id()),
            Self::Other(peer) => Some(peer.id()),
        }
    }

    fn ended(&mut self) -> bool {
        match self {
            Self::Other(peer) => peer.ended(),
            Self::Nobody | Self::Own(_) => false,
        }
    }
}

/// Where calls go.
struct Gateway {
    running: Running,
    url: String,
    model: &'static str,
    headers: Vec<(&'static str, String)>,
}

/// What is measured of each.
struct Row {
    per_second: f64,
    processor_us: f64,
}

fn own(program: &Path, scratch: &Path, provider: &str, recording: &[&str]) -> Gateway {
    let data = scratch.join(format!("own{}", recording.len()));
    let verb = |words: &[&str]| {
        let done = Command::new(program).args(words).arg("--data").arg(&data).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    verb(&["gateway", "provider", "set", "up", "--protocol", "openai", "--url", provider]);
    verb(&[&["gateway", "route", "set", "gpt-1", "--target", "up=gpt-1"], recording].concat());
    let host = provider.strip_prefix("http://").unwrap().split('/').next().unwrap();
    let server = serve(program, &data, &["--allow-private-hosts", host]);
    let url = format!("http://{}/v1/chat/completions", server.address);
    Gateway { running: Running::Own(server), url, model: "gpt-1", headers: Vec::new() }
}

fn tensorzero(peers: &Path, scratch: &Path, provider: &str) -> Option<Gateway> {
    let python = peers.join("tz/bin/python");
    python.exists().then_some(())?;
    let configured = format!(
        "[gateway]\nobservability.enabled = false\n[models.\"gpt-1\"]\nrouting = [\"up\"]\n\
         [models.\"gpt-1\".providers.up]\ntype = \"openai\"\nmodel_name = \"gpt-1\"\napi_base = \"{provider}/\"\n\
         api_key_location = \"env::OPENAI_API_KEY\"\n"
    );
    // Its package for Python holds the gateway, which says by this client where it listens.
    let script = "import sys, time, openai, tensorzero\n\
        client = openai.OpenAI(api_key='x', base_url='http://127.0.0.1:1')\n\
        tensorzero.patch_openai_client(client, config_file=sys.argv[1], async_setup=False)\n\
        print('BASE', client.base_url, flush=True)\ntime.sleep(86400)\n";
    let (config, log) = (scratch.join("tensorzero.toml"), scratch.join("tensorzero.log"));
    std::fs::write(&config, configured).unwrap();
    let mut command = Command::new(python);
    command.args(["-c", script]).arg(config).env("OPENAI_API_KEY", "x");
    let peer = Peer::start(command, &log);
    let began = Instant::now();
    let base = loop {
        let said = std::fs::read_to_string(&log).unwrap();
        if let Some(base) = said.split("BASE ").nth(1).and_then(|rest| rest.split_once('\n')) {
            break base.0.trim_end_matches('/').to_owned();
        }
        assert!(began.elapsed() < START, "{said}");
        std::thread::sleep(Duration::from_millis(100));
    };
    let url = format!("{base}/chat/completions");
    Some(Gateway { running: Running::Other(peer), url, model: "tensorzero::model_name::gpt-1", headers: Vec::new() })
}

fn portkey(peers: &Path, scratch: &Path, provider: &str) -> Option<Gateway> {
    let script = peers.join("portkey/node_modules/@portkey-ai/gateway/build/start-server.js");
    script.exists().then_some(())?;
    let port = free_port();
    let mut command = Command::new("node");
    command.arg(script).args([&format!("--port={port}"), "--headless"]).env("NODE_ENV", "production");
    let running = Running::Other(Peer::start(command, &scratch.join("portkey.log")));
    let headers = vec![("x-portkey-provider", "openai".to_owned()), ("x-portkey-custom-host", provider.to_owned())];
    Some(Gateway { running, url: format!("http://127.0.0.1:{port}/v1/chat/completions"), model: "gpt-1", headers })
}

fn litellm(peers: &Path, scratch: &Path, provider: &str) -> Option<Gateway> {
    let program = peers.join("litellm/bin/litellm");
    program.exists().then_some(())?;
    let config = scratch.join("litellm.yaml");
    let configured = format!(
        "model_list:\n  - model_name: gpt-1\n    litellm_params: {{model: openai/gpt-1, api_base: \"{provider}\", api_key: x}}\n\
         litellm_settings: {{telemetry: false, drop_params: true}}\ngeneral_settings: {{disable_spend_logs: true}}\n"
    );
    std::fs::write(&config, configured).unwrap();
    let port = free_port();
    let mut command = Command::new(program);
    command.arg("--config").arg(config).args([
        "--host",
        "127.0.0.1",
        "--num_workers",
        "1",
        "--port",
        &port.to_string(),
    ]);
    command.env("LITELLM_LOCAL_MODEL_COST_MAP", "True").env("LITELLM_LOG", "ERROR");
    command.env("LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY", "true");
    let running = Running::Other(Peer::start(command, &scratch.join("litellm.log")));
    let url = format!("http://127.0.0.1:{port}/v1/chat/completions");
    Some(Gateway { running, url, model: "gpt-1", headers: Vec::new() })
}

fn request(gateway: &Gateway, stream: bool) -> Request {
    let body = serde_json::json!({ "model": gateway.model, "stream": stream, "temperature": 0.2, "max_tokens": 200,
        "messages": [{ "role": "system", "content": "You answer in few words." },
            { "role": "user", "content": "What is the capital of the country whose flag is white with a red disc?" }] });
    let mut headers = vec![("content-type", "application/json"), ("authorization", "Bearer x")];
    headers.extend(gateway.headers.iter().map(|(name, value)| (*name, value.as_str())));
    Request::post(&gateway.url, &headers, body.to_string().as_bytes())
}

/// Its figures with `clients` at once; the processor's time is that of the gateway alone.
async fn row(gateway: &Gateway, what: &str, stream: bool, clients: usize, floor: Option<&Row>) -> Option<Row> {
    let taken = |gateway: &Gateway| gateway.running.id().map_or(f64::NAN, processor);
    let request = request(gateway, stream);
    let warm = closed(&request, clients, WARM_UP).await;
    let before = taken(gateway);
    let figure = match warm.and(closed(&request, clients, WINDOW).await) {
        Ok(figure) => figure,
        Err(error) => {
            println!("  {what:<26} is not answered: {}", error.replace("\r\n", " "));
            return None;
        }
    };
    let calls = figure.latencies_ms.len() as f64;
    let row = Row { per_second: figure.per_second, processor_us: (taken(gateway) - before) * 1e6 / calls };
    let ratio = floor.map_or(1.0, |floor| row.per_second / floor.per_second);
    println!(
        "  {what:<26} {:>8.0} /s   p50 {:>7.2} ms, p99 {:>7.2} ms   processor {:>7.0} µs a call   of direct {ratio:.3}",
        row.per_second,
        figure.percentile(0.5),
        figure.percentile(0.99),
        row.processor_us
    );
    Some(row)
}

async fn measure(name: &str, mut gateway: Gateway, began: Instant, floors: &mut Vec<Row>) -> Option<f64> {
    let first = request(&gateway, false);
    let running = &mut gateway.running;
    if ready(&first, START, || running.ended()).await.is_none() {
        println!("{name}: does not answer");
        return None;
    }
    let started = began.elapsed().as_secs_f64();
    tokio::time::sleep(Duration::from_secs(1)).await;
    match gateway.running.id() {
        Some(id) => println!("{name}: answers after {started:.1} s, {:.0} MiB at rest", memory(id)),
        None => println!("{name}"),
    }
    let mut per_second = 0.0;
    for (at, (what, stream, clients)) in
        [("32 clients", false, 32), ("1 client", false, 1), ("8 clients, 50-chunk streams", true, 8)]
            .into_iter()
            .enumerate()
    {
        let Some(row) = row(&gateway, what, stream, clients, floors.get(at)).await else { continue };
        if at == 0 {
            per_second = row.per_second;
        }
        if gateway.running.id().is_none() {
            floors.push(row);
        }
    }
    if let Some(id) = gateway.running.id() {
        println!("  {:.0} MiB afterwards", memory(id));
    }
    Some(per_second)
}

fn main() {
    let wanted =
        std::env::var("GATEWAYS").unwrap_or_else(|_| "direct,timeloom,digests,tensorzero,portkey,litellm".to_owned());
    let peers = peers();
    let program = program();
    let scratch = tempfile::tempdir().unwrap();
    let provider = upstream::start().url;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut floors = Vec::new();
    let mut rates = Vec::new();
    for name in wanted.split(',') {
        let began = Instant::now();
        let folder = scratch.path();
        let direct = || Gateway {
            running: Running::Nobody,
            url: format!("{provider}/chat/completions"),
            model: "gpt-1",
            headers: Vec::new(),
        };
        let gateway = match name {
            "direct" => Some(direct()),
            "timeloom" => Some(own(&program, folder, &provider, &[])),
            "digests" => Some(own(&program, folder, &provider, &["--digests"])),
            "tensorzero" => tensorzero(&peers, folder, &provider),
            "portkey" => portkey(&peers, folder, &provider),
            "litellm" => litellm(&peers, folder, &provider),
            other => panic!("there is no gateway '{other}'"),
        };
        match gateway {
            Some(gateway) => {
                let rate = runtime.block_on(measure(name, gateway, began, &mut floors));
                rates.extend(rate.map(|rate| (name, rate)));
            }
            None => println!("{name}: is not installed in {}", peers.display()),
        }
    }
    let own = rates.iter().find(|(name, _)| *name == "timeloom").map(|(_, rate)| *rate);
    for (name, rate) in rates.iter().filter(|(name, _)| !["timeloom", "digests", "direct"].contains(name)) {
        println!("calls of 32 clients, timeloom to {name}: {:.2}", own.unwrap_or(f64::NAN) / rate);
    }
}
