//! Items from an answer: JSON, text or an attachment, with status and headers when asked for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderMap};
use serde_json::{Value, json};
use timeloom_domain::item::{BinaryData, Item, JsonObject};
use timeloom_engine::node::NodeError;
use url::Url;

use super::request::{Answer, Format};
use super::send::Received;
use crate::files::kinds;
use crate::{values, xml};

/// Most characters of a failed answer that its error shows.
const EXCERPT_CHARS: usize = 500;

/// The items that the answer to item `index` gives.
pub(super) fn items(
    mut received: Received,
    answer: &Answer,
    input: &Item,
    index: usize,
) -> Result<Vec<Item>, NodeError> {
    check(&received, answer)?;
    let media_type = media_type(&received.headers);
    let format = match answer.format {
        Format::Detect => detected(&media_type, &received.body),
        format => format,
    };
    if format == Format::File {
        let file = BinaryData { data: STANDARD.encode(&received.body), ..described(&received) };
        return Ok(vec![file_item(&received, file, answer, input, index)]);
    }
    let whole = head(&received, answer);
    if format == Format::Text || (received.body.is_empty() && answer.format == Format::Detect) {
        let text = decoded(&received);
        let mut json = JsonObject::from_iter([(answer.property.clone(), Value::String(text))]);
        json.extend(whole);
        return Ok(vec![Item::new(json).paired_with(index)]);
    }
    let body = match format {
        Format::Xml => xml_of(&received, answer.never_error)?,
        _ => json_of(&mut received, answer.never_error)?,
    };
    if answer.full {
        let mut json = JsonObject::from_iter([("body".to_owned(), body)]);
        json.extend(whole);
        return Ok(vec![Item::new(json).paired_with(index)]);
    }
    let parts = match body {
        Value::Array(elements) => elements,
        body => vec![body],
    };
    Ok(parts.into_iter().map(|part| Item::new(object(part, &answer.property)).paired_with(index)).collect())
}

/// Refuses an answer that tells of failure, unless any answer will do.
pub(super) fn check(received: &Received, answer: &Answer) -> Result<(), NodeError> {
    if received.status.is_success() || answer.never_error { Ok(()) } else { Err(refused(received)) }
}

/// Whether an answer is to become an attachment: then its body need not be in memory.
pub(super) fn is_file(status: StatusCode, headers: &HeaderMap, answer: &Answer) -> bool {
    let is_taken = status.is_success() || answer.never_error;
    let format = match answer.format {
        Format::Detect => detected(&media_type(headers), &[0]),
        format => format,
    };
    is_taken && format == Format::File
}

/// The item of an answer that is a file.
pub(super) fn file_item(received: &Received, file: BinaryData, answer: &Answer, input: &Item, index: usize) -> Item {
    let json = if answer.full { head(received, answer).into() } else { input.json.clone() };
    let mut binary = input.binary.clone().unwrap_or_default();
    binary.insert(answer.property.clone(), file);
    Item { binary: Some(binary), ..Item::new(json) }.paired_with(index)
}

/// Status and headers, where they are asked for.
fn head(received: &Received, answer: &Answer) -> JsonObject {
    let mut whole = JsonObject::new();
    if answer.full {
        whole.insert("headers".to_owned(), headers_json(&received.headers));
        whole.insert("statusCode".to_owned(), json!(received.status.as_u16()));
        whole.insert("statusMessage".to_owned(), json!(received.status.canonical_reason().unwrap_or_default()));
    }
    whole
}

/// The JSON of a body, which is let go. What a server says about a failure need not be JSON: with `or_text` it is text then.
fn json_of(received: &mut Received, or_text: bool) -> Result<Value, NodeError> {
    // A body in Unicode, as all JSON is to be, is not copied into a text first: it may be large.
    if let Ok(value) = serde_json::from_slice(&received.body) {
        received.body = Vec::new();
        return Ok(value);
    }
    let text = decoded(received);
    match serde_json::from_str(&text) {
        Ok(value) => Ok(value),
        Err(_) if or_text => Ok(Value::String(text)),
        Err(_) => Err(NodeError::operation("the body of the answer is not valid JSON")
            .described("set the option Response Format to Text to take it as it is")),
    }
}

