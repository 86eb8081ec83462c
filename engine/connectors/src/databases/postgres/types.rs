//! Values of PostgreSQL as JSON, and JSON as values of PostgreSQL.
//!
//! Values come in their binary form, because that is what says most; values go as text, of which the server knows what they
//! are to be. Never guesses: a type that is not known here is named, with what to do.

use std::error::Error;

use bytes::BytesMut;
use serde_json::{Value, json};
use timeloom_domain::item::JsonObject;
use timeloom_nodes::values;
use tokio_postgres::types::{Format, FromSql, IsNull, Kind, ToSql, Type};

use super::binary::{Reader, bits_text, interval, moment, network, numeric, time_text, uuid_text};

/// Most bytes of a `bytea` that become a list of numbers in JSON.
pub(crate) const BUFFER_BYTES_MAX: usize = 1 << 20;

/// How values are told.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Style {
    /// Whether numbers of arbitrary size are numbers, which lose digits beyond 15, or text.
    pub large_numbers: bool,
}

/// A value as the server sent it.
pub(crate) struct Raw<'r>(pub &'r [u8]);

impl<'r> FromSql<'r> for Raw<'r> {
    fn from_sql(_type: &Type, raw: &'r [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_type: &Type) -> bool {
        true
    }
}

/// Why a value cannot be told as JSON.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Untold {
    /// Its type is not known here.
    #[error("values of the type {0} cannot be read here: select them as text, `column::text`")]
    Type(String),
    /// Its bytes are not what the type says.
    #[error("the server sent a value of the type {0} that is none")]
    Broken(String),
    /// It is too long for a list of numbers.
    #[error("the server sent {0} bytes in one value: select them as text, `encode(column, 'base64')`")]
    TooLong(usize),
}

/// The value as JSON.
///
/// # Errors
/// [`Untold`].
pub(crate) fn told(of: &Type, raw: &[u8], style: Style) -> Result<Value, Untold> {
    let broken = || Untold::Broken(of.name().to_owned());
    match of.kind() {
        Kind::Domain(inner) => return told(inner, raw, style),
        Kind::Array(inner) => return array(inner, raw, style),
        Kind::Enum(_) => return Ok(Value::String(String::from_utf8_lossy(raw).into_owned())),
        Kind::Simple | Kind::Pseudo => {}
        _ => return Err(Untold::Type(of.name().to_owned())),
    }
    let mut reader = Reader(raw);
    let value = match *of {
        Type::BOOL => reader.byte().map(|byte| json!(byte != 0)),
        Type::INT2 => reader.i16().map(|number| json!(number)),
        Type::INT4 => reader.i32().map(|number| json!(number)),
        Type::OID | Type::XID | Type::CID | Type::REGPROC => reader.u32().map(|number| json!(number)),
        Type::INT8 if style.large_numbers => reader.i64().map(|number| json!(number)),
        Type::INT8 => reader.i64().map(|number| json!(number.to_string())),
        // The shortest text of a short number: 0.1 stays 0.1.
        Type::FLOAT4 => reader.u32().map(|bits| short_float(f32::from_bits(bits))),
        Type::FLOAT8 => reader.u64().map(|bits| values::number_value(f64::from_bits(bits))),
        Type::NUMERIC => numeric(&mut reader).map(|digits| match digits.parse() {
            Ok(number) if style.large_numbers => values::number_value(number),
            _ => json!(digits),
        }),
        Type::MONEY => reader.i64().map(|cents| {
            let (sign, all) = (if cents < 0 { "-" } else { "" }, cents.unsigned_abs());
            json!(format!("{sign}{}.{:02}", all / 100, all % 100))
        }),
        Type::JSON => Some(parsed(raw)),
        Type::JSONB => raw.split_first().map(|(_, text)| parsed(text)),
        Type::BYTEA if raw.len() > BUFFER_BYTES_MAX => return Err(Untold::TooLong(raw.len())),
        Type::BYTEA => Some(json!({"type": "Buffer", "data": raw})),
        Type::DATE => {
            reader.i32().map(|days| moment(i64::from(days), DAY_US, i64::from(i32::MAX), i64::from(i32::MIN)))
        }
        Type::TIMESTAMP | Type::TIMESTAMPTZ => reader.i64().map(|micros| moment(micros, 1, i64::MAX, i64::MIN)),
        Type::TIME => reader.i64().map(|micros| json!(time_text(micros, None))),
        Type::TIMETZ => reader.i64().zip(reader.i32()).map(|(micros, zone)| json!(time_text(micros, Some(zone)))),
        Type::INTERVAL => interval(&mut reader),
        Type::UUID => uuid_text(raw).map(Value::String),
        Type::INET | Type::CIDR => network(&mut reader).map(Value::String),
        Type::MACADDR | Type::MACADDR8 => {
            let pairs: Vec<String> = raw.iter().map(|byte| format!("{byte:02x}")).collect();
            Some(json!(pairs.join(":")))
        }
        Type::BIT | Type::VARBIT => bits_text(&mut reader).map(Value::String),
        Type::POINT => {
            let pair = reader.u64().zip(reader.u64()).map(|(x, y)| (f64::from_bits(x), f64::from_bits(y)));
            pair.map(|(x, y)| json!({"x": values::number_value(x), "y": values::number_value(y)}))
        }
        Type::VOID => Some(json!("")),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::XML | Type::CHAR => {
            Some(json!(String::from_utf8_lossy(raw)))
        }
        _ if of.name() == "citext" => Some(json!(String::from_utf8_lossy(raw))),
        _ => return Err(Untold::Type(of.name().to_owned())),
    };
    value.ok_or_else(broken)
}

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;

