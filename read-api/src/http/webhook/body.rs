//! The body of a request: read within bounds, and understood by what its header says it is.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::dev::{Decompress, Payload};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::stream;
use multer::Multipart;
use serde_json::{Map, Value};
use timeloom_domain::item::BinaryData;

use super::query::{add, form};
use super::refusal::Refusal;
use super::settings::Settings;
use crate::http::intake::{self, NotRead};

/// Longest time for a body to come in.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);
/// Most parts of a form with files.
const PARTS_MAX: usize = 1_000;

/// What a body says.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// `body` of the item.
    pub(super) json: Value,
    /// Attachments of the item.
    pub(super) binary: BTreeMap<String, BinaryData>,
}

/// Reads a body. Compressed ones are counted as they come out.
pub(super) async fn read(headers: &HeaderMap, payload: Payload, bytes_max: usize) -> Result<Bytes, Refusal> {
    let too_large = || {
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body has more than {bytes_max} bytes"))
            .hint("send less, or send where the data can be fetched")
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > bytes_max) {
        intake::drain(payload).await;
        return Err(too_large());
    }
    let reading = async {
        intake::read(Decompress::from_headers(payload, headers), bytes_max).await.map_err(|why| match why {
            NotRead::TooLarge => too_large(),
            NotRead::Broken(error) => {
                Refusal::new(StatusCode::BAD_REQUEST, format!("the body cannot be read: {error}"))
            }
        })
    };
    let seconds = BODY_TIME_MAX.as_secs();
    let late = |_| Refusal::new(StatusCode::REQUEST_TIMEOUT, format!("the body did not come within {seconds} s"));
    tokio::time::timeout(BODY_TIME_MAX, reading).await.map_err(late)?
}

/// What the body says, by its type.
pub(super) async fn understand(headers: &HeaderMap, body: Bytes, settings: &Settings) -> Result<Body, Refusal> {
    let content_type = ContentType::of(headers);
    if settings.takes_file() {
        return Ok(file(headers, &content_type, &body, settings));
    }
    if content_type.essence == "multipart/form-data" {
        return multipart(headers, body, settings).await;
    }
    let json = match content_type.essence.as_str() {
        _ if body.is_empty() => Some(Value::Object(Map::new())),
        "application/json" => Some(json(&body)?),
        essence if essence.ends_with("+json") => Some(json(&body)?),
        "application/x-www-form-urlencoded" => Some(Value::Object(form(&body))),
        "text/plain" => Some(content_type.text(&body)),
        essence if essence.ends_with("/xml") || essence.ends_with("+xml") => Some(content_type.text(&body)),
        _ => None,
    };
    if settings.keeps_raw_body() {
        let media_type = if content_type.essence.is_empty() { "application/json" } else { &content_type.essence };
        let name = settings.attachment_name().unwrap_or("data").to_owned();
        let binary = BTreeMap::from([(name, attachment(&body, media_type, None))]);
        return Ok(Body { json: json.unwrap_or_else(|| Value::Object(Map::new())), binary });
    }
    match json {
        Some(json) => Ok(Body { json, binary: BTreeMap::new() }),
        None if settings.node().type_version > 1.0 => Ok(file(headers, &content_type, &body, settings)),
        None => Ok(Body { json: Value::Object(Map::new()), binary: BTreeMap::new() }),
    }
}

fn json(body: &[u8]) -> Result<Value, Refusal> {
    let unreadable = |error: serde_json::Error| {
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "Failed to parse request body").hint(error.to_string())
    };
    serde_json::from_slice(body).map_err(unreadable)
}

/// The body as a file.
fn file(headers: &HeaderMap, content_type: &ContentType, body: &[u8], settings: &Settings) -> Body {
    let json = Value::Object(Map::new());
    if body.is_empty() {
        return Body { json, binary: BTreeMap::new() };
    }
    let essence = content_type.essence.as_str();
    let media_type = if essence.is_empty() { "application/octet-stream" } else { essence };
    let name = settings.attachment_name().unwrap_or("data").to_owned();
    let binary = BTreeMap::from([(name, attachment(body, media_type, file_name(headers).as_deref()))]);
    Body { json, binary }
}

/// One part of a form with files.
#[derive(Debug)]
pub(super) struct Part {
    /// Name of its field.
    pub(super) name: String,
    /// Name of the file, where it is one.
    pub(super) file_name: Option<String>,
    /// What it says that it is.
    pub(super) media_type: Option<String>,
    /// What it holds.
    pub(super) content: Bytes,
}

