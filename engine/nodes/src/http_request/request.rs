//! What one request is to be: read from the node's parameters, whichever version wrote them.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use serde_json::Value;
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{NodeError, NodeRun};
use url::Url;

use super::content::Content;
use super::encode::{ListStyle, Multipart, attachment, form, pairs};
use crate::values;

/// One request, ready to send.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// Method.
    pub method: Method,
    /// Address with its query.
    pub url: Url,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Option<Content>,
    /// Longest time that the author wants to wait.
    pub timeout: Option<Duration>,
    /// Most redirects to follow; 0 means that a redirect is an answer like any other.
    pub redirects_max: usize,
    /// How to treat the answer.
    pub answer: Answer,
}

/// How to treat an answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// Status, headers and body, not the body alone.
    pub full: bool,
    /// A failed status is an answer like any other.
    pub never_error: bool,
    /// What the body is.
    pub format: Format,
    /// Field or attachment for bodies that are not JSON.
    pub property: String,
}

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Its media type tells.
    Detect,
    /// JSON.
    Json,
    /// Text.
    Text,
    /// Bytes.
    File,
}

/// Most redirects that are followed when the author names no number.
const REDIRECTS_DEFAULT: f64 = 21.0;
/// Most redirects that are followed at all.
const REDIRECTS_MAX: f64 = 100.0;

/// Reads the request for one item.
pub(super) fn read(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Request, NodeError> {
    let old = run.version() < 3.0;
    refuse_unavailable(run, index)?;
    let method_name = run.text(if old { "requestMethod" } else { "method" }, index, "GET")?;
    let method = Method::from_bytes(method_name.to_ascii_uppercase().as_bytes())
        .map_err(|_| NodeError::operation(format!("'{method_name}' is not an HTTP method")))?;
    let mut url = address(&run.text("url", index, "")?)?;
    let parts = if old { old_parts(run, item, index)? } else { new_parts(run, item, index)? };
    if !parts.query.is_empty() {
        let default = if old && run.boolean("options.useQueryString", index, false)? { "repeat" } else { "indices" };
        let style = run.text("options.queryParameterArrays", index, default)?;
        url.query_pairs_mut().extend_pairs(pairs(&parts.query, ListStyle::named(&style)));
    }
    let answer = if old { old_answer(run, index)? } else { new_answer(run, index)? };
    let mut headers = header_map(&parts.headers)?;
    let default = |headers: &mut HeaderMap, name: HeaderName, value: &str| {
        if let (false, Ok(value)) = (headers.contains_key(&name), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    };
    default(&mut headers, USER_AGENT, "timeloom");
    default(&mut headers, ACCEPT, accepted(answer.format));
    let key = format!("{}-{index}", run.idempotency_key);
    default(&mut headers, HeaderName::from_static("idempotency-key"), &key);
    let body = parts.body.map(|body| {
        default(&mut headers, CONTENT_TYPE, &body.mime_type);
        body.content
    });
    let redirects_max = redirects(run, &method, index)?;
    let timeout = run.number("options.timeout", index, 0.0)?;
    let timeout = (timeout > 0.0).then(|| Duration::from_millis(timeout as u64));
    Ok(Request { method, url, headers, body, timeout, redirects_max, answer })
}

fn refuse_unavailable(run: &mut NodeRun<'_>, index: usize) -> Result<(), NodeError> {
    if run.text("authentication", index, "none")? != "none" {
        return Err(NodeError::operation("credentials are not available yet: set Authentication to None")
            .described("a header of your own, such as Authorization, can be sent meanwhile"));
    }
    let paged = run.text("options.pagination.pagination.paginationMode", index, "off")? != "off";
    if paged {
        return Err(NodeError::operation("pagination is not available yet: ask for one page at a time"));
    }
    if !run.text("options.proxy", index, "")?.is_empty() {
        return Err(NodeError::operation("a proxy of the node's own is not available: remove the option"));
    }
    let careless = run.boolean("options.allowUnauthorizedCerts", index, false)?
        || run.boolean("allowUnauthorizedCerts", index, false)?;
    if careless {
        return Err(NodeError::operation("ignoring TLS problems is not available: remove the option"));
    }
    Ok(())
}

fn address(text: &str) -> Result<Url, NodeError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(NodeError::operation("the URL is missing: name the address to send the request to"));
    }
    Url::parse(text).map_err(|error| {
        NodeError::operation(format!("'{text}' is not a URL: {error}"))
            .described("a URL begins with http:// or https://")
    })
}

