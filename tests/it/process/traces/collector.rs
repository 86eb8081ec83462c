//! A collector of OpenTelemetry: it takes what comes by OTLP over HTTP, and tells what it has.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message as _;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Longest time that a test waits for spans.
const PATIENCE: Duration = Duration::from_secs(60);

/// A span as it came.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Seen {
    pub(in super::super) name: String,
    pub(in super::super) trace: String,
    pub(in super::super) id: String,
    /// Empty where there is none.
    pub(in super::super) parent: String,
    pub(in super::super) kind: i32,
    pub(in super::super) from: u64,
    pub(in super::super) to: u64,
    pub(in super::super) attributes: BTreeMap<String, Value>,
    /// The message of a failure.
    pub(in super::super) failed: Option<String>,
    pub(in super::super) events: Vec<String>,
    /// Traces and spans.
    pub(in super::super) links: Vec<(String, String)>,
    /// What is said of who sent it.
    pub(in super::super) service: BTreeMap<String, Value>,
}

/// A running collector.
pub(in super::super) struct Collector {
    pub(in super::super) url: String,
    seen: watch::Receiver<Vec<Seen>>,
    heads: Arc<Mutex<Vec<String>>>,
    bodies: Arc<Mutex<Vec<u8>>>,
    _task: JoinSet<()>,
}

impl Collector {
    pub(in super::super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (told, seen) = watch::channel(Vec::new());
        let (heads, bodies) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<Vec<u8>>>::default());
        let mut task = JoinSet::new();
        let (told, kept) = (Arc::new(told), (Arc::clone(&heads), Arc::clone(&bodies)));
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (told, (heads, bodies)) = (Arc::clone(&told), kept.clone());
                connections.spawn(async move {
                    let mut stream = BufReader::new(stream);
                    while let Some((head, body)) = request(&mut stream).await {
                        let spans = decoded(&body);
                        heads.lock().unwrap().push(head);
                        bodies.lock().unwrap().extend_from_slice(&body);
                        told.send_modify(|seen| seen.extend(spans));
                        let answer =
                            b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
                        if stream.write_all(answer).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, seen, heads, bodies, _task: task }
    }

    /// What it has, as soon as that is enough.
    pub(in super::super) async fn until(&self, is_enough: impl Fn(&[Seen]) -> bool) -> Vec<Seen> {
        let mut seen = self.seen.clone();
        let waited = tokio::time::timeout(PATIENCE, seen.wait_for(|seen| is_enough(seen))).await;
        if let Ok(seen) = waited {
            return seen.unwrap().clone();
        }
        panic!("these spans are not enough: {:#?}", *self.seen.borrow());
    }

    /// What it has, as soon as there is a span of each of these names in a trace.
    pub(in super::super) async fn trace(&self, trace: &str, names: &[&str]) -> Vec<Seen> {
        let of_trace = |seen: &Seen| seen.trace == trace;
        let has = |seen: &[Seen], name: &str| seen.iter().any(|span| of_trace(span) && span.name == name);
        let all = self.until(|seen| names.iter().all(|name| has(seen, name))).await;
        all.into_iter().filter(of_trace).collect()
    }

    /// The heads of all requests.
    pub(in super::super) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// All bytes that came.
    pub(in super::super) fn bodies(&self) -> Vec<u8> {
        self.bodies.lock().unwrap().clone()
    }
}

/// The one span of that name.
#[track_caller]
pub(in super::super) fn named<'a>(spans: &'a [Seen], name: &str) -> &'a Seen {
    let found: Vec<&Seen> = spans.iter().filter(|span| span.name == name).collect();
    let [span] = found[..] else { panic!("{} spans are named '{name}': {spans:#?}", found.len()) };
    span
}

async fn request(stream: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
        if line.trim_end().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, body))
}

fn decoded(body: &[u8]) -> Vec<Seen> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let mut seen = Vec::new();
    for resource_spans in request.resource_spans {
        let service = attributes(resource_spans.resource.unwrap_or_default().attributes);
        for span in resource_spans.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            seen.push(Seen { service: service.clone(), ..of(span) });
        }
    }
    seen
}

fn of(span: Span) -> Seen {
    let failed = span.status.filter(|status| status.code == i32::from(StatusCode::Error));
    Seen {
        name: span.name,
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        kind: span.kind,
        from: span.start_time_unix_nano,
        to: span.end_time_unix_nano,
        attributes: attributes(span.attributes),
        failed: failed.map(|status| status.message),
        events: span.events.into_iter().map(|event| event.name).collect(),
        links: span.links.into_iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect(),
        service: BTreeMap::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attributes(given: Vec<KeyValue>) -> BTreeMap<String, Value> {
    let value = |value: Option<Any>| match value {
        Some(Any::StringValue(text)) => json!(text),
        Some(Any::IntValue(number)) => json!(number),
        Some(Any::BoolValue(truth)) => json!(truth),
        other => panic!("{other:?} is no kind of attribute that is sent"),
    };
    given.into_iter().map(|pair| (pair.key, value(pair.value.and_then(|any| any.value)))).collect()
}
