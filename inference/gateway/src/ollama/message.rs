//! Messages of clients of the protocol, read as ours.

use serde_json::Value;
use timeloom_domain::chat::{ImageSource, Message, Part, Role};
use timeloom_domain::item::JsonObject;

use crate::wire::{Fields, Misfit};

/// Most pictures of one message.
const IMAGES_MAX: usize = 256;
/// Most calls of one message.
const CALLS_MAX: usize = 1_024;
/// How pictures of each type begin, in base64: the protocol does not say their types.
const BEGINNINGS: [(&str, &str); 4] =
    [("/9j/", "image/jpeg"), ("iVBORw0KGgo", "image/png"), ("R0lGOD", "image/gif"), ("UklGR", "image/webp")];

/// Calls of a chat that wait for their results. The protocol's results may name the tool alone.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// Id and name of each, in their order.
    open: Vec<(String, String)>,
    count: usize,
}

impl Calls {
    fn begin(&mut self, id: Option<String>, name: &str) -> String {
        let id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| format!("call_{}", self.count));
        self.count += 1;
        self.open.push((id.clone(), name.to_owned()));
        id
    }

    /// The id of the call of which this is the result: the one that is named, or the oldest of that tool.
    fn end(&mut self, id: Option<String>, name: Option<String>) -> String {
        let is_it = |(own, tool): &(String, String)| match (&id, &name) {
            (Some(id), _) => own == id,
            (None, Some(name)) => tool == name,
            (None, None) => true,
        };
        match self.open.iter().position(is_it) {
            Some(place) => self.open.remove(place).0,
            None => id.or(name).unwrap_or_default(),
        }
    }
}

/// Reads a message of a request.
pub(super) fn decode_message(value: Value, at: String, calls: &mut Calls) -> Result<Message, Misfit> {
    let mut fields = Fields::new(value, at)?;
    let role = match fields.required_text("role")?.as_str() {
        "system" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        _ => return Err(fields.misfit("role", "system, user, assistant or tool")),
    };
    let mut parts = Vec::new();
    let thought = fields.text("thinking")?.filter(|text| !text.is_empty());
    parts.extend(thought.map(|text| Part::Thinking { text, signature: None }));
    parts.extend(decode_images(&mut fields)?);
    parts.extend(fields.text("content")?.filter(|text| !text.is_empty()).map(Part::text));
    parts.extend(decode_calls(&mut fields, calls)?);
    if role == Role::Tool {
        let call = calls.end(fields.text("tool_call_id")?, fields.text("tool_name")?);
        parts = vec![Part::ToolResult { call, parts, failed: false }];
    }
    Ok(Message { role, name: None, parts, extra: JsonObject::new() })
}

fn decode_calls(fields: &mut Fields, calls: &mut Calls) -> Result<Vec<Part>, Misfit> {
    let list = fields.list("tool_calls")?.unwrap_or_default();
    if list.len() > CALLS_MAX {
        return Err(fields.misfit("tool_calls", "a list of at most 1024 calls"));
    }
    let at = fields.path("tool_calls");
    let mut parts = Vec::with_capacity(list.len());
    for (index, call) in list.into_iter().enumerate() {
        let mut call = Fields::new(call, format!("{at}[{index}]"))?;
        let id = call.text("id")?;
        let Some(mut function) = call.object("function")? else { return Err(call.misfit("function", "an object")) };
        let name = function.required_text("name")?;
        let arguments = match function.value("arguments") {
            None => "{}".to_owned(),
            Some(Value::Object(arguments)) => Value::Object(arguments).to_string(),
            Some(_) => return Err(function.misfit("arguments", "an object")),
        };
        parts.push(Part::ToolCall { id: calls.begin(id, &name), name, arguments });
    }
    Ok(parts)
}

/// Reads the pictures of a message, or of a text to go on with.
pub(super) fn decode_images(fields: &mut Fields) -> Result<Vec<Part>, Misfit> {
    let list = fields.list("images")?.unwrap_or_default();
    let wanted = "a list of at most 256 pictures in base64: JPEG, PNG, GIF or WebP";
    if list.len() > IMAGES_MAX {
        return Err(fields.misfit("images", wanted));
    }
    let read = |image: Value| {
        let Value::String(base64) = image else { return None };
        let (_, media_type) = BEGINNINGS.iter().find(|(beginning, _)| base64.starts_with(beginning))?;
        let source = ImageSource::Data { media_type: (*media_type).to_owned(), base64 };
        Some(Part::Image { source, detail: None })
    };
    let parts: Option<Vec<Part>> = list.into_iter().map(read).collect();
    parts.ok_or_else(|| fields.misfit("images", wanted))
}
