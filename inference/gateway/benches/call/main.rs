//! What a call costs the thread that makes it: by the gateway, with all that it does on the way, and by a bare client that
//! reads both bodies and passes them on, which is the least that anything in between does. In turns, over one upstream in
//! a thread of its own whose cost is not counted, so that the ratios are of one run.
//!
//! `cargo bench -p timeloom-gateway --bench call [-- <calls of a turn> [<turns>]]`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench stops at anything and prints what it measured")]

mod upstream;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use timeloom_gateway::cost::Prices;
use timeloom_gateway::facts::Told;
use timeloom_gateway::limits::{Holder, HolderKind, Limit, Limits, Most};
use timeloom_gateway::openai::{ChatBody, Dialect, decode_request};
use timeloom_gateway::ports::{Chance, Clock, Place, PlaceError, Places};
use timeloom_gateway::provider::{Protocol, Provider, ProviderConfig};
use timeloom_gateway::route::{Balance, RouteConfig, Target, Tier};
use timeloom_gateway::upstream::{Prompt, Upstream};
use timeloom_gateway::{Ask, Gateway, Reply, Setup};
use url::Url;

/// Calls of a turn when nothing else is said.
const CALLS: usize = 2_000;
/// Turns of each way when nothing else is said.
const TURNS: usize = 15;
/// Calls under way at once.
const AT_ONCE: usize = 32;
/// How many times fewer calls a turn of streams is of: each has fifty chunks.
const STREAM_SHARE: usize = 10;

const REQUEST: &str = r#"{"model":"chat","messages":[{"role":"system","content":"You answer in few words."},{"role":"user","content":"What is the capital of the country whose flag is white with a red disc?"}],"temperature":0.2,"max_tokens":200}"#;
const STREAM_REQUEST: &str = r#"{"model":"chat","stream":true,"messages":[{"role":"system","content":"You answer in few words."},{"role":"user","content":"What is the capital of the country whose flag is white with a red disc?"}],"temperature":0.2,"max_tokens":200}"#;

struct Ticking(Instant);

impl Clock for Ticking {
    fn now_ms(&self) -> i64 {
        1_700_000_000_000 + self.0.elapsed().as_millis() as i64
    }

    fn monotonic_us(&self) -> u64 {
        self.0.elapsed().as_micros() as u64
    }
}

struct Counted(AtomicU64);

