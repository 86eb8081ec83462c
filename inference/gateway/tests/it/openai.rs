//! OpenAI's protocol, from both sides.

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use timeloom_domain::chat::ErrorClass;
use timeloom_domain::chat::{
    Assembler, ChatAnswer, ChatRequest, Choice, Delta, EmbedAnswer, EmbedInput, EmbedRequest, Encoding, FinishReason,
    Format, ImageSource, Message, Part, Role, Sampling, Thinking, Tool, ToolChoice, Usage,
};
use timeloom_gateway::openai::{
    ChatBody, ChunkWriter, Dialect, OutputTokens, StreamDecoder, decode_answer, decode_embed_answer,
    decode_embed_request, decode_request, encode_answer, encode_embed_answer, encode_embed_request, encode_error,
    encode_request,
};
use timeloom_gateway::wire::EventReader;

const LOSSLESS: Dialect =
    Dialect { output_tokens: OutputTokens::MaxCompletionTokens, thinking: true, stream_usage: true };

#[test]
fn a_request_is_read_field_by_field_and_what_is_not_known_is_kept() {
    let request = decode_request(json!({
        "model": "m", "temperature": 0.5, "max_tokens": 9, "stop": "END", "n": 2, "seed": -1, "user": "ann",
        "logit_bias": {"50256": -100}, "tool_choice": {"type": "function", "function": {"name": "look"}},
        "messages": [
            {"role": "system", "content": "be kind"},
            {"role": "user", "name": "ann", "content": [
                {"type": "text", "text": "what is it?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
            ]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{\"at\": 1}"}},
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "a cat"},
        ],
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
    }))
    .unwrap();
    assert_eq!(request.sampling.output_tokens_max, Some(9));
    assert_eq!((request.sampling.stop.as_slice(), request.sampling.choices), (["END".to_owned()].as_slice(), Some(2)));
    assert_eq!(request.tool_choice, Some(ToolChoice::Named("look".to_owned())));
    assert_eq!(request.extra["logit_bias"], json!({"50256": -100}));
    let parts = &request.messages[1].parts;
    let source = ImageSource::Data { media_type: "image/png".to_owned(), base64: "AAAA".to_owned() };
    assert_eq!(parts[1], Part::Image { source, detail: Some("low".to_owned()) });
    assert!(matches!(&parts[2], Part::Other(value) if value["type"] == "input_audio"));
    let result = Part::ToolResult { call: "c1".to_owned(), parts: vec![Part::text("a cat")], failed: false };
    assert_eq!(request.messages[3].parts, [result]);
}

#[test]
fn what_is_wrong_in_a_request_is_said_with_its_place() {
    for (request, wanted) in [
        (json!([]), "'the body' must be an object"),
        (json!({"messages": []}), "'model' must be a text"),
        (json!({"model": "m"}), "'messages' must be a list"),
        (json!({"model": "m", "messages": [{"role": "king"}]}), "'messages[0].role' must be"),
        (json!({"model": "m", "messages": [{"role": "user", "content": 7}]}), "'messages[0].content' must be"),
        (
            json!({"model": "m", "messages": [{"role": "user", "content": [{}]}]}),
            "'messages[0].content[0].type' must be",
        ),
        (json!({"model": "m", "messages": [{"role": "tool", "content": "x"}]}), "'messages[0].tool_call_id' must be"),
        (json!({"model": "m", "messages": [], "temperature": "hot"}), "'temperature' must be a number"),
        (
            json!({"model": "m", "messages": [], "response_format": {"type": "json_schema"}}),
            "'response_format.json_schema'",
        ),
    ] {
        let misfit = decode_request(request).unwrap_err().to_string();
        assert!(misfit.starts_with(wanted), "{misfit}");
    }
}

#[test]
fn other_dialects_are_spoken_and_thoughts_left_out_are_told() {
    let mut request = decode_request(json!({"model": "m", "max_tokens": 9, "stream": true, "messages": []})).unwrap();
    let thought = Part::Thinking { text: "hm".to_owned(), signature: None };
    request.messages.push(Message { parts: vec![thought, Part::text("yes")], ..Message::text(Role::Assistant, "") });
    let dialect = Dialect { output_tokens: OutputTokens::MaxTokens, thinking: false, stream_usage: false };
    let (value, left_out) = encode_request(&request, "other", dialect);
    assert_eq!(
        value,
        json!({
            "model": "other", "messages": [{"role": "assistant", "content": "yes"}], "max_tokens": 9, "stream": true,
        })
    );
    assert_eq!(left_out.into_iter().collect::<Vec<_>>(), ["thoughts of earlier answers"]);
}

