//! Requests of clients of the protocol, read as requests of ours. What has no word here is refused by its name: left out in
//! silence, the answer could mean something else.

use serde_json::{Value, json};
use timeloom_domain::chat::{ChatRequest, Format, Message, Role, Sampling, Thinking, Tool, ToolChoice};
use timeloom_domain::item::JsonObject;

use super::blocks::{decode_blocks, decode_message};
use crate::wire::{Fields, Misfit};

/// Most messages of one request.
pub const MESSAGES_MAX: usize = 100_000;
/// Most tools of one request.
pub const TOOLS_MAX: usize = 1_024;
/// Most texts before which an answer ends.
const STOPS_MAX: usize = 64;
/// Fields that say how a provider is to work, not what is to be answered: they are left to the route.
const LEFT_TO_THE_ROUTE: [&str; 2] = ["cache_control", "service_tier"];
/// What a schema of answers is called, which the protocol does not say.
const SCHEMA_NAME: &str = "answer";

/// Reads a request for an answer.
///
/// # Errors
/// [`Misfit`] when a field is not what the protocol says, or has no word here.
pub fn decode_request(body: Value) -> Result<ChatRequest, Misfit> {
    let mut fields = Fields::new(body, "")?;
    let stream = fields.flag("stream")?.unwrap_or(false);
    let output_tokens = fields.whole("max_tokens")?.filter(|tokens| *tokens > 0);
    let output_tokens = output_tokens.ok_or_else(|| fields.misfit("max_tokens", "a whole number, 1 or more"))?;
    let mut request = read(fields)?;
    request.stream = stream;
    request.stream_usage = stream;
    request.sampling.output_tokens_max = Some(output_tokens);
    Ok(request)
}

/// Reads a request whose tokens are to be counted: the same without the most tokens of an answer.
///
/// # Errors
/// As [`decode_request`].
pub fn decode_count_request(body: Value) -> Result<ChatRequest, Misfit> {
    read(Fields::new(body, "")?)
}

fn read(mut fields: Fields) -> Result<ChatRequest, Misfit> {
    let model = fields.required_text("model")?;
    let mut messages = Vec::new();
    messages.extend(decode_system(&mut fields)?);
    let list = fields.list("messages")?.filter(|list| (1..=MESSAGES_MAX).contains(&list.len()));
    let list = list.ok_or_else(|| fields.misfit("messages", "a list of 1 to 100000 messages"))?;
    for (index, message) in list.into_iter().enumerate() {
        messages.push(decode_message(message, format!("messages[{index}]"))?);
    }
    let tools = decode_tools(&mut fields)?;
    let (tool_choice, parallel_tool_calls) = decode_tool_choice(&mut fields)?;
    let (format, effort) = decode_output(&mut fields)?;
    let thinking = decode_thinking(&mut fields, effort)?;
    let sampling = decode_sampling(&mut fields)?;
    let user = fields.object("metadata")?.map(|mut about| about.text("user_id")).transpose()?.flatten();
    check_rest(fields)?;
    Ok(ChatRequest {
        model,
        messages,
        tools,
        tool_choice,
        parallel_tool_calls,
        format,
        sampling,
        thinking,
        user,
        stream: false,
        stream_usage: false,
        extra: JsonObject::new(),
    })
}

fn check_rest(fields: Fields) -> Result<(), Misfit> {
    let mut rest = fields.rest().into_iter().filter(|(_, value)| !value.is_null());
    match rest.find(|(name, _)| !LEFT_TO_THE_ROUTE.contains(&name.as_str())) {
        Some((name, _)) => {
            Err(Misfit::new(name.chars().take(64).collect::<String>(), "left out: it is not served here"))
        }
        None => Ok(()),
    }
}

fn decode_system(fields: &mut Fields) -> Result<Option<Message>, Misfit> {
    let Some(value) = fields.value("system") else { return Ok(None) };
    let parts = decode_blocks(value, "system")?;
    Ok(Some(Message { role: Role::System, name: None, parts, extra: JsonObject::new() }))
}

