//! Query strings and forms as JSON. Names with brackets nest in a query (`a[b]=1`), as n8n's front reads them; in a form
//! they are names like any other.
//!
//! Invariant: what comes out is as deep and as wide as the bounds say, whatever comes in.

use serde_json::{Map, Value};
use url::form_urlencoded;

/// Most pairs that are read; what is behind them is left out.
const PAIRS_MAX: usize = 1_000;
/// Deepest nesting of brackets; what is deeper is part of the last name.
const DEPTH_MAX: usize = 5;

/// A query string as an object.
pub(super) fn query(text: &str) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()).take(PAIRS_MAX) {
        let (first, rest) = parts(&name);
        put(object.entry(first).or_insert(Value::Null), &rest, value.into_owned());
    }
    object
}

/// A form as an object: a name that comes more than once has a list.
pub(super) fn form(body: &[u8]) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, value) in form_urlencoded::parse(body).take(PAIRS_MAX) {
        add(object.entry(name.into_owned()).or_insert(Value::Null), Value::String(value.into_owned()));
    }
    object
}

/// Adds a value to those of the same name: alone it stands by itself, with others in a list.
pub(super) fn add(place: &mut Value, value: Value) {
    match place {
        Value::Null => *place = value,
        Value::Array(list) => list.push(value),
        other => *other = Value::Array(vec![other.take(), value]),
    }
}

/// The name before the first bracket, and what is in the brackets after it.
fn parts(name: &str) -> (String, Vec<String>) {
    let Some((first, mut rest)) = name.find('[').filter(|place| *place > 0).map(|place| name.split_at(place)) else {
        return (name.to_owned(), Vec::new());
    };
    let mut inner = Vec::new();
    while let Some((part, after)) = rest.strip_prefix('[').and_then(|open| open.split_once(']')) {
        if inner.len() >= DEPTH_MAX {
            break;
        }
        inner.push(part.to_owned());
        rest = after;
    }
    if inner.is_empty() { (name.to_owned(), inner) } else { (first.to_owned(), inner) }
}

fn put(place: &mut Value, parts: &[String], value: String) {
    let Some((first, rest)) = parts.split_first() else {
        add(place, Value::String(value));
        return;
    };
    let is_next = |index: &str, list: &[Value]| index.parse() == Ok(list.len());
    match place {
        Value::Null if first.is_empty() || first == "0" => *place = Value::Array(Vec::new()),
        Value::Null => *place = Value::Object(Map::new()),
        Value::Array(list) if !first.is_empty() && !is_next(first, list) => {
            let entries = std::mem::take(list).into_iter().enumerate();
            *place = Value::Object(entries.map(|(index, entry)| (index.to_string(), entry)).collect());
        }
        Value::Array(_) | Value::Object(_) => {}
        _ => *place = Value::Array(vec![place.take()]),
    }
    match place {
        Value::Array(list) => {
            let mut entry = Value::Null;
            put(&mut entry, rest, value);
            list.push(entry);
        }
        Value::Object(object) => put(object.entry(first.clone()).or_insert(Value::Null), rest, value),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_query_nests_by_its_brackets() {
        let cases = [
            ("a=1&b=x%20y+z", json!({ "a": "1", "b": "x y z" })),
            ("a=1&a=2&a=3", json!({ "a": ["1", "2", "3"] })),
            ("a[]=1&a[]=2", json!({ "a": ["1", "2"] })),
            ("a[0]=x&a[1]=y", json!({ "a": ["x", "y"] })),
            ("a[5]=x", json!({ "a": { "5": "x" } })),
            ("a[b][c]=1&a[b][d]=2&a[e]=3", json!({ "a": { "b": { "c": "1", "d": "2" }, "e": "3" } })),
            ("a[0]=x&a[k]=y", json!({ "a": { "0": "x", "k": "y" } })),
            ("[x]=1&a[=2&b]=3&", json!({ "[x]": "1", "a[": "2", "b]": "3" })),
            ("flag", json!({ "flag": "" })),
            ("", json!({})),
            ("__proto__[x]=1", json!({ "__proto__": { "x": "1" } })),
        ];
        for (text, expected) in cases {
            assert_eq!(Value::Object(query(text)), expected, "{text}");
        }
        assert_eq!(Value::Object(form(b"a[b]=1&c=2&c=3")), json!({ "a[b]": "1", "c": ["2", "3"] }));
    }

    #[test]
    fn hostile_queries_stay_small() {
        let deep = format!("a{}=1", "[b]".repeat(10_000));
        let mut value = &Value::Object(query(&deep));
        let mut depth = 0;
        while let Some(inner) = value.as_object().and_then(|object| object.values().next()) {
            (value, depth) = (inner, depth + 1);
        }
        assert!(depth <= DEPTH_MAX + 1, "{depth}");
        let wide = "a[]=1&".repeat(100_000);
        assert_eq!(query(&wide)["a"].as_array().map(Vec::len), Some(PAIRS_MAX));
    }
}
