//! Whole answers for clients of the protocol.

use serde_json::{Value, json};
use timeloom_domain::chat::{ChatAnswer, FinishReason, Part, Usage};

use super::message::arguments_of;
use crate::error::CallError;

/// What a client of the protocol is to know of its answer beside what the model said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// A name for the answer where the provider gives none.
    pub id: String,
    /// The model where the provider does not say it.
    pub model: String,
    /// The text before which the answer was to end, where there is only one: providers do not say which it was.
    pub stop: Option<String>,
}

impl About {
    /// For the answer to a request with these texts before which it was to end.
    pub fn new(id: String, model: String, stops: &[String]) -> Self {
        let stop = if let [stop] = stops { Some(stop.clone()) } else { None };
        Self { id, model, stop }
    }
}

/// Writes a whole answer.
///
/// # Errors
/// [`CallError`] of the class garbage when the model called a tool with arguments that are no JSON object, for which the
/// protocol has no word.
pub fn encode_answer(answer: &ChatAnswer, about: &About) -> Result<Value, CallError> {
    let choice = answer.choices.first();
    let mut content = Vec::new();
    for part in choice.iter().flat_map(|choice| &choice.parts) {
        let calls = content.len();
        content.extend(encode_part(part, about, calls)?);
    }
    let (reason, stop) = ended(choice.and_then(|choice| choice.finish.as_ref()), about);
    Ok(json!({
        "id": if answer.id.is_empty() { &about.id } else { &answer.id },
        "type": "message",
        "role": "assistant",
        "model": if answer.model.is_empty() { &about.model } else { &answer.model },
        "content": content,
        "stop_reason": reason,
        "stop_sequence": stop,
        "usage": encode_usage(answer.usage.unwrap_or_default()),
    }))
}

fn encode_part(part: &Part, about: &About, place: usize) -> Result<Option<Value>, CallError> {
    Ok(match part {
        Part::Text { text, .. } | Part::Refusal { text } if text.is_empty() => None,
        Part::Text { text, .. } | Part::Refusal { text } => Some(json!({ "type": "text", "text": text })),
        Part::Thinking { text, signature } => {
            let signature = signature.as_deref().unwrap_or_default();
            Some(json!({ "type": "thinking", "thinking": text, "signature": signature }))
        }
        Part::SealedThinking { data } => Some(json!({ "type": "redacted_thinking", "data": data })),
        Part::ToolCall { id, name, arguments } => {
            let input = arguments_of(name, arguments)
                .map_err(|_| CallError::garbage(format!("the arguments of the call of '{name}' are no JSON object")))?;
            Some(json!({ "type": "tool_use", "id": call_id(id, about, place), "name": name, "input": input }))
        }
        Part::Image { .. } | Part::ToolResult { .. } | Part::Other(_) | Part::OtherCall(_) => None,
    })
}

/// The id of a call, by which its result refers to it: one of our own where the provider gives none.
pub(super) fn call_id(id: &str, about: &About, place: usize) -> String {
    if id.is_empty() { format!("toolu_{}_{place}", about.id.trim_start_matches("msg_")) } else { id.to_owned() }
}

/// The protocol's word for an end, and the text before which it came.
pub(super) fn ended(finish: Option<&FinishReason>, about: &About) -> (Option<&'static str>, Option<String>) {
    let Some(finish) = finish else { return (None, None) };
    let reason = match finish {
        FinishReason::StopSequence => return (Some("stop_sequence"), about.stop.clone()),
        FinishReason::Length => "max_tokens",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::ContentFilter | FinishReason::Refusal => "refusal",
        FinishReason::Other(word) if word == "pause_turn" => "pause_turn",
        FinishReason::Other(word) if word == "model_context_window_exceeded" => "model_context_window_exceeded",
        FinishReason::Stop | FinishReason::Other(_) => "end_turn",
    };
    (Some(reason), None)
}

/// Tokens as the protocol counts them: what the provider's cache held, or was given, is beside the input, not in it.
pub(super) fn encode_usage(usage: Usage) -> Value {
    let (cached, written) = (usage.cached_input_tokens.unwrap_or(0), usage.cache_write_tokens.unwrap_or(0));
    json!({
        "input_tokens": usage.input_tokens.saturating_sub(cached).saturating_sub(written),
        "output_tokens": usage.output_tokens,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached,
    })
}