/// The parts of a form with files; a field for a file that was left empty is left out.
///
/// # Errors
/// A refusal when it cannot be read, or has too many.
pub(super) async fn parts(headers: &HeaderMap, body: Bytes) -> Result<Vec<Part>, Refusal> {
    let broken =
        |error: multer::Error| Refusal::new(StatusCode::BAD_REQUEST, format!("the form cannot be read: {error}"));
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(content_type).map_err(broken)?;
    let whole = stream::iter([Ok::<Bytes, std::convert::Infallible>(body)]);
    let mut fields = Multipart::new(whole, boundary);
    let (mut parts, mut count) = (Vec::new(), 0);
    while let Some(field) = fields.next_field().await.map_err(broken)? {
        count += 1;
        if count > PARTS_MAX {
            let message = format!("the form has more than {PARTS_MAX} parts");
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message));
        }
        let name = field.name().unwrap_or_default().to_owned();
        let file_name = field.file_name().map(str::to_owned);
        let media_type = field.content_type().map(ToString::to_string);
        let content = field.bytes().await.map_err(broken)?;
        if !(content.is_empty() && file_name.as_deref() == Some("")) {
            parts.push(Part { name, file_name, media_type, content });
        }
    }
    Ok(parts)
}

async fn multipart(headers: &HeaderMap, body: Bytes, settings: &Settings) -> Result<Body, Refusal> {
    let (mut fields, mut files) = (Map::new(), Vec::new());
    for Part { name, file_name, media_type, content } in parts(headers, body).await? {
        match file_name {
            Some(file_name) => {
                let media_type = media_type.as_deref().unwrap_or("application/octet-stream");
                files.push((name, attachment(&content, media_type, Some(&file_name))));
            }
            None => {
                let text = String::from_utf8_lossy(&content).into_owned();
                add(fields.entry(name).or_insert(Value::Null), Value::String(text));
            }
        }
    }
    Ok(Body { json: Value::Object(fields), binary: named(files, settings.attachment_name()) })
}

/// Files under the names of their fields: several of one field are numbered, and all of them where the author names them.
fn named(files: Vec<(String, BinaryData)>, prefix: Option<&str>) -> BTreeMap<String, BinaryData> {
    let mut of_field: BTreeMap<String, usize> = BTreeMap::new();
    for (name, _) in &files {
        *of_field.entry(name.clone()).or_default() += 1;
    }
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut binary = BTreeMap::new();
    for (index, (field, file)) in files.into_iter().enumerate() {
        let number = seen.entry(field.clone()).or_default();
        let own = field.strip_suffix("[]").unwrap_or(&field);
        let name = match prefix {
            Some(prefix) => format!("{prefix}{index}"),
            None if of_field.get(&field).is_some_and(|count| *count > 1) => format!("{own}{number}"),
            None => own.to_owned(),
        };
        *number += 1;
        binary.insert(name, file);
    }
    binary
}

/// Bytes as an attachment.
pub(super) fn attachment(content: &[u8], media_type: &str, file_name: Option<&str>) -> BinaryData {
    let extension = file_name.and_then(|name| name.rsplit_once('.')).map(|(_, extension)| extension.to_owned());
    BinaryData {
        data: STANDARD.encode(content),
        mime_type: media_type.to_owned(),
        file_name: file_name.map(str::to_owned),
        file_extension: extension.filter(|extension| !extension.is_empty()),
        file_size: Some(size_text(content.len())),
        ..BinaryData::default()
    }
}

/// A size as people read it.
fn size_text(bytes: usize) -> String {
    const UNITS: [&str; 3] = ["kB", "MB", "GB"];
    let mut size = bytes as f64;
    let mut unit = "B";
    for larger in UNITS {
        if size < 1_000.0 {
            break;
        }
        (size, unit) = (size / 1_000.0, larger);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{} {unit}", (size * 10.0).round() / 10.0) }
}

/// The file name of a body that is a file.
fn file_name(headers: &HeaderMap) -> Option<String> {
    let disposition = headers.get(header::CONTENT_DISPOSITION)?;
    let disposition = header::ContentDisposition::from_raw(disposition).ok()?;
    let name = disposition.get_filename()?;
    // A path in a name means the name alone.
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    (!name.is_empty()).then(|| name.to_owned())
}

struct ContentType {
    /// Type and subtype in lower case; empty when there is none.
    essence: String,
    charset: Option<String>,
}

impl ContentType {
    fn of(headers: &HeaderMap) -> Self {
        let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut parts = text.split(';');
        let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let charset = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"').to_owned())
        });
        Self { essence, charset }
    }

    fn text(&self, body: &[u8]) -> Value {
        let label = self.charset.as_deref().unwrap_or("utf-8");
        let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap_or(encoding_rs::UTF_8);
        Value::String(encoding.decode(body).0.into_owned())
    }
}
