//! Values of MySQL as JSON, and JSON as values of MySQL.

use mysql_async::consts::{ColumnFlags, ColumnType};
use mysql_async::{Column, Value as Sent};
use serde_json::{Value, json};
use timeloom_engine::node::NodeError;
use timeloom_nodes::values;

/// Most bytes of a value that become a list of numbers in JSON.
pub(crate) const BUFFER_BYTES_MAX: usize = 1 << 20;
/// The character set of what is no text.
const BINARY: u16 = 63;

/// How values are told.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Style {
    /// Whether numbers of the type bigint are text.
    pub large_numbers_as_text: bool,
    /// Whether numbers of the type decimal are numbers, which lose digits beyond 15.
    pub decimals_as_numbers: bool,
}

/// The value of a column as JSON.
///
/// # Errors
/// [`NodeError`] when it is too long for JSON.
pub(crate) fn told(column: &Column, value: Sent, style: Style) -> Result<Value, NodeError> {
    let is_large = column.column_type() == ColumnType::MYSQL_TYPE_LONGLONG;
    let whole =
        |number: Value| if is_large && style.large_numbers_as_text { json!(number.to_string()) } else { number };
    Ok(match value {
        Sent::NULL => Value::Null,
        Sent::Int(number) => whole(json!(number)),
        Sent::UInt(number) => whole(json!(number)),
        // The shortest text of a short number: 0.1 stays 0.1.
        Sent::Float(number) => values::number_value(number.to_string().parse().unwrap_or(f64::NAN)),
        Sent::Double(number) => values::number_value(number),
        // What is no date in any calendar is none.
        Sent::Date(_, 0, ..) | Sent::Date(_, _, 0, ..) => Value::Null,
        Sent::Date(year, month, day, hour, minute, second, micros) => {
            let milliseconds = micros / 1_000;
            json!(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z"))
        }
        Sent::Time(is_negative, days, hours, minutes, seconds, micros) => {
            json!(time_text(is_negative, days * 24 + u32::from(hours), minutes, seconds, micros))
        }
        Sent::Bytes(bytes) => return bytes_told(column, bytes, style),
    })
}

fn time_text(is_negative: bool, hours: u32, minutes: u8, seconds: u8, micros: u32) -> String {
    let sign = if is_negative { "-" } else { "" };
    let text = format!("{sign}{hours:02}:{minutes:02}:{seconds:02}");
    if micros == 0 { text } else { format!("{text}.{micros:06}").trim_end_matches('0').to_owned() }
}

fn bytes_told(column: &Column, bytes: Vec<u8>, style: Style) -> Result<Value, NodeError> {
    use ColumnType as Of;
    let text = |bytes: Vec<u8>| {
        String::from_utf8(bytes).unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned())
    };
    let number = |text: String| {
        text.parse().map_or(Value::String(text.clone()), |number: serde_json::Number| Value::Number(number))
    };
    Ok(match column.column_type() {
        Of::MYSQL_TYPE_DECIMAL | Of::MYSQL_TYPE_NEWDECIMAL if style.decimals_as_numbers => {
            let text = text(bytes);
            text.parse().map_or(Value::String(text), values::number_value)
        }
        Of::MYSQL_TYPE_LONGLONG if style.large_numbers_as_text => Value::String(text(bytes)),
        Of::MYSQL_TYPE_TINY
        | Of::MYSQL_TYPE_SHORT
        | Of::MYSQL_TYPE_INT24
        | Of::MYSQL_TYPE_LONG
        | Of::MYSQL_TYPE_LONGLONG
        | Of::MYSQL_TYPE_FLOAT
        | Of::MYSQL_TYPE_DOUBLE
        | Of::MYSQL_TYPE_YEAR => number(text(bytes)),
        Of::MYSQL_TYPE_JSON => {
            serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)))
        }
        _ if is_binary(column) => {
            if bytes.len() > BUFFER_BYTES_MAX {
                let (name, count) = (column.name_str().into_owned(), bytes.len());
                return Err(NodeError::operation(format!("the column '{name}' has {count} bytes in one value"))
                    .described("select it as text, `TO_BASE64(column)`"));
            }
            json!({"type": "Buffer", "data": bytes})
        }
        _ => Value::String(text(bytes)),
    })
}

fn is_binary(column: &Column) -> bool {
    use ColumnType as Of;
    let of = column.column_type();
    let may_be = matches!(
        of,
        Of::MYSQL_TYPE_TINY_BLOB
            | Of::MYSQL_TYPE_MEDIUM_BLOB
            | Of::MYSQL_TYPE_LONG_BLOB
            | Of::MYSQL_TYPE_BLOB
            | Of::MYSQL_TYPE_VAR_STRING
            | Of::MYSQL_TYPE_STRING
    );
    let is_marked = column.flags().contains(ColumnFlags::BINARY_FLAG) && column.character_set() == BINARY;
    matches!(of, Of::MYSQL_TYPE_BIT | Of::MYSQL_TYPE_GEOMETRY) || may_be && is_marked
}

/// A value that goes to the server.
pub(crate) fn sent(value: &Value) -> Sent {
    match value {
        Value::Null => Sent::NULL,
        Value::Bool(truth) => Sent::Int((*truth).into()),
        Value::String(text) => Sent::Bytes(text.clone().into_bytes()),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), ..) => Sent::Int(number),
            (_, Some(number), _) => Sent::UInt(number),
            (_, _, Some(number)) => Sent::Double(number),
            _ => Sent::Bytes(number.to_string().into_bytes()),
        },
        Value::Array(_) | Value::Object(_) => Sent::Bytes(value.to_string().into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(of: ColumnType) -> Column {
        Column::new(of)
    }

    #[test]
    fn times_are_told_as_text_and_dates_that_are_none_are_nothing() {
        let told = |of, value| told(&column(of), value, Style::default()).unwrap();
        assert_eq!(told(ColumnType::MYSQL_TYPE_TIME, Sent::Time(true, 1, 2, 3, 4, 500_000)), json!("-26:03:04.5"));
        assert_eq!(
            told(ColumnType::MYSQL_TYPE_DATE, Sent::Date(2024, 5, 17, 0, 0, 0, 0)),
            json!("2024-05-17T00:00:00.000Z")
        );
        assert_eq!(told(ColumnType::MYSQL_TYPE_DATE, Sent::Date(0, 0, 0, 0, 0, 0, 0)), Value::Null);
    }

    #[test]
    fn numbers_of_texts_are_numbers_and_long_bytes_are_refused() {
        let bytes = |of, text: &str, style| told(&column(of), Sent::Bytes(text.as_bytes().to_vec()), style);
        assert_eq!(bytes(ColumnType::MYSQL_TYPE_LONG, "7", Style::default()), Ok(json!(7)));
        assert_eq!(bytes(ColumnType::MYSQL_TYPE_NEWDECIMAL, "1.50", Style::default()), Ok(json!("1.50")));
        let numbers = Style { decimals_as_numbers: true, ..Style::default() };
        assert_eq!(bytes(ColumnType::MYSQL_TYPE_NEWDECIMAL, "1.50", numbers), Ok(json!(1.5)));
        let long = "x".repeat(BUFFER_BYTES_MAX + 1);
        assert!(bytes(ColumnType::MYSQL_TYPE_BIT, &long, Style::default()).is_err());
    }
}
