//! From events to spans at a collector: the tree, what is sent again, and what happens to what is not taken.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use timeloom_domain::ids::{Actor, CommandId, EventId, ExecutionId, TenantId};
use timeloom_domain::trace::{ExecutionTrace, Sampling, SpanId};
use timeloom_monitor::{Collector, Metrics, NotSent, Seen, Service, Traces, TracesParts};
use timeloom_projections::ReadModels;
use timeloom_store::leases::{AllShards, Roles, WorkerId};
use timeloom_store::mark::Mark;
use timeloom_store::{
    Append, Clock, EventLog, Expected, Leases, LogError, MemoryLog, Metadata, NewEvent, RequestFacts, StreamKey,
    SystemClock,
};
use tokio::sync::watch;
use uuid::Uuid;

const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const PATIENCE: Duration = Duration::from_secs(30);

/// A collector that answers as it is told, and takes everything otherwise.
#[derive(Default)]
struct Told {
    spans: watch::Sender<Vec<Span>>,
    asked: watch::Sender<u32>,
    answers: Mutex<Vec<Result<Bytes, NotSent>>>,
}

#[async_trait]
impl Collector for Told {
    async fn send(&self, batch: Bytes) -> Result<Bytes, NotSent> {
        self.asked.send_modify(|asked| *asked += 1);
        let answer = self.answers.lock().unwrap().pop().unwrap_or_else(|| Ok(Bytes::new()));
        if answer.is_ok() {
            let request = ExportTraceServiceRequest::decode(batch).unwrap();
            let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
            self.spans.send_modify(|spans| spans.extend(scopes.flat_map(|scope| scope.spans)));
        }
        answer
    }
}

#[derive(Default)]
struct Remembered(watch::Sender<Option<u64>>);

#[async_trait]
impl Mark for Remembered {
    async fn load(&self) -> Result<Option<u64>, LogError> {
        Ok(*self.0.borrow())
    }

    async fn save(&self, number: u64) -> Result<(), LogError> {
        self.0.send_replace(Some(number));
        Ok(())
    }
}

/// A log whose traces go to a collector.
struct World {
    log: Arc<MemoryLog>,
    collector: Arc<Told>,
    mark: Arc<Remembered>,
    metrics: Arc<Metrics>,
    read_models: Arc<ReadModels>,
    leases: Arc<AllShards>,
    sampling: Sampling,
    commands: Mutex<u128>,
    _folder: tempfile::TempDir,
}

impl World {
    fn new(sampling: Sampling) -> Self {
        let (log, folder) = (MemoryLog::new(Arc::new(SystemClock)), tempfile::tempdir().unwrap());
        let read_models = ReadModels::open(folder.path(), Arc::clone(&log) as Arc<dyn EventLog>).unwrap();
        read_models.start().unwrap();
        let leases = AllShards::new(WorkerId(Uuid::from_u128(9)), Roles::all(), Arc::new(SystemClock));
        let mark = Remembered(watch::Sender::new(Some(0)));
        Self {
            log,
            collector: Arc::default(),
            mark: Arc::new(mark),
            metrics: Arc::default(),
            read_models,
            leases: Arc::new(leases),
            sampling,
            commands: Mutex::new(0),
            _folder: folder,
        }
    }

    fn traces(&self) -> Traces {
        Traces::new(TracesParts {
            log: Arc::clone(&self.log) as Arc<dyn EventLog>,
            leases: Arc::clone(&self.leases) as Arc<dyn Leases>,
            read_models: Arc::clone(&self.read_models),
            clock: Arc::new(SystemClock),
            workflow_name: Arc::new(|_, _| Some("Orders".to_owned())),
            collector: Arc::clone(&self.collector) as Arc<dyn Collector>,
            mark: Arc::clone(&self.mark) as Arc<dyn Mark>,
            service: Service { name: "timeloom".to_owned(), instance: "one".to_owned() },
            sampling: self.sampling,
            metrics: Arc::clone(&self.metrics),
        })
    }

    /// Follows the whole log to its end, and stops; answers what was sent but for projections.
    async fn all(&self) -> Vec<Span> {
        let traces = self.traces();
        traces.start(true);
        self.marked().await;
        traces.stop().await;
        let spans = self.collector.spans.send_replace(Vec::new());
        spans.into_iter().filter(|span| span.name != "projection").collect()
    }

