//! One value of a state by its JSON pointer, without writing the whole state down as JSON.

use std::sync::Arc;

use serde_json::Value;
use timeloom_domain::execution::{Execution, ExecutionEvent, NodeRunState};

use crate::bare::BareExecution;
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
pub(crate) fn of_execution(state: &BareExecution, path: &str) -> Result<Option<Value>, HistoryError> {
    let execution = &state.execution;
    if let Some(ItemPlace { run, output, item, path }) = ItemPlace::of(path) {
        let run = state.run(run)?;
        let items = run.as_ref().and_then(|run| run.outputs.as_ref()?.get(output));
        let Some(item) = items.and_then(|items| items.get(item)) else { return Ok(None) };
        return Ok(as_json(item)?.pointer(&pointer(&path)).cloned());
    }
    if let Some(run) = run_of(path) {
        let rest = path.strip_prefix("/node_runs/").and_then(|path| path.split_once('/'));
        let rest = rest.map(|(_, rest)| format!("/{rest}")).unwrap_or_default();
        if rest.is_empty() || ["/outputs", "/memory"].iter().any(|data| rest.starts_with(data)) {
            let Some(run) = state.run(run)? else { return Ok(None) };
            return Ok(as_json(&*run)?.pointer(&rest).cloned());
        }
        let Some(run) = execution.node_runs.get(run) else { return Ok(None) };
        let bare = NodeRunState { outputs: None, memory: None, ..run.clone() };
        return Ok(as_json(&bare)?.pointer(&rest).cloned());
    }
    if path.is_empty() || path == "/node_runs" {
        return Ok(whole(state)?.pointer(path).cloned());
    }
    let start = execution.start.clone().filter(|_| path.starts_with("/start"));
    let bare = Execution { node_runs: Vec::new(), start, ..others(execution) };
    Ok(as_json(&bare)?.pointer(path).cloned())
}

/// All of an execution's state.
pub(crate) fn whole(state: &BareExecution) -> Result<Value, HistoryError> {
    let mut written = as_json(&others(&state.execution))?;
    written["start"] = as_json(&state.execution.start)?;
    let runs: Result<Vec<Value>, _> = (0..state.execution.node_runs.len()).map(|place| run(state, place)).collect();
    written["node_runs"] = Value::Array(runs?);
    Ok(written)
}

/// A node run as JSON; null where there is none.
fn run(state: &BareExecution, place: usize) -> Result<Value, HistoryError> {
    state.run(place)?.map_or(Ok(Value::Null), |run| as_json(&*run))
}

/// Two states of one execution as JSON, but for what is large and both have alike: its start, and node runs.
pub(crate) fn differing(one: &BareExecution, other: &BareExecution) -> Result<(Value, Value), HistoryError> {
    let (mut first, mut second) = (as_json(&others(&one.execution))?, as_json(&others(&other.execution))?);
    let same_start = match (&one.execution.start, &other.execution.start) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one == other,
        (None, None) => true,
        _ => false,
    };
    let both = one.execution.node_runs.len().min(other.execution.node_runs.len());
    let alike: Result<Vec<bool>, _> = (0..both).map(|place| one.same_run(other, place)).collect();
    let alike = alike?;
    for (written, state) in [(&mut first, one), (&mut second, other)] {
        // Null where both have the same: it is at the same place in both.
        if !same_start {
            written["start"] = as_json(&state.execution.start)?;
        }
        let is_alike = |place: usize| alike.get(place).copied().unwrap_or_default();
        let runs: Result<Vec<Value>, _> = (0..state.execution.node_runs.len())
            .map(|place| if is_alike(place) { Ok(Value::Null) } else { run(state, place) })
            .collect();
        written["node_runs"] = Value::Array(runs?);
    }
    Ok((first, second))
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
pub(crate) fn concerns(state: &BareExecution, event: &ExecutionEvent, path: &str) -> bool {
    let run = match event {
        ExecutionEvent::NodeScheduled { run }
        | ExecutionEvent::NodeStarted { run, .. }
        | ExecutionEvent::NodeCompleted { run, .. }
        | ExecutionEvent::NodeFailed { run, .. }
        | ExecutionEvent::NodeRetried { run, .. }
        | ExecutionEvent::NodeStubbed { run, .. } => run,
        _ => return run_of(path).is_none() || matches!(event, ExecutionEvent::ExecutionWaiting { .. }),
    };
    match run_of(path) {
        Some(wanted) => state.place(run.execution_index) == wanted,
        None => path.is_empty() || path == "/node_runs",
    }
}
