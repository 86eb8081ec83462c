//! Requests, in and out.

use serde_json::{Value, json};
use timeloom_domain::chat::{ChatRequest, Format, Sampling, Thinking, Tool, ToolChoice};
use timeloom_domain::item::JsonObject;

use super::message::{decode_message, encode_message};
use super::{Dialect, LeftOut, OutputTokens};
use crate::ollama;
use crate::wire::{Fields, Misfit};

/// Most texts before which an answer ends.
const STOPS_MAX: usize = 64;

/// Reads a request. What has no word here is kept in `extra`.
///
/// # Errors
/// [`Misfit`] when a field is not what the protocol says.
pub fn decode_request(body: Value) -> Result<ChatRequest, Misfit> {
    let mut fields = Fields::new(body, "")?;
    let model = fields.required_text("model")?;
    let Some(list) = fields.list("messages")? else { return Err(fields.misfit("messages", "a list")) };
    let mut messages = Vec::with_capacity(list.len());
    for (index, message) in list.into_iter().enumerate() {
        messages.push(decode_message(message, format!("messages[{index}]"))?);
    }
    let mut tools = Vec::new();
    for (index, tool) in fields.list("tools")?.unwrap_or_default().into_iter().enumerate() {
        tools.push(decode_tool(tool, format!("tools[{index}]"))?);
    }
    let tool_choice = decode_tool_choice(&mut fields)?;
    let format = decode_format(&mut fields)?;
    let sampling = decode_sampling(&mut fields)?;
    let thinking = decode_thinking(&mut fields)?;
    let stream_usage = decode_stream_options(&mut fields)?;
    Ok(ChatRequest {
        model,
        messages,
        tools,
        tool_choice,
        parallel_tool_calls: fields.flag("parallel_tool_calls")?,
        format,
        sampling,
        thinking,
        user: fields.text("user")?,
        stream: fields.flag("stream")?.unwrap_or(false),
        stream_usage,
        extra: fields.rest(),
    })
}

fn decode_tool(value: Value, at: String) -> Result<Tool, Misfit> {
    let mut fields = Fields::new(value.clone(), at)?;
    if fields.look("type").is_some_and(|kind| kind != "function") {
        return Ok(Tool::Other(value));
    }
    let Some(mut function) = fields.object("function")? else {
        return Err(fields.misfit("function", "an object"));
    };
    Ok(Tool::Function {
        name: function.required_text("name")?,
        description: function.text("description")?,
        parameters: function.value("parameters"),
        strict: function.flag("strict")?,
    })
}

fn decode_tool_choice(fields: &mut Fields) -> Result<Option<ToolChoice>, Misfit> {
    let Some(value) = fields.value("tool_choice") else { return Ok(None) };
    match value.as_str() {
        Some("auto") => return Ok(Some(ToolChoice::Auto)),
        Some("none") => return Ok(Some(ToolChoice::Never)),
        Some("required") => return Ok(Some(ToolChoice::Required)),
        Some(_) => return Err(fields.misfit("tool_choice", "auto, none, required or an object")),
        None => {}
    }
    match value.pointer("/function/name").and_then(Value::as_str) {
        Some(name) if value["type"] == "function" => Ok(Some(ToolChoice::Named(name.to_owned()))),
        _ => {
            fields.put_back("tool_choice", value);
            Ok(None)
        }
    }
}

fn decode_format(fields: &mut Fields) -> Result<Option<Format>, Misfit> {
    let Some(value) = fields.value("response_format") else { return Ok(None) };
    let mut format = Fields::new(value.clone(), "response_format")?;
    match format.required_text("type")?.as_str() {
        "text" => Ok(Some(Format::Text)),
        "json_object" => Ok(Some(Format::Json)),
        "json_schema" => {
            let Some(mut described) = format.object("json_schema")? else {
                return Err(format.misfit("json_schema", "an object"));
            };
            Ok(Some(Format::Schema {
                name: described.required_text("name")?,
                description: described.text("description")?,
                schema: described.value("schema").unwrap_or_else(|| json!({})),
                strict: described.flag("strict")?,
            }))
        }
        _ => {
            fields.put_back("response_format", value);
            Ok(None)
        }
    }
}

fn decode_sampling(fields: &mut Fields) -> Result<Sampling, Misfit> {
    let newer = fields.whole("max_completion_tokens")?;
    let older = fields.whole("max_tokens")?;
    let stop = match fields.value("stop") {
        None => Vec::new(),
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(list)) if list.len() <= STOPS_MAX && list.iter().all(Value::is_string) => {
            list.into_iter().filter_map(|text| if let Value::String(text) = text { Some(text) } else { None }).collect()
        }
        Some(_) => return Err(fields.misfit("stop", "a text or a list of at most 64 texts")),
    };
    Ok(Sampling {
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        top_k: fields.whole("top_k")?,
        output_tokens_max: newer.or(older),
        stop,
        seed: fields.signed("seed")?,
        frequency_penalty: fields.number("frequency_penalty")?,
        presence_penalty: fields.number("presence_penalty")?,
        choices: fields.whole("n")?,
    })
}

