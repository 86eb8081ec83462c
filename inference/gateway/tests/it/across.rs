//! From a client of one protocol to a provider of another, over HTTP, when the first one fails.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use serde_json::{Value, json};
use timeloom_gateway::facts::Told;
use timeloom_gateway::limits::Limits;
use timeloom_gateway::openai::{ChatBody, ChunkWriter, Dialect, decode_answer};
use timeloom_gateway::provider::{Protocol, Provider, ProviderConfig};
use timeloom_gateway::upstream::{Prompt, Upstream};
use timeloom_gateway::{Ask, Gateway, Reply, Setup};

use crate::support::{At, Drawn, Standing, in_order, shortened};
use crate::upstream::{Server, chunk, chunked, end, json as answers};

const REQUEST: &str = r#"{"model":"chat","messages":[{"role":"system","content":"be kind"},{"role":"user","content":"hello"}],"seed":7,"max_tokens":9}"#;
const ANSWER: &str = r#"{"id":"msg_1","model":"claude-1","content":[{"type":"text","text":"good morning"}],"stop_reason":"end_turn","usage":{"input_tokens":8,"output_tokens":2}}"#;

/// A gateway to a provider of OpenAI's protocol that fails, and to one of Anthropic's.
async fn gateway(anthropic: &Server) -> (Gateway, Server) {
    let broken = Server::start(|_, _| answers(401, r#"{"error":{"message":"no"}}"#)).await;
    let clock = Arc::new(Standing::default());
    let provider = |name: &str, protocol, server: &Server| {
        let config = ProviderConfig::new(name, protocol);
        let provider = Provider::try_new(config, Arc::new(At(server.url.clone())), clock.clone()).unwrap();
        (name.to_owned(), Arc::new(provider) as Arc<dyn Upstream>)
    };
    let providers = BTreeMap::from([
        provider("a", Protocol::OpenAi(Dialect::default()), &broken),
        provider("b", Protocol::Anthropic, anthropic),
    ]);
    let gateway = Gateway::new(Limits::try_new(Vec::new()).unwrap(), 0, clock, Arc::new(Drawn::default()));
    gateway.configure(Setup { providers, routes: vec![in_order(&["a", "b"])], ..Setup::default() }).unwrap();
    (gateway, broken)
}

fn ask(request: &str, told: &Arc<Told>) -> Ask {
    Ask {
        call_id: "call-1".to_owned(),
        prompt: Prompt::body(ChatBody::new(Bytes::copy_from_slice(request.as_bytes())).unwrap()),
        route: None,
        holders: Vec::new(),
        key: None,
        cache: None,
        sink: told.clone(),
    }
}

#[tokio::test]
async fn a_client_of_one_protocol_is_answered_by_a_provider_of_another() {
    let anthropic = Server::start(|_, _| answers(200, ANSWER)).await;
    let (gateway, broken) = gateway(&anthropic).await;
    let told = Arc::new(Told::default());
    let Reply::Whole(answered) = gateway.chat(ask(REQUEST, &told)).await.unwrap() else { panic!("it came in pieces") };
    let passed_on: Value = serde_json::from_slice(&broken.requests()[0].body).unwrap();
    assert_eq!((&passed_on["model"], &passed_on["seed"]), (&json!("m"), &json!(7)));
    let written: Value = serde_json::from_slice(&anthropic.requests()[0].body).unwrap();
    assert_eq!(
        written,
        json!({
            "model": "m", "max_tokens": 9, "system": [{"type": "text", "text": "be kind"}],
            "messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}],
        })
    );
    assert!(anthropic.requests()[0].head.starts_with("POST /v1/messages "), "the version is in the base URL already");
    let answer = decode_answer(&answered.openai_body("call-1", 5)).unwrap();
    assert_eq!((answer.text().as_str(), answer.created_s), ("good morning", Some(5)));
    assert_eq!((answer.id.as_str(), answer.usage.unwrap().input_tokens), ("msg_1", 8));
    let facts: Vec<String> = shortened(&told);
    let wanted = ["1 a only", "1 failed unauthorized", "2 b fell_back", "left out seed", "2 completed stop ?"];
    assert_eq!(facts, wanted);
}

#[tokio::test]
async fn a_stream_is_written_anew_for_a_client_of_another_protocol() {
    let anthropic = Server::start(|_, _| {
        let event = |value: Value| chunk(format!("data: {value}\n\n"));
        vec![
            chunked("text/event-stream; charset=utf-8"),
            event(json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude-1"}})),
            event(json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "good"}})),
            event(json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " day"}})),
            event(
                json!({"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 2}}),
            ),
            event(json!({"type": "message_stop"})),
            end(),
        ]
    })
    .await;
    let (gateway, _broken) = gateway(&anthropic).await;
    let told = Arc::new(Told::default());
    let request = REQUEST.replace("\"seed\":7", "\"stream\":true");
    let Reply::Stream(mut pieces) = gateway.chat(ask(&request, &told)).await.unwrap() else { panic!("it came whole") };
    let mut writer = ChunkWriter::new("call-1", "chat", 5, false);
    let mut events = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.unwrap();
        assert_eq!(piece.raw, None, "its bytes are not of the client's protocol");
        events.extend(piece.deltas.iter().map(|delta| writer.write(delta)).filter(|event| !event.is_empty()));
    }
    let chunks: Vec<Value> = events
        .iter()
        .map(|event| serde_json::from_str(std::str::from_utf8(event).unwrap().strip_prefix("data: ").unwrap()).unwrap())
        .collect();
    let said: Vec<&Value> = chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]["content"]).collect();
    assert_eq!(said, [&json!(""), &json!("good"), &json!(" day"), &Value::Null]);
    assert!(chunks.iter().all(|chunk| chunk["id"] == "msg_1" && chunk["object"] == "chat.completion.chunk"));
    assert_eq!(chunks[3]["choices"][0]["finish_reason"], "length");
}
