//! Requests. What a caller asked and the protocol has no word for is told.

use serde_json::{Value, json};
use timeloom_domain::chat::{ChatRequest, Format, ImageSource, Message, Part, Role, Sampling, Tool, ToolChoice};
use timeloom_domain::item::JsonObject;

use super::{KEEP_ALIVE, OPTIONS};
use crate::anthropic::arguments_of;
use crate::error::CallError;
use crate::openai::LeftOut;

/// Writes a request for a provider that calls the model `model`, and tells what it has no word for.
///
/// # Errors
/// [`CallError`] for what would mean something else without it: several answers, a call that must come, pictures that are
/// elsewhere.
pub fn encode_request(request: &ChatRequest, model: &str) -> Result<(Value, LeftOut), CallError> {
    let mut left_out = LeftOut::new();
    let mut fields = begin(request, model, &mut left_out)?;
    let mut messages = Vec::with_capacity(request.messages.len());
    let mut calls = JsonObject::new();
    for message in &request.messages {
        encode_message(message, &mut calls, &mut messages, &mut left_out)?;
    }
    fields.insert("messages".to_owned(), messages.into());
    let tools = encode_tools(request, &mut left_out)?;
    if !tools.is_empty() {
        fields.insert("tools".to_owned(), tools.into());
    }
    Ok((Value::Object(fields), left_out))
}

/// Writes a request to go on with a text, for models that know no chats: the messages of the system apart, all others one
/// after the other.
///
/// # Errors
/// [`CallError`] for what is no text.
pub fn encode_generate(request: &ChatRequest, model: &str) -> Result<(Value, LeftOut), CallError> {
    let mut left_out = LeftOut::new();
    if !request.tools.is_empty() {
        return Err(CallError::unsupported("a model that goes on with a text calls no tools"));
    }
    let mut fields = begin(request, model, &mut left_out)?;
    let (system, others): (Vec<&Message>, Vec<&Message>) =
        request.messages.iter().partition(|message| matches!(message.role, Role::System | Role::Developer));
    let joined =
        |messages: Vec<&Message>| messages.into_iter().map(Message::joined_text).collect::<Vec<String>>().join("\n\n");
    let mut images = Vec::new();
    for part in others.iter().flat_map(|message| &message.parts) {
        match part {
            Part::Image { source, .. } => images.push(image_of(source)?),
            Part::Text { .. } => {}
            _ => return Err(CallError::unsupported("a model that goes on with a text reads texts and pictures")),
        }
    }
    if !system.is_empty() {
        fields.insert("system".to_owned(), joined(system).into());
    }
    fields.insert("prompt".to_owned(), joined(others).into());
    if !images.is_empty() {
        fields.insert("images".to_owned(), images.into());
    }
    Ok((Value::Object(fields), left_out))
}

/// What both kinds of requests begin with.
fn begin(request: &ChatRequest, model: &str, left_out: &mut LeftOut) -> Result<JsonObject, CallError> {
    if request.sampling.choices.is_some_and(|choices| choices > 1) {
        return Err(CallError::unsupported("this provider gives one answer at a time"));
    }
    let mut fields = JsonObject::new();
    fields.insert("model".to_owned(), model.into());
    fields.insert("stream".to_owned(), request.stream.into());
    match &request.format {
        None | Some(Format::Text) => {}
        Some(Format::Json) => {
            fields.insert("format".to_owned(), "json".into());
        }
        Some(Format::Schema { schema, .. }) => {
            fields.insert("format".to_owned(), schema.clone());
        }
    }
    if let Some(thinking) = &request.thinking {
        let think = thinking.effort.as_ref().map_or(Value::Bool(true), |effort| effort.as_str().into());
        fields.insert("think".to_owned(), think);
        if thinking.tokens_max.is_some() {
            left_out.insert("most tokens of thoughts");
        }
    }
    let mut extra = request.extra.clone();
    let mut options = match extra.shift_remove(OPTIONS) {
        Some(Value::Object(options)) => options,
        _ => JsonObject::new(),
    };
    options.extend(encode_sampling(&request.sampling));
    if !options.is_empty() {
        fields.insert(OPTIONS.to_owned(), options.into());
    }
    if request.user.is_some() {
        left_out.insert("user");
    }
    if request.parallel_tool_calls.is_some() {
        left_out.insert("parallel_tool_calls");
    }
    fields.extend(extra.shift_remove(KEEP_ALIVE).map(|value| (KEEP_ALIVE.to_owned(), value)));
    if !extra.is_empty() {
        left_out.insert("fields of the request that are not known here");
    }
    Ok(fields)
}