    /// Waits until the mark is at the end of the log.
    async fn marked(&self) {
        let (head, mut mark) = (self.log.head().0, self.mark.0.subscribe());
        tokio::time::timeout(PATIENCE, mark.wait_for(|mark| *mark == Some(head))).await.unwrap().unwrap();
    }

    async fn append(&self, id: ExecutionId, request: Option<RequestFacts>, events: &[(&str, Value)]) {
        let command = {
            let mut commands = self.commands.lock().unwrap();
            *commands += 1;
            CommandId(Uuid::from_u128(*commands))
        };
        let metadata = Arc::new(Metadata {
            request: request.map(Arc::new),
            ..Metadata::new(Actor::System("engine".to_owned()), command)
        });
        let event = |(index, (event_type, payload)): (usize, &(&str, Value))| NewEvent {
            id: EventId(Uuid::from_u128(command.0.as_u128() * 1_000 + index as u128)),
            event_type: (*event_type).into(),
            event_version: 1,
            payload: Arc::from(RawValue::from_string(payload.to_string()).unwrap()),
            metadata: Arc::clone(&metadata),
        };
        let stream = StreamKey::new(TenantId(3), "execution", id.to_string());
        let events = events.iter().enumerate().map(event).collect();
        self.log.append(Append::new(stream, Expected::Any, events, command)).await.unwrap();
    }

    fn counted(&self, series: &str) -> u64 {
        let text = self.metrics.text(&Seen { head: self.log.head(), projections: &[] }).unwrap();
        let line = text.lines().find(|line| line.starts_with(series));
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }
}

fn execution(number: u128) -> ExecutionId {
    ExecutionId(Uuid::from_u128(0x0192_a1b2_0000_7000_8000_0000_0000_0000 + number))
}

/// Milliseconds of this test's day.
fn now_ms() -> i64 {
    SystemClock.now().timestamp_millis() - 60_000
}

fn start(at_ms: i64) -> Value {
    json!({ "workflow_id": Uuid::from_u128(5), "workflow_revision": 1, "mode": "production", "start_node": "Start",
        "items": [{ "json": { "secret": "canary" } }], "seed": 1, "at_ms": at_ms,
        "trigger": { "kind": "schedule", "due_at_ms": at_ms } })
}

fn run(node: &str, execution_index: usize) -> Value {
    json!({ "node": node, "run_index": 0, "execution_index": execution_index, "sources": [null] })
}

fn completed(node: &str, execution_index: usize, started_at_ms: i64, duration_us: u64) -> (&'static str, Value) {
    let outputs = json!([[{ "json": { "secret": "canary" } }, { "json": {} }], []]);
    (
        "NodeCompleted",
        json!({ "run": run(node, execution_index), "started_at_ms": started_at_ms,
        "duration_us": duration_us, "outputs": outputs }),
    )
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found: Vec<&Span> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "spans that are named {name}: {spans:#?}");
    found[0]
}

fn attributes(span: &Span) -> BTreeMap<&str, String> {
    let text = |value: &Option<_>| format!("{:?}", value.clone());
    span.attributes.iter().map(|pair| (&*pair.key, text(&pair.value))).collect()
}

