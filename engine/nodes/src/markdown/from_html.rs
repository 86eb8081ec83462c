//! HTML into Markdown: what can be said in Markdown is, the rest is its text.

use std::collections::HashSet;

use timeloom_domain::item::JsonObject;
use timeloom_engine::node::NodeError;

use super::{flag, option};
use crate::html::dom::{Document, NodeId};
use crate::values;

/// Widest column that shorter cells are padded to, in characters.
const COLUMN_CHARS_MAX: usize = 120;
/// Longest Markdown: what is indented again and again grows.
const MARKDOWN_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The Markdown of `html`.
///
/// # Errors
/// [`NodeError`] when it is too long or nested too deeply.
pub(super) fn markdown(html: &str, options: &JsonObject) -> Result<String, NodeError> {
    let document = Document::parse(html)?;
    let lines_max = options.get("maxConsecutiveNewlines").map_or(3.0, values::number).clamp(1.0, 100.0) as usize;
    let mut writer = Writer::new(&document, options);
    let mut made = writer.blocks(document.body());
    if writer.too_long {
        return Err(NodeError::operation(format!("the Markdown would have more than {MARKDOWN_BYTES_MAX} bytes")));
    }
    for (number, target) in writer.references.iter().flatten().enumerate() {
        made.push_str(&format!("{}[{}]: {target}", if number == 0 { "\n\n" } else { "\n" }, number + 1));
    }
    let most = "\n".repeat(lines_max);
    let more = "\n".repeat(lines_max + 1);
    while made.contains(&more) {
        made = made.replace(&more, &most);
    }
    Ok(made.trim_matches('\n').to_owned())
}

struct Writer<'d> {
    document: &'d Document,
    bullet: &'d str,
    fence: &'d str,
    emphasis: &'d str,
    strong: &'d str,
    strike: &'d str,
    indented_code: bool,
    keeps_data_images: bool,
    ignored: HashSet<&'d str>,
    references: Option<Vec<String>>,
    too_long: bool,
}

const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "center",
    "dd",
    "details",
    "dir",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "html",
    "li",
    "main",
    "menu",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "ul",
];

impl<'d> Writer<'d> {
    fn new(document: &'d Document, options: &'d JsonObject) -> Self {
        Self {
            document,
            bullet: option(options, "bulletMarker", "*"),
            fence: option(options, "codeFence", "```"),
            emphasis: option(options, "emDelimiter", "_"),
            strong: option(options, "strongDelimiter", "**"),
            strike: option(options, "strikeDelimiter", "~~"),
            indented_code: option(options, "codeBlockStyle", "fence") == "indented",
            keeps_data_images: flag(options, "keepDataImages"),
            ignored: option(options, "ignore", "").split(',').map(str::trim).filter(|name| !name.is_empty()).collect(),
            references: flag(options, "useLinkReferenceDefinitions").then(Vec::new),
            too_long: false,
        }
    }

    /// The blocks inside a node, a blank line between them.
    fn blocks(&mut self, id: NodeId) -> String {
        let mut parts: Vec<String> = Vec::new();
        let mut line = String::new();
        for child in self.document.children(id).to_vec() {
            let is_block = self.document.name(child).is_some_and(|name| BLOCKS.contains(&name));
            if is_block {
                end_line(&mut line, &mut parts);
                let block = self.block(child);
                parts.extend((!block.is_empty()).then_some(block));
            } else {
                let text = self.inline(child);
                add_inline(&mut line, &text);
            }
        }
        end_line(&mut line, &mut parts);
        parts.join("\n\n")
    }

