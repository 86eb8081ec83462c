//! The sides of Anthropic's and Ollama's protocols that answer: what our own asking sides write is read there as it was meant,
//! and what they answer is read as it was said.

use proptest::prelude::*;
use serde_json::{Value, json};
use timeloom_domain::chat::{
    Assembler, ChatAnswer, ChatRequest, Choice, Delta, FinishReason, Format, ImageSource, Part, Role, Thinking,
    ToolChoice, Usage,
};
use timeloom_gateway::anthropic::{self, About, EventWriter};
use timeloom_gateway::ollama::{self, Form, LineWriter, Took};
use timeloom_gateway::openai::{self, Dialect};
use timeloom_gateway::wire::{EventReader, LineReader};

use crate::openai::request;

const AT: &str = "2026-01-02T03:04:05.000Z";

fn about() -> About {
    About::new("msg_call".to_owned(), "route".to_owned(), &[])
}

#[test]
fn a_request_of_anthropics_protocol_is_read_to_its_last_word() {
    let read = anthropic::decode_request(json!({
        "model": "m", "max_tokens": 50, "stream": true, "temperature": 0.5, "top_k": 5, "stop_sequences": ["END"],
        "metadata": {"user_id": "ann"}, "service_tier": "auto",
        "system": [{"type": "text", "text": "be kind", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "look"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "redacted_thinking", "data": "d"},
                {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": 1}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "a cat", "is_error": true},
                {"type": "text", "text": "and?"},
            ]},
        ],
        "tools": [{"type": "custom", "name": "look", "description": "looks", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "tool", "name": "look", "disable_parallel_tool_use": true},
        "thinking": {"type": "enabled", "budget_tokens": 2_000},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}},
    }))
    .unwrap();
    assert_eq!((read.stream, read.sampling.output_tokens_max, read.user.as_deref()), (true, Some(50), Some("ann")));
    assert_eq!(
        read.messages.iter().map(|message| message.role).collect::<Vec<Role>>(),
        [Role::System, Role::User, Role::Assistant, Role::User]
    );
    let result = Part::ToolResult { call: "c1".to_owned(), parts: vec![Part::text("a cat")], failed: true };
    assert_eq!(read.messages[3].parts, [result, Part::text("and?")]);
    let source = ImageSource::Url("https://a.example/b.png".to_owned());
    assert_eq!(read.messages[1].parts[2], Part::Image { source, detail: None });
    assert_eq!((read.tool_choice, read.parallel_tool_calls), (Some(ToolChoice::Named("look".to_owned())), Some(false)));
    assert_eq!(read.thinking, Some(Thinking { effort: Some("low".to_owned()), tokens_max: Some(2_000) }));
    assert!(matches!(read.format, Some(Format::Schema { .. })), "{:?}", read.format);
}

