//! Anthropic's protocol.

use proptest::prelude::*;
use serde_json::{Value, json};
use timeloom_domain::chat::ErrorClass;
use timeloom_domain::chat::{Assembler, ChatAnswer, FinishReason, Part, Role, Usage};
use timeloom_gateway::CallError;
use timeloom_gateway::anthropic::{StreamDecoder, decode_answer, decode_error, encode_request};
use timeloom_gateway::openai::decode_request;
use timeloom_gateway::wire::EventReader;

use crate::openai::request;

fn encoded(request: Value) -> (Value, Vec<&'static str>) {
    let (value, left_out) = encode_request(&decode_request(request).unwrap(), "claude").unwrap();
    (value, left_out.into_iter().collect())
}

#[test]
fn the_words_of_the_system_stand_apart_and_the_others_take_turns() {
    let (value, left_out) = encoded(json!({
        "model": "m", "max_tokens": 50, "stop": ["END"], "top_k": 5, "temperature": 0.5, "user": "ann", "stream": true,
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "be kind", "cache_control": {"type": "ephemeral"}}]},
            {"role": "user", "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ]},
            {"role": "assistant", "content": "I look", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{\"at\": 1}"}},
                {"id": "c2", "type": "function", "function": {"name": "wait", "arguments": ""}},
            ], "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}]},
            {"role": "tool", "tool_call_id": "c1", "content": "a cat"},
            {"role": "tool", "tool_call_id": "c2", "content": "done"},
            {"role": "user", "content": "and?"},
        ],
        "tools": [{"type": "function", "function": {"name": "look", "description": "looks", "parameters": {"type": "object"}}}],
        "tool_choice": "required", "parallel_tool_calls": false,
    }));
    assert_eq!(
        value,
        json!({
            "model": "claude", "max_tokens": 50,
            "system": [{"type": "text", "text": "be kind", "cache_control": {"type": "ephemeral"}}],
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": "look"},
                    {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                ]},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "text", "text": "I look"},
                    {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": 1}},
                    {"type": "tool_use", "id": "c2", "name": "wait", "input": {}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "a cat"}]},
                    {"type": "tool_result", "tool_use_id": "c2", "content": [{"type": "text", "text": "done"}]},
                    {"type": "text", "text": "and?"},
                ]},
            ],
            "tools": [{"name": "look", "input_schema": {"type": "object"}, "description": "looks"}],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
            "temperature": 0.5, "top_k": 5, "stop_sequences": ["END"], "metadata": {"user_id": "ann"}, "stream": true,
        })
    );
    assert_eq!(left_out, Vec::<&str>::new());
}

#[test]
fn what_the_protocol_has_no_word_for_is_told_or_refused() {
    let (value, left_out) = encoded(json!({
        "model": "m", "seed": 1, "temperature": 1.5, "presence_penalty": 1, "logit_bias": {}, "reasoning_effort": "low",
        "messages": [{"role": "user", "name": "ann", "content": "hi"}], "response_format": {"type": "json_object"},
    }));
    assert_eq!((&value["temperature"], &value["max_tokens"]), (&json!(1.0), &json!(4096)));
    assert!(value["system"][0]["text"].as_str().unwrap().contains("JSON"));
    let wanted = [
        "effort of thinking",
        "fields of the request that are not known here",
        "names of those who speak",
        "presence_penalty",
        "seed",
        "temperature above 1",
    ];
    assert_eq!(left_out, wanted);
    let refused = |request: Value| encode_request(&decode_request(request).unwrap(), "claude").unwrap_err().class;
    assert_eq!(refused(json!({"model": "m", "n": 2, "messages": []})), ErrorClass::Unsupported);
    let audio = json!([{"type": "input_audio", "input_audio": {}}]);
    let audio = json!({"model": "m", "messages": [{"role": "user", "content": audio}]});
    assert_eq!(refused(audio), ErrorClass::Unsupported);
    let call = json!([{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{broken"}}]);
    let broken = json!({"model": "m", "messages": [{"role": "assistant", "content": null, "tool_calls": call}]});
    assert_eq!(refused(broken), ErrorClass::BadRequest);
}

#[test]
fn an_answer_is_read_with_the_tokens_of_its_cache() {
    let answer = decode_answer(
        json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-1", "stop_reason": "tool_use",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "redacted_thinking", "data": "d"},
                {"type": "text", "text": "I look"},
                {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": 1}},
            ],
            "usage": {"input_tokens": 10, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 2, "output_tokens": 7},
        })
        .to_string()
        .as_bytes(),
    )
    .unwrap();
    let usage = Usage {
        input_tokens: 17,
        output_tokens: 7,
        cached_input_tokens: Some(5),
        cache_write_tokens: Some(2),
        thinking_tokens: None,
    };
    assert_eq!((answer.usage, answer.finish()), (Some(usage), Some(&FinishReason::ToolCalls)));
    let parts = &answer.choices[0].parts;
    assert_eq!(parts[0], Part::Thinking { text: "hm".to_owned(), signature: Some("s".to_owned()) });
    let call = Part::ToolCall { id: "c1".to_owned(), name: "look".to_owned(), arguments: r#"{"at":1}"#.to_owned() };
    assert_eq!(parts[3], call);
    for wrong in ["", "{}", "[]", r#"{"content": [{"type": "text"}]}"#, r#"{"content": [7]}"#] {
        assert_eq!(decode_answer(wrong.as_bytes()).unwrap_err().class, ErrorClass::Garbage, "{wrong}");
    }
}

const STREAM: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","model":"claude-1","usage":{"input_tokens":9,"cache_read_input_tokens":1,"output_tokens":1}}}

event: ping
data: {"type":"ping"}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}

data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}

data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s1"}}

data: {"type":"content_block_stop","index":0}

data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"I "}}