    fn block(&mut self, id: NodeId) -> String {
        let name = self.document.name(id).unwrap_or_default().to_owned();
        if self.ignored.contains(name.as_str()) {
            return String::new();
        }
        match name.as_str() {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                let level = name[1..].parse().unwrap_or(1);
                let text = self.line_of(id);
                if text.is_empty() { text } else { format!("{} {text}", "#".repeat(level)) }
            }
            "hr" => "---".to_owned(),
            "pre" => self.code_block(id),
            "blockquote" => {
                let text = self.blocks(id);
                self.quoted(&text)
            }
            "ul" | "ol" | "menu" | "dir" => self.list(id, name == "ol"),
            "table" => self.table(id),
            _ => self.blocks(id),
        }
    }

    fn line_of(&mut self, id: NodeId) -> String {
        let mut line = String::new();
        for child in self.document.children(id).to_vec() {
            let text = self.inline(child);
            add_inline(&mut line, &text);
        }
        line.trim().replace("  \n", " ")
    }

    fn code_block(&self, id: NodeId) -> String {
        let code = self.document.text(id);
        let code = code.trim_matches('\n');
        if self.indented_code {
            return prefixed(code, "    ", "    ");
        }
        let inner = self.document.children(id).iter().copied().find(|child| self.document.name(*child) == Some("code"));
        let classes = inner.and_then(|code| self.document.attribute(code, "class")).unwrap_or_default();
        let language = classes.split_whitespace().find_map(|class| class.strip_prefix("language-")).unwrap_or_default();
        format!("{}{language}\n{code}\n{}", self.fence, self.fence)
    }

    fn list(&mut self, id: NodeId, ordered: bool) -> String {
        let start = self.document.attribute(id, "start").and_then(|start| start.parse::<i64>().ok()).unwrap_or(1);
        let mut number = start;
        let mut lines = Vec::new();
        for child in self.document.children(id).to_vec() {
            let Some(name) = self.document.name(child) else { continue };
            let content = if name == "li" { self.blocks(child) } else { self.block(child) };
            let content = content.replace("\n\n", "\n");
            let marker = if ordered { format!("{number}. ") } else { format!("{} ", self.bullet) };
            number = number.saturating_add(1);
            lines.push(self.prefixed(&content, &marker, &" ".repeat(marker.len())));
        }
        lines.join("\n")
    }

    fn prefixed(&mut self, text: &str, first: &str, further: &str) -> String {
        let line_count = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
        if text.len() + line_count * further.len() > MARKDOWN_BYTES_MAX {
            self.too_long = true;
            return String::new();
        }
        prefixed(text, first, further)
    }

    /// The text as said by someone: what already is so has its marks side by side.
    fn quoted(&mut self, text: &str) -> String {
        let line_count = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
        if text.len() + line_count * 2 > MARKDOWN_BYTES_MAX {
            self.too_long = true;
            return String::new();
        }
        let mark = |line: &str| if line.starts_with('>') { format!(">{line}") } else { format!("> {line}") };
        if text.is_empty() { String::new() } else { text.split('\n').map(mark).collect::<Vec<_>>().join("\n") }
    }

    fn table(&mut self, id: NodeId) -> String {
        let mut rows: Vec<Vec<String>> = Vec::new();
        let mut open = vec![id];
        let mut row_ids = Vec::new();
        let mut lines = Vec::new();
        while let Some(node) = open.pop() {
            match self.document.name(node) {
                Some("tr") => row_ids.push(node),
                Some("caption") => {
                    let caption = self.line_of(node);
                    lines.extend((!caption.is_empty()).then(|| format!("__{caption}__")));
                }
                _ => open.extend(self.document.children(node).iter().rev()),
            }
        }
        for row in row_ids {
            let cells = self.document.children(row).to_vec();
            let cells = cells.into_iter().filter(|cell| matches!(self.document.name(*cell), Some("td" | "th")));
            let cells: Vec<NodeId> = cells.collect();
            // A row is one line: breaks in a cell are left out, as there is no mark for them.
            let in_line = |text: String| text.replace("  \n", "").split_whitespace().collect::<Vec<_>>().join(" ");
            let texts = cells.into_iter().map(|cell| in_line(self.blocks(cell)));
            rows.push(texts.map(|text| text.replace('|', "\\|")).collect());
        }
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        if columns == 0 {
            return String::new();
        }
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0).clamp(1, COLUMN_CHARS_MAX)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let line = |row: &[String]| {
            let cells = widths.iter().enumerate().map(|(column, width)| {
                let text = row.get(column).map(String::as_str).unwrap_or_default();
                format!("{text:width$}")
            });
            format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
        };
        let rule = widths.iter().map(|width| "-".repeat(*width)).collect::<Vec<_>>();
        let (head, rest) = rows.split_first().map_or((&[][..], &[][..]), |(head, rest)| (head.as_slice(), rest));
        lines.extend([line(head), line(&rule)]);
        lines.extend(rest.iter().map(|row| line(row)));
        lines.join("\n")
    }

    fn inline(&mut self, id: NodeId) -> String {
        if let Some(text) = self.document.text_node(id) {
            return escaped(&collapsed(text));
        }
        let Some(name) = self.document.name(id).map(str::to_owned) else { return String::new() };
        if self.ignored.contains(name.as_str()) {
            return String::new();
        }
        match name.as_str() {
            "script" | "style" | "head" | "template" | "title" | "noscript" => String::new(),
            "br" => "  \n".to_owned(),
            "b" | "strong" => self.marked(id, self.strong.to_owned()),
            "i" | "em" => self.marked(id, self.emphasis.to_owned()),
            "s" | "del" | "strike" => self.marked(id, self.strike.to_owned()),
            "code" | "kbd" | "samp" | "tt" => {
                let text = self.document.text(id);
                let ticks = if text.contains('`') { "``" } else { "`" };
                if text.trim().is_empty() { String::new() } else { format!("{ticks}{text}{ticks}") }
            }
            "img" => self.image(id),
            "a" => self.link(id),
            name if BLOCKS.contains(&name) => self.block(id),
            _ => self.content(id),
        }
    }

    fn content(&mut self, id: NodeId) -> String {
        let mut text = String::new();
        for child in self.document.children(id).to_vec() {
            let part = self.inline(child);
            add_inline(&mut text, &part);
        }
        text
    }

    /// The content between marks; blanks at its ends stay outside.
    fn marked(&mut self, id: NodeId, mark: String) -> String {
        let text = self.content(id);
        let inner = text.trim();
        if inner.is_empty() {
            return text;
        }
        let before = &text[..text.len() - text.trim_start().len()];
        let after = &text[text.trim_end().len()..];
        format!("{before}{mark}{inner}{mark}{after}")
    }

    fn image(&self, id: NodeId) -> String {
        let attribute = |name: &str| self.document.attribute(id, name).unwrap_or_default();
        let source = attribute("src");
        if source.is_empty() || (source.starts_with("data:") && !self.keeps_data_images) {
            return String::new();
        }
        let title = attribute("title");
        let title = if title.is_empty() { String::new() } else { format!(" \"{title}\"") };
        format!("![{}]({}{title})", attribute("alt"), encoded(source))
    }

    fn link(&mut self, id: NodeId) -> String {
        let text = self.content(id);
        let target = self.document.attribute(id, "href").unwrap_or_default().to_owned();
        if target.is_empty() || text.trim().is_empty() {
            return text;
        }
        if self.document.text(id).trim() == target {
            return format!("<{target}>");
        }
        let title = self.document.attribute(id, "title").filter(|title| !title.is_empty());
        let title = title.map(|title| format!(" \"{title}\"")).unwrap_or_default();
        let target = format!("{}{title}", encoded(&target));
        match &mut self.references {
            Some(known) => {
                let place = known.iter().position(|one| *one == target).unwrap_or_else(|| {
                    known.push(target);
                    known.len() - 1
                });
                format!("[{}][{}]", text.trim(), place + 1)
            }
            None => format!("[{}]({target})", text.trim()),
        }
    }
}

