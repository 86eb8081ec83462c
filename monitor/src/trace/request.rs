//! The spans of requests. They are told of when the answer begins: the log knows nothing of those that only look.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use timeloom_domain::trace::{Sampling, SpanId, TraceId, TraceParent};
use timeloom_store::Clock;
use uuid::Uuid;

use super::export::Outbox;
use super::span::{self, Place, number, recorded, text, whole_ms};

/// Statuses from which on the fault is the server's.
const FAULT_STATUS: u16 = 500;
/// The word for methods that no standard knows.
const OTHER_METHOD: &str = "_OTHER";

/// Makes the spans of requests. Cheap to clone.
#[derive(Clone)]
pub struct Tracer {
    outbox: Outbox,
    sampling: Sampling,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Tracer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tracer").field("sampling", &self.sampling).finish_non_exhaustive()
    }
}

/// The span of one request.
#[derive(Debug, Clone, Copy)]
pub struct RequestSpan {
    /// Its place, under which everything belongs that comes of the request.
    pub own: TraceParent,
    /// The caller's.
    parent: Option<SpanId>,
}

/// How a request was answered.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// The pattern of its path; `None` where there is none.
    pub route: Option<&'a str>,
    /// The method, if a standard knows it.
    pub method: Option<&'a str>,
    /// The status.
    pub status: u16,
    /// The request's id.
    pub request_id: &'a str,
    /// From its first byte to the head of its answer.
    pub took: Duration,
    /// What it asked of GraphQL, where it did.
    pub operation: Option<Operation<'a>>,
}

/// An operation of GraphQL.
#[derive(Debug, Clone, Copy)]
pub struct Operation<'a> {
    /// `query`, `mutation` or `subscription`.
    pub kind: &'a str,
    /// Its name, if it has one.
    pub name: Option<&'a str>,
}

impl Tracer {
    pub(super) fn new(outbox: Outbox, sampling: Sampling, clock: Arc<dyn Clock>) -> Self {
        Self { outbox, sampling, clock }
    }

    /// The span of a request that has come in, from whoever named that span of theirs. `id` is a new one.
    pub fn begin(&self, caller: Option<TraceParent>, id: Uuid) -> RequestSpan {
        let trace = caller.map_or_else(|| TraceId::of(id), |caller| caller.trace);
        let is_sampled = caller.map_or_else(|| self.sampling.takes(trace), |caller| caller.is_sampled);
        let own = TraceParent { trace, span: SpanId::of(id, 0), is_sampled };
        RequestSpan { own, parent: caller.map(|caller| caller.span) }
    }

    /// Sends the span of a request that is answered, if its trace is recorded.
    pub fn answered(&self, request: &RequestSpan, answered: &Answered<'_>) {
        if !request.own.is_sampled {
            return;
        }
        let to = recorded(self.clock.now());
        let took = u64::try_from(answered.took.as_nanos()).unwrap_or(u64::MAX);
        // Events tell milliseconds: nothing that comes of the request is to seem to be before it.
        let from = whole_ms(to.saturating_sub(took));
        let method = answered.method.unwrap_or(OTHER_METHOD);
        let mut attributes = vec![
            text("http.request.method", method),
            number("http.response.status_code", answered.status.into()),
            text("timeloom.request.id", answered.request_id),
        ];
        attributes.extend(answered.route.map(|route| text("http.route", route)));
        if let Some(operation) = answered.operation {
            attributes.push(text("graphql.operation.type", operation.kind));
            attributes.extend(operation.name.map(|name| text("graphql.operation.name", name)));
        }
        let is_fault = answered.status >= FAULT_STATUS;
        attributes.extend(is_fault.then(|| text("error.type", &answered.status.to_string())));
        let method = answered.method.unwrap_or("HTTP");
        let name = answered.route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));
        let place = Place { trace: request.own.trace, span: request.own.span, parent: request.parent, from, to };
        let mut span = span::span(place, &name, SpanKind::Server, attributes);
        span.status = is_fault.then(|| span::failed(""));
        self.outbox.put(span);
    }
}
