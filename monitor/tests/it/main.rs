//! A measured log keeps every promise of a log, and counts what it took.

#![expect(clippy::unwrap_used, reason = "what tests are helped by may stop at anything, as tests do")]

mod traces;

use std::sync::Arc;

use serde_json::value::RawValue;
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
use timeloom_monitor::{
    Bars, Computing, GpuNumbers, MeasuredLog, Metrics, ModelNumbers, RouteNumbers, Seen, TargetNumbers,
};
use timeloom_store::conformance::Fresh;
use timeloom_store::{
    Append, EventLog, Expected, MemoryBlobs, MemoryLog, Metadata, NewEvent, StreamKey, SystemClock,
    event_log_conformance,
};
use uuid::Uuid;

async fn fresh() -> Fresh {
    let log = MemoryLog::new(Arc::new(SystemClock));
    let measured = Arc::new(MeasuredLog::new(log, Arc::default()));
    std::future::ready(Fresh::new(measured, MemoryBlobs::new())).await
}

event_log_conformance!(fresh);

/// An append to `category`/`id` with events of these types.
fn append(category: &str, id: &str, command: u128, types: &[&str]) -> Append {
    let metadata = Arc::new(Metadata {
        actor: Actor::Local("tester".to_owned()),
        command_id: CommandId(Uuid::from_u128(command)),
        causation_id: None,
        correlation_id: None,
        request: None,
    });
    let event = |(index, event_type): (usize, &&str)| NewEvent {
        id: EventId(Uuid::from_u128(command * 100 + index as u128)),
        event_type: (*event_type).into(),
        event_version: 1,
        payload: Arc::from(RawValue::from_string("{}".to_owned()).unwrap()),
        metadata: Arc::clone(&metadata),
    };
    let events = types.iter().enumerate().map(event).collect();
    let stream = StreamKey::new(TenantId(1), category, id);
    Append::new(stream, Expected::Any, events, CommandId(Uuid::from_u128(command)))
}

/// Whether the text has this very line.
fn has(text: &str, line: &str) -> bool {
    text.lines().any(|found| found == line)
}

#[tokio::test]
async fn what_is_appended_is_counted_once_by_what_it_is() {
    let metrics: Arc<Metrics> = Arc::default();
    let log = MeasuredLog::new(MemoryLog::new(Arc::new(SystemClock)), Arc::clone(&metrics));
    let first = append("execution", "a", 1, &["ExecutionStarted", "NodeCompleted", "NodeCompleted", "NodeFailed"]);
    log.append(first.clone()).await.unwrap();
    assert!(log.append(first).await.unwrap().repeated);
    log.append(append("execution", "a", 2, &["ExecutionFailed"])).await.unwrap();
    log.append(append("orders-of-somebody", "b", 3, &["OrderPlaced"])).await.unwrap();
    let late = Append { expected: Expected::NoStream, ..append("execution", "a", 4, &["ExecutionStarted"]) };
    log.append(late).await.unwrap_err();

    let text = metrics.text(&Seen { head: log.head(), projections: &[] }).unwrap();
    for line in [
        "timeloom_log_appends_total{outcome=\"written\"} 3",
        "timeloom_log_appends_total{outcome=\"repeated\"} 1",
        "timeloom_log_appends_total{outcome=\"refused\"} 1",
        "timeloom_log_events_total{category=\"execution\"} 5",
        "timeloom_log_events_total{category=\"other\"} 1",
        "timeloom_executions_total{change=\"started\"} 1",
        "timeloom_executions_total{change=\"failed\"} 1",
        "timeloom_node_runs_total{change=\"completed\"} 2",
        "timeloom_node_runs_total{change=\"failed\"} 1",
        "timeloom_log_head_position 6",
        "timeloom_log_append_duration_seconds_count 5",
        "# EOF",
    ] {
        assert!(has(&text, line), "{line} is not in:\n{text}");
    }
    assert!(!text.contains("orders-of-somebody"), "a name that a user gave has become a label");
}

/// A model that was asked four times, and a GPU.
#[derive(Debug)]
struct Busy;

