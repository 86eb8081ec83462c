//! Files made of items and read again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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
    let mut other = Bench::new(&ExtractFromFile, 1.0, json!({"operation": "djvu"}));
    other = other.input(json!([{"json": {}, "binary": {"data": {"data": "", "mimeType": "image/vnd.djvu"}}}]));
    assert_eq!(other.failure(), "files of the kind 'djvu' are not supported here");
}

#[test]
fn an_event_is_a_calendar_file_for_each_item() {
    let convert = json!({
        "operation": "iCal", "title": "={{ $json.t }}", "start": "2030-06-01T12:00:00", "end": "2030-06-01T13:00:00",
        "additionalFields": {
            "useWorkflowTimezone": true,
            "attendeesUi": {"attendeeValues": [{"name": "Ada", "email": "ada@example.com", "rsvp": true}]},
            "geolocationUi": {"geolocationValues": {"lat": "1.5", "lon": 2}},
        },
    });
    let plain =
        json!({"operation": "iCal", "title": "Tea", "start": "2030-06-01", "end": "2030-06-02", "allDay": true});
    let made = |parameters: serde_json::Value| {
        let mut bench = Bench::new(&ConvertToFile, 1.1, parameters).input(json!([{}]));
        bench.timezone = chrono_tz::Europe::Berlin;
        bench.run()
    };
    let read = |output: &timeloom_engine::node::NodeOutput| {
        let parameters = json!({"operation": "fromIcs"});
        Bench::new(&ExtractFromFile, 1.1, parameters).input(json!(output.outputs[0])).output()[0]["data"]["events"][0]
            .clone()
    };
    let mut timed = convert.clone();
    timed["title"] = json!("Tea");
    let output = made(timed).unwrap();
    let file = &output.outputs[0][0].binary.as_ref().unwrap()["data"];
    assert_eq!((file.file_name.as_deref(), file.mime_type.as_str()), (Some("event.ics"), "text/calendar"));
    let event = read(&output);
    assert_eq!(event["summary"], "Tea");
    assert_eq!(event["start"]["date"], "2030-06-01T10:00:00.000Z", "in the workflow's zone");
    assert_eq!(event["stamp"]["date"], "2024-05-17T12:30:45.000Z", "the time of the run");
    assert_eq!(event["attendees"], json!([{"email": "ada@example.com", "name": "Ada", "rsvp": true}]));
    assert_eq!(event["geo"], json!({"lat": 1.5, "lon": 2}));
    let days = read(&made(plain.clone()).unwrap());
    assert_eq!([&days["start"]["type"], &days["end"]["date"]], ["DATE", "2030-06-03T00:00:00.000Z"]);
    assert_eq!(days["uid"], read(&made(plain.clone()).unwrap())["uid"], "the same event is the same again");
    let mut wrong = plain;
    wrong["end"] = json!("2030-05-01");
    assert_eq!(made(wrong.clone()).unwrap_err().message, "the event of item 0 ends before it begins");
    wrong["end"] = json!("soon");
    assert_eq!(made(wrong).unwrap_err().message, "the end of item 0's event is no date that can be read");
}

#[test]
fn a_calendar_is_put_where_the_parameters_say() {
    let file =
        json!({"data": STANDARD.encode("BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR"), "mimeType": "text/calendar"});
    let parameters = json!({"operation": "fromIcs", "destinationKey": "calendar.all"});
    let items = json!([{"json": {}, "binary": {"data": file}}]);
    let read = Bench::new(&ExtractFromFile, 1.1, parameters).input(items).output();
    assert_eq!(read, json!([{"calendar": {"all": {"version": "2.0", "events": []}}}]));
}
