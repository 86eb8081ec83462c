//! The gateway as a whole: limits, cache, schema, streams.

use std::sync::Arc;

use futures::{FutureExt as _, StreamExt as _};
use serde_json::{Value, json};
use timeloom_domain::chat::ErrorClass;
use timeloom_domain::chat::{Assembler, EmbedInput, EmbedRequest};
use timeloom_gateway::CallError;
use timeloom_gateway::cache::CacheUse;
use timeloom_gateway::cost::Money;
use timeloom_gateway::gateway::InvalidSetup;
use timeloom_gateway::limits::{Holder, HolderKind, Limit, Most};
use timeloom_gateway::{Ask, AskEmbed, GatewayError, Reply, Setup};

use crate::support::{Bench, Does, Model, fails, in_order};

fn request() -> Value {
    json!({"model": "chat", "max_tokens": 20, "messages": [{"role": "user", "content": "hello"}]})
}

fn with(name: &str, value: Value) -> Value {
    let mut request = request();
    request[name] = value;
    request
}

fn bench(plan: impl IntoIterator<Item = Does>) -> (Bench, Arc<Model>) {
    let model = Model::new(plan);
    (Bench::new(&[("a", model.clone())], vec![in_order(&["a"])], vec![]), model)
}

async fn text(bench: &Bench, ask: Ask) -> Result<String, GatewayError> {
    match bench.gateway.chat(ask).await? {
        Reply::Whole(answered) => Ok(answered.answer.text()),
        Reply::Stream(_) => panic!("it came piece by piece"),
    }
}

/// The text of a stream, and the error with which it ended.
async fn read(bench: &Bench, ask: Ask) -> (String, Option<CallError>) {
    let Reply::Stream(mut stream) = bench.gateway.chat(ask).await.unwrap() else { panic!("it came as a whole") };
    let mut assembler = Assembler::default();
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(piece) => piece.deltas.iter().for_each(|delta| assembler.take(delta).unwrap()),
            Err(error) => {
                assert!(stream.next().await.is_none());
                return (assembler.finish().text(), Some(error));
            }
        }
    }
    (assembler.finish().text(), None)
}

#[tokio::test]
async fn a_budget_holds_calls_back_and_says_until_when() {
    let tenant = Holder::new(HolderKind::Tenant, "acme");
    // The guess of a call: 2 tokens in and 20 out; what it takes in truth: 10 in and 5 out.
    let amount = Money(60_000);
    let limit = Limit { kind: HolderKind::Tenant, id: None, most: Most::Money { amount, window_ms: 3_600_000 } };
    let model = Model::new([Does::Answer("hi")]);
    let bench = Bench::new(&[("a", model.clone())], vec![in_order(&["a"])], vec![limit]);
    let ask = || Ask { holders: vec![tenant.clone()], ..bench.ask(request()) };
    assert_eq!(text(&bench, ask()).await.unwrap(), "hi");
    let error = text(&bench, ask()).await.unwrap_err();
    assert_eq!((error.class(), error.status()), (ErrorClass::RateLimited, 429));
    assert!(error.retry_after_ms().unwrap() <= 3_600_000);
    assert_eq!(error.to_string().split(':').next().unwrap(), "the tenant 'acme' has reached its limit of money");
    assert_eq!(bench.facts(), ["1 a only", "1 completed stop 20000", "limit"]);
    assert_eq!(model.asked(), 1, "nobody is asked without money");
    let others = Ask { holders: vec![Holder::new(HolderKind::Tenant, "umbrella")], ..bench.ask(request()) };
    assert_eq!(text(&bench, others).await.unwrap(), "hi");
}

#[tokio::test]
async fn calls_that_come_to_nothing_take_nothing() {
    let agent = Holder::new(HolderKind::Agent, "clerk");
    let limit = Limit { kind: HolderKind::Agent, id: None, most: Most::TokensPerMinute(30) };
    let model = Model::new([fails(ErrorClass::Timeout), Does::Answer("hi")]);
    let bench = Bench::new(&[("a", model)], vec![in_order(&["a"])], vec![limit]);
    let ask = || Ask { holders: vec![agent.clone()], ..bench.ask(request()) };
    assert!(text(&bench, ask()).await.is_err());
    assert!(text(&bench, ask()).await.is_ok());
    assert!(
        matches!(text(&bench, ask()).await, Err(GatewayError::Limit(_))),
        "15 of 30 are taken, and 22 may be needed"
    );
    bench.clock.pass_ms(61_000);
    assert!(text(&bench, ask()).await.is_ok());
}

