//! Streams of a provider: events, the last of which says that it is done.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::Deserialize;
use timeloom_domain::chat::{Delta, Usage};

use super::answer::finish_of;
use super::error::error_in_stream;
use crate::error::CallError;
use crate::wire::ServerEvent;

/// Makes pieces of an answer of the events of a stream.
#[derive(Debug, Default)]
pub struct StreamDecoder {
    started: bool,
    ended: bool,
    /// Choices that ended.
    finished: BTreeSet<u32>,
    /// Calls that began, by choice and place.
    calls: BTreeSet<(u32, u32)>,
}

#[derive(Deserialize)]
struct Chunk<'d> {
    #[serde(borrow, default)]
    id: Option<Cow<'d, str>>,
    #[serde(borrow, default)]
    model: Option<Cow<'d, str>>,
    #[serde(default)]
    created: Option<f64>,
    #[serde(borrow, default)]
    system_fingerprint: Option<Cow<'d, str>>,
    #[serde(borrow, default)]
    choices: Option<Vec<ChunkChoice<'d>>>,
    #[serde(default)]
    usage: Option<ChunkUsage>,
    #[serde(borrow, default)]
    error: Option<&'d serde_json::value::RawValue>,
}

#[derive(Deserialize)]
struct ChunkChoice<'d> {
    #[serde(default)]
    index: u32,
    #[serde(borrow, default)]
    delta: Option<ChunkDelta<'d>>,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'d, str>>,
}

#[derive(Deserialize)]
struct ChunkDelta<'d> {
    #[serde(borrow, default)]
    content: Option<Cow<'d, str>>,
    #[serde(borrow, default)]
    reasoning_content: Option<Cow<'d, str>>,
    #[serde(borrow, default)]
    reasoning: Option<Cow<'d, str>>,
    #[serde(borrow, default)]
    refusal: Option<Cow<'d, str>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<ChunkCall<'d>>>,
}

#[derive(Deserialize)]
struct ChunkCall<'d> {
    #[serde(default)]
    index: Option<u32>,
    #[serde(borrow, default)]
    id: Option<Cow<'d, str>>,
    #[serde(borrow, default)]
    function: Option<ChunkFunction<'d>>,
}

#[derive(Deserialize)]
struct ChunkFunction<'d> {
    #[serde(borrow, default)]
    name: Option<Cow<'d, str>>,
    #[serde(borrow, default)]
    arguments: Option<Cow<'d, str>>,
}

#[derive(Deserialize)]
struct ChunkUsage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
    #[serde(default)]
    prompt_tokens_details: Option<InputDetails>,
    #[serde(default)]
    completion_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize)]
struct InputDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct OutputDetails {
    #[serde(default)]
    reasoning_tokens: Option<u64>,
}

impl StreamDecoder {
    /// The pieces of an event, and whether it carries nothing but the tokens that were taken.
    ///
    /// # Errors
    /// [`CallError`] when it is none of the protocol, or says that the provider failed.
    pub fn take(&mut self, event: &ServerEvent, deltas: &mut Vec<Delta>) -> Result<bool, CallError> {
        if event.data.trim() == "[DONE]" {
            self.ended = true;
            return Ok(false);
        }
        let chunk: Chunk<'_> = serde_json::from_str(&event.data)
            .map_err(|error| CallError::garbage(format!("an event of the stream is not a chunk ({error})")))?;
        if let Some(error) = chunk.error {
            return Err(error_in_stream(error.get()));
        }
        if !self.started {
            self.started = true;
            deltas.push(Delta::Started {
                id: chunk.id.unwrap_or_default().into_owned(),
                model: chunk.model.unwrap_or_default().into_owned(),
                created_s: chunk.created.map(|seconds| seconds as i64),
                system_fingerprint: chunk.system_fingerprint.map(Cow::into_owned),
            });
        }
        let choices = chunk.choices.unwrap_or_default();
        let only_usage = choices.is_empty() && chunk.usage.is_some();
        for choice in choices {
            self.take_choice(choice, deltas);
        }
        deltas.extend(chunk.usage.map(|usage| Delta::Usage(usage.read())));
        Ok(only_usage)
    }

    /// Whether all was said: some providers leave out the last event.
    pub fn is_complete(&self) -> bool {
        self.ended || !self.finished.is_empty()
    }

    /// Whether the last event came.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    fn take_choice(&mut self, found: ChunkChoice<'_>, deltas: &mut Vec<Delta>) {
        let choice = found.index;
        if let Some(delta) = found.delta {
            let thought = delta.reasoning_content.or(delta.reasoning).filter(|text| !text.is_empty());
            deltas.extend(thought.map(|text| Delta::Thinking { choice, text: text.into_owned() }));
            let text = delta.content.filter(|text| !text.is_empty());
            deltas.extend(text.map(|text| Delta::Text { choice, text: text.into_owned() }));
            let refusal = delta.refusal.filter(|text| !text.is_empty());
            deltas.extend(refusal.map(|text| Delta::Refusal { choice, text: text.into_owned() }));
            for (place, call) in delta.tool_calls.unwrap_or_default().into_iter().enumerate() {
                self.take_call(choice, place, call, deltas);
            }
        }
        if let Some(word) = found.finish_reason.filter(|word| !word.is_empty()) {
            self.finished.insert(choice);
            deltas.push(Delta::Finished { choice, reason: finish_of(&word) });
        }
    }

    /// The first fragment of a call carries its id and its name; engines that never send fragments leave the place out.
    fn take_call(&mut self, choice: u32, place: usize, found: ChunkCall<'_>, deltas: &mut Vec<Delta>) {
        let call = found.index.unwrap_or(place as u32);
        let (name, arguments) = found.function.map_or((None, None), |function| (function.name, function.arguments));
        if self.calls.insert((choice, call)) {
            let id = found.id.unwrap_or_default().into_owned();
            deltas.push(Delta::ToolCallStarted { choice, call, id, name: name.unwrap_or_default().into_owned() });
        }
        let fragment = arguments.filter(|fragment| !fragment.is_empty());
        deltas.extend(fragment.map(|text| Delta::ToolCallArguments { choice, call, fragment: text.into_owned() }));
    }
}

impl ChunkUsage {
    fn read(self) -> Usage {
        Usage {
            input_tokens: self.prompt_tokens,
            output_tokens: self.completion_tokens,
            cached_input_tokens: self.prompt_tokens_details.and_then(|details| details.cached_tokens),
            cache_write_tokens: None,
            thinking_tokens: self.completion_tokens_details.and_then(|details| details.reasoning_tokens),
        }
    }
}
