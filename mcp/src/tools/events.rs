//! Events of the log: by what they are about, or by a text in them.

use serde_json::{Map, Value, json};

use super::{Effect, Tool, Way, moment, reads};
use crate::api::Question;
use crate::arguments::Arguments;
use crate::outcome::{Answer, Refusal, counted, fields, page, take};
use crate::schema::{after, choice, entries, first, flag, gives, id, next_cursor, of_kind, position, takes, text};

const EVENTS: &str =
    "query($first: Int, $after: String, $from: Position, $filter: EventFilter!, $direction: Direction!,
    $payload: Boolean!, $asOf: AsOf) {
  events(first: $first, after: $after, from: $from, filter: $filter, direction: $direction, asOf: $asOf) {
    nodes { position revision category streamId type recordedAt actor { kind name } onBehalfOf { kind name } via reason
      node runIndex correlationId causationId payload @include(if: $payload) }
    pageInfo { hasNextPage endCursor } } }";
const EVENTS_WITH_TEXT: &str =
    "query($text: String!, $first: Int, $after: String, $filter: EventFilter!, $asOf: AsOf) {
  searchPayloads(query: $text, filter: $filter, first: $first, after: $after, asOf: $asOf) {
    nodes { excerpt event { position revision category streamId type recordedAt actor { kind name }
      onBehalfOf { kind name } via reason node runIndex correlationId causationId } }
    extent { complete goOnAt searchedEvents }
    pageInfo { hasNextPage endCursor } } }";

/// Most entries of a page.
const PAGE_MAX: u64 = 100;
/// Entries of a page when nothing is said.
const PAGE: u64 = 20;
/// Most categories or types of one search.
const WORDS_MAX: usize = 50;

pub(super) static SEARCH: Tool = Tool {
    name: "search_events",
    title: "Search the events of the log",
    description: "Events of the log, the newest first where nothing else is said: by category (execution, workflow…), type (NodeCompleted…), stream, who brought them about, or the story that they belong to; after a position with from, up to a moment with position or time. With text, those whose payload holds it: the newest first, with the piece of the payload that has it; one search looks at a bounded number of events, and nextCursor goes on.",
    effect: Effect::Reads,
    input: || {
        let words = |description: &str| json!({ "type": "array", "items": text("A word.", 100), "maxItems": WORDS_MAX, "description": description });
        takes(
            &[],
            moment(json!({
                "text": json!({ "type": "string", "minLength": 2, "maxLength": 200, "description": "A text in the payload, as it is." }),
                "categories": words("Only of these kinds of things, such as execution."),
                "types": words("Only of these types, such as NodeCompleted."),
                "category": text("The kind of the one thing whose events are wanted; streamId as well.", 100),
                "streamId": text("Its id.", 300),
                "actors": words("Only what these brought about: ids of accounts, or kind and name such as system:engine."),
                "correlationId": id("Only events of this story."),
                "from": position("Only events after this place of the log."),
                "direction": choice("FORWARD: from old to new; BACKWARD when nothing is said.", &["FORWARD", "BACKWARD"]),
                "payload": flag("Whether the payloads are wanted.", true),
                "first": first(PAGE_MAX, PAGE),
                "after": after(),
            })),
        )
    },
    output: || {
        let event = [
            ("position", "string"),
            ("revision", "integer"),
            ("category", "string"),
            ("streamId", "string"),
            ("type", "string"),
            ("recordedAt", "string"),
            ("actor", "object"),
            ("onBehalfOf", "object?"),
            ("via", "string?"),
            ("reason", "string?"),
            ("node", "string?"),
            ("runIndex", "integer?"),
            ("correlationId", "string?"),
            ("causationId", "string?"),
            ("payload", "any"),
            ("excerpt", "string?"),
        ];
        let properties = json!({
            "events": entries(&event), "nextCursor": next_cursor(), "searchedEvents": of_kind("integer"),
        });
        gives(&["events", "nextCursor"], properties)
    },
    cuttable: &["/events/*/payload", "/events/*/excerpt"],
    way: Way::Asks { question, tell },
};

fn question(arguments: &Arguments) -> Result<Question, Refusal> {
    let mut variables = arguments.only(&["after"]);
    variables.insert("first".to_owned(), json!(arguments.whole("first", PAGE)));
    variables.insert("filter".to_owned(), Value::Object(filter(arguments)?));
    variables.insert("asOf".to_owned(), arguments.as_of()?);
    if let Some(text) = arguments.text("text") {
        if arguments.has("from") || arguments.has("direction") {
            let message = "a search for a text begins at its newest event: leave out from and direction, or the text";
            return Err(Refusal::of_arguments(message));
        }
        variables.insert("text".to_owned(), json!(text));
        return Ok(reads(EVENTS_WITH_TEXT, Value::Object(variables)));
    }
    variables.extend(arguments.only(&["from"]));
    variables.insert("direction".to_owned(), arguments.value_or("direction", "BACKWARD"));
    variables.insert("payload".to_owned(), json!(arguments.flag("payload", true)));
    Ok(reads(EVENTS, Value::Object(variables)))
}

fn filter(arguments: &Arguments) -> Result<Map<String, Value>, Refusal> {
    let mut filter = arguments.only(&["categories", "types", "actors", "correlationId"]);
    match (arguments.text("category"), arguments.text("streamId")) {
        (None, None) => {}
        (Some(category), Some(id)) => {
            filter.insert("stream".to_owned(), json!({ "category": category, "id": id }));
        }
        _ => return Err(Refusal::of_arguments("a stream has a kind and an id: give category and streamId")),
    }
    Ok(filter)
}

fn tell(arguments: &Arguments, mut data: Value) -> Result<Answer, Refusal> {
    if !arguments.has("text") {
        let (nodes, next) = page(take(&mut data, "events"));
        let summary = counted(&nodes, &next, "event", "events");
        return Ok(Answer { body: fields(json!({ "events": nodes, "nextCursor": next })), summary });
    }
    let mut found = take(&mut data, "searchPayloads");
    let mut extent = take(&mut found, "extent");
    let (hits, next) = page(found);
    // A search that stopped on its way goes on where it stopped, also where it found nothing.
    let is_complete = extent.get("complete") == Some(&Value::Bool(true));
    let next = if next.is_null() && !is_complete { take(&mut extent, "goOnAt") } else { next };
    let events: Vec<Value> = match hits {
        Value::Array(hits) => hits.into_iter().map(with_excerpt).collect(),
        _ => Vec::new(),
    };
    let events = Value::Array(events);
    let summary = counted(&events, &next, "event", "events");
    let searched = take(&mut extent, "searchedEvents");
    let body = json!({ "events": events, "nextCursor": next, "searchedEvents": searched });
    Ok(Answer { body: fields(body), summary })
}

/// The event of a hit, with the piece that has the text.
fn with_excerpt(mut hit: Value) -> Value {
    let excerpt = take(&mut hit, "excerpt");
    let mut event = fields(take(&mut hit, "event"));
    event.insert("excerpt".to_owned(), excerpt);
    Value::Object(event)
}
