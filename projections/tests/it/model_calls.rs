//! Calls to language models as rows, and what they took in sums: now, and as of every earlier position.

use timeloom_domain::chat::{ErrorClass, Usage};
use timeloom_domain::ids::{ModelCallId, WorkflowId};
use timeloom_domain::model_call::{
    CallAnswer, CallAttempt, CallContent, CallKind, CallRequest, ModelCall, ModelCallEvent,
};
use timeloom_domain::money::Money;
use timeloom_projections::{
    AsOf, ModelCallFilter, ModelCallStatus, ModelSpendRow, Page, ReadModels, SpendBy, SpendFilter, SpendKey,
};
use uuid::Uuid;

use crate::inferences::worker_id;
use crate::places::Place;
use crate::world::{TENANT, caught_up, log_of, position, slug, told};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

fn call_id(number: usize) -> ModelCallId {
    ModelCallId(Uuid::from_u128(0xCA11_0000 + number as u128))
}

fn workflow(number: usize) -> WorkflowId {
    WorkflowId(Uuid::from_u128(0x3F10_0000 + number as u128))
}

fn call(number: usize, day: i64) -> Box<ModelCall> {
    let usage = Usage { input_tokens: 10, output_tokens: number as u64, ..Usage::default() };
    let attempt = CallAttempt {
        provider: "fast".to_owned(),
        model: "small".to_owned(),
        reason: "only".to_owned(),
        left_out: Vec::new(),
        first_token_us: None,
        took_us: 900,
        failure: None,
        answered_by: Some("small-2".to_owned()),
        finish: Some("stop".to_owned()),
        usage: Some(usage),
        cost: Some(Money(number as u64)),
        request_id: None,
        system_fingerprint: None,
        violations: Vec::new(),
    };
    Box::new(ModelCall {
        id: call_id(number),
        request: CallRequest {
            kind: CallKind::Chat,
            route: format!("route-{}", number % 2),
            stream: false,
            workflow: number.is_multiple_of(2).then(|| workflow(number)),
            execution: None,
            node: None,
            agent: Some(slug(number % 3)),
            agent_run: None,
            key: None,
            split_key: None,
            parameters: serde_json::Map::new(),
            digest: None,
            prompt: CallContent::Inline("{}".to_owned()),
            at_ms: day * DAY_MS + 5,
        },
        attempts: vec![attempt],
        usage: Some(usage),
        cost: Some(Money(number as u64)),
        currency: Some("USD".to_owned()),
        charged_tokens: 10,
        charged_money: None,
        took_us: 1_000,
    })
}

/// An event of a story: about a call, or about how a target does.
pub fn model_call_event(number: usize, how: usize) -> ModelCallEvent {
    let call = call(number, (how % 3) as i64);
    match how % 5 {
        0 | 1 => completed(*call),
        2 => ModelCallEvent::ModelCallFailed {
            call,
            class: ErrorClass::Overloaded,
            reason: "too much to do".to_owned(),
            retry_after_ms: Some(7),
        },
        3 => ModelCallEvent::ModelCallCancelled { call },
        _ => ModelCallEvent::CircuitClosed { provider: "fast".to_owned(), model: "small".to_owned() },
    }
}

fn completed(call: ModelCall) -> ModelCallEvent {
    let answer = CallAnswer {
        content: CallContent::Inline("{}".to_owned()),
        model: "small-2".to_owned(),
        finish: Some("stop".to_owned()),
        cached_from: None,
    };
    ModelCallEvent::ModelCallCompleted { call: Box::new(call), answer: Box::new(answer) }
}

fn refused(mut call: ModelCall) -> ModelCallEvent {
    (call.attempts, call.usage, call.cost, call.currency) = (Vec::new(), None, None, None);
    let (code, reason) = ("LIMIT_REACHED".to_owned(), "too many".to_owned());
    ModelCallEvent::ModelCallRefused { call: Box::new(call), code, reason, retry_after_ms: Some(9) }
}

async fn listed(models: &ReadModels, as_of: AsOf, filter: &ModelCallFilter) -> Vec<ModelCallId> {
    let found = models.model_calls(TENANT, as_of, &Page::first(50), filter).await.unwrap();
    found.rows.into_iter().map(|row| row.id).collect()
}

async fn sums(
    models: &ReadModels,
    as_of: AsOf,
    by: SpendBy,
    filter: &SpendFilter,
) -> Vec<(SpendKey, u64, Option<u64>)> {
    let found = models.model_spend(TENANT, as_of, by, filter).await.unwrap();
    let sum = |row: ModelSpendRow| (row.of, row.calls, row.cost.map(|cost| cost.0));
    found.into_iter().map(sum).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_found_and_summed_now_and_as_of_any_position() {
    let story = [
        told(worker_id(0), &completed(*call(1, 0))),
        told(worker_id(0), &completed(*call(2, 1))),
        told(worker_id(1), &refused(*call(3, 1))),
        // A call ends once.
        told(worker_id(1), &completed(*call(3, 1))),
        told(worker_id(1), &completed(*call(4, 2))),
    ];
    let name = |name: &str| SpendKey::Name(name.to_owned());
    for place in Place::both().await {
        let models = caught_up(place.store(), &log_of(&story).await).await;
        let all = ModelCallFilter::default();
        assert_eq!(listed(&models, None, &all).await, [4, 3, 2, 1].map(call_id));
        assert_eq!(listed(&models, Some(position(2)), &all).await, [2, 1].map(call_id));
        let by_route = ModelCallFilter { route: Some("route-0".to_owned()), ..all.clone() };
        assert_eq!(listed(&models, None, &by_route).await, [4, 2].map(call_id));
        let held_back = ModelCallFilter { status: Some(ModelCallStatus::Refused), ..all.clone() };
        assert_eq!(listed(&models, None, &held_back).await, [3].map(call_id));
        let of_workflow = ModelCallFilter { workflow: Some(workflow(4)), ..all };
        assert_eq!(listed(&models, None, &of_workflow).await, [4].map(call_id));

        let row = models.model_calls_by_id(TENANT, &[call_id(3)], None).await.unwrap().pop().unwrap();
        assert_eq!((row.problem.as_deref(), row.retry_after_ms, row.attempts), (Some("LIMIT_REACHED"), Some(9), 0));

        let every = SpendFilter::default();
        let by_route = sums(&models, None, SpendBy::Route, &every).await;
        assert_eq!(
            by_route,
            [(name("route-0"), 2, Some(6)), (name("route-1"), 1, Some(1)), (name("route-1"), 1, None)]
        );
        let then = sums(&models, Some(position(2)), SpendBy::Route, &every).await;
        assert_eq!(then, [(name("route-0"), 1, Some(2)), (name("route-1"), 1, Some(1))]);
        let late = SpendFilter { from_ms: Some(DAY_MS), ..SpendFilter::default() };
        let by_day = sums(&models, None, SpendBy::Day, &late).await;
        let day = |day| SpendKey::Day(day * DAY_MS);
        assert_eq!(by_day, [(day(2), 1, Some(4)), (day(1), 1, Some(2)), (day(1), 1, None)]);
        let by_workflow = sums(&models, None, SpendBy::Workflow, &every).await;
        assert_eq!(by_workflow[0], (SpendKey::Workflow(workflow(4)), 1, Some(4)));
        assert_eq!(sums(&models, None, SpendBy::Key, &every).await[0].0, SpendKey::Nothing);
        models.close().await.unwrap();
    }
}
