//! Answers for clients of the protocol: one JSON object, or lines that are one each, the last of which tells the tokens and
//! the time that it took.

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};
use timeloom_domain::chat::{ChatAnswer, ChatRequest, Delta, FinishReason, Usage};

use super::asked::{decode_chat, decode_generate};
use crate::anthropic::arguments_of;
use crate::error::CallError;
use crate::wire::Misfit;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A chat: answers are messages.
    Chat,
    /// To go on with a text: answers are texts.
    Generate,
}

impl Form {
    /// Reads a request of this form.
    ///
    /// # Errors
    /// [`Misfit`] when a field is not what the protocol says, or has no word here.
    pub fn decode(self, body: Value) -> Result<ChatRequest, Misfit> {
        match self {
            Self::Chat => decode_chat(body),
            Self::Generate => decode_generate(body),
        }
    }
}

/// How long an answer took, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Took {
    /// Until the first piece of it was there.
    pub to_first_ns: u64,
    /// Until all of it was.
    pub total_ns: u64,
}

/// A call whose arguments may not be whole yet.
#[derive(Debug, Clone)]
struct Call {
    place: u32,
    id: String,
    name: String,
    arguments: String,
}

/// Writes pieces as the lines of a stream.
#[derive(Debug, Clone)]
pub struct LineWriter {
    model: String,
    form: Form,
    call: Option<Call>,
    finish: Option<FinishReason>,
    usage: Usage,
}

impl LineWriter {
    /// For an answer of which nothing is said yet, by the name that the client gave the model.
    pub fn new(model: &str, form: Form) -> Self {
        Self { model: model.to_owned(), form, call: None, finish: None, usage: Usage::default() }
    }

    /// A whole answer, made at `at` (RFC 3339).
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn whole(mut self, answer: &ChatAnswer, at: &str, took: Took) -> Result<Value, CallError> {
        let (mut text, mut thought, mut calls) = (String::new(), String::new(), Vec::new());
        for delta in answer.deltas() {
            calls.extend(self.take(&delta)?);
            match delta {
                Delta::Text { text: more, .. } | Delta::Refusal { text: more, .. } => text.push_str(&more),
                Delta::Thinking { text: more, .. } => thought.push_str(&more),
                _ => {}
            }
        }
        calls.extend(self.close()?);
        let said = self.said(&text, &thought, calls);
        Ok(self.last(said, at, took))
    }

    /// The line of a piece; nothing where it comes later.
    ///
    /// # Errors
    /// [`CallError`] of the class garbage when the model called a tool with arguments that are no JSON object, for which the
    /// protocol has no word.
    pub fn write(&mut self, delta: &Delta, at: &str) -> Result<Bytes, CallError> {
        let mut lines = BytesMut::new();
        if let Some(call) = self.take(delta)? {
            self.line(self.said("", "", vec![call]), at, &mut lines);
        }
        match delta {
            Delta::Text { text, .. } | Delta::Refusal { text, .. } => {
                self.line(self.said(text, "", Vec::new()), at, &mut lines)
            }
            Delta::Thinking { text, .. } => self.line(self.said("", text, Vec::new()), at, &mut lines),
            _ => {}
        }
        Ok(lines.freeze())
    }

    /// The lines that end the stream.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn end(&mut self, at: &str, took: Took) -> Result<Bytes, CallError> {
        let mut lines = BytesMut::new();
        if let Some(call) = self.close()? {
            self.line(self.said("", "", vec![call]), at, &mut lines);
        }
        let last = self.last(self.said("", "", Vec::new()), at, took);
        lines.extend_from_slice(format!("{last}\n").as_bytes());
        Ok(lines.freeze())
    }

    /// What is answered to whoever wants a model loaded and nothing else.
    pub fn loaded(self, at: &str) -> Value {
        let mut said = self.said("", "", Vec::new());
        said["created_at"] = at.into();
        said["done"] = true.into();
        said["done_reason"] = "load".into();
        said
    }

    /// The line of a failure in mid-stream.
    pub fn failed(message: &str) -> Bytes {
        format!("{}\n", json!({ "error": message })).into()
    }

    /// Takes what is told at the end, and gives the call that is whole now.
    fn take(&mut self, delta: &Delta) -> Result<Option<Value>, CallError> {
        match delta {
            Delta::Usage(usage) => self.usage = *usage,
            Delta::Finished { reason, .. } => {
                self.finish = Some(reason.clone());
                return self.close();
            }
            Delta::ToolCallStarted { call, id, name, .. } => {
                let whole = self.close()?;
                let (id, name) = (id.clone(), name.clone());
                self.call = Some(Call { place: *call, id, name, arguments: String::new() });
                return Ok(whole);
            }
            Delta::ToolCallArguments { call, fragment, .. } => match &mut self.call {
                Some(open) if open.place == *call => open.arguments.push_str(fragment),
                _ => return Err(CallError::garbage("arguments came for a call that had ended already")),
            },
            _ => {}
        }
        Ok(None)
    }

    fn close(&mut self) -> Result<Option<Value>, CallError> {
        let Some(Call { id, name, arguments, place }) = self.call.take() else { return Ok(None) };
        let arguments = arguments_of(&name, &arguments)
            .map_err(|_| CallError::garbage(format!("the arguments of the call of '{name}' are no JSON object")))?;
        let mut call = json!({ "function": { "index": place, "name": name, "arguments": arguments } });
        if !id.is_empty() {
            call["id"] = id.into();
        }
        Ok(Some(call))
    }

    fn said(&self, text: &str, thought: &str, calls: Vec<Value>) -> Value {
        let mut line = json!({ "model": self.model, "created_at": "" });
        match self.form {
            Form::Chat => {
                let mut message = json!({ "role": "assistant", "content": text });
                if !thought.is_empty() {
                    message["thinking"] = thought.into();
                }
                if !calls.is_empty() {
                    message["tool_calls"] = calls.into();
                }
                line["message"] = message;
            }
            Form::Generate => {
                line["response"] = text.into();
                if !thought.is_empty() {
                    line["thinking"] = thought.into();
                }
            }
        }
        line
    }

    fn line(&self, mut said: Value, at: &str, lines: &mut BytesMut) {
        said["created_at"] = at.into();
        said["done"] = false.into();
        lines.extend_from_slice(format!("{said}\n").as_bytes());
    }

    fn last(&self, mut said: Value, at: &str, took: Took) -> Value {
        let reason = match self.finish {
            Some(FinishReason::Length) => "length",
            _ => "stop",
        };
        let rest = [
            ("created_at", Value::from(at)),
            ("done", true.into()),
            ("done_reason", reason.into()),
            ("total_duration", took.total_ns.into()),
            ("load_duration", 0.into()),
            ("prompt_eval_count", self.usage.input_tokens.into()),
            ("prompt_eval_duration", took.to_first_ns.into()),
            ("eval_count", self.usage.output_tokens.into()),
            ("eval_duration", took.total_ns.saturating_sub(took.to_first_ns).into()),
        ];
        for (name, value) in rest {
            said[name] = value;
        }
        said
    }
}
