//! What a tool of a server gave, as data of an item. Pure.
//!
//! Pictures, sounds and files become attachments; what stands for them in the text says how large they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use timeloom_domain::item::JsonObject;
use timeloom_gateway::schema::Schema;

use super::error::{McpError, told};
use super::session::About;

/// Most parts of what a tool gave.
const PARTS_MAX: usize = 1_000;
/// Longest name of a kind of file, in bytes.
const MIME_TYPE_BYTES_MAX: usize = 127;
/// The kind of a file of which nothing is known.
const ANY_FILE: &str = "application/octet-stream";

/// What a tool gave.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Outcome {
    /// All of it as text.
    pub(super) text: String,
    /// Its parts, without the bytes of files.
    pub(super) content: Vec<Value>,
    /// The same as data, where the tool says so.
    pub(super) structured: Option<Value>,
    /// Its files, in the order of the parts.
    pub(super) files: Vec<File>,
}

/// A file that a tool gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File {
    pub(super) mime_type: String,
    pub(super) bytes: Vec<u8>,
}

impl Outcome {
    /// Reads the answer to a call.
    ///
    /// # Errors
    /// [`McpError`] where the tool says that it failed, or the answer is none.
    pub(super) fn read(result: &Value) -> Result<Self, McpError> {
        let structured = result.get("structuredContent").filter(|content| !content.is_null()).cloned();
        let mut outcome = Self { structured, ..Self::default() };
        let parts = match result.get("content") {
            Some(Value::Array(parts)) => parts.as_slice(),
            None if outcome.structured.is_some() => &[],
            _ => return Err(McpError::NotMcp("there is no content in what the tool gave".to_owned())),
        };
        if parts.len() > PARTS_MAX {
            return Err(McpError::TooMany(PARTS_MAX));
        }
        for part in parts {
            outcome.take(part)?;
        }
        match result.get("isError").and_then(Value::as_bool) {
            Some(true) if outcome.text.trim().is_empty() => Err(McpError::Failed("it does not say why".to_owned())),
            Some(true) => Err(McpError::Failed(told(outcome.text.trim()))),
            _ => Ok(outcome),
        }
    }

    fn take(&mut self, part: &Value) -> Result<(), McpError> {
        let text = |of: &Value, field: &str| of.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let kind = text(part, "type");
        let (line, kept) = match kind.as_str() {
            "text" => (text(part, "text"), part.clone()),
            "image" | "audio" => self.file(&kind, part, "data")?,
            "resource_link" => (format!("[link {}: {}]", text(part, "name"), text(part, "uri")), part.clone()),
            "resource" => {
                let resource = part.get("resource").unwrap_or(&Value::Null);
                match resource.get("blob") {
                    Some(_) => self.file("file", resource, "blob")?,
                    None => (text(resource, "text"), part.clone()),
                }
            }
            other => (format!("[{}]", told(other)), json!({ "type": told(other) })),
        };
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(&line);
        self.content.push(kept);
        Ok(())
    }

    /// Takes the file that is in `field` of a part.
    fn file(&mut self, kind: &str, part: &Value, field: &str) -> Result<(String, Value), McpError> {
        let data = part.get(field).and_then(Value::as_str).unwrap_or_default();
        let read = STANDARD.decode(data.trim());
        let bytes = read.map_err(|_| McpError::NotMcp(format!("there is a part '{kind}' in it that is no base64")))?;
        let named = part.get("mimeType").and_then(Value::as_str).filter(|named| is_mime_type(named));
        let mime_type = named.unwrap_or(ANY_FILE).to_owned();
        let line = format!("[{kind} {mime_type}, {} bytes]", bytes.len());
        let mut kept = json!({"type": kind, "mimeType": mime_type, "bytes": bytes.len(), "file": self.files.len()});
        if let Some(uri) = part.get("uri").and_then(Value::as_str) {
            kept["uri"] = json!(uri);
        }
        self.files.push(File { mime_type, bytes });
        Ok((line, kept))
    }

