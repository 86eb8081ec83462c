//! One value of a state by its JSON pointer, without writing the whole state down as JSON.

use std::sync::Arc;

use serde_json::Value;
use timeloom_domain::execution::{Execution, ExecutionEvent, NodeRunState};

use crate::error::HistoryError;
use crate::state::as_json;

/// The tokens of a JSON pointer.
pub(crate) fn tokens(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~")).collect()
}

/// A JSON pointer of these tokens.
pub(crate) fn pointer(tokens: &[String]) -> String {
    tokens.iter().map(|token| format!("/{}", token.replace('~', "~0").replace('/', "~1"))).collect()
}

/// The item of a node run in which a value of an execution's state is: the run, the output, the item, and where in it.
pub(crate) struct ItemPlace {
    pub(crate) run: usize,
    pub(crate) output: usize,
    pub(crate) item: usize,
    pub(crate) path: Vec<String>,
}

impl ItemPlace {
    pub(crate) fn of(path: &str) -> Option<Self> {
        let mut tokens = tokens(path).into_iter();
        (tokens.next()? == "node_runs").then_some(())?;
        let run = tokens.next()?.parse().ok()?;
        (tokens.next()? == "outputs").then_some(())?;
        let (output, item) = (tokens.next()?.parse().ok()?, tokens.next()?.parse().ok()?);
        Some(Self { run, output, item, path: tokens.collect() })
    }
}

/// The node run that a path is about.
fn run_of(path: &str) -> Option<usize> {
    path.strip_prefix("/node_runs/")?.split('/').next()?.parse().ok()
}

/// A value of an execution's state.
pub(crate) fn of_execution(execution: &Execution, path: &str) -> Option<Value> {
    if let Some(ItemPlace { run, output, item, path }) = ItemPlace::of(path) {
        let item = execution.node_runs.get(run)?.outputs.as_ref()?.get(output)?.get(item)?;
        return serde_json::to_value(item).ok()?.pointer(&pointer(&path)).cloned();
    }
    if let Some(run) = run_of(path) {
        let rest = path.strip_prefix("/node_runs/")?.split_once('/').map(|(_, rest)| format!("/{rest}"));
        let state = execution.node_runs.get(run)?;
        let rest = rest.unwrap_or_default();
        if rest.is_empty() || rest.starts_with("/outputs") {
            return serde_json::to_value(state).ok()?.pointer(&rest).cloned();
        }
        let bare = NodeRunState { outputs: None, ..state.clone() };
        return serde_json::to_value(bare).ok()?.pointer(&rest).cloned();
    }
    if path.is_empty() || path == "/node_runs" {
        return serde_json::to_value(execution).ok()?.pointer(path).cloned();
    }
    let start = execution.start.clone().filter(|_| path.starts_with("/start"));
    let bare = Execution { node_runs: Vec::new(), start, ..others(execution) };
    serde_json::to_value(bare).ok()?.pointer(path).cloned()
}

/// Two states of one execution as JSON, but for what is large and both have alike: its start, and node runs.
pub(crate) fn differing(one: &Execution, other: &Execution) -> Result<(Value, Value), HistoryError> {
    let (mut first, mut second) = (as_json(&others(one))?, as_json(&others(other))?);
    let same_start = match (&one.start, &other.start) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one == other,
        (None, None) => true,
        _ => false,
    };
    let alike = |place: usize| match (one.node_runs.get(place), other.node_runs.get(place)) {
        (Some(one), Some(other)) => same_run(one, other),
        _ => false,
    };
    for (written, execution) in [(&mut first, one), (&mut second, other)] {
        // Null where both have the same: it is at the same place in both.
        if !same_start {
            written["start"] = as_json(&execution.start)?;
        }
        let runs = execution.node_runs.iter().enumerate();
        let runs: Result<Vec<Value>, _> =
            runs.map(|(place, run)| if alike(place) { Ok(Value::Null) } else { as_json(run) }).collect();
        written["node_runs"] = Value::Array(runs?);
    }
    Ok((first, second))
}

/// Whether two runs are the same. Mostly they share what they gave, so that the items need not be looked at.
fn same_run(one: &NodeRunState, other: &NodeRunState) -> bool {
    let shares = match (&one.outputs, &other.outputs) {
        (Some(one), Some(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| Arc::ptr_eq(one, other))
        }
        (None, None) => true,
        _ => false,
    };
    if !shares {
        return one == other;
    }
    let NodeRunState {
        node,
        run_index,
        sources,
        status,
        attempts,
        started_at_ms,
        duration_us,
        outputs: _,
        memory,
        error,
        pinned,
        stubbed,
    } = one;
    *node == other.node
        && *run_index == other.run_index
        && *sources == other.sources
        && *status == other.status
        && *attempts == other.attempts
        && *started_at_ms == other.started_at_ms
        && *duration_us == other.duration_us
        && *memory == other.memory
        && *error == other.error
        && *pinned == other.pinned
        && *stubbed == other.stubbed
}

/// Everything but what is large.
fn others(execution: &Execution) -> Execution {
    Execution {
        start: None,
        node_runs: Vec::new(),
        status: execution.status,
        continued_from: execution.continued_from,
        continued_as: execution.continued_as,
        forked_from: execution.forked_from.clone(),
        earlier_runs: execution.earlier_runs,
        error: execution.error.clone(),
        failed_node: execution.failed_node.clone(),
        waiting: execution.waiting.clone(),
        paused: execution.paused.clone(),
        breakpoints: execution.breakpoints.clone(),
        response: execution.response.clone(),
        data: execution.data.clone(),
        worker: execution.worker.clone(),
        retried_as: execution.retried_as.clone(),
        dismissed: execution.dismissed.clone(),
        ended_at_ms: execution.ended_at_ms,
    }
}

/// Whether an event can have changed the value at a path.
pub(crate) fn concerns(execution: &Execution, event: &ExecutionEvent, path: &str) -> bool {
    let run = match event {
        ExecutionEvent::NodeScheduled { run }
        | ExecutionEvent::NodeStarted { run, .. }
        | ExecutionEvent::NodeCompleted { run, .. }
        | ExecutionEvent::NodeFailed { run, .. }
        | ExecutionEvent::NodeRetried { run, .. }
        | ExecutionEvent::NodeStubbed { run, .. } => run,
        _ => return run_of(path).is_none() || matches!(event, ExecutionEvent::ExecutionWaiting { .. }),
    };
    // As the fold finds the run that an event is about.
    let own = run.execution_index.saturating_sub(execution.earlier_runs);
    match run_of(path) {
        Some(wanted) => own.min(execution.node_runs.len().saturating_sub(1)) == wanted,
        None => path.is_empty() || path == "/node_runs",
    }
}
