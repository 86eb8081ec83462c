//! The query, headers and body of a request, as authors give them in fields or JSON, whichever version wrote them.

use serde_json::Value;
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{NodeError, NodeRun};

use super::content::Content as Sent;
use super::encode::{Attachment, ListStyle, Multipart, attachment, form, pairs};
use crate::values;

const JSON_TYPE: &str = "application/json";
const FORM_TYPE: &str = "application/x-www-form-urlencoded";

/// The parts of a request that authors give as fields or JSON.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts {
    /// The query, beside what the address holds.
    pub query: JsonObject,
    /// Headers by name.
    pub headers: JsonObject,
    /// The body.
    pub body: Option<Body>,
}

/// A body before it is written, so that fields can still be added to it.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// JSON.
    Json(Value),
    /// The fields of a form.
    Form(JsonObject),
    /// Parts of a form that may hold files.
    Multipart(Vec<Part>),
    /// Bytes of a media type.
    Bytes {
        /// The bytes.
        bytes: Vec<u8>,
        /// Their media type.
        mime_type: String,
    },
    /// An attachment.
    File(Attachment),
}

/// One part of a form that may hold files.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Name of the field.
    name: String,
    /// Its text, or a file.
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Text(String),
    File(Attachment),
}

impl Body {
    fn text(text: String, mime_type: &str) -> Self {
        Self::Bytes { bytes: text.into_bytes(), mime_type: mime_type.to_owned() }
    }

    /// The body with these fields in place of its own of the same names; bytes are left as they are.
    pub fn with_fields(mut self, fields: &JsonObject) -> Self {
        match &mut self {
            Self::Json(Value::Object(own)) | Self::Form(own) => own.extend(fields.clone()),
            Self::Json(_) | Self::Bytes { .. } | Self::File(_) => {}
            Self::Multipart(parts) => {
                for (name, value) in fields {
                    parts.retain(|part| part.name != *name);
                    parts.push(Part { name: name.clone(), content: Content::Text(field_text(value)) });
                }
            }
        }
        self
    }

    /// The body as expressions see it in `$request.body`.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Json(value) => value.clone(),
            Self::Form(fields) => Value::Object(fields.clone()),
            Self::Multipart(parts) => {
                let texts = parts.iter().filter_map(|part| match &part.content {
                    Content::Text(text) => Some((part.name.clone(), Value::String(text.clone()))),
                    Content::File(_) => None,
                });
                Value::Object(texts.collect())
            }
            // A file may be long: expressions see that there is one, and not what is in it.
            Self::File(_) => Value::Null,
            Self::Bytes { bytes, .. } => Value::String(String::from_utf8_lossy(bytes).into_owned()),
        }
    }

    /// The bytes to send, and their media type. `boundary` must not occur in any part; `lists` is how a form has them.
    pub fn written(self, boundary: &str, lists: ListStyle) -> (Sent, String) {
        match self {
            Self::Json(value) => (values::stringify(&value).into_bytes().into(), JSON_TYPE.to_owned()),
            Self::Form(fields) => (form(&pairs(&fields, lists)).into_bytes().into(), FORM_TYPE.to_owned()),
            Self::Multipart(parts) => {
                let mut whole = Multipart::new(boundary.to_owned());
                for part in &parts {
                    match &part.content {
                        Content::Text(text) => whole.text(&part.name, text),
                        Content::File(file) => whole.file(&part.name, file),
                    }
                }
                whole.finish()
            }
            Self::Bytes { bytes, mime_type } => (bytes.into(), mime_type),
            Self::File(file) => {
                let mime_type = file.mime_type.clone();
                (file.into_content(), mime_type)
            }
        }
    }
}