#[test]
fn what_has_no_word_here_is_refused_by_its_place() {
    let wrong = |more: Value| {
        let mut body = json!({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        anthropic::decode_request(body).unwrap_err().to_string()
    };
    let said = |block: Value| json!({"messages": [{"role": "user", "content": [block]}]});
    for (more, told) in [
        (json!({"mcp_servers": []}), "'mcp_servers' must be left out"),
        (json!({"max_tokens": null}), "'max_tokens' must be"),
        (json!({"tools": [{"type": "bash_20250124", "name": "bash"}]}), "'tools[0].type' must be custom"),
        (json!({"tools": vec![json!({"name": "f"}); 1_025]}), "at most 1024 tools"),
        (json!({"stop_sequences": vec!["x"; 65]}), "at most 64 texts"),
        (json!({"tool_choice": {"type": "some"}}), "'tool_choice.type' must be"),
        (json!({"thinking": {"type": "enabled"}}), "'thinking.budget_tokens' must be"),
        (json!({"messages": [{"role": "tool", "content": "x"}]}), "'messages[0].role' must be"),
        (said(json!({"type": "document"})), "'messages[0].content[0].type' must be"),
        (said(json!({"type": "image", "source": {"type": "file"}})), "'messages[0].content[0].source.type' must be"),
        (
            said(json!({"type": "tool_use", "id": "a", "name": "f", "input": []})),
            "'messages[0].content[0].input' must be",
        ),
        (said(json!({"type": "text"})), "'messages[0].content[0].text' must be"),
    ] {
        let found = wrong(more);
        assert!(found.contains(told), "{told}: {found}");
    }
    let wrong = |more: Value| {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ollama::decode_chat(body).unwrap_err().to_string()
    };
    for (more, told) in [
        (json!({"format": "xml"}), "'format' must be json"),
        (json!({"template": "{{ .Prompt }}"}), "'template' must be left out"),
        (json!({"logprobs": true}), "'logprobs' must be false"),
        (json!({"options": {"stop": 7}}), "'options.stop' must be"),
        (json!({"messages": [{"role": "user", "images": ["%%"]}]}), "'messages[0].images' must be"),
        (json!({"tools": [{"type": "function"}]}), "'tools[0].function' must be"),
    ] {
        let found = wrong(more);
        assert!(found.contains(told), "{told}: {found}");
    }
}

#[test]
fn results_of_ollamas_protocol_find_their_calls_and_its_own_options_go_to_its_own_providers_alone() {
    let call = |name: &str| json!({"function": {"name": name, "arguments": {}}});
    let read = ollama::decode_chat(json!({
        "model": "m", "keep_alive": "5m", "options": {"num_ctx": 4096, "num_predict": -1, "seed": 3, "stop": "END"},
        "messages": [
            {"role": "assistant", "tool_calls": [call("look"), call("wait"), call("look")]},
            {"role": "tool", "tool_name": "wait", "content": "done"},
            {"role": "tool", "tool_name": "look", "content": "a cat"},
            {"role": "tool", "content": "a dog"},
        ],
    }))
    .unwrap();
    assert!(read.stream, "it is a stream where nothing is said");
    let calls: Vec<&str> = read.messages[1..]
        .iter()
        .map(|message| match &message.parts[0] {
            Part::ToolResult { call, .. } => call.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(calls, ["call_1", "call_0", "call_2"]);
    assert_eq!((read.sampling.output_tokens_max, read.sampling.seed), (None, Some(3)));
    let (there, left_out) = ollama::encode_request(&read, "llama").unwrap();
    assert_eq!(there["options"], json!({"num_ctx": 4096, "stop": ["END"], "seed": 3}));
    assert_eq!((&there["keep_alive"], left_out.len()), (&json!("5m"), 0));
    let (elsewhere, left_out) = openai::encode_request(&read, "gpt", Dialect::default());
    assert!(elsewhere.get("options").is_none() && elsewhere.get("keep_alive").is_none(), "{elsewhere}");
    assert!(left_out.contains("how a model of Ollama is loaded"));
}

#[test]
fn hints_for_a_cache_do_not_go_to_providers_that_refuse_them() {
    let text = json!([{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]);
    let asked = json!({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": text}]});
    let read = anthropic::decode_request(asked).unwrap();
    let (written, left_out) = openai::encode_request(&read, "gpt", Dialect::default());
    assert_eq!(written["messages"][0]["content"], "hi");
    assert!(left_out.contains("where a cache may cut"));
    let (written, _) = anthropic::encode_request(&read, "claude").unwrap();
    assert_eq!(written["messages"][0]["content"][0]["cache_control"], json!({"type": "ephemeral"}));
}

#[test]
fn arguments_that_are_no_object_and_those_that_come_too_late_are_told() {
    let part = Part::ToolCall { id: "a".to_owned(), name: "look".to_owned(), arguments: "{broken".to_owned() };
    let answer =
        ChatAnswer { choices: vec![Choice { parts: vec![part], ..Choice::default() }], ..ChatAnswer::default() };
    let told = anthropic::encode_answer(&answer, &about()).unwrap_err().to_string();
    assert!(told.contains("the arguments of the call of 'look' are no JSON object"), "{told}");
    let whole = LineWriter::new("m", Form::Chat).whole(&answer, AT, Took::default());
    assert!(whole.unwrap_err().to_string().contains("'look'"));
    let late = Delta::ToolCallArguments { choice: 0, call: 0, fragment: "{}".to_owned() };
    assert!(EventWriter::new(about()).write(&late).is_err());
    assert!(LineWriter::new("m", Form::Chat).write(&late, AT).is_err());
}

#[test]
fn an_end_before_a_text_says_which_it_was_where_there_is_one_alone() {
    let choice = Choice { finish: Some(FinishReason::StopSequence), ..Choice::default() };
    let answer = ChatAnswer { choices: vec![choice], ..ChatAnswer::default() };
    for (stops, told) in [(vec!["END"], json!("END")), (vec!["END", "STOP"], Value::Null)] {
        let stops: Vec<String> = stops.into_iter().map(str::to_owned).collect();
        let about = About::new("msg_1".to_owned(), "m".to_owned(), &stops);
        let written = anthropic::encode_answer(&answer, &about).unwrap();
        assert_eq!((&written["stop_reason"], &written["stop_sequence"]), (&json!("stop_sequence"), &told));
        assert_eq!((&written["id"], &written["model"]), (&json!("msg_1"), &json!("m")));
    }
}

#[test]
fn a_stream_without_a_word_is_a_message_without_a_block() {
    let mut writer = EventWriter::new(about());
    let text = String::from_utf8(writer.end().to_vec()).unwrap();
    let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(names, ["message_start", "message_delta", "message_stop"]);
}

/// Any answer that all protocols have words for.
fn answer() -> impl Strategy<Value = ChatAnswer> {
    let text = || "[a-z \u{e9}\n\"]{1,8}";
    let arguments = prop_oneof![Just("{}".to_owned()), text().prop_map(|at| json!({ "at": at }).to_string())];
    let part = prop_oneof![
        text().prop_map(Part::text),
        (text(), proptest::option::of("[a-z]{1,4}")).prop_map(|(text, signature)| Part::Thinking { text, signature }),
        "[a-z]{1,6}".prop_map(|data| Part::SealedThinking { data }),
        ("[a-z]{1,6}", "[a-z]{1,6}", arguments).prop_map(|(id, name, arguments)| Part::ToolCall {
            id,
            name,
            arguments
        }),
    ];
    let finish = prop_oneof![
        Just(FinishReason::Stop),
        Just(FinishReason::StopSequence),
        Just(FinishReason::Length),
        Just(FinishReason::ToolCalls),
        Just(FinishReason::Refusal),
    ];
    let usage = (0..500_u64, 0..500_u64, 0..50_u64, 0..50_u64);
    (proptest::collection::vec(part, 0..6), finish, usage).prop_map(
        |(parts, finish, (input, output, cached, written))| ChatAnswer {
            id: "answer".to_owned(),
            model: "m".to_owned(),
            choices: vec![Choice { index: 0, parts, finish: Some(finish), ..Choice::default() }],
            usage: Some(Usage {
                input_tokens: input + cached + written,
                output_tokens: output,
                cached_input_tokens: Some(cached),
                cache_write_tokens: Some(written),
                thinking_tokens: None,
            }),
            ..ChatAnswer::default()
        },
    )
}

fn assembled(deltas: &[Delta]) -> ChatAnswer {
    let mut assembler = Assembler::default();
    for delta in deltas {
        assembler.take(delta).unwrap();
    }
    assembler.finish()
}

/// Whether such a part is in a message, or in what a tool gave.
fn has_part(request: &ChatRequest, is_it: impl Fn(&Part) -> bool) -> bool {
    let holds = |part: &Part| match part {
        Part::ToolResult { parts, .. } => parts.iter().any(&is_it),
        part => is_it(part),
    };
    request.messages.iter().flat_map(|message| &message.parts).any(holds)
}

proptest! {
    #[test]
    fn what_is_written_for_a_provider_of_anthropic_is_read_from_a_client_as_it_was_meant(request in request()) {
        // Read again they are texts, which are left out where they have no letter.
        prop_assume!(!has_part(&request, |part| matches!(part, Part::Refusal { text } if text.trim().is_empty())));
        let Ok((written, _)) = anthropic::encode_request(&request, "m") else { return Ok(()) };
        prop_assume!(written["messages"].as_array().is_some_and(|messages| !messages.is_empty()));
        prop_assume!(written["max_tokens"] != json!(0));
        let read = anthropic::decode_request(written.clone()).unwrap();
        prop_assert_eq!(anthropic::encode_request(&read, "m").unwrap().0, written);
    }

    #[test]
    fn what_is_written_for_a_provider_of_ollama_is_read_from_a_client_as_it_was_meant(request in request()) {
        prop_assume!(!has_part(&request, |part| matches!(part, Part::Image { .. })));
        // No tokens at all are no limit there.
        prop_assume!(request.sampling.output_tokens_max != Some(0));
        let Ok((written, _)) = ollama::encode_request(&request, "m") else { return Ok(()) };
        let read = ollama::decode_chat(written.clone()).unwrap();
        prop_assert_eq!(ollama::encode_request(&read, "m").unwrap().0, written);
    }

    #[test]
    fn answers_and_streams_of_anthropics_protocol_are_read_as_they_were_said(answer in answer()) {
        let deltas = answer.deltas();
        let written = anthropic::encode_answer(&answer, &about()).unwrap();
        let read = anthropic::decode_answer(written.to_string().as_bytes()).unwrap();
        prop_assert_eq!(assembled(&read.deltas()), assembled(&deltas));

        let mut writer = EventWriter::new(about());
        let (mut events, mut names) = (EventReader::default(), Vec::new());
        for delta in &deltas {
            events.push(&writer.write(delta).unwrap());
        }
        events.push(&writer.end());
        let (mut decoder, mut streamed) = (anthropic::StreamDecoder::default(), Vec::new());
        while let Some(event) = events.next_event().unwrap() {
            decoder.take(&event, &mut streamed).unwrap();
            names.push(event.name);
        }
        prop_assert!(decoder.is_complete());
        prop_assert_eq!(assembled(&streamed), assembled(&deltas));
        let opened = names.iter().filter(|name| *name == "content_block_start").count();
        prop_assert_eq!(opened, names.iter().filter(|name| *name == "content_block_stop").count());
        prop_assert_eq!(names.iter().filter(|name| *name == "ping").count(), opened.min(1));
        prop_assert!(names[0] == "message_start" && names.ends_with(&["message_delta".to_owned(), "message_stop".to_owned()]));
    }

    #[test]
    fn answers_and_streams_of_ollamas_protocol_are_read_as_they_were_said(answer in answer()) {
        let text = |answer: &ChatAnswer| answer.text();
        let calls = |answer: &ChatAnswer| -> Vec<(String, Value)> {
            let parts = answer.choices.iter().flat_map(|choice| &choice.parts);
            parts
                .filter_map(|part| match part {
                    Part::ToolCall { name, arguments, .. } => Some((name.clone(), serde_json::from_str(arguments).unwrap())),
                    _ => None,
                })
                .collect()
        };
        let took = Took { to_first_ns: 1, total_ns: 3 };
        let written = LineWriter::new("m", Form::Chat).whole(&answer, AT, took).unwrap();
        prop_assert_eq!(&written["eval_duration"], &json!(2));
        let whole = ollama::decode_answer(written.to_string().as_bytes()).unwrap();

        let mut writer = LineWriter::new("m", Form::Chat);
        let mut lines = LineReader::default();
        for delta in &answer.deltas() {
            lines.push(&writer.write(delta, AT).unwrap());
        }
        lines.push(&writer.end(AT, took).unwrap());
        let (mut decoder, mut deltas) = (ollama::StreamDecoder::default(), Vec::new());
        while let Some(line) = lines.next_line().unwrap() {
            prop_assert!(!decoder.is_complete(), "a line comes after the last");
            decoder.take(&line, &mut deltas).unwrap();
        }
        prop_assert!(decoder.is_complete());
        for read in [whole, assembled(&deltas)] {
            prop_assert_eq!(text(&read), text(&answer));
            prop_assert_eq!(calls(&read), calls(&answer));
            prop_assert_eq!(read.usage.unwrap().total_tokens(), answer.usage.unwrap().total_tokens());
        }
    }

    #[test]
    fn whatever_a_client_sends_is_read_or_refused(
        noise in proptest::collection::vec(any::<u8>(), 0..80),
        request in request(),
        cut in 0..400_usize,
    ) {
        let written = openai::encode_request(&request, "m", Dialect::default()).0.to_string();
        let cut = written.get(..cut.min(written.len())).unwrap_or_default().as_bytes().to_vec();
        for bytes in [noise, cut, written.into_bytes()] {
            let Ok(value) = serde_json::from_slice::<Value>(&bytes) else { continue };
            let _ = anthropic::decode_request(value.clone());
            let _ = anthropic::decode_count_request(value.clone());
            let _ = ollama::decode_chat(value.clone());
            let _ = ollama::decode_generate(value.clone());
            let _ = ollama::decode_embed_request(value.clone());
            let _ = ollama::decode_older_embed_request(value);
        }
    }
}
