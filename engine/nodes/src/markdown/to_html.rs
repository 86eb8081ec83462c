//! Markdown into HTML. Markup inside the Markdown is kept: it is the author's.

use pulldown_cmark::{CodeBlockKind, CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd};
use serde_json::Value;
use timeloom_domain::item::JsonObject;

use super::{blocks, flag};
use crate::values;

/// The HTML of `markdown`.
pub(super) fn html(markdown: &str, options: &JsonObject) -> String {
    let mut features = Options::empty();
    features.set(Options::ENABLE_TABLES, flag(options, "tables"));
    features.set(Options::ENABLE_STRIKETHROUGH, flag(options, "strikethrough"));
    features.set(Options::ENABLE_TASKLISTS, flag(options, "tasklists"));
    let events: Vec<Event<'_>> = Parser::new_ext(markdown, features).collect();
    let mut changed = Vec::with_capacity(events.len());
    let mut in_link = false;
    for (place, event) in events.iter().enumerate() {
        in_link = match event {
            Event::Start(Tag::Link { .. }) => true,
            Event::End(TagEnd::Link) => false,
            _ => in_link,
        };
        let written = match event {
            Event::Start(Tag::Heading { level, .. }) => heading(*level, &events[place..], options),
            Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(shifted(*level, options))),
            Event::SoftBreak if flag(options, "simpleLineBreaks") => Event::HardBreak,
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) if !language.is_empty() => {
                let name = escaped(language.split_whitespace().next().unwrap_or_default());
                Event::Html(format!("<pre><code class=\"{name} language-{name}\">").into())
            }
            Event::Start(Tag::Link { dest_url, title, .. }) if flag(options, "openLinksInNewWindow") => {
                Event::InlineHtml(new_window(dest_url, title))
            }
            Event::Text(text) if !in_link && flag(options, "simplifiedAutoLink") => {
                changed.extend(linked(text, flag(options, "openLinksInNewWindow")));
                continue;
            }
            other => other.clone(),
        };
        changed.push(written);
    }
    let made = blocks::written(&changed, options);
    let made = made.trim_end();
    if flag(options, "completeHTMLDocument") {
        return format!(
            "<!DOCTYPE HTML>\n<html>\n<head>\n<meta charset=\"utf-8\">\n</head>\n<body>\n{made}\n</body>\n</html>"
        );
    }
    made.to_owned()
}

fn shifted(level: HeadingLevel, options: &JsonObject) -> HeadingLevel {
    let start = options.get("headerLevelStart").map_or(1.0, values::number).clamp(1.0, 6.0) as usize;
    HeadingLevel::try_from((level as usize + start - 1).min(6)).unwrap_or(level)
}

/// The start of a heading, with an id made of its text.
fn heading<'e>(level: HeadingLevel, from: &[Event<'e>], options: &JsonObject) -> Event<'e> {
    let within = from.iter().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
    let title: String = within
        .filter_map(|event| match event {
            Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
            _ => None,
        })
        .collect();
    let id = match (flag(options, "noHeaderId"), flag(options, "ghCompatibleHeaderId")) {
        (true, _) => None,
        (false, true) => {
            let words = title.to_lowercase().replace(' ', "-");
            Some(
                words
                    .chars()
                    .filter(|character| character.is_alphanumeric() || matches!(character, '-' | '_'))
                    .collect(),
            )
        }
        (false, false) => {
            let lower = title.to_lowercase();
            Some(lower.chars().filter(|character| character.is_ascii_alphanumeric() || *character == '_').collect())
        }
    };
    let prefix = match options.get("prefixHeaderId") {
        Some(Value::String(prefix)) => prefix.as_str(),
        Some(Value::Bool(true)) => "section",
        _ => "",
    };
    let id = id.map(|id: String| CowStr::from(format!("{prefix}{id}"))).filter(|id| !id.is_empty());
    Event::Start(Tag::Heading { level: shifted(level, options), id, classes: Vec::new(), attrs: Vec::new() })
}

