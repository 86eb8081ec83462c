//! The table of services as it is written down: one JSON file a service in the folder `table`.
//!
//! Never sends anything and knows no workflow. Invariant: every file that is listed here can be read; a test holds it.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

use crate::item::JsonObject;

/// The files, by name.
pub(super) const FILES: &[(&str, &str)] = &[
    ("airtable", include_str!("table/airtable.json")),
    ("discord", include_str!("table/discord.json")),
    ("github", include_str!("table/github.json")),
    ("gmail", include_str!("table/gmail.json")),
    ("google-sheets", include_str!("table/google-sheets.json")),
    ("hubspot", include_str!("table/hubspot.json")),
    ("notion", include_str!("table/notion.json")),
    ("openai", include_str!("table/openai.json")),
    ("slack", include_str!("table/slack.json")),
    ("telegram", include_str!("table/telegram.json")),
];

static SERVICES: LazyLock<Vec<Service>> =
    LazyLock::new(|| FILES.iter().filter_map(|(_, text)| serde_json::from_str(text).ok()).collect());

/// All services, by name of their file.
pub fn services() -> &'static [Service] {
    &SERVICES
}

/// A service whose node can be replaced.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its name.
    pub service: String,
    /// The type of its node in workflow files.
    pub node_type: String,
    /// Where its interface begins.
    pub base_url: String,
    /// Where its interface is described.
    pub documentation: String,
    /// Which credential stands for which of the node's own; the first that fits.
    pub(super) credentials: Vec<CredentialRule>,
    /// What its node can do, by version.
    pub(super) generations: Vec<Generation>,
}

/// Which credential of an HTTP Request stands for the node's own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CredentialRule {
    /// When it does.
    #[serde(default)]
    pub when: JsonObject,
    /// The type that the node names.
    pub from: String,
    /// The type that the request names; empty where nothing proves who asks.
    pub kind: String,
    /// What a person must put into it.
    pub give: String,
}

impl CredentialRule {
    /// Whether HTTP Request knows by itself how this service signs requests.
    pub fn is_predefined(&self) -> bool {
        self.from == self.kind
    }
}

/// What some versions of a node have in common.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Generation {
    /// The versions.
    pub versions: Vec<f64>,
    /// Conditions on parameters, where a node is as two nodes.
    #[serde(default)]
    pub when: JsonObject,
    /// What a parameter is when a file does not say, by dotted path.
    #[serde(default)]
    pub defaults: JsonObject,
    /// Parameters that change nothing that is sent.
    #[serde(default)]
    pub ignored: Vec<String>,
    /// Where the id is in parameters that may name a thing by its address in a browser.
    #[serde(default)]
    pub locators: Vec<Locator>,
    /// The operations; of those that share a name the first whose conditions hold.
    pub operations: Vec<Operation>,
}

/// Where an id is in an address.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Locator {
    /// The parameter.
    pub parameter: String,
    /// Which segment of the address's path holds the id, from 0; the last when absent.
    pub segment: Option<usize>,
    /// How many hexadecimal digits at the end of that segment are the id; the whole segment when absent.
    pub digits: Option<usize>,
}

/// One request.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Operation {
    /// The node's resource; empty for nodes without.
    pub resource: String,
    /// The node's operation.
    pub operation: String,
    /// Further conditions on parameters.
    pub when: JsonObject,
    /// Defaults of parameters, before those of the generation.
    pub defaults: JsonObject,
    /// The method.
    pub method: String,
    /// What follows the base address where it begins with `/`; a whole address otherwise.
    pub path: String,
    /// How the body is written.
    pub content: ContentKind,
    /// The media type of a raw body.
    pub media_type: String,
    /// What goes into the request.
    pub send: Parts,
    /// More that goes into it, each on a condition of its own.
    pub also: Vec<Addition>,
    /// Parameters that change nothing that is sent.
    pub ignored: Vec<String>,
    /// What is otherwise than with the node.
    pub differs: Vec<String>,
}

/// How a body is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ContentKind {
    /// JSON.
    #[default]
    Json,
    /// The fields of a form.
    Form,
    /// Parts of a form, which may be attachments.
    Multipart,
    /// Text.
    Raw,
}

/// What goes into a request.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Parts {
    /// Fields of the query.
    pub query: JsonObject,
    /// Headers.
    pub headers: JsonObject,
    /// The body.
    pub body: Value,
    /// Options of HTTP Request.
    pub options: JsonObject,
}

/// What goes into a request on a condition.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Addition {
    /// The condition.
    pub when: JsonObject,
    /// What goes in.
    #[serde(default)]
    pub send: Parts,
    /// What is otherwise than with the node.
    #[serde(default)]
    pub differs: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::super::pattern::VERBS;
    use super::*;

    /// The verbs of a pattern, at any depth.
    fn verbs<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
        match value {
            Value::Array(elements) => elements.iter().for_each(|element| verbs(element, found)),
            Value::Object(fields) => {
                found.extend(fields.keys().map(String::as_str).filter(|name| name.starts_with('$')));
                fields.values().for_each(|field| verbs(field, found));
            }
            _ => {}
        }
    }

    #[test]
    fn the_table_asks_for_nothing_that_is_not_understood() {
        for (name, text) in FILES {
            let file: Value = serde_json::from_str(text).unwrap();
            let mut found = Vec::new();
            verbs(&file, &mut found);
            found.retain(|verb| !VERBS.contains(verb));
            assert_eq!(found, Vec::<&str>::new(), "{name}.json");
        }
        assert!(VERBS.is_sorted());
    }

    #[test]
    fn every_file_of_the_table_can_be_read_and_says_what_it_must() {
        for (name, text) in FILES {
            let read: Result<Service, _> = serde_json::from_str(text);
            let service = read.unwrap_or_else(|error| panic!("{name}.json: {error}"));
            assert!(service.base_url.starts_with("https://"), "{name}: {}", service.base_url);
            assert!(service.documentation.starts_with("https://"), "{name}: {}", service.documentation);
            assert!(!service.credentials.is_empty(), "{name} says nothing of credentials");
            for generation in &service.generations {
                assert!(!generation.versions.is_empty() && !generation.operations.is_empty(), "{name}");
                for operation in &generation.operations {
                    let named = format!("{name}: {} {}", operation.resource, operation.operation);
                    assert!(["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&operation.method.as_str()), "{named}");
                    let whole = operation.path.starts_with("https://") || operation.path.starts_with("@{+");
                    assert!(whole || operation.path.starts_with('/'), "{named}: {}", operation.path);
                    assert_eq!(operation.content == ContentKind::Raw, !operation.media_type.is_empty(), "{named}");
                }
            }
        }
        assert_eq!(services().len(), FILES.len());
        assert!(FILES.is_sorted_by(|earlier, later| earlier.0 < later.0));
        let mut types: Vec<&str> = services().iter().map(|service| service.node_type.as_str()).collect();
        types.sort_unstable();
        assert!(types.is_sorted_by(|earlier, later| earlier < later), "two files tell of one type");
    }
}
