//! What was in force at a moment, part by part: each needs what it needs by itself.

use serde_json::{Value, json};

use super::{Effect, Tool, Way, moment, reads};
use crate::arguments::Arguments;
use crate::outcome::{Answer, Refusal, counted, fields, page, take};
use crate::schema::{after, choice, gives, next_cursor, of_kind, takes};

/// A part: its name, its field, and its document.
struct Part {
    name: &'static str,
    field: &'static str,
    document: &'static str,
}

static PARTS: [Part; 7] = [
    Part {
        name: "workflows",
        field: "workflows",
        document: "query($asOf: AsOf, $after: String) { inForce(asOf: $asOf) { position recordedAt
          workflows(first: 100, after: $after) { nodes { id name activeVersion publishedVersion }
            pageInfo { hasNextPage endCursor } } } }",
    },
    Part {
        name: "models",
        field: "models",
        document: "query($asOf: AsOf, $after: String) { inForce(asOf: $asOf) { position recordedAt
          models(first: 100, after: $after) { nodes { name promotedVersion disabled aliases { alias version } }
            pageInfo { hasNextPage endCursor } } } }",
    },
    Part {
        name: "agents",
        field: "agents",
        document: "query($asOf: AsOf, $after: String) { inForce(asOf: $asOf) { position recordedAt
          agents(first: 100, after: $after) { nodes { name description newestVersion { version model } }
            pageInfo { hasNextPage endCursor } } } }",
    },
    Part {
        name: "routes",
        field: "gatewayRoutes",
        document: "query($asOf: AsOf) { inForce(asOf: $asOf) { position recordedAt
          gatewayRoutes { name attemptsMax retriesMax } } }",
    },
    Part {
        name: "flags",
        field: "featureFlags",
        document: "query($asOf: AsOf) { inForce(asOf: $asOf) { position recordedAt
          featureFlags { feature reason rollout { percent onFor offFor } } } }",
    },
    Part {
        name: "credentials",
        field: "credentials",
        document: "query($asOf: AsOf, $after: String) { inForce(asOf: $asOf) { position recordedAt
          credentials(first: 100, after: $after) { nodes { id name type version }
            pageInfo { hasNextPage endCursor } } } }",
    },
    Part {
        name: "accounts",
        field: "accounts",
        document: "query($asOf: AsOf, $after: String) { inForce(asOf: $asOf) { position recordedAt
          accounts(first: 100, after: $after) { nodes { id name kind disabled roles { role } }
            pageInfo { hasNextPage endCursor } } } }",
    },
];

pub(super) static IN_FORCE: Tool = Tool {
    name: "get_in_force",
    title: "Get what was in force at a moment",
    description: "What was in force at a moment, now when none is given: workflows with the versions that took calls, models with their aliases, agents, routes to language models, feature flags, credentials by name (never what is in them), accounts with their roles. position of the answer is the place of the log; give it again to ask for another part as of the same moment.",
    effect: Effect::Reads,
    input: || {
        let names = PARTS.each_ref().map(|part| part.name);
        takes(&["part"], moment(json!({ "part": choice("What is asked about.", &names), "after": after() })))
    },
    output: || {
        let entries = json!({ "type": "array", "items": { "type": "object" } });
        let properties = json!({
            "position": of_kind("string"), "recordedAt": of_kind("string?"), "entries": entries, "nextCursor": next_cursor(),
        });
        gives(&["position", "entries", "nextCursor"], properties)
    },
    cuttable: &["/entries/*/description"],
    way: Way::Asks {
        question: |arguments| {
            let Part { document, field, .. } = part(arguments)?;
            let mut variables = json!({ "asOf": arguments.as_of()? });
            if !matches!(*field, "gatewayRoutes" | "featureFlags") {
                variables["after"] = arguments.value("after");
            }
            Ok(reads(document, variables))
        },
        tell: |arguments, mut data| {
            let Part { name, field, .. } = part(arguments)?;
            let mut found = take(&mut data, "inForce");
            let (entries, next) = match take(&mut found, field) {
                list @ Value::Array(_) => (list, Value::Null),
                connection => page(connection),
            };
            let summary = format!("{} of {name}", counted(&entries, &next, "entry", "entries"));
            let mut body = fields(found);
            body.remove(*field);
            body.insert("entries".to_owned(), entries);
            body.insert("nextCursor".to_owned(), next);
            Ok(Answer { body, summary })
        },
    },
};

/// The part that is asked about.
fn part(arguments: &Arguments) -> Result<&'static Part, Refusal> {
    let name = arguments.text("part").unwrap_or_default();
    let found = PARTS.iter().find(|part| part.name == name);
    found.ok_or_else(|| Refusal::of_arguments("part names what is asked about"))
}
