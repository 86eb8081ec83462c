//! Draws the debugger, in as much room as there is.

mod lists;
mod theme;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

pub(crate) use self::theme::Theme;
use crate::keys::{HELP, Pane};
use crate::lines::{PaneLine, lines};
use crate::model::Model;

/// Least room in which anything is drawn, in columns and lines.
const ROOM_MIN: (u16, u16) = (40, 12);
/// Columns from which on the lists stand beside the pane and not above it.
const WIDE_COLUMNS: u16 = 100;

/// The lines of a pane, until something changes what is shown.
#[derive(Default)]
pub(crate) struct Drawn {
    edition: Option<u64>,
    lines: Vec<PaneLine>,
}

/// Draws everything.
pub(crate) fn draw(frame: &mut Frame<'_>, model: &mut Model<'_>, drawn: &mut Drawn, theme: Theme) {
    let area = frame.area();
    if area.width < ROOM_MIN.0 || area.height < ROOM_MIN.1 {
        let text = format!("this terminal is too small: {} columns and {} lines are needed", ROOM_MIN.0, ROOM_MIN.1);
        frame.render_widget(Paragraph::new(text), area);
        return;
    }
    if drawn.edition != Some(model.edition) {
        drawn.lines = lines(model);
        drawn.edition = Some(model.edition);
        model.scroll = model.scroll.min(drawn.lines.len().saturating_sub(1));
    }
    let [title, scrubber, middle, bottom] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(1), Constraint::Min(1), Constraint::Length(1)])
            .areas(area);
    draw_title(frame, model, title, theme);
    draw_scrubber(frame, model, scrubber, theme);
    let [events, nodes, pane] = parts(middle);
    lists::draw_events(frame, model, events, theme);
    lists::draw_nodes(frame, model, nodes, theme);
    draw_pane(frame, model, &drawn.lines, pane, theme);
    draw_bottom(frame, model, bottom, theme);
    if model.shows_help {
        draw_help(frame, area, theme);
    }
}

/// Where the lists and the pane are.
fn parts(area: Rect) -> [Rect; 3] {
    if area.width >= WIDE_COLUMNS {
        let [left, pane] = Layout::horizontal([Constraint::Percentage(42), Constraint::Min(1)]).areas(area);
        let [events, nodes] = Layout::vertical([Constraint::Percentage(55), Constraint::Min(1)]).areas(left);
        return [events, nodes, pane];
    }
    let [lists, pane] = Layout::vertical([Constraint::Percentage(45), Constraint::Min(1)]).areas(area);
    let [events, nodes] = Layout::horizontal([Constraint::Percentage(55), Constraint::Min(1)]).areas(lists);
    [events, nodes, pane]
}

fn draw_title(frame: &mut Frame<'_>, model: &mut Model<'_>, area: Rect, theme: Theme) {
    let status = match model.state(model.at()) {
        Ok(state) => state.get("status").and_then(|status| status.as_str()).unwrap_or("unknown").to_owned(),
        Err(_) => "unknown".to_owned(),
    };
    let about = &model.about;
    let place = format!("{} ", about.place);
    let left = Line::from(vec![
        Span::styled(format!(" {}", about.workflow), theme.strong()),
        Span::raw(format!("  {}  ", about.execution)),
        Span::styled(status.clone(), theme.status(&status)),
    ]);
    let room = usize::from(area.width).saturating_sub(left.width() + 1);
    frame.render_widget(Paragraph::new(left), area);
    if place.chars().count() <= room {
        frame.render_widget(Paragraph::new(Line::from(place).style(theme.faint()).right_aligned()), area);
    }
}

/// A line that is as long as the execution, with a sign where it is looked at.
fn draw_scrubber(frame: &mut Frame<'_>, model: &Model<'_>, area: Rect, theme: Theme) {
    let (event, count) = (model.event(), model.events.len());
    let time = event.recorded_at.get(11..23).unwrap_or(&event.recorded_at);
    let follows = if model.is_following { " following" } else { "" };
    let told = format!(" {}/{count}  position {}  {time}{follows} ", event.revision, event.position);
    let width = usize::from(area.width).saturating_sub(told.chars().count() + 3).max(1);
    let place = |at: usize| at * (width - 1) / (count.max(2) - 1);
    let mut line: Vec<char> = vec!['─'; width];
    if let Some(mark) = model.mark {
        line[place(mark)] = '▲';
    }
    line[place(model.at())] = '●';
    let line: String = line.into_iter().collect();
    let spans = vec![Span::raw(" ├"), Span::styled(line, theme.accent()), Span::raw("┤"), Span::raw(told)];
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

fn draw_pane(frame: &mut Frame<'_>, model: &Model<'_>, lines: &[PaneLine], area: Rect, theme: Theme) {
    let mut title: Vec<Span<'_>> = vec![Span::raw(" ")];
    for pane in Pane::ALL {
        let is_shown = pane == model.pane;
        let name = if is_shown { format!("[{}]", pane.title()) } else { format!(" {} ", pane.title()) };
        title.push(Span::styled(name, if is_shown { theme.strong() } else { theme.faint() }));
    }
    let block = Block::bordered().title(Line::from(title)).border_style(theme.faint());
    let room = usize::from(area.height.saturating_sub(2));
    let more = lines.len().saturating_sub(model.scroll + room);
    let block =
        if more > 0 { block.title_bottom(Line::from(format!(" {more} more: PgDn ")).right_aligned()) } else { block };
    let shown = lines.iter().skip(model.scroll).take(room);
    let text: Vec<Line<'_>> = shown.map(|line| Line::styled(line.text.as_str(), theme.look(line.look))).collect();
    frame.render_widget(Paragraph::new(text).block(block), area);
}

fn draw_bottom(frame: &mut Frame<'_>, model: &Model<'_>, area: Rect, theme: Theme) {
    let line = match &model.typed {
        Some(typed) => Line::from(vec![
            Span::styled(format!(" {}", typed.what.prompt()), theme.strong()),
            Span::raw(format!("{}▏", typed.text)),
        ]),
        None if !model.message.is_empty() => Line::styled(format!(" {}", model.message), theme.accent()),
        None => {
            Line::styled(" j k event  h l node  [ ] change  m mark  d diff  / search  ? help  q quit", theme.faint())
        }
    };
    frame.render_widget(Paragraph::new(line), area);
}

fn draw_help(frame: &mut Frame<'_>, area: Rect, theme: Theme) {
    let room = u16::try_from(HELP.len()).unwrap_or(u16::MAX).saturating_add(2).min(area.height);
    let width = 72.min(area.width);
    let page = Rect { x: (area.width - width) / 2, y: (area.height - room) / 2, width, height: room };
    let line = |(keys, what): &(&'static str, &'static str)| {
        Line::from(vec![Span::styled(format!(" {keys:<12}"), theme.strong()), Span::raw(*what)])
    };
    let block = Block::bordered().title(" Keys ").title_bottom(Line::from(" any key closes this ").right_aligned());
    frame.render_widget(Clear, page);
    frame.render_widget(Paragraph::new(HELP.iter().map(line).collect::<Vec<_>>()).block(block), page);
}
