//! The HTTP Request Tool: a request with `{placeholders}`, and values that the model fills.

use serde_json::{Value, json};
use timeloom_domain::agent::ToolAction;
use timeloom_domain::definition::Node;
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::{NodeError, NodeRun};

use super::inline::{Maker, node, part_of_address, workflow};
use super::tools::Does;

/// The node that sends requests, and its version whose parameters are written here.
const REQUEST: (&str, f64) = ("n8n-nodes-base.httpRequest", 4.2);

/// Where a text of the request stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Address,
    Json,
    Value,
}

/// The tool that the node is.
///
/// # Errors
/// [`NodeError`] where it cannot be read.
pub(super) fn tool(run: &mut NodeRun<'_>, of: &Node, index: usize) -> Result<Does, NodeError> {
    let whole = resolved(run, of, index)?;
    let mut maker = Maker::new(run, index);
    let mut made = JsonObject::new();
    let text = |name: &str| whole.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut set = |name: &str, value: Value| made.insert(name.to_owned(), value);
    set("method", json!(if text("method").is_empty() { "GET" } else { text("method") }));
    set("url", json!(filled(&mut maker, &whole, text("url"), Place::Address)));
    for name in ["authentication", "nodeCredentialType", "genericAuthType"] {
        if !text(name).is_empty() {
            set(name, json!(text(name)));
        }
    }
    let parts = [
        ("Query", "queryParameters", "jsonQuery"),
        ("Headers", "headerParameters", "jsonHeaders"),
        ("Body", "bodyParameters", "jsonBody"),
    ];
    for (part, list, json_field) in parts {
        if whole.get(&format!("send{part}")).and_then(Value::as_bool) != Some(true) {
            continue;
        }
        set(&format!("send{part}"), json!(true));
        match text(&format!("specify{part}")) {
            "json" => {
                set(&format!("specify{part}"), json!("json"));
                set(json_field, json!(filled(&mut maker, &whole, text(json_field), Place::Json)));
            }
            "model" => {
                let name = part.to_ascii_lowercase();
                maker.arguments.add(
                    &name,
                    json!({"type": "object", "description": format!("The {name} of the request.")}),
                    true,
                );
                set(&format!("specify{part}"), json!("json"));
                set(json_field, json!(format!("={{{{ JSON.stringify($json[\"{name}\"]) }}}}")));
            }
            _ => {
                let values =
                    whole.get(&format!("parameters{part}")).and_then(|all| all.get("values")).and_then(Value::as_array);
                let pairs =
                    values.into_iter().flatten().map(|pair| pair_of(&mut maker, &whole, pair)).collect::<Vec<_>>();
                set(list, json!({"parameters": pairs}));
            }
        }
    }
    let made = node(&of.name, REQUEST.0, REQUEST.1, Value::Object(made), of.credentials.as_ref());
    let (schema, fixed) = maker.finish();
    Ok(Does { action: ToolAction::Inline { source: workflow(&of.name, made, Vec::new()) }, schema, fixed })
}

/// All parameters, with their expressions evaluated.
fn resolved(run: &mut NodeRun<'_>, of: &Node, index: usize) -> Result<JsonObject, NodeError> {
    let scope = run.scope_of(of);
    let resolved = run.expressions.resolve(&scope, &of.parameters, index..index + 1).pop().unwrap_or(Ok(None))?;
    match resolved {
        Some(Value::Object(fields)) => Ok(fields),
        _ => Err(NodeError::operation(format!("the tool '{}' has no parameters", of.name))),
    }
}

fn pair_of(maker: &mut Maker<'_, '_>, whole: &JsonObject, pair: &Value) -> Value {
    let text = |name: &str| pair.get(name).and_then(Value::as_str).unwrap_or_default();
    let name = text("name");
    let value = match text("valueProvider") {
        "fieldValue" => filled(maker, whole, text("value"), Place::Value),
        provider => {
            maker.arguments.add(name, described(whole, name), provider != "modelOptional");
            format!("={{{{ $json[{}] }}}}", json!(name))
        }
    };
    json!({"name": name, "value": value})
}

/// A text with reads of arguments in place of its placeholders. All else of it stays text.
fn filled(maker: &mut Maker<'_, '_>, whole: &JsonObject, text: &str, place: Place) -> String {
    let (mut made, mut rest, mut quoted, mut is_filled) = (String::from("="), text, false, false);
    let kept = |maker: &mut Maker<'_, '_>, made: &mut String, text: &str| {
        if !text.is_empty() {
            // Whatever stands in it, it is not evaluated again.
            let read = maker.keep(Value::String(text.to_owned()));
            made.push_str(&format!("{{{{ {read} }}}}"));
        }
    };
    let mut before = String::new();
    while let Some(open) = rest.find('{') {
        let name: String = rest[open + 1..]
            .chars()
            .take_while(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-'))
            .collect();
        let end = open + 1 + name.len();
        let is_placeholder = !name.is_empty() && rest[end..].starts_with('}');
        let upto = if is_placeholder { open } else { open + 1 };
        quoted ^= rest[..upto].replace("\\\"", "").matches('"').count() % 2 == 1;
        before.push_str(&rest[..upto]);
        if !is_placeholder {
            rest = &rest[upto..];
            continue;
        }
        kept(maker, &mut made, &std::mem::take(&mut before));
        maker.arguments.add(&name, described(whole, &name), true);
        let read = format!("$json[\"{name}\"]");
        let script = match (place, quoted) {
            (Place::Address, _) if made == "=" => read,
            (Place::Address, _) => part_of_address(&read),
            (Place::Json, true) => format!("JSON.stringify(String({read})).slice(1, -1)"),
            (Place::Json, false) => format!("JSON.stringify({read})"),
            (Place::Value, _) => read,
        };
        made.push_str(&format!("{{{{ {script} }}}}"));
        is_filled = true;
        rest = &rest[end + 1..];
    }
    before.push_str(rest);
    kept(maker, &mut made, &before);
    if is_filled || text.starts_with('=') { made } else { text.to_owned() }
}

/// What a placeholder is, as the node describes it.
fn described(whole: &JsonObject, name: &str) -> Value {
    let known = whole.get("placeholderDefinitions").and_then(|all| all.get("values")).and_then(Value::as_array);
    let of = known.into_iter().flatten().find(|known| known.get("name").and_then(Value::as_str) == Some(name));
    let text = |field: &str| of.and_then(|of| of.get(field)).and_then(Value::as_str).unwrap_or_default();
    let mut schema = match text("type") {
        "number" => json!({"type": "number"}),
        "boolean" => json!({"type": "boolean"}),
        "json" => json!({}),
        _ => json!({"type": "string"}),
    };
    if !text("description").is_empty() {
        schema["description"] = json!(text("description"));
    }
    schema
}
