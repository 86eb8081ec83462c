//! What Anthropic's interface answers, read as an answer of ours.

use serde_json::Value;
use timeloom_domain::chat::{ChatAnswer, Choice, FinishReason, Part, Usage};
use timeloom_domain::item::JsonObject;

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
    let Some(list) = fields.list("content")? else { return Err(fields.misfit("content", "a list")) };
    let mut parts = Vec::with_capacity(list.len());
    for (index, block) in list.into_iter().enumerate() {
        parts.push(read_block(block, index)?);
    }
    let finish = fields.text("stop_reason")?.map(|word| finish_of(&word));
    let usage = fields.object("usage")?.map(|usage| UsageSoFar::default().take(usage)).transpose()?;
    for name in ["type", "role"] {
        fields.value(name);
    }
    Ok(ChatAnswer {
        id: fields.text("id")?.unwrap_or_default(),
        model: fields.text("model")?.unwrap_or_default(),
        created_s: None,
        choices: vec![Choice { index: 0, parts, finish, extra: JsonObject::new() }],
        usage: usage.map(UsageSoFar::usage),
        system_fingerprint: None,
        extra: fields.rest(),
    })
}

fn read_block(value: Value, index: usize) -> Result<Part, Misfit> {
    let mut block = Fields::new(value.clone(), format!("content[{index}]"))?;
    Ok(match block.required_text("type")?.as_str() {
        "text" => Part::text(block.required_text("text")?),
        "thinking" => Part::Thinking {
            text: block.required_text("thinking")?,
            signature: block.text("signature")?.filter(|signature| !signature.is_empty()),
        },
        "redacted_thinking" => Part::SealedThinking { data: block.required_text("data")? },
        "tool_use" => Part::ToolCall {
            id: block.required_text("id")?,
            name: block.required_text("name")?,
            arguments: block.value("input").map_or_else(|| "{}".to_owned(), |input| input.to_string()),
        },
        _ => Part::Other(value),
    })
}

/// What the protocol's word for an end means.
pub(super) fn finish_of(word: &str) -> FinishReason {
    match word {
        "end_turn" => FinishReason::Stop,
        "stop_sequence" => FinishReason::StopSequence,
        "max_tokens" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "refusal" => FinishReason::Refusal,
        word => FinishReason::Other(word.to_owned()),
    }
}

/// Tokens as the protocol counts them: what its cache held is beside the input, not in it; and a stream tells of them
/// twice, of which the later counts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct UsageSoFar {
    input: u64,
    output: u64,
    cached: Option<u64>,
    cache_write: Option<u64>,
}

impl UsageSoFar {
    pub(super) fn take(mut self, mut fields: Fields) -> Result<Self, Misfit> {
        self.input = fields.whole("input_tokens")?.unwrap_or(self.input);
        self.output = fields.whole("output_tokens")?.unwrap_or(self.output);
        self.cached = fields.whole("cache_read_input_tokens")?.or(self.cached);
        self.cache_write = fields.whole("cache_creation_input_tokens")?.or(self.cache_write);
        Ok(self)
    }

    pub(super) fn usage(self) -> Usage {
        let kept = self.cached.unwrap_or(0).saturating_add(self.cache_write.unwrap_or(0));
        Usage {
            input_tokens: self.input.saturating_add(kept),
            output_tokens: self.output,
            cached_input_tokens: self.cached,
            cache_write_tokens: self.cache_write,
            thinking_tokens: None,
        }
    }
}
