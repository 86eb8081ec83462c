//! What was taken before this process began, and what other processes take, is charged as well: limits hold for all of them.

use std::sync::Arc;

use serde::Deserialize;
use timeloom_domain::event::Event as _;
use timeloom_domain::gateway::{GatewayConfiguration, LimitMost};
use timeloom_domain::ids::{Slug, TenantId, WorkflowId};
use timeloom_domain::model_call::ModelCallEvent;
use timeloom_domain::money::Money;
use timeloom_gateway::limits::{Holder, HolderKind, Want};
use timeloom_store::{Direction, Filter, Position, READ_EVENTS_MAX, RecordedEvent, SubscriptionMessage, TenantScope};
use tokio::time::Duration;

use super::ask::NotSaid;
use super::tenant::Tenant;
use super::{Inner, LanguageModels};

/// Events that may wait to be charged.
const QUEUE_EVENTS_MAX: usize = 1_024;
/// Pause before a log that failed is asked again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Limits of a minute look back so far, in milliseconds.
const MINUTE_MS: i64 = 61_000;

/// What is charged of a call that ended.
#[derive(Deserialize)]
struct Ended {
    call: Charged,
}

#[derive(Deserialize)]
struct Charged {
    request: Asked,
    charged_tokens: u64,
    #[serde(default)]
    charged_money: Option<Money>,
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    workflow: Option<WorkflowId>,
    #[serde(default)]
    agent: Option<Slug>,
    #[serde(default)]
    key: Option<String>,
    at_ms: i64,
}

fn read(event: &RecordedEvent) -> Option<Charged> {
    let ends = matches!(&*event.event_type, "ModelCallCompleted" | "ModelCallFailed" | "ModelCallCancelled");
    ends.then(|| serde_json::from_str::<Ended>(event.payload.get()).ok()).flatten().map(|ended| ended.call)
}

fn charge(tenant: &Tenant, charged: &Charged, now_ms: i64) {
    let Asked { workflow, agent, key, at_ms } = &charged.request;
    let mut holders = vec![Holder::new(HolderKind::Tenant, tenant.id.0.to_string())];
    holders.extend(key.as_ref().map(|key| Holder::new(HolderKind::Key, key)));
    holders.extend(workflow.map(|id| Holder::new(HolderKind::Workflow, id.to_string())));
    holders.extend(agent.as_ref().map(|name| Holder::new(HolderKind::Agent, name.as_str())));
    let took = Want { tokens: charged.charged_tokens, money: charged.charged_money };
    tenant.limits.charge(&holders, took, *at_ms, now_ms);
}

/// From when on what was taken counts for any of the limits, in milliseconds since 1970.
fn since_ms(configuration: &GatewayConfiguration, now_ms: i64) -> Option<i64> {
    let since = configuration.limits.values().map(|limit| match limit.most {
        LimitMost::Money { window_ms, .. } => {
            let window_ms = i64::try_from(window_ms).unwrap_or(i64::MAX).max(1);
            now_ms.div_euclid(window_ms).saturating_mul(window_ms)
        }
        _ => now_ms.saturating_sub(MINUTE_MS),
    });
    since.min()
}

/// Charges what was taken before, as far back as a limit counts.
pub(super) async fn charge_again(
    inner: &Inner,
    tenant: &Tenant,
    configuration: &GatewayConfiguration,
) -> Result<(), NotSaid> {
    let now_ms = inner.wall.now_ms();
    let Some(since_ms) = since_ms(configuration, now_ms) else { return Ok(()) };
    let begin = inner.log.position_at(since_ms.saturating_mul(1_000)).await;
    let mut after = begin.map_err(|error| NotSaid::Fault(error.to_string()))?;
    let filter = Filter { categories: vec![ModelCallEvent::CATEGORY.into()], ..Filter::default() };
    loop {
        let scope = TenantScope::One(tenant.id);
        let page = inner.log.read_all(scope, after, Direction::Forward, &filter, READ_EVENTS_MAX).await;
        let page = page.map_err(|error| NotSaid::Fault(error.to_string()))?;
        for event in page.iter().filter(|event| event.position <= tenant.charged_to) {
            if let Some(charged) = read(event) {
                charge(tenant, &charged, now_ms);
            }
        }
        match page.last() {
            Some(last) if page.len() == READ_EVENTS_MAX && last.position < tenant.charged_to => after = last.position,
            _ => return Ok(()),
        }
    }
}

/// Charges what other processes take, until it ends.
pub(super) async fn follow(models: LanguageModels) {
    let inner = Arc::clone(&models.inner);
    let mut from = inner.log.head();
    loop {
        let filter = Filter { categories: vec![ModelCallEvent::CATEGORY.into()], ..Filter::default() };
        let mut events = inner.log.subscribe(TenantScope::All, from, filter, QUEUE_EVENTS_MAX);
        loop {
            let message = tokio::select! {
                message = events.next() => message,
                () = inner.draining.cancelled() => return,
            };
            match message {
                Some(SubscriptionMessage::Event(event)) => {
                    from = event.position;
                    take(&models, &event);
                }
                Some(SubscriptionMessage::Checkpoint(position) | SubscriptionMessage::CaughtUp(position)) => {
                    from = position;
                }
                Some(SubscriptionMessage::FellBehind(_)) => break,
                Some(SubscriptionMessage::Failed(_)) | None => {
                    tokio::select! {
                        () = tokio::time::sleep(RETRY_AFTER) => {}
                        () = inner.draining.cancelled() => return,
                    }
                    break;
                }
            }
        }
    }
}

fn take(models: &LanguageModels, event: &RecordedEvent) {
    let (tenant, position): (TenantId, Position) = (event.stream.tenant, event.position);
    if *event.stream.id == *models.inner.id.to_string() {
        return;
    }
    let known = models.known(tenant).filter(|known| known.has_limits() && position > known.charged_to);
    if let Some((known, charged)) = known.and_then(|known| Some((known, read(event)?))) {
        charge(&known, &charged, models.inner.wall.now_ms());
    }
}
