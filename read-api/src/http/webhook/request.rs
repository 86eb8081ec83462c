//! A request as the item that the workflow begins with: its headers, the named parts of its path, its query and its body.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use timeloom_commands::directory::PATH_BYTES_MAX;
use timeloom_domain::item::Item;

use super::TENANT;
use super::body::Body;
use super::query::query;
use super::refusal::Refusal;

/// What of a request does not come from its body.
#[derive(Debug)]
pub(super) struct Head {
    headers: Map<String, Value>,
    query: Map<String, Value>,
    params: Map<String, Value>,
    webhook_url: String,
    is_test: bool,
}

impl Head {
    /// The head of `request`.
    pub(super) fn of(
        request: &HttpRequest,
        params: impl IntoIterator<Item = (String, String)>,
        webhook_url: String,
        is_test: bool,
    ) -> Self {
        Self {
            headers: headers(request.headers()),
            query: query(request.query_string()),
            params: params.into_iter().map(|(name, value)| (name, Value::String(value))).collect(),
            webhook_url,
            is_test,
        }
    }

    /// The item.
    pub(super) fn item(self, body: Body, claims: Option<Value>) -> Item {
        let mut json = Map::new();
        json.insert("headers".to_owned(), Value::Object(self.headers));
        json.insert("params".to_owned(), Value::Object(self.params));
        json.insert("query".to_owned(), Value::Object(self.query));
        json.insert("body".to_owned(), body.json);
        json.insert("webhookUrl".to_owned(), Value::String(self.webhook_url));
        json.insert("executionMode".to_owned(), json!(if self.is_test { "test" } else { "production" }));
        if let Some(claims) = claims {
            json.insert("jwtPayload".to_owned(), claims);
        }
        let binary = (!body.binary.is_empty()).then_some(body.binary);
        Item { binary, ..Item::new(json) }
    }
}

/// Headers by their names in lower case; those that come more than once are joined, as HTTP has it.
fn headers(headers: &HeaderMap) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, value) in headers {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let joiner = if name == "cookie" { "; " } else { ", " };
        match object.get_mut(name.as_str()) {
            Some(Value::String(before)) => {
                before.push_str(joiner);
                before.push_str(&text);
            }
            _ => {
                object.insert(name.as_str().to_owned(), Value::String(text));
            }
        }
    }
    object
}

/// The path behind `prefix` and the tenant that may come before it, decoded part by part and without slashes at its ends. A slash within a part (`%2F`) is
/// refused: it would part the path where its sender did not.
///
/// # Errors
/// A refusal when it is too long or no text.
pub(super) fn path_behind(request: &HttpRequest, prefix: &str) -> Result<String, Refusal> {
    let path = request.uri().path();
    let path = match request.match_info().get(TENANT) {
        Some(tenant) => path.strip_prefix("/t/").and_then(|path| path.strip_prefix(tenant)).unwrap_or_default(),
        None => path,
    };
    let path = path.strip_prefix(prefix).unwrap_or_default().trim_matches('/');
    if path.len() > PATH_BYTES_MAX {
        let message = format!("the path has more than {PATH_BYTES_MAX} bytes");
        return Err(Refusal::new(StatusCode::URI_TOO_LONG, message));
    }
    if !path.contains('%') {
        return Ok(path.to_owned());
    }
    let decoded: Result<Vec<_>, _> = path.split('/').map(|part| percent_decode_str(part).decode_utf8()).collect();
    let parts = decoded.map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "the path is not UTF-8 text"))?;
    if parts.iter().any(|part| part.contains(['/', '\0'])) {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "a part of the path has a slash or a zero in it"));
    }
    Ok(parts.join("/"))
}