/// Parts as versions 3 and 4 write them.
pub(super) fn new_parts(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Parts, NodeError> {
    let mut parts = Parts::default();
    if run.boolean("sendQuery", index, false)? {
        parts.query = if run.text("specifyQuery", index, "keypair")? == "json" {
            json_object(run, "jsonQuery", index)?
        } else {
            let repeats = run.version() >= 4.3;
            named_values(run, "queryParameters.parameters", index, repeats)?
        };
    }
    if run.boolean("sendHeaders", index, false)? {
        parts.headers = if run.text("specifyHeaders", index, "keypair")? == "json" {
            json_object(run, "jsonHeaders", index)?
        } else {
            named_values(run, "headerParameters.parameters", index, false)?
        };
    }
    if run.boolean("sendBody", index, false)? {
        parts.body = Some(new_body(run, item, index)?);
    }
    Ok(parts)
}

fn new_body(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Body, NodeError> {
    let fields = "bodyParameters.parameters";
    let specified = run.text("specifyBody", index, "keypair")?;
    match run.text("contentType", index, "json")?.as_str() {
        "form-urlencoded" if specified == "string" => Ok(Body::text(run.text("body", index, "")?, FORM_TYPE)),
        "form-urlencoded" => Ok(Body::Form(named_values(run, fields, index, false)?)),
        "multipart-form-data" => multipart(run, item, fields, index),
        "binaryData" => {
            let name = run.text("inputDataFieldName", index, "data")?;
            let file = attachment(run, item, &name)?;
            Ok(Body::File(file))
        }
        "raw" => {
            let mime_type = run.text("rawContentType", index, "")?;
            let mime_type = if mime_type.is_empty() { "text/plain" } else { &mime_type };
            Ok(Body::text(run.text("body", index, "")?, mime_type))
        }
        _ if specified == "json" => Ok(Body::Json(json_value(run, "jsonBody", index)?)),
        _ => Ok(Body::Json(Value::Object(named_values(run, fields, index, false)?))),
    }
}

fn multipart(run: &mut NodeRun<'_>, item: &Item, fields: &str, index: usize) -> Result<Body, NodeError> {
    let set = with_values(run, fields);
    let Some(Value::Array(entries)) = run.parameter(fields, index)? else {
        return Err(NodeError::operation("the body has no fields: add one"));
    };
    let refuses_nothing = run.version() >= 3.0;
    let mut parts = Vec::with_capacity(entries.len());
    for (place, entry) in entries.iter().enumerate() {
        let name = entry.get("name").map(values::text).unwrap_or_default();
        let content = if entry.get("parameterType").and_then(Value::as_str) == Some("formBinaryData") {
            let source = entry.get("inputDataFieldName").map(values::text).unwrap_or_default();
            Content::File(attachment(run, item, &source)?)
        } else {
            let value = value_of(entry, set.get(place));
            if refuses_nothing && value.as_ref().is_none_or(Value::is_null) {
                let message = format!("the field '{name}' of the body has no value: give it one, or take it out");
                return Err(NodeError::operation(message));
            }
            Content::Text(value.as_ref().map(field_text).unwrap_or_default())
        };
        parts.push(Part { name, content });
    }
    Ok(Body::Multipart(parts))
}

fn field_text(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) => values::stringify(value),
        value => values::text(value),
    }
}

/// Parts as versions 1 and 2 write them.
pub(super) fn old_parts(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Parts, NodeError> {
    let as_json = run.boolean("jsonParameters", index, false)?;
    let part = |run: &mut NodeRun<'_>, name: &str| {
        if as_json {
            json_object(run, &format!("{name}ParametersJson"), index)
        } else {
            named_values(run, &format!("{name}ParametersUi.parameter"), index, false)
        }
    };
    let query = part(run, "query")?;
    let headers = part(run, "header")?;
    if matches!(run.text("requestMethod", index, "GET")?.as_str(), "GET" | "HEAD" | "OPTIONS") {
        return Ok(Parts { query, headers, body: None });
    }
    if run.boolean("sendBinaryData", index, false)? {
        let body = old_attachments(run, item, index)?;
        return Ok(Parts { query, headers, body: Some(body) });
    }
    let content_type = run.text("options.bodyContentType", index, "json")?;
    let body = match content_type.as_str() {
        "raw" => {
            let mime_type = run.text("options.bodyContentCustomMimeType", index, "text/plain")?;
            let text = match run.parameter("bodyParametersJson", index)? {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text,
                Some(value) => values::stringify(&value),
            };
            Body::text(text, &mime_type)
        }
        "multipart-form-data" if as_json => {
            let fields = part(run, "body")?;
            Body::Multipart(Vec::new()).with_fields(&fields)
        }
        "multipart-form-data" => multipart(run, item, "bodyParametersUi.parameter", index)?,
        "form-urlencoded" => Body::Form(part(run, "body")?),
        _ if as_json => Body::Json(json_value(run, "bodyParametersJson", index)?),
        _ => Body::Json(Value::Object(part(run, "body")?)),
    };
    Ok(Parts { query, headers, body: Some(body) })
}

