//! Endings of file names and the media types they stand for, and what is said of an attachment.

use serde_json::json;
use timeloom_domain::item::BinaryData;

/// Endings of file names and their media types; the first ending of a type is the one that files get.
const TYPES: &[(&str, &str)] = &[
    ("json", "application/json"),
    ("txt", "text/plain"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("csv", "text/csv"),
    ("md", "text/markdown"),
    ("ics", "text/calendar"),
    ("xml", "application/xml"),
    ("xml", "text/xml"),
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
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("rtf", "application/rtf"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
];

/// What is said of an attachment with that name and media type; an empty type is found out from the name.
pub fn described(file_name: Option<String>, media_type: &str) -> BinaryData {
    let own_ending = file_name.as_deref().and_then(ending_of);
    let mime_type = match media_type {
        "" => own_ending.as_deref().and_then(type_of).unwrap_or("text/plain"),
        given => given,
    };
    let usual = || TYPES.iter().find(|(_, kind)| *kind == mime_type).map(|(ending, _)| (*ending).to_owned());
    let known = own_ending.clone().filter(|ending| type_of(ending).is_some());
    let mut about = BinaryData {
        mime_type: mime_type.to_owned(),
        file_extension: known.or_else(usual).or(own_ending),
        file_name,
        ..BinaryData::default()
    };
    if let Some(kind) = kind_of(mime_type) {
        about.extra.insert("fileType".to_owned(), json!(kind));
    }
    about
}

/// The ending of a file's name, in lower case.
pub(crate) fn ending_of(file_name: &str) -> Option<String> {
    file_name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase())
}

/// The media type that an ending stands for.
pub(crate) fn type_of(ending: &str) -> Option<&'static str> {
    TYPES.iter().find(|(known, _)| *known == ending).map(|(_, kind)| *kind)
}

fn kind_of(mime_type: &str) -> Option<&'static str> {
    match mime_type {
        "application/json" => return Some("json"),
        "text/html" => return Some("html"),
        "application/pdf" => return Some("pdf"),
        _ => {}
    }
    let (kind, _) = mime_type.split_once('/')?;
    ["image", "audio", "video", "text"].into_iter().find(|known| *known == kind)
}
