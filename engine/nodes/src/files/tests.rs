//! Files made of items and read again.

use serde_json::{Value, json};

use super::{ConvertToFile, ExtractFromFile};
use crate::testing::{Bench, pairs_of};

/// The items after they were made a file with one set of parameters and read with another.
fn there_and_back(items: Value, convert: Value, extract: Value) -> Value {
    let files = Bench::new(&ConvertToFile, 1.1, convert).input(items).run().unwrap();
    Bench::new(&ExtractFromFile, 1.0, extract).input(json!(files.outputs[0])).output()
}

#[test]
fn csv_has_a_column_for_each_field() {
    let items = json!([{"n": 1, "o": {"a": "x,y", "b": true}}, {"n": 2, "late": null}]);
    let read = there_and_back(items, json!({"options": {"delimiter": ";"}}), json!({"options": {"delimiter": ";"}}));
    assert_eq!(read, json!([{"\u{feff}n": "1", "o.a": "x,y", "o.b": "TRUE"}, {"\u{feff}n": "2"}]));
    let rows = there_and_back(
        json!([{"a": 1}, {"a": 2}, {"a": 3}]),
        json!({}),
        json!({"options": {"headerRow": false, "fromLine": 1, "maxRowCount": 2}}),
    );
    assert_eq!(rows, json!([{"row": {"0": "1"}}, {"row": {"0": "2"}}]));
}

#[test]
fn json_is_one_file_or_one_for_each_item() {
    let items = json!([{"a": 1}, {"a": 2}]);
    let once = there_and_back(items.clone(), json!({"operation": "toJson"}), json!({"operation": "text"}));
    assert_eq!(once, json!([{"data": "[{\"a\":1},{\"a\":2}]"}]));
    let each = json!({"operation": "toJson", "mode": "each"});
    let read = there_and_back(items, each, json!({"operation": "fromJson", "destinationKey": "x"}));
    assert_eq!(read, json!([{"x": {"a": 1}}, {"x": {"a": 2}}]));
}

#[test]
fn text_and_bytes_come_from_a_field() {
    let text = json!({"operation": "toText", "sourceProperty": "a.b"});
    let items = json!([{"a": {"b": "héllo"}}]);
    assert_eq!(there_and_back(items.clone(), text.clone(), json!({"operation": "text"})), json!([{"data": "héllo"}]));
    let bytes = json!({"operation": "toBinary", "sourceProperty": "x"});
    let read = there_and_back(json!([{"x": "YWJj"}]), bytes, json!({"operation": "binaryToPropery"}));
    assert_eq!(read, json!([{"data": "YWJj"}]));
    let missing = Bench::new(&ConvertToFile, 1.0, text).input(json!([{}])).failure();
    assert_eq!(missing, "item 0 has no value in 'a.b'");
}

#[test]
fn one_file_of_many_items_was_made_from_them_all() {
    let output = Bench::new(&ConvertToFile, 1.1, json!({})).input(json!([{"a": 1}, {"a": 2}])).run().unwrap();
    assert_eq!(pairs_of(&output), json!([[{"item": 0}, {"item": 1}]]));
    let file = &output.outputs[0][0].binary.as_ref().unwrap()["data"];
    assert_eq!((file.file_name.as_deref(), file.mime_type.as_str()), (Some("File.csv"), "text/csv"));
}

#[test]
fn a_file_has_a_name_by_its_kind_and_a_media_type_by_its_name() {
    let made = |operation: &str, options: Value| {
        let parameters = json!({"operation": operation, "sourceProperty": "data", "options": options});
        let item = json!([{"data": "JVBERi0xLjQ="}]);
        let output = Bench::new(&ConvertToFile, 1.1, parameters).input(item).run().unwrap();
        let file = output.outputs[0][0].binary.as_ref().unwrap()["data"].clone();
        [file.file_name.unwrap(), file.mime_type]
    };
    const SHEET: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    for (operation, name, kind, unknown) in [
        ("csv", "File.csv", "text/csv", "text/plain"),
        ("html", "File.html", "text/html", "text/plain"),
        ("xlsx", "File.xlsx", SHEET, SHEET),
        ("toJson", "file.json", "application/json", "application/json"),
        ("toText", "file.txt", "text/plain", "text/plain"),
        ("toBinary", "file", "application/pdf", "application/pdf"),
    ] {
        assert_eq!(made(operation, json!({})), [name, kind], "{operation}");
        assert_eq!(made(operation, json!({"fileName": "mine"})), ["mine", unknown], "{operation}");
    }
    assert_eq!(made("csv", json!({"fileName": "all.zip"})), ["all.zip", "application/zip"]);
    assert_eq!(made("toBinary", json!({"fileName": "a.json"})), ["a.json", "application/json"]);
    assert_eq!(made("toBinary", json!({"fileName": "a.json", "mimeType": "image/png"})), ["a.json", "image/png"]);
}

#[test]
fn other_kinds_of_file_are_refused() {
    let mut pdf = Bench::new(&ExtractFromFile, 1.0, json!({"operation": "pdf"}));
    pdf = pdf.input(json!([{"json": {}, "binary": {"data": {"data": "", "mimeType": "application/pdf"}}}]));
    assert_eq!(pdf.failure(), "files of the kind 'pdf' are not supported here");
}