/// The data of a body in XML. What a server says about a failure need not be XML: with `or_text` it is text then.
fn xml_of(received: &Received, or_text: bool) -> Result<Value, NodeError> {
    let text = decoded(received);
    match xml::in_fields(&text) {
        Ok(value) => Ok(value),
        Err(_) if or_text => Ok(Value::String(text)),
        Err(error) => Err(error.described("set the option Response Format to Text to take the answer as it is")),
    }
}

/// The body as expressions see it: data where it is JSON, or XML and wanted so, text otherwise.
pub(super) fn body_value(received: &Received, format: Format) -> Value {
    let text = decoded(received);
    let format = match format {
        Format::Detect => detected(&media_type(&received.headers), &received.body),
        format => format,
    };
    let parsed = match format {
        Format::Json => serde_json::from_str(&text).ok(),
        Format::Xml => xml::in_fields(&text).ok(),
        Format::Detect | Format::Text | Format::File => None,
    };
    parsed.unwrap_or(Value::String(text))
}

/// The item that stands for a request that failed, when the node goes on: what went wrong, and the status.
pub(crate) fn failed_item(error: &NodeError, index: usize) -> Item {
    let field = |name: &str| error.data.as_ref().and_then(|data| data.get(name));
    let status = field("httpCode").and_then(Value::as_str).and_then(|code| code.parse::<u16>().ok());
    let told = match status {
        Some(status) => {
            let body = match field("body") {
                Some(Value::String(text)) => text.clone(),
                Some(body) => values::stringify(body),
                None => String::new(),
            };
            let code = if status < 500 { "ERR_BAD_REQUEST" } else { "ERR_BAD_RESPONSE" };
            let message = format!("{status} - {}", values::stringify(&Value::String(body)));
            json!({"message": message, "name": "AxiosError", "code": code, "status": status})
        }
        None => json!({"message": error.message, "name": error.kind.name(), "description": error.description}),
    };
    Item::new(JsonObject::from_iter([("error".to_owned(), told)])).paired_with(index)
}

/// The value as an item's JSON; what is no object is put in a field.
pub(super) fn object(value: Value, property: &str) -> JsonObject {
    match value {
        // Collected anew it takes no more room than it needs: there may be many.
        Value::Object(fields) => fields.into_iter().collect(),
        other => JsonObject::from_iter([(property.to_owned(), other)]),
    }
}

/// The error for a status that tells of failure.
pub(crate) fn refused(received: &Received) -> NodeError {
    let status = received.status;
    let host = received.url.host_str().unwrap_or_default();
    let body = decoded(received);
    let excerpt: String = body.chars().take(EXCERPT_CHARS).collect();
    let mut error = NodeError::api(format!(
        "{} - {}: the server {host} refused the request",
        status.as_u16(),
        status.canonical_reason().unwrap_or("unknown status")
    ));
    if !excerpt.is_empty() {
        error = error.described(excerpt.clone());
    }
    let body = serde_json::from_str(&body).unwrap_or(Value::String(excerpt));
    error.data = Some(json!({"httpCode": status.as_u16().to_string(), "body": body}));
    error
}

/// The media type in lower case, without parameters.
fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// What a body of that media type is. An empty body is never JSON.
fn detected(media_type: &str, body: &[u8]) -> Format {
    if media_type == "application/json" || media_type.ends_with("+json") {
        return if body.is_empty() { Format::Text } else { Format::Json };
    }
    let kinds = [
        "image/",
        "audio/",
        "video/",
        "font/",
        "application/vnd.ms-",
        "application/vnd.openxmlformats-",
        "application/vnd.oasis.opendocument.",
        "application/x-bzip",
        "application/x-cdf",
    ];
    let exact = [
        "application/octet-stream",
        "application/pdf",
        "application/zip",
        "application/gzip",
        "application/msword",
        "application/epub+zip",
        "application/vnd.rar",
        "application/x-7z-compressed",
        "application/x-tar",
    ];
    if kinds.iter().any(|kind| media_type.starts_with(kind)) || exact.contains(&media_type) {
        Format::File
    } else {
        Format::Text
    }
}

/// The body as text, in the character set that the answer names.
pub(crate) fn decoded(received: &Received) -> String {
    let content_type = received.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let named = content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    });
    let encoding =
        named.and_then(|name| encoding_rs::Encoding::for_label(name.as_bytes())).unwrap_or(encoding_rs::UTF_8);
    encoding.decode(&received.body).0.into_owned()
}

