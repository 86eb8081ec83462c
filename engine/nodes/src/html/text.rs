//! HTML as plain text for people: paragraphs apart, lists with their bullets, the addresses of links and pictures in
//! brackets, lines of at most 80 characters.

use std::cell::Cell;
use std::collections::HashSet;

use timeloom_engine::node::NodeError;

use super::dom::{Document, NodeId};

/// Longest line; a word that is longer stays whole.
const LINE_CHARS: usize = 80;
/// Longest text, in bytes: what is indented again and again grows.
const TEXT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Shortest line in the deepest of lists.
const LINE_CHARS_MIN: usize = 20;

/// The text of these nodes and of what is inside them, except what is inside `skipped`.
///
/// # Errors
/// [`NodeError`] when it would be too long.
pub(crate) fn readable(document: &Document, nodes: &[NodeId], skipped: &HashSet<NodeId>) -> Result<String, NodeError> {
    let writer = Writer { document, skipped, too_long: Cell::new(false) };
    let mut flow = Flow::new(LINE_CHARS);
    for node in nodes {
        writer.node(*node, Style::default(), &mut flow);
    }
    if writer.too_long.get() {
        return Err(NodeError::operation(format!("the text would have more than {TEXT_BYTES_MAX} bytes")));
    }
    Ok(flow.finish())
}

/// Text that is being written: words, and how many lines are to be left before the next.
struct Flow {
    text: String,
    line_chars: usize,
    width: usize,
    pending_lines: usize,
    pending_blank: bool,
}

impl Flow {
    fn new(width: usize) -> Self {
        Self {
            text: String::new(),
            line_chars: 0,
            width: width.max(LINE_CHARS_MIN),
            pending_lines: 0,
            pending_blank: false,
        }
    }

    /// Begins or ends a block: at least so many line ends before what comes next.
    fn lines(&mut self, count: usize) {
        self.pending_lines = self.pending_lines.max(count);
        self.pending_blank = false;
    }

    fn words(&mut self, text: &str) {
        let mut words = text.split_whitespace().peekable();
        if words.peek().is_none() {
            self.pending_blank |= !text.is_empty();
            return;
        }
        self.pending_blank |= text.starts_with(char::is_whitespace);
        for word in words {
            self.word(word);
            self.pending_blank = true;
        }
        self.pending_blank = text.ends_with(char::is_whitespace);
    }

    fn word(&mut self, word: &str) {
        let chars = word.chars().count();
        if self.pending_lines > 0 {
            self.break_lines();
        } else if self.pending_blank && self.line_chars > 0 {
            if self.line_chars + 1 + chars > self.width {
                self.text.push('\n');
                self.line_chars = 0;
            } else {
                self.text.push(' ');
                self.line_chars += 1;
            }
        }
        self.pending_blank = false;
        self.text.push_str(word);
        self.line_chars += chars;
    }

    fn break_lines(&mut self) {
        if !self.text.is_empty() {
            let there = self.text.len() - self.text.trim_end_matches('\n').len();
            for _ in there..self.pending_lines {
                self.text.push('\n');
            }
        }
        self.pending_lines = 0;
        self.line_chars = 0;
    }

    /// A line end that the author put there.
    fn line_break(&mut self) {
        if self.pending_lines > 0 {
            self.break_lines();
        }
        self.text.push('\n');
        self.line_chars = 0;
        self.pending_blank = false;
    }

    /// Lines that are ready as they are.
    fn block(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.break_lines();
        self.text.push_str(text);
        self.line_chars = text.rsplit('\n').next().unwrap_or_default().chars().count();
    }

    fn finish(self) -> String {
        self.text.trim_matches('\n').to_owned()
    }
}

#[derive(Clone, Copy, Default)]
struct Style {
    upper: bool,
}

struct Writer<'d> {
    document: &'d Document,
    skipped: &'d HashSet<NodeId>,
    too_long: Cell<bool>,
}