fn new_window(target: &str, title: &str) -> CowStr<'static> {
    let title = if title.is_empty() { String::new() } else { format!(" title=\"{}\"", escaped(title)) };
    format!("<a href=\"{}\"{title} rel=\"noopener noreferrer\" target=\"_blank\">", escaped(target)).into()
}

/// The text with nothing in it that means something in HTML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The text with its addresses made links.
fn linked<'e>(text: &str, new_windows: bool) -> Vec<Event<'e>> {
    let mut events = Vec::new();
    let mut plain = String::new();
    for part in text.split_inclusive(char::is_whitespace) {
        let word = part.trim_end();
        let address = word.trim_end_matches(['.', ',', ';', ':', '!', '?', ')']);
        let is_address = ["http://", "https://", "www."]
            .iter()
            .any(|start| address.len() > start.len() && address.starts_with(start));
        if !is_address {
            plain.push_str(part);
            continue;
        }
        events.push(Event::Text(std::mem::take(&mut plain).into()));
        let target = if address.starts_with("www.") { format!("http://{address}") } else { address.to_owned() };
        let (link_type, title, id) = (LinkType::Autolink, "".into(), "".into());
        events.push(match new_windows {
            true => Event::InlineHtml(new_window(&target, "")),
            false => Event::Start(Tag::Link { link_type, dest_url: target.into(), title, id }),
        });
        events.push(Event::Text(address.to_owned().into()));
        events.push(Event::End(TagEnd::Link));
        plain.push_str(&part[address.len()..]);
    }
    events.push(Event::Text(plain.into()));
    events
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn made(markdown: &str, options: Value) -> String {
        html(markdown, options.as_object().unwrap())
    }

    #[test]
    fn blocks_and_spans_become_elements() {
        let markdown = "# Hello *World*\n\nA **b** `c<d` [l](http://x.example \"t\")\nnext\n\n- one\n- two\n\n> said\n\n```js\nlet a;\n```";
        assert_eq!(
            made(markdown, json!({})),
            "<h1 id=\"helloworld\">Hello <em>World</em></h1>\n<p>A <strong>b</strong> <code>c&lt;d</code> \
             <a href=\"http://x.example\" title=\"t\">l</a>\nnext</p>\n<ul>\n<li>one</li>\n<li>two</li>\n</ul>\n\
             <blockquote>\n  <p>said</p>\n</blockquote>\n<pre><code class=\"js language-js\">let a;\n</code></pre>"
        );
    }

    #[test]
    fn extensions_are_the_authors_choice() {
        let table = "| a |\n|---|\n| 1 |";
        assert!(
            !made(table, json!({})).contains("<table>") && made(table, json!({"tables": true})).contains("<th>a</th>")
        );
        assert_eq!(made("~~x~~", json!({"strikethrough": true})), "<p><del>x</del></p>");
        assert_eq!(made("~~x~~", json!({})), "<p>~~x~~</p>");
        assert_eq!(made("a\nb", json!({"simpleLineBreaks": true})), "<p>a<br />\nb</p>");
        assert_eq!(made("# A b", json!({"noHeaderId": true, "headerLevelStart": 2})), "<h2>A b</h2>");
        assert_eq!(made("# A b", json!({"ghCompatibleHeaderId": true})), "<h1 id=\"a-b\">A b</h1>");
        assert_eq!(
            made("see https://x.example/a.", json!({"simplifiedAutoLink": true})),
            "<p>see <a href=\"https://x.example/a\">https://x.example/a</a>.</p>"
        );
        assert_eq!(
            made("[a](b)", json!({"openLinksInNewWindow": true})),
            "<p><a href=\"b\" rel=\"noopener noreferrer\" target=\"_blank\">a</a></p>"
        );
        assert!(made("x", json!({"completeHTMLDocument": true})).starts_with("<!DOCTYPE HTML>"));
    }
}
