//! Providers over HTTP, and everything that can go wrong on the way.

use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::StreamExt as _;
use serde_json::{Value, json};
use timeloom_domain::chat::ErrorClass;
use timeloom_domain::chat::{Assembler, ChatAnswer, Delta, EmbedInput, EmbedRequest};
use timeloom_gateway::CallError;
use timeloom_gateway::openai::{ChatBody, Dialect};
use timeloom_gateway::provider::{Protocol, Provider, ProviderConfig, Timeouts};
use timeloom_gateway::upstream::{Prompt, Upstream as _};
use tokio::sync::Notify;

use crate::support::{At, KEY, Standing, hello};
use crate::upstream::{Server, Step, chunk, chunked, end, json, whole};

const ANSWER: &str = r#"{"id":"c1","object":"chat.completion","created":7,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4},"system_fingerprint":"fp"}"#;
const CHUNK: &str =
    "data: {\"id\":\"c1\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n";
const LAST: &str = "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const USED: &str = "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn provider(server: &Server, change: impl FnOnce(&mut ProviderConfig)) -> Provider {
    let mut config = ProviderConfig::new("a", Protocol::OpenAi(Dialect::default()));
    change(&mut config);
    Provider::try_new(config, Arc::new(At(server.url.clone())), Arc::new(Standing::default())).unwrap()
}

fn words() -> Prompt {
    Prompt::words(hello())
}

fn streamed() -> Prompt {
    let mut request = hello();
    request.stream = true;
    Prompt::words(request)
}

async fn fails(steps: Vec<Step>) -> CallError {
    let server = Server::start(move |_, _| steps.clone()).await;
    provider(&server, |_| {}).chat(&words(), "m").await.unwrap_err()
}

/// The answer that a stream makes, and the error with which it ends.
async fn drain(provider: &Provider) -> (ChatAnswer, Option<CallError>) {
    let mut assembler = Assembler::default();
    let mut pieces = match provider.stream(&streamed(), "m").await {
        Ok(streamed) => streamed.pieces,
        Err(error) => return (ChatAnswer::default(), Some(error)),
    };
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => piece.deltas.iter().for_each(|delta| assembler.take(delta).unwrap()),
            Err(error) => {
                assert!(pieces.next().await.is_none(), "it ends with the first error");
                return (assembler.finish(), Some(error));
            }
        }
    }
    (assembler.finish(), None)
}

#[tokio::test]
async fn a_whole_answer_comes_with_its_notes_and_the_key_goes_where_it_belongs() {
    let server = Server::start(|_, _| json(200, ANSWER)).await;
    let provider = provider(&server, |_| {});
    let answered = provider.chat(&words(), "m").await.unwrap();
    assert_eq!((answered.answer.text().as_str(), answered.answer.usage.unwrap().input_tokens), ("hi", 3));
    assert_eq!(answered.notes.request_id.as_deref(), Some("req-1"));
    provider.chat(&words(), "m").await.unwrap();
    let requests = server.requests();
    assert!(requests[0].head.starts_with("POST /v1/chat/completions HTTP/1.1"), "{}", requests[0].head);
    assert!(requests[0].head.contains(&format!("authorization: Bearer {KEY}")));
    assert_eq!(serde_json::from_slice::<Value>(&requests[0].body).unwrap()["model"], "m");
    assert_eq!(server.connections(), 1, "the connection is used again");
    assert!(!format!("{provider:?}").contains(KEY));
    provider.close().await;
}

#[tokio::test]
async fn the_bytes_of_a_client_go_through_both_ways_untouched() {
    let server = Server::start(|_, _| json(200, ANSWER)).await;
    let sent = r#"{ "model" : "m", "messages":[{"role":"user","content":"h\u00efi"}], "new_field": 1e400 }"#;
    let prompt = Prompt::body(ChatBody::new(Bytes::from_static(sent.as_bytes())).unwrap());
    let answered = provider(&server, |_| {}).chat(&prompt, "m").await.unwrap();
    assert_eq!(server.requests()[0].body, sent.as_bytes());
    assert_eq!(answered.raw.unwrap(), ANSWER.as_bytes());
    provider(&server, |_| {}).chat(&prompt, "other \"m\"").await.unwrap();
    let changed = sent.replace("\"m\"", "\"other \\\"m\\\"\"");
    assert_eq!(server.requests()[1].body, changed.as_bytes(), "only the model is another");
}

