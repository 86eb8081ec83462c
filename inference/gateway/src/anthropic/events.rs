//! Streams for clients of the protocol: a message begins, its blocks begin, grow and end one after the other, then it ends.

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};
use timeloom_domain::chat::{Delta, FinishReason, Usage};

use super::error::encode_error;
use super::write::{About, call_id, encode_usage, ended};
use crate::error::CallError;

/// The block that grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    Thinking,
    Call(u32),
}

/// Writes pieces as the events of a stream.
#[derive(Debug, Clone)]
pub struct EventWriter {
    about: About,
    begun: bool,
    open: Option<Open>,
    /// Blocks that have begun.
    blocks: usize,
    finish: Option<FinishReason>,
    /// The tokens that are known so far.
    usage: Usage,
}

impl EventWriter {
    /// For an answer of which nothing is said yet.
    pub fn new(about: About) -> Self {
        Self { about, begun: false, open: None, blocks: 0, finish: None, usage: Usage::default() }
    }

    /// The events of a piece; nothing where they come later.
    ///
    /// # Errors
    /// [`CallError`] of the class garbage when arguments come for a call whose block has ended.
    pub fn write(&mut self, delta: &Delta) -> Result<Bytes, CallError> {
        let mut events = BytesMut::new();
        match delta {
            // It is told with the first block, when the tokens of the input may be known too.
            Delta::Started { id, model, .. } => {
                for (known, told) in [(&mut self.about.id, id), (&mut self.about.model, model)] {
                    if !told.is_empty() {
                        told.clone_into(known);
                    }
                }
            }
            Delta::Usage(usage) => self.usage = *usage,
            Delta::Finished { reason, .. } => self.finish = Some(reason.clone()),
            Delta::Text { text, .. } | Delta::Refusal { text, .. } => {
                self.grow(Open::Text, || json!({ "type": "text", "text": "" }), &mut events);
                self.put(json!({ "type": "text_delta", "text": text }), &mut events);
            }
            Delta::Thinking { text, .. } => {
                self.think(&mut events);
                self.put(json!({ "type": "thinking_delta", "thinking": text }), &mut events);
            }
            Delta::Signature { signature, .. } => {
                self.think(&mut events);
                self.put(json!({ "type": "signature_delta", "signature": signature }), &mut events);
            }
            Delta::SealedThinking { data, .. } => {
                self.close(&mut events);
                self.begin_block(&json!({ "type": "redacted_thinking", "data": data }), &mut events);
                self.end_block(&mut events);
            }
            Delta::ToolCallStarted { call, id, name, .. } => {
                let id = call_id(id, &self.about, self.blocks);
                let block = || json!({ "type": "tool_use", "id": id, "name": name, "input": {} });
                self.grow(Open::Call(*call), block, &mut events);
            }
            Delta::ToolCallArguments { call, fragment, .. } => {
                if self.open != Some(Open::Call(*call)) {
                    let message = "arguments came for a call that had ended already";
                    return Err(CallError::garbage(message));
                }
                self.put(json!({ "type": "input_json_delta", "partial_json": fragment }), &mut events);
            }
        }
        Ok(events.freeze())
    }

    /// The events that end the stream.
    pub fn end(&mut self) -> Bytes {
        let mut events = BytesMut::new();
        self.begin(&mut events);
        self.close(&mut events);
        let (reason, stop) = ended(self.finish.as_ref(), &self.about);
        let ended = json!({
            "type": "message_delta",
            "delta": { "stop_reason": reason.unwrap_or("end_turn"), "stop_sequence": stop },
            "usage": encode_usage(self.usage),
        });
        event(&ended, &mut events);
        event(&json!({ "type": "message_stop" }), &mut events);
        events.freeze()
    }

    /// The event of a failure in mid-stream.
    pub fn failed(status: u16, message: &str, call: Option<&str>) -> Bytes {
        let mut events = BytesMut::new();
        event(&encode_error(status, message, call), &mut events);
        events.freeze()
    }

    fn think(&mut self, events: &mut BytesMut) {
        self.grow(Open::Thinking, || json!({ "type": "thinking", "thinking": "", "signature": "" }), events);
    }

    /// Lets what comes next be part of such a block: the one that is open, or a new one.
    fn grow(&mut self, wanted: Open, block: impl FnOnce() -> Value, events: &mut BytesMut) {
        if self.open == Some(wanted) {
            return;
        }
        self.close(events);
        self.begin_block(&block(), events);
        self.open = Some(wanted);
    }

    fn begin(&mut self, events: &mut BytesMut) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let message = json!({
            "id": self.about.id,
            "type": "message",
            "role": "assistant",
            "model": self.about.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": encode_usage(Usage { output_tokens: 0, ..self.usage }),
        });
        event(&json!({ "type": "message_start", "message": message }), events);
    }

    fn begin_block(&mut self, block: &Value, events: &mut BytesMut) {
        self.begin(events);
        event(&json!({ "type": "content_block_start", "index": self.blocks, "content_block": block }), events);
        if self.blocks == 0 {
            event(&json!({ "type": "ping" }), events);
        }
        self.blocks += 1;
    }

    fn put(&self, delta: Value, events: &mut BytesMut) {
        let index = self.blocks.saturating_sub(1);
        event(&json!({ "type": "content_block_delta", "index": index, "delta": delta }), events);
    }

    fn close(&mut self, events: &mut BytesMut) {
        if self.open.take().is_some() {
            self.end_block(events);
        }
    }

    fn end_block(&self, events: &mut BytesMut) {
        let index = self.blocks.saturating_sub(1);
        event(&json!({ "type": "content_block_stop", "index": index }), events);
    }
}

/// An event is named by the type of its data.
fn event(data: &Value, events: &mut BytesMut) {
    let name = data.get("type").and_then(Value::as_str).unwrap_or_default();
    events.extend_from_slice(format!("event: {name}\ndata: {data}\n\n").as_bytes());
}
