//! HTML of authors, reduced to what cannot do any harm: words with a form, lists, tables, links to the web.
//!
//! Invariant: what comes out has elements of the list and no others, all of them closed, with attributes of the list;
//! everything else is text or left out. No script, frame, form, style or address of anything but a page comes through.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use maud::{Escaper, PreEscaped};
use std::fmt::Write as _;

/// Longest HTML text, in bytes; what is behind is left out.
const HTML_BYTES_MAX: usize = 512 << 10;
/// Most elements within each other; deeper ones are left out, their text stays.
const DEPTH_MAX: usize = 32;

/// Elements that are kept.
const KEPT: [&str; 41] = [
    "a",
    "abbr",
    "b",
    "blockquote",
    "caption",
    "cite",
    "code",
    "dd",
    "del",
    "details",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "i",
    "ins",
    "kbd",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "s",
    "small",
    "span",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
];
/// Kept ones besides.
const KEPT_TOO: [&str; 3] = ["u", "ul", "tfoot"];
/// Kept elements without content.
const EMPTY: [&str; 3] = ["br", "hr", "img"];
/// Elements that are left out with everything in them.
const DROPPED: [&str; 14] = [
    "script", "style", "iframe", "object", "embed", "noscript", "template", "textarea", "title", "select", "svg",
    "math", "xmp", "noembed",
];
/// Images that stand in the text itself.
const IMAGES: [&str; 4] =
    ["data:image/png;base64,", "data:image/jpeg;base64,", "data:image/gif;base64,", "data:image/webp;base64,"];

/// What of `html` may be shown.
pub(super) fn sanitised(html: &str) -> PreEscaped<String> {
    let mut end = html.len().min(HTML_BYTES_MAX);
    while !html.is_char_boundary(end) {
        end -= 1;
    }
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from_slice(&html[..end]));
    let tokenizer = Tokenizer::new(Sink::default(), TokenizerOpts::default());
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    PreEscaped(tokenizer.sink.into_text())
}

#[derive(Default)]
struct Sink {
    written: RefCell<Written>,
}

#[derive(Default)]
struct Written {
    text: String,
    /// Names of the elements that are open.
    open: Vec<String>,
    /// The element that is left out with its content, and how often it is open.
    dropped: Option<(String, usize)>,
}

