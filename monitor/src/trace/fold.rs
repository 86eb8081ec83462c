//! From the events of executions to their spans: one for each execution, whatever streams it has, and one for each node run.
//!
//! Pure. What is held of an execution is there to be dropped: the caller reads the beginning of its stream again when it is
//! needed once more. Invariant: the same events give the same spans, whoever folds them.

use std::collections::{BTreeMap, HashMap};

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use timeloom_domain::execution::{ExecutionMode, ResumeCause, TriggerFacts};
use timeloom_domain::ids::{ExecutionId, TenantId};
use timeloom_domain::trace::{ExecutionTrace, Sampling, SpanId, TraceId};
use timeloom_store::{RecordedEvent, StreamKey};

use super::WorkflowName;
use super::read::{Facts, Run, Start};
use super::span::{self, Events, Nanoseconds, Place, flag, number, of_ms, recorded, text, whole_ms};

/// Most executions of which something is held.
const STORIES_MAX: usize = 8_192;
/// Most node runs of one execution that are held while they are under way.
const RUNS_MAX: usize = 64;

/// A span that is whole.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) span: Span,
    /// An execution that this one goes on from, to which the span is to have a link.
    pub(super) came_of: Option<ExecutionId>,
    /// The trace and the span, where an execution has ended.
    pub(super) ended: Option<(TraceId, SpanId)>,
}

/// The executions that are under way.
pub(super) struct Stories {
    held: HashMap<StreamKey, Story>,
    sampling: Sampling,
}

/// One execution.
struct Story {
    trace: ExecutionTrace,
    is_sampled: bool,
    root: ExecutionId,
    start: Start,
    came_of: Option<ExecutionId>,
    node_runs: u64,
    /// The end of the node run that ended last.
    newest: Nanoseconds,
    events: Events,
    runs: BTreeMap<usize, UnderWay>,
}

/// A node run under way.
#[derive(Default)]
struct UnderWay {
    began: Option<Nanoseconds>,
    attempts: u32,
    is_stubbed: bool,
    events: Events,
}

/// Whether a span comes of an event of this type, so that the execution must be known.
pub(super) fn makes_span(event_type: &str) -> bool {
    matches!(event_type, "NodeCompleted" | "NodeFailed") || is_end(event_type)
}

fn is_end(event_type: &str) -> bool {
    matches!(event_type, "ExecutionCompleted" | "ExecutionFailed" | "ExecutionCancelled")
}

impl Stories {
    /// Nothing is known yet.
    pub(super) fn new(sampling: Sampling) -> Self {
        Self { held: HashMap::new(), sampling }
    }

    /// Whether the execution of a stream is known.
    pub(super) fn knows(&self, stream: &StreamKey) -> bool {
        self.held.contains_key(stream)
    }

    /// Takes an event of an execution in; answers the span that is whole with it.
    pub(super) fn take(&mut self, event: &RecordedEvent, names: &WorkflowName) -> Option<Made> {
        match &*event.event_type {
            "ExecutionStarted" | "ExecutionRetried" | "ExecutionForked" | "ExecutionContinued" => {
                self.begin(event);
                None
            }
            end if is_end(end) => {
                let story = self.held.remove(&event.stream)?;
                story.is_sampled.then(|| story.ended(event, names))?
            }
            _ => self.held.get_mut(&event.stream).filter(|story| story.is_sampled)?.take(event),
        }
    }

    fn begin(&mut self, event: &RecordedEvent) {
        let Some(facts) = Facts::of(event) else { return };
        let left = facts.previous.map(|previous| StreamKey { id: previous.to_string().into(), ..event.stream.clone() });
        let story = match left.and_then(|left| self.held.remove(&left)) {
            Some(story) => Some(story),
            None => self.story(event, &facts),
        };
        let Some(story) = story else { return };
        // Any will do: what is dropped is read again.
        if self.held.len() >= STORIES_MAX
            && let Some(some) = self.held.keys().next().cloned()
        {
            self.held.remove(&some);
        }
        self.held.insert(event.stream.clone(), story);
    }