data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"look"}}

data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"c1","name":"look","input":{}}}

data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"at\""}}

data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":": 1}"}}

data: {"type":"something_new","index":2}

data: {"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":7}}

data: {"type":"message_stop"}

"#;

fn read(text: &str) -> Result<(ChatAnswer, bool), CallError> {
    let (mut events, mut decoder, mut assembler) =
        (EventReader::default(), StreamDecoder::default(), Assembler::default());
    events.push(text.as_bytes());
    while let Some(event) = events.next_event().unwrap() {
        let mut deltas = Vec::new();
        decoder.take(&event, &mut deltas)?;
        deltas.iter().for_each(|delta| assembler.take(delta).unwrap());
    }
    Ok((assembler.finish(), decoder.is_complete()))
}

#[test]
fn a_stream_makes_the_answer_that_would_have_come_as_a_whole() {
    let (answer, complete) = read(STREAM).unwrap();
    assert!(complete);
    let parts = [
        Part::Thinking { text: "hm".to_owned(), signature: Some("s1".to_owned()) },
        Part::text("I look"),
        Part::ToolCall { id: "c1".to_owned(), name: "look".to_owned(), arguments: r#"{"at": 1}"#.to_owned() },
    ];
    assert_eq!(answer.choices[0].parts, parts);
    let usage = answer.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.cached_input_tokens, usage.output_tokens), (10, Some(1), 7));
    assert_eq!(answer.finish(), Some(&FinishReason::ToolCalls));
    assert!(!read(STREAM.rsplit_once("data:").unwrap().0).unwrap().1, "it is not complete before its last event");
}

#[test]
fn what_goes_wrong_in_a_stream_is_told() {
    let class = |event: &str| read(&format!("data: {event}\n\n")).unwrap_err().class;
    assert_eq!(
        class(r#"{"type":"error","error":{"type":"overloaded_error","message":"later"}}"#),
        ErrorClass::Overloaded
    );
    assert_eq!(class("{"), ErrorClass::Garbage);
    assert_eq!(class(r#"{"type":"message_start"}"#), ErrorClass::Garbage);
    let stray = r#"{"type":"content_block_delta","index":9,"delta":{"type":"input_json_delta","partial_json":"{"}}"#;
    assert_eq!(class(stray), ErrorClass::Garbage);
}

#[test]
fn errors_are_told_by_their_class() {
    for (status, kind, message, class) in [
        (429, "rate_limit_error", "", ErrorClass::RateLimited),
        (529, "overloaded_error", "", ErrorClass::Overloaded),
        (529, "", "", ErrorClass::Overloaded),
        (401, "authentication_error", "", ErrorClass::Unauthorized),
        (404, "not_found_error", "", ErrorClass::NotFound),
        (413, "request_too_large", "", ErrorClass::TooLong),
        (400, "invalid_request_error", "prompt is too long: 9 tokens", ErrorClass::TooLong),
        (400, "invalid_request_error", "no", ErrorClass::BadRequest),
        (500, "api_error", "", ErrorClass::Server),
    ] {
        let body = json!({"type": "error", "error": {"type": kind, "message": message}}).to_string();
        let error = decode_error(status, body.as_bytes());
        assert_eq!((error.class, error.status), (class, Some(status)), "{kind}");
    }
}

/// The texts and refusals of parts, those without a letter left out, as one.
pub(crate) fn said<'p>(parts: impl Iterator<Item = &'p Part>) -> String {
    let texts = parts.filter_map(|part| match part {
        Part::Text { text, .. } if !text.trim().is_empty() => Some(text.clone()),
        Part::Refusal { text } => Some(text.clone()),
        Part::ToolResult { parts, .. } => Some(said(parts.iter())),
        _ => None,
    });
    texts.collect()
}

fn written(blocks: &Value) -> String {
    let blocks = blocks.as_array().map(Vec::as_slice).unwrap_or_default();
    let texts = blocks.iter().map(|block| match block["type"].as_str() {
        Some("text") => block["text"].as_str().unwrap().to_owned(),
        Some("tool_result") => written(&block["content"]),
        _ => String::new(),
    });
    texts.collect()
}

proptest! {
    #[test]
    fn nothing_that_is_said_is_lost_and_turns_are_taken(mut asked in request()) {
        asked.format = None;
        asked.sampling.choices = None;
        for part in asked.messages.iter_mut().flat_map(|message| &mut message.parts) {
            if let Part::ToolCall { arguments, .. } = part {
                *arguments = json!({ "text": arguments.as_str() }).to_string();
            }
        }
        let (value, _) = encode_request(&asked, "claude").unwrap();
        let is_system = |role: Role| matches!(role, Role::System | Role::Developer);
        let of = |system: bool| {
            let messages = asked.messages.iter().filter(move |message| is_system(message.role) == system);
            said(messages.flat_map(|message| &message.parts))
        };
        prop_assert_eq!(written(&value["system"]), of(true));
        let turns = value["messages"].as_array().unwrap();
        prop_assert_eq!(turns.iter().map(|turn| written(&turn["content"])).collect::<String>(), of(false));
        prop_assert!(turns.iter().all(|turn| !turn["content"].as_array().unwrap().is_empty()));
        prop_assert!(value["max_tokens"].is_u64());
    }
}
