//! A letter as an item: read with limits, in the formats that the trigger knows.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_parser::{Address, MessageParser, MimeHeaders as _};
use serde_json::{Map, Value, json};
use timeloom_domain::item::{BinaryData, Item};
use timeloom_engine::node::{Listening, NodeError};

/// Most attachments of a letter.
const ATTACHMENTS_MAX: usize = 200;
/// Headers that stand by themselves in the simple format.
const OWN_HEADERS: [&str; 5] = ["cc", "date", "from", "subject", "to"];

/// The item of a letter.
///
/// # Errors
/// [`NodeError`] when it is no letter, or an attachment cannot be stored.
pub(super) async fn item_of(listening: &Listening, number: u32, content: &[u8]) -> Result<Item, NodeError> {
    let format = listening.text("format", "simple");
    if format == "raw" {
        return Ok(Item::new(Map::from_iter([("raw".to_owned(), json!(STANDARD.encode(content)))])));
    }
    let letter = MessageParser::default().parse(content);
    let letter = letter.ok_or_else(|| NodeError::operation("the letter cannot be read: it has no headers"))?;
    let headers = headers(&letter);
    let fields = if format == "resolved" { resolved(&letter, &headers) } else { simple(&letter, headers, number) };
    let mut item = Item::new(fields);
    if format == "resolved" || listening.boolean("downloadAttachments", false) {
        let enclosed = attachments(listening, &letter).await?;
        item.binary = Some(enclosed).filter(|all| !all.is_empty());
    }
    Ok(item)
}

/// All headers, by their names in small letters; those that come more than once in lines below each other.
fn headers(letter: &mail_parser::Message<'_>) -> BTreeMap<String, String> {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in letter.headers_raw() {
        let value =
            value.split(['\r', '\n']).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        headers
            .entry(name.trim().to_lowercase())
            .and_modify(|known| {
                known.push('\n');
                known.push_str(&value);
            })
            .or_insert(value);
    }
    headers
}

fn simple(letter: &mail_parser::Message<'_>, mut headers: BTreeMap<String, String>, number: u32) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("textHtml".to_owned(), json!(letter.body_html(0).filter(|_| has_html(letter))));
    fields.insert("textPlain".to_owned(), json!(letter.body_text(0)));
    for name in OWN_HEADERS {
        if let Some(written) = headers.remove(name) {
            let read = match name {
                "subject" => letter.subject().map(str::to_owned),
                "from" => letter.from().map(text_of),
                "to" => letter.to().map(text_of),
                "cc" => letter.cc().map(text_of),
                _ => None,
            };
            fields.insert(name.to_owned(), json!(read.unwrap_or(written)));
        }
    }
    fields.insert("metadata".to_owned(), json!(headers));
    fields.insert("attributes".to_owned(), json!({ "uid": number }));
    fields.retain(|_, value| !value.is_null());
    fields
}

fn resolved(letter: &mail_parser::Message<'_>, headers: &BTreeMap<String, String>) -> Map<String, Value> {
    let people = |people: Option<&Address<'_>>| {
        people.map(|people| {
            let each =
                people.iter().map(|one| json!({ "address": one.address(), "name": one.name().unwrap_or_default() }));
            json!({ "value": each.collect::<Vec<_>>(), "text": text_of(people) })
        })
    };
    let date = letter.date().map(|date| date.to_timestamp());
    let date = date.and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0)).map(|date| date.to_rfc3339());
    let mut fields = Map::from_iter([
        ("headers".to_owned(), json!(headers)),
        ("html".to_owned(), json!(letter.body_html(0).filter(|_| has_html(letter)))),
        ("text".to_owned(), json!(letter.body_text(0))),
        ("subject".to_owned(), json!(letter.subject())),
        ("date".to_owned(), json!(date)),
        ("from".to_owned(), json!(people(letter.from()))),
        ("to".to_owned(), json!(people(letter.to()))),
        ("cc".to_owned(), json!(people(letter.cc()))),
        ("replyTo".to_owned(), json!(people(letter.reply_to()))),
        ("messageId".to_owned(), json!(letter.message_id().map(|id| format!("<{id}>")))),
    ]);
    fields.retain(|_, value| !value.is_null());
    fields
}

/// Whether it was written in HTML; else what is given as HTML is made of its text.
fn has_html(letter: &mail_parser::Message<'_>) -> bool {
    letter.html_bodies().any(|part| part.is_text_html())
}

fn text_of(people: &Address<'_>) -> String {
    let one = |one: &mail_parser::Addr<'_>| match (one.name(), one.address()) {
        (Some(name), Some(address)) if !name.is_empty() => format!("{name} <{address}>"),
        (_, address) => address.unwrap_or_default().to_owned(),
    };
    people.iter().map(one).collect::<Vec<_>>().join(", ")
}

async fn attachments(
    listening: &Listening,
    letter: &mail_parser::Message<'_>,
) -> Result<BTreeMap<String, BinaryData>, NodeError> {
    let prefix = listening.text("dataPropertyAttachmentsPrefixName", "attachment_");
    let mut all = BTreeMap::new();
    for (index, part) in letter.attachments().take(ATTACHMENTS_MAX).enumerate() {
        let kind = part.content_type().map(|kind| match kind.subtype() {
            Some(subtype) => format!("{}/{subtype}", kind.ctype()),
            None => kind.ctype().to_owned(),
        });
        let name = part.attachment_name();
        let attachment = crate::attachment::of(listening, part.contents(), name, kind.as_deref()).await?;
        all.insert(format!("{prefix}{index}"), attachment);
    }
    Ok(all)
}
