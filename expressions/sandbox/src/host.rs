//! What the guest may ask: items, other nodes, time zones. It changes nothing outside the guest.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::json;
use timeloom_domain::item::Item;
use timeloom_expressions::scope::{Found, Lookup, LookupError, Scope};
use wasmtime::component::Linker;
use wasmtime::{ResourceLimiter, StoreContextMut};

use crate::zones;

/// Tables hold function references only; the guest's own needs are a few thousand.
const TABLE_ELEMENTS_MAX: usize = 100_000;

/// Bounds linear memory, and remembers that it was met.
#[derive(Debug, Default)]
pub struct MemoryLimit {
    /// Bytes that all memories of the guest may have.
    pub bytes_max: usize,
    /// Whether the guest asked for more.
    pub refused: bool,
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let granted = desired <= self.bytes_max;
        self.refused |= !granted;
        Ok(granted)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}

/// The host's side of one session.
#[derive(Default)]
pub struct HostState {
    /// What the current call may see; absent between calls.
    pub scope: Option<Scope>,
    /// When the current call must end.
    pub deadline: Option<Instant>,
    /// Bound of the guest's memory.
    pub memory: MemoryLimit,
}

impl HostState {
    /// Whether the current call has used up its time.
    pub fn is_over(&self) -> bool {
        self.deadline.is_none_or(|deadline| Instant::now() >= deadline)
    }
}

/// Links the host interface of `guest/wit/sandbox.wit`.
pub fn add_to(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut host = linker.instance("timeloom:sandbox/host")?;
    host.func_wrap("lookup", |context: StoreContextMut<'_, HostState>, (query,): (String,)| {
        Ok((answer(context.data().scope.as_ref(), &query),))
    })?;
    host.func_wrap("zone-offset", |_: StoreContextMut<'_, HostState>, (zone, epoch_ms): (String, f64)| {
        Ok((zones::offset_minutes(&zone, epoch_ms),))
    })?;
    host.func_wrap("zone-name", |_: StoreContextMut<'_, HostState>, (zone,): (String,)| {
        Ok((zones::find(&zone).map_or("", |zone| zone.name()).to_owned(),))
    })?;
    host.func_wrap("zone-abbreviation", |_: StoreContextMut<'_, HostState>, (zone, epoch_ms): (String, f64)| {
        Ok((zones::abbreviation(&zone, epoch_ms),))
    })?;
    host.func_wrap("zone-is-dst", |_: StoreContextMut<'_, HostState>, (zone, epoch_ms): (String, f64)| {
        Ok((zones::is_dst(&zone, epoch_ms),))
    })
}

/// Questions about the node that runs; all others are [`Lookup`]s.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum OwnQuery {
    /// Items of the current input, from index `from`.
    Own { from: usize, count: usize },
    /// All items of one input.
    Input { index: usize },
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Answer<T: Serialize> {
    Ok(T),
}

fn answer(scope: Option<&Scope>, query: &str) -> String {
    let Some(scope) = scope else {
        return failure("fault", "no node is running");
    };
    if let Ok(own) = serde_json::from_str::<OwnQuery>(query) {
        return own_items(scope, &own);
    }
    let lookup: Lookup = match serde_json::from_str(query) {
        Ok(lookup) => lookup,
        Err(error) => return failure("fault", &format!("not a question: {error}")),
    };
    match scope.nodes.look_up(&lookup) {
        Ok(Found::Items(items)) => success(items.as_slice()),
        Ok(Found::Item(item)) => success(&*item),
        Ok(Found::Value(value)) => success(&value),
        Err(error) => failure(kind(&error), &error.to_string()),
    }
}

fn own_items(scope: &Scope, query: &OwnQuery) -> String {
    let none: &[Item] = &[];
    match *query {
        OwnQuery::Own { from, count } => {
            let end = from.saturating_add(count).min(scope.items.len());
            success(scope.items.get(from..end).unwrap_or(none))
        }
        OwnQuery::Input { index } => success(scope.inputs.get(index).map_or(none, |items| items.as_slice())),
    }
}

fn success<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(&Answer::Ok(value)).unwrap_or_else(|error| failure("fault", &error.to_string()))
}

fn failure(kind: &str, message: &str) -> String {
    json!({ "error": { "kind": kind, "message": message } }).to_string()
}

fn kind(error: &LookupError) -> &'static str {
    match error {
        LookupError::UnknownNode(_) => "unknown_node",
        LookupError::NotExecuted(_) => "not_executed",
        LookupError::NoPairedItem(_) => "no_paired_item",
        LookupError::Unreadable { .. } => "fault",
    }
}
