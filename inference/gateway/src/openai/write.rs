//! Answers for clients of the protocol, whole and piece by piece.

use std::io::Write as _;

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Serialize;
use serde_json::{Value, json};
use timeloom_domain::chat::ErrorClass;
use timeloom_domain::chat::{ChatAnswer, Delta, Part, Usage};
use timeloom_domain::item::JsonObject;

use super::LeftOut;
use super::answer::finish_name;
use super::message::encode_parts;

/// Writes a whole answer.
pub fn encode_answer(answer: &ChatAnswer) -> Value {
    let mut fields = JsonObject::new();
    fields.insert("id".to_owned(), answer.id.as_str().into());
    fields.insert("object".to_owned(), "chat.completion".into());
    fields.insert("created".to_owned(), answer.created_s.unwrap_or(0).into());
    fields.insert("model".to_owned(), answer.model.as_str().into());
    let choices = answer.choices.iter().map(|choice| {
        let mut message = JsonObject::new();
        message.insert("role".to_owned(), "assistant".into());
        let parts: Vec<&Part> = choice.parts.iter().collect();
        encode_parts(&mut message, &parts, true, &mut LeftOut::new());
        let mut fields = JsonObject::new();
        fields.insert("index".to_owned(), choice.index.into());
        fields.insert("message".to_owned(), Value::Object(message));
        fields.insert("finish_reason".to_owned(), choice.finish.as_ref().map(finish_name).into());
        fields.extend(choice.extra.clone());
        Value::Object(fields)
    });
    fields.insert("choices".to_owned(), choices.collect());
    if let Some(usage) = answer.usage {
        fields.insert("usage".to_owned(), encode_usage(usage));
    }
    if let Some(fingerprint) = &answer.system_fingerprint {
        fields.insert("system_fingerprint".to_owned(), fingerprint.as_str().into());
    }
    fields.extend(answer.extra.clone());
    Value::Object(fields)
}

pub(super) fn encode_usage(usage: Usage) -> Value {
    let mut fields = json!({
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens(),
    });
    if let Some(cached) = usage.cached_input_tokens {
        fields["prompt_tokens_details"] = json!({ "cached_tokens": cached });
    }
    if let Some(thinking) = usage.thinking_tokens {
        fields["completion_tokens_details"] = json!({ "reasoning_tokens": thinking });
    }
    fields
}

/// Writes pieces as the events of a stream.
#[derive(Debug, Clone)]
pub struct ChunkWriter {
    id: String,
    model: String,
    created_s: i64,
    system_fingerprint: Option<String>,
    /// Whether the client asked for the tokens that were taken.
    usage: bool,
}

#[derive(Serialize)]
struct Chunk<'d> {
    id: &'d str,
    object: &'static str,
    created: i64,
    model: &'d str,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_fingerprint: Option<&'d str>,
    choices: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
}

impl ChunkWriter {
    /// For an answer that is begun at `created_s`, seconds since 1970, where the provider does not say when.
    pub fn new(id: &str, model: &str, created_s: i64, usage: bool) -> Self {
        Self { id: id.to_owned(), model: model.to_owned(), created_s, system_fingerprint: None, usage }
    }

    /// The event of a piece; nothing for what has no word in the protocol.
    pub fn write(&mut self, delta: &Delta) -> Bytes {
        let (choice, content) = match delta {
            Delta::Started { id, model, created_s, system_fingerprint } => {
                self.start(id, model, *created_s, system_fingerprint.as_deref());
                (0, json!({ "role": "assistant", "content": "" }))
            }
            Delta::Text { choice, text } => (*choice, json!({ "content": text })),
            Delta::Thinking { choice, text } => (*choice, json!({ "reasoning_content": text })),
            Delta::Refusal { choice, text } => (*choice, json!({ "refusal": text })),
            Delta::Signature { choice, signature } => (
                *choice,
                json!({ "thinking_blocks": [{ "type": "thinking", "thinking": "", "signature": signature }] }),
            ),
            Delta::SealedThinking { choice, data } => {
                (*choice, json!({ "thinking_blocks": [{ "type": "redacted_thinking", "data": data }] }))
            }
            Delta::ToolCallStarted { choice, call, id, name } => {
                let function = json!({ "name": name, "arguments": "" });
                (
                    *choice,
                    json!({ "tool_calls": [{ "index": call, "id": id, "type": "function", "function": function }] }),
                )
            }
            Delta::ToolCallArguments { choice, call, fragment } => {
                (*choice, json!({ "tool_calls": [{ "index": call, "function": { "arguments": fragment } }] }))
            }
            Delta::Finished { choice, reason } => {
                let ended = json!([{ "index": choice, "delta": {}, "finish_reason": finish_name(reason) }]);
                return self.event(ended, None);
            }
            Delta::Usage(usage) if self.usage => return self.event(json!([]), Some(encode_usage(*usage))),
            Delta::Usage(_) => return Bytes::new(),
        };
        self.event(json!([{ "index": choice, "delta": content, "finish_reason": null }]), None)
    }

    /// The event that ends the stream.
    pub fn done() -> Bytes {
        Bytes::from_static(b"data: [DONE]\n\n")
    }

    /// The event of a failure in mid-stream.
    pub fn failed(class: ErrorClass, message: &str) -> Bytes {
        event_of(&super::encode_error(class, message, None))
    }

    fn start(&mut self, id: &str, model: &str, created_s: Option<i64>, system_fingerprint: Option<&str>) {
        if !id.is_empty() {
            id.clone_into(&mut self.id);
        }
        if !model.is_empty() {
            model.clone_into(&mut self.model);
        }
        self.created_s = created_s.unwrap_or(self.created_s);
        self.system_fingerprint = system_fingerprint.map(str::to_owned);
    }

    fn event(&self, choices: Value, usage: Option<Value>) -> Bytes {
        event_of(&Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created_s,
            model: &self.model,
            system_fingerprint: self.system_fingerprint.as_deref(),
            choices,
            usage,
        })
    }
}

/// An event whose data is that JSON.
fn event_of(value: &impl Serialize) -> Bytes {
    let mut writer = BytesMut::with_capacity(256).writer();
    let written = writer.write_all(b"data: ").is_ok()
        && serde_json::to_writer(&mut writer, value).is_ok()
        && writer.write_all(b"\n\n").is_ok();
    if written { writer.into_inner().freeze() } else { Bytes::new() }
}
