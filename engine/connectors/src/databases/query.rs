//! Statements that an author wrote, with the values of the option Query Parameters.

use serde_json::Value;
use timeloom_engine::node::{NodeError, NodeRun};
use timeloom_nodes::values;

use super::sql::{Dialect, Statement, written};
use super::table::comma_separated;

/// The statements of the parameter `query` for one item.
///
/// # Errors
/// [`NodeError`] when there are none, or a parameter of them has no value.
pub(crate) fn query_statements(
    run: &mut NodeRun<'_>,
    dialect: Dialect,
    index: usize,
) -> Result<Vec<Statement>, NodeError> {
    let given = replacements(run, index)?;
    written(&run.text("query", index, "")?, &given, dialect)
}

/// The values for `$1`, `$2` and so on. A list is taken as it is; of a text with several expressions each one is a value,
/// whatever commas are in it; a text without expressions has commas between its values.
fn replacements(run: &mut NodeRun<'_>, index: usize) -> Result<Vec<Value>, NodeError> {
    let Some(raw) = run.raw_parameter("options.queryReplacement").cloned() else { return Ok(Vec::new()) };
    if let Some(parts) = raw.as_str().and_then(expressions) {
        let mut given = Vec::with_capacity(parts.len());
        for part in &parts {
            given.push(run.resolve_with(part, index, &Default::default())?.unwrap_or_default());
        }
        return Ok(match <[Value; 1]>::try_from(given) {
            Ok([Value::Array(list)]) => list,
            Ok([one]) => vec![one],
            Err(several) => several,
        });
    }
    Ok(match run.parameter("options.queryReplacement", index)? {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list,
        Some(Value::String(text)) => comma_separated(&text).into_iter().map(Value::String).collect(),
        Some(other) => vec![Value::String(values::text(&other))],
    })
}

/// The parts of a text that is nothing but expressions with commas between them, or of which each part is one or a plain
/// text. `None` where it has no expression.
fn expressions(text: &str) -> Option<Vec<Value>> {
    let mut rest = text.strip_prefix('=')?;
    if !rest.contains("{{") {
        return None;
    }
    let mut parts = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ', '\n', '\t']);
        if rest.is_empty() {
            return Some(parts);
        }
        let end = part_end(rest);
        let part = rest[..end].trim();
        parts.push(Value::String(if part.contains("{{") { format!("={part}") } else { part.to_owned() }));
        rest = &rest[end..];
    }
}

/// Where a part ends: at the first comma outside of an expression.
fn part_end(text: &str) -> usize {
    let mut inside = 0_usize;
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match &bytes[at..] {
            [b'{', b'{', ..] => {
                inside += 1;
                at += 1;
            }
            [b'}', b'}', ..] => {
                inside = inside.saturating_sub(1);
                at += 1;
            }
            [b',', ..] if inside == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_expression_is_a_value_of_its_own() {
        for (text, parts) in [
            ("={{ $json.a }}, {{ $json.b }}", json!(["={{ $json.a }}", "={{ $json.b }}"])),
            ("={{ f(1, 2) }},x , pre{{ $json.b }}", json!(["={{ f(1, 2) }}", "x", "=pre{{ $json.b }}"])),
            ("={{ [$json.a, $json.b] }}", json!(["={{ [$json.a, $json.b] }}"])),
        ] {
            assert_eq!(expressions(text).map(Value::Array), Some(parts), "{text}");
        }
        assert_eq!(expressions("a, b"), None);
        assert_eq!(expressions("=a, b"), None);
    }
}