fn events(span: &Span) -> Vec<&str> {
    span.events.iter().map(|event| &*event.name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_runs_span_has_all_its_attempts_in_it() {
    let (world, id, at) = (World::new(Sampling::ALL), execution(1), now_ms());
    let error = json!({ "name": "NodeApiError", "message": "the server said 503" });
    world.append(id, None, &[("ExecutionStarted", start(at))]).await;
    world
        .append(id, None, &[
            completed("Start", 0, at, 10),
            ("NodeStarted", json!({ "run": run("Ask", 1), "attempt": 1, "idempotency_key": "k", "at_ms": at + 100 })),
            ("NodeRetried", json!({ "run": run("Ask", 1), "attempt": 1, "error": error, "retry_at_ms": at + 900 })),
            ("NodeStarted", json!({ "run": run("Ask", 1), "attempt": 2, "idempotency_key": "k", "at_ms": at + 1_000 })),
            ("NodeFailed", json!({ "run": run("Ask", 1), "started_at_ms": at + 1_000, "duration_us": 500_700, "error": error })),
            ("ExecutionFailed", json!({ "node": "Ask", "error": error, "at_ms": at + 1_500 })),
        ])
        .await;
    let spans = world.all().await;
    assert_eq!(spans.len(), 3, "{spans:#?}");
    let (ask, whole) = (named(&spans, "Ask"), named(&spans, "execution Orders"));
    let ms = |at_ms: i64| u64::try_from(at_ms).unwrap() * 1_000_000;
    assert_eq!((ask.start_time_unix_nano, ask.end_time_unix_nano), (ms(at + 100), ms(at + 1_500) + 700_000));
    assert_eq!(events(ask), ["NodeRetried", "NodeStarted"]);
    assert!(attributes(ask)["timeloom.node.attempts"].contains("IntValue(2)"));
    assert_eq!(ask.status.as_ref().unwrap().message, "the server said 503");
    assert_eq!(whole.start_time_unix_nano, ms(at));
    assert_eq!(whole.end_time_unix_nano, ask.end_time_unix_nano, "no node run ends after the whole");
    assert!(attributes(named(&spans, "Start"))["timeloom.node.items"].contains("IntValue(2)"));
    let trace = ExecutionTrace::of(id, None);
    assert_eq!((&whole.trace_id[..], &whole.span_id[..]), (&trace.trace().bytes()[..], &trace.span().bytes()[..]));
    assert!(whole.parent_span_id.is_empty());
    assert_eq!((&ask.span_id[..], &ask.parent_span_id), (&trace.node_run(1).bytes()[..], &whole.span_id));
    assert!(!format!("{spans:?}").contains("canary"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_runs_span_has_its_wait_in_it_and_the_whole_tells_of_it() {
    let (world, id, before) = (World::new(Sampling::ALL), execution(1), SystemClock.now().timestamp_millis());
    let waiting = ("ExecutionWaiting", json!({ "node": "Wait", "run": run("Wait", 0) }));
    world.append(id, None, &[("ExecutionStarted", start(before)), waiting]).await;
    let after = SystemClock.now().timestamp_millis() + 5_000;
    let resumed = ("ExecutionResumed", json!({ "node": "Wait", "cause": "request" }));
    let end = ("ExecutionCompleted", json!({ "at_ms": after }));
    world.append(id, None, &[resumed, completed("Wait", 0, after, 40), end]).await;
    let spans = world.all().await;
    let (wait, whole) = (named(&spans, "Wait"), named(&spans, "execution Orders"));
    let ms = |at_ms: i64| u64::try_from(at_ms).unwrap() * 1_000_000;
    assert!((ms(before)..=ms(after - 5_000)).contains(&wait.start_time_unix_nano), "from when it began to wait");
    assert_eq!(wait.end_time_unix_nano, ms(after) + 40_000);
    assert_eq!(events(whole), ["ExecutionWaiting", "ExecutionResumed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_execution_of_several_streams_is_one_span_whoever_has_seen_how_much_of_it() {
    let (first, next, at) = (execution(1), execution(2), now_ms());
    let within = || Some(RequestFacts { traceparent: Some(CALLER.to_owned()), ..RequestFacts::default() });
    let world = World::new(Sampling::try_new(0.0).unwrap());
    world.append(first, within(), &[("ExecutionStarted", start(at))]).await;
    world.append(first, None, &[completed("Start", 0, at, 10)]).await;
    let begun = world.all().await;
    assert_eq!(begun.len(), 1, "{begun:#?}");
    world.append(first, None, &[("ExecutionContinuedAsNew", json!({ "next": next, "at_ms": at + 5 }))]).await;
    let continued = json!({ "previous": first, "root": first, "link": 1, "start": start(at), "earlier_runs": 1,
        "run_counts": {}, "due": [], "at_ms": at + 5 });
    world.append(next, within(), &[("ExecutionContinued", continued)]).await;
    world
        .append(next, None, &[completed("Last", 1, at + 6, 10), ("ExecutionCompleted", json!({ "at_ms": at + 7 }))])
        .await;
    let after_a_start = world.all().await;
    world.mark.0.send_replace(Some(0));
    let all = world.all().await;
    let trace = ExecutionTrace::of(first, Some(CALLER));
    for spans in [&after_a_start, &all] {
        let whole = named(spans, "execution Orders");
        assert_eq!((&whole.trace_id[..], &whole.span_id[..]), (&trace.trace().bytes()[..], &trace.span().bytes()[..]));
        assert_eq!(whole.parent_span_id, trace.parent().unwrap().bytes());
        assert_eq!(whole.start_time_unix_nano, u64::try_from(at).unwrap() * 1_000_000);
        assert_eq!(named(spans, "Last").parent_span_id, whole.span_id);
        assert_eq!(named(spans, "Last").span_id, trace.node_run(1).bytes());
    }
    assert_eq!(events(named(&all, "execution Orders")), ["ExecutionContinuedAsNew"]);
    assert!(attributes(named(&all, "execution Orders"))["timeloom.execution.node_runs"].contains("IntValue(2)"));
    assert_eq!(named(&all, "Start"), named(&begun, "Start"), "sent again, it is the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_is_a_trace_of_its_own_with_a_link_to_the_whole_from_a_part_of_which_it_goes_on() {
    let (world, at) = (World::new(Sampling::ALL), now_ms());
    let (root, link, fork) = (execution(1), execution(2), execution(3));
    let within = || Some(RequestFacts { traceparent: Some(CALLER.to_owned()), ..RequestFacts::default() });
    let continued = json!({ "previous": root, "root": root, "link": 1, "start": start(at), "earlier_runs": 1,
        "run_counts": {}, "due": [], "at_ms": at });
    world.append(link, within(), &[("ExecutionContinued", continued)]).await;
    let forked = json!({ "of": link, "origin": root, "revision": 1, "position": 1, "reason": "canary",
        "start": start(at), "earlier_runs": 1, "effects": { "policy": "stub" } });
    let stubbed = ("NodeStubbed", json!({ "run": run("Ask", 1), "of": link, "revision": 9 }));
    let end = ("ExecutionCancelled", json!({ "reason": "canary" }));
    world.append(fork, None, &[("ExecutionForked", forked), stubbed, completed("Ask", 1, at, 7), end]).await;
    let spans = world.all().await;
    let (whole, of) = (named(&spans, "execution Orders"), ExecutionTrace::of(root, Some(CALLER)));
    assert_eq!(whole.trace_id, ExecutionTrace::of(fork, None).trace().bytes());
    let [to] = &whole.links[..] else { unreachable!("{whole:#?}") };
    assert_eq!((&to.trace_id[..], &to.span_id[..]), (&of.trace().bytes()[..], &of.span().bytes()[..]));
    assert!(attributes(whole)["timeloom.execution.status"].contains("cancelled") && whole.status.is_none());
    assert!(attributes(named(&spans, "Ask"))["timeloom.node.stubbed"].contains("true"));
    assert!(!format!("{spans:?}").contains("canary"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_leads_to_its_command_and_to_the_rows_that_show_it() {
    let (world, at) = (World::new(Sampling::ALL), now_ms());
    let traces = world.traces();
    let tracer = traces.tracer();
    let request = tracer.begin(CALLER.parse().ok(), Uuid::from_u128(77));
    assert_eq!(request.own.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    traces.start(true);
    // Rows are told of for what happens now alone, not for history.
    world.append(execution(7), None, &[("ExecutionStarted", start(at))]).await;
    world.marked().await;
    let facts = RequestFacts {
        request_id: Some("r-1".to_owned()),
        traceparent: Some(request.own.to_string()),
        ..RequestFacts::default()
    };
    world.append(execution(1), Some(facts), &[("ExecutionStarted", start(at)), completed("Start", 0, at, 5)]).await;
    let mut sent = world.collector.spans.subscribe();
    let has_rows = |spans: &Vec<Span>| spans.iter().any(|span| span.name == "projection");
    let spans = tokio::time::timeout(PATIENCE, sent.wait_for(has_rows)).await.unwrap().unwrap().clone();
    let (command, projection) = (named(&spans, "command execution"), named(&spans, "projection"));
    assert_eq!(command.parent_span_id, request.own.span.bytes());
    assert_eq!(events(command), ["ExecutionStarted", "NodeCompleted"]);
    assert!(attributes(command)["timeloom.request.id"].contains("r-1"));
    assert_eq!((&projection.parent_span_id, &projection.trace_id), (&command.span_id, &command.trace_id));
    assert!(projection.status.is_none() && projection.start_time_unix_nano == command.end_time_unix_nano);
    traces.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_all_traces_a_share_is_sent_and_callers_decide_about_theirs() {
    let (world, at) = (World::new(Sampling::try_new(0.0).unwrap()), now_ms());
    let end = || ("ExecutionCompleted", json!({ "at_ms": at }));
    let within = |text: String| Some(RequestFacts { traceparent: Some(text), ..RequestFacts::default() });
    world.append(execution(1), None, &[("ExecutionStarted", start(at)), end()]).await;
    world.append(execution(2), within(CALLER.to_owned()), &[("ExecutionStarted", start(at)), end()]).await;
    world.append(execution(3), within(CALLER.replace("-01", "-00")), &[("ExecutionStarted", start(at)), end()]).await;
    let spans = world.all().await;
    let ids: Vec<Vec<u8>> = spans.into_iter().map(|span| span.span_id).collect();
    assert_eq!(ids, [SpanId::of(execution(2).0, 0).bytes().to_vec()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_collector_does_not_take_is_tried_again_or_dropped_as_it_says_and_counted() {
    let (world, at) = (World::new(Sampling::ALL), now_ms());
    let later = || Err(NotSent::Later { message: "not now".to_owned(), after: Some(Duration::ZERO) });
    let partial = ExportTracePartialSuccess { rejected_spans: 1, error_message: "too old".to_owned() };
    let partial = ExportTraceServiceResponse { partial_success: Some(partial) };
    let refused = Err(NotSent::Refused { message: "who are you".to_owned() });
    let ended = async |number| {
        let end = ("ExecutionCompleted", json!({ "at_ms": at }));
        world
            .append(execution(number), None, &[("ExecutionStarted", start(at)), completed("Start", 0, at, 1), end])
            .await;
    };
    let asked = || *world.collector.asked.borrow();

    // Answers are taken from the end.
    *world.collector.answers.lock().unwrap() = vec![Ok(partial.encode_to_vec().into()), later(), later()];
    ended(1).await;
    world.all().await;
    assert_eq!((asked(), world.counted("timeloom_trace_spans_sent_total")), (3, 1));
    assert_eq!(world.counted("timeloom_trace_spans_dropped_total{reason=\"not_taken\"}"), 1);

    *world.collector.answers.lock().unwrap() = vec![refused];
    ended(2).await;
    world.all().await;
    assert_eq!(
        (asked(), world.counted("timeloom_trace_spans_sent_total")),
        (4, 1),
        "what is refused is not sent again"
    );
    assert_eq!(world.counted("timeloom_trace_spans_dropped_total{reason=\"not_taken\"}"), 3);

    *world.collector.answers.lock().unwrap() = vec![later(), later(), later()];
    ended(3).await;
    world.all().await;
    assert_eq!(asked(), 7);
    assert_eq!(world.counted("timeloom_trace_spans_dropped_total{reason=\"not_taken\"}"), 5);
    ended(4).await;
    assert_eq!(world.all().await.len(), 2, "it goes on when the collector is back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_tells_of_a_request_never_waits_and_what_has_no_room_is_counted() {
    let world = World::new(Sampling::ALL);
    let traces = world.traces();
    let tracer = traces.tracer();
    let answered = timeloom_monitor::Answered {
        route: Some("/graphql"),
        method: Some("POST"),
        status: 200,
        request_id: "r",
        took: Duration::from_millis(3),
        operation: None,
    };
    // Nobody sends yet.
    for number in 0..10_000 {
        tracer.answered(&tracer.begin(None, Uuid::from_u128(number << 64 | number)), &answered);
    }
    let dropped = world.counted("timeloom_trace_spans_dropped_total{reason=\"no_room\"}");
    assert!((1_000..10_000).contains(&dropped), "{dropped}");
    traces.start(false);
    let kept = usize::try_from(10_000 - dropped).unwrap();
    let mut sent = world.collector.spans.subscribe();
    tokio::time::timeout(PATIENCE, sent.wait_for(|spans| spans.len() == kept)).await.unwrap().unwrap();
    traces.stop().await;
}
