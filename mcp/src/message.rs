//! Messages of JSON-RPC 2.0: what comes in, and what goes out.

use serde_json::{Map, Value, json};

/// Codes of errors.
pub(crate) mod code {
    /// The message is no JSON.
    pub const PARSE: i64 = -32_700;
    /// The message is no request.
    pub const INVALID_REQUEST: i64 = -32_600;
    /// There is no such method.
    pub const METHOD_NOT_FOUND: i64 = -32_601;
    /// The parameters are not those of the method.
    pub const INVALID_PARAMS: i64 = -32_602;
    /// There is no such resource, where versions before 2026-07-28 are spoken.
    pub const RESOURCE_NOT_FOUND: i64 = -32_002;
    /// The headers of HTTP say something else than the message.
    pub const HEADER_MISMATCH: i64 = -32_020;
    /// The version is not spoken here.
    pub const UNSUPPORTED_VERSION: i64 = -32_022;
    /// Whoever asks may not come in, or asks for too much.
    pub const NOT_TAKEN: i64 = -32_000;
}

/// Longest id of a request, in bytes.
const ID_BYTES_MAX: usize = 256;

/// What came in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Incoming {
    /// It wants an answer.
    Request(Request),
    /// It wants none.
    Notification {
        /// What it tells.
        method: String,
        /// More about that.
        params: Map<String, Value>,
    },
    /// An answer, although nothing is asked from here.
    Answer,
}

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    /// A string or a whole number.
    pub id: Value,
    pub method: String,
    pub params: Map<String, Value>,
}

/// Why a request has an error as its answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    pub code: i64,
    pub message: String,
    pub data: Option<Box<Value>>,
}

impl Fault {
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// The answer to the request with that id; null where that could not be read.
    pub fn answer(self, id: &Value) -> Value {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(data) = self.data {
            error["data"] = *data;
        }
        json!({ "jsonrpc": "2.0", "id": id, "error": error })
    }
}

/// The answer with a result.
pub(crate) fn answer(id: &Value, result: Map<String, Value>) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

/// Reads one message. Many in one are not taken: no version that is spoken here has them.
///
/// # Errors
/// The fault, and the id of the request where it could be read.
pub(crate) fn read(text: &[u8]) -> Result<Incoming, (Value, Fault)> {
    let value: Value = serde_json::from_slice(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        (Value::Null, Fault::new(code::PARSE, format!("the message is no JSON at line {line}, column {column}")))
    })?;
    let invalid = |id: &Value, message: &str| Err((id.clone(), Fault::new(code::INVALID_REQUEST, message)));
    let mut fields = match value {
        Value::Object(fields) => fields,
        Value::Array(_) => return invalid(&Value::Null, "messages are taken one by one: send each by itself"),
        _ => return invalid(&Value::Null, "a message is an object"),
    };
    let id = fields.remove("id");
    let known = id.as_ref().filter(|id| is_id(id)).cloned().unwrap_or_default();
    if fields.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return invalid(&known, "a message says \"jsonrpc\": \"2.0\"");
    }
    let Some(method) = fields.remove("method") else {
        let is_answer = fields.contains_key("result") || fields.contains_key("error");
        return if is_answer { Ok(Incoming::Answer) } else { invalid(&known, "a request names its method") };
    };
    let Value::String(method) = method else { return invalid(&known, "method is a text") };
    let params = match fields.remove("params") {
        None => Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) => return Err((known, Fault::new(code::INVALID_PARAMS, "params is an object"))),
    };
    match id {
        None => Ok(Incoming::Notification { method, params }),
        Some(id) if is_id(&id) => Ok(Incoming::Request(Request { id, method, params })),
        Some(_) => invalid(&Value::Null, "id is a text of at most 256 bytes or a whole number"),
    }
}

/// Whether a value may be the id of a request.
fn is_id(id: &Value) -> bool {
    match id {
        Value::String(text) => text.len() <= ID_BYTES_MAX,
        Value::Number(number) => number.is_i64() || number.is_u64(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> (Value, i64) {
        let (id, fault) = read(text.as_bytes()).unwrap_err();
        (id, fault.code)
    }

    #[test]
    fn requests_notifications_and_answers_are_told_apart() {
        let request = read(br#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#).unwrap();
        assert_eq!(
            request,
            Incoming::Request(Request { id: json!("a"), method: "ping".to_owned(), params: Map::new() })
        );
        let told = read(br#"{"jsonrpc":"2.0","method":"notifications/initialized","params":{}}"#).unwrap();
        assert!(matches!(told, Incoming::Notification { .. }));
        assert_eq!(read(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#), Ok(Incoming::Answer));
    }

    #[test]
    fn what_is_no_message_is_refused_by_its_code() {
        assert_eq!(fault("{"), (Value::Null, code::PARSE));
        assert_eq!(fault("[]"), (Value::Null, code::INVALID_REQUEST));
        assert_eq!(fault("7"), (Value::Null, code::INVALID_REQUEST));
        assert_eq!(fault(r#"{"id":7,"method":"ping"}"#), (json!(7), code::INVALID_REQUEST));
        assert_eq!(fault(r#"{"jsonrpc":"2.0","id":7}"#), (json!(7), code::INVALID_REQUEST));
        assert_eq!(fault(r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#), (Value::Null, code::INVALID_REQUEST));
        assert_eq!(fault(r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#), (Value::Null, code::INVALID_REQUEST));
        assert_eq!(fault(r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":[]}"#), (json!(7), code::INVALID_PARAMS));
    }

    #[test]
    fn many_messages_in_one_and_deep_ones_are_not_taken() {
        let many = format!("[{}]", vec![r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#; 10_000].join(","));
        assert_eq!(fault(&many).1, code::INVALID_REQUEST);
        let deep = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{}{}}}"#,
            "[".repeat(10_000),
            "]".repeat(10_000)
        );
        assert_eq!(fault(&deep).1, code::PARSE);
    }
}