/// The parts of a request that authors give as fields or JSON.
#[derive(Default)]
struct Parts {
    query: JsonObject,
    headers: JsonObject,
    body: Option<Body>,
}

struct Body {
    content: Content,
    mime_type: String,
}

impl Body {
    fn new(bytes: Vec<u8>, mime_type: &str) -> Self {
        Self { content: bytes.into(), mime_type: mime_type.to_owned() }
    }

    fn json(value: &Value) -> Self {
        Self::new(values::stringify(value).into_bytes(), "application/json")
    }

    fn form(fields: &JsonObject) -> Self {
        let text = form(&pairs(fields, ListStyle::Indices));
        Self::new(text.into_bytes(), "application/x-www-form-urlencoded")
    }
}

/// Parts as versions 3 and 4 write them.
fn new_parts(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Parts, NodeError> {
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
        "form-urlencoded" if specified == "string" => {
            let text = run.text("body", index, "")?;
            Ok(Body::new(text.into_bytes(), "application/x-www-form-urlencoded"))
        }
        "form-urlencoded" => Ok(Body::form(&named_values(run, fields, index, false)?)),
        "multipart-form-data" => multipart(run, item, fields, index),
        "binaryData" => {
            let name = run.text("inputDataFieldName", index, "data")?;
            let file = attachment(item, &name)?;
            Ok(Body { content: file.data.into(), mime_type: file.mime_type })
        }
        "raw" => {
            let mime_type = run.text("rawContentType", index, "text/plain")?;
            Ok(Body::new(run.text("body", index, "")?.into_bytes(), &mime_type))
        }
        _ if specified == "json" => Ok(Body::json(&json_value(run, "jsonBody", index)?)),
        _ => Ok(Body::json(&Value::Object(named_values(run, fields, index, false)?))),
    }
}

fn multipart(run: &mut NodeRun<'_>, item: &Item, fields: &str, index: usize) -> Result<Body, NodeError> {
    let mut parts = Multipart::new(format!("timeloom-{}-{index}", run.idempotency_key));
    let Some(Value::Array(entries)) = run.parameter(fields, index)? else {
        return Err(NodeError::operation("the body has no fields: add one"));
    };
    for entry in &entries {
        let name = entry.get("name").map(values::text).unwrap_or_default();
        if entry.get("parameterType").and_then(Value::as_str) == Some("formBinaryData") {
            let source = entry.get("inputDataFieldName").map(values::text).unwrap_or_default();
            parts.file(&name, attachment(item, &source)?);
        } else {
            let value = match entry.get("value") {
                None => String::new(),
                Some(value @ (Value::Array(_) | Value::Object(_))) => values::stringify(value),
                Some(value) => values::text(value),
            };
            parts.text(&name, &value);
        }
    }
    let (content, mime_type) = parts.finish();
    Ok(Body { content, mime_type })
}

/// Parts as versions 1 and 2 write them.
fn old_parts(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Parts, NodeError> {
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
        let name = run.text("binaryPropertyName", index, "data")?;
        let file = attachment(item, &name)?;
        let body = Some(Body { content: file.data.into(), mime_type: file.mime_type });
        return Ok(Parts { query, headers, body });
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
            Body::new(text.into_bytes(), &mime_type)
        }
        "multipart-form-data" => multipart(run, item, "bodyParametersUi.parameter", index)?,
        "form-urlencoded" => Body::form(&part(run, "body")?),
        _ if as_json => Body::json(&json_value(run, "bodyParametersJson", index)?),
        _ => Body::json(&Value::Object(part(run, "body")?)),
    };
    Ok(Parts { query, headers, body: Some(body) })
}

