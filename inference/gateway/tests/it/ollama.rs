//! Ollama's protocol.

use proptest::prelude::*;
use serde_json::{Value, json};
use timeloom_domain::chat::ErrorClass;
use timeloom_domain::chat::{Assembler, EmbedInput, EmbedRequest, FinishReason, ImageSource, Part};
use timeloom_gateway::ollama::{
    StreamDecoder, decode_answer, decode_embed_answer, decode_error, encode_embed_request, encode_generate,
    encode_request,
};
use timeloom_gateway::openai::decode_request;
use timeloom_gateway::wire::LineReader;

use crate::anthropic::said;
use crate::openai::request;

#[test]
fn a_chat_is_written_with_arguments_as_objects_and_results_by_the_names_of_their_tools() {
    let request = decode_request(json!({
        "model": "m", "max_tokens": 50, "temperature": 0.5, "seed": 3, "stop": "END", "keep_alive": "5m",
        "reasoning_effort": "low",
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
        "messages": [
            {"role": "developer", "content": "be kind"},
            {"role": "user", "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ]},
            {"role": "assistant", "content": null, "reasoning_content": "hm", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{\"at\": 1}"}},
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "a cat"},
        ],
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
    }))
    .unwrap();
    let (value, left_out) = encode_request(&request, "llama").unwrap();
    assert_eq!(
        value,
        json!({
            "model": "llama", "stream": false, "format": {"type": "object"}, "think": "low",
            "options": {"temperature": 0.5, "num_predict": 50, "stop": ["END"], "seed": 3}, "keep_alive": "5m",
            "messages": [
                {"role": "system", "content": "be kind"},
                {"role": "user", "content": "look", "images": ["AAAA"]},
                {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "look", "arguments": {"at": 1}}}], "thinking": "hm"},
                {"role": "tool", "content": "a cat", "tool_name": "look"},
            ],
            "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
        })
    );
    assert!(left_out.is_empty());
}