fn decode_tools(fields: &mut Fields) -> Result<Vec<Tool>, Misfit> {
    let list = fields.list("tools")?.unwrap_or_default();
    if list.len() > TOOLS_MAX {
        return Err(fields.misfit("tools", "a list of at most 1024 tools"));
    }
    let read = |(index, tool)| {
        let mut tool = Fields::new(tool, format!("tools[{index}]"))?;
        if tool.look("type").is_some_and(|kind| kind != "custom") {
            return Err(
                tool.misfit("type", "custom or left out: tools that a provider carries out are not served here")
            );
        }
        Ok(Tool::Function {
            name: tool.required_text("name")?,
            description: tool.text("description")?,
            parameters: Some(tool.value("input_schema").unwrap_or_else(|| json!({ "type": "object" }))),
            strict: tool.flag("strict")?,
        })
    };
    list.into_iter().enumerate().map(read).collect()
}

/// Whether a tool is to be called, and whether several may be at once.
fn decode_tool_choice(fields: &mut Fields) -> Result<(Option<ToolChoice>, Option<bool>), Misfit> {
    let Some(mut choice) = fields.object("tool_choice")? else { return Ok((None, None)) };
    let wanted = match choice.required_text("type")?.as_str() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::Never,
        "tool" => ToolChoice::Named(choice.required_text("name")?),
        _ => return Err(choice.misfit("type", "auto, any, tool or none")),
    };
    let single = choice.flag("disable_parallel_tool_use")?.unwrap_or(false);
    Ok((Some(wanted), single.then_some(false)))
}

/// What the answer is to look like, and how hard the model is to think.
fn decode_output(fields: &mut Fields) -> Result<(Option<Format>, Option<String>), Misfit> {
    let older = fields.object("output_format")?;
    let Some(mut output) = fields.object("output_config")? else {
        return Ok((older.map(decode_format).transpose()?, None));
    };
    let format = output.object("format")?.or(older);
    Ok((format.map(decode_format).transpose()?, output.text("effort")?))
}

fn decode_format(mut format: Fields) -> Result<Format, Misfit> {
    if format.required_text("type")? != "json_schema" {
        return Err(format.misfit("type", "json_schema"));
    }
    let schema = format.value("schema").filter(Value::is_object);
    let schema = schema.ok_or_else(|| format.misfit("schema", "a JSON Schema"))?;
    Ok(Format::Schema { name: SCHEMA_NAME.to_owned(), description: None, schema, strict: Some(true) })
}

fn decode_thinking(fields: &mut Fields, effort: Option<String>) -> Result<Option<Thinking>, Misfit> {
    let tokens_max = match fields.object("thinking")? {
        None => None,
        Some(mut thinking) => match thinking.required_text("type")?.as_str() {
            "disabled" => return Ok(None),
            "adaptive" => return Ok(Some(Thinking { effort, tokens_max: None })),
            "enabled" => {
                let tokens = thinking.whole("budget_tokens")?;
                Some(tokens.ok_or_else(|| thinking.misfit("budget_tokens", "a whole number"))?)
            }
            _ => return Err(thinking.misfit("type", "enabled, adaptive or disabled")),
        },
    };
    let thinking = Thinking { effort, tokens_max };
    Ok((thinking != Thinking::default()).then_some(thinking))
}

fn decode_sampling(fields: &mut Fields) -> Result<Sampling, Misfit> {
    let stop = fields.list("stop_sequences")?.unwrap_or_default();
    let count = stop.len();
    let texts = stop.into_iter().filter_map(|text| if let Value::String(text) = text { Some(text) } else { None });
    let stop: Vec<String> = texts.take(STOPS_MAX).collect();
    if stop.len() != count {
        return Err(fields.misfit("stop_sequences", "a list of at most 64 texts"));
    }
    Ok(Sampling {
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        top_k: fields.whole("top_k")?,
        stop,
        ..Sampling::default()
    })
}