#[tokio::test]
async fn answers_that_the_request_decides_are_kept_and_others_are_not() {
    let (bench, model) = bench([Does::Answer("one"), Does::Answer("two")]);
    let cache = Some(CacheUse::Deterministic { age_ms_max: 1_000 });
    let fixed = || Ask { cache, ..bench.ask(with("temperature", json!(0))) };
    assert_eq!(text(&bench, fixed()).await.unwrap(), "one");
    assert_eq!(text(&bench, fixed()).await.unwrap(), "one");
    assert_eq!(bench.facts(), ["1 a only", "1 completed stop 20000", "cached call-1"]);
    let streamed = || {
        let mut request = with("temperature", json!(0));
        request["stream"] = json!(true);
        Ask { cache, ..bench.ask(request) }
    };
    assert_eq!(read(&bench, streamed()).await, ("one".to_owned(), None), "a stream finds the same");
    assert_eq!(model.asked(), 1);
    bench.clock.pass_ms(1_001);
    assert_eq!(read(&bench, streamed()).await, ("two".to_owned(), None), "it was too old");
    assert_eq!(text(&bench, fixed()).await.unwrap(), "two", "what a stream gave is kept too");
    assert_eq!(model.asked(), 2);
    let free = || Ask { cache, ..bench.ask(request()) };
    text(&bench, free()).await.unwrap();
    text(&bench, free()).await.unwrap();
    assert_eq!(model.asked(), 4);
    let always = || Ask { cache: Some(CacheUse::Always { age_ms_max: 1_000 }), ..bench.ask(request()) };
    text(&bench, always()).await.unwrap();
    text(&bench, always()).await.unwrap();
    assert_eq!(model.asked(), 5);
}

