//! RSS Read: the entries of a feed, as one item each. RSS 0.9 to 2.0 and Atom.
//!
//! Outbound rules are those of HTTP Request. Never follows anything that a feed names.

mod trigger;

use async_trait::async_trait;
use chrono::DateTime;
use chrono_tz::UTC;
use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue, USER_AGENT};
use serde_json::{Value, json};
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::{Item, JsonObject, PairedItem};
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType, OutboundPolicy};
use timeloom_expressions::time;

use crate::describe::{ONE_TO_ONE, collection, palette, switch, text};
use crate::html::{decoded_text, without_tags};
use crate::http_request::auth::Authentication;
use crate::http_request::request::{Request, Transport, address};
use crate::http_request::respond::{decoded, refused};
use crate::http_request::send::Sender;
use crate::{transform, values, xml};

pub(crate) use trigger::RssFeedReadTrigger;

pub(crate) const PARAMETERS: &[ParameterDefinition] = &[
    text("url", "Address of the feed.").called("URL").like("https://example.com/feed.xml").needed(),
    collection(
        "options",
        &[
            switch("ignoreSSL", "Whether any certificate will do.").called("Ignore SSL issues (insecure)").or_false(),
            text("customFields", "Further elements of an entry that are given, with commas between.")
                .like("author, contentSnippet"),
        ],
        "What else to decide.",
    ),
];

/// Most redirects that are followed.
const REDIRECTS_MAX: usize = 5;
/// Most entries of one feed.
const ENTRIES_MAX: usize = 100_000;

/// Elements of an entry that are copied, and the fields that they become.
const COPIED: &[(&str, &str)] = &[
    ("author", "creator"),
    ("dc:creator", "creator"),
    ("dc:date", "date"),
    ("dc:language", "language"),
    ("dc:rights", "rights"),
    ("dc:source", "source"),
    ("dc:title", "title"),
    ("title", "title"),
    ("link", "link"),
    ("pubDate", "pubDate"),
    ("author", "author"),
    ("summary", "summary"),
    ("content:encoded", "content:encoded"),
    ("enclosure", "enclosure"),
    ("dc:creator", "dc:creator"),
    ("dc:date", "dc:date"),
    ("comments", "comments"),
];

/// RSS Read.
#[derive(Default)]
pub(crate) struct RssFeedRead {
    sender: Sender,
}

impl NodeType for RssFeedRead {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.rssFeedRead",
            display_name: "RSS Read",
            description: "Reads a feed and gives its entries.",
            versions: &[1.0, 1.1, 1.2],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::HttpAndFiles, "rss", &["feed", "atom", "news", "blog"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for RssFeedRead {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let count = run.items().len();
        // The first version reads one feed, whatever comes in.
        let whole = run.version() < 1.1;
        let all = PairedItem::Many((0..count).map(PairedItem::index).collect());
        let mut given = Vec::new();
        for index in 0..if whole { count.min(1) } else { count } {
            let paired = if whole { all.clone() } else { PairedItem::Many(vec![PairedItem::index(index)]) };
            match self.entries(run, index).await {
                Ok(entries) => given.extend(
                    entries.into_iter().map(|json| Item { paired_item: Some(paired.clone()), ..Item::new(json) }),
                ),
                Err(error) if run.continues_on_fail() => {
                    given.push(Item { paired_item: Some(paired), ..run.failed_item(index, &error) });
                }
                Err(error) => return Err(error.at_item(index)),
            }
        }
        Ok(NodeOutput::single(given))
    }
}

impl RssFeedRead {
    async fn entries(&self, run: &mut NodeRun<'_>, index: usize) -> Result<Vec<JsonObject>, NodeError> {
        let url = run.text("url", index, "")?;
        let any_certificate = run.boolean("options.ignoreSSL", index, false)?;
        let custom = transform::fields::name_list(run, "options.customFields", index)?;
        let text = self.fetch(&url, any_certificate, &run.services.outbound).await?;
        entries_of(&text, &custom)
    }

