//! One value of a state by its JSON pointer, without writing the whole state down as JSON.

use serde_json::Value;
use timeloom_domain::execution::{Execution, ExecutionEvent, NodeRunState};

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
