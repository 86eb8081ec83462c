//! Events for other programs: CloudEvents 1.0 and comma-separated values. What is written here cannot be proved again; the
//! leaf of each event stands beside it, so that it can be found in an export that can.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use timeloom_store::StoredEvent;
use timeloom_verify::hexadecimal;
use timeloom_verify::key::time_text;
use timeloom_verify::leaf::Record;

/// The columns of comma-separated values.
const COLUMNS: [&str; 12] = [
    "position",
    "tenant",
    "category",
    "stream",
    "revision",
    "id",
    "type",
    "version",
    "recorded_at",
    "payload",
    "metadata",
    "leaf",
];

/// An event of CloudEvents, as one line of JSON. Its extensions are in lower-case letters, as that standard wants it.
pub(super) fn cloud_event(event: &StoredEvent, record: &Record<'_>, text: &mut String) {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    put("specversion", "1.0".into());
    put("id", event.id.0.to_string().into());
    put("source", format!("/timeloom/{}/{}", record.tenant, record.category).into());
    put("type", format!("timeloom.{}.{}", record.category, record.event_type).into());
    put("subject", record.stream.into());
    put("time", time_text(record.recorded_at_us).into());
    put("datacontenttype", "application/json".into());
    // An integer of that standard has 32 bits; a position may have more.
    put("position", record.position.to_string().into());
    put("revision", record.revision.to_string().into());
    put("tenant", record.tenant.to_string().into());
    put("dataversion", json!(record.event_version));
    put("leaf", hexadecimal::encode(&event.leaf).into());
    put("metadata", record.metadata.into());
    let head = Value::Object(fields).to_string();
    text.push_str(head.strip_suffix('}').unwrap_or(&head));
    // As it is stored, where it has one line; JSON that has more lines means the same in one.
    let data = if record.payload.contains(['\n', '\r']) { one_line(record.payload) } else { record.payload.to_owned() };
    text.push_str(",\"data\":");
    text.push_str(&data);
    text.push_str("}\n");
}

/// JSON without line ends: outside of texts they mean nothing, and inside there are none.
fn one_line(json: &str) -> String {
    match serde_json::from_str::<&RawValue>(json) {
        Ok(_) => json.replace(['\n', '\r'], " "),
        Err(_) => Value::String(json.to_owned()).to_string(),
    }
}

/// The first line of comma-separated values.
pub(super) fn csv_head() -> String {
    COLUMNS.join(",") + "\r\n"
}

/// An event as comma-separated values.
pub(super) fn csv(event: &StoredEvent, record: &Record<'_>, text: &mut String) {
    let cells = [
        record.position.to_string(),
        record.tenant.to_string(),
        record.category.to_owned(),
        record.stream.to_owned(),
        record.revision.to_string(),
        event.id.0.to_string(),
        record.event_type.to_owned(),
        record.event_version.to_string(),
        time_text(record.recorded_at_us),
        record.payload.to_owned(),
        record.metadata.to_owned(),
        hexadecimal::encode(&event.leaf),
    ];
    for (number, cell) in cells.iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        push_cell(cell, text);
    }
    text.push_str("\r\n");
}

/// A cell, in quotes where it needs them. One that a spreadsheet would take for a formula is told to be text.
fn push_cell(cell: &str, text: &mut String) {
    let is_formula =
        cell.starts_with(['=', '+', '@', '\t', '\r']) || (cell.starts_with('-') && cell.parse::<f64>().is_err());
    if !is_formula && !cell.contains([',', '"', '\n', '\r']) {
        return text.push_str(cell);
    }
    text.push('"');
    if is_formula {
        text.push('\'');
    }
    text.push_str(&cell.replace('"', "\"\""));
    text.push('"');
}

#[cfg(test)]
mod tests {
    use timeloom_domain::ids::{EventId, TenantId};
    use timeloom_store::leaf::record_of;
    use timeloom_store::{Position, Revision, StreamKey};
    use uuid::Uuid;

    use super::*;

    fn event(payload: &str) -> StoredEvent {
        StoredEvent {
            position: Position(7),
            stream: StreamKey::new(TenantId(2), "order", "=o-1"),
            revision: Revision(3),
            id: EventId(Uuid::from_u128(5)),
            event_type: "OrderPlaced".into(),
            event_version: "1".to_owned(),
            payload: payload.to_owned(),
            metadata: "{}".to_owned(),
            recorded_at_us: 1_764_136_800_000_000,
            leaf: [1; 32],
            append: None,
        }
    }

    #[test]
    fn a_cloud_event_is_one_line_that_has_what_the_standard_wants() {
        let event = event("{\n \"a\": 1.50 }");
        let mut text = String::new();
        cloud_event(&event, &record_of(&event), &mut text);
        assert_eq!(text.lines().count(), 1);
        assert!(text.ends_with(",\"data\":{  \"a\": 1.50 }}\n"), "{text}");
        let read: Value = serde_json::from_str(&text).unwrap();
        let told = ["specversion", "type", "source", "subject", "time", "position"].map(|name| read[name].clone());
        let expected = ["1.0", "timeloom.order.OrderPlaced", "/timeloom/2/order", "=o-1", "2025-11-26T06:00:00Z", "7"];
        assert_eq!(told, expected);
        assert!(read.as_object().unwrap().keys().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase())));
    }

    #[test]
    fn a_cell_is_quoted_where_it_must_be_and_is_never_a_formula() {
        let event = event(r#"{"a":"b,c"}"#);
        let mut text = csv_head();
        csv(&event, &record_of(&event), &mut text);
        let row = text.lines().nth(1).unwrap();
        assert!(row.starts_with("7,2,order,\"'=o-1\",3,"), "{row}");
        assert!(row.contains(r#","{""a"":""b,c""}",{},"#), "{row}");
    }
}
