//! What people of a large installation wait for: lists, changes, news, moments of the past, comparisons, searches and replay
//! checks over GraphQL, with so many executions stored as `EXECUTIONS` says (100,000; `make bench-large`: 1,000,000).
//!
//! The executions are made by the program itself the first time and kept in `target/bench-data`. The program is a release build in
//! a process of its own; the clients share its two cores. Each figure stands beside the same request without any work, `{ __typename }`,
//! measured in the same run: the ratio says what the work costs, whatever machine it is.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a bench is told by its environment, and has the machine's clock")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench ends when something is wrong")]

#[expect(dead_code, reason = "medians over rounds are for benches that take turns")]
#[path = "support/client.rs"]
mod client;
#[path = "api/made.rs"]
mod made;
#[path = "api/news.rs"]
mod news;
mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Client, Figure};
use crate::made::Made;
use crate::support::{Server, program};

/// Measured time for a figure of requests that come at the same time.
const WINDOW: Duration = Duration::from_secs(5);
/// Clients at the same time.
const CLIENTS: usize = 8;
/// How often a request is sent that is measured one at a time.
const TIMES: usize = 100;

/// Sends an operation; answers its data.
pub(crate) async fn ask(client: &mut Client, query: &str, variables: Value) -> Value {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let answer = client.post("/graphql", &body).await;
    let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
    assert!(answer["errors"].is_null(), "{answer}");
    answer["data"].clone()
}

/// The same operation from [`CLIENTS`] clients for [`WINDOW`]; `variables` gives those of the request with a number.
async fn together(server: &Server, query: &'static str, variables: fn(usize) -> Value) -> Figure {
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..CLIENTS {
        let address = server.address.clone();
        tasks.spawn(async move {
            let mut client = Client::connect(&address).await;
            let mut latencies_ms = Vec::new();
            while began.elapsed() < WINDOW {
                let asked = Instant::now();
                ask(&mut client, query, variables(number * 1_000_000 + latencies_ms.len())).await;
                latencies_ms.push(asked.elapsed().as_secs_f64() * 1_000.0);
            }
            latencies_ms
        });
    }
    figure(tasks.join_all().await.into_iter().flatten().collect(), WINDOW)
}

/// The same operation [`TIMES`] times, one after the other.
async fn alone(server: &Server, query: &str, variables: impl Fn(usize) -> Value) -> Figure {
    let mut client = Client::connect(&server.address).await;
    ask(&mut client, query, variables(0)).await;
    let (began, mut latencies_ms) = (Instant::now(), Vec::new());
    for number in 0..TIMES {
        let asked = Instant::now();
        ask(&mut client, query, variables(number)).await;
        latencies_ms.push(asked.elapsed().as_secs_f64() * 1_000.0);
    }
    figure(latencies_ms, began.elapsed())
}

fn figure(mut latencies_ms: Vec<f64>, took: Duration) -> Figure {
    latencies_ms.sort_by(f64::total_cmp);
    Figure { per_second: latencies_ms.len() as f64 / took.as_secs_f64(), latencies_ms }
}

fn tell(what: &str, aim: &str, measured: &Figure, nothing: &Figure) {
    println!(
        "{what:<62} p50 {:>8.2} ms  p99 {:>8.2} ms  {:>7.0} /s   {:>6.1} x nothing   aim {aim}",
        measured.percentile(0.5),
        measured.percentile(0.99),
        measured.per_second,
        measured.percentile(0.5) / nothing.percentile(0.5),
    );
}

async fn lists_and_changes(server: &Server) {
    let nothing = together(server, "{ __typename }", |_| Value::Null).await;
    tell("nothing, 8 clients", "", &nothing, &nothing);
    let list = "{ executions(first: 20) { nodes { id status startedAt workflow { name } } pageInfo { endCursor } } }";
    tell("a page of 20 executions, 8 clients", "p99 10 ms", &together(server, list, |_| Value::Null).await, &nothing);
    let failed = "{ executions(first: 20, status: FAILED) { nodes { id errorMessage } } }";
    tell("of those that failed, 8 clients", "p99 10 ms", &together(server, failed, |_| Value::Null).await, &nothing);
    let register = "mutation($input: RegisterInput!) { registerPlugin(input: $input) { position errors { message } } }";
    let name = |number: usize| json!({ "input": { "name": format!("bench/p{number}-{}", std::process::id()) } });
    tell("a change, on the disk, 8 clients", "p99 20 ms", &together(server, register, name).await, &nothing);
}