impl Writer<'_> {
    fn node(&self, id: NodeId, style: Style, flow: &mut Flow) {
        if self.skipped.contains(&id) {
            return;
        }
        if let Some(text) = self.document.text_node(id) {
            match style.upper {
                true => flow.words(&text.to_uppercase()),
                false => flow.words(text),
            }
            return;
        }
        let Some(name) = self.document.name(id) else { return self.children(id, style, flow) };
        match name {
            "script" | "style" | "head" | "template" | "noscript" | "wbr" => {}
            "br" => flow.line_break(),
            "hr" => {
                flow.lines(2);
                flow.block(&"-".repeat(flow.width));
                flow.lines(2);
            }
            "img" => self.image(id, style, flow),
            "a" => self.link(id, style, flow),
            "h1" | "h2" | "h3" => self.apart(id, 3, 2, Style { upper: true }, flow),
            "h4" | "h5" | "h6" => self.apart(id, 2, 2, Style { upper: true }, flow),
            "p" | "table" => self.apart(id, 2, 2, style, flow),
            "article" | "aside" | "div" | "footer" | "form" | "header" | "main" | "nav" | "section" => {
                self.apart(id, 1, 1, style, flow);
            }
            "pre" => {
                flow.lines(2);
                flow.block(self.document.text(id).trim_matches('\n'));
                flow.lines(2);
            }
            "blockquote" => {
                flow.lines(2);
                flow.block(&self.inside(id, style, flow.width, "> ", "> "));
                flow.lines(2);
            }
            "ul" | "ol" => self.list(id, name == "ol", style, flow),
            _ => self.children(id, style, flow),
        }
    }

    fn children(&self, id: NodeId, style: Style, flow: &mut Flow) {
        for child in self.document.children(id) {
            self.node(*child, style, flow);
        }
    }

    fn apart(&self, id: NodeId, before: usize, after: usize, style: Style, flow: &mut Flow) {
        flow.lines(before);
        self.children(id, style, flow);
        flow.lines(after);
    }

    fn image(&self, id: NodeId, style: Style, flow: &mut Flow) {
        let attribute = |name: &str| self.document.attribute(id, name).unwrap_or_default();
        let alternative = attribute("alt");
        let alternative = if style.upper { alternative.to_uppercase() } else { alternative.to_owned() };
        let source = attribute("src");
        flow.words(&match (alternative.is_empty(), source.is_empty()) {
            (_, true) => alternative,
            (true, false) => format!("[{source}]"),
            (false, false) => format!("{alternative} [{source}]"),
        });
    }

    fn link(&self, id: NodeId, style: Style, flow: &mut Flow) {
        let before = flow.text.len();
        self.children(id, style, flow);
        let target = self.document.attribute(id, "href").unwrap_or_default();
        let target = target.strip_prefix("mailto:").unwrap_or(target);
        if target.is_empty() || target.starts_with('#') {
            return;
        }
        flow.pending_blank |= flow.text.len() > before;
        flow.words(&format!("[{target}]"));
    }

    /// What is inside a node, with something before its first line and before each further one.
    fn inside(&self, id: NodeId, style: Style, width: usize, first: &str, further: &str) -> String {
        let mut inner = Flow::new(width.saturating_sub(first.chars().count()));
        self.children(id, style, &mut inner);
        let text = inner.finish();
        let line_count = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
        if text.len() + line_count * further.len() > TEXT_BYTES_MAX {
            self.too_long.set(true);
            return String::new();
        }
        let lines = text.split('\n').enumerate();
        let prefixed = lines.map(|(index, line)| format!("{}{line}", if index == 0 { first } else { further }));
        prefixed.collect::<Vec<_>>().join("\n")
    }

    fn list(&self, id: NodeId, ordered: bool, style: Style, flow: &mut Flow) {
        let items: Vec<NodeId> =
            self.document.children(id).iter().copied().filter(|id| self.document.name(*id) == Some("li")).collect();
        let nested = self.is_nested(id);
        let gap = if nested { 1 } else { 2 };
        flow.lines(gap);
        let start = self.document.attribute(id, "start").and_then(|start| start.parse::<i64>().ok()).unwrap_or(1);
        let number = |index: usize| format!(" {}. ", start.saturating_add(index as i64));
        let widest = items.len().checked_sub(1).map_or(0, |last| number(last).len());
        for (index, item) in items.into_iter().enumerate() {
            if self.skipped.contains(&item) {
                continue;
            }
            let prefix = if ordered { format!("{:widest$}", number(index)) } else { " * ".to_owned() };
            flow.lines(1);
            flow.block(&self.inside(item, style, flow.width, &prefix, &" ".repeat(prefix.len())));
        }
        flow.lines(gap);
    }

    fn is_nested(&self, id: NodeId) -> bool {
        let mut above = self.document.parent(id);
        while let Some(node) = above {
            if self.document.name(node) == Some("li") {
                return true;
            }
            above = self.document.parent(node);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(html: &str) -> String {
        let document = Document::parse(html).unwrap();
        readable(&document, &[document.body()], &HashSet::new()).unwrap()
    }

    #[test]
    fn blocks_stand_apart_and_links_show_where_they_lead() {
        let html =
            "<h1>Big news</h1><p>Read  <a href='https://a.example'>this</a>,\n <b>now</b>.</p><p>Then<br>that</p>
            <div>one</div><div>two <img alt='pic' src='p.png'></div><a href='#top'>up</a>";
        assert_eq!(
            text(html),
            "BIG NEWS\n\nRead this [https://a.example], now.\n\nThen\nthat\n\none\ntwo pic [p.png]\nup"
        );
    }

    #[test]
    fn lists_and_quotes_are_marked() {
        let html = "<ul><li>a<ol><li>x</li><li>y</li></ol></li><li>b</li></ul><blockquote>said<br>twice</blockquote>";
        assert_eq!(text(html), " * a\n    1. x\n    2. y\n * b\n\n> said\n> twice");
    }

    #[test]
    fn lines_are_wrapped_between_words() {
        let html = format!("<p>{}</p>", "word ".repeat(40));
        let lines: Vec<usize> = text(&html).lines().map(str::len).collect();
        assert_eq!(lines, [79, 79, 39]);
    }
}
