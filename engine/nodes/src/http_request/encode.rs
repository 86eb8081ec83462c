//! Parameters as pairs of a query string or form, and bodies of several parts.

use serde_json::Value;
use timeloom_domain::item::{BinaryData, Item, JsonObject};
use timeloom_engine::node::{Binaries, NodeError, NodeRun};
use url::form_urlencoded;

use super::content::Content;
use crate::values;

/// How lists are written in a query string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListStyle {
    /// `a[0]=x&a[1]=y`.
    Indices,
    /// `a[]=x&a[]=y`.
    Brackets,
    /// `a=x&a=y`.
    Repeat,
    /// `a.member.1=x&a.member.2=y`, and `a.b=x` for what is within an object: as AWS reads them.
    Members,
}

impl ListStyle {
    /// The style of that name.
    pub fn named(name: &str) -> Self {
        match name {
            "brackets" => Self::Brackets,
            "repeat" => Self::Repeat,
            "members" => Self::Members,
            _ => Self::Indices,
        }
    }

    /// The style of lists in a form, where this is the one of the query: all write them the same way there but one.
    pub fn in_forms(self) -> Self {
        if self == Self::Members { self } else { Self::Indices }
    }
}

/// The fields as pairs; lists and objects are spread over bracketed names.
pub(super) fn pairs(fields: &JsonObject, style: ListStyle) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for (name, value) in fields {
        add_pairs(name.clone(), value, style, &mut pairs);
    }
    pairs
}

fn add_pairs(name: String, value: &Value, style: ListStyle, pairs: &mut Vec<(String, String)>) {
    match value {
        Value::Null => pairs.push((name, String::new())),
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                let name = match style {
                    ListStyle::Indices => format!("{name}[{index}]"),
                    ListStyle::Brackets => format!("{name}[]"),
                    ListStyle::Repeat => name.clone(),
                    ListStyle::Members => format!("{name}.member.{}", index + 1),
                };
                add_pairs(name, element, style, pairs);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                let name = if style == ListStyle::Members { format!("{name}.{key}") } else { format!("{name}[{key}]") };
                add_pairs(name, field, style, pairs);
            }
        }
        plain => pairs.push((name, values::text(plain))),
    }
}

/// The pairs as the body of a form.
pub(super) fn form(pairs: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The attachment `name`, and what is said of it.
pub(super) fn attachment(run: &NodeRun<'_>, item: &Item, name: &str) -> Result<Attachment, NodeError> {
    let Some(data) = item.binary.as_ref().and_then(|binary| binary.get(name)) else {
        return Err(NodeError::operation(format!("the item has no binary data named '{name}'")));
    };
    let mime_type = if data.mime_type.is_empty() { "application/octet-stream" } else { &data.mime_type };
    Ok(Attachment {
        data: Box::new(data.clone()),
        binaries: run.binaries(),
        mime_type: mime_type.to_owned(),
        file_name: data.file_name.clone(),
    })
}

/// An attachment of an item, ready to send.
#[derive(Debug, Clone)]
pub(super) struct Attachment {
    data: Box<BinaryData>,
    binaries: Binaries,
    /// Their media type.
    pub mime_type: String,
    /// Name of the file they came from.
    pub file_name: Option<String>,
}

impl Attachment {
    /// The body that is this attachment alone.
    pub fn into_content(self) -> Content {
        let mut content = Content::default();
        content.push_attachment(*self.data, self.binaries);
        content
    }
}

/// A body of several parts, built up part by part.
pub(super) struct Multipart {
    boundary: String,
    body: Content,
}

impl Multipart {
    /// An empty body; `boundary` must not occur in any part.
    pub fn new(boundary: String) -> Self {
        Self { boundary, body: Content::default() }
    }

    /// Adds a field.
    pub fn text(&mut self, name: &str, value: &str) {
        self.head(&format!("form-data; name=\"{}\"", quoted(name)), None);
        self.body.push(format!("{value}\r\n"));
    }

    /// Adds a file.
    pub fn file(&mut self, name: &str, file: &Attachment) {
        let file_name = file.file_name.as_deref().unwrap_or("file");
        let disposition = format!("form-data; name=\"{}\"; filename=\"{}\"", quoted(name), quoted(file_name));
        self.head(&disposition, Some(&file.mime_type));
        self.body.push_attachment(BinaryData::clone(&file.data), file.binaries.clone());
        self.body.push("\r\n");
    }

    fn head(&mut self, disposition: &str, mime_type: Option<&str>) {
        let typed = mime_type.map(|mime_type| format!("Content-Type: {}\r\n", quoted(mime_type))).unwrap_or_default();
        let head = format!("--{}\r\nContent-Disposition: {disposition}\r\n{typed}\r\n", self.boundary);
        self.body.push(head);
    }

    /// The body and its media type.
    pub fn finish(mut self) -> (Content, String) {
        self.body.push(format!("--{}--\r\n", self.boundary));
        (self.body, format!("multipart/form-data; boundary={}", self.boundary))
    }
}

/// Text for a header of a part: what would end it is percent-encoded, as browsers do.
fn quoted(text: &str) -> String {
    text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn query(fields: Value, style: ListStyle) -> String {
        let Value::Object(fields) = fields else { panic!("not an object") };
        let pairs = pairs(&fields, style);
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    }

    #[test]
    fn lists_and_objects_are_spread() {
        let fields = json!({"a": [1, "x"], "o": {"k": true}, "n": null});
        assert_eq!(query(fields.clone(), ListStyle::Indices), "a[0]=1&a[1]=x&o[k]=true&n=");
        assert_eq!(query(fields.clone(), ListStyle::Brackets), "a[]=1&a[]=x&o[k]=true&n=");
        assert_eq!(query(fields.clone(), ListStyle::Repeat), "a=1&a=x&o[k]=true&n=");
        assert_eq!(query(fields, ListStyle::Members), "a.member.1=1&a.member.2=x&o.k=true&n=");
        let tags = json!({"Tags": [{"Key": "a", "Value": "b"}]});
        assert_eq!(query(tags, ListStyle::Members), "Tags.member.1.Key=a&Tags.member.1.Value=b");
    }

    #[test]
    fn parts_cannot_break_out_of_their_headers() {
        let mut parts = Multipart::new("B".to_owned());
        parts.text("a\"\r\nX: 1", "v");
        let (body, mime_type) = parts.finish();
        assert_eq!(mime_type, "multipart/form-data; boundary=B");
        assert_eq!(
            String::from_utf8(body.whole()).unwrap(),
            "--B\r\nContent-Disposition: form-data; name=\"a%22%0D%0AX: 1\"\r\n\r\nv\r\n--B--\r\n"
        );
    }
}
