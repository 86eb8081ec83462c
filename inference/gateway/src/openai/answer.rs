//! Answers of a provider.

use serde_json::Value;
use timeloom_domain::chat::{ChatAnswer, Choice, FinishReason, Usage};

use super::message::decode_parts;
use crate::error::CallError;
use crate::wire::{Fields, Misfit};

/// Reads a whole answer.
///
/// # Errors
/// [`CallError`] of the class garbage when it is none.
pub fn decode_answer(body: &[u8]) -> Result<ChatAnswer, CallError> {
    let value: Value =
        serde_json::from_slice(body).map_err(|error| CallError::garbage(format!("it is not JSON ({error})")))?;
    Ok(read_answer(value)?)
}

fn read_answer(value: Value) -> Result<ChatAnswer, Misfit> {
    let mut fields = Fields::new(value, "")?;
    let Some(list) = fields.list("choices")? else { return Err(fields.misfit("choices", "a list")) };
    let mut choices = Vec::with_capacity(list.len());
    for (index, choice) in list.into_iter().enumerate() {
        choices.push(read_choice(choice, index)?);
    }
    fields.value("object");
    Ok(ChatAnswer {
        id: fields.text("id")?.unwrap_or_default(),
        model: fields.text("model")?.unwrap_or_default(),
        created_s: fields.number("created")?.map(|seconds| seconds as i64),
        choices,
        usage: fields.object("usage")?.map(read_usage).transpose()?,
        system_fingerprint: fields.text("system_fingerprint")?,
        extra: fields.rest(),
    })
}

fn read_choice(value: Value, index: usize) -> Result<Choice, Misfit> {
    let mut fields = Fields::new(value, format!("choices[{index}]"))?;
    let place = fields.whole("index")?.unwrap_or(index as u64);
    let Some(mut message) = fields.object("message")? else { return Err(fields.misfit("message", "an object")) };
    let parts = decode_parts(&mut message)?;
    let finish = fields.text("finish_reason")?.map(|word| finish_of(&word));
    let index = u32::try_from(place).map_err(|_| fields.misfit("index", "a small whole number"))?;
    Ok(Choice { index, parts, finish, extra: fields.rest() })
}

/// Reads tokens that were taken.
pub(super) fn read_usage(mut fields: Fields) -> Result<Usage, Misfit> {
    let mut input = fields.object("prompt_tokens_details")?;
    let mut output = fields.object("completion_tokens_details")?;
    Ok(Usage {
        input_tokens: fields.whole("prompt_tokens")?.unwrap_or(0),
        output_tokens: fields.whole("completion_tokens")?.unwrap_or(0),
        cached_input_tokens: input.as_mut().map(|fields| fields.whole("cached_tokens")).transpose()?.flatten(),
        cache_write_tokens: None,
        thinking_tokens: output.as_mut().map(|fields| fields.whole("reasoning_tokens")).transpose()?.flatten(),
    })
}

/// What the protocol's word for an end means.
pub(super) fn finish_of(word: &str) -> FinishReason {
    match word {
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "content_filter" => FinishReason::ContentFilter,
        word => FinishReason::Other(word.to_owned()),
    }
}

/// The protocol's word for an end.
pub(super) fn finish_name(finish: &FinishReason) -> &str {
    match finish {
        FinishReason::Stop | FinishReason::StopSequence => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter | FinishReason::Refusal => "content_filter",
        FinishReason::Other(word) => word,
    }
}
