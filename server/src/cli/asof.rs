//! `timeloom asof`: what was in force at a moment, all of it as of the same place of the log. Never what is in a credential.

use clap::Args;
use serde_json::{Map, Value, json};

use super::client::{Client, Refused};
use super::log::refused;
use super::moment::Moment;
use super::{Access, Failure, output};
use crate::config::Config;

const HEAD: &str = "query($asOf: AsOf) { inForce(asOf: $asOf) { position recordedAt } }";

/// A part: its field, what is asked of each entry, and the columns in which people see it.
struct Part {
    field: &'static str,
    title: &'static str,
    fields: &'static str,
    is_paged: bool,
    columns: &'static [(&'static str, &'static str)],
}

const PARTS: [Part; 7] = [
    Part {
        field: "workflows",
        title: "workflows",
        fields: "id name activeVersion publishedVersion",
        is_paged: true,
        columns: &[("ID", "/id"), ("NAME", "/name"), ("ACTIVE", "/activeVersion"), ("PUBLISHED", "/publishedVersion")],
    },
    Part {
        field: "models",
        title: "models",
        fields: "name promotedVersion aliases { alias version }",
        is_paged: true,
        columns: &[("NAME", "/name"), ("PROMOTED", "/promotedVersion"), ("ALIASES", "/aliases")],
    },
    Part {
        field: "agents",
        title: "agents",
        fields: "name newestVersion { version }",
        is_paged: true,
        columns: &[("NAME", "/name"), ("VERSION", "/newestVersion/version")],
    },
    Part { field: "gatewayRoutes", title: "routes", fields: "name", is_paged: false, columns: &[("NAME", "/name")] },
    Part {
        field: "featureFlags",
        title: "flags",
        fields: "feature rollout { percent onFor offFor }",
        is_paged: false,
        columns: &[
            ("FEATURE", "/feature"),
            ("PERCENT", "/rollout/percent"),
            ("ON", "/rollout/onFor"),
            ("OFF", "/rollout/offFor"),
        ],
    },
    Part {
        field: "credentials",
        title: "credentials",
        fields: "id name type version",
        is_paged: true,
        columns: &[("ID", "/id"), ("NAME", "/name"), ("TYPE", "/type"), ("VERSION", "/version")],
    },
    Part {
        field: "accounts",
        title: "accounts",
        fields: "id name kind roles { role }",
        is_paged: true,
        columns: &[("ID", "/id"), ("NAME", "/name"), ("KIND", "/kind"), ("ROLES", "/roles")],
    },
];

/// When.
#[derive(Debug, Args)]
pub struct AsofArguments {
    /// The moment: a position (17), a time (2026-01-31T12:00:00Z) or a day.
    moment: Moment,
    #[command(flatten)]
    access: Access,
}

impl AsofArguments {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        if matches!(self.moment, Moment::Revision(_)) {
            return Err(refused(
                "a revision is a place in one stream, and this is about many: give a position or a time",
            ));
        }
        let client = Client::open(&self.access, config).await?;
        let found = all(&client, self.moment).await;
        client.close().await;
        let found = found?;
        if self.access.json {
            output::json(&found);
        } else {
            tell(&found);
        }
        Ok(())
    }
}

/// Everything, by part; what somebody may not see is null.
async fn all(client: &Client, moment: Moment) -> anyhow::Result<Value> {
    let head = client.ask(HEAD, json!({ "asOf": moment.as_of() })).await?;
    let mut found = head.get("inForce").and_then(Value::as_object).cloned().unwrap_or_default();
    // The rest is asked for at the place that the moment was, whatever comes meanwhile.
    let as_of = json!({ "position": found.get("position") });
    for part in &PARTS {
        let entries = match entries(client, part, &as_of).await {
            Ok(entries) => Value::Array(entries),
            Err(error) if error.is::<Refused>() => Value::Null,
            Err(error) => return Err(error),
        };
        found.insert(part.field.to_owned(), entries);
    }
    Ok(Value::Object(found))
}

async fn entries(client: &Client, part: &Part, as_of: &Value) -> anyhow::Result<Vec<Value>> {
    let Part { field, fields, is_paged, .. } = part;
    if !is_paged {
        let query = format!("query($asOf: AsOf) {{ inForce(asOf: $asOf) {{ {field} {{ {fields} }} }} }}");
        let data = client.ask(&query, json!({ "asOf": as_of })).await?;
        return Ok(list(data.pointer(&format!("/inForce/{field}"))));
    }
    let query = format!(
        "query($asOf: AsOf, $after: String) {{ inForce(asOf: $asOf) {{ {field}(first: 100, after: $after) {{
           nodes {{ {fields} }} pageInfo {{ hasNextPage endCursor }} }} }} }}"
    );
    let (mut all, mut after) = (Vec::new(), Value::Null);
    loop {
        let data = client.ask(&query, json!({ "asOf": as_of, "after": after })).await?;
        let page = data.pointer(&format!("/inForce/{field}")).cloned().unwrap_or_default();
        all.extend(list(page.get("nodes")));
        if page.pointer("/pageInfo/hasNextPage") != Some(&Value::Bool(true)) {
            return Ok(all);
        }
        after = page.pointer("/pageInfo/endCursor").cloned().unwrap_or_default();
    }
}

fn list(value: Option<&Value>) -> Vec<Value> {
    value.and_then(Value::as_array).cloned().unwrap_or_default()
}

fn tell(found: &Value) {
    let text = |path: &str| output::text(found, path);
    output::line(&format!("at position {} ({})", text("/position"), text("/recordedAt")));
    for part in &PARTS {
        output::line("");
        match found.get(part.field).and_then(Value::as_array) {
            None => output::line(&format!("{}: not for you to see", part.title)),
            Some(entries) if entries.is_empty() => output::line(&format!("{}: none", part.title)),
            Some(entries) => {
                output::line(&format!("{}:", part.title));
                let headings: Vec<&str> = part.columns.iter().map(|(heading, _)| *heading).collect();
                let row = |entry: &Value| part.columns.iter().map(|(_, path)| cell(entry, path)).collect();
                output::table(&headings, &entries.iter().map(row).collect::<Vec<_>>());
            }
        }
    }
}

/// A value in one cell: of objects in a list, what they say.
fn cell(entry: &Value, path: &str) -> String {
    let words = |fields: &Map<String, Value>| {
        fields
            .keys()
            .map(|field| output::text(&Value::Object(fields.clone()), &format!("/{field}")))
            .collect::<Vec<_>>()
            .join("=")
    };
    match entry.pointer(path) {
        Some(Value::Array(values)) if values.is_empty() => "-".to_owned(),
        Some(Value::Array(values)) => {
            let each = values.iter().map(|value| value.as_object().map_or_else(|| value.to_string(), words));
            each.collect::<Vec<_>>().join(", ")
        }
        _ => output::text(entry, path),
    }
}
