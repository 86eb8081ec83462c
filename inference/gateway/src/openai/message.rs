//! Messages, in and out.

use serde_json::{Map, Value, json};
use timeloom_domain::chat::{ImageSource, Message, Part, Role};
use timeloom_domain::item::JsonObject;

use super::{Dialect, LeftOut};
use crate::anthropic::CLIENTS_CACHE_CUT as CACHE_CUT;
use crate::wire::{Fields, Misfit};

/// Reads a message of a request.
pub(super) fn decode_message(value: Value, at: String) -> Result<Message, Misfit> {
    let mut fields = Fields::new(value, at)?;
    let role = match fields.required_text("role")?.as_str() {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        _ => return Err(fields.misfit("role", "system, developer, user, assistant or tool")),
    };
    let name = fields.text("name")?;
    let mut parts = decode_parts(&mut fields)?;
    if role == Role::Tool {
        let call = fields.required_text("tool_call_id")?;
        parts = vec![Part::ToolResult { call, parts, failed: false }];
    }
    Ok(Message { role, name, parts, extra: fields.rest() })
}

/// Reads what a message, of a request or of an answer, is made of.
pub(super) fn decode_parts(fields: &mut Fields) -> Result<Vec<Part>, Misfit> {
    let mut parts = decode_thinking(fields)?;
    match fields.value("content") {
        None => {}
        Some(Value::String(text)) if text.is_empty() => {}
        Some(Value::String(text)) => parts.push(Part::text(text)),
        Some(Value::Array(list)) => {
            let at = fields.path("content");
            for (index, part) in list.into_iter().enumerate() {
                parts.push(decode_part(part, format!("{at}[{index}]"))?);
            }
        }
        Some(_) => return Err(fields.misfit("content", "a text or a list of parts")),
    }
    parts.extend(fields.text("refusal")?.map(|text| Part::Refusal { text }));
    let at = fields.path("tool_calls");
    for (index, call) in fields.list("tool_calls")?.unwrap_or_default().into_iter().enumerate() {
        parts.push(decode_call(call, format!("{at}[{index}]"))?);
    }
    Ok(parts)
}

/// Thoughts come as one text, under either of two names, or as blocks that carry signatures as well.
fn decode_thinking(fields: &mut Fields) -> Result<Vec<Part>, Misfit> {
    let spoken = fields.text("reasoning_content")?;
    let spoken = match spoken {
        None if fields.look("reasoning").is_some_and(Value::is_string) => fields.text("reasoning")?,
        found => found,
    };
    let at = fields.path("thinking_blocks");
    let Some(blocks) = fields.list("thinking_blocks")? else {
        let spoken = spoken.filter(|text| !text.is_empty());
        return Ok(spoken.map(|text| Part::Thinking { text, signature: None }).into_iter().collect());
    };
    let mut parts = Vec::with_capacity(blocks.len());
    for (index, block) in blocks.into_iter().enumerate() {
        let mut block = Fields::new(block, format!("{at}[{index}]"))?;
        parts.push(match block.text("type")?.as_deref() {
            Some("redacted_thinking") => Part::SealedThinking { data: block.required_text("data")? },
            _ => Part::Thinking { text: block.required_text("thinking")?, signature: block.text("signature")? },
        });
    }
    Ok(parts)
}

fn decode_part(value: Value, at: String) -> Result<Part, Misfit> {
    let mut fields = Fields::new(value.clone(), at)?;
    match fields.required_text("type")?.as_str() {
        "text" => Ok(Part::Text { text: fields.required_text("text")?, extra: fields.rest() }),
        "refusal" => Ok(Part::Refusal { text: fields.required_text("refusal")? }),
        "image_url" => {
            let Some(mut image) = fields.object("image_url")? else {
                return Err(fields.misfit("image_url", "an object"));
            };
            let url = image.required_text("url")?;
            Ok(Part::Image { source: image_source(url), detail: image.text("detail")? })
        }
        _ => Ok(Part::Other(value)),
    }
}

/// A picture that is in its own address, or elsewhere.
fn image_source(url: String) -> ImageSource {
    let data = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    match data {
        Some((media_type, base64)) => {
            ImageSource::Data { media_type: media_type.to_owned(), base64: base64.to_owned() }
        }
        None => ImageSource::Url(url),
    }
}

fn decode_call(value: Value, at: String) -> Result<Part, Misfit> {
    let mut fields = Fields::new(value.clone(), at)?;
    if fields.look("type").is_some_and(|kind| kind != "function") {
        return Ok(Part::OtherCall(value));
    }
    let id = fields.text("id")?.unwrap_or_default();
    let Some(mut function) = fields.object("function")? else {
        return Err(fields.misfit("function", "an object"));
    };
    Ok(Part::ToolCall {
        id,
        name: function.required_text("name")?,
        arguments: function.text("arguments")?.unwrap_or_default(),
    })
}

/// Writes a message of a request. A message with the results of several calls becomes several.
pub(super) fn encode_message(message: &Message, dialect: Dialect, left_out: &mut LeftOut) -> Vec<Value> {
    let (results, others): (Vec<&Part>, Vec<&Part>) =
        message.parts.iter().partition(|part| matches!(part, Part::ToolResult { .. }));
    let mut written: Vec<Value> = results.into_iter().map(|part| encode_result(part, message, left_out)).collect();
    if others.is_empty() && !written.is_empty() {
        return written;
    }
    let mut fields = JsonObject::new();
    fields.insert("role".to_owned(), role_name(message.role).into());
    fields.extend(message.name.as_ref().map(|name| ("name".to_owned(), name.as_str().into())));
    encode_parts(&mut fields, &others, dialect.thinking, left_out);
    fields.extend(message.extra.clone());
    written.push(Value::Object(fields));
    written
}

