//! Workflows, as they are or as they were at a moment.

use serde_json::{Value, json};

use super::{Effect, Tool, Way, moment, reads};
use crate::api::Question;
use crate::arguments::Arguments;
use crate::outcome::{Answer, Refusal, counted, fields, page, take};
use crate::schema::{after, entries, first, flag, gives, id, next_cursor, of_kind, takes, text, whole};

const WORKFLOWS: &str =
    "query($first: Int, $after: String, $name: String, $folder: String, $archived: Boolean, $asOf: AsOf) {
  workflows(first: $first, after: $after, name: $name, folder: $folder, archived: $archived, asOf: $asOf) {
    nodes { id name folder active activeVersion publishedVersion archived nodeCount }
    pageInfo { hasNextPage endCursor } } }";
const WORKFLOW: &str = "query($id: UUID!, $version: Int, $definition: Boolean!, $asOf: AsOf) {
  workflow(id: $id, asOf: $asOf) {
    id name folder active activeVersion publishedVersion archived nodeCount
    definition(version: $version) @include(if: $definition)
    draftProblems { node field message severity hinders }
    versions(first: 10) { nodes { version active publishedAt reason actor { kind name } } } } }";

/// Most entries of a page.
const PAGE_MAX: u64 = 100;
/// Entries of a page when nothing is said.
const PAGE: u64 = 50;

pub(super) static LIST: Tool = Tool {
    name: "list_workflows",
    title: "List workflows",
    description: "Lists workflows, newest first, with the version that is active: by name, by folder, now or at an earlier moment.",
    effect: Effect::Reads,
    input: || {
        takes(
            &[],
            moment(json!({
                "name": text("Only those with this in their names, in whatever case.", 200),
                "folder": text("Only those in this folder, or in folders within it.", 500),
                "archived": flag("Those that were put away, instead of the others.", false),
                "first": first(PAGE_MAX, PAGE),
                "after": after(),
            })),
        )
    },
    output: || {
        gives(&["workflows", "nextCursor"], json!({ "workflows": entries(&FIELDS), "nextCursor": next_cursor() }))
    },
    cuttable: &[],
    way: Way::Asks {
        question: |arguments| {
            let variables = json!({
                "first": arguments.whole("first", PAGE), "after": arguments.value("after"),
                "name": arguments.value("name"), "folder": arguments.value("folder"),
                "archived": arguments.flag("archived", false), "asOf": arguments.as_of()?,
            });
            Ok(reads(WORKFLOWS, variables))
        },
        tell: |_, mut data| {
            let (nodes, next) = page(take(&mut data, "workflows"));
            let summary = counted(&nodes, &next, "workflow", "workflows");
            Ok(Answer { body: fields(json!({ "workflows": nodes, "nextCursor": next })), summary })
        },
    },
};

const FIELDS: [(&str, &str); 8] = [
    ("id", "string"),
    ("name", "string"),
    ("folder", "string"),
    ("active", "boolean"),
    ("activeVersion", "integer?"),
    ("publishedVersion", "integer?"),
    ("archived", "boolean"),
    ("nodeCount", "integer"),
];

pub(super) static GET: Tool = Tool {
    name: "get_workflow",
    title: "Get a workflow",
    description: "One workflow: its definition (the draft, or a published version), what its draft lacks, and its newest versions with who published them.",
    effect: Effect::Reads,
    input: || {
        takes(
            &["workflowId"],
            moment(json!({
                "workflowId": id("The workflow."),
                "version": whole("The published version whose definition is wanted; without it the draft.", 1, 1_000_000),
                "definition": flag("Whether the definition is wanted.", true),
            })),
        )
    },
    output: || {
        let versions = [
            ("version", "integer"),
            ("active", "boolean"),
            ("publishedAt", "string"),
            ("reason", "string?"),
            ("actor", "object"),
        ];
        let problems = [
            ("node", "string?"),
            ("field", "string"),
            ("message", "string"),
            ("severity", "string"),
            ("hinders", "array"),
        ];
        let mut properties = json!({
            "definition": of_kind("any"), "draftProblems": entries(&problems), "versions": entries(&versions),
        });
        for (name, kind) in FIELDS {
            properties[name] = of_kind(kind);
        }
        gives(&["id", "name", "active"], properties)
    },
    cuttable: &["/definition", "/draftProblems"],
    way: Way::Asks { question: one, tell: tell_one },
};

/// Asks for one.
fn one(arguments: &Arguments) -> Result<Question, Refusal> {
    let variables = json!({
        "id": arguments.value("workflowId"), "version": arguments.value("version"),
        "definition": arguments.flag("definition", true), "asOf": arguments.as_of()?,
    });
    Ok(reads(WORKFLOW, variables))
}

fn tell_one(_: &Arguments, mut data: Value) -> Result<Answer, Refusal> {
    let mut workflow = take(&mut data, "workflow");
    if workflow.is_null() {
        return Err(Refusal::not_found("workflow"));
    }
    let (versions, _) = page(take(&mut workflow, "versions"));
    let mut body = fields(workflow);
    body.insert("versions".to_owned(), versions);
    let active = body.get("activeVersion").and_then(Value::as_u64);
    let summary = match active {
        Some(version) => format!("a workflow; version {version} of it is active"),
        None => "a workflow; no version of it is active".to_owned(),
    };
    Ok(Answer { body, summary })
}
