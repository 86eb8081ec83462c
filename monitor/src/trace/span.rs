//! Spans and their parts, in the form in which they are sent. Texts are cut: nobody's name or message makes a batch large.

use chrono::{DateTime, Utc};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use timeloom_domain::trace::{SpanId, TraceId};

/// Longest text of a span, in characters.
const TEXT_CHARACTERS_MAX: usize = 512;
/// Most events of one span: as many as OpenTelemetry's own programs keep.
pub(super) const SPAN_EVENTS_MAX: usize = 128;
/// The flag of a trace that is recorded.
const SAMPLED: u32 = 1;

/// Nanoseconds since 1970.
pub(super) type Nanoseconds = u64;

/// A moment that the log took down.
pub(super) fn recorded(at: DateTime<Utc>) -> Nanoseconds {
    u64::try_from(at.timestamp_micros()).unwrap_or_default().saturating_mul(1_000)
}

/// A moment in milliseconds since 1970.
pub(super) fn of_ms(at_ms: i64) -> Nanoseconds {
    u64::try_from(at_ms).unwrap_or_default().saturating_mul(1_000_000)
}

/// The same moment as events that tell milliseconds have it.
pub(super) fn whole_ms(at: Nanoseconds) -> Nanoseconds {
    at - at % 1_000_000
}

/// Where a span stands, and how long it took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
    pub(super) parent: Option<SpanId>,
    pub(super) from: Nanoseconds,
    pub(super) to: Nanoseconds,
}

/// A span of that name and kind.
pub(super) fn span(place: Place, name: &str, kind: SpanKind, attributes: Vec<KeyValue>) -> Span {
    Span {
        trace_id: place.trace.bytes().into(),
        span_id: place.span.bytes().into(),
        parent_span_id: place.parent.map(|parent| parent.bytes().into()).unwrap_or_default(),
        flags: SAMPLED,
        name: cut(name),
        kind: kind.into(),
        start_time_unix_nano: place.from,
        end_time_unix_nano: place.to.max(place.from),
        attributes,
        ..Span::default()
    }
}

/// That a span failed, in these words.
pub(super) fn failed(message: &str) -> Status {
    Status { message: cut(message), code: StatusCode::Error.into() }
}

/// Another span that has to do with one.
pub(super) fn link(trace: TraceId, span: SpanId) -> Link {
    Link { trace_id: trace.bytes().into(), span_id: span.bytes().into(), flags: SAMPLED, ..Link::default() }
}

/// What happened within a span, up to a bound.
#[derive(Debug, Default)]
pub(super) struct Events {
    kept: Vec<Event>,
    dropped: u32,
}

impl Events {
    pub(super) fn push(&mut self, at: Nanoseconds, name: &str, attributes: Vec<KeyValue>) {
        if self.kept.len() < SPAN_EVENTS_MAX {
            self.kept.push(Event { time_unix_nano: at, name: cut(name), attributes, ..Event::default() });
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// Puts them into the span.
    pub(super) fn put_into(self, span: &mut Span) {
        (span.events, span.dropped_events_count) = (self.kept, self.dropped);
    }
}

/// An attribute that is a text.
pub(super) fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(cut(value)))
}

/// An attribute that is a number.
pub(super) fn number(key: &str, value: u64) -> KeyValue {
    attribute(key, Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX)))
}

/// An attribute that says that something is so.
pub(super) fn flag(key: &str) -> KeyValue {
    attribute(key, Value::BoolValue(true))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARACTERS_MAX).collect()
}
