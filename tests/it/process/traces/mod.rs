//! Traces, as a collector of OpenTelemetry gets them from the program.

pub(super) mod collector;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use timeloom_postgres_testing::Database;

use self::collector::{Collector, Seen, named};
use super::crash::ended_status;
use super::gate::Gate;
use super::schedules::change;
use super::server::{Server, chain, client, set, verb};
use super::workers::shared_by;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const REQUEST: &str = "POST /webhook/{path:.*}";
const SERVER_KIND: i32 = 2;
/// Longest time that a test waits for a count.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest time of one request to a collector.
const ONE_REQUEST: Duration = Duration::from_secs(10);

/// A workflow that a call of the webhook `path` begins, and that answers when it has ended.
fn called(path: &str, name: &str, nodes: &[Value]) -> Value {
    let mut workflow = chain(name, nodes);
    let first = &mut workflow["nodes"][0];
    (first["type"], first["typeVersion"]) = (json!("n8n-nodes-base.webhook"), json!(2));
    first["parameters"] = json!({ "path": path, "httpMethod": "POST", "responseMode": "lastNode" });
    workflow
}

fn asks(name: &str, url: &str) -> Value {
    json!({
        "name": name, "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2,
        "parameters": { "url": url, "options": {} }
    })
}

fn fails(name: &str, message: &str) -> Value {
    json!({
        "name": name, "type": "n8n-nodes-base.stopAndError", "typeVersion": 1,
        "parameters": { "errorMessage": message }
    })
}

async fn activated(server: &Server, workflow: &Value) -> String {
    let id = server.import(workflow).await;
    change(server, "publishWorkflow", &id).await;
    change(server, "activateWorkflow", &id).await;
    id
}

/// Calls a webhook; answers the status and the `traceresponse`.
async fn call(server: &Server, path: &str, traceparent: Option<&str>) -> (u16, Option<String>) {
    let mut request =
        client().post(format!("{}/webhook/{path}", server.url)).json(&json!({ "in": "canary-of-the-body" }));
    if let Some(traceparent) = traceparent {
        request = request.header("traceparent", traceparent);
    }
    let response = request.send().await.unwrap();
    let told = response.headers().get("traceresponse").map(|told| told.to_str().unwrap().to_owned());
    (response.status().as_u16(), told)
}

/// The sum of a counter in what Prometheus reads.
async fn counted(server: &Server, series: &str) -> u64 {
    let text = client().get(format!("{}/metrics", server.url)).send().await.unwrap().text().await.unwrap();
    let count = |line: &str| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
    text.lines().filter(|line| line.starts_with(series)).map(count).sum()
}

