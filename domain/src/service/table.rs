//! The table of services as it is written down: one JSON file a service in the folder `table`.
//!
//! Never sends anything and knows no workflow. Invariant: every file that is listed here can be read; a test holds it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

use crate::item::JsonObject;

/// The files, by name.
pub(super) const FILES: &[(&str, &str)] = &[
    ("airtable", include_str!("table/airtable.json")),
    ("aws-cognito", include_str!("table/aws-cognito.json")),
    ("aws-comprehend", include_str!("table/aws-comprehend.json")),
    ("aws-elb", include_str!("table/aws-elb.json")),
    ("aws-iam", include_str!("table/aws-iam.json")),
    ("aws-ses", include_str!("table/aws-ses.json")),
    ("azure-cosmos-db", include_str!("table/azure-cosmos-db.json")),
    ("azure-storage", include_str!("table/azure-storage.json")),
    ("beeminder", include_str!("table/beeminder.json")),
    ("discord", include_str!("table/discord.json")),
    ("github", include_str!("table/github.json")),
    ("gmail", include_str!("table/gmail.json")),
    ("gong", include_str!("table/gong.json")),
    ("google-bigquery", include_str!("table/google-bigquery.json")),
    ("google-drive", include_str!("table/google-drive.json")),
    ("google-firestore", include_str!("table/google-firestore.json")),
    ("google-sheets", include_str!("table/google-sheets.json")),
    ("gsuite-admin", include_str!("table/gsuite-admin.json")),
    ("hubspot", include_str!("table/hubspot.json")),
    ("jina-ai", include_str!("table/jina-ai.json")),
    ("mailerlite", include_str!("table/mailerlite.json")),
    ("microsoft-entra", include_str!("table/microsoft-entra.json")),
    ("microsoft-excel", include_str!("table/microsoft-excel.json")),
    ("microsoft-graph-security", include_str!("table/microsoft-graph-security.json")),
    ("microsoft-outlook", include_str!("table/microsoft-outlook.json")),
    ("microsoft-sharepoint", include_str!("table/microsoft-sharepoint.json")),
    ("microsoft-teams", include_str!("table/microsoft-teams.json")),
    ("n8n", include_str!("table/n8n.json")),
    ("notion", include_str!("table/notion.json")),
    ("openai", include_str!("table/openai.json")),
    ("oura", include_str!("table/oura.json")),
    ("salesforce", include_str!("table/salesforce.json")),
    ("slack", include_str!("table/slack.json")),
    ("stripe", include_str!("table/stripe.json")),
    ("telegram", include_str!("table/telegram.json")),
    ("thehive", include_str!("table/thehive.json")),
    ("wordpress", include_str!("table/wordpress.json")),
    ("youtube", include_str!("table/youtube.json")),
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
    /// Where its interface begins; fields of the credential in braces, where that says so: `https://{subdomain}.example.com`.
    pub base_url: String,
    /// Where its interface is described.
    pub documentation: String,
    /// Which credential stands for which of the node's own; the first that fits.
    pub(super) credentials: Vec<CredentialRule>,
    /// JavaScript by name, for answers and pages that name it as `#{name}`.
    #[serde(default)]
    pub(super) scripts: BTreeMap<String, String>,
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
    /// The versions of the node for which it does; all when empty.
    #[serde(default)]
    pub versions: Vec<f64>,
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
    /// The field of the address's query that holds the id instead, where it is there.
    pub query: Option<String>,
    /// Whether what follows `#` is the id instead, where it is there.
    #[serde(default)]
    pub fragment: bool,
}

/// What a node does: one request, or several, one after the other.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Operation {
    /// The node's resource; empty for nodes without.
    pub resource: String,
    /// The node's operation.
    pub operation: String,
    /// Further conditions on parameters.
    pub when: JsonObject,
    /// The list for each of whose elements the request is sent; empty where it is sent once.
    pub each: String,
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
    /// JavaScript that makes the items of the answer in `$response`; empty where the body is what is given.
    pub answer: String,
    /// How further pages are asked for.
    pub pages: Option<Pages>,
    /// The requests after the first, which may use the answers before them.
    pub further: Vec<Further>,
    /// Parameters that change nothing that is sent.
    pub ignored: Vec<String>,
    /// What is otherwise than with the node.
    pub differs: Vec<String>,
}

/// A request after the first.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Further {
    /// When it is sent.
    pub when: JsonObject,
    /// The method.
    pub method: String,
    /// As [`Operation::path`], on the same server.
    pub path: String,
    /// What goes into it; options and bodies that are not JSON do not.
    pub send: Parts,
    /// Whether it is left out where nothing is in its body.
    pub unless_empty: bool,
    /// JavaScript that is true of the answer that is waited for: the request is sent until it is. Empty where any will
    /// do.
    pub until: String,
    /// Milliseconds before it is sent once more.
    pub pause: Option<u32>,
    /// How often it is sent at most.
    pub tries: Option<u32>,
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
    /// An attachment, whose name the body is.
    Binary,
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

/// How further pages are asked for: JavaScript that reads the answer before in `$response`, which has no body at first.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Pages {
    /// True of an answer after which there is more.
    pub more: String,
    /// Fields of the query of the next request, by name.
    pub query: JsonObject,
    /// Its headers.
    pub headers: JsonObject,
    /// Fields of its body.
    pub body: JsonObject,
}

/// What goes into a request on a condition.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Addition {
    /// The condition.
    pub when: JsonObject,
    /// The versions of the node for which it goes in; all when empty.
    #[serde(default)]
    pub versions: Vec<f64>,
    /// What goes in.
    #[serde(default)]
    pub send: Parts,
    /// The items of the answer, in the place of what the operation says.
    #[serde(default)]
    pub answer: String,
    /// How further pages are asked for.
    #[serde(default)]
    pub pages: Option<Pages>,
    /// What is otherwise than with the node.
    #[serde(default)]
    pub differs: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::super::pattern::VERBS;
    use super::*;

    #[test]
    fn every_file_of_the_table_can_be_read_and_says_what_it_must() {
        for (name, text) in FILES {
            let service = Service::read(text).unwrap_or_else(|problem| panic!("{name}.json: {problem}"));
            let begins = service.base_url.starts_with("https://") || service.base_url.starts_with('{');
            assert!(begins, "{name}: {}", service.base_url);
            assert!(service.documentation.starts_with("https://"), "{name}: {}", service.documentation);
        }
        assert!(VERBS.is_sorted());
        assert_eq!(services().len(), FILES.len());
        assert!(FILES.is_sorted_by(|earlier, later| earlier.0 < later.0));
        let mut types: Vec<&str> = services().iter().map(|service| service.node_type.as_str()).collect();
        types.sort_unstable();
        assert!(types.is_sorted_by(|earlier, later| earlier < later), "two files tell of one type");
    }
}
