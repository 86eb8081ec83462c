//! Answers: one JSON object, or a stream of lines that are one each.

use serde_json::Value;
use timeloom_domain::chat::ErrorClass;
use timeloom_domain::chat::{Assembler, ChatAnswer, Delta, FinishReason, Usage};

use crate::error::CallError;
use crate::openai::{class_of_status, told};
use crate::wire::Fields;

/// Most calls of one answer.
const CALLS_MAX: usize = 1024;

/// Reads a whole answer.
///
/// # Errors
/// [`CallError`] of the class garbage when it is none.
pub fn decode_answer(body: &[u8]) -> Result<ChatAnswer, CallError> {
    let mut decoder = StreamDecoder::default();
    let mut deltas = Vec::new();
    decoder.take(body, &mut deltas)?;
    if !decoder.is_complete() {
        return Err(CallError::garbage("'done' must be true"));
    }
    let mut assembler = Assembler::default();
    for delta in &deltas {
        assembler.take(delta).map_err(|error| CallError::garbage(error.to_string()))?;
    }
    Ok(assembler.finish())
}

/// Makes pieces of an answer of the lines of a stream.
#[derive(Debug, Default)]
pub struct StreamDecoder {
    started: bool,
    ended: bool,
    calls: usize,
}

impl StreamDecoder {
    /// The pieces of a line.
    ///
    /// # Errors
    /// [`CallError`] when it is none of the protocol, or says that the provider failed.
    pub fn take(&mut self, line: &[u8], deltas: &mut Vec<Delta>) -> Result<(), CallError> {
        let value: Value = serde_json::from_slice(line)
            .map_err(|error| CallError::garbage(format!("what came is not JSON ({error})")))?;
        let mut fields = Fields::new(value, "")?;
        if let Some(error) = fields.value("error") {
            let words = error.as_str().map_or_else(|| error.to_string(), str::to_owned);
            let message = format!("the provider failed in the middle of its answer: {words}");
            return Err(CallError::new(ErrorClass::Server, message));
        }
        if !self.started {
            self.started = true;
            let model = fields.text("model")?.unwrap_or_default();
            deltas.push(Delta::Started { id: String::new(), model, created_s: None, system_fingerprint: None });
        }
        match fields.object("message")? {
            Some(mut message) => {
                said(&mut message, "content", deltas)?;
                self.take_calls(&mut message, deltas)?;
            }
            None => said(&mut fields, "response", deltas)?,
        }
        if fields.flag("done")?.unwrap_or(false) {
            self.ended = true;
            let reason = fields.text("done_reason")?.unwrap_or_default();
            deltas.push(Delta::Finished { choice: 0, reason: self.finish_of(&reason) });
            let input = fields.whole("prompt_eval_count")?;
            let output = fields.whole("eval_count")?;
            if input.is_some() || output.is_some() {
                deltas.push(Delta::Usage(Usage {
                    input_tokens: input.unwrap_or(0),
                    output_tokens: output.unwrap_or(0),
                    ..Usage::default()
                }));
            }
        }
        Ok(())
    }

    /// Whether all was said.
    pub fn is_complete(&self) -> bool {
        self.ended
    }

    /// Calls come whole, and without ids: they are numbered.
    fn take_calls(&mut self, message: &mut Fields, deltas: &mut Vec<Delta>) -> Result<(), CallError> {
        for (index, call) in message.list("tool_calls")?.unwrap_or_default().into_iter().enumerate() {
            if self.calls >= CALLS_MAX {
                return Err(CallError::garbage("there are too many calls of tools"));
            }
            let mut found = Fields::new(call, format!("message.tool_calls[{index}]"))?;
            let id = found.text("id")?.unwrap_or_else(|| format!("call_{}", self.calls));
            let Some(mut function) = found.object("function")? else {
                return Err(found.misfit("function", "an object").into());
            };
            let call = self.calls as u32;
            self.calls += 1;
            deltas.push(Delta::ToolCallStarted { choice: 0, call, id, name: function.required_text("name")? });
            let fragment = match function.value("arguments") {
                None => "{}".to_owned(),
                Some(Value::String(text)) => text,
                Some(arguments) => arguments.to_string(),
            };
            deltas.push(Delta::ToolCallArguments { choice: 0, call, fragment });
        }
        Ok(())
    }

    /// The protocol calls it an end as any other when tools are to be called.
    fn finish_of(&self, word: &str) -> FinishReason {
        match word {
            "" | "stop" if self.calls > 0 => FinishReason::ToolCalls,
            "" | "stop" => FinishReason::Stop,
            "length" => FinishReason::Length,
            word => FinishReason::Other(word.to_owned()),
        }
    }
}

fn said(fields: &mut Fields, name: &str, deltas: &mut Vec<Delta>) -> Result<(), CallError> {
    let thought = fields.text("thinking")?.filter(|text| !text.is_empty());
    deltas.extend(thought.map(|text| Delta::Thinking { choice: 0, text }));
    let text = fields.text(name)?.filter(|text| !text.is_empty());
    deltas.extend(text.map(|text| Delta::Text { choice: 0, text }));
    Ok(())
}

/// Reads the body of an answer that is an error.
pub fn decode_error(status: u16, body: &[u8]) -> CallError {
    let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let error = value.get("error").unwrap_or(&Value::Null);
    let message = error.as_str().or_else(|| error.get("message").and_then(Value::as_str)).unwrap_or_default();
    CallError::new(class_of_status(status), told(status, message)).with_status(status)
}