async fn past_and_texts(server: &Server, made: &Made) {
    let nothing = alone(server, "{ __typename }", |_| Value::Null).await;
    tell("nothing, one client", "", &nothing, &nothing);
    let part = "query($id: ID!, $at: Int!, $path: String!) { stateAt(entity: { kind: EXECUTION, id: $id }, asOf: { revision: $at }) { status part(path: $path) } }";
    let at = |number: usize| {
        let at = 1 + (number * 7_919) % (made.long_events - 1);
        json!({ "id": made.long[0], "at": at, "path": format!("/node_runs/{}", at.saturating_sub(10)) })
    };
    tell("a node run of it as of any moment", "p99 10 ms", &alone(server, part, at).await, &nothing);
    let whole = "query($id: ID!, $at: Int!) { stateAt(entity: { kind: EXECUTION, id: $id }, asOf: { revision: $at }) { state } }";
    tell("all of it as of any moment, as JSON", "", &alone(server, whole, at).await, &nothing);
    let step = "query($id: ID!, $at: Int!, $to: Int!) { stateDiff(entity: { kind: EXECUTION, id: $id }, from: { revision: $at }, to: { revision: $to }) { changes { path } } }";
    let to = |number: usize| {
        let mut step = at(number);
        step["to"] = json!(step["at"].as_u64().unwrap() + 1);
        step
    };
    tell("what one event of it changed", "p99 10 ms", &alone(server, step, to).await, &nothing);
    let compare = "query($left: UUID!, $right: UUID!) { compareExecutions(left: $left, right: $right) { same cause { reason } firstDivergence { node } } }";
    let both = |_| json!({ "left": made.wide[0], "right": made.wide[1] });
    tell("two executions of 500 nodes side by side", "150 ms", &alone(server, compare, both).await, &nothing);
    let search =
        "query($text: String!) { searchPayloads(query: $text, first: 20) { extent { complete } nodes { position } } }";
    let texts: [(&str, &dyn Fn(usize) -> String); 4] = [
        ("payloads with a text that one execution in 50,000 has", &|number| format!("needle-{}", number % 10)),
        ("the same with a number that few items have", &|number| format!("\"n\":{}", 50_000 + number)),
        ("the same with a text that none has", &|number| format!("nothing like {number}")),
        ("the same with a text that most have", &|_| "about two hundred bytes".to_owned()),
    ];
    for (what, text) in texts {
        tell(what, "200 ms", &alone(server, search, |number| json!({ "text": text(number) })).await, &nothing);
    }
}

/// Moments of executions that nobody has looked at since the program was started.
async fn moments(server: &Server, made: &Made) {
    let mut client = Client::connect(&server.address).await;
    let nothing = alone(server, "{ __typename }", |_| Value::Null).await;
    let how = "query($id: ID!) { stateAt(entity: { kind: EXECUTION, id: $id }) { status lastEventType } }";
    let part =
        "query($id: ID!) { stateAt(entity: { kind: EXECUTION, id: $id }) { status part(path: \"/node_runs/1000\") } }";
    let (first, second) = made.long[1..].split_at(made.long.len() / 2);
    for (what, query, ids) in [("", how, first), (", and a node run of it", part, second)] {
        let (began, mut latencies_ms) = (Instant::now(), Vec::new());
        for id in ids {
            let asked = Instant::now();
            ask(&mut client, query, json!({ "id": id })).await;
            latencies_ms.push(asked.elapsed().as_secs_f64() * 1_000.0);
        }
        let what = format!("an execution of {} events, looked at for the first time{what}", made.long_events);
        tell(&what, "p99 10 ms", &figure(latencies_ms, began.elapsed()), &nothing);
    }
}

/// How long it takes to run the last thousand executions of a workflow again.
async fn replay_check(server: &Server, made: &Made) {
    let mut client = Client::connect(&server.address).await;
    let start = "mutation($input: StartReplayCheckInput!) { startReplayCheck(input: $input) { replayCheck { summary status } errors { message } } }";
    let input = json!({ "workflowId": made.workflow, "last": 1_000, "timeoutMs": 120_000 });
    let began = Instant::now();
    let answer = ask(&mut client, start, json!({ "input": input })).await;
    println!(
        "{:<62} {:.1} s   aim 10 s   {}",
        "a replay check of 1,000 executions",
        began.elapsed().as_secs_f64(),
        answer["startReplayCheck"]
    );
}

fn main() {
    let program = program();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (server, made) = made::open(&program).await;
        println!("{} executions, {} events:", made.executions, made.events);
        moments(&server, &made).await;
        lists_and_changes(&server).await;
        past_and_texts(&server, &made).await;
        replay_check(&server, &made).await;
        news::measure(&server).await;
    });
}
