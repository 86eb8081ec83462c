//! What a tool comes to: an answer, or a refusal in the API's own words.

use serde_json::{Map, Value, json};

use crate::api::{Api, Question};

/// Most errors of one answer that are told.
const ERRORS_MAX: usize = 20;
/// The code of an error that has none.
const NO_CODE: &str = "ERROR";

/// What was found or done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// All of it.
    pub body: Map<String, Value>,
    /// The same in a few words of ours: no text out of an execution is in it.
    pub summary: String,
}

/// Why not: what is wrong and what to do, each with a word for programs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    pub errors: Vec<Value>,
}

impl Refusal {
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { errors: vec![json!({ "code": code, "message": message.into() })] }
    }

    /// The arguments of a call are not what its tool takes.
    pub fn of_arguments(message: impl Into<String>) -> Self {
        Self::new("BAD_ARGUMENTS", message)
    }

    /// What was asked about is not there.
    pub fn not_found(what: &str) -> Self {
        Self::new("NOT_FOUND", format!("there is no such {what}, or it had not come to be at that moment"))
    }

    /// As text, a line for each.
    pub fn text(&self) -> String {
        let word = |error: &Value, name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let lines: Vec<String> =
            self.errors.iter().map(|error| format!("{}: {}", word(error, "code"), word(error, "message"))).collect();
        lines.join("\n")
    }
}

/// The data of an answer, where nothing was refused.
pub(crate) async fn ask(api: &dyn Api, question: Question) -> Result<Value, Refusal> {
    let answered = api.ask(question).await.map_err(|error| Refusal::new("UNREACHABLE", error.to_string()))?;
    data_of(answered)
}

/// The data of an answer; errors of GraphQL are refusals.
fn data_of(mut answered: Value) -> Result<Value, Refusal> {
    let errors = answered.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if errors.is_empty() {
        return Ok(take(&mut answered, "data"));
    }
    let told = errors.iter().take(ERRORS_MAX).map(|error| {
        let code = error.pointer("/extensions/code").and_then(Value::as_str).unwrap_or(NO_CODE);
        json!({ "code": code, "message": error.get("message").cloned().unwrap_or_default() })
    });
    Err(Refusal { errors: told.collect() })
}

/// What a change came to; what the API says against it is a refusal.
pub(crate) fn payload_of(data: &mut Value, field: &str) -> Result<Value, Refusal> {
    let mut payload = take(data, field);
    let errors = match take(&mut payload, "errors") {
        Value::Array(errors) => errors,
        _ => Vec::new(),
    };
    if let Some(fields) = payload.as_object_mut() {
        fields.remove("errors");
    }
    if errors.is_empty() {
        return Ok(payload);
    }
    Err(Refusal { errors: errors.into_iter().take(ERRORS_MAX).collect() })
}

/// A field, taken out of its object; null where there is none.
pub(crate) fn take(value: &mut Value, field: &str) -> Value {
    value.get_mut(field).map(Value::take).unwrap_or_default()
}

/// The entries of a page, and the cursor of the next one; null where this is the last.
pub(crate) fn page(mut connection: Value) -> (Value, Value) {
    let has_next = connection.pointer("/pageInfo/hasNextPage") == Some(&Value::Bool(true));
    let next = connection.pointer("/pageInfo/endCursor").filter(|_| has_next).cloned().unwrap_or_default();
    let nodes = match take(&mut connection, "nodes") {
        Value::Null => Value::Array(Vec::new()),
        nodes => nodes,
    };
    (nodes, next)
}

/// The fields of an object; none of what is no object.
pub(crate) fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// How many entries a list has, and whether there are more, in words.
pub(crate) fn counted(nodes: &Value, next: &Value, one: &str, many: &str) -> String {
    let count = nodes.as_array().map_or(0, Vec::len);
    let noun = if count == 1 { one } else { many };
    let more = if next.is_null() { "" } else { "; there are more: call again with after = nextCursor" };
    format!("{count} {noun}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_api_are_told_in_its_own_words() {
        let answered = json!({
            "data": null,
            "errors": [{ "message": "you may not", "extensions": { "code": "FORBIDDEN" } }, { "message": "odd" }],
        });
        assert_eq!(data_of(answered).unwrap_err().text(), "FORBIDDEN: you may not\nERROR: odd");
        assert_eq!(data_of(json!({ "data": { "a": 1 } })), Ok(json!({ "a": 1 })));
    }

    #[test]
    fn what_a_change_says_against_it_is_a_refusal() {
        let mut data = json!({ "stop": { "id": null, "errors": [{ "code": "ENDED", "message": "it has ended" }] } });
        assert_eq!(payload_of(&mut data, "stop").unwrap_err().text(), "ENDED: it has ended");
        let mut data = json!({ "stop": { "id": "x", "errors": [] } });
        assert_eq!(payload_of(&mut data, "stop"), Ok(json!({ "id": "x" })));
    }

    #[test]
    fn a_page_names_its_next_one_only_where_there_is_one() {
        let connection = |more: bool| json!({ "nodes": [1], "pageInfo": { "hasNextPage": more, "endCursor": "c" } });
        assert_eq!(page(connection(true)), (json!([1]), json!("c")));
        assert_eq!(page(connection(false)), (json!([1]), Value::Null));
        assert_eq!(page(Value::Null), (json!([]), Value::Null));
    }
}
