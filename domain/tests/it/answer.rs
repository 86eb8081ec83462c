//! What is answered to a request at the end of an execution.

use serde_json::{Value, json};
use timeloom_domain::execution::{AnswerSettings, Response, ResponseBody};
use timeloom_domain::item::{BinaryData, Item};

fn settings(parameters: &Value) -> AnswerSettings {
    AnswerSettings::read(|name| parameters.get(name).cloned())
}

fn answer(parameters: Value) -> Response {
    let with = |json: Value| Item::new(json.as_object().cloned().unwrap());
    let pdf =
        BinaryData { data: "JVBERg==".to_owned(), mime_type: "application/pdf".to_owned(), ..BinaryData::default() };
    let first = Item { binary: Some([("data".to_owned(), pdf)].into()), ..with(json!({"a": {"b": "text"}})) };
    settings(&parameters).answer(&[first, with(json!({"n": 2}))])
}

fn json_of(parameters: Value) -> Value {
    match answer(parameters).body {
        ResponseBody::Json { value } => value,
        other => panic!("{other:?} is not JSON"),
    }
}

#[test]
fn the_first_item_is_answered_or_all_of_them_or_a_field_or_nothing() {
    assert_eq!(json_of(json!({})), json!({"a": {"b": "text"}}));
    assert_eq!(json_of(json!({"responseData": "allEntries"})), json!([{"a": {"b": "text"}}, {"n": 2}]));
    assert_eq!(json_of(json!({"options": {"responsePropertyName": "a.b"}})), json!("text"));
    assert_eq!(json_of(json!({"options": {"responsePropertyName": "a.gone.b"}})), Value::Null);
    let typed = answer(json!({"options": {"responsePropertyName": "a.b", "responseContentType": "text/csv"}}));
    assert_eq!(typed.body, ResponseBody::Text { text: "text".to_owned() });
    assert_eq!(typed.headers, [("content-type".to_owned(), "text/csv".to_owned())]);
    assert_eq!(answer(json!({"responseData": "noData"})).body, ResponseBody::Empty);
    let file = answer(json!({"responseData": "firstEntryBinary", "responseBinaryPropertyName": ""}));
    assert!(matches!(file.body, ResponseBody::Binary { binary } if binary.mime_type == "application/pdf"));
}

#[test]
fn status_and_headers_are_read_in_each_of_their_forms() {
    let status = |parameters: Value| settings(&parameters).status();
    assert_eq!(status(json!({})), 200);
    assert_eq!(status(json!({"responseCode": 202})), 202);
    assert_eq!(status(json!({"options": {"responseCode": {"values": {"responseCode": "201"}}}})), 201);
    let custom = json!({"options": {"responseCode": {"values": {"responseCode": "customCode", "customCode": 299}}}});
    assert_eq!(status(custom), 299);
    for none in [json!(99), json!(700), json!("teapot")] {
        assert_eq!(status(json!({"responseCode": none})), 200, "what is no status is none");
    }
    let entries = json!([{"name": "X-A", "value": 1}, {"name": "X-B"}, {"name": "X-C", "value": "c"}]);
    let headers = settings(&json!({"options": {"responseHeaders": {"entries": entries}}})).headers();
    assert_eq!(headers, [("X-A".to_owned(), "1".to_owned()), ("X-C".to_owned(), "c".to_owned())]);
}

#[test]
fn what_is_not_there_is_said_and_is_no_success() {
    let none = settings(&json!({"options": {"responseCode": {"values": {"responseCode": 201}}}})).answer(&[]);
    assert_eq!((none.status, none.headers.len()), (500, 0));
    let missing = answer(json!({"responseData": "firstEntryBinary", "responseBinaryPropertyName": "logo"}));
    let message = json!({"code": 0, "message": "the last node's first item has no attachment 'logo'"});
    assert_eq!((missing.status, missing.body), (500, ResponseBody::Json { value: message }));
}