fn encode_sampling(sampling: &Sampling) -> JsonObject {
    let stop = (!sampling.stop.is_empty()).then(|| Value::from(sampling.stop.clone()));
    let options = [
        ("temperature", sampling.temperature.map(Value::from)),
        ("top_p", sampling.top_p.map(Value::from)),
        ("top_k", sampling.top_k.map(Value::from)),
        ("num_predict", sampling.output_tokens_max.map(Value::from)),
        ("stop", stop),
        ("seed", sampling.seed.map(Value::from)),
        ("frequency_penalty", sampling.frequency_penalty.map(Value::from)),
        ("presence_penalty", sampling.presence_penalty.map(Value::from)),
    ];
    options.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn encode_tools(request: &ChatRequest, left_out: &mut LeftOut) -> Result<Vec<Value>, CallError> {
    match request.tool_choice {
        None | Some(ToolChoice::Auto) => {}
        Some(ToolChoice::Never) => return Ok(Vec::new()),
        Some(ToolChoice::Required | ToolChoice::Named(_)) => {
            return Err(CallError::unsupported("this provider's models call tools as they like"));
        }
    }
    let mut tools = Vec::with_capacity(request.tools.len());
    for tool in &request.tools {
        match tool {
            Tool::Function { name, description, parameters, strict } => {
                if strict.is_some() {
                    left_out.insert("strict tools");
                }
                let mut function = json!({ "name": name });
                if let Some(description) = description {
                    function["description"] = description.as_str().into();
                }
                function["parameters"] = parameters.clone().unwrap_or_else(|| json!({ "type": "object" }));
                tools.push(json!({ "type": "function", "function": function }));
            }
            Tool::Other(_) => {
                left_out.insert("tools of other kinds than functions");
            }
        }
    }
    Ok(tools)
}

/// Writes a message. Results refer to their tool by its name, which `calls` remembers by the calls' ids.
fn encode_message(
    message: &Message,
    calls: &mut JsonObject,
    written: &mut Vec<Value>,
    left_out: &mut LeftOut,
) -> Result<(), CallError> {
    if message.name.is_some() {
        left_out.insert("names of those who speak");
    }
    if !message.extra.is_empty() {
        left_out.insert("fields of messages that are not known here");
    }
    let (mut text, mut thinking) = (String::new(), String::new());
    let (mut images, mut asked) = (Vec::new(), Vec::new());
    let mut is_result = false;
    for part in &message.parts {
        match part {
            Part::Text { text: more, .. } | Part::Refusal { text: more } => text.push_str(more),
            Part::Thinking { text: more, .. } => thinking.push_str(more),
            Part::SealedThinking { .. } => {
                left_out.insert("sealed thoughts");
            }
            Part::Image { source, .. } => images.push(image_of(source)?),
            Part::ToolCall { id, name, arguments } => {
                calls.insert(id.clone(), name.as_str().into());
                let arguments = arguments_of(name, arguments)?;
                asked.push(json!({ "function": { "name": name, "arguments": arguments } }));
            }
            Part::ToolResult { call, parts, failed } => {
                is_result = true;
                if *failed {
                    left_out.insert("that a tool failed");
                }
                if parts.iter().any(|part| !matches!(part, Part::Text { .. })) {
                    left_out.insert("what tools gave beside texts");
                }
                let name = calls.get(call).cloned().unwrap_or_else(|| call.as_str().into());
                written.push(json!({ "role": "tool", "content": joined(parts), "tool_name": name }));
            }
            Part::Other(_) | Part::OtherCall(_) => {
                return Err(CallError::unsupported("this provider reads texts, pictures and calls of functions"));
            }
        }
    }
    if is_result && text.is_empty() && images.is_empty() {
        return Ok(());
    }
    let role = match message.role {
        Role::System | Role::Developer => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let mut fields = json!({ "role": role, "content": text });
    for (name, list) in [("images", images), ("tool_calls", asked)] {
        if !list.is_empty() {
            fields[name] = list.into();
        }
    }
    if !thinking.is_empty() {
        fields["thinking"] = thinking.into();
    }
    written.push(fields);
    Ok(())
}

fn joined(parts: &[Part]) -> String {
    let texts =
        parts.iter().filter_map(|part| if let Part::Text { text, .. } = part { Some(text.as_str()) } else { None });
    texts.collect()
}

fn image_of(source: &ImageSource) -> Result<Value, CallError> {
    match source {
        ImageSource::Data { base64, .. } => Ok(base64.as_str().into()),
        ImageSource::Url(_) => {
            Err(CallError::unsupported("this provider fetches no pictures: send its bytes, or send it"))
        }
    }
}