impl Chance for Counted {
    fn draw(&self) -> u64 {
        timeloom_domain::chance::mixed(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

struct At(Url);

impl Places for At {
    fn place<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Place, PlaceError>> {
        std::future::ready(Ok(Place::new(&self.0, None))).boxed()
    }
}

/// A gateway with two targets to choose from, a limit of each kind and prices: what a real one has.
fn gateway(url: &str) -> Gateway {
    let clock: Arc<dyn Clock> = Arc::new(Ticking(Instant::now()));
    let kind = HolderKind::Tenant;
    let money = Most::Money { amount: timeloom_gateway::cost::Money(u64::MAX), window_ms: 86_400_000 };
    let most = [Most::RequestsPerMinute(u64::MAX), Most::TokensPerMinute(u64::MAX), Most::CallsAtOnce(u64::MAX), money];
    let limits = Limits::try_new(most.map(|most| Limit { kind, id: None, most }).to_vec()).unwrap();
    let names = ["a", "b"];
    let places: Arc<dyn Places> = Arc::new(At(Url::parse(url).unwrap()));
    let provider = |name: &str| {
        let config = ProviderConfig::new(name, Protocol::OpenAi(Dialect::default()));
        Arc::new(Provider::try_new(config, Arc::clone(&places), Arc::clone(&clock)).unwrap()) as Arc<dyn Upstream>
    };
    let providers: BTreeMap<String, Arc<dyn Upstream>> =
        names.iter().map(|name| ((*name).to_owned(), provider(name))).collect();
    let target = |name: &str| Target { provider: name.to_owned(), model: "gpt".to_owned(), weight: 1 };
    let targets = names.iter().map(|name| target(name)).collect();
    let routes = vec![RouteConfig::new("chat", vec![Tier { balance: Balance::Load, targets }])];
    let row = |name: &str| format!(r#"{{"provider":"{name}","model":"gpt","input":"1","output":"2"}}"#);
    let prices = format!(r#"{{"currency":"USD","models":[{},{}]}}"#, row("a"), row("b"));
    let gateway = Gateway::new(limits, 1 << 20, clock, Arc::new(Counted(AtomicU64::new(0))));
    gateway.configure(Setup { providers, routes, prices: Prices::parse(&prices).unwrap() }).unwrap();
    gateway
}

fn ask(prompt: Prompt) -> Ask {
    Ask {
        call_id: "call".to_owned(),
        prompt,
        route: None,
        holders: vec![Holder::new(HolderKind::Tenant, "acme")],
        key: None,
        cache: None,
        sink: Arc::new(Told::default()),
    }
}

async fn through_gateway(gateway: &Gateway, prompt: Prompt) -> usize {
    match gateway.chat(ask(prompt)).await.unwrap() {
        Reply::Whole(answered) => answered.openai_body("id", 0).len(),
        Reply::Stream(pieces) => {
            pieces.fold(0, async |sum, piece| sum + piece.unwrap().raw.map_or(0, |raw| raw.len())).await
        }
    }
}

fn body(request: &'static str) -> Prompt {
    Prompt::body(ChatBody::new(Bytes::from_static(request.as_bytes())).unwrap())
}

fn words(request: &str) -> Prompt {
    Prompt::words(decode_request(serde_json::from_str(request).unwrap()).unwrap())
}

type Bare = Client<HttpConnector, Full<Bytes>>;

/// What a proxy does at least: reads what is asked, and passes on what comes, which it has read if it came as a whole.
async fn bare(client: &Bare, url: &str, request: &'static str) -> usize {
    let asked: Value = serde_json::from_str(request).unwrap();
    let is_stream = asked["stream"] == true;
    let request = hyper::Request::post(format!("{url}/chat/completions"))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(request.as_bytes())))
        .unwrap();
    let mut answer = client.request(request).await.unwrap();
    if is_stream {
        let mut sum = 0;
        while let Some(frame) = answer.body_mut().frame().await {
            sum += frame.unwrap().into_data().map_or(0, |chunk| chunk.len());
        }
        return sum;
    }
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    let answer: Value = serde_json::from_slice(&bytes).unwrap();
    assert!(answer["usage"]["total_tokens"].is_number());
    bytes.len()
}

/// Microseconds of the processor that this thread has taken.
fn processor_us() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1_000.0
}

/// Microseconds of the processor for each of `calls` calls.
async fn turn<F: Future<Output = usize>>(calls: usize, make: impl Fn() -> F) -> f64 {
    let began = processor_us();
    let bytes: usize =
        stream::iter(0..calls).map(|_| make()).buffer_unordered(AT_ONCE).fold(0, async |sum, bytes| sum + bytes).await;
    assert!(bytes > calls);
    (processor_us() - began) / calls as f64
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

async fn measure(url: &str, calls: usize, turns: usize) {
    let gateway = gateway(url);
    let client: Bare = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let streams = (calls / STREAM_SHARE).max(1);
    let mut samples: [Vec<f64>; 5] = Default::default();
    for round in 0..=turns {
        let measured = [
            turn(calls, || bare(&client, url, REQUEST)).await,
            turn(calls, || through_gateway(&gateway, body(REQUEST))).await,
            turn(calls, || through_gateway(&gateway, words(REQUEST))).await,
            turn(streams, || bare(&client, url, STREAM_REQUEST)).await,
            turn(streams, || through_gateway(&gateway, body(STREAM_REQUEST))).await,
        ];
        // The first turn opens the connections.
        if round > 0 {
            samples.iter_mut().zip(measured).for_each(|(samples, sample)| samples.push(sample));
        }
    }
    let [bare_whole, passed, written, bare_stream, streamed] = samples.map(median);
    println!("{AT_ONCE} calls at once, {calls} calls a turn, median of {turns} turns, processor of the calling thread");
    println!("a call, bare                       {bare_whole:8.1} us");
    println!("a call, gateway, body passed on    {passed:8.1} us   {:.2} times bare", passed / bare_whole);
    println!("a call, gateway, in our words      {written:8.1} us   {:.2} times bare", written / bare_whole);
    println!("a stream of {} chunks, bare         {bare_stream:8.1} us", upstream::CHUNKS);
    println!(
        "a stream of {} chunks, gateway      {streamed:8.1} us   {:.2} times bare",
        upstream::CHUNKS,
        streamed / bare_stream
    );
    println!("added for each chunk               {:8.2} us", (streamed - bare_stream) / upstream::CHUNKS as f64);
}

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let calls = numbers.first().copied().unwrap_or(CALLS);
    let turns = numbers.get(1).copied().unwrap_or(TURNS);
    let upstream = upstream::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(measure(&upstream.url, calls, turns));
}
