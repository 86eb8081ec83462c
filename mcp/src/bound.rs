//! The bound of an answer: what is too large is left out where a caller can ask for it by itself, and that is told.

use serde_json::{Map, Value, json};

use crate::outcome::{Refusal, fields};

/// Most bytes of an answer, as JSON text.
pub const ANSWER_BYTES_MAX: usize = 256 << 10;
/// Where an answer tells what was left out of it.
pub(crate) const CUT: &str = "cut";

/// Leaves out of `body` what makes it too large, the largest parts first. `cuttable` says which may be: JSON pointers, in
/// which `*` is any entry of a list.
///
/// # Errors
/// A refusal that says what to ask instead, where what is left is still too large.
pub(crate) fn fit(
    body: Map<String, Value>,
    cuttable: &[&str],
    bytes_max: usize,
) -> Result<Map<String, Value>, Refusal> {
    let mut whole = Value::Object(body);
    let mut bytes = length(&whole);
    if bytes <= bytes_max {
        return Ok(fields(whole));
    }
    let mut parts = Vec::new();
    for pattern in cuttable {
        let steps: Vec<&str> = pattern.split('/').skip(1).collect();
        find(&whole, &steps, String::new(), &mut parts);
    }
    parts.sort_by(|(one, _), (other, _)| other.cmp(one));
    let mut cut = Vec::new();
    bytes += CUT.len() + 6;
    for (size, path) in parts {
        if bytes <= bytes_max {
            break;
        }
        if let Some(part) = whole.pointer_mut(&path) {
            *part = Value::Null;
            let told = json!({ "path": path, "bytes": size });
            bytes = (bytes + length(&told) + "null,".len()).saturating_sub(size);
            cut.push(told);
        }
    }
    let mut left = fields(whole);
    left.insert(CUT.to_owned(), Value::Array(cut));
    if bytes <= bytes_max {
        return Ok(left);
    }
    let message =
        format!("the answer has more than {bytes_max} bytes: ask for fewer entries with first, or for less of each");
    Err(Refusal::new("ANSWER_TOO_LARGE", message))
}

/// The parts that `steps` lead to, each with its size and its place.
fn find(value: &Value, steps: &[&str], at: String, found: &mut Vec<(usize, String)>) {
    match (steps.split_first(), value) {
        (_, Value::Null) => {}
        (None, _) => found.push((length(value), at)),
        (Some((&"*", rest)), Value::Array(entries)) => {
            for (index, entry) in entries.iter().enumerate() {
                find(entry, rest, format!("{at}/{index}"), found);
            }
        }
        (Some((step, rest)), _) => {
            if let Some(inner) = value.get(*step) {
                find(inner, rest, format!("{at}/{step}"), found);
            }
        }
    }
}

fn length(value: &Value) -> usize {
    value.to_string().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(value: Value) -> Map<String, Value> {
        fields(value)
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let small = body(json!({ "runs": [{ "output": "x" }] }));
        assert_eq!(fit(small.clone(), &["/runs/*/output"], 100), Ok(small));
    }

    #[test]
    fn the_largest_parts_are_left_out_first_and_told() {
        let runs = json!({ "runs": [
            { "node": "A", "output": "a".repeat(50) }, { "node": "B", "output": "b".repeat(5_000) }, { "node": "C", "output": null }
        ] });
        let fitted = fit(body(runs), &["/runs/*/output"], 400).unwrap();
        assert_eq!(fitted["runs"][0]["output"], "a".repeat(50));
        assert_eq!(fitted["runs"][1], json!({ "node": "B", "output": null }));
        assert_eq!(fitted[CUT], json!([{ "path": "/runs/1/output", "bytes": 5_002 }]));
        assert!(Value::Object(fitted).to_string().len() <= 400);
    }

    #[test]
    fn the_bound_holds_however_many_parts_are_left_out() {
        let entries: Vec<Value> = (0..100).map(|_| json!({ "payload": "p".repeat(200) })).collect();
        for bytes_max in [4_000, 6_000, 9_000, 12_000] {
            match fit(body(json!({ "events": entries })), &["/events/*/payload"], bytes_max) {
                Ok(fitted) => assert!(Value::Object(fitted).to_string().len() <= bytes_max, "{bytes_max}"),
                Err(refusal) => assert!(refusal.text().starts_with("ANSWER_TOO_LARGE"), "{}", refusal.text()),
            }
        }
    }

    #[test]
    fn what_cannot_be_cut_is_refused() {
        let refused = fit(body(json!({ "name": "n".repeat(500) })), &["/other"], 100).unwrap_err();
        assert!(refused.text().contains("ask for fewer entries"), "{}", refused.text());
    }
}
