//! How long it takes until rows show what happened: a span from the moment when the log took an event to the moment when all
//! read models have it.

use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use timeloom_domain::trace::{SpanId, TraceId};
use timeloom_projections::ReadModels;
use timeloom_store::{Clock, Position};
use tokio::sync::mpsc;

use super::export::Outbox;
use super::span::{self, Nanoseconds, Place, number, recorded};

/// Most events that may wait to be shown.
const WAITING_MAX: usize = 1_024;
/// Longest time that rows are waited for.
const SHOWN_TIME_MAX: Duration = Duration::from_secs(30);

/// An event that rows are to show.
#[derive(Debug, Clone, Copy)]
pub(super) struct Awaited {
    pub(super) position: Position,
    pub(super) trace: TraceId,
    /// The span to which it belongs.
    pub(super) parent: SpanId,
    pub(super) from: Nanoseconds,
}

/// Where events are put that rows are to show.
#[derive(Clone)]
pub(super) struct Shown(mpsc::Sender<Awaited>);

/// Those that wait, in the order of the log.
pub(super) struct Projected(mpsc::Receiver<Awaited>);

/// A queue of them.
pub(super) fn queue() -> (Shown, Projected) {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    (Shown(sender), Projected(receiver))
}

impl Shown {
    /// Puts an event there. What has no room is counted as a span that was dropped.
    pub(super) fn put(&self, awaited: Awaited, outbox: &Outbox) {
        if self.0.try_send(awaited).is_err() {
            outbox.dropped();
        }
    }
}

impl Projected {
    /// Waits for one after the other.
    pub(super) async fn run(mut self, read_models: &ReadModels, clock: &dyn Clock, outbox: &Outbox) {
        while let Some(Awaited { position, trace, parent, from }) = self.0.recv().await {
            let shown = read_models.wait_for(position, SHOWN_TIME_MAX).await;
            let to = recorded(clock.now());
            // Of one span there is one projection.
            let own = SpanId::of(uuid::Uuid::from_u64_pair(u64::from_be_bytes(parent.bytes()), position.0), 0);
            let place = Place { trace, span: own, parent: Some(parent), from, to };
            let said = vec![number("timeloom.log.position", position.0)];
            let mut span = span::span(place, "projection", SpanKind::Internal, said);
            span.status = shown.err().map(|behind| span::failed(&behind.to_string()));
            outbox.put(span);
        }
    }
}
