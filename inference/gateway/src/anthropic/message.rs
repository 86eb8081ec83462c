//! Messages. The protocol wants the words of the system apart, results of tools in the user's messages, and the two to take
//! turns.

use serde_json::{Value, json};
use timeloom_domain::chat::ErrorClass;
use timeloom_domain::chat::{ImageSource, Message, Part, Role};

use super::CLIENTS_CACHE_CUT;
use crate::error::CallError;
use crate::openai::LeftOut;

/// The words of the system, and the turns.
pub(super) fn encode_messages(
    messages: &[Message],
    left_out: &mut LeftOut,
) -> Result<(Vec<Value>, Vec<Value>), CallError> {
    let mut system = Vec::new();
    let mut turns: Vec<(&'static str, Vec<Value>)> = Vec::new();
    for message in messages {
        if message.name.is_some() {
            left_out.insert("names of those who speak");
        }
        if !message.extra.is_empty() {
            left_out.insert("fields of messages that are not known here");
        }
        let mut blocks = Vec::with_capacity(message.parts.len());
        for part in &message.parts {
            blocks.extend(encode_part(part, left_out)?);
        }
        let speaker = match message.role {
            Role::System | Role::Developer => {
                system.append(&mut blocks);
                continue;
            }
            Role::User | Role::Tool => "user",
            Role::Assistant => "assistant",
        };
        match turns.last_mut() {
            // Who says nothing takes no turn.
            _ if blocks.is_empty() => {}
            Some((last, said)) if *last == speaker => said.append(&mut blocks),
            _ => turns.push((speaker, blocks)),
        }
    }
    Ok((system, turns.into_iter().map(|(speaker, blocks)| json!({ "role": speaker, "content": blocks })).collect()))
}

fn encode_part(part: &Part, left_out: &mut LeftOut) -> Result<Option<Value>, CallError> {
    let block = match part {
        // The protocol refuses texts without a letter.
        Part::Text { text, .. } if text.trim().is_empty() => return Ok(None),
        Part::Text { text, extra } => {
            let mut block = json!({ "type": "text", "text": text });
            if let Some(cache) = extra.get("cache_control").or_else(|| extra.get(CLIENTS_CACHE_CUT)) {
                block["cache_control"] = cache.clone();
            }
            block
        }
        Part::Refusal { text } => json!({ "type": "text", "text": text }),
        Part::Image { source, detail } => {
            if detail.is_some() {
                left_out.insert("how closely a picture is looked at");
            }
            let source = match source {
                ImageSource::Url(url) => json!({ "type": "url", "url": url }),
                ImageSource::Data { media_type, base64 } => {
                    json!({ "type": "base64", "media_type": media_type, "data": base64 })
                }
            };
            json!({ "type": "image", "source": source })
        }
        Part::ToolCall { id, name, arguments } => {
            json!({ "type": "tool_use", "id": id, "name": name, "input": arguments_of(name, arguments)? })
        }
        Part::ToolResult { call, parts, failed } => {
            let mut content = Vec::with_capacity(parts.len());
            for part in parts {
                content.extend(encode_part(part, left_out)?);
            }
            let mut block = json!({ "type": "tool_result", "tool_use_id": call, "content": content });
            if *failed {
                block["is_error"] = true.into();
            }
            block
        }
        Part::Thinking { text, signature: Some(signature) } => {
            json!({ "type": "thinking", "thinking": text, "signature": signature })
        }
        // The provider takes back only thoughts that it signed.
        Part::Thinking { .. } => {
            left_out.insert("thoughts without a signature");
            return Ok(None);
        }
        Part::SealedThinking { data } => json!({ "type": "redacted_thinking", "data": data }),
        Part::Other(_) | Part::OtherCall(_) => {
            return Err(CallError::unsupported("this provider reads texts, pictures and calls of functions"));
        }
    };
    Ok(Some(block))
}

/// Arguments of a call as an object: nothing is an empty one.
pub(crate) fn arguments_of(name: &str, arguments: &str) -> Result<Value, CallError> {
    if arguments.trim().is_empty() {
        return Ok(json!({}));
    }
    match serde_json::from_str(arguments) {
        Ok(Value::Object(fields)) => Ok(Value::Object(fields)),
        _ => {
            let message = format!("the arguments of the call of '{name}' are no JSON object: leave the call out");
            Err(CallError::new(ErrorClass::BadRequest, message))
        }
    }
}
