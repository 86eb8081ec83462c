//! The commands that requests bring: for each a span with the events that came of it.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use timeloom_domain::event::OWN_CATEGORIES;
use timeloom_domain::ids::CommandId;
use timeloom_domain::trace::{SpanId, TraceParent};
use timeloom_store::{Position, RecordedEvent, StreamKey};

use super::span::{self, Events, Nanoseconds, Place, number, recorded, text};

/// The word for all categories but our own: foreign writers choose theirs.
const OTHER: &str = "other";

/// The events of one command so far.
pub(super) struct Commanded {
    command: CommandId,
    stream: StreamKey,
    within: TraceParent,
    span: SpanId,
    request_id: String,
    from: Nanoseconds,
    to: Nanoseconds,
    last: Position,
    events: Events,
}

impl Commanded {
    /// The command of an event, where a request brought it whose trace is recorded.
    pub(super) fn of(event: &RecordedEvent) -> Option<Self> {
        let request_id = event.metadata.request.as_ref()?.request_id.clone()?;
        let within: TraceParent = event.metadata.traceparent()?.parse().ok()?;
        let at = recorded(event.recorded_at);
        let mut own = Self {
            command: event.metadata.command_id,
            stream: event.stream.clone(),
            within,
            span: SpanId::of(event.id.0, 0),
            request_id,
            from: at,
            to: at,
            last: event.position,
            events: Events::default(),
        };
        own.note(event);
        within.is_sampled.then_some(own)
    }

    /// Takes another event of the same command in; false when it is of another one.
    pub(super) fn take(&mut self, event: &RecordedEvent) -> bool {
        let is_own = event.metadata.command_id == self.command && event.stream == self.stream;
        if is_own {
            self.note(event);
        }
        is_own
    }

    fn note(&mut self, event: &RecordedEvent) {
        self.to = recorded(event.recorded_at);
        self.last = event.position;
        let said =
            vec![number("timeloom.log.position", event.position.0), number("timeloom.log.revision", event.revision.0)];
        self.events.push(self.to, &event.event_type, said);
    }

    /// Where it stands, and the place of its last event with when that was taken down.
    pub(super) fn ended(&self) -> (TraceParent, Position, Nanoseconds) {
        (TraceParent { span: self.span, ..self.within }, self.last, self.to)
    }

    /// Its span.
    pub(super) fn made(self) -> Span {
        let category = OWN_CATEGORIES.into_iter().find(|known| **known == *self.stream.category).unwrap_or(OTHER);
        let mut attributes = vec![
            text("timeloom.command.id", &self.command.to_string()),
            text("timeloom.request.id", &self.request_id),
            text("timeloom.log.category", category),
            number("timeloom.tenant.id", self.stream.tenant.0.into()),
        ];
        attributes.extend((category != OTHER).then(|| text("timeloom.log.stream", &self.stream.to_string())));
        let (trace, parent) = (self.within.trace, Some(self.within.span));
        let place = Place { trace, span: self.span, parent, from: self.from, to: self.to };
        let mut span = span::span(place, &format!("command {category}"), SpanKind::Internal, attributes);
        self.events.put_into(&mut span);
        span
    }
}