fn schema() -> Value {
    let schema = json!({"type": "object", "required": ["age"], "properties": {"age": {"type": "integer"}}});
    json!({"type": "json_schema", "json_schema": {"name": "person", "schema": schema}})
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_mended_once_and_the_model_told_what_was_wrong() {
    let (bench, model) = bench([Does::Answer(r#"{"age": "three"}"#), Does::Answer(r#"{"age": 3}"#)]);
    let answer = text(&bench, bench.ask(with("response_format", schema()))).await.unwrap();
    assert_eq!(answer, r#"{"age": 3}"#);
    let wanted =
        ["1 a only", "1 completed stop 20000", "1 violated repairing=true", "2 a only", "2 completed stop 20000"];
    assert_eq!(bench.facts(), wanted);
    let prompts = model.prompts.lock().unwrap();
    let said: Vec<String> = prompts[1].messages.iter().map(|message| message.joined_text()).collect();
    assert_eq!((said[0].as_str(), said[1].as_str()), ("hello", r#"{"age": "three"}"#));
    assert!(said[2].contains("'/age'") && said[2].contains("integer"), "{}", said[2]);
}

#[tokio::test]
async fn an_answer_that_never_fits_is_an_error_and_is_not_kept() {
    let (bench, model) = bench([Does::Answer("no JSON")]);
    let mut wanted = with("response_format", schema());
    wanted["temperature"] = json!(0);
    let ask = || Ask { cache: Some(CacheUse::Deterministic { age_ms_max: 1_000 }), ..bench.ask(wanted.clone()) };
    let error = text(&bench, ask()).await.unwrap_err();
    assert!(matches!(&error, GatewayError::Violated { violations } if violations.len() == 1), "{error}");
    assert_eq!(error.status(), 502);
    text(&bench, ask()).await.unwrap_err();
    assert_eq!(model.asked(), 4);
    wanted["stream"] = json!(true);
    bench.facts();
    let (text, error) = read(&bench, bench.ask(wanted)).await;
    assert_eq!((text.as_str(), error.unwrap().class), ("no JSON", ErrorClass::Garbage));
    assert_eq!(bench.facts().last().unwrap(), "1 violated repairing=false");
}

#[tokio::test]
async fn a_schema_that_is_none_is_refused_before_anybody_is_asked() {
    let (bench, model) = bench([Does::Answer("hi")]);
    let format = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "objekt"}}});
    let error = text(&bench, bench.ask(with("response_format", format))).await.unwrap_err();
    assert_eq!((error.class(), error.status(), model.asked()), (ErrorClass::BadRequest, 400, 0));
}

#[tokio::test]
async fn a_stream_falls_back_before_its_first_piece_and_never_after() {
    let models = [("a", Model::new([fails(ErrorClass::Timeout)])), ("b", Model::new([Does::Answer("hi")]))];
    let bench = Bench::new(&models, vec![in_order(&["a", "b"])], vec![]);
    let stream = with("stream", json!(true));
    assert_eq!(read(&bench, bench.ask(stream.clone())).await, ("hi".to_owned(), None));
    let wanted = ["1 a only", "1 failed timeout", "2 b fell_back", "2 first token", "2 completed stop 50000"];
    assert_eq!(bench.facts(), wanted);
    let models = [("a", Model::new([Does::Break("hi")])), ("b", Model::new([Does::Answer("hi")]))];
    let bench = Bench::new(&models, vec![in_order(&["a", "b"])], vec![]);
    let (text, error) = read(&bench, bench.ask(stream)).await;
    assert_eq!((text.as_str(), error.unwrap().class), ("hi", ErrorClass::Unreachable));
    assert_eq!(bench.facts(), ["1 a only", "1 first token", "1 failed unreachable"]);
}

#[tokio::test]
async fn who_goes_away_cancels_the_call_and_leaves_no_place_taken() {
    let key = Holder::new(HolderKind::Key, "k");
    let limit = Limit { kind: HolderKind::Key, id: None, most: Most::CallsAtOnce(1) };
    let model = Model::new([Does::Answer("hi"), Does::Hang, Does::Answer("hi")]);
    let bench = Bench::new(&[("a", model)], vec![in_order(&["a"])], vec![limit]);
    let ask = |request| Ask { holders: vec![key.clone()], ..bench.ask(request) };
    let Reply::Stream(mut stream) = bench.gateway.chat(ask(with("stream", json!(true)))).await.unwrap() else {
        panic!()
    };
    stream.next().await.unwrap().unwrap();
    assert!(matches!(text(&bench, ask(request())).await, Err(GatewayError::Limit(_))), "one at a time");
    drop(stream);
    assert_eq!(bench.facts(), ["1 a only", "1 first token", "limit", "1 cancelled"]);
    assert!(bench.gateway.chat(ask(request())).now_or_never().is_none(), "it hangs, and is given up");
    assert_eq!(bench.facts(), ["1 a only", "1 cancelled"]);
    assert_eq!(bench.gateway.health()[0].in_flight, 0);
    assert_eq!(text(&bench, ask(request())).await.unwrap(), "hi");
}

#[tokio::test]
async fn vectors_are_asked_for_counted_and_kept() {
    let (bench, model) = bench([Does::Answer("")]);
    let ask = || AskEmbed {
        call_id: "call-9".to_owned(),
        request: EmbedRequest {
            model: "chat".to_owned(),
            input: EmbedInput::Texts(vec!["one".to_owned(), "two".to_owned()]),
            dimensions: None,
            encoding: None,
            user: None,
            extra: serde_json::Map::new(),
        },
        holders: Vec::new(),
        key: None,
        cache: Some(CacheUse::Deterministic { age_ms_max: 10 }),
        sink: bench.told.clone(),
    };
    let first = bench.gateway.embed(ask()).await.unwrap();
    assert_eq!((first.vectors.len(), &bench.gateway.embed(ask()).await.unwrap()), (2, &first));
    assert_eq!(bench.facts(), ["1 a only", "1 completed - 20000", "cached call-9"]);
    assert_eq!(model.asked(), 1);
}

#[tokio::test]
async fn routes_that_are_not_there_or_lead_to_nobody_are_refused() {
    let (bench, _) = bench([Does::Answer("hi")]);
    let error = text(&bench, bench.ask(with("model", json!("other")))).await.unwrap_err();
    assert_eq!((error.status(), error.to_string().contains("'other'")), (404, true));
    let setup = Setup { routes: vec![in_order(&["nobody"])], ..Setup::default() };
    assert!(matches!(bench.gateway.configure(setup), Err(InvalidSetup::Route(_))));
    assert_eq!(bench.gateway.routes(), ["chat"], "what was there is there");
}
