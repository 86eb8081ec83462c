//! Messages of clients of the protocol and the blocks that they are made of, read as ours.

use serde_json::Value;
use timeloom_domain::chat::{ImageSource, Message, Part, Role};
use timeloom_domain::item::JsonObject;

use super::CLIENTS_CACHE_CUT;
use crate::wire::{Fields, Misfit};

/// Most blocks of one message.
const BLOCKS_MAX: usize = 10_000;

/// Reads a message of a request.
pub(super) fn decode_message(value: Value, at: String) -> Result<Message, Misfit> {
    let mut fields = Fields::new(value, at)?;
    let role = match fields.required_text("role")?.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => return Err(fields.misfit("role", "user or assistant")),
    };
    let content = fields.value("content").ok_or_else(|| fields.misfit("content", "a text or a list of blocks"))?;
    let parts = decode_blocks(content, &fields.path("content"))?;
    Ok(Message { role, name: None, parts, extra: JsonObject::new() })
}

/// Reads what is said: a text, or a list of blocks.
pub(super) fn decode_blocks(value: Value, at: &str) -> Result<Vec<Part>, Misfit> {
    match value {
        Value::String(text) => Ok(vec![Part::text(text)]),
        Value::Array(list) if list.len() <= BLOCKS_MAX => {
            let read = |(index, block)| decode_block(block, format!("{at}[{index}]"));
            list.into_iter().enumerate().map(read).collect()
        }
        _ => Err(Misfit::new(at, "a text or a list of at most 10000 blocks")),
    }
}

fn decode_block(value: Value, at: String) -> Result<Part, Misfit> {
    let mut block = Fields::new(value, at)?;
    Ok(match block.required_text("type")?.as_str() {
        "text" => {
            let extra =
                block.value("cache_control").map(|cache| (CLIENTS_CACHE_CUT.to_owned(), cache)).into_iter().collect();
            Part::Text { text: block.required_text("text")?, extra }
        }
        "image" => Part::Image { source: decode_source(&mut block)?, detail: None },
        "tool_use" => Part::ToolCall {
            id: block.required_text("id")?,
            name: block.required_text("name")?,
            arguments: match block.value("input") {
                None => "{}".to_owned(),
                Some(Value::Object(input)) => Value::Object(input).to_string(),
                Some(_) => return Err(block.misfit("input", "an object")),
            },
        },
        "tool_result" => {
            let at = block.path("content");
            Part::ToolResult {
                call: block.required_text("tool_use_id")?,
                parts: block
                    .value("content")
                    .map(|content| decode_result(content, &at))
                    .transpose()?
                    .unwrap_or_default(),
                failed: block.flag("is_error")?.unwrap_or(false),
            }
        }
        "thinking" => Part::Thinking {
            text: block.required_text("thinking")?,
            signature: block.text("signature")?.filter(|signature| !signature.is_empty()),
        },
        "redacted_thinking" => Part::SealedThinking { data: block.required_text("data")? },
        _ => {
            let wanted =
                "text, image, tool_use, tool_result, thinking or redacted_thinking: others are not served here";
            return Err(block.misfit("type", wanted));
        }
    })
}

/// What a tool gave: texts and pictures, never what only a message has.
fn decode_result(content: Value, at: &str) -> Result<Vec<Part>, Misfit> {
    let parts = decode_blocks(content, at)?;
    let fits = parts.iter().all(|part| matches!(part, Part::Text { .. } | Part::Image { .. }));
    if fits { Ok(parts) } else { Err(Misfit::new(at, "texts and pictures")) }
}

fn decode_source(block: &mut Fields) -> Result<ImageSource, Misfit> {
    let Some(mut source) = block.object("source")? else { return Err(block.misfit("source", "an object")) };
    match source.required_text("type")?.as_str() {
        "base64" => Ok(ImageSource::Data {
            media_type: source.required_text("media_type")?,
            base64: source.required_text("data")?,
        }),
        "url" => Ok(ImageSource::Url(source.required_text("url")?)),
        _ => Err(source.misfit("type", "base64 or url: uploaded files are not kept here")),
    }
}