    fn story(&self, event: &RecordedEvent, facts: &Facts) -> Option<Story> {
        let root = facts.root.or_else(|| event.stream.id.parse().ok())?;
        let trace = ExecutionTrace::of(root, event.metadata.traceparent());
        Some(Story {
            is_sampled: trace.is_sampled(self.sampling),
            trace,
            root,
            start: facts.start()?,
            came_of: facts.of,
            node_runs: 0,
            newest: 0,
            events: Events::default(),
            runs: BTreeMap::new(),
        })
    }
}

impl Story {
    fn take(&mut self, event: &RecordedEvent) -> Option<Made> {
        let facts = Facts::of(event)?;
        let at = recorded(event.recorded_at);
        match &*event.event_type {
            "NodeStarted" => self.attempted(&facts),
            "NodeRetried" => {
                let (kind, message) = facts.error();
                let attempt = u64::from(facts.attempt.unwrap_or(1));
                let said = vec![
                    number("timeloom.node.attempt", attempt),
                    text("error.type", kind),
                    text("exception.message", message),
                ];
                self.under_way(facts.run.as_ref()?)?.events.push(at, &event.event_type, said);
            }
            "NodeStubbed" => self.under_way(facts.run.as_ref()?)?.is_stubbed = true,
            "NodeCompleted" | "NodeFailed" => return self.node_run(event, &facts),
            "ExecutionWaiting" => {
                if let Some(run) = facts.run.as_ref().and_then(|run| self.under_way(run)) {
                    run.began.get_or_insert(whole_ms(at));
                }
                self.happened(at, event, &facts);
            }
            "ExecutionResumed"
            | "ExecutionPaused"
            | "ExecutionUnpaused"
            | "ExecutionTakenOver"
            | "ExecutionResponded"
            | "ExecutionContinuedAsNew"
            | "NodeSkipped" => self.happened(at, event, &facts),
            _ => {}
        }
        None
    }

    /// Takes down that something happened to the execution as a whole.
    fn happened(&mut self, at: Nanoseconds, event: &RecordedEvent, facts: &Facts) {
        let mut said = Vec::new();
        said.extend(facts.node.as_deref().map(|node| text("timeloom.node.name", node)));
        said.extend(facts.worker.as_deref().map(|worker| text("timeloom.worker.id", worker)));
        said.extend(facts.cause.map(|cause| text("timeloom.resume.cause", cause_name(cause))));
        self.events.push(at, &event.event_type, said);
    }

    fn under_way(&mut self, run: &Run) -> Option<&mut UnderWay> {
        let has_room = self.runs.len() < RUNS_MAX || self.runs.contains_key(&run.execution_index);
        has_room.then(|| self.runs.entry(run.execution_index).or_default())
    }

    fn attempted(&mut self, facts: &Facts) {
        let (Some(run), Some(at_ms)) = (&facts.run, facts.at_ms) else { return };
        let Some(run) = self.under_way(run) else { return };
        let attempt = facts.attempt.unwrap_or(1);
        run.began.get_or_insert(of_ms(at_ms));
        run.attempts = run.attempts.max(attempt);
        if attempt > 1 {
            run.events.push(of_ms(at_ms), "NodeStarted", vec![number("timeloom.node.attempt", u64::from(attempt))]);
        }
    }