fn encode_result(part: &Part, message: &Message, left_out: &mut LeftOut) -> Value {
    let mut fields = Map::new();
    fields.insert("role".to_owned(), "tool".into());
    fields.extend(message.name.as_ref().map(|name| ("name".to_owned(), name.as_str().into())));
    if let Part::ToolResult { call, parts, failed } = part {
        if *failed {
            left_out.insert("that a tool failed");
        }
        fields.insert("tool_call_id".to_owned(), call.as_str().into());
        let parts: Vec<&Part> = parts.iter().collect();
        fields.insert("content".to_owned(), encode_content(&parts));
    }
    fields.extend(message.extra.clone());
    Value::Object(fields)
}

/// Writes what a message is made of.
pub(super) fn encode_parts(fields: &mut JsonObject, parts: &[&Part], thinking: bool, left_out: &mut LeftOut) {
    let is_content = |part: &&&Part| matches!(part, Part::Text { .. } | Part::Image { .. } | Part::Other(_));
    let content: Vec<&Part> = parts.iter().filter(is_content).copied().collect();
    let calls: Vec<Value> = parts.iter().filter_map(|part| encode_call(part)).collect();
    fields.insert("content".to_owned(), if content.is_empty() { Value::Null } else { encode_content(&content) });
    let refusals: Vec<&str> = parts
        .iter()
        .filter_map(|part| if let Part::Refusal { text } = part { Some(text.as_str()) } else { None })
        .collect();
    if !refusals.is_empty() {
        fields.insert("refusal".to_owned(), refusals.concat().into());
    }
    if !calls.is_empty() {
        fields.insert("tool_calls".to_owned(), calls.into());
    }
    let cuts = |part: &&Part| matches!(part, Part::Text { extra, .. } if extra.contains_key(CACHE_CUT));
    if content.iter().any(cuts) {
        left_out.insert("where a cache may cut");
    }
    if thinking {
        encode_thinking(fields, parts);
    } else if parts.iter().any(|part| matches!(part, Part::Thinking { .. } | Part::SealedThinking { .. })) {
        left_out.insert("thoughts of earlier answers");
    }
}

/// A plain text alone is written as one; everything else is a list.
fn encode_content(parts: &[&Part]) -> Value {
    let is_plain = |extra: &JsonObject| extra.keys().all(|name| name == CACHE_CUT);
    match parts {
        [Part::Text { text, extra }] if is_plain(extra) && !text.is_empty() => text.as_str().into(),
        parts => parts.iter().map(|part| encode_part(part)).collect(),
    }
}

fn encode_part(part: &Part) -> Value {
    match part {
        Part::Text { text, extra } => {
            let mut fields = JsonObject::new();
            fields.insert("type".to_owned(), "text".into());
            fields.insert("text".to_owned(), text.as_str().into());
            let own = extra.iter().filter(|(name, _)| *name != CACHE_CUT);
            fields.extend(own.map(|(name, value)| (name.clone(), value.clone())));
            Value::Object(fields)
        }
        Part::Image { source, detail } => {
            let url = match source {
                ImageSource::Url(url) => url.clone(),
                ImageSource::Data { media_type, base64 } => format!("data:{media_type};base64,{base64}"),
            };
            let mut image = json!({ "url": url });
            if let Some(detail) = detail {
                image["detail"] = detail.as_str().into();
            }
            json!({ "type": "image_url", "image_url": image })
        }
        Part::Other(value) | Part::OtherCall(value) => value.clone(),
        Part::Refusal { text } => json!({ "type": "refusal", "refusal": text }),
        Part::Thinking { .. } | Part::SealedThinking { .. } | Part::ToolCall { .. } | Part::ToolResult { .. } => {
            Value::Null
        }
    }
}

fn encode_call(part: &Part) -> Option<Value> {
    match part {
        Part::ToolCall { id, name, arguments } => {
            Some(json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } }))
        }
        Part::OtherCall(value) => Some(value.clone()),
        _ => None,
    }
}

/// Thoughts as one text, and as blocks too where there is more to them than one text.
fn encode_thinking(fields: &mut JsonObject, parts: &[&Part]) {
    let mut text = String::new();
    let mut blocks = Vec::new();
    let mut plain = true;
    for part in parts {
        match part {
            Part::Thinking { text: thought, signature } => {
                text.push_str(thought);
                plain &= signature.is_none();
                let mut block = json!({ "type": "thinking", "thinking": thought });
                if let Some(signature) = signature {
                    block["signature"] = signature.as_str().into();
                }
                blocks.push(block);
            }
            Part::SealedThinking { data } => {
                plain = false;
                blocks.push(json!({ "type": "redacted_thinking", "data": data }));
            }
            _ => {}
        }
    }
    if !text.is_empty() {
        fields.insert("reasoning_content".to_owned(), text.as_str().into());
    }
    let is_said = plain && blocks.len() == 1 && !text.is_empty();
    if !blocks.is_empty() && !is_said {
        fields.insert("thinking_blocks".to_owned(), blocks.into());
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}