#[tokio::test]
async fn a_stream_goes_through_but_for_the_tokens_that_only_we_asked_for() {
    let server = Server::start(|_, _| {
        vec![chunked("text/event-stream"), chunk([CHUNK, LAST].concat()), chunk([USED, DONE].concat()), end()]
    })
    .await;
    let provider = provider(&server, |_| {});
    for (sent, usage) in [
        (r#"{"model":"m","stream":true,"messages":[]}"#, false),
        (r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#, true),
    ] {
        let prompt = Prompt::body(ChatBody::new(Bytes::from_static(sent.as_bytes())).unwrap());
        let pieces: Vec<_> = provider.stream(&prompt, "m").await.unwrap().pieces.collect().await;
        let raw: Vec<u8> =
            pieces.iter().flat_map(|piece| piece.as_ref().unwrap().raw.clone().unwrap_or_default()).collect();
        let wanted = if usage { [CHUNK, LAST, USED, DONE].concat() } else { [CHUNK, LAST, DONE].concat() };
        assert_eq!(String::from_utf8(raw).unwrap(), wanted);
        let deltas = pieces.iter().flat_map(|piece| piece.as_ref().unwrap().deltas.clone());
        assert!(deltas.into_iter().any(|delta| matches!(delta, Delta::Usage(usage) if usage.input_tokens == 3)));
    }
    let asked: Value = serde_json::from_slice(&server.requests()[0].body).unwrap();
    assert_eq!(asked["stream_options"], json!({"include_usage": true}));
    provider.close().await;
    assert_eq!(server.connections(), 1, "a stream that ended leaves its connection");
}

#[tokio::test]
async fn errors_are_told_by_their_class_with_the_time_to_wait_and_without_the_key() {
    let limited = whole(
        429,
        "content-type: application/json\r\nretry-after: 2\r\n",
        format!(
            r#"{{"error":{{"message":"key {KEY} is over its limit","type":"requests","code":"rate_limit_exceeded"}}}}"#
        ),
    );
    let error = fails(limited).await;
    assert_eq!((error.class, error.status, error.retry_after_ms), (ErrorClass::RateLimited, Some(429), Some(2_000)));
    assert!(!error.message.contains(KEY) && error.message.contains("***"), "{}", error.message);
    for (status, body, class) in [
        (429, r#"{"error":{"message":"","code":"insufficient_quota"}}"#, ErrorClass::OutOfCredit),
        (400, r#"{"error":{"message":"","code":"context_length_exceeded"}}"#, ErrorClass::TooLong),
        (400, r#"{"error":{"message":"","code":"content_filter"}}"#, ErrorClass::ContentFiltered),
        (400, "<html>", ErrorClass::BadRequest),
        (401, "{}", ErrorClass::Unauthorized),
        (404, r#"{"error":{"code":"model_not_found"}}"#, ErrorClass::NotFound),
        (408, "", ErrorClass::Timeout),
        (500, "", ErrorClass::Server),
        (503, "", ErrorClass::Overloaded),
        (529, "", ErrorClass::Overloaded),
        (302, "", ErrorClass::Garbage),
    ] {
        let error = fails(json(status, body)).await;
        assert_eq!((error.class, error.status), (class, Some(status)), "{body}");
    }
}

#[tokio::test]
async fn answers_that_are_none_are_garbage() {
    let page = whole(200, "content-type: text/html\r\n", "<html>");
    assert!(fails(page).await.message.contains("base URL"));
    for body in ["", "{", "[]", "{}", r#"{"choices":{}}"#, r#"{"choices":[{"message":{"content":7}}]}"#] {
        assert_eq!(fails(json(200, body)).await.class, ErrorClass::Garbage, "{body}");
    }
    let packed = whole(200, "content-type: application/json\r\ncontent-encoding: br\r\n", "x");
    assert_eq!(fails(packed).await.class, ErrorClass::Garbage);
    let broken = whole(200, "content-type: application/json\r\ncontent-encoding: gzip\r\n", "not packed at all");
    assert_eq!(fails(broken).await.class, ErrorClass::Garbage);
}

#[tokio::test]
async fn connections_that_break_are_told_as_such() {
    assert_eq!(fails(vec![Step::Close]).await.class, ErrorClass::Unreachable);
    let half = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{".to_vec();
    assert_eq!(fails(vec![Step::Send(half), Step::Close]).await.class, ErrorClass::Unreachable);
    let nowhere = ProviderConfig::new("a", Protocol::Anthropic);
    let places = Arc::new(At("http://127.0.0.1:1/".to_owned()));
    let nowhere = Provider::try_new(nowhere, places, Arc::new(Standing::default())).unwrap();
    assert_eq!(nowhere.chat(&words(), "m").await.unwrap_err().class, ErrorClass::Unreachable);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[tokio::test]
async fn packed_answers_are_unpacked_whole_and_in_pieces_but_not_without_end() {
    let headers = "content-type: application/json\r\ncontent-encoding: gzip\r\n";
    let server = Server::start(move |_, _| whole(200, headers, gzip(ANSWER.as_bytes()))).await;
    assert_eq!(provider(&server, |_| {}).chat(&words(), "m").await.unwrap().answer.text(), "hi");
    let bomb = gzip(&vec![b' '; 64 << 20]);
    let server = Server::start(move |_, _| whole(200, headers, &bomb)).await;
    let error = provider(&server, |config| config.answer_bytes_max = 1 << 20).chat(&words(), "m").await.unwrap_err();
    assert!(error.class == ErrorClass::Garbage && error.message.contains("larger"), "{error}");
    let server = Server::start(|_, _| {
        let packed = gzip([CHUNK, LAST, DONE].concat().as_bytes());
        let (one, two) = packed.split_at(packed.len() / 2);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n";
        vec![Step::Send(head.into()), chunk(one), chunk(two), end()]
    })
    .await;
    assert_eq!(drain(&provider(&server, |_| {})).await.0.text(), "hi");
}

#[tokio::test]
async fn each_of_the_three_times_is_kept() {
    let short = Timeouts { total_ms: 100, first_token_ms: 100, ..Timeouts::default() };
    let long = Timeouts { total_ms: 100, stream_ms: 2_000, ..Timeouts::default() };
    let slow = |times: Timeouts, steps: Vec<Step>| async move {
        let server = Server::start(move |_, _| steps.clone()).await;
        let provider = provider(&server, |config| config.timeouts = times);
        let whole = provider.chat(&words(), "m").await.err();
        let (answer, stream) = drain(&provider).await;
        server.client_gone().await;
        (whole.map(|error| error.message), answer.text(), stream.map(|error| (error.class, error.message)))
    };
    let timeout = |what: &str| Some((ErrorClass::Timeout, format!("the provider did not {what}")));
    let (whole, _, stream) = slow(short, vec![Step::Hang]).await;
    assert_eq!(whole.unwrap(), "the provider did not answer within 100 ms");
    assert_eq!(stream, timeout("begin to answer within 100 ms"));
    let headless =
        "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
    let (_, _, stream) = slow(short, vec![chunked("text/event-stream"), chunk(headless), Step::Hang]).await;
    assert_eq!(stream, timeout("begin to answer within 100 ms"), "a piece that says nothing is no beginning");
    let (_, text, stream) = slow(long, vec![chunked("text/event-stream"), chunk(CHUNK), Step::Hang]).await;
    assert_eq!((text.as_str(), stream), ("hi", timeout("finish its answer within 2000 ms")));
}

#[tokio::test]
async fn what_goes_wrong_in_mid_stream_is_told_after_what_came_before() {
    let stream = |steps: Vec<Step>| async move {
        let server = Server::start(move |_, _| steps.clone()).await;
        let (answer, error) = drain(&provider(&server, |_| {})).await;
        (answer.text(), error.map(|error| error.class))
    };
    let head = || chunked("text/event-stream");
    let hi = |class| ("hi".to_owned(), Some(class));
    let garbage = [CHUNK, "data: {not json\n\n"].concat();
    assert_eq!(stream(vec![head(), chunk(garbage), end()]).await, hi(ErrorClass::Garbage));
    assert_eq!(
        stream(vec![head(), chunk([CHUNK.as_bytes(), b"data: \xff\n\n"].concat()), end()]).await,
        hi(ErrorClass::Garbage)
    );
    assert_eq!(stream(vec![head(), chunk(CHUNK), Step::Close]).await, hi(ErrorClass::Unreachable));
    assert_eq!(
        stream(vec![head(), chunk(CHUNK), end()]).await,
        hi(ErrorClass::Unreachable),
        "it never said why it ended"
    );
    let half = Step::Send(b"40\r\ndata: {\"id\"".to_vec());
    assert_eq!(stream(vec![head(), chunk(CHUNK), half, Step::Close]).await, hi(ErrorClass::Unreachable));
    let failed = "data: {\"error\":{\"message\":\"sorry\",\"type\":\"overloaded_error\"}}\n\n";
    assert_eq!(stream(vec![head(), chunk(CHUNK), chunk(failed), end()]).await, hi(ErrorClass::Overloaded));
    let mut huge = vec![head(), chunk(CHUNK), chunk("data: ")];
    huge.extend((0..5).map(|_| chunk(vec![b'x'; 1 << 20])));
    assert_eq!(stream(huge).await, hi(ErrorClass::Garbage));
    let whole_instead = json(200, ANSWER);
    assert_eq!(stream(whole_instead).await.1, Some(ErrorClass::Garbage));
    assert_eq!(
        stream(vec![head(), chunk(CHUNK), chunk(LAST), end()]).await,
        ("hi".to_owned(), None),
        "[DONE] may be missing"
    );
}

#[tokio::test]
async fn a_stream_is_given_as_it_comes_and_dropping_it_closes_the_connection() {
    let go_on = Arc::new(Notify::new());
    let waits = go_on.clone();
    let server = Server::start(move |_, _| {
        let first = CHUNK.split_at(40);
        vec![
            chunked("text/event-stream"),
            chunk(first.0),
            chunk(first.1),
            Step::Wait(waits.clone()),
            chunk(CHUNK),
            Step::Hang,
        ]
    })
    .await;
    let provider = provider(&server, |_| {});
    let mut pieces = provider.stream(&streamed(), "m").await.unwrap().pieces;
    let first = pieces.next().await.unwrap().unwrap();
    assert!(first.deltas.iter().any(Delta::is_content), "it is here before the next is sent");
    go_on.notify_one();
    pieces.next().await.unwrap().unwrap();
    drop(pieces);
    server.client_gone().await;
}

#[tokio::test]
async fn vectors_come_as_numbers_or_as_base64() {
    let server = Server::start(|number, _| {
        json(200, if number == 0 {
            r#"{"data":[{"index":1,"embedding":[0.5,-2]},{"index":0,"embedding":"AACAPwAAAMA="}],"model":"e","usage":{"prompt_tokens":2}}"#
        } else {
            r#"{"data":[{"index":0,"embedding":[1]}]}"#
        })
    })
    .await;
    let request = EmbedRequest {
        model: "e".to_owned(),
        input: EmbedInput::Texts(vec!["one".to_owned(), "two".to_owned()]),
        dimensions: None,
        encoding: None,
        user: None,
        extra: serde_json::Map::new(),
    };
    let provider = provider(&server, |_| {});
    let embedded = provider.embed(&request, "e").await.unwrap();
    assert_eq!(embedded.answer.vectors, [vec![1.0, -2.0], vec![0.5, -2.0]]);
    let error = provider.embed(&request, "e").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Garbage, "there is one too few");
}
