//! Requests of clients of the protocol, read as requests of ours. What would mean something else without it and has no word
//! here is refused by its name.

use serde_json::{Value, json};
use timeloom_domain::chat::{ChatRequest, Format, Message, Part, Role, Sampling, Thinking, Tool};
use timeloom_domain::item::JsonObject;

use super::message::{Calls, decode_images, decode_message};
use super::{KEEP_ALIVE, OPTIONS};
use crate::wire::{Fields, Misfit};

/// Most messages of one request.
pub const MESSAGES_MAX: usize = 100_000;
/// Most tools of one request.
pub const TOOLS_MAX: usize = 1_024;
/// Most texts before which an answer ends.
const STOPS_MAX: usize = 64;
/// What a schema of answers is called, which the protocol does not say.
const SCHEMA_NAME: &str = "answer";
/// What a chat may not ask for.
const NOT_OF_CHATS: [&str; 1] = ["template"];
/// What a text to go on with may not ask for.
const NOT_OF_TEXTS: [&str; 6] = ["template", "suffix", "context", "width", "height", "steps"];

/// Reads a request to go on with a chat. One without messages asks for nothing but that the model is loaded.
///
/// # Errors
/// [`Misfit`] when a field is not what the protocol says, or has no word here.
pub fn decode_chat(body: Value) -> Result<ChatRequest, Misfit> {
    let mut fields = Fields::new(body, "")?;
    refuse(&mut fields, &NOT_OF_CHATS)?;
    let mut request = read(&mut fields)?;
    let list = fields.list("messages")?.unwrap_or_default();
    if list.len() > MESSAGES_MAX {
        return Err(fields.misfit("messages", "a list of at most 100000 messages"));
    }
    let mut calls = Calls::default();
    for (index, message) in list.into_iter().enumerate() {
        request.messages.push(decode_message(message, format!("messages[{index}]"), &mut calls)?);
    }
    request.tools = decode_tools(&mut fields)?;
    Ok(request)
}

/// Reads a request to go on with a text: a chat of one message. One without a text asks for nothing but that the model is
/// loaded.
///
/// # Errors
/// As [`decode_chat`].
pub fn decode_generate(body: Value) -> Result<ChatRequest, Misfit> {
    let mut fields = Fields::new(body, "")?;
    refuse(&mut fields, &NOT_OF_TEXTS)?;
    if fields.flag("raw")?.unwrap_or(false) {
        return Err(fields.misfit("raw", "false or left out: models are asked in their own words alone"));
    }
    let mut request = read(&mut fields)?;
    let system = fields.text("system")?.filter(|system| !system.is_empty());
    let mut parts: Vec<Part> = decode_images(&mut fields)?;
    parts.extend(fields.text("prompt")?.filter(|prompt| !prompt.is_empty()).map(Part::text));
    if !parts.is_empty() {
        request.messages.extend(system.map(|system| Message::text(Role::System, system)));
        request.messages.push(Message { role: Role::User, name: None, parts, extra: JsonObject::new() });
    }
    Ok(request)
}

/// Refuses fields that say something.
fn refuse(fields: &mut Fields, names: &[&'static str]) -> Result<(), Misfit> {
    for name in names {
        let says = match fields.value(name) {
            None => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Array(list)) => !list.is_empty(),
            Some(_) => true,
        };
        if says {
            return Err(fields.misfit(name, "left out: it is not served here"));
        }
    }
    if fields.flag("logprobs")?.unwrap_or(false) {
        return Err(fields.misfit("logprobs", "false or left out: it is not served here"));
    }
    Ok(())
}

/// What both kinds of requests have.
fn read(fields: &mut Fields) -> Result<ChatRequest, Misfit> {
    let model = fields.required_text("model")?;
    let format = match fields.value("format") {
        None => None,
        Some(Value::String(text)) if text.is_empty() => None,
        Some(Value::String(text)) if text == "json" => Some(Format::Json),
        Some(schema @ Value::Object(_)) => {
            Some(Format::Schema { name: SCHEMA_NAME.to_owned(), description: None, schema, strict: None })
        }
        Some(_) => return Err(fields.misfit("format", "json or a JSON Schema")),
    };
    let thinking = match fields.value("think") {
        None | Some(Value::Bool(false)) => None,
        Some(Value::Bool(true)) => Some(Thinking::default()),
        Some(Value::String(effort)) => Some(Thinking { effort: Some(effort), tokens_max: None }),
        Some(_) => return Err(fields.misfit("think", "true, false or a text")),
    };
    let mut extra = JsonObject::new();
    let sampling = match fields.object(OPTIONS)? {
        None => Sampling::default(),
        Some(mut options) => {
            let sampling = decode_sampling(&mut options)?;
            let rest: JsonObject = options.rest().into_iter().filter(|(_, value)| !value.is_null()).collect();
            if !rest.is_empty() {
                extra.insert(OPTIONS.to_owned(), Value::Object(rest));
            }
            sampling
        }
    };
    extra.extend(fields.value(KEEP_ALIVE).map(|value| (KEEP_ALIVE.to_owned(), value)));
    let stream = fields.flag("stream")?.unwrap_or(true);
    Ok(ChatRequest { model, format, sampling, thinking, stream, stream_usage: stream, extra, ..ChatRequest::default() })
}

fn decode_sampling(options: &mut Fields) -> Result<Sampling, Misfit> {
    let stop = match options.value("stop") {
        None => Vec::new(),
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(list)) if list.len() <= STOPS_MAX && list.iter().all(Value::is_string) => {
            list.into_iter().filter_map(|text| if let Value::String(text) = text { Some(text) } else { None }).collect()
        }
        Some(_) => return Err(options.misfit("stop", "a text or a list of at most 64 texts")),
    };
    // Less than one says that there is no limit.
    let output_tokens_max = options.signed("num_predict")?.filter(|tokens| *tokens > 0);
    Ok(Sampling {
        temperature: options.number("temperature")?,
        top_p: options.number("top_p")?,
        top_k: options.whole("top_k")?,
        output_tokens_max: output_tokens_max.and_then(|tokens| u64::try_from(tokens).ok()),
        stop,
        seed: options.signed("seed")?,
        frequency_penalty: options.number("frequency_penalty")?,
        presence_penalty: options.number("presence_penalty")?,
        choices: None,
    })
}

fn decode_tools(fields: &mut Fields) -> Result<Vec<Tool>, Misfit> {
    let list = fields.list("tools")?.unwrap_or_default();
    if list.len() > TOOLS_MAX {
        return Err(fields.misfit("tools", "a list of at most 1024 tools"));
    }
    let read = |(index, tool)| {
        let mut tool = Fields::new(tool, format!("tools[{index}]"))?;
        let Some(mut function) = tool.object("function")? else { return Err(tool.misfit("function", "an object")) };
        Ok(Tool::Function {
            name: function.required_text("name")?,
            description: function.text("description")?,
            parameters: Some(function.value("parameters").unwrap_or_else(|| json!({ "type": "object" }))),
            strict: None,
        })
    };
    list.into_iter().enumerate().map(read).collect()
}
