//! Items from an answer: JSON, text or an attachment, with status and headers when asked for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderMap};
use serde_json::{Value, json};
use timeloom_domain::item::{BinaryData, Item, JsonObject};
use timeloom_engine::node::NodeError;
use url::Url;

use super::request::{Answer, Format};
use super::send::Received;
use crate::values;

/// Most characters of a failed answer that its error shows.
const EXCERPT_CHARS: usize = 500;

/// The items that the answer to item `index` gives.
pub(super) fn items(received: Received, answer: &Answer, input: &Item, index: usize) -> Result<Vec<Item>, NodeError> {
    if !received.status.is_success() && !answer.never_error {
        return Err(refused(&received));
    }
    let media_type = media_type(&received.headers);
    let format = match answer.format {
        Format::Detect => detected(&media_type, &received.body),
        format => format,
    };
    let mut whole = JsonObject::new();
    if answer.full {
        whole.insert("headers".to_owned(), headers_json(&received.headers));
        whole.insert("statusCode".to_owned(), json!(received.status.as_u16()));
        whole.insert("statusMessage".to_owned(), json!(received.status.canonical_reason().unwrap_or_default()));
    }
    if format == Format::File {
        let json = if answer.full { whole } else { input.json.clone() };
        let mut binary = input.binary.clone().unwrap_or_default();
        binary.insert(answer.property.clone(), attachment(&received, &media_type));
        return Ok(vec![Item { binary: Some(binary), ..Item::new(json) }.paired_with(index)]);
    }
    let text = decoded(&received);
    if format == Format::Text || (text.is_empty() && answer.format == Format::Detect) {
        let mut json = JsonObject::from_iter([(answer.property.clone(), Value::String(text))]);
        json.extend(whole);
        return Ok(vec![Item::new(json).paired_with(index)]);
    }
    let body = match serde_json::from_str(&text) {
        Ok(body) => body,
        // What a server says about a failure need not be JSON.
        Err(_) if answer.never_error => Value::String(text),
        Err(_) => {
            return Err(NodeError::operation("the body of the answer is not valid JSON")
                .described("set the option Response Format to Text to take it as it is"));
        }
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

/// The body as expressions see it: JSON where it is, text otherwise.
pub(super) fn body_value(received: &Received, format: Format) -> Value {
    let text = decoded(received);
    let is_json = match format {
        Format::Json => true,
        Format::Detect => detected(&media_type(&received.headers), &received.body) == Format::Json,
        Format::Text | Format::File => false,
    };
    let parsed = if is_json { serde_json::from_str(&text).ok() } else { None };
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
fn object(value: Value, property: &str) -> JsonObject {
    match value {
        Value::Object(fields) => fields,
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

fn attachment(received: &Received, media_type: &str) -> BinaryData {
    let file_name = disposition_name(&received.headers).or_else(|| url_name(&received.url));
    let extension_of = |name: &String| name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let extension = file_name.as_ref().and_then(extension_of);
    let known = |extension: &str| TYPES.iter().find(|(ending, _)| *ending == extension).map(|(_, kind)| *kind);
    let mime_type = if media_type.is_empty() {
        extension.as_deref().and_then(known).unwrap_or("text/plain").to_owned()
    } else {
        media_type.to_owned()
    };
    let ending = || TYPES.iter().find(|(_, kind)| *kind == mime_type).map(|(ending, _)| (*ending).to_owned());
    let file_extension = extension.clone().filter(|extension| known(extension).is_some()).or_else(ending).or(extension);
    let mut extra = JsonObject::new();
    if let Some(kind) = file_kind(&mime_type) {
        extra.insert("fileType".to_owned(), json!(kind));
    }
    BinaryData {
        data: STANDARD.encode(&received.body),
        file_name,
        file_extension,
        file_size: Some(size_text(received.body.len())),
        mime_type,
        id: None,
        extra,
    }
}

/// Endings of file names and the media types they stand for.
const TYPES: &[(&str, &str)] = &[
    ("json", "application/json"),
    ("txt", "text/plain"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("csv", "text/csv"),
    ("md", "text/markdown"),
    ("ics", "text/calendar"),
    ("xml", "application/xml"),
    ("pdf", "application/pdf"),
    ("zip", "application/zip"),
    ("gz", "application/gzip"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("svg", "image/svg+xml"),
    ("mp3", "audio/mpeg"),
    ("wav", "audio/wav"),
    ("ogg", "audio/ogg"),
    ("mp4", "video/mp4"),
    ("webm", "video/webm"),
    ("doc", "application/msword"),
    ("xls", "application/vnd.ms-excel"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
];

fn file_kind(mime_type: &str) -> Option<&'static str> {
    match mime_type {
        "application/json" => return Some("json"),
        "text/html" => return Some("html"),
        "application/pdf" => return Some("pdf"),
        _ => {}
    }
    let (kind, _) = mime_type.split_once('/')?;
    ["image", "audio", "video", "text"].into_iter().find(|known| *known == kind)
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

/// A size for people: `4 B`, `1.23 kB`.
fn size_text(bytes: usize) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1000.0 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    let digits = if unit == 0 || size >= 100.0 {
        0
    } else if size >= 10.0 {
        1
    } else {
        2
    };
    let written = format!("{size:.digits$}");
    let short = if digits > 0 { written.trim_end_matches('0').trim_end_matches('.') } else { &written };
    format!("{short} {}", UNITS.get(unit).unwrap_or(&"B"))
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

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
        }
    }

    /// The attachment of an answer as JSON.
    fn described(received: &Received) -> Value {
        serde_json::to_value(attachment(received, &media_type(&received.headers))).unwrap()
    }

    #[test]
    fn files_are_named_after_the_header_or_the_address() {
        let by_url = described(&received(&[("content-type", "image/png")], "http://h.example/a/pic.png", b"test"));
        assert_eq!(by_url["fileName"], json!("pic.png"));
        assert_eq!((&by_url["fileExtension"], &by_url["fileType"]), (&json!("png"), &json!("image")));
        assert_eq!((&by_url["fileSize"], &by_url["data"]), (&json!("4 B"), &json!("dGVzdA==")));
        let disposition = "attachment; filename=\"../x/photo.jpg\"";
        let by_header = described(&received(&[("content-disposition", disposition)], "http://h.example/d", b"x"));
        assert_eq!(by_header["fileName"], json!("photo.jpg"));
        assert_eq!(by_header["mimeType"], json!("image/jpeg"));
        let encoded = "attachment; filename*=UTF-8''na%C3%AFve.txt";
        let by_header = described(&received(&[("content-disposition", encoded)], "http://h.example/d", b"x"));
        assert_eq!(by_header["fileName"], json!("na\u{ef}ve.txt"));
    }

    #[test]
    fn the_character_set_is_the_answers() {
        let latin = received(&[("content-type", "text/plain; charset=latin1")], "http://h.example/", b"caf\xe9");
        assert_eq!(decoded(&latin), "caf\u{e9}");
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!(size_text(999), "999 B");
        assert_eq!(size_text(1234), "1.23 kB");
        assert_eq!(size_text(12_300_000), "12.3 MB");
    }
}
