//! Which targets are asked, in which order, and what is told of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use timeloom_domain::chat::ErrorClass;
use timeloom_gateway::CallError;
use timeloom_gateway::GatewayError;
use timeloom_gateway::route::{Balance, InvalidRoute, RouteConfig, RouteError, Tier};

use crate::support::{Bench, Does, Model, fails, in_order, target};

fn request() -> serde_json::Value {
    json!({"model": "chat", "messages": [{"role": "user", "content": "hello"}]})
}

fn answers() -> Arc<Model> {
    Model::new([Does::Answer("hi")])
}

async fn facts(bench: &Bench) -> Vec<String> {
    let _ = bench.gateway.chat(bench.ask(request())).await;
    bench.facts()
}

#[tokio::test]
async fn the_next_provider_is_asked_after_failures_that_others_may_not_have() {
    for (class, wanted) in [
        (ErrorClass::Timeout, vec!["1 a fell_back", "1 failed timeout", "2 b fell_back", "2 completed stop 50000"]),
        (
            ErrorClass::Unauthorized,
            vec!["1 a fell_back", "1 failed unauthorized", "2 b fell_back", "2 completed stop 50000"],
        ),
        (ErrorClass::BadRequest, vec!["1 a fell_back", "1 failed bad_request"]),
        (ErrorClass::ContentFiltered, vec!["1 a fell_back", "1 failed content_filtered"]),
    ] {
        let bench =
            Bench::new(&[("a", Model::new([fails(class)])), ("b", answers())], vec![in_order(&["a", "b"])], vec![]);
        let wanted: Vec<String> = wanted.into_iter().map(|fact| fact.replace("1 a fell_back", "1 a only")).collect();
        assert_eq!(facts(&bench).await, wanted);
    }
}

#[tokio::test]
async fn a_target_that_may_do_better_is_asked_again_once() {
    let flaky = Model::new([fails(ErrorClass::Server), Does::Answer("hi")]);
    let bench = Bench::new(&[("a", flaky), ("b", answers())], vec![in_order(&["a", "b"])], vec![]);
    let wanted = ["1 a only", "1 failed server", "2 a retry", "2 completed stop 20000"];
    assert_eq!(facts(&bench).await, wanted);
    let broken = Model::new([fails(ErrorClass::Server)]);
    let bench = Bench::new(&[("a", broken), ("b", answers())], vec![in_order(&["a", "b"])], vec![]);
    let wanted =
        ["1 a only", "1 failed server", "2 a retry", "2 failed server", "3 b fell_back", "3 completed stop 50000"];
    assert_eq!(facts(&bench).await, wanted);
}

#[tokio::test]
async fn who_wants_to_be_left_alone_for_a_while_is() {
    let mut busy = CallError::new(ErrorClass::RateLimited, "slowly");
    busy.retry_after_ms = Some(3_000);
    let a = Model::new([Does::Fail(busy.clone()), Does::Answer("hi")]);
    let bench = Bench::new(&[("a", a), ("b", answers())], vec![in_order(&["a", "b"])], vec![]);
    assert_eq!(facts(&bench).await, ["1 a only", "1 failed rate_limited", "2 b fell_back", "2 completed stop 50000"]);
    bench.clock.pass_ms(2_999);
    assert_eq!(facts(&bench).await, ["1 b fell_back", "1 completed stop 50000"]);
    bench.clock.pass_ms(1);
    assert_eq!(facts(&bench).await, ["1 a only", "1 completed stop 20000"]);
    busy.retry_after_ms = Some(20);
    let bench = Bench::new(&[("a", Model::new([Does::Fail(busy)]))], vec![in_order(&["a"])], vec![]);
    assert_eq!(facts(&bench).await, ["1 a only", "1 failed rate_limited", "2 a retry", "2 failed rate_limited"]);
    let error = bench.gateway.chat(bench.ask(request())).await.unwrap_err();
    assert_eq!((error.class(), error.status(), error.retry_after_ms()), (ErrorClass::Overloaded, 503, Some(20)));
}

#[tokio::test]
async fn retries_are_a_fifth_of_the_calls_however_much_fails() {
    let broken = Model::new([fails(ErrorClass::Overloaded)]);
    let mut route = in_order(&["a"]);
    route.breaker.failures_in_a_row_max = u32::MAX;
    route.breaker.failures_percent_max = 101;
    let bench = Bench::new(&[("a", broken.clone())], vec![route], vec![]);
    for _ in 0..200 {
        facts(&bench).await;
    }
    assert!((240..=243).contains(&broken.asked()), "{}", broken.asked());
}

#[tokio::test]
async fn a_target_that_fails_often_is_left_alone_and_tried_again() {
    let plan = [(); 5].map(|()| fails(ErrorClass::Timeout)).into_iter().chain([Does::Answer("hi")]);
    let bench = Bench::new(&[("a", Model::new(plan))], vec![in_order(&["a"])], vec![]);
    for _ in 0..4 {
        assert_eq!(facts(&bench).await, ["1 a only", "1 failed timeout"]);
    }
    assert_eq!(facts(&bench).await, ["1 a only", "1 failed timeout", "a opened 5000"]);
    let error = bench.gateway.chat(bench.ask(request())).await.unwrap_err();
    assert_eq!(error, GatewayError::Route(RouteError::NoneLeft { retry_after_ms: 5_000 }));
    assert_eq!(bench.facts(), Vec::<String>::new());
    bench.clock.pass_ms(5_000);
    assert_eq!(facts(&bench).await, ["a half-opened", "1 a probe", "a closed", "1 completed stop 20000"]);
    assert_eq!(facts(&bench).await, ["1 a only", "1 completed stop 20000"]);
}