/// Headers by name; those that may come several times and cannot be joined are lists.
pub(super) fn headers_json(headers: &HeaderMap) -> Value {
    let mut fields = JsonObject::new();
    for name in headers.keys() {
        let values: Vec<String> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
        let value = if name == reqwest::header::SET_COOKIE { json!(values) } else { json!(values.join(", ")) };
        fields.insert(name.as_str().to_owned(), value);
    }
    Value::Object(fields)
}

/// What is said of the attachment that the body becomes.
pub(super) fn described(received: &Received) -> BinaryData {
    let file_name = disposition_name(&received.headers).or_else(|| url_name(&received.url));
    kinds::described(file_name, &media_type(&received.headers))
}

/// The name in `Content-Disposition`, without any folders.
fn disposition_name(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_DISPOSITION)?.to_str().ok()?;
    let parameter = |wanted: &str| {
        value.split(';').skip(1).find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"').to_owned())
        })
    };
    let encoded = parameter("filename*").and_then(|value| {
        let (_, encoded) = value.split_once("''")?;
        let pair = format!("name={}", encoded.replace('+', "%2B"));
        url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, name)| name.into_owned())
    });
    bare_name(&encoded.or_else(|| parameter("filename"))?)
}

/// The last part of the address, where it looks like a file's name.
fn url_name(url: &Url) -> Option<String> {
    bare_name(url.path_segments()?.next_back()?).filter(|name| name.contains('.'))
}

fn bare_name(name: &str) -> Option<String> {
    let bare = name.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    (!bare.is_empty() && bare != "." && bare != "..").then(|| bare.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(headers: &[(&'static str, &str)], url: &str, body: &[u8]) -> Received {
        Received {
            url: Url::parse(url).unwrap(),
            status: StatusCode::OK,
            headers: headers
                .iter()
                .map(|(name, value)| (reqwest::header::HeaderName::from_static(name), value.parse().unwrap()))
                .collect(),
            body: body.to_vec(),
            file: None,
        }
    }

    /// The attachment of an answer as JSON.
    fn described(received: &Received) -> Value {
        serde_json::to_value(super::described(received)).unwrap()
    }

    #[test]
    fn files_are_named_after_the_header_or_the_address() {
        let by_url = described(&received(&[("content-type", "image/png")], "http://h.example/a/pic.png", b"test"));
        assert_eq!(by_url["fileName"], json!("pic.png"));
        assert_eq!((&by_url["fileExtension"], &by_url["fileType"]), (&json!("png"), &json!("image")));
        let disposition = "attachment; filename=\"../x/photo.jpg\"";
        let by_header = described(&received(&[("content-disposition", disposition)], "http://h.example/d", b"x"));
        assert_eq!(by_header["fileName"], json!("photo.jpg"));
        assert_eq!(by_header["mimeType"], json!("image/jpeg"));
        let encoded = "attachment; filename*=UTF-8''na%C3%AFve.txt";
        let by_header = described(&received(&[("content-disposition", encoded)], "http://h.example/d", b"x"));
        assert_eq!(by_header["fileName"], json!("na\u{ef}ve.txt"));
    }

    #[test]
    fn a_body_in_xml_becomes_data() {
        let answer = |never_error| Answer {
            full: false,
            never_error,
            format: Format::Xml,
            property: "data".to_owned(),
            items: None,
        };
        let text = "<R xmlns=\"urn:x\"><Ids><id>1</id><id>2</id></Ids><None/></R>";
        let data = json!({"R": {"$": {"xmlns": "urn:x"}, "Ids": {"id": ["1", "2"]}, "None": ""}});
        let given = |body: &str, never_error| {
            let received = received(&[], "http://h.example/", body.as_bytes());
            let seen = body_value(&received, Format::Xml);
            let items = items(received, &answer(never_error), &Item::new(JsonObject::new()), 0);
            (seen, items.map(|items| serde_json::to_value(&items[0].json).unwrap()).map_err(|error| error.message))
        };
        assert_eq!(given(text, false), (data.clone(), Ok(data)));
        let (seen, refused) = given("<R>", false);
        assert_eq!(seen, json!("<R>"));
        assert!(refused.unwrap_err().contains("not well-formed"));
        assert_eq!(given("<R>", true).1, Ok(json!({"data": "<R>"})));
    }

    #[test]
    fn the_character_set_is_the_answers() {
        let latin = received(&[("content-type", "text/plain; charset=latin1")], "http://h.example/", b"caf\xe9");
        assert_eq!(decoded(&latin), "caf\u{e9}");
    }
}
