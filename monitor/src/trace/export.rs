//! Sends spans to a collector, in batches, by OpenTelemetry's protocol over HTTP with protobuf.
//!
//! Invariant: whoever puts a span never waits. The queue is bounded; what has no room, or is not taken after some tries, is
//! dropped and counted.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use timeloom_store::Position;
use timeloom_store::mark::Mark;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::span::text;
use super::{Service, TracesParts};
use crate::metrics::{self, Metrics};

/// Most spans that wait to be sent.
const WAITING_MAX: usize = 8_192;
/// Most spans in one request.
const BATCH_SPANS_MAX: usize = 512;
/// How long a span waits for others to be sent with.
const BATCH_TIME_MAX: Duration = Duration::from_secs(1);
/// Longest time for one request.
const SEND_TIME_MAX: Duration = Duration::from_secs(10);
/// How often a batch is tried.
const SEND_TRIES_MAX: u32 = 3;
/// Pause before a batch is tried again; it doubles each time.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Longest such pause, whatever the collector asks for.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(30);
/// How often the mark is saved at most.
const MARK_INTERVAL: Duration = Duration::from_secs(2);
/// How long what waits is still sent after it was told to stop.
const STOP_TIME_MAX: Duration = Duration::from_secs(3);

/// Where spans go.
#[async_trait]
pub trait Collector: Send + Sync + 'static {
    /// Sends one batch; answers the body of the answer.
    ///
    /// # Errors
    /// [`NotSent`] when the collector did not take it.
    async fn send(&self, batch: Bytes) -> Result<Bytes, NotSent>;
}

/// Why a batch was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// It may be taken later.
    #[error("the collector does not take spans now: {message}")]
    Later {
        /// What is wrong.
        message: String,
        /// When the collector wants to be asked again.
        after: Option<Duration>,
    },
    /// It will never be taken.
    #[error("the collector refuses spans: {message}; check the address and the headers of the collector")]
    Refused {
        /// What is wrong.
        message: String,
    },
}

enum Item {
    Span(Box<Span>),
    /// The log was made into spans up to here.
    Reached(Position),
}

/// Where spans are put. Cheap to clone.
#[derive(Clone)]
pub(super) struct Outbox {
    items: mpsc::Sender<Item>,
    metrics: Arc<Metrics>,
}

impl Outbox {
    /// Puts a span there, if there is room.
    pub(super) fn put(&self, span: Span) {
        if self.items.try_send(Item::Span(Box::new(span))).is_err() {
            self.dropped();
        }
    }

    /// Tells up to where the log was made into spans; false when there is no room.
    pub(super) fn reached(&self, position: Position) -> bool {
        self.items.try_send(Item::Reached(position)).is_ok()
    }

    /// Counts a span for which there was no room.
    pub(super) fn dropped(&self) {
        self.metrics.spans_dropped(metrics::NO_ROOM, 1);
    }
}

/// What sends.
pub(super) struct Exporter {
    items: mpsc::Receiver<Item>,
    collector: Arc<dyn Collector>,
    mark: Arc<dyn Mark>,
    metrics: Arc<Metrics>,
    resource: Resource,
    batch: Vec<Span>,
    reached: Option<Position>,
    marked_at: Option<Instant>,
    is_away: bool,
}

/// A queue of spans, and what sends them.
pub(super) fn outbox(parts: &TracesParts) -> (Outbox, Exporter) {
    let (sender, items) = mpsc::channel(WAITING_MAX);
    let outbox = Outbox { items: sender, metrics: Arc::clone(&parts.metrics) };
    let exporter = Exporter {
        items,
        collector: Arc::clone(&parts.collector),
        mark: Arc::clone(&parts.mark),
        metrics: Arc::clone(&parts.metrics),
        resource: resource(&parts.service),
        batch: Vec::new(),
        reached: None,
        marked_at: None,
        is_away: false,
    };
    (outbox, exporter)
}

fn resource(service: &Service) -> Resource {
    let attributes = vec![
        text("service.name", &service.name),
        text("service.version", env!("CARGO_PKG_VERSION")),
        text("service.instance.id", &service.instance),
    ];
    Resource { attributes, ..Resource::default() }
}

impl Exporter {
    /// Sends until it is told to stop, and then what waits, but not for long: what a collector does not take until then
    /// is sent at the next start, because the mark stays behind it.
    pub(super) async fn run(mut self, stopping: CancellationToken) {
        let out_of_time = async {
            stopping.cancelled().await;
            tokio::time::sleep(STOP_TIME_MAX).await;
        };
        tokio::select! {
            () = self.send_all(&stopping) => {}
            () = out_of_time => {}
        }
    }

