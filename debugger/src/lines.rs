//! What a pane says, as lines of text.

use serde_json::Value;

use crate::changes::{Change, changes, shown};
use crate::keys::Pane;
use crate::model::Model;
use crate::source::SourceError;

/// Most lines of a pane; a state may be as large as memory allows.
const LINES_MAX: usize = 20_000;

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Plain,
    Heading,
    Came,
    Went,
    Other,
    Wrong,
}

/// One line of a pane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PaneLine {
    pub(crate) look: Look,
    pub(crate) text: String,
}

fn line(look: Look, text: impl Into<String>) -> PaneLine {
    PaneLine { look, text: text.into() }
}

/// The lines of the pane that is shown.
pub(crate) fn lines(model: &mut Model<'_>) -> Vec<PaneLine> {
    let told = match model.pane {
        Pane::State => model.state(model.at()).map(|state| pretty(&state)),
        Pane::Diff => diff(model),
        Pane::Items => items(model),
        Pane::Event => model.payload().map(|payload| pretty(&payload)),
        Pane::Watches => watches(model),
    };
    told.unwrap_or_else(|error| vec![line(Look::Wrong, error.to_string())])
}

fn pretty(value: &Value) -> Vec<PaneLine> {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut lines: Vec<PaneLine> = text.lines().take(LINES_MAX).map(|text| line(Look::Plain, text)).collect();
    if lines.len() == LINES_MAX {
        lines.push(line(Look::Heading, format!("… only the first {LINES_MAX} lines are shown: watch a path of it")));
    }
    lines
}

/// From which event changes are told; `None` before the first.
pub(crate) fn base(model: &Model<'_>) -> Option<usize> {
    model.mark.filter(|mark| *mark != model.at()).or_else(|| model.at().checked_sub(1))
}

fn diff(model: &mut Model<'_>) -> Result<Vec<PaneLine>, SourceError> {
    let base = base(model);
    let before = base.map(|base| model.state(base)).transpose()?;
    let now = model.state(model.at())?;
    let since = base.map_or_else(
        || "since nothing".to_owned(),
        |base| {
            let word = if model.mark == Some(base) { "since the mark at event" } else { "since event" };
            format!("{word} {}", model.events[base].revision)
        },
    );
    let (changes, more) = changes(before.as_deref().unwrap_or(&Value::Null), &now);
    let mut lines = vec![line(Look::Heading, format!("{} {since}", counted(changes.len() + more, "change")))];
    lines.extend(changes.into_iter().map(|change| match change {
        Change::Came { path, now } => line(Look::Came, format!("+ {path}: {now}")),
        Change::Went { path, before } => line(Look::Went, format!("- {path}: {before}")),
        Change::Other { path, before, now } => line(Look::Other, format!("~ {path}: {before} → {now}")),
    }));
    if more > 0 {
        lines.push(line(Look::Heading, format!("… and {more} more")));
    }
    Ok(lines)
}

/// The newest run of the node that is looked at, by the state after the event.
fn items(model: &mut Model<'_>) -> Result<Vec<PaneLine>, SourceError> {
    let state = model.state(model.at())?;
    let Some(node) = model.node_name() else { return Ok(vec![line(Look::Heading, "the workflow has no nodes")]) };
    let Some(run) = runs_of(&state, node).next_back() else {
        return Ok(vec![line(Look::Heading, format!("'{node}' has not run by then"))]);
    };
    let mut lines = vec![line(Look::Heading, format!("run {} of '{node}': {}", number(run, "run_index"), word(run)))];
    if let Some(error) = run.get("error").filter(|error| !error.is_null()) {
        lines.push(line(Look::Wrong, shown(error)));
    }
    for (output, items) in run.get("outputs").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let items = items.as_array().map(Vec::as_slice).unwrap_or_default();
        lines.push(line(Look::Heading, format!("output {output}: {}", counted(items.len(), "item"))));
        for (place, item) in items.iter().enumerate() {
            lines.push(line(Look::Heading, format!("item {place}")));
            lines.extend(pretty(item.get("json").unwrap_or(item)));
            let names = item.get("binary").and_then(Value::as_object).into_iter().flatten();
            lines.extend(names.map(|(name, file)| line(Look::Other, format!("attachment {name}: {}", shown(file)))));
            if lines.len() > LINES_MAX {
                lines.push(line(Look::Heading, format!("… only the first {LINES_MAX} lines are shown")));
                return Ok(lines);
            }
        }
    }
    Ok(lines)
}

fn watches(model: &mut Model<'_>) -> Result<Vec<PaneLine>, SourceError> {
    let now = model.state(model.at())?;
    let before = base(model).map(|base| model.state(base)).transpose()?;
    if model.watches.is_empty() {
        return Ok(vec![line(Look::Heading, "nothing is watched: w asks for a path into the state")]);
    }
    let told = |path: &String| {
        let (was, is) = (before.as_ref().and_then(|before| before.pointer(path)), now.pointer(path));
        let value = is.map_or_else(|| "nothing".to_owned(), shown);
        if was == is {
            return line(Look::Plain, format!("{path} = {value}"));
        }
        line(Look::Other, format!("{path} = {value}, was {}", was.map_or_else(|| "nothing".to_owned(), shown)))
    };
    Ok(model.watches.iter().map(told).collect())
}

/// The runs of a node in a state, oldest first.
pub(crate) fn runs_of<'s>(state: &'s Value, node: &'s str) -> impl DoubleEndedIterator<Item = &'s Value> {
    let runs = state.get("node_runs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    runs.iter().filter(move |run| run.get("node").and_then(Value::as_str) == Some(node))
}

/// In one word how a run is.
pub(crate) fn word(run: &Value) -> &str {
    run.get("status").and_then(Value::as_str).unwrap_or("unknown")
}

fn number(run: &Value, field: &str) -> u64 {
    run.get(field).and_then(Value::as_u64).unwrap_or_default()
}

/// So many of something.
pub(crate) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
