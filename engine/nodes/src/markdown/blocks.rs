//! The blocks that are written otherwise than CommonMark's writer does: tables, lists of tasks and quotations.
//!
//! Invariant: quotations deeper than [`QUOTES_INDENTED_MAX`] are not indented further, so that a text grows by a known
//! factor at most.

use pulldown_cmark::{Alignment, CowStr, Event, Tag, TagEnd, html};
use timeloom_domain::item::JsonObject;

use super::flag;

/// Deepest quotation whose lines are indented, in levels.
const QUOTES_INDENTED_MAX: usize = 8;
/// Start of an item that is a task.
const TASK: &str = "<li class=\"task-list-item\" style=\"list-style-type: none;\">";
/// How the box of a task looks.
const BOX_STYLE: &str = "margin: 0px 0.35em 0.25em -1.6em; vertical-align: middle;";

/// The HTML of these events.
pub(super) fn written(events: &[Event<'_>], options: &JsonObject) -> String {
    let joins_quotes = !flag(options, "splitAdjacentBlockquotes");
    let mut table = Table { names_heads: flag(options, "tablesHeaderId"), ..Table::default() };
    // What is inside of each quotation that is open, after what is in none.
    let mut open: Vec<Vec<Event<'_>>> = Vec::new();
    let mut current = Vec::with_capacity(events.len());
    let mut depth: usize = 0;
    let mut place = 0;
    while let Some(event) = events.get(place) {
        place += 1;
        let rest = events.get(place..).unwrap_or_default();
        match event {
            Event::End(TagEnd::BlockQuote(_)) if joins_quotes && begins_quote(rest) => place += 1,
            Event::Start(Tag::BlockQuote(_)) if depth < QUOTES_INDENTED_MAX => {
                depth += 1;
                open.push(std::mem::take(&mut current));
            }
            Event::Start(Tag::BlockQuote(_)) => {
                depth += 1;
                current.push(event.clone());
            }
            Event::End(TagEnd::BlockQuote(_)) => {
                depth = depth.saturating_sub(1);
                match open.pop_if(|_| depth < QUOTES_INDENTED_MAX) {
                    Some(outer) => {
                        let inner = std::mem::replace(&mut current, outer);
                        current.push(Event::Html(quotation(inner).into()));
                    }
                    None => current.push(event.clone()),
                }
            }
            Event::Start(Tag::Item) if begins_task(rest) => current.push(Event::Html(TASK.into())),
            Event::TaskListMarker(is_done) => {
                let mark = if *is_done { " checked" } else { "" };
                let made = format!("<input type=\"checkbox\" disabled style=\"{BOX_STYLE}\"{mark}> ");
                current.push(Event::InlineHtml(made.into()));
            }
            other => current.push(table.part(other, rest).map_or_else(|| other.clone(), Event::Html)),
        }
    }
    rendered(current)
}

fn rendered(events: Vec<Event<'_>>) -> String {
    let mut made = String::new();
    html::push_html(&mut made, events.into_iter());
    made
}

fn begins_quote(events: &[Event<'_>]) -> bool {
    matches!(events.first(), Some(Event::Start(Tag::BlockQuote(_))))
}

fn begins_task(events: &[Event<'_>]) -> bool {
    matches!(events, [Event::TaskListMarker(_), ..] | [Event::Start(Tag::Paragraph), Event::TaskListMarker(_), ..])
}

/// A quotation with its lines indented, but for text that keeps its blanks.
fn quotation(inner: Vec<Event<'_>>) -> String {
    let inner = rendered(inner);
    let mut made = String::from("<blockquote>\n");
    let mut in_code = false;
    for line in inner.trim_end().split('\n') {
        in_code = in_code || line.contains("<pre>");
        made.push_str(if in_code { "" } else { "  " });
        made.push_str(line);
        made.push('\n');
        in_code = in_code && !line.contains("</pre>");
    }
    made.push_str("</blockquote>\n");
    made
}

/// The table that is being written.
#[derive(Default)]
struct Table {
    /// Whether heads of columns get an id.
    names_heads: bool,
    alignments: Vec<Alignment>,
    in_head: bool,
    column: usize,
}

impl Table {
    /// The HTML for a part of a table; nothing for what is none. `rest` is what follows.
    fn part<'e>(&mut self, event: &Event<'_>, rest: &[Event<'_>]) -> Option<CowStr<'e>> {
        let element = if self.in_head { "th" } else { "td" };
        Some(match event {
            Event::Start(Tag::Table(alignments)) => {
                self.alignments.clone_from(alignments);
                "<table>\n".into()
            }
            Event::Start(Tag::TableHead) => {
                (self.in_head, self.column) = (true, 0);
                "<thead>\n<tr>\n".into()
            }
            Event::End(TagEnd::TableHead) => {
                self.in_head = false;
                "</tr>\n</thead>\n<tbody>\n".into()
            }
            Event::Start(Tag::TableRow) => {
                self.column = 0;
                "<tr>\n".into()
            }
            Event::End(TagEnd::TableRow) => "</tr>\n".into(),
            Event::End(TagEnd::Table) => "</tbody>\n</table>\n".into(),
            Event::Start(Tag::TableCell) => {
                let style = match self.alignments.get(self.column) {
                    Some(Alignment::Left) => " style=\"text-align:left;\"",
                    Some(Alignment::Center) => " style=\"text-align:center;\"",
                    Some(Alignment::Right) => " style=\"text-align:right;\"",
                    _ => "",
                };
                let id = if self.in_head && self.names_heads { head_id(rest) } else { String::new() };
                format!("<{element}{id}{style}>").into()
            }
            Event::End(TagEnd::TableCell) => {
                self.column += 1;
                format!("</{element}>\n").into()
            }
            _ => return None,
        })
    }
}

/// The id of a column's head, made of its text.
fn head_id(events: &[Event<'_>]) -> String {
    let within = events.iter().take_while(|event| !matches!(event, Event::End(TagEnd::TableCell)));
    let texts = within.filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
        _ => None,
    });
    let id = texts.collect::<String>().trim().replace(' ', "_").to_lowercase();
    if id.is_empty() { id } else { format!(" id=\"{}\"", super::to_html::escaped(&id)) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::to_html::html;
    use super::QUOTES_INDENTED_MAX;

    fn made(markdown: &str, options: Value) -> String {
        html(markdown, options.as_object().unwrap())
    }

    #[test]
    fn tasks_are_items_with_a_box() {
        let (item, style) = ("<li class=\"task-list-item\" style=\"list-style-type: none;\">", super::BOX_STYLE);
        let open = format!("{item}<input type=\"checkbox\" disabled style=\"{style}\"> open</li>");
        let done = format!("{item}<input type=\"checkbox\" disabled style=\"{style}\" checked> done</li>");
        let (markdown, with_tasks) = ("- [ ] open\n- [x] done\n- plain", json!({"tasklists": true}));
        assert_eq!(made(markdown, with_tasks), format!("<ul>\n{open}\n{done}\n<li>plain</li>\n</ul>"));
        assert_eq!(made("- [ ] open", json!({})), "<ul>\n<li>[ ] open</li>\n</ul>");
    }

    #[test]
    fn each_cell_of_a_table_has_a_line() {
        assert_eq!(
            made("| My Head | b |\n|:--|--:|\n| **1** | |", json!({"tables": true, "tablesHeaderId": true})),
            "<table>\n<thead>\n<tr>\n<th id=\"my_head\" style=\"text-align:left;\">My Head</th>\n\
             <th id=\"b\" style=\"text-align:right;\">b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n\
             <td style=\"text-align:left;\"><strong>1</strong></td>\n<td style=\"text-align:right;\"></td>\n</tr>\n\
             </tbody>\n</table>"
        );
        assert_eq!(
            made("before\n\na | b\n--|--\n1 | 2\n\nafter", json!({"tables": true})),
            "<p>before</p>\n<table>\n<thead>\n<tr>\n<th>a</th>\n<th>b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>1</td>\n\
             <td>2</td>\n</tr>\n</tbody>\n</table>\n<p>after</p>"
        );
    }

    #[test]
    fn quotations_are_indented_and_neighbours_are_one() {
        assert_eq!(
            made("> said\n> more\n\nafter", json!({})),
            "<blockquote>\n  <p>said\n  more</p>\n</blockquote>\n<p>after</p>"
        );
        assert_eq!(made("> a\n\n> b", json!({})), "<blockquote>\n  <p>a</p>\n  <p>b</p>\n</blockquote>");
        assert_eq!(
            made("> a\n\n> b", json!({"splitAdjacentBlockquotes": true})),
            "<blockquote>\n  <p>a</p>\n</blockquote>\n<blockquote>\n  <p>b</p>\n</blockquote>"
        );
        assert_eq!(
            made("> # h\n> - x\n> - y", json!({})),
            "<blockquote>\n  <h1 id=\"h\">h</h1>\n  <ul>\n  <li>x</li>\n  <li>y</li>\n  </ul>\n</blockquote>"
        );
        assert_eq!(
            made("> > deep", json!({})),
            "<blockquote>\n  <blockquote>\n    <p>deep</p>\n  </blockquote>\n</blockquote>"
        );
        let code = made("> ```\n> a\n>\n> b\n> ```\n> c", json!({}));
        assert_eq!(code, "<blockquote>\n<pre><code>a\n\nb\n</code></pre>\n  <p>c</p>\n</blockquote>");
    }

    #[test]
    fn very_deep_quotations_are_whole_and_do_not_grow() {
        let deep = made(&format!("{} x", ">".repeat(300)), json!({}));
        assert_eq!((deep.matches("<blockquote>").count(), deep.matches("</blockquote>").count()), (300, 300));
        let blanks = deep.lines().map(|line| line.len() - line.trim_start().len()).max();
        assert_eq!(blanks, Some(2 * QUOTES_INDENTED_MAX));
    }
}