    async fn send_all(&mut self, stopping: &CancellationToken) {
        while let Some(Some(item)) = stopping.run_until_cancelled(self.items.recv()).await {
            self.note(item);
            self.gather(stopping).await;
            self.flush(stopping).await;
        }
        self.items.close();
        self.send_rest(stopping).await;
    }

    fn note(&mut self, item: Item) {
        match item {
            Item::Span(span) => self.batch.push(*span),
            Item::Reached(position) => self.reached = Some(position),
        }
    }

    /// Waits for more to send with what is there.
    async fn gather(&mut self, stopping: &CancellationToken) {
        let until = Instant::now() + BATCH_TIME_MAX;
        while self.batch.len() < BATCH_SPANS_MAX {
            let next = tokio::time::timeout_at(until, self.items.recv());
            match stopping.run_until_cancelled(next).await {
                Some(Ok(Some(item))) => self.note(item),
                Some(Ok(None) | Err(_)) | None => return,
            }
        }
    }

    async fn send_rest(&mut self, stopping: &CancellationToken) {
        while let Some(item) = self.items.recv().await {
            self.note(item);
            if self.batch.len() >= BATCH_SPANS_MAX {
                self.flush(stopping).await;
            }
        }
        self.marked_at = None;
        self.flush(stopping).await;
    }

    /// Sends what was gathered, and remembers up to where the log was sent.
    async fn flush(&mut self, stopping: &CancellationToken) {
        let spans = std::mem::take(&mut self.batch);
        if !spans.is_empty() {
            self.send(spans, stopping).await;
        }
        let Some(position) = self.reached else { return };
        if self.marked_at.is_none_or(|at| at.elapsed() >= MARK_INTERVAL) {
            match self.mark.save(position.0).await {
                Ok(()) => (self.reached, self.marked_at) = (None, Some(Instant::now())),
                Err(error) => tracing::warn!(%error, "the position up to which traces were sent was not remembered"),
            }
        }
    }

    async fn send(&mut self, spans: Vec<Span>, stopping: &CancellationToken) {
        let count = spans.len() as u64;
        let body = Bytes::from(self.request(spans).encode_to_vec());
        let mut pause = RETRY_PAUSE;
        for attempt in 1..=SEND_TRIES_MAX {
            let sent = tokio::time::timeout(SEND_TIME_MAX, self.collector.send(body.clone())).await;
            let late = || NotSent::Later { message: format!("no answer in {SEND_TIME_MAX:?}"), after: None };
            match sent.unwrap_or_else(|_| Err(late())) {
                Ok(answer) => return self.taken(count, answer),
                Err(error) => {
                    self.away(&error);
                    let NotSent::Later { after, .. } = error else { break };
                    if attempt == SEND_TRIES_MAX || stopping.is_cancelled() {
                        break;
                    }
                    let wait = after.unwrap_or(pause).min(RETRY_PAUSE_MAX);
                    stopping.run_until_cancelled(tokio::time::sleep(wait)).await;
                    pause = 2 * pause;
                }
            }
        }
        self.metrics.spans_dropped(metrics::NOT_TAKEN, count);
    }

    fn request(&self, spans: Vec<Span>) -> ExportTraceServiceRequest {
        let scope = InstrumentationScope {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }];
        let resource = Some(self.resource.clone());
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }],
        }
    }

    /// Counts what the collector took: it may take a part.
    fn taken(&mut self, count: u64, answer: Bytes) {
        if std::mem::take(&mut self.is_away) {
            tracing::info!("the collector takes spans again");
        }
        let partial = ExportTraceServiceResponse::decode(answer).ok().and_then(|answer| answer.partial_success);
        let rejected = partial.as_ref().map_or(0, |partial| u64::try_from(partial.rejected_spans).unwrap_or_default());
        if let Some(partial) = partial.filter(|_| rejected > 0) {
            tracing::warn!(rejected, message = partial.error_message, "the collector took a part of the spans");
        }
        self.metrics.spans_dropped(metrics::NOT_TAKEN, rejected.min(count));
        self.metrics.spans_sent(count.saturating_sub(rejected));
    }

    /// Tells it once, not with each batch.
    fn away(&mut self, error: &NotSent) {
        if !std::mem::replace(&mut self.is_away, true) {
            tracing::warn!(%error, "spans are not taken");
        }
    }
}