/// Attachments as versions 1 and 2 name them: one as the body, or `field:attachment` pairs as parts of a form.
fn old_attachments(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Body, NodeError> {
    let names = run.text("binaryPropertyName", index, "data")?;
    let as_form = run.text("options.bodyContentType", index, "json")? == "multipart-form-data";
    if !as_form && !names.contains([',', ':']) {
        let file = attachment(run, item, names.trim())?;
        return Ok(Body::File(file));
    }
    let mut parts = Vec::new();
    for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let (field, source) = name.split_once(':').unwrap_or((name, name));
        parts.push(Part { name: field.to_owned(), content: Content::File(attachment(run, item, source)?) });
    }
    Ok(Body::Multipart(parts))
}

/// Which of the entries that the author listed have a value, whatever an expression makes of it.
fn with_values(run: &NodeRun<'_>, path: &str) -> Vec<bool> {
    let entries = run.raw_parameter(path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    entries.iter().map(|entry| entry.get("value").is_some()).collect()
}

/// The value of an entry: empty where the author wrote none, nothing where an expression gives `undefined`.
fn value_of(entry: &Value, is_set: Option<&bool>) -> Option<Value> {
    let empty = || is_set.is_none_or(|is_set| !is_set).then(|| Value::String(String::new()));
    entry.get("value").cloned().or_else(empty)
}

/// Names and values that the author listed; with `repeats`, a name given twice has a list of values. What an expression
/// leaves undefined is left out.
pub(super) fn named_values(
    run: &mut NodeRun<'_>,
    path: &str,
    index: usize,
    repeats: bool,
) -> Result<JsonObject, NodeError> {
    let mut fields = JsonObject::new();
    let set = with_values(run, path);
    let Some(Value::Array(entries)) = run.parameter(path, index)? else { return Ok(fields) };
    for (place, entry) in entries.iter().enumerate() {
        let name = entry.get("name").map(values::text).unwrap_or_default();
        if name.is_empty() {
            continue;
        }
        let Some(value) = value_of(entry, set.get(place)) else {
            if !repeats {
                fields.shift_remove(&name);
            }
            continue;
        };
        match fields.get_mut(&name) {
            Some(Value::Array(list)) if repeats => list.push(value),
            Some(first) if repeats => *first = Value::Array(vec![first.take(), value]),
            _ => {
                fields.insert(name, value);
            }
        }
    }
    Ok(fields)
}

/// A parameter that is JSON text, or a structure that an expression gave.
fn json_value(run: &mut NodeRun<'_>, path: &str, index: usize) -> Result<Value, NodeError> {
    match run.parameter(path, index)? {
        None | Some(Value::Null) => Ok(Value::Object(JsonObject::new())),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(Value::Object(JsonObject::new())),
        Some(Value::String(text)) => serde_json::from_str(&text)
            .map_err(|error| NodeError::operation(format!("the parameter '{path}' is not valid JSON: {error}"))),
        Some(value) => Ok(value),
    }
}

/// A parameter that is a JSON object.
pub(super) fn json_object(run: &mut NodeRun<'_>, path: &str, index: usize) -> Result<JsonObject, NodeError> {
    match json_value(run, path, index)? {
        Value::Object(fields) => Ok(fields),
        _ => Err(NodeError::operation(format!("the parameter '{path}' is not a JSON object"))),
    }
}