async fn counted_at_least(server: &Server, series: &str, least: u64) {
    let counting = async {
        while counted(server, series).await < least {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, counting).await.unwrap_or_else(|_| panic!("{series} does not come to {least}"));
}

#[track_caller]
fn lies_in(inner: &Seen, outer: &Seen) {
    assert_eq!((&inner.trace, &inner.parent), (&outer.trace, &outer.id), "{} is not in {}", inner.name, outer.name);
    assert!(inner.from >= outer.from, "{} begins before {}", inner.name, outer.name);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_one_tree_under_its_callers_span_and_has_no_payload_in_it() {
    let (folder, collector, echo) = (tempfile::tempdir().unwrap(), Collector::start().await, Collector::start().await);
    let host = echo.url.strip_prefix("http://").unwrap();
    let arguments = ["--allow-private-hosts", host, "--otlp-endpoint", &collector.url];
    let variables =
        [("OTEL_EXPORTER_OTLP_HEADERS", "x-key=canary%20of%20the%20collector"), ("OTEL_SERVICE_NAME", "loom")];
    let server = Server::start_with(folder.path(), &arguments, &variables);
    let nodes = [
        set("Adds", "canary-of-a-parameter", "={{ 41 + 1 }}"),
        asks("Asks", &format!("{}/path-canary?q=query-canary", echo.url)),
    ];
    let workflow = activated(&server, &called("orders", "Order intake", &nodes)).await;
    let (status, told) = call(&server, "orders", Some(CALLER)).await;
    assert_eq!(status, 200);

    let names = [REQUEST, "command execution", "projection", "execution Order intake", "Start", "Adds", "Asks"];
    let spans = collector.trace(TRACE, &names).await;
    let request = named(&spans, REQUEST);
    assert_eq!((&*request.parent, request.kind), ("00f067aa0ba902b7", SERVER_KIND));
    assert_eq!(told.unwrap(), format!("00-{TRACE}-{}-01", request.id));
    assert_eq!(request.attributes["http.response.status_code"], 200);
    assert_eq!(request.attributes["http.route"], "/webhook/{path:.*}");
    assert_eq!(
        (&request.service["service.name"], &request.service["service.version"]),
        (&json!("loom"), &json!("0.1.0"))
    );
    let (command, execution) = (named(&spans, "command execution"), named(&spans, "execution Order intake"));
    lies_in(command, request);
    assert_eq!(command.attributes["timeloom.request.id"], request.attributes["timeloom.request.id"]);
    assert_eq!(command.events, ["ExecutionStarted"]);
    lies_in(execution, request);
    assert_eq!(execution.attributes["timeloom.workflow.id"], *workflow);
    assert_eq!(execution.attributes["timeloom.execution.trigger"], "webhook");
    assert_eq!(execution.attributes["timeloom.execution.status"], "completed");
    assert_eq!((execution.attributes["timeloom.execution.node_runs"].as_i64(), &execution.failed), (Some(3), &None));
    let mut before = execution.from;
    for name in ["Start", "Adds", "Asks"] {
        let run = named(&spans, name);
        lies_in(run, execution);
        assert!(run.from >= before && run.to >= run.from && run.to <= execution.to, "{run:#?}\n{execution:#?}");
        assert_eq!((&run.attributes["timeloom.node.name"], &run.failed), (&json!(name), &None));
        before = run.from;
    }
    for projection in spans.iter().filter(|span| span.name == "projection") {
        assert!([&command.id, &execution.id].contains(&&projection.parent), "{projection:#?}");
        assert!(projection.failed.is_none() && projection.to >= projection.from, "{projection:#?}");
    }
    let asked = echo_asked(&echo);
    assert_eq!(asked, format!("00-{TRACE}-{}-01", named(&spans, "Asks").id), "who is asked is told of the node run");

    for canary in
        ["canary-of-the-body", "canary-of-a-parameter", "path-canary", "query-canary", "canary of the collector"]
    {
        let bodies = collector.bodies();
        assert!(!bodies.windows(canary.len()).any(|part| part == canary.as_bytes()), "{canary} came to the collector");
    }
    let heads = collector.heads();
    let head = heads[0].to_ascii_lowercase();
    assert!(head.starts_with("post /v1/traces ") && head.contains("content-type: application/x-protobuf"), "{head}");
    assert!(head.contains("x-key: canary of the collector"), "{head}");
    counted_at_least(&server, "timeloom_trace_spans_sent_total", spans.len() as u64).await;
    assert_eq!(counted(&server, "timeloom_trace_spans_dropped_total").await, 0);
    server.stop();
}

#[test]
fn what_is_said_wrong_about_the_collector_is_refused_without_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let endpoint = ["--otlp-endpoint", "http://localhost:4318"];
    for (wrong, hint) in [
        (vec!["--otlp-endpoint", "localhost:4318"], "give one such as http://localhost:4318"),
        ([&endpoint[..], &["--otlp-header", "canary-without-a-name"]].concat(), "NAME=VALUE"),
        ([&endpoint[..], &["--otlp-header", "a b=canary"]].concat(), "is no name of a header"),
        ([&endpoint[..], &["--otlp-sample", "150%"]].concat(), "a number from 0 to 1"),
    ] {
        let output = verb(&[&["serve", "--data", data, "--listen", "127.0.0.1:0"], &wrong[..]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(hint), "{wrong:?}: {said}");
        assert!(!said.contains("canary"), "{said}");
    }
}

/// The `traceparent` of the one request that came.
fn echo_asked(echo: &Collector) -> String {
    let heads = echo.heads();
    let [head] = &heads[..] else { panic!("{heads:?}") };
    let told = head.lines().find_map(|line| line.strip_prefix("traceparent: "));
    told.unwrap_or_else(|| panic!("{head}")).to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_sampled_or_says_nothing_that_can_be_read_is_no_part_of_the_callers_trace() {
    let (folder, collector) = (tempfile::tempdir().unwrap(), Collector::start().await);
    let server = Server::start(folder.path(), &["--otlp-endpoint", &collector.url]);
    activated(&server, &called("orders", "Order intake", &[set("Adds", "n", "={{ 1 }}")])).await;
    let not_sampled = CALLER.replace("-01", "-00");
    let (_, told) = call(&server, "orders", Some(&not_sampled)).await;
    assert!(told.unwrap().starts_with(&format!("00-{TRACE}-")), "an answer names the trace all the same");
    for malformed in ["", "00-0-0-00", &CALLER.to_uppercase().replace("4BF9", "4bf9")] {
        let (status, told) = call(&server, "orders", Some(malformed)).await;
        let told = told.unwrap();
        assert!(status == 200 && !told.contains(TRACE), "{malformed}: {told}");
        // Their spans come last: whatever had been sent of the others would be there.
        let trace = told.split('-').nth(1).unwrap();
        collector.trace(trace, &[REQUEST, "execution Order intake", "Adds"]).await;
    }
    let all = collector.until(|_| true).await;
    assert!(all.iter().all(|span| span.trace != TRACE), "{all:#?}");
    for address in ["/healthz", "/readyz", "/metrics"] {
        client().get(format!("{}{address}", server.url)).send().await.unwrap();
    }
    call(&server, "nowhere", Some(CALLER)).await;
    let spans = collector.trace(TRACE, &[REQUEST]).await;
    assert_eq!(named(&spans, REQUEST).attributes["http.response.status_code"], 404);
    let all = collector.until(|_| true).await;
    assert!(!all.iter().any(|span| span.name.contains("/healthz") || span.name.contains("/metrics")), "{all:#?}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_execution_brings_about_is_in_its_trace_and_what_goes_on_from_it_has_a_link() {
    let (folder, collector) = (tempfile::tempdir().unwrap(), Collector::start().await);
    let server = Server::start(folder.path(), &["--otlp-endpoint", &collector.url]);
    let mut child = chain("Child", &[fails("Breaks", "it is broken")]);
    child["nodes"][0]["type"] = json!("n8n-nodes-base.executeWorkflowTrigger");
    child["nodes"][0]["typeVersion"] = json!(1.1);
    child["nodes"][0]["parameters"] = json!({ "inputSource": "passthrough" });
    activated(&server, &child).await;
    let mut handler = chain("Handler", &[set("Notes", "n", "={{ 1 }}")]);
    handler["nodes"][0]["type"] = json!("n8n-nodes-base.errorTrigger");
    let handler = activated(&server, &handler).await;
    let calls = json!({
        "name": "Calls", "type": "n8n-nodes-base.executeWorkflow", "typeVersion": 1.2,
        "parameters": { "workflowId": { "__rl": true, "mode": "list", "value": "Child" }, "options": {} }
    });
    let mut parent = called("parent", "Parent", &[calls]);
    parent["settings"]["errorWorkflow"] = json!(handler);
    activated(&server, &parent).await;
    call(&server, "parent", Some(CALLER)).await;

    let names = ["execution Parent", "execution Child", "execution Handler", "Calls", "Breaks", "Notes"];
    let spans = collector.trace(TRACE, &names).await;
    let (parent, child) = (named(&spans, "execution Parent"), named(&spans, "execution Child"));
    lies_in(named(&spans, "Calls"), parent);
    lies_in(child, named(&spans, "Calls"));
    lies_in(named(&spans, "Breaks"), child);
    lies_in(named(&spans, "execution Handler"), parent);
    assert_eq!(named(&spans, "Breaks").failed.as_deref(), Some("it is broken"));
    assert!(parent.failed.is_some() && child.attributes["timeloom.execution.status"] == "failed", "{parent:#?}");
    assert_eq!(child.attributes["timeloom.execution.trigger"], "sub_workflow");

    let query = "mutation Again($input: RetryExecutionInput!) { retryExecution(input: $input) { executionId errors { message } } }";
    let of = &parent.attributes["timeloom.execution.id"];
    let retried = server.ask(query, json!({ "input": { "executionId": of } })).await["retryExecution"].clone();
    let id = retried["executionId"].as_str().unwrap_or_else(|| panic!("{retried}"));
    let is_retried = |span: &Seen| span.name == "execution Parent" && span.attributes["timeloom.execution.id"] == id;
    let all = collector.until(|seen| seen.iter().any(is_retried)).await;
    let again = all.iter().find(|span| is_retried(span)).unwrap();
    let request = collector.trace(&again.trace, &["POST /graphql"]).await;
    let asked = named(&request, "POST /graphql");
    assert_eq!((&asked.id, &asked.attributes["graphql.operation.type"]), (&again.parent, &json!("mutation")));
    assert_eq!(asked.attributes["graphql.operation.name"], "Again");
    assert_eq!(again.links, [(parent.trace.clone(), parent.id.clone())]);
    assert_ne!(again.trace, parent.trace, "somebody's request began it");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_or_never_answers_holds_up_nothing_and_what_it_missed_is_counted() {
    let (folder, silent) = (tempfile::tempdir().unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
    let away = TcpListener::bind("127.0.0.1:0").map(|listener| address(&listener)).unwrap();
    let server = Server::start(folder.path(), &["--otlp-endpoint", &away]);
    activated(&server, &called("orders", "Order intake", &[set("Adds", "n", "={{ 1 }}")])).await;
    assert_eq!(call(&server, "orders", Some(CALLER)).await.0, 200);
    counted_at_least(&server, "timeloom_trace_spans_dropped_total{reason=\"not_taken\"}", 5).await;
    assert_eq!(call(&server, "orders", Some(CALLER)).await.0, 200);
    assert_eq!(counted(&server, "timeloom_trace_spans_sent_total").await, 0);
    let said = server.stop();
    assert_eq!(said.matches("spans are not taken").count(), 1, "it is told once: {said}");

    let server = Server::start(folder.path(), &["--otlp-endpoint", &address(&silent)]);
    for _ in 0..20 {
        assert_eq!(call(&server, "orders", Some(CALLER)).await.0, 200);
    }
    let began = Instant::now();
    server.stop();
    assert!(began.elapsed() < ONE_REQUEST, "a stop does not wait for the request under way");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_an_execution_is_still_one_trace() {
    let (folder, collector, gate) = (tempfile::tempdir().unwrap(), Collector::start().await, Gate::start().await);
    let arguments = ["--allow-private-hosts", &*gate.host, "--otlp-endpoint", &collector.url];
    let server = Server::start(folder.path(), &arguments);
    let workflow = server.import(&gate.workflow()).await;
    let open = server.start_execution(&workflow, "STARTED").await;
    let execution = open["executionId"].as_str().unwrap();
    gate.asked().await;
    // What comes before the question is with the collector already.
    let first = collector.until(|seen| seen.iter().any(|span| span.name == "First")).await;
    let trace = &named(&first, "First").trace;
    server.kill();
    gate.open();
    let server = Server::start(folder.path(), &arguments);
    assert_eq!(ended_status(&server, execution).await, "COMPLETED");
    let spans = collector.trace(trace, &["execution Asks", "Start", "First", "Ask", "Last"]).await;
    let whole = named(&spans, "execution Asks");
    assert_eq!(whole.attributes["timeloom.execution.id"], execution);
    assert_eq!(whole.attributes["timeloom.execution.node_runs"], 4);
    for name in ["Start", "First", "Ask", "Last"] {
        let ids: BTreeSet<_> =
            spans.iter().filter(|span| span.name == name).map(|span| (&span.id, &span.parent)).collect();
        assert_eq!(ids.len(), 1, "sent again, it is the same span");
        assert_eq!(ids.first().unwrap().1, &whole.id);
    }
    let asked = spans.iter().find(|span| span.name == "Ask").unwrap();
    assert_eq!(asked.attributes["timeloom.node.attempts"], 2, "{asked:#?}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_processes_one_sends_what_the_log_says_and_another_goes_on_after_it() {
    let (database, collector, unused) =
        (Database::create().await, Collector::start().await, tempfile::tempdir().unwrap());
    let arguments = ["--database", database.url(), "--otlp-endpoint", &collector.url];
    let start = || Server::start(&unused.path().join("unused"), &arguments);
    let servers = [start(), start()];
    // While shards move, what was on its way may be sent twice.
    shared_by(2, &servers[0]).await;
    let workflow = servers[0].import(&chain("Shared", &[set("Adds", "n", "={{ 1 }}")])).await;
    let run = async |server: &Server| {
        let started = server.start_execution(&workflow, "COMPLETED").await;
        started["executionId"].as_str().unwrap_or_else(|| panic!("{started}")).to_owned()
    };
    let mut executions = Vec::new();
    for round in 0..10 {
        executions.push(run(&servers[round % 2]).await);
    }
    let whole = |seen: &[Seen], id: &str| {
        let is_whole = |span: &&Seen| span.name == "execution Shared" && span.attributes["timeloom.execution.id"] == id;
        seen.iter().filter(is_whole).cloned().collect::<Vec<_>>()
    };
    let all = collector.until(|seen| executions.iter().all(|id| !whole(seen, id).is_empty())).await;
    let senders: BTreeSet<String> = executions
        .iter()
        .map(|id| match &whole(&all, id)[..] {
            [span] => span.service["service.instance.id"].as_str().unwrap().to_owned(),
            spans => panic!("sent more than once: {spans:#?}"),
        })
        .collect();
    assert_eq!(senders.len(), 1, "one process sends what the log says");

    let workers = servers[0].ask("{ workers { id address } }", json!({})).await["workers"].clone();
    let sender = senders.first().unwrap();
    let worker = workers.as_array().unwrap().iter().find(|worker| worker["id"] == **sender).unwrap().clone();
    let [first, second] = servers;
    let (sends, other) = if worker["address"] == *first.url { (first, second) } else { (second, first) };
    sends.kill();
    let after = run(&other).await;
    let all = collector.until(|seen| !whole(seen, &after).is_empty()).await;
    assert_ne!(whole(&all, &after)[0].service["service.instance.id"], **sender);
    other.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_collector_the_callers_span_is_kept_and_nobody_is_told_of_any() {
    let (folder, echo) = (tempfile::tempdir().unwrap(), Collector::start().await);
    let host = echo.url.strip_prefix("http://").unwrap();
    let server = Server::start(folder.path(), &["--allow-private-hosts", host]);
    activated(&server, &called("orders", "Order intake", &[asks("Asks", &echo.url)])).await;
    assert_eq!(call(&server, "orders", Some(CALLER)).await, (200, None));
    let query = "{ executions(first: 1) { nodes { traceId } } }";
    let traced = async || server.ask(query, json!({})).await["executions"]["nodes"][0]["traceId"].clone();
    while traced().await != TRACE {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let query = "{ events(first: 1, filter: { types: [\"ExecutionStarted\"] }) { nodes { traceparent requestId } } }";
    let event = server.ask(query, json!({})).await["events"]["nodes"][0].clone();
    assert_eq!(event["traceparent"], CALLER);
    assert!(event["requestId"].is_string(), "{event}");
    assert!(!echo.heads()[0].contains("traceparent"), "{:?}", echo.heads());
    server.stop();
}