impl Sink {
    fn into_text(self) -> String {
        let mut written = self.written.into_inner();
        while let Some(name) = written.open.pop() {
            written.close(&name);
        }
        written.text
    }
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut written = self.written.borrow_mut();
        match token {
            Token::CharacterTokens(text) if written.dropped.is_none() => written.escape(&text),
            Token::TagToken(tag) => written.tag(&tag),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl Written {
    fn escape(&mut self, text: &str) {
        // Writing to a text cannot fail.
        let _ = Escaper::new(&mut self.text).write_str(text);
    }

    fn close(&mut self, name: &str) {
        let _ = write!(self.text, "</{name}>");
    }

    fn tag(&mut self, tag: &Tag) {
        let name = &*tag.name;
        if let Some((dropped, depth)) = &mut self.dropped {
            if name == dropped && tag.kind == TagKind::StartTag && !tag.self_closing {
                *depth += 1;
            } else if name == dropped && tag.kind == TagKind::EndTag {
                *depth -= 1;
                if *depth == 0 {
                    self.dropped = None;
                }
            }
            return;
        }
        match tag.kind {
            TagKind::StartTag if DROPPED.contains(&name) => {
                if !tag.self_closing || !matches!(name, "svg" | "math") {
                    self.dropped = Some((name.to_owned(), 1));
                }
            }
            TagKind::StartTag => self.start(name, tag),
            TagKind::EndTag => {
                if self.open.iter().any(|open| open == name) {
                    while let Some(open) = self.open.pop() {
                        self.close(&open);
                        if open == name {
                            break;
                        }
                    }
                }
            }
        }
    }

    fn start(&mut self, name: &str, tag: &Tag) {
        let is_empty = EMPTY.contains(&name);
        let is_kept = KEPT.contains(&name) || KEPT_TOO.contains(&name);
        if !is_empty && (!is_kept || self.open.len() >= DEPTH_MAX) {
            return;
        }
        let attribute = |wanted: &str| {
            let found = tag.attrs.iter().find(|attribute| &*attribute.name.local == wanted);
            found.map(|attribute| attribute.value.trim().to_owned())
        };
        let mut kept: Vec<(&str, String)> = Vec::new();
        match name {
            "a" => {
                if let Some(address) = attribute("href").filter(|address| is_address(address)) {
                    kept.extend([("href", address), ("target", "_blank".to_owned())]);
                    kept.push(("rel", "noopener noreferrer nofollow".to_owned()));
                }
            }
            "img" => {
                let Some(source) = attribute("src").filter(|source| is_image(source)) else { return };
                kept.extend([("src", source), ("alt", attribute("alt").unwrap_or_default())]);
            }
            "td" | "th" => {
                for span in ["colspan", "rowspan"] {
                    let number = attribute(span).filter(|number| number.parse::<u8>().is_ok());
                    kept.extend(number.map(|number| (span, number)));
                }
            }
            "abbr" => kept.extend(attribute("title").map(|title| ("title", title))),
            _ => {}
        }
        let _ = write!(self.text, "<{name}");
        for (attribute, value) in kept {
            let _ = write!(self.text, " {attribute}=\"");
            self.escape(&value);
            self.text.push('"');
        }
        self.text.push('>');
        if !is_empty {
            self.open.push(name.to_owned());
        }
    }
}

/// Pages on the web, mail addresses and telephone numbers.
fn is_address(address: &str) -> bool {
    let lower = address.to_ascii_lowercase();
    let is_known = ["http://", "https://", "mailto:", "tel:"].iter().any(|scheme| lower.starts_with(scheme));
    is_known && !address.chars().any(char::is_control)
}

fn is_image(source: &str) -> bool {
    IMAGES.iter().any(|start| source.starts_with(start))
        && source.split_once(',').is_some_and(|(_, data)| {
            data.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lists_and_links_stay() {
        for html in [
            "plain",
            "<b>bold</b> and <em>more</em><br>next",
            "<ul><li>one</li><li>two</li></ul>",
            "<table><tr><td colspan=\"2\">x</td></tr></table>",
        ] {
            assert_eq!(sanitised(html).0, html);
        }
        assert_eq!(
            sanitised("<a href='https://example.org/?a=1&amp;b=2' onclick=x>go</a>").0,
            "<a href=\"https://example.org/?a=1&amp;b=2\" target=\"_blank\" rel=\"noopener noreferrer nofollow\">go</a>"
        );
        assert_eq!(sanitised("a < b & c").0, "a &lt; b &amp; c");
        assert!(sanitised("<img src=\"data:image/png;base64,AA==\" alt='x\"y'>").0.contains("alt=\"x&quot;y\""));
    }

    #[test]
    fn nothing_that_acts_comes_through() {
        for html in [
            "<script>alert(1)</script>",
            "<SCRIPT SRC=//evil.example></SCRIPT>",
            "<img src=x onerror=alert(1)>",
            "<img src=\"data:image/svg+xml;base64,AA==\">",
            "<svg onload=alert(1)><script>alert(1)</script></svg>",
            "<svg><style><img src=x onerror=alert(1)></style></svg>",
            "<math><mtext><script>alert(1)</script></mtext></math>",
            "<iframe src=\"javascript:alert(1)\"></iframe>",
            "<object data=x></object><embed src=x>",
            "<style>body { display: none }</style>",
            "<link rel=stylesheet href=x><meta http-equiv=refresh content=0><base href=x>",
            "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\"></noscript>",
            "<textarea><img src=x onerror=alert(1)></textarea>",
            "<script>unclosed",
            "<!-- <script>alert(1)</script> -->",
        ] {
            let shown = sanitised(html).0.to_ascii_lowercase();
            assert!(!shown.contains('<'), "{html}: {shown}");
        }
        for html in [
            "<a href=\"javascript:alert(1)\">x</a>",
            "<a href=\" &#106;avascript:alert(1)\">x</a>",
            "<a href=\"data:text/html,x\">x</a>",
            "<a href=\"/graphql\">x</a>",
            "<b style=\"position: fixed\" onmouseover=\"alert(1)\" id=field-0 class=card>x</b>",
            "<form action=//evil.example><input name=a><button>x</button></form>",
        ] {
            let shown = sanitised(html).0;
            for word in ["javascript", "data:", "href", "style", "on", "id=", "class", "form", "input", "button"] {
                assert!(!shown.contains(word), "{html}: {shown}");
            }
            assert!(shown.contains('x'), "{html}: its text stays: {shown}");
        }
    }

    #[test]
    fn what_is_open_is_closed_and_nothing_else_is() {
        assert_eq!(sanitised("</div></main><b><i>x</b>y").0, "<b><i>x</i></b>y");
        assert_eq!(sanitised("<div><p>x").0, "<div><p>x</p></div>");
        let deep = sanitised(&"<div>".repeat(10_000)).0;
        assert_eq!((deep.matches("<div>").count(), deep.matches("</div>").count()), (DEPTH_MAX, DEPTH_MAX));
    }
}
