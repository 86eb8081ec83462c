//! Tests of Edit Fields in all its versions.

use serde_json::{Value, json};

use super::*;
use crate::testing::{Bench, pairs_of};

fn assigned(kind: &str, value: Value, options: Value) -> Bench<'static> {
    let assignments = json!({"assignments": [{"name": "x", "type": kind, "value": value}]});
    let parameters = json!({"assignments": assignments, "includeOtherFields": true, "options": options});
    Bench::new(&Set, 3.4, parameters).input(json!([{"old": 1}]))
}

#[test]
fn version_1_sets_values_by_type_and_makes_what_is_missing() {
    let parameters = json!({
        "values": {
            "string": [{"name": "a.b[1]", "value": "={{ $json.s }}"}, {"name": "empty"}],
            "number": [{"name": "n"}],
            "boolean": [{"name": "flag", "value": "false"}],
        },
    });
    let mut bench = Bench::new(&Set, 1.0, parameters).input(json!([{"s": "text", "a": {"c": 1}}]));
    let expected = json!([{
        "s": "text", "a": {"c": 1, "b": [null, "text"]}, "flag": true, "n": 0, "empty": "",
    }]);
    assert_eq!(bench.output(), expected);
}

#[test]
fn version_2_may_keep_only_what_it_sets_and_reads_numbers() {
    let parameters = json!({
        "keepOnlySet": true, "options": {"dotNotation": false},
        "values": {"number": [{"name": "a.b", "value": "12"}, {"name": "c", "value": "x"}]},
    });
    let mut bench = Bench::new(&Set, 2.0, parameters).input(json!([{"old": 1}, {"old": 2}]));
    assert_eq!(bench.output(), json!([{"a.b": 12, "c": "x"}, {"a.b": 12, "c": "x"}]));
    assert_eq!(pairs_of(&bench.run().unwrap()), json!([{"item": 0}, {"item": 1}]));
}

#[test]
fn version_3_names_the_type_in_the_field() {
    let values = json!([
        {"name": "text", "stringValue": "={{ $json.n }}"},
        {"name": "number", "type": "numberValue", "numberValue": "3.5"},
        {"name": "flag", "type": "booleanValue"},
        {"name": "list", "type": "arrayValue", "arrayValue": "[1, 2]"},
        {"name": "object", "type": "objectValue", "objectValue": "={ \"part\": {{ $json.o }}, 'n': {{ $json.n }} }"},
    ]);
    let parameters = json!({"fields": {"values": values}, "include": "none", "options": {}});
    let mut bench = Bench::new(&Set, 3.2, parameters).input(json!([{"n": 7, "o": {"k": "v"}}]));
    let expected = json!([{
        "text": "7", "number": 3.5, "flag": true, "list": [1, 2], "object": {"part": {"k": "v"}, "n": 7},
    }]);
    assert_eq!(bench.output(), expected);
}

#[test]
fn values_are_converted_to_the_type_of_the_field() {
    assert_eq!(assigned("string", json!({"a": 1}), json!({})).output()[0]["x"], json!("{\"a\":1}"));
    assert_eq!(assigned("number", json!("="), json!({})).output()[0]["x"], json!(0));
    assert_eq!(assigned("boolean", json!("=1"), json!({})).output()[0]["x"], json!(true));
    assert_eq!(assigned("object", json!("{a: 1}"), json!({})).output()[0]["x"], json!({"a": 1}));
    assert_eq!(assigned("array", json!("={{ undefined }}"), json!({})).output()[0]["x"], Value::Null);
}

#[test]
fn what_cannot_be_converted_is_an_error_unless_ignored() {
    let error = assigned("number", json!("ten"), json!({})).run().unwrap_err();
    assert_eq!(error.message, "field 'x' expects a number but got the string 'ten' [item 0]");
    assert!(error.description.unwrap().contains("Ignore Type Conversion Errors"));
    let kept = assigned("number", json!("ten"), json!({"ignoreConversionErrors": true})).output();
    assert_eq!(kept, json!([{"old": 1, "x": "ten"}]));
    let continued = assigned("number", json!("ten"), json!({})).continue_on_fail().output();
    assert_eq!(continued[0]["error"], json!("field 'x' expects a number but got the string 'ten' [item 0]"));
}

#[test]
fn fields_of_the_input_are_kept_as_chosen() {
    let output = |include: &str, list: &str| {
        let parameters = json!({
            "assignments": {"assignments": [{"name": "new", "type": "number", "value": 1}]},
            "includeOtherFields": true, "include": include, "includeFields": list, "excludeFields": list, "options": {},
        });
        Bench::new(&Set, 3.3, parameters).input(json!([{"a": {"b": 1, "c": 2}, "d": 3}])).output()
    };
    assert_eq!(output("all", ""), json!([{"a": {"b": 1, "c": 2}, "d": 3, "new": 1}]));
    assert_eq!(output("selected", "a.b, d"), json!([{"b": 1, "d": 3, "new": 1}]));
    assert_eq!(output("except", "a.b"), json!([{"a": {"c": 2}, "d": 3, "new": 1}]));
}

#[test]
fn json_gives_the_fields_in_raw_mode() {
    let raw = |json_output: Value| {
        let parameters = json!({"mode": "raw", "jsonOutput": json_output, "options": {}});
        Bench::new(&Set, 3.4, parameters).input(json!([{"o": {"q": "}}"}, "n": 2}]))
    };
    assert_eq!(
        raw(json!("={\"o\": {{ $json.o }}, \"n\": {{ $json.n }}, }")).output(),
        json!([{"o": {"q": "}}"}, "n": 2}])
    );
    assert_eq!(raw(json!("={{ $json.o }}")).output(), json!([{"q": "}}"}]));
    assert_eq!(raw(json!("{\"a\": {\"b\": [1]}}")).output(), json!([{"a": {"b": [1]}}]));
    assert_eq!(raw(json!("[1]")).failure(), "the JSON for item 0 is not an object");
    assert_eq!(raw(json!("nonsense")).failure(), "the JSON for item 0 is not valid");
}

#[test]
fn items_are_copied_in_manual_runs() {
    let parameters = json!({"duplicateItem": true, "duplicateCount": 2, "includeOtherFields": true, "options": {}});
    let mut bench = Bench::new(&Set, 3.4, parameters).input(json!([{"a": 1}]));
    assert_eq!(bench.output(), json!([{"a": 1}, {"a": 1}, {"a": 1}]));
}

#[test]
fn attachments_stay_unless_stripped() {
    let kept = |version: f64, options: Value| {
        let parameters = json!({"include": "all", "includeOtherFields": true, "options": options});
        let items = json!([{"json": {}, "binary": {"file": {"data": "eA==", "mimeType": "text/plain"}}}]);
        let output = Bench::new(&Set, version, parameters).input(items).run().unwrap();
        output.outputs[0][0].binary.is_some()
    };
    assert!(kept(3.4, json!({})) && !kept(3.2, json!({})));
    assert!(kept(3.4, json!({"stripBinary": false})) && !kept(3.4, json!({"stripBinary": true})));
    assert!(kept(3.2, json!({"includeBinary": true})) && !kept(3.2, json!({"includeBinary": false})));
}