/// Adds text to a line: one blank where either side has one.
fn add_inline(line: &mut String, text: &str) {
    let at_start = line.is_empty() || line.ends_with([' ', '\n']);
    line.push_str(if at_start { text.trim_start_matches(' ') } else { text });
}

fn end_line(line: &mut String, parts: &mut Vec<String>) {
    let text = std::mem::take(line);
    let text = text.trim();
    if !text.is_empty() {
        parts.push(begin_escaped(text));
    }
}

fn collapsed(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    let mut blank = false;
    for character in text.chars() {
        if character.is_whitespace() && character != '\u{a0}' {
            blank = true;
            continue;
        }
        if blank {
            made.push(' ');
        }
        blank = false;
        made.push(character);
    }
    if blank {
        made.push(' ');
    }
    made
}

/// Text whose characters mean nothing in Markdown.
fn escaped(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\\' | '`' | '*' | '_' | '~' | '[' | ']') {
            made.push('\\');
        }
        made.push(character);
    }
    made
}

/// A paragraph that does not look like the beginning of another block.
fn begin_escaped(text: &str) -> String {
    let heading = text.trim_start_matches('#');
    let marks = text.len() - heading.len();
    let looks = text.starts_with("+ ")
        || text.starts_with("- ")
        || text.starts_with('>')
        || text.starts_with('=')
        || ((1..=6).contains(&marks) && heading.starts_with(' '));
    if looks {
        return format!("\\{text}");
    }
    let digits = text.len() - text.trim_start_matches(|character: char| character.is_ascii_digit()).len();
    match text.split_at(digits) {
        (number, rest) if digits > 0 && rest.starts_with(". ") => format!("{number}\\{rest}"),
        _ => text.to_owned(),
    }
}

fn encoded(target: &str) -> String {
    target.replace(' ', "%20").replace('(', "%28").replace(')', "%29")
}

fn prefixed(text: &str, first: &str, further: &str) -> String {
    let lines = text.split('\n').enumerate().map(|(index, line)| {
        let prefix = if index == 0 { first } else { further };
        if line.is_empty() { prefix.trim_end().to_owned() } else { format!("{prefix}{line}") }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn made(html: &str, options: Value) -> String {
        markdown(html, options.as_object().unwrap()).unwrap()
    }

    #[test]
    fn elements_become_marks() {
        let html = "<h2>A <i>b</i></h2><p>One  <b>two </b>three<br>four <a href='/x y' title='t'>link</a></p>
            <ul><li>a<ol><li>x</li><li>y</li></ol></li><li>b</li></ul><blockquote><p>said</p><p>again</p></blockquote>
            <pre><code class='language-js'>let a = 1;\n</code></pre><hr><img src='p.png' alt='pic'><code>c*d</code>
            <script>no()</script>";
        assert_eq!(
            made(html, json!({})),
            "## A _b_\n\nOne **two** three  \nfour [link](/x%20y \"t\")\n\n* a\n  1. x\n  2. y\n* b\n\n> said\n> \n> again\n\n\
             ```js\nlet a = 1;\n```\n\n---\n\n![pic](p.png)`c*d`"
        );
    }

    #[test]
    fn text_that_looks_like_marks_is_kept_text() {
        assert_eq!(made("<p>1. a*b_c [d]</p><p># x</p>", json!({})), "1\\. a\\*b\\_c \\[d\\]\n\n\\# x");
    }

    #[test]
    fn tables_are_written_as_tables() {
        let html = "<table><thead><tr><th>Name</th><th>N</th></tr></thead><tr><td>a|b</td><td>1</td></tr></table>";
        assert_eq!(made(html, json!({})), "| Name | N |\n| ---- | - |\n| a\\|b | 1 |");
    }

    #[test]
    fn a_table_keeps_its_caption_and_fills_short_rows() {
        let html =
            "<table><caption>All <i>of</i> it</caption><tr><td>1</td></tr><tr><td>x<br>y</td><td>3</td></tr></table>";
        assert_eq!(made(html, json!({})), "__All _of_ it__\n| 1  |   |\n| -- | - |\n| xy | 3 |");
    }

    #[test]
    fn quotations_hold_blocks_and_quotations() {
        let quoted = |inner: &str| made(&format!("before<blockquote>{inner}</blockquote>after"), json!({}));
        assert_eq!(quoted("one<br>two"), "before\n\n> one  \n> two\n\nafter");
        assert_eq!(quoted("<ul><li>x</li><li>y</li></ul>"), "before\n\n> * x\n> * y\n\nafter");
        assert_eq!(quoted("a<blockquote>b</blockquote>"), "before\n\n> a\n> \n>> b\n\nafter");
        assert_eq!(quoted(""), "before\n\nafter");
    }

    #[test]
    fn boxes_to_tick_are_left_out() {
        let html = "<ul><li><input type='checkbox'> open</li><li><input type='checkbox' checked> done</li></ul>";
        assert_eq!(made(html, json!({})), "* open\n* done");
    }

    #[test]
    fn what_grows_has_an_end() {
        let (document, options) = (Document::parse("").unwrap(), JsonObject::new());
        let mut writer = Writer::new(&document, &options);
        assert_eq!(writer.prefixed("a\nb", "* ", "  "), "* a\n  b");
        assert!(!writer.too_long);
        assert_eq!(writer.quoted(&"\n".repeat(24 << 20)), "");
        assert!(std::mem::take(&mut writer.too_long));
        assert_eq!(writer.prefixed(&"\n".repeat(24 << 20), "* ", "  "), "");
        assert!(writer.too_long);
    }

    #[test]
    fn options_choose_the_marks() {
        let html =
            "<ul><li><b>x</b> <em>y</em></li></ul><pre>code</pre><a href='/a'>l</a><img src='data:x'><nav>menu</nav>";
        let options = json!({
            "bulletMarker": "-", "strongDelimiter": "__", "emDelimiter": "*", "codeBlockStyle": "indented",
            "useLinkReferenceDefinitions": true, "keepDataImages": true, "ignore": "nav",
        });
        assert_eq!(made(html, options), "- __x__ *y*\n\n    code\n\n[l][1]![](data:x)\n\n[1]: /a");
        assert_eq!(made("<a href='http://x.example'>http://x.example</a>", json!({})), "<http://x.example>");
    }
}