/// Names and values that the author listed; with `repeats`, a name given twice has a list of values.
fn named_values(run: &mut NodeRun<'_>, path: &str, index: usize, repeats: bool) -> Result<JsonObject, NodeError> {
    let mut fields = JsonObject::new();
    let Some(Value::Array(entries)) = run.parameter(path, index)? else { return Ok(fields) };
    for entry in entries {
        let name = entry.get("name").map(values::text).unwrap_or_default();
        if name.is_empty() {
            continue;
        }
        let value = entry.get("value").cloned().unwrap_or_else(|| Value::String(String::new()));
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

fn json_object(run: &mut NodeRun<'_>, path: &str, index: usize) -> Result<JsonObject, NodeError> {
    match json_value(run, path, index)? {
        Value::Object(fields) => Ok(fields),
        _ => Err(NodeError::operation(format!("the parameter '{path}' is not a JSON object"))),
    }
}

fn header_map(fields: &JsonObject) -> Result<HeaderMap, NodeError> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let invalid =
            |what: &str| NodeError::operation(format!("the {what} of header '{name}' is not allowed in HTTP"));
        let header = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| invalid("name"))?;
        let text = if value.is_null() { String::new() } else { values::text(value) };
        let text = HeaderValue::from_bytes(text.trim().as_bytes()).map_err(|_| invalid("value"))?;
        headers.insert(header, text);
    }
    Ok(headers)
}

fn accepted(format: Format) -> &'static str {
    match format {
        Format::Json => "application/json,text/*;q=0.99",
        Format::Text => "text/*,application/json;q=0.9,*/*;q=0.5",
        Format::Detect | Format::File => "application/json,text/*;q=0.9,*/*;q=0.8",
    }
}

fn redirects(run: &mut NodeRun<'_>, method: &Method, index: usize) -> Result<usize, NodeError> {
    let simple = matches!(*method, Method::GET | Method::HEAD);
    let (followed, max) = if run.version() < 3.0 {
        let followed = run.boolean("options.followRedirect", index, true)? && simple;
        (followed || run.boolean("options.followAllRedirects", index, false)?, REDIRECTS_DEFAULT)
    } else {
        let default = simple || run.version() >= 4.0;
        let followed = run.boolean("options.redirect.redirect.followRedirects", index, default)?;
        (followed, run.number("options.redirect.redirect.maxRedirects", index, REDIRECTS_DEFAULT)?)
    };
    Ok(if followed { max.clamp(0.0, REDIRECTS_MAX) as usize } else { 0 })
}

fn new_answer(run: &mut NodeRun<'_>, index: usize) -> Result<Answer, NodeError> {
    let format = match run.text("options.response.response.responseFormat", index, "autodetect")?.as_str() {
        "json" => Format::Json,
        "text" => Format::Text,
        "file" => Format::File,
        _ => Format::Detect,
    };
    Ok(Answer {
        full: run.boolean("options.response.response.fullResponse", index, false)?,
        never_error: run.boolean("options.response.response.neverError", index, false)?,
        format,
        property: run.text("options.response.response.outputPropertyName", index, "data")?,
    })
}

fn old_answer(run: &mut NodeRun<'_>, index: usize) -> Result<Answer, NodeError> {
    let format = match run.text("responseFormat", index, "json")?.as_str() {
        "file" => Format::File,
        "string" => Format::Text,
        _ => Format::Json,
    };
    Ok(Answer {
        full: run.boolean("options.fullResponse", index, false)?,
        never_error: run.boolean("options.ignoreResponseCode", index, false)?,
        format,
        property: run.text("dataPropertyName", index, "data")?,
    })
}
