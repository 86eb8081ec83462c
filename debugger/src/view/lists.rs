//! The lists: events, and nodes with how they are at the moment.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};
use serde_json::Value;

use super::Theme;
use crate::lines::{counted, runs_of, word};
use crate::model::Model;

/// The first line to show of a list, so that the chosen one is in its middle where that can be.
fn first(chosen: usize, count: usize, room: usize) -> usize {
    chosen.saturating_sub(room / 2).min(count.saturating_sub(room))
}

pub(super) fn draw_events(frame: &mut Frame<'_>, model: &Model<'_>, area: Rect, theme: Theme) {
    let block = Block::bordered().title(" Events ").border_style(theme.faint());
    let room = usize::from(area.height.saturating_sub(2));
    let first = first(model.at(), model.events.len(), room);
    let digits = model.events.last().map_or(1, |event| event.revision.to_string().len());
    let shown = model.events.iter().enumerate().skip(first).take(room);
    let lines: Vec<Line<'_>> = shown
        .map(|(at, event)| {
            let sign = if model.mark == Some(at) { '▲' } else { ' ' };
            let node = event.node.as_deref().unwrap_or_default();
            let text = format!("{sign}{:>digits$} {} {node}", event.revision, event.event_type);
            let width = usize::from(area.width.saturating_sub(2));
            if at == model.at() { Line::styled(format!("{text:<width$}"), theme.chosen()) } else { Line::raw(text) }
        })
        .collect();
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

pub(super) fn draw_nodes(frame: &mut Frame<'_>, model: &mut Model<'_>, area: Rect, theme: Theme) {
    let block = Block::bordered().title(" Nodes ").border_style(theme.faint());
    let room = usize::from(area.height.saturating_sub(2));
    let width = usize::from(area.width.saturating_sub(2));
    let state = match model.state(model.at()) {
        Ok(state) => state,
        Err(error) => {
            frame.render_widget(Paragraph::new(error.to_string()).block(block), area);
            return;
        }
    };
    let first = first(model.node, model.about.nodes.len(), room);
    let shown = model.about.nodes.iter().enumerate().skip(first).take(room);
    let lines: Vec<Line<'_>> = shown
        .map(|(place, node)| {
            let (sign, told, status) = told(&state, node);
            let changes = if model.event().node.as_deref() == Some(node) { '*' } else { ' ' };
            let text = format!("{node}{told}");
            if place == model.node {
                return Line::styled(format!("{:<width$}", format!("{changes}{sign} {text}")), theme.chosen());
            }
            Line::from(vec![
                Span::raw(changes.to_string()),
                Span::styled(format!("{sign} "), theme.status(status)),
                Span::raw(text),
            ])
        })
        .collect();
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// A sign for how a node is, what it gave, and the word for it.
fn told<'s>(state: &'s Value, node: &'s str) -> (char, String, &'s str) {
    let Some(run) = runs_of(state, node).next_back() else { return ('·', String::new(), "none") };
    let runs = runs_of(state, node).count();
    let status = word(run);
    let is = |field: &str| run.get(field) == Some(&Value::Bool(true));
    let sign = match status {
        "completed" if is("pinned") => 'P',
        "completed" if is("stubbed") => '~',
        "completed" => '✓',
        "failed" => '✗',
        "running" => '▶',
        "waiting" | "retrying" => '…',
        _ => '○',
    };
    let outputs = run.get("outputs").and_then(Value::as_array);
    let items = outputs.map(|outputs| outputs.iter().filter_map(Value::as_array).map(Vec::len).sum::<usize>());
    let items = items.map_or_else(String::new, |items| format!("  {}", counted(items, "item")));
    let times = if runs > 1 { format!("  {}", counted(runs, "run")) } else { String::new() };
    (sign, format!("{items}{times}"), status)
}