impl Computing for Busy {
    fn models(&self) -> Vec<ModelNumbers> {
        let queue_us = Bars { bounds: &[500, 1_000], counts: vec![1, 2, 1], sum: 4_000 };
        let requests = vec![("answered", 3), ("queue_full", 1)];
        let (tenant, model) = ("7".to_owned(), "mood".to_owned());
        vec![ModelNumbers { tenant, model, version: 2, requests, queue_us, degraded: true, ..ModelNumbers::default() }]
    }

    fn gpus(&self) -> Vec<GpuNumbers> {
        let (uuid, name) = ("GPU-1".to_owned(), "H100".to_owned());
        vec![GpuNumbers { uuid, name, busy_percent: 50, power_mw: 350_500, ..GpuNumbers::default() }]
    }

    fn routes(&self) -> Vec<RouteNumbers> {
        let (tenant, route) = ("7".to_owned(), "chat".to_owned());
        let call_us = Bars { bounds: &[5_000], counts: vec![1, 1], sum: 12_000 };
        let (calls, tokens) = (
            [("answered", 2), ("cached", 0), ("failed", 1), ("refused", 0), ("cancelled", 0)],
            [("input", 30), ("output", 4)],
        );
        vec![RouteNumbers { tenant, route, calls, tokens, cost: vec![("USD".to_owned(), 1_500_000_000)], call_us }]
    }

    fn targets(&self) -> Vec<TargetNumbers> {
        let (tenant, provider, model) = ("7".to_owned(), "up".to_owned(), "m".to_owned());
        let attempt_us = Bars { bounds: &[5_000], counts: vec![1, 2], sum: 20_000 };
        vec![TargetNumbers { tenant, provider, model, attempts: [("answered", 2), ("failed", 1)], attempt_us }]
    }
}

#[tokio::test]
async fn models_and_gpus_are_told_of_once_they_are_there() {
    let metrics = Metrics::default();
    let seen = Seen { head: timeloom_store::Position(0), projections: &[] };
    assert!(!metrics.text(&seen).unwrap().contains("timeloom_model_"));
    metrics.watch(Arc::new(Busy));
    let text = metrics.text(&seen).unwrap();
    let of = "tenant=\"7\",model=\"mood\",version=\"2\"";
    for line in [
        format!("timeloom_model_requests_total{{{of},outcome=\"queue_full\"}} 1"),
        format!("timeloom_model_queue_duration_seconds_bucket{{le=\"0.001\",{of}}} 3"),
        format!("timeloom_model_queue_duration_seconds_bucket{{le=\"+Inf\",{of}}} 4"),
        format!("timeloom_model_queue_duration_seconds_sum{{{of}}} 0.004"),
        format!("timeloom_model_degraded{{{of}}} 1"),
        "timeloom_gpu_busy_ratio{gpu=\"GPU-1\",name=\"H100\"} 0.5".to_owned(),
        "timeloom_gpu_power_watts{gpu=\"GPU-1\",name=\"H100\"} 350.5".to_owned(),
        "timeloom_gateway_calls_total{tenant=\"7\",route=\"chat\",outcome=\"failed\"} 1".to_owned(),
        "timeloom_gateway_tokens_total{tenant=\"7\",route=\"chat\",direction=\"input\"} 30".to_owned(),
        "timeloom_gateway_cost_total{tenant=\"7\",route=\"chat\",currency=\"USD\"} 1.5".to_owned(),
        "timeloom_gateway_call_duration_seconds_sum{tenant=\"7\",route=\"chat\"} 0.012".to_owned(),
        "timeloom_gateway_attempts_total{tenant=\"7\",provider=\"up\",model=\"m\",outcome=\"failed\"} 1".to_owned(),
        "timeloom_gateway_attempt_duration_seconds_count{tenant=\"7\",provider=\"up\",model=\"m\"} 3".to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "'{line}' is missing:\n{text}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_process_is_told_of() {
    let metrics = Metrics::default();
    let text = metrics.text(&Seen { head: timeloom_store::Position(0), projections: &[] }).unwrap();
    let level = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.split(' ').next() == Some(name)).unwrap_or_else(|| panic!("{text}"));
        line.split(' ').nth(1).unwrap().parse().unwrap()
    };
    assert!(level("process_resident_memory_bytes") > 1e6);
    assert!(level("process_open_fds") >= 3.0);
    assert!(level("process_threads") >= 1.0);
    assert!(level("process_start_time_seconds") > 1.6e9);
    assert!(level("process_cpu_seconds_total") >= 0.0);
}