    /// The text of a feed.
    async fn fetch(&self, url: &str, any_certificate: bool, policy: &OutboundPolicy) -> Result<String, NodeError> {
        let url = address(url)?;
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static("timeloom"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/rss+xml, application/atom+xml, */*;q=0.5"));
        let transport = Transport { redirects_max: REDIRECTS_MAX, any_certificate, ..Transport::default() };
        let secret_headers = Vec::new();
        let request = Request { method: Method::GET, url, headers, body: None, secret_headers, transport };
        let received = self.sender.send(&Authentication::default(), request, policy).await?;
        if !received.status.is_success() {
            return Err(refused(&received));
        }
        Ok(decoded(&received))
    }
}

/// The entries of a feed.
fn entries_of(text: &str, custom: &[String]) -> Result<Vec<JsonObject>, NodeError> {
    let document = xml::in_lists(text)?;
    let (entries, atom) = if let Some(feed) = document.get("feed") {
        (children(feed, "entry"), true)
    } else if let Some(channel) = document.get("rss").and_then(|rss| first(rss, "channel")) {
        (children(channel, "item"), false)
    } else if let Some(rdf) = document.get("rdf:RDF") {
        (children(rdf, "item"), false)
    } else {
        return Err(NodeError::operation("the answer is neither an RSS nor an Atom feed: check the URL"));
    };
    let entry = |entry: &Value| if atom { atom_entry(entry, custom) } else { rss_entry(entry, custom) };
    Ok(entries.iter().take(ENTRIES_MAX).map(entry).collect())
}

fn children<'v>(element: &'v Value, name: &str) -> &'v [Value] {
    element.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn first<'v>(element: &'v Value, name: &str) -> Option<&'v Value> {
    children(element, name).first()
}

/// The text of an element; for one with more than text in it, that text.
fn plain(element: &Value) -> Value {
    match element.get("_") {
        Some(Value::String(text)) => Value::String(text.clone()),
        _ => element.clone(),
    }
}

fn text_of(element: &Value) -> Option<String> {
    plain(element).as_str().map(str::to_owned)
}

fn copy(entry: &Value, from: &str, to: &str, made: &mut JsonObject) {
    if let Some(element) = first(entry, from) {
        made.insert(to.to_owned(), plain(element));
    }
}

fn rss_entry(entry: &Value, custom: &[String]) -> JsonObject {
    let mut made = JsonObject::new();
    for (from, to) in COPIED {
        copy(entry, from, to, &mut made);
        if *from == "content:encoded"
            && let Some(snippet) = made.get(*to).and_then(Value::as_str).map(snippet)
        {
            made.insert("content:encodedSnippet".to_owned(), Value::String(snippet));
        }
    }
    for name in custom {
        copy(entry, name, name, &mut made);
    }
    if let Some(attributes) = first(entry, "enclosure").and_then(|enclosure| enclosure.get("$")) {
        made.insert("enclosure".to_owned(), attributes.clone());
    }
    if let Some(description) = first(entry, "description") {
        content(description, "content", "contentSnippet", &mut made);
    }
    copy(entry, "guid", "guid", &mut made);
    if let Some(about) = entry.get("$").and_then(|attributes| attributes.get("rdf:about")) {
        made.insert("rdf:about".to_owned(), about.clone());
    }
    if let Some(categories) = entry.get("category") {
        made.insert("categories".to_owned(), categories.clone());
    }
    itunes(entry, &mut made);
    add_iso_date(&mut made);
    made
}

fn atom_entry(entry: &Value, custom: &[String]) -> JsonObject {
    let mut made = JsonObject::new();
    for name in custom {
        copy(entry, name, name, &mut made);
    }
    if let Some(title) = first(entry, "title").and_then(text_of).filter(|title| !title.is_empty()) {
        made.insert("title".to_owned(), Value::String(title));
    }
    let links: Vec<&Value> = children(entry, "link").iter().filter_map(|link| link.get("$")).collect();
    let alternate = links.iter().find(|link| link.get("rel").and_then(Value::as_str) == Some("alternate"));
    if let Some(link) = alternate.or(links.first()).and_then(|link| link.get("href")) {
        made.insert("link".to_owned(), link.clone());
    }
    let date = |name: &str| first(entry, name).and_then(text_of).and_then(|text| iso(&text));
    if let Some(date) = date("published").or_else(|| date("updated")) {
        made.insert("pubDate".to_owned(), Value::String(date));
    }
    if let Some(name) = first(entry, "author").and_then(|author| first(author, "name")) {
        made.insert("author".to_owned(), plain(name));
    }
    if let Some(element) = first(entry, "content") {
        content(element, "content", "contentSnippet", &mut made);
    }
    if let Some(element) = first(entry, "summary") {
        made.insert("summary".to_owned(), Value::String(inner(element)));
    }
    if let Some(id) = first(entry, "id") {
        made.insert("id".to_owned(), plain(id));
    }
    add_iso_date(&mut made);
    made
}

/// Fields of podcasts, gathered under one name.
fn itunes(entry: &Value, made: &mut JsonObject) {
    let mut gathered = JsonObject::new();
    for name in ["author", "subtitle", "summary", "explicit", "duration", "image", "episode", "season", "keywords"] {
        let Some(element) = first(entry, &format!("itunes:{name}")) else { continue };
        let value = match element.get("$").and_then(|attributes| attributes.get("href")) {
            Some(href) => href.clone(),
            None => plain(element),
        };
        gathered.insert(name.to_owned(), value);
    }
    if !gathered.is_empty() {
        made.insert("itunes".to_owned(), Value::Object(gathered));
    }
}

fn content(element: &Value, field: &str, snippet_field: &str, made: &mut JsonObject) {
    let text = inner(element);
    let short = snippet(&text);
    made.insert(field.to_owned(), Value::String(text));
    made.insert(snippet_field.to_owned(), Value::String(short));
}

/// What an element holds, as text.
fn inner(element: &Value) -> String {
    text_of(element).unwrap_or_else(|| match element {
        Value::Object(fields) => {
            let parts = fields.iter().filter(|(name, _)| *name != "$").map(|(_, value)| values::text(value));
            parts.collect::<Vec<_>>().join("\n")
        }
        other => values::text(other),
    })
}

/// The text without its markup.
fn snippet(html: &str) -> String {
    decoded_text(&without_tags(html)).trim().to_owned()
}

fn add_iso_date(made: &mut JsonObject) {
    let date = made.get("pubDate").or_else(|| made.get("date")).and_then(Value::as_str);
    if let Some(date) = date.and_then(iso) {
        made.insert("isoDate".to_owned(), json!(date));
    }
}

/// A date in any of the forms that feeds write, as ISO text in UTC.
fn iso(text: &str) -> Option<String> {
    let text = text.trim();
    let moment = match DateTime::parse_from_rfc2822(text) {
        Ok(moment) => moment.with_timezone(&UTC),
        Err(_) => time::parse_text(text, UTC)?.with_timezone(&UTC),
    };
    Some(moment.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http_request::tests::{Server, reply};
    use crate::testing::{Bench, json_of, pairs_of};

    const RSS: &str = r#"<?xml version="1.0"?><rss version="2.0"><channel><title>News</title>
        <item><title>One</title><link>http://news.example/1</link><guid isPermaLink="false">g1</guid>
        <pubDate>Tue, 02 Jan 2024 10:00:00 +0100</pubDate><description><![CDATA[<p>A &amp; <b>b</b></p>]]></description>
        <category>x</category><category>y</category><enclosure url="http://news.example/1.mp3" length="7"/>
        <price currency="EUR">5</price></item><item><title>Two</title></item></channel></rss>"#;

    const ATOM: &str = r#"<feed xmlns="http://www.w3.org/2005/Atom"><title>Log</title><entry><title type="text">First</title>
        <link rel="self" href="http://log.example/self"/><link rel="alternate" href="http://log.example/1"/>
        <id>urn:1</id><updated>2024-03-01T08:00:00Z</updated><author><name>Ada</name></author>
        <content type="html">&lt;i&gt;Hi&lt;/i&gt;</content></entry></feed>"#;

    fn server() -> Server {
        Server::start(|line| match line.split(' ').nth(1) {
            Some("/rss") => reply("200 OK", "content-type: application/rss+xml\r\n", RSS),
            Some("/atom") => reply("200 OK", "content-type: application/atom+xml\r\n", ATOM),
            Some("/page") => reply("200 OK", "content-type: text/html\r\n", "<html><body/></html>"),
            _ => reply("404 Not Found", "", ""),
        })
    }

    #[tokio::test]
    async fn entries_of_rss_become_items() {
        let (server, node) = (server(), RssFeedRead::default());
        let parameters = json!({"url": server.url("/rss"), "options": {"customFields": "price"}});
        let output = Bench::new(&node, 1.2, parameters).input(json!([{}])).run_effect().await.unwrap();
        let expected = json!([
            {
                "title": "One", "link": "http://news.example/1", "pubDate": "Tue, 02 Jan 2024 10:00:00 +0100",
                "enclosure": {"url": "http://news.example/1.mp3", "length": "7"}, "price": "5",
                "content": "<p>A &amp; <b>b</b></p>", "contentSnippet": "A & b", "guid": "g1",
                "categories": ["x", "y"], "isoDate": "2024-01-02T09:00:00.000Z",
            },
            {"title": "Two"},
        ]);
        assert_eq!(json_of(&output, 0), expected);
        assert_eq!(pairs_of(&output), json!([[{"item": 0}], [{"item": 0}]]));
    }

    #[tokio::test]
    async fn entries_of_atom_become_items() {
        let (server, node) = (server(), RssFeedRead::default());
        let mut bench = Bench::new(&node, 1.0, json!({"url": server.url("/atom")})).input(json!([{}, {}]));
        let output = bench.run_effect().await.unwrap();
        let expected = json!([{
            "title": "First", "link": "http://log.example/1", "pubDate": "2024-03-01T08:00:00.000Z", "author": "Ada",
            "content": "<i>Hi</i>", "contentSnippet": "Hi", "id": "urn:1", "isoDate": "2024-03-01T08:00:00.000Z",
        }]);
        assert_eq!(json_of(&output, 0), expected);
        assert_eq!(pairs_of(&output), json!([[{"item": 0}, {"item": 1}]]));
    }

    #[tokio::test]
    async fn what_is_no_feed_is_a_failure_of_its_item() {
        let (server, node) = (server(), RssFeedRead::default());
        let parameters = json!({"url": format!("={}", server.url("/{{ $json.path }}"))});
        let input = json!([{"path": "page"}, {"path": "none"}, {"path": "atom"}]);
        let mut bench = Bench::new(&node, 1.1, parameters).input(input).continue_on_fail();
        let output = json_of(&bench.run_effect().await.unwrap(), 0);
        assert!(output[0]["error"].as_str().unwrap().contains("neither an RSS nor an Atom feed"), "{output}");
        assert!(output[1]["error"].as_str().unwrap().starts_with("404"), "{output}");
        assert_eq!(output[2]["title"], json!("First"));
    }
}