#[test]
fn what_the_protocol_has_no_word_for_is_told_or_refused() {
    let request = |more: Value| {
        let mut request = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        more.as_object().unwrap().iter().for_each(|(name, value)| request[name] = value.clone());
        decode_request(request).unwrap()
    };
    let (_, left_out) = encode_request(&request(json!({"user": "ann", "logprobs": true})), "llama").unwrap();
    assert_eq!(left_out.into_iter().collect::<Vec<_>>(), ["fields of the request that are not known here", "user"]);
    let looked = json!([
        {"role": "assistant", "content": "", "odd": 1, "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}},
        ]},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "image_url", "image_url": {"url": "data:a/b;base64,AA"}}]},
    ]);
    let (_, left_out) = encode_request(&request(json!({"messages": looked})), "llama").unwrap();
    let wanted = ["fields of messages that are not known here", "what tools gave beside texts"];
    assert_eq!(left_out.into_iter().collect::<Vec<_>>(), wanted);
    let refused = |more: Value| encode_request(&request(more), "llama").unwrap_err().class;
    assert_eq!(refused(json!({"n": 2})), ErrorClass::Unsupported);
    assert_eq!(refused(json!({"tool_choice": "required"})), ErrorClass::Unsupported);
    let picture = json!([{"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}]);
    assert_eq!(refused(json!({"messages": [{"role": "user", "content": picture}]})), ErrorClass::Unsupported);
}

#[test]
fn models_that_know_no_chats_go_on_with_a_text() {
    let request = json!({"model": "m", "messages": [
        {"role": "system", "content": "be kind"}, {"role": "user", "content": "one"}, {"role": "assistant", "content": "two"},
    ]});
    let (value, _) = encode_generate(&decode_request(request).unwrap(), "llama").unwrap();
    assert_eq!(value, json!({"model": "llama", "stream": false, "system": "be kind", "prompt": "one\n\ntwo"}));
    let answer = decode_answer(br#"{"model":"llama","response":"three","done":true,"done_reason":"stop","prompt_eval_count":2,"eval_count":1}"#);
    assert_eq!(answer.unwrap().text(), "three");
}

#[test]
fn answers_are_read_as_a_whole_and_line_by_line() {
    let lines = [
        r#"{"model":"llama","message":{"role":"assistant","content":"","thinking":"hm"},"done":false}"#,
        r#"{"model":"llama","message":{"role":"assistant","content":"I "},"done":false}"#,
        r#"{"model":"llama","message":{"role":"assistant","content":"look","tool_calls":[{"function":{"name":"look","arguments":{"at":1}}}]},"done":false}"#,
        r#"{"model":"llama","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":9,"eval_count":7,"total_duration":5}"#,
    ];
    let (mut reader, mut decoder, mut assembler) =
        (LineReader::default(), StreamDecoder::default(), Assembler::default());
    reader.push(lines.join("\n").as_bytes());
    let mut take = |line: &[u8]| {
        let mut deltas = Vec::new();
        decoder.take(line, &mut deltas).unwrap();
        deltas.iter().for_each(|delta| assembler.take(delta).unwrap());
    };
    while let Some(line) = reader.next_line().unwrap() {
        take(&line);
    }
    take(&reader.last_line().unwrap());
    assert!(decoder.is_complete());
    let answer = assembler.finish();
    let parts = [
        Part::Thinking { text: "hm".to_owned(), signature: None },
        Part::text("I look"),
        Part::ToolCall { id: "call_0".to_owned(), name: "look".to_owned(), arguments: r#"{"at":1}"#.to_owned() },
    ];
    assert_eq!(answer.choices[0].parts, parts);
    assert_eq!((answer.finish(), answer.usage.unwrap().total_tokens()), (Some(&FinishReason::ToolCalls), 16));
    for wrong in ["", "{}", "[]", lines[0], r#"{"message":{"content":7},"done":true}"#] {
        assert_eq!(decode_answer(wrong.as_bytes()).unwrap_err().class, ErrorClass::Garbage, "{wrong}");
    }
    let mut decoder = StreamDecoder::default();
    let error = decoder.take(br#"{"error":"out of memory"}"#, &mut Vec::new()).unwrap_err();
    assert!(error.class == ErrorClass::Server && error.message.contains("out of memory"));
}

#[test]
fn vectors_are_read_in_their_newer_and_their_older_form() {
    let request = |input| EmbedRequest {
        model: "e".to_owned(),
        input,
        dimensions: Some(2),
        encoding: None,
        user: None,
        extra: serde_json::Map::new(),
    };
    let (value, _) = encode_embed_request(&request(EmbedInput::Text("one".to_owned())), "nomic").unwrap();
    assert_eq!(value, json!({"model": "nomic", "input": "one", "dimensions": 2}));
    let tokens = encode_embed_request(&request(EmbedInput::Tokens(vec![1])), "nomic").unwrap_err();
    assert_eq!(tokens.class, ErrorClass::Unsupported);
    let newer = decode_embed_answer(br#"{"model":"e","embeddings":[[1,2],[3,4]],"prompt_eval_count":5}"#, 2).unwrap();
    assert_eq!((newer.vectors, newer.usage.unwrap().input_tokens), (vec![vec![1.0, 2.0], vec![3.0, 4.0]], 5));
    assert_eq!(decode_embed_answer(br#"{"embedding":[1]}"#, 1).unwrap().vectors, [[1.0]]);
    assert_eq!(decode_embed_answer(br#"{"embedding":[1]}"#, 2).unwrap_err().class, ErrorClass::Garbage);
}

#[test]
fn errors_are_told_by_their_class() {
    let error = decode_error(404, br#"{"error":"model 'x' not found"}"#);
    assert_eq!((error.class, error.message.contains("model 'x'")), (ErrorClass::NotFound, true));
    assert_eq!(decode_error(503, b"").class, ErrorClass::Overloaded);
}

fn readable(parts: &mut [Part]) {
    for part in parts {
        match part {
            Part::ToolCall { arguments, .. } => *arguments = json!({ "text": arguments.as_str() }).to_string(),
            Part::ToolResult { parts, .. } => readable(parts),
            Part::Image { source, .. } => {
                *source = ImageSource::Data { media_type: "image/png".to_owned(), base64: "AAAA".to_owned() };
            }
            Part::Text { text, .. } if text.trim().is_empty() => "x".clone_into(text),
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn nothing_that_is_said_is_lost(mut asked in request()) {
        asked.sampling.choices = None;
        asked.tool_choice = None;
        asked.messages.iter_mut().for_each(|message| readable(&mut message.parts));
        let (value, _) = encode_request(&asked, "llama").unwrap();
        let messages = value["messages"].as_array().unwrap();
        let written: String = messages.iter().map(|message| message["content"].as_str().unwrap()).collect();
        prop_assert_eq!(written, said(asked.messages.iter().flat_map(|message| &message.parts)));
    }
}