#[test]
fn a_body_is_passed_on_as_it_came_wherever_the_model_stands_in_it() {
    let body = |text: &str| ChatBody::new(Bytes::copy_from_slice(text.as_bytes()));
    let same = body(r#"{"messages": [], "model": "a", "stream": true}"#).unwrap();
    assert_eq!(same.for_model("a", false), same.bytes());
    assert_eq!(same.for_model("b\"", false), r#"{"messages": [], "model": "b\"", "stream": true}"#);
    let asked = r#"{"messages": [], "model": "a","stream_options":{"include_usage":true}, "stream": true}"#;
    assert_eq!(same.for_model("a", true), asked);
    let odd = body(r#"{"x": {"model": "no"}, "m\u006fdel": "\u0061" , "messages":[]}"#).unwrap();
    assert_eq!(odd.head().model, "a");
    assert_eq!(odd.for_model("b", true), r#"{"x": {"model": "no"}, "m\u006fdel": "b" , "messages":[]}"#);
    for wrong in ["", "{}", "[]", r#"{"model": 7}"#, r#"{"model": "a", "model": "b"}"#, r#"{"model": "a""#] {
        assert!(body(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn errors_for_clients_say_what_they_must() {
    let error = encode_error(ErrorClass::RateLimited, "slowly", None);
    assert_eq!(
        error["error"],
        json!({"message": "slowly", "type": "rate_limit_error", "param": null, "code": "rate_limit_exceeded"})
    );
    assert_eq!(encode_error(ErrorClass::BadRequest, "no", Some("n"))["error"]["param"], "n");
}

fn text() -> impl Strategy<Value = String> {
    "[a-z\u{e9}\"\\\\\n ]{1,12}"
}

fn thinking() -> impl Strategy<Value = Part> {
    let open =
        (text(), proptest::option::of("[a-z]{1,6}")).prop_map(|(text, signature)| Part::Thinking { text, signature });
    prop_oneof![open, "[a-z]{1,6}".prop_map(|data| Part::SealedThinking { data })]
}

fn call() -> impl Strategy<Value = Part> {
    ("[a-z0-9]{1,6}", "[a-z_]{1,8}", text()).prop_map(|(id, name, arguments)| Part::ToolCall { id, name, arguments })
}

fn content() -> impl Strategy<Value = Part> {
    let image = prop_oneof![
        "https://[a-z]{1,8}\\.example/".prop_map(ImageSource::Url),
        "[A-Z]{4}".prop_map(|base64| ImageSource::Data { media_type: "image/png".to_owned(), base64 }),
    ];
    let image = (image, proptest::option::of(select(vec!["low", "high"])));
    let image = image.prop_map(|(source, detail)| Part::Image { source, detail: detail.map(str::to_owned) });
    let cached = text().prop_map(|text| {
        let extra = Map::from_iter([("cache_control".to_owned(), json!({"type": "ephemeral"}))]);
        Part::Text { text, extra }
    });
    prop_oneof![3 => text().prop_map(Part::text), 1 => cached, 1 => image]
}

fn message() -> impl Strategy<Value = Message> {
    let plain = |role: Role| {
        (proptest::option::of("[a-z]{1,5}"), proptest::collection::vec(content(), 1..4))
            .prop_map(move |(name, parts)| Message { role, name, parts, extra: Map::new() })
    };
    let assistant = (
        proptest::collection::vec(thinking(), 0..3),
        proptest::collection::vec(text().prop_map(Part::text), 0..3),
        proptest::option::of(text().prop_map(|text| Part::Refusal { text })),
        proptest::collection::vec(call(), 0..3),
    );
    let assistant = assistant.prop_map(|(thoughts, content, refusal, calls)| {
        let parts = thoughts.into_iter().chain(content).chain(refusal).chain(calls).collect();
        Message { role: Role::Assistant, name: None, parts, extra: Map::new() }
    });
    let result = ("[a-z0-9]{1,6}", proptest::collection::vec(content(), 1..3)).prop_map(|(call, parts)| Message {
        role: Role::Tool,
        name: None,
        parts: vec![Part::ToolResult { call, parts, failed: false }],
        extra: Map::new(),
    });
    prop_oneof![plain(Role::System), plain(Role::Developer), plain(Role::User), assistant, result]
}

fn tool() -> impl Strategy<Value = Tool> {
    let parts = ("[a-z]{1,6}", proptest::option::of(text()), proptest::option::of(any::<bool>()), any::<bool>());
    parts.prop_map(|(name, description, strict, typed)| {
        let parameters = typed.then(|| json!({"type": "object"}));
        Tool::Function { name, description, parameters, strict }
    })
}

/// Any request.
pub(crate) fn request() -> impl Strategy<Value = ChatRequest> {
    let number = || proptest::option::of((0..40_u32).prop_map(|number| f64::from(number) / 10.0));
    let sampling = (number(), number(), proptest::option::of(0..100_u64), proptest::collection::vec(text(), 0..3));
    let sampling = (sampling, proptest::option::of(any::<i64>()), number(), proptest::option::of(1..5_u64));
    let sampling =
        sampling.prop_map(|((temperature, top_p, output_tokens_max, stop), seed, presence_penalty, choices)| {
            Sampling {
                temperature,
                top_p,
                output_tokens_max,
                stop,
                seed,
                presence_penalty,
                choices,
                ..Sampling::default()
            }
        });
    let choice = prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::Never),
        Just(ToolChoice::Required),
        "[a-z]{1,6}".prop_map(ToolChoice::Named),
    ];
    let format = prop_oneof![
        Just(Format::Text),
        Just(Format::Json),
        ("[a-z]{1,6}", proptest::option::of(text()), proptest::option::of(any::<bool>())).prop_map(
            |(name, description, strict)| Format::Schema {
                name,
                description,
                schema: json!({"type": "object"}),
                strict
            }
        ),
    ];
    let thinking = (proptest::option::of(select(vec!["low", "high"])), proptest::option::of(1..9_000_u64));
    let thinking = thinking.prop_map(|(effort, tokens_max)| {
        let thinking = Thinking { effort: effort.map(str::to_owned), tokens_max };
        (thinking != Thinking::default()).then_some(thinking)
    });
    let rest = (proptest::option::of(any::<bool>()), any::<bool>(), proptest::option::of("[a-z]{1,5}"), any::<bool>());
    let words = (
        proptest::collection::vec(message(), 0..5),
        proptest::collection::vec(tool(), 0..3),
        proptest::option::of(choice),
        proptest::option::of(format),
    );
    (words, sampling, thinking, rest).prop_map(
        |((messages, tools, tool_choice, format), sampling, thinking, (parallel_tool_calls, stream, user, odd))| {
            ChatRequest {
                model: "m".to_owned(),
                messages,
                tools,
                tool_choice,
                parallel_tool_calls,
                format,
                sampling,
                thinking,
                user,
                stream,
                stream_usage: stream,
                extra: if odd { Map::from_iter([("logprobs".to_owned(), json!(true))]) } else { Map::new() },
            }
        },
    )
}

fn answer() -> impl Strategy<Value = ChatAnswer> {
    let parts = (
        proptest::collection::vec(thinking(), 0..2),
        proptest::option::of(text().prop_map(Part::text)),
        proptest::collection::vec(call(), 0..3),
    );
    let finish =
        select(vec![FinishReason::Stop, FinishReason::Length, FinishReason::ToolCalls, FinishReason::ContentFilter]);
    let choice = (parts, finish).prop_map(|((thoughts, content, calls), finish)| Choice {
        index: 0,
        parts: thoughts.into_iter().chain(content).chain(calls).collect(),
        finish: Some(finish),
        extra: Map::new(),
    });
    let usage =
        (0..999_u64, 0..999_u64, proptest::option::of(0..99_u64)).prop_map(|(input_tokens, output_tokens, cached)| {
            Usage { input_tokens, output_tokens, cached_input_tokens: cached, ..Usage::default() }
        });
    (proptest::collection::vec(choice, 1..3), proptest::option::of(usage)).prop_map(|(mut choices, usage)| {
        choices.iter_mut().zip(0..).for_each(|(choice, index)| choice.index = index);
        ChatAnswer {
            id: "c1".to_owned(),
            model: "m".to_owned(),
            created_s: Some(7),
            choices,
            usage,
            system_fingerprint: Some("fp".to_owned()),
            extra: Map::new(),
        }
    })
}

/// The answer that the events make, read from pieces of `size` bytes.
fn read_stream(bytes: &[u8], size: usize) -> ChatAnswer {
    let (mut events, mut decoder, mut assembler) =
        (EventReader::default(), StreamDecoder::default(), Assembler::default());
    for chunk in bytes.chunks(size) {
        events.push(chunk);
        while let Some(event) = events.next_event().unwrap() {
            let mut deltas: Vec<Delta> = Vec::new();
            decoder.take(&event, &mut deltas).unwrap();
            deltas.iter().for_each(|delta| assembler.take(delta).unwrap());
        }
    }
    assert!(decoder.has_ended());
    assembler.finish()
}

/// The same answer without what a stream of the protocol has no words for.
fn without_blocks(answer: &ChatAnswer) -> ChatAnswer {
    let mut plain = answer.clone();
    for choice in &mut plain.choices {
        choice.parts.retain(|part| !matches!(part, Part::SealedThinking { .. }));
        let mut joined: Vec<Part> = Vec::new();
        for part in std::mem::take(&mut choice.parts) {
            match (joined.last_mut(), part) {
                (Some(Part::Thinking { text, .. }), Part::Thinking { text: more, .. }) => text.push_str(&more),
                (_, Part::Thinking { text, .. }) => joined.push(Part::Thinking { text, signature: None }),
                (_, part) => joined.push(part),
            }
        }
        choice.parts = joined;
    }
    plain
}

proptest! {
    #[test]
    fn a_request_comes_back_as_it_was(request in request()) {
        let (value, left_out) = encode_request(&request, "m", LOSSLESS);
        prop_assert!(left_out.is_empty());
        let text = value.to_string();
        let back = decode_request(serde_json::from_str(&text).unwrap()).unwrap();
        prop_assert_eq!(back, request);
    }

    #[test]
    fn an_answer_comes_back_as_it_was(answer in answer()) {
        let back = decode_answer(encode_answer(&answer).to_string().as_bytes()).unwrap();
        prop_assert_eq!(back, answer);
    }

    #[test]
    fn a_stream_makes_the_same_answer_wherever_it_is_cut(answer in answer(), size in 1..60_usize) {
        let mut writer = ChunkWriter::new("x", "x", 1, true);
        let mut bytes: Vec<u8> = answer.deltas().iter().flat_map(|delta| writer.write(delta)).collect();
        bytes.extend_from_slice(&ChunkWriter::done());
        prop_assert_eq!(read_stream(&bytes, size), without_blocks(&answer));
    }

    #[test]
    fn vectors_come_back_bit_by_bit(vectors in proptest::collection::vec(proptest::collection::vec(-1e30_f32..1e30, 1..5), 1..4)) {
        let answer = EmbedAnswer { model: "e".to_owned(), vectors, usage: Some(Usage { input_tokens: 3, ..Usage::default() }) };
        for encoding in [Encoding::Float, Encoding::Base64] {
            let body = encode_embed_answer(&answer, encoding).to_string();
            prop_assert_eq!(&decode_embed_answer(body.as_bytes(), answer.vectors.len()).unwrap(), &answer);
        }
    }
}

#[test]
fn texts_lists_and_tokens_are_embedded_and_nothing_else() {
    let tokens = vec![vec![1, 2], vec![3]];
    for input in [
        EmbedInput::Text("one".to_owned()),
        EmbedInput::Texts(vec!["one".to_owned(), "two".to_owned()]),
        EmbedInput::Tokens(vec![1, 2]),
        EmbedInput::TokenLists(tokens),
    ] {
        let extra = Map::from_iter([("truncate".to_owned(), json!(true))]);
        let encoding = Some(Encoding::Base64);
        let request = EmbedRequest { model: "e".to_owned(), input, dimensions: Some(8), encoding, user: None, extra };
        assert_eq!(decode_embed_request(encode_embed_request(&request, "e")).unwrap(), request);
    }
    for wrong in
        [json!([]), json!(7), json!([1, "a"]), json!([-1]), json!([[1.5]]), Value::Null, json!(vec!["a"; 5000])]
    {
        let misfit = decode_embed_request(json!({"model": "e", "input": wrong})).unwrap_err();
        assert_eq!(misfit.at, "input");
    }
}

/// A client may say something of its stream without asking for the tokens that it takes: they are asked for all the same, and
/// are not shown to it.
#[test]
fn the_tokens_of_a_stream_are_asked_for_whatever_its_client_said_of_it() {
    for (said, sent) in [
        (r#"{"model":"a","stream":true}"#, r#"{"model":"b","stream_options":{"include_usage":true},"stream":true}"#),
        (
            r#"{"stream_options":{"chunk":1},"model":"a","stream":true}"#,
            r#"{"stream_options":{"chunk":1,"include_usage":true},"model":"b","stream":true}"#,
        ),
        (
            r#"{"model":"a","stream":true,"stream_options":{"include_usage":false}}"#,
            r#"{"model":"b","stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"model":"a","stream":true,"stream_options":null}"#,
            r#"{"model":"b","stream":true,"stream_options":{"include_usage":true}}"#,
        ),
    ] {
        let body = ChatBody::new(said.as_bytes().into()).unwrap();
        assert!(body.asks_usage(true), "{said}");
        assert_eq!(body.for_model("b", true), sent);
        assert_eq!(body.for_model("a", false), said);
    }
    let body = ChatBody::new(r#"{"model":"a","stream":true,"stream_options":{"include_usage":true}}"#.into()).unwrap();
    assert!(!body.asks_usage(true), "its client asked for them, and sees them");
}
