//! What one request is to be: read from the node's parameters, whichever version wrote them.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use serde_json::{Value, json};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{Binaries, NodeError, NodeRun};
use url::Url;

use super::base::Base;
use super::content::Content;
use super::encode::{ListStyle, pairs};
use super::parts::{Body, Parts, new_parts, old_parts};
use crate::values;

/// One request, ready to send.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Method.
    pub method: Method,
    /// Address with its query.
    pub url: Url,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Option<Content>,
    /// Headers that are kept from other hosts, beside those that always are.
    pub secret_headers: Vec<HeaderName>,
    /// How it is sent.
    pub transport: Transport,
}

/// How a request is sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Transport {
    /// Longest time that the author wants to wait.
    pub timeout: Option<Duration>,
    /// Most redirects to follow; 0 means that a redirect is an answer like any other.
    pub redirects_max: usize,
    /// The proxy to send it through.
    pub proxy: Option<Url>,
    /// Whether certificates that prove nothing are good enough.
    pub any_certificate: bool,
    /// What is secret goes to no other place than below this one, wherever redirects lead; without it to no other server.
    pub within: Option<Base>,
    /// Where an answer that is a file goes, past the memory; without it every answer is taken into memory.
    pub into_file: Option<IntoFile>,
}

/// Where an answer that is a file goes.
#[derive(Debug, Clone)]
pub(crate) struct IntoFile {
    /// How the answer is treated, which says whether it is one.
    pub answer: Answer,
    /// The attachments.
    pub binaries: Binaries,
}

/// How to treat an answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// Status, headers and body, not the body alone.
    pub full: bool,
    /// A failed status is an answer like any other.
    pub never_error: bool,
    /// What the body is.
    pub format: Format,
    /// Field or attachment for bodies that are not JSON.
    pub property: String,
    /// The author's expression that makes the items, where there is one.
    pub items: Option<Value>,
}

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Its media type tells.
    Detect,
    /// JSON.
    Json,
    /// XML, which becomes data.
    Xml,
    /// Text.
    Text,
    /// Bytes.
    File,
}

/// Where the expression is that makes items of an answer.
const ITEMS: &str = "options.response.response.items";
/// Most redirects that are followed when the author names no number.
const REDIRECTS_DEFAULT: f64 = 21.0;
/// Most redirects that are followed at all.
const REDIRECTS_MAX: f64 = 100.0;

/// A request whose parts can still be changed: turning pages does.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    method: Method,
    url: Url,
    /// Where the address begins, where the credential says so.
    base: Option<Base>,
    /// Its query, headers and body.
    pub parts: Parts,
    list_style: ListStyle,
    key: String,
    /// The span that the receiver is told of.
    traceparent: Option<String>,
    transport: Transport,
    /// How to treat the answer.
    pub answer: Answer,
}

/// What a page asks for otherwise than the one before.
#[derive(Debug, Clone, Default)]
pub(super) struct Changes {
    /// Another address.
    pub url: Option<String>,
    /// Fields of the query.
    pub query: JsonObject,
    /// Headers.
    pub headers: JsonObject,
    /// Fields of the body.
    pub body: JsonObject,
}

impl Draft {
    /// Reads the request for one item.
    pub fn read(run: &mut NodeRun<'_>, item: &Item, index: usize, base: Option<Base>) -> Result<Self, NodeError> {
        let old = run.version() < 3.0;
        let method_name = run.text(if old { "requestMethod" } else { "method" }, index, "GET")?;
        let method = method(&method_name)?;
        let url = address_from(base.as_ref(), &run.text("url", index, "")?)?;
        let parts = if old { old_parts(run, item, index)? } else { new_parts(run, item, index)? };
        let default = match old {
            true if run.boolean("options.useQueryString", index, false)? => "repeat",
            true => "indices",
            false => "brackets",
        };
        let list_style = ListStyle::named(&run.text("options.queryParameterArrays", index, default)?);
        let answer = if old { old_answer(run, index)? } else { new_answer(run, index)? };
        let transport = Transport { within: base.clone(), ..transport(run, &method, index)? };
        let key = format!("{}-{index}", run.idempotency_key);
        let traceparent = run.traceparent();
        Ok(Self { method, url, base, parts, list_style, key, traceparent, transport, answer })
    }

    /// The same with other parts; `page` tells its key from those of the pages before.
    pub fn changed(&self, changes: &Changes, page: usize) -> Result<Self, NodeError> {
        let mut draft = self.clone();
        if let Some(url) = &changes.url {
            draft.url = address_from(draft.base.as_ref(), url)?;
            if draft.url.origin() != self.url.origin() {
                return Err(NodeError::operation("the next page is on another server than the first one")
                    .described("let a node of its own ask there, with a credential for that server"));
            }
        }
        draft.parts.query.extend(changes.query.clone());
        draft.parts.headers.extend(changes.headers.clone());
        if !changes.body.is_empty() {
            let body = draft.parts.body.take().unwrap_or_else(|| Body::Json(Value::Object(JsonObject::new())));
            draft.parts.body = Some(body.with_fields(&changes.body));
        }
        if page > 0 {
            draft.key = format!("{}-{page}", self.key);
        }
        Ok(draft)
    }

