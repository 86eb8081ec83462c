//! Streams: blocks that begin, grow and end, one after the other.

use std::collections::BTreeMap;

use serde_json::Value;
use timeloom_domain::chat::Delta;

use super::answer::{UsageSoFar, finish_of};
use super::error::error_in_stream;
use crate::error::CallError;
use crate::wire::{Fields, ServerEvent};

/// Most blocks of an answer that are calls.
const CALLS_MAX: usize = 1024;

/// Makes pieces of an answer of the events of a stream.
#[derive(Debug, Default)]
pub struct StreamDecoder {
    usage: UsageSoFar,
    /// Which call the block at a place is.
    calls: BTreeMap<u64, u32>,
    ended: bool,
}

impl StreamDecoder {
    /// The pieces of an event.
    ///
    /// # Errors
    /// [`CallError`] when it is none of the protocol, or says that the provider failed.
    pub fn take(&mut self, event: &ServerEvent, deltas: &mut Vec<Delta>) -> Result<(), CallError> {
        let value: Value = serde_json::from_str(&event.data)
            .map_err(|error| CallError::garbage(format!("an event of the stream is not JSON ({error})")))?;
        let mut fields = Fields::new(value, "")?;
        match fields.required_text("type")?.as_str() {
            "message_start" => self.start(fields.object("message")?, deltas)?,
            "content_block_start" => {
                let place = fields.whole("index")?.unwrap_or(0);
                self.begin_block(place, fields.object("content_block")?, deltas)?;
            }
            "content_block_delta" => {
                let place = fields.whole("index")?.unwrap_or(0);
                self.grow_block(place, fields.object("delta")?, deltas)?;
            }
            "message_delta" => {
                if let Some(usage) = fields.object("usage")? {
                    self.usage = self.usage.take(usage)?;
                    deltas.push(Delta::Usage(self.usage.usage()));
                }
                let reason = fields.object("delta")?.map(|mut delta| delta.text("stop_reason")).transpose()?.flatten();
                deltas.extend(reason.map(|word| Delta::Finished { choice: 0, reason: finish_of(&word) }));
            }
            "message_stop" => self.ended = true,
            "error" => return Err(error_in_stream(&fields.rest())),
            // Pings, ends of blocks, and what later versions add.
            _ => {}
        }
        Ok(())
    }

    /// Whether all was said.
    pub fn is_complete(&self) -> bool {
        self.ended
    }

    fn start(&mut self, message: Option<Fields>, deltas: &mut Vec<Delta>) -> Result<(), CallError> {
        let Some(mut message) = message else { return Err(CallError::garbage("the stream begins without a message")) };
        deltas.push(Delta::Started {
            id: message.text("id")?.unwrap_or_default(),
            model: message.text("model")?.unwrap_or_default(),
            created_s: None,
            system_fingerprint: None,
        });
        if let Some(usage) = message.object("usage")? {
            self.usage = self.usage.take(usage)?;
            deltas.push(Delta::Usage(self.usage.usage()));
        }
        Ok(())
    }

    fn begin_block(&mut self, place: u64, block: Option<Fields>, deltas: &mut Vec<Delta>) -> Result<(), CallError> {
        let Some(mut block) = block else { return Err(CallError::garbage("a block begins without saying what it is")) };
        match block.required_text("type")?.as_str() {
            "tool_use" => {
                if self.calls.len() >= CALLS_MAX {
                    return Err(CallError::garbage("there are too many calls of tools"));
                }
                let call = self.calls.len() as u32;
                self.calls.insert(place, call);
                let (id, name) = (block.required_text("id")?, block.required_text("name")?);
                deltas.push(Delta::ToolCallStarted { choice: 0, call, id, name });
            }
            "redacted_thinking" => {
                deltas.push(Delta::SealedThinking { choice: 0, data: block.required_text("data")? });
            }
            "text" => {
                let text = block.text("text")?.filter(|text| !text.is_empty());
                deltas.extend(text.map(|text| Delta::Text { choice: 0, text }));
            }
            "thinking" => {
                let text = block.text("thinking")?.filter(|text| !text.is_empty());
                deltas.extend(text.map(|text| Delta::Thinking { choice: 0, text }));
            }
            _ => {}
        }
        Ok(())
    }

    fn grow_block(&self, place: u64, delta: Option<Fields>, deltas: &mut Vec<Delta>) -> Result<(), CallError> {
        let Some(mut delta) = delta else { return Err(CallError::garbage("a block grows by nothing")) };
        match delta.required_text("type")?.as_str() {
            "text_delta" => deltas.push(Delta::Text { choice: 0, text: delta.required_text("text")? }),
            "thinking_delta" => deltas.push(Delta::Thinking { choice: 0, text: delta.required_text("thinking")? }),
            "signature_delta" => {
                deltas.push(Delta::Signature { choice: 0, signature: delta.required_text("signature")? });
            }
            "input_json_delta" => {
                let Some(call) = self.calls.get(&place).copied() else {
                    return Err(CallError::garbage("arguments came for a call that did not begin"));
                };
                let fragment = delta.required_text("partial_json")?;
                if !fragment.is_empty() {
                    deltas.push(Delta::ToolCallArguments { choice: 0, call, fragment });
                }
            }
            _ => {}
        }
        Ok(())
    }
}
