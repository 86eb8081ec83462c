//! Requests. What a caller asked and the protocol has no word for is told.

use serde_json::{Value, json};
use timeloom_domain::chat::{ChatRequest, Format, Sampling, Thinking, Tool, ToolChoice};
use timeloom_domain::item::JsonObject;

use super::OUTPUT_TOKENS_DEFAULT;
use super::message::encode_messages;
use crate::error::CallError;
use crate::openai::LeftOut;

/// Fewest tokens that thoughts may be given.
const THINKING_TOKENS_MIN: u64 = 1024;

/// Writes a request for a provider that calls the model `model`, and tells what it has no word for.
///
/// # Errors
/// [`CallError`] for what would mean something else without it: several answers, broken arguments of a call.
pub fn encode_request(request: &ChatRequest, model: &str) -> Result<(Value, LeftOut), CallError> {
    let mut left_out = LeftOut::new();
    if request.sampling.choices.is_some_and(|choices| choices > 1) {
        return Err(CallError::unsupported("this provider gives one answer at a time"));
    }
    let (mut system, messages) = encode_messages(&request.messages, &mut left_out)?;
    system.extend(instruction(request.format.as_ref()));
    let mut fields = JsonObject::new();
    fields.insert("model".to_owned(), model.into());
    // Thoughts are part of the answer's tokens.
    let thoughts = request.thinking.as_ref().and_then(|thinking| thinking.tokens_max).unwrap_or(0);
    let output_tokens_max =
        request.sampling.output_tokens_max.unwrap_or_else(|| OUTPUT_TOKENS_DEFAULT.saturating_add(thoughts));
    fields.insert("max_tokens".to_owned(), output_tokens_max.into());
    if !system.is_empty() {
        fields.insert("system".to_owned(), system.into());
    }
    fields.insert("messages".to_owned(), messages.into());
    encode_tools(&mut fields, request, &mut left_out);
    encode_sampling(&mut fields, &request.sampling, &mut left_out);
    encode_thinking(&mut fields, request.thinking.as_ref(), &mut left_out);
    if let Some(user) = &request.user {
        fields.insert("metadata".to_owned(), json!({ "user_id": user }));
    }
    if !request.extra.is_empty() {
        left_out.insert("fields of the request that are not known here");
    }
    if request.stream {
        fields.insert("stream".to_owned(), true.into());
    }
    Ok((Value::Object(fields), left_out))
}

/// The protocol has no word for the form of an answer: the model is told, and the answer is checked.
fn instruction(format: Option<&Format>) -> Option<Value> {
    let text = match format? {
        Format::Text => return None,
        Format::Json => "Answer with one JSON object and nothing else.".to_owned(),
        Format::Schema { schema, description, .. } => {
            let purpose = description.as_ref().map(|text| format!(" It is for: {text}")).unwrap_or_default();
            format!("Answer with JSON and nothing else. It must fit this JSON Schema: {schema}{purpose}")
        }
    };
    Some(json!({ "type": "text", "text": text }))
}

fn encode_tools(fields: &mut JsonObject, request: &ChatRequest, left_out: &mut LeftOut) {
    let mut tools = Vec::with_capacity(request.tools.len());
    for tool in &request.tools {
        match tool {
            Tool::Function { name, description, parameters, strict } => {
                if strict.is_some() {
                    left_out.insert("strict tools");
                }
                let schema = parameters.clone().unwrap_or_else(|| json!({ "type": "object" }));
                let mut written = json!({ "name": name, "input_schema": schema });
                if let Some(description) = description {
                    written["description"] = description.as_str().into();
                }
                tools.push(written);
            }
            Tool::Other(_) => {
                left_out.insert("tools of other kinds than functions");
            }
        }
    }
    if tools.is_empty() {
        return;
    }
    fields.insert("tools".to_owned(), tools.into());
    let single = request.parallel_tool_calls == Some(false);
    let choice = match &request.tool_choice {
        None if single => json!({ "type": "auto" }),
        None => return,
        Some(ToolChoice::Auto) => json!({ "type": "auto" }),
        Some(ToolChoice::Never) => json!({ "type": "none" }),
        Some(ToolChoice::Required) => json!({ "type": "any" }),
        Some(ToolChoice::Named(name)) => json!({ "type": "tool", "name": name }),
    };
    let mut choice = choice;
    if single && choice["type"] != "none" {
        choice["disable_parallel_tool_use"] = true.into();
    }
    fields.insert("tool_choice".to_owned(), choice);
}

fn encode_sampling(fields: &mut JsonObject, sampling: &Sampling, left_out: &mut LeftOut) {
    if let Some(temperature) = sampling.temperature {
        // The scale ends at 1 here and at 2 elsewhere.
        if temperature > 1.0 {
            left_out.insert("temperature above 1");
        }
        fields.insert("temperature".to_owned(), temperature.min(1.0).into());
    }
    if let Some(top_p) = sampling.top_p {
        fields.insert("top_p".to_owned(), top_p.into());
    }
    if let Some(top_k) = sampling.top_k {
        fields.insert("top_k".to_owned(), top_k.into());
    }
    if !sampling.stop.is_empty() {
        fields.insert("stop_sequences".to_owned(), sampling.stop.clone().into());
    }
    for (there, word) in [
        (sampling.seed.is_some(), "seed"),
        (sampling.frequency_penalty.is_some(), "frequency_penalty"),
        (sampling.presence_penalty.is_some(), "presence_penalty"),
    ] {
        if there {
            left_out.insert(word);
        }
    }
}

fn encode_thinking(fields: &mut JsonObject, thinking: Option<&Thinking>, left_out: &mut LeftOut) {
    let Some(thinking) = thinking else { return };
    if thinking.effort.is_some() {
        left_out.insert("effort of thinking");
    }
    if let Some(tokens) = thinking.tokens_max {
        let tokens = tokens.max(THINKING_TOKENS_MIN);
        fields.insert("thinking".to_owned(), json!({ "type": "enabled", "budget_tokens": tokens }));
    }
}