fn split(weights: [u32; 2]) -> RouteConfig {
    let targets = vec![target("a", weights[0]), target("b", weights[1])];
    RouteConfig::new("chat", vec![Tier { balance: Balance::Split, targets }])
}

async fn provider_of(bench: &Bench, key: &str) -> String {
    let mut ask = bench.ask(request());
    ask.key = Some(key.to_owned());
    bench.gateway.chat(ask).await.unwrap();
    bench.facts()[0].clone()
}

#[tokio::test]
async fn the_same_key_falls_to_the_same_target_of_a_split() {
    let first = Bench::new(&[("a", answers()), ("b", answers())], vec![split([90, 10])], vec![]);
    let second = Bench::new(&[("a", answers()), ("b", answers())], vec![split([90, 10])], vec![]);
    let mut canary = 0;
    for number in 0..1_000 {
        let key = format!("execution-{number}/node-1");
        let chosen = provider_of(&first, &key).await;
        canary += i32::from(chosen == "1 b split");
        assert_eq!(chosen, provider_of(&second, &key).await);
    }
    assert!((70..=130).contains(&canary), "{canary} of 1000 at 10 %");
    assert_eq!(provider_of(&first, "execution-0/node-1").await, "1 b split", "the hash is the same for ever");
}

#[tokio::test]
async fn only_its_own_calls_try_a_target_of_a_split_again() {
    let mut route = split([50, 50]);
    route.breaker.failures_in_a_row_max = 1;
    let b = Model::new([fails(ErrorClass::Timeout), Does::Answer("hi")]);
    let bench = Bench::new(&[("a", answers()), ("b", b)], vec![route.clone()], vec![]);
    let healthy = Bench::new(&[("a", answers()), ("b", answers())], vec![route], vec![]);
    let mut keys = BTreeMap::new();
    for number in 0..20 {
        let key = format!("execution-{number}/node-1");
        keys.entry(provider_of(&healthy, &key).await).or_insert(key);
    }
    let (of_a, of_b) = (&keys["1 a split"], &keys["1 b split"]);
    assert_eq!(provider_of(&bench, of_b).await, "1 b split", "it fails, and the other one answers");
    assert_eq!(provider_of(&bench, of_b).await, "1 a fell_back", "it is left alone");
    bench.clock.pass_ms(5_000);
    assert_eq!(provider_of(&bench, of_a).await, "1 a split");
    assert_eq!(provider_of(&bench, of_b).await, "b half-opened");
    assert_eq!(provider_of(&bench, of_b).await, "1 b split");
}

#[tokio::test]
async fn load_goes_to_the_idle_and_to_each_what_it_can_bear() {
    let count = async |weights: [u32; 2], busy: [usize; 2]| {
        let targets = vec![target("a", weights[0]), target("b", weights[1])];
        let route = RouteConfig::new("chat", vec![Tier { balance: Balance::Load, targets }]);
        let plan = |hangs: usize| vec![Does::Hang; hangs].into_iter().chain([Does::Answer("hi")]);
        let models = [("a", Model::new(plan(busy[0]))), ("b", Model::new(plan(busy[1])))];
        let bench = Bench::new(&models, vec![route], vec![]);
        let mut open = Vec::new();
        let mut counts = BTreeMap::new();
        for _ in 0..50 {
            let mut call = Box::pin(bench.gateway.chat(bench.ask(request())));
            let polled = futures::poll!(&mut call);
            let chosen = bench.facts()[0].clone();
            *counts.entry(chosen).or_insert(0) += 1;
            if polled.is_pending() {
                open.push(call);
            }
        }
        counts
    };
    let idle = count([1, 1], [0, 0]).await;
    assert!(idle.keys().all(|fact| fact.ends_with("least_loaded")), "{idle:?}");
    let busy = count([1, 1], [3, 0]).await;
    assert!(busy["1 b least_loaded"] > 40, "the one that hangs gets no more: {busy:?}");
    let full = count([4, 1], [50, 50]).await;
    assert_eq!((full["1 a least_loaded"], full["1 b least_loaded"]), (40, 10));
}

#[tokio::test]
async fn how_all_targets_do_can_be_asked() {
    let models = [("a", Model::new([fails(ErrorClass::Timeout)])), ("b", answers())];
    let bench = Bench::new(&models, vec![in_order(&["a", "b"])], vec![]);
    facts(&bench).await;
    let health = bench.gateway.health();
    assert_eq!(health[0].last_error, Some(ErrorClass::Timeout));
    assert_eq!((health[1].in_flight, health[1].latency_us, health[1].last_error), (0, Some(0), None));
}

#[test]
fn routes_that_lead_nowhere_are_refused() {
    let with = |change: fn(&mut RouteConfig)| {
        let mut route = split([1, 1]);
        change(&mut route);
        route.check().unwrap_err()
    };
    assert!(matches!(with(|route| route.name.clear()), InvalidRoute::Name));
    assert!(matches!(with(|route| route.tiers[0].targets.clear()), InvalidRoute::NoTargets(_)));
    assert!(matches!(with(|route| route.tiers[0].targets[0].weight = 0), InvalidRoute::Weight { .. }));
    assert!(matches!(with(|route| route.tiers[0].targets[1].provider = "a".to_owned()), InvalidRoute::Twice { .. }));
    assert!(matches!(with(|route| route.attempts_max = 0), InvalidRoute::Attempts { .. }));
    assert_eq!(split([1, 1]).check(), Ok(()));
}