    /// Request `number` of the item after this, its first: to the same server, with other parts and a key that tells its
    /// number.
    ///
    /// # Errors
    /// [`NodeError`] when it is for another server: what proves who asks is meant for this one.
    pub fn another(&self, method: &str, url: &str, parts: Parts, number: usize) -> Result<Self, NodeError> {
        let url = address_from(self.base.as_ref(), url)?;
        if url.origin() != self.url.origin() {
            return Err(NodeError::operation("it is for another server than the first request")
                .described("let a node of its own send it, with a credential for that server"));
        }
        let key = format!("{}-{number}", self.key);
        Ok(Self { method: self::method(method)?, url, parts, key, ..self.clone() })
    }

    /// The same, to be sent after it was sent so many times; its key tells that.
    pub fn again(&self, times: usize) -> Self {
        let mut draft = self.clone();
        if times > 0 {
            draft.key = format!("{}-{times}", self.key);
        }
        draft
    }

    /// The request as expressions see it in `$request`.
    pub fn to_json(&self) -> Value {
        json!({
            "method": self.method.as_str(),
            "url": self.url.as_str(),
            "uri": self.url.as_str(),
            "qs": self.parts.query,
            "headers": self.parts.headers,
            "body": self.parts.body.as_ref().map(Body::to_json),
        })
    }

    /// The request, ready to send.
    pub fn finish(self) -> Result<Request, NodeError> {
        let mut url = self.url;
        if !self.parts.query.is_empty() {
            url.query_pairs_mut().extend_pairs(pairs(&self.parts.query, self.list_style));
        }
        let mut headers = header_map(&self.parts.headers)?;
        default_header(&mut headers, USER_AGENT, "timeloom");
        default_header(&mut headers, ACCEPT, accepted(self.answer.format));
        default_header(&mut headers, HeaderName::from_static("idempotency-key"), &self.key);
        if let Some(span) = &self.traceparent {
            default_header(&mut headers, HeaderName::from_static("traceparent"), span);
        }
        let boundary = format!("timeloom-{}", self.key);
        let body = self.parts.body.map(|body| {
            let (bytes, mime_type) = body.written(&boundary, self.list_style.in_forms());
            default_header(&mut headers, CONTENT_TYPE, &mime_type);
            bytes
        });
        let secret_headers = Vec::new();
        Ok(Request { method: self.method, url, headers, body, secret_headers, transport: self.transport })
    }
}

/// Sets a header that the author did not set.
pub(crate) fn default_header(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let (false, Ok(value)) = (headers.contains_key(&name), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

fn method(name: &str) -> Result<Method, NodeError> {
    Method::from_bytes(name.to_ascii_uppercase().as_bytes())
        .map_err(|_| NodeError::operation(format!("'{name}' is not an HTTP method")))
}

/// A URL out of text that an author or a server wrote.
pub(crate) fn address(text: &str) -> Result<Url, NodeError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(NodeError::operation("the URL is missing: name the address to send the request to"));
    }
    Url::parse(text).map_err(|error| {
        NodeError::operation(format!("'{text}' is not a URL: {error}"))
            .described("a URL begins with http:// or https://")
    })
}

/// The same, which goes on from the base where there is one.
fn address_from(base: Option<&Base>, text: &str) -> Result<Url, NodeError> {
    base.map_or_else(|| address(text), |base| base.joined(text))
}

/// Headers out of names and values, null being none; what would end a header or begin another is refused.
pub(crate) fn header_map(fields: &JsonObject) -> Result<HeaderMap, NodeError> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let invalid = |what: &str| {
            NodeError::operation(format!("the {what} of header '{}' is not allowed in HTTP", name.escape_debug()))
                .described("line breaks and control characters cannot be part of a header: take them out")
        };
        let header = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| invalid("name"))?;
        let text = HeaderValue::from_bytes(values::text(value).trim().as_bytes()).map_err(|_| invalid("value"))?;
        headers.insert(header, text);
    }
    Ok(headers)
}

fn accepted(format: Format) -> &'static str {
    match format {
        Format::Json => "application/json,text/*;q=0.99",
        Format::Xml => "application/xml,text/xml,*/*;q=0.5",
        Format::Text => "text/*,application/json;q=0.9,*/*;q=0.5",
        Format::Detect | Format::File => "application/json,text/*;q=0.9,*/*;q=0.8",
    }
}

fn transport(run: &mut NodeRun<'_>, method: &Method, index: usize) -> Result<Transport, NodeError> {
    let timeout = run.number("options.timeout", index, 0.0)?;
    let proxy = run.text("options.proxy", index, "")?;
    let proxy = match proxy.trim() {
        "" => None,
        text if text.contains("://") => Some(address(text)?),
        text => Some(address(&format!("http://{text}"))?),
    };
    let any_certificate = run.boolean("options.allowUnauthorizedCerts", index, false)?
        || run.boolean("allowUnauthorizedCerts", index, false)?;
    Ok(Transport {
        timeout: (timeout > 0.0).then(|| Duration::from_millis(timeout as u64)),
        redirects_max: redirects(run, method, index)?,
        into_file: None,
        within: None,
        proxy,
        any_certificate,
    })
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
        "xml" => Format::Xml,
        "text" => Format::Text,
        "file" => Format::File,
        _ => Format::Detect,
    };
    Ok(Answer {
        full: run.boolean("options.response.response.fullResponse", index, false)?,
        never_error: run.boolean("options.response.response.neverError", index, false)?,
        format,
        property: run.text("options.response.response.outputPropertyName", index, "data")?,
        items: run.raw_parameter(ITEMS).filter(|expression| values::truthy(expression)).cloned(),
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
        items: None,
    })
}