fn short_float(number: f32) -> Value {
    values::number_value(number.to_string().parse().unwrap_or(f64::NAN))
}

fn parsed(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap_or_else(|_| json!(String::from_utf8_lossy(text)))
}

/// A list, of lists where it has several dimensions.
fn array(of: &Type, raw: &[u8], style: Style) -> Result<Value, Untold> {
    let broken = || Untold::Broken(format!("{}[]", of.name()));
    let mut reader = Reader(raw);
    let dimensions = reader.u32().ok_or_else(broken)?;
    reader.u32().zip(reader.u32()).ok_or_else(broken)?;
    // Postgres has at most 6.
    if dimensions > 6 {
        return Err(broken());
    }
    let mut lengths = Vec::new();
    for _ in 0..dimensions {
        let (length, _) = reader.u32().zip(reader.u32()).ok_or_else(broken)?;
        lengths.push(usize::try_from(length).map_err(|_| broken())?);
    }
    if lengths.is_empty() {
        return Ok(json!([]));
    }
    list(of, &mut reader, &lengths, style)
}

fn list(of: &Type, reader: &mut Reader<'_>, lengths: &[usize], style: Style) -> Result<Value, Untold> {
    let broken = || Untold::Broken(format!("{}[]", of.name()));
    let Some((length, inner)) = lengths.split_first() else {
        let bytes = reader.i32().ok_or_else(broken)?;
        return match usize::try_from(bytes) {
            Err(_) => Ok(Value::Null),
            Ok(bytes) => told(of, reader.take(bytes).ok_or_else(broken)?, style),
        };
    };
    // Each element has bytes of its own: there are no more of them than bytes.
    if *length > reader.0.len() {
        return Err(broken());
    }
    (0..*length).map(|_| list(of, reader, inner, style)).collect()
}

/// A value that goes to the server as text.
#[derive(Debug)]
pub(crate) struct Parameter<'v>(pub &'v Value);

impl ToSql for Parameter<'_> {
    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match text_of(self.0, of) {
            None => Ok(IsNull::Yes),
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
        }
    }

    fn accepts(_type: &Type) -> bool {
        true
    }

    fn encode_format(&self, _type: &Type) -> Format {
        Format::Text
    }

    fn to_sql_checked(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.to_sql(of, out)
    }
}

/// The text of a value that is to be of that type; `None` for NULL.
fn text_of(value: &Value, of: &Type) -> Option<String> {
    match (value, of.kind()) {
        (_, Kind::Domain(inner)) => text_of(value, inner),
        (Value::Null, _) => None,
        (Value::Array(parts), Kind::Array(inner)) => Some(array_text(parts, inner)),
        (Value::String(text), _) => Some(text.clone()),
        (Value::Object(fields), _) if *of == Type::BYTEA => {
            Some(buffer_text(fields).unwrap_or_else(|| value.to_string()))
        }
        _ => Some(value.to_string()),
    }
}

fn array_text(parts: &[Value], of: &Type) -> String {
    let element = |part: &Value| match part {
        Value::Array(inner) => array_text(inner, of),
        part => match text_of(part, of) {
            None => "NULL".to_owned(),
            Some(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        },
    };
    format!("{{{}}}", parts.iter().map(element).collect::<Vec<_>>().join(","))
}

/// Bytes as they are in JSON, `{"type": "Buffer", "data": [numbers]}`, as the text of a `bytea`.
fn buffer_text(fields: &JsonObject) -> Option<String> {
    let data = fields.get("data").filter(|_| fields.get("type").is_some_and(|of| of == "Buffer"))?.as_array()?;
    let bytes = data.iter().map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok()));
    let pairs: Option<Vec<String>> = bytes.map(|byte| byte.map(|byte| format!("{byte:02x}"))).collect();
    Some(format!("\\x{}", pairs?.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_as_the_text_of_what_they_are_to_be() {
        for (value, of, text) in [
            (json!(null), Type::TEXT, None),
            (json!(1.5), Type::NUMERIC, Some("1.5")),
            (json!(true), Type::BOOL, Some("true")),
            (json!({"a": [1]}), Type::JSONB, Some("{\"a\":[1]}")),
            (json!([1, 2]), Type::JSONB, Some("[1,2]")),
            (json!([1, null, 3]), Type::INT4_ARRAY, Some("{\"1\",NULL,\"3\"}")),
            (json!([["a\"b", "c\\d"], ["", "NULL"]]), Type::TEXT_ARRAY, Some(r#"{{"a\"b","c\\d"},{"","NULL"}}"#)),
            (json!({"type": "Buffer", "data": [0, 255]}), Type::BYTEA, Some("\\x00ff")),
            (json!([{"a": 1}]), Type::JSONB_ARRAY, Some(r#"{"{\"a\":1}"}"#)),
        ] {
            assert_eq!(text_of(&value, &of).as_deref(), text, "{value}");
        }
    }

    #[test]
    fn what_a_server_makes_up_is_refused() {
        assert_eq!(told(&Type::INT8, &[1, 2], Style::default()), Err(Untold::Broken("int8".to_owned())));
        let huge = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1];
        assert!(told(&Type::INT4_ARRAY, &huge, Style::default()).is_err());
        let deep = [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 23];
        assert!(told(&Type::INT4_ARRAY, &deep, Style::default()).is_err());
        assert_eq!(told(&Type::TS_VECTOR, &[], Style::default()), Err(Untold::Type("tsvector".to_owned())));
        let long = vec![0; BUFFER_BYTES_MAX + 1];
        assert!(matches!(told(&Type::BYTEA, &long, Style::default()), Err(Untold::TooLong(_))));
    }
}