    /// Checks what was given as data against the schema that the server told before.
    ///
    /// # Errors
    /// [`McpError::Output`]
    pub(super) fn check(&self, schema: &Value) -> Result<(), McpError> {
        let wrong = |why: String| McpError::Output(told(&why));
        let structured = self.structured.as_ref();
        let structured = structured.ok_or_else(|| wrong("has no structured content, which was promised".to_owned()))?;
        let schema = Schema::try_new(schema).map_err(|why| wrong(format!("cannot be checked: {why}")))?;
        let fits = schema.check(&structured.to_string());
        fits.map(drop).map_err(|why| wrong(format!("is not what was promised: {}", why.join("; "))))
    }

    /// The item's data.
    pub(super) fn json(&self, about: &About) -> JsonObject {
        let mut fields = JsonObject::new();
        fields.insert("text".to_owned(), json!(self.text));
        fields.insert("content".to_owned(), json!(self.content));
        if let Some(structured) = &self.structured {
            fields.insert("structuredContent".to_owned(), structured.clone());
        }
        fields.extend(about.json());
        fields
    }
}

fn is_mime_type(text: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "!#$&^_.+-/".contains(letter);
    text.len() <= MIME_TYPE_BYTES_MAX && text.contains('/') && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_joined_and_files_are_taken_out() {
        let read = Outcome::read(&json!({
            "content": [
                {"type": "text", "text": "Here it is."},
                {"type": "image", "mimeType": "image/png", "data": "AAEC"},
                {"type": "resource_link", "name": "more", "uri": "file:///more"},
                {"type": "resource", "resource": {"uri": "mem://a", "text": "inside"}},
                {"type": "resource", "resource": {"uri": "mem://b", "mimeType": "a b; evil", "blob": "AAEC"}},
                {"type": "hologram", "data": "x"},
            ],
            "structuredContent": {"n": 1},
        }))
        .unwrap();
        let lines: Vec<&str> = read.text.lines().collect();
        let wanted = [
            "Here it is.",
            "[image image/png, 3 bytes]",
            "[link more: file:///more]",
            "inside",
            "[file application/octet-stream, 3 bytes]",
            "[hologram]",
        ];
        assert_eq!(lines, wanted);
        assert_eq!(read.files.iter().map(|file| file.bytes.len()).collect::<Vec<_>>(), [3, 3]);
        assert_eq!(read.content[1], json!({"type": "image", "mimeType": "image/png", "bytes": 3, "file": 0}));
        assert!(!json!(read.content).to_string().contains("AAEC"), "the bytes are in the attachments alone");
        assert_eq!(read.structured, Some(json!({"n": 1})));
    }

    #[test]
    fn a_tool_that_says_that_it_failed_has_failed() {
        let failed = json!({"content": [{"type": "text", "text": "no such file"}], "isError": true});
        assert_eq!(Outcome::read(&failed), Err(McpError::Failed("no such file".to_owned())));
        for none in [json!({}), json!({"content": "text"}), json!({"content": [{"type": "image", "data": "%"}]})] {
            assert!(matches!(Outcome::read(&none), Err(McpError::NotMcp(_))), "{none}");
        }
    }

    #[test]
    fn what_was_promised_is_held_to() {
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
        let gave = |structured: Value| {
            Outcome::read(&json!({"content": [], "structuredContent": structured})).unwrap().check(&schema)
        };
        gave(json!({"n": 7})).unwrap();
        let refused = gave(json!({"n": "seven"})).unwrap_err().to_string();
        assert!(refused.contains("is not what was promised"), "{refused}");
        let without = Outcome::read(&json!({"content": [{"type": "text", "text": "7"}]})).unwrap();
        assert!(without.check(&schema).unwrap_err().to_string().contains("no structured content"));
        let elsewhere = json!({"$ref": "https://schemas.example/x.json"});
        let outcome = Outcome::read(&json!({"content": [], "structuredContent": {}})).unwrap();
        assert!(matches!(outcome.check(&elsewhere), Err(McpError::Output(_))), "no schema is fetched");
    }
}