    fn node_run(&mut self, event: &RecordedEvent, facts: &Facts) -> Option<Made> {
        let (run, started) = (facts.run.as_ref()?, of_ms(facts.started_at_ms?));
        let held = self.runs.remove(&run.execution_index).unwrap_or_default();
        let from = held.began.map_or(started, |began| began.min(started));
        let to = started.saturating_add(facts.duration_us.saturating_mul(1_000));
        self.newest = self.newest.max(to);
        self.node_runs += 1;
        let mut attributes = self.identity(event.stream.tenant);
        attributes.extend([
            text("timeloom.node.name", &run.node),
            number("timeloom.node.run_index", run.run_index),
            number("timeloom.node.execution_index", run.execution_index as u64),
            number("timeloom.node.attempts", u64::from(held.attempts.max(1))),
        ]);
        attributes.extend(facts.items().map(|items| number("timeloom.node.items", items)));
        attributes.extend(facts.pinned.then(|| flag("timeloom.node.pinned")));
        attributes.extend(held.is_stubbed.then(|| flag("timeloom.node.stubbed")));
        let has_failed = &*event.event_type == "NodeFailed";
        let (kind, message) = facts.error();
        attributes.extend(has_failed.then(|| text("error.type", kind)));
        let parent = Some(self.trace.span());
        let place =
            Place { trace: self.trace.trace(), span: self.trace.node_run(run.execution_index), parent, from, to };
        let mut span = span::span(place, &run.node, SpanKind::Internal, attributes);
        span.status = has_failed.then(|| span::failed(message));
        held.events.put_into(&mut span);
        Some(Made { span, came_of: None, ended: None })
    }

    /// The span of the whole, with the event that ends it.
    fn ended(self, event: &RecordedEvent, names: &WorkflowName) -> Option<Made> {
        let facts = Facts::of(event)?;
        let at = facts.at_ms.map_or_else(|| recorded(event.recorded_at), of_ms);
        let place = Place {
            trace: self.trace.trace(),
            span: self.trace.span(),
            parent: self.trace.parent(),
            from: of_ms(self.start.at_ms),
            to: at.max(self.newest),
        };
        let name = names(event.stream.tenant, self.start.workflow_id);
        let mut attributes = self.identity(event.stream.tenant);
        attributes.extend([
            text("timeloom.workflow.id", &self.start.workflow_id.to_string()),
            text("timeloom.execution.mode", mode_name(self.start.mode)),
            text("timeloom.execution.status", status_name(&event.event_type)),
            number("timeloom.execution.node_runs", self.node_runs),
        ]);
        attributes.extend(name.as_deref().map(|name| text("timeloom.workflow.name", name)));
        let version = self.start.workflow_version;
        attributes.extend(version.map(|version| number("timeloom.workflow.version", version.into())));
        attributes.extend(self.start.trigger.as_ref().map(trigger_of));
        attributes.extend(self.came_of.map(|of| text("timeloom.execution.came_of", &of.to_string())));
        let has_failed = &*event.event_type == "ExecutionFailed";
        let (kind, message) = facts.error();
        if has_failed {
            attributes.push(text("error.type", kind));
            attributes.extend(facts.node.as_deref().map(|node| text("timeloom.node.name", node)));
        }
        let name = name.map_or_else(|| "execution".to_owned(), |name| format!("execution {name}"));
        let mut span = span::span(place, &name, SpanKind::Internal, attributes);
        span.status = has_failed.then(|| span::failed(message));
        self.events.put_into(&mut span);
        Some(Made { span, came_of: self.came_of, ended: Some((place.trace, place.span)) })
    }

    /// What every span of the execution has.
    fn identity(&self, tenant: TenantId) -> Vec<KeyValue> {
        vec![text("timeloom.execution.id", &self.root.to_string()), number("timeloom.tenant.id", tenant.0.into())]
    }
}

fn trigger_of(trigger: &TriggerFacts) -> KeyValue {
    text("timeloom.execution.trigger", trigger.kind().name())
}

fn status_name(event_type: &str) -> &'static str {
    match event_type {
        "ExecutionCompleted" => "completed",
        "ExecutionFailed" => "failed",
        _ => "cancelled",
    }
}

fn mode_name(mode: ExecutionMode) -> &'static str {
    match mode {
        ExecutionMode::Manual => "manual",
        ExecutionMode::Production => "production",
    }
}

fn cause_name(cause: ResumeCause) -> &'static str {
    match cause {
        ResumeCause::Time => "time",
        ResumeCause::Request => "request",
        ResumeCause::Person => "person",
    }
}