fn decode_thinking(fields: &mut Fields) -> Result<Option<Thinking>, Misfit> {
    let effort = fields.text("reasoning_effort")?;
    let tokens_max = fields.look("thinking").and_then(|value| value.get("budget_tokens")).and_then(Value::as_u64);
    if tokens_max.is_some() {
        fields.value("thinking");
    }
    let thinking = Thinking { effort, tokens_max };
    Ok((thinking != Thinking::default()).then_some(thinking))
}

fn decode_stream_options(fields: &mut Fields) -> Result<bool, Misfit> {
    let Some(mut options) = fields.object("stream_options")? else { return Ok(false) };
    let usage = options.flag("include_usage")?.unwrap_or(false);
    let rest = options.rest();
    if !rest.is_empty() {
        fields.put_back("stream_options", Value::Object(rest));
    }
    Ok(usage)
}

/// Writes a request for a provider that calls the model `model`, and tells what it has no word for.
pub fn encode_request(request: &ChatRequest, model: &str, dialect: Dialect) -> (Value, LeftOut) {
    let mut left_out = LeftOut::new();
    let mut fields = JsonObject::new();
    fields.insert("model".to_owned(), model.into());
    let messages: Vec<Value> =
        request.messages.iter().flat_map(|message| encode_message(message, dialect, &mut left_out)).collect();
    fields.insert("messages".to_owned(), messages.into());
    if !request.tools.is_empty() {
        fields.insert("tools".to_owned(), request.tools.iter().map(encode_tool).collect());
    }
    put(&mut fields, "tool_choice", request.tool_choice.as_ref().map(encode_tool_choice));
    put(&mut fields, "parallel_tool_calls", request.parallel_tool_calls);
    put(&mut fields, "response_format", request.format.as_ref().map(encode_format));
    encode_sampling(&mut fields, &request.sampling, dialect);
    if let Some(thinking) = &request.thinking {
        put(&mut fields, "reasoning_effort", thinking.effort.clone());
        match thinking.tokens_max {
            Some(tokens) if dialect.thinking => {
                fields.insert("thinking".to_owned(), json!({ "type": "enabled", "budget_tokens": tokens }));
            }
            Some(_) => {
                left_out.insert("most tokens of thoughts");
            }
            None => {}
        }
    }
    put(&mut fields, "user", request.user.clone());
    for (name, value) in &request.extra {
        if ollama::OWN_FIELDS.contains(&name.as_str()) {
            left_out.insert("how a model of Ollama is loaded");
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
    if request.stream {
        fields.insert("stream".to_owned(), true.into());
        if dialect.stream_usage || request.stream_usage {
            let options = fields.entry("stream_options").or_insert_with(|| json!({}));
            if let Value::Object(options) = options {
                options.insert("include_usage".to_owned(), true.into());
            }
        }
    }
    (Value::Object(fields), left_out)
}

fn put(fields: &mut JsonObject, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        fields.insert(name.to_owned(), value.into());
    }
}

fn encode_tool(tool: &Tool) -> Value {
    match tool {
        Tool::Function { name, description, parameters, strict } => {
            let mut function = JsonObject::new();
            function.insert("name".to_owned(), name.as_str().into());
            put(&mut function, "description", description.clone());
            put(&mut function, "parameters", parameters.clone());
            put(&mut function, "strict", *strict);
            json!({ "type": "function", "function": function })
        }
        Tool::Other(value) => value.clone(),
    }
}

fn encode_tool_choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::Never => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Named(name) => json!({ "type": "function", "function": { "name": name } }),
    }
}

fn encode_format(format: &Format) -> Value {
    match format {
        Format::Text => json!({ "type": "text" }),
        Format::Json => json!({ "type": "json_object" }),
        Format::Schema { name, description, schema, strict } => {
            let mut described = JsonObject::new();
            described.insert("name".to_owned(), name.as_str().into());
            put(&mut described, "description", description.clone());
            described.insert("schema".to_owned(), schema.clone());
            put(&mut described, "strict", *strict);
            json!({ "type": "json_schema", "json_schema": described })
        }
    }
}

fn encode_sampling(fields: &mut JsonObject, sampling: &Sampling, dialect: Dialect) {
    put(fields, "temperature", sampling.temperature);
    put(fields, "top_p", sampling.top_p);
    put(fields, "top_k", sampling.top_k);
    let output_tokens = match dialect.output_tokens {
        OutputTokens::MaxCompletionTokens => "max_completion_tokens",
        OutputTokens::MaxTokens => "max_tokens",
    };
    put(fields, output_tokens, sampling.output_tokens_max);
    if !sampling.stop.is_empty() {
        fields.insert("stop".to_owned(), sampling.stop.clone().into());
    }
    put(fields, "seed", sampling.seed);
    put(fields, "frequency_penalty", sampling.frequency_penalty);
    put(fields, "presence_penalty", sampling.presence_penalty);
    put(fields, "n", sampling.choices);
}
