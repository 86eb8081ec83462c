//! Tables of AMQP, which headers and arguments are: to JSON and from it. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use timeloom_engine::node::NodeError;

use super::frame::{Reader, wrong};

/// How deep tables lie in tables.
const DEPTH_MAX: usize = 16;
/// Most bytes of a name.
const NAME_BYTES_MAX: usize = 255;

/// A table as bytes, its length before it.
pub(super) fn write(table: &Map<String, Value>) -> Result<Vec<u8>, NodeError> {
    let mut body = Vec::new();
    for (name, value) in table {
        let length = u8::try_from(name.len());
        let length = length.map_err(|_| NodeError::operation(format!("a name has at most {NAME_BYTES_MAX} bytes")))?;
        body.push(length);
        body.extend(name.as_bytes());
        write_value(&mut body, value)?;
    }
    sized(body)
}

fn sized(body: Vec<u8>) -> Result<Vec<u8>, NodeError> {
    let length = u32::try_from(body.len()).map_err(|_| NodeError::operation("headers or arguments are too large"))?;
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(body);
    Ok(bytes)
}

fn write_value(body: &mut Vec<u8>, value: &Value) -> Result<(), NodeError> {
    match value {
        Value::Null => body.push(b'V'),
        Value::Bool(truth) => body.extend([b't', u8::from(*truth)]),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => {
                body.push(b'l');
                body.extend(whole.to_be_bytes());
            }
            (None, number) => {
                body.push(b'd');
                body.extend(number.unwrap_or_default().to_be_bytes());
            }
        },
        Value::String(text) => {
            body.push(b'S');
            body.extend(sized(text.as_bytes().to_vec())?);
        }
        Value::Array(parts) => {
            let mut inner = Vec::new();
            parts.iter().try_for_each(|part| write_value(&mut inner, part))?;
            body.push(b'A');
            body.extend(sized(inner)?);
        }
        Value::Object(fields) => {
            body.push(b'F');
            body.extend(write(fields)?);
        }
    }
    Ok(())
}

/// Reads a table.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Map<String, Value>, NodeError> {
    read_at(reader, 0)
}

fn read_at(reader: &mut Reader<'_>, depth: usize) -> Result<Map<String, Value>, NodeError> {
    if depth > DEPTH_MAX {
        return Err(wrong("tables lie too deep"));
    }
    let mut inner = Reader::new(reader.long_bytes()?);
    let mut table = Map::new();
    while !inner.is_empty() {
        let name = inner.short_text()?;
        let value = read_value(&mut inner, depth)?;
        table.insert(name, value);
    }
    Ok(table)
}

fn read_value(reader: &mut Reader<'_>, depth: usize) -> Result<Value, NodeError> {
    Ok(match reader.octet()? {
        b't' => json!(reader.octet()? != 0),
        b'b' => json!(i8::from_be_bytes(reader.array()?)),
        b'B' => json!(reader.octet()?),
        b's' => json!(i16::from_be_bytes(reader.array()?)),
        b'u' => json!(u16::from_be_bytes(reader.array()?)),
        b'I' => json!(i32::from_be_bytes(reader.array()?)),
        b'i' => json!(u32::from_be_bytes(reader.array()?)),
        b'l' | b'L' => json!(i64::from_be_bytes(reader.array()?)),
        b'T' => json!(u64::from_be_bytes(reader.array()?)),
        b'f' => json!(f32::from_be_bytes(reader.array()?)),
        b'd' => json!(f64::from_be_bytes(reader.array()?)),
        b'D' => {
            let (scale, digits) = (reader.octet()?, i32::from_be_bytes(reader.array()?));
            json!(f64::from(digits) / 10_f64.powi(i32::from(scale)))
        }
        b'S' => json!(String::from_utf8_lossy(reader.long_bytes()?)),
        b'x' => json!(STANDARD.encode(reader.long_bytes()?)),
        b'A' => {
            if depth > DEPTH_MAX {
                return Err(wrong("tables lie too deep"));
            }
            let mut inner = Reader::new(reader.long_bytes()?);
            let mut parts = Vec::new();
            while !inner.is_empty() {
                parts.push(read_value(&mut inner, depth + 1)?);
            }
            Value::Array(parts)
        }
        b'F' => Value::Object(read_at(reader, depth + 1)?),
        b'V' => Value::Null,
        _ => return Err(wrong("a value of no kind")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let table = json!({
            "text": "äöü", "number": -7, "fraction": 1.5, "truth": true, "nothing": null,
            "list": [1, "two", [3]], "inner": { "deep": { "er": "x" } }
        });
        let written = write(table.as_object().unwrap()).unwrap();
        assert_eq!(Value::Object(read(&mut Reader::new(&written)).unwrap()), table);
    }

    #[test]
    fn tables_that_are_cut_off_or_lie_too_deep_are_told() {
        let mut deep = json!("x");
        for _ in 0..40 {
            deep = json!({ "a": deep });
        }
        let written = write(deep.as_object().unwrap()).unwrap();
        assert!(read(&mut Reader::new(&written)).is_err());
        let table = write(json!({ "a": "text" }).as_object().unwrap()).unwrap();
        for length in 0..table.len() {
            assert!(read(&mut Reader::new(&table[..length])).is_err(), "{length}");
        }
    }
}
