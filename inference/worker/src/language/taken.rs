//! What was taken before this process began, and what other processes take, is charged as well: limits hold for all of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use timeloom_domain::event::Event as _;
use timeloom_domain::gateway::{GatewayConfiguration, LimitMost};
use timeloom_domain::ids::{Slug, TenantId, WorkflowId};
use timeloom_domain::model_call::ModelCallEvent;
use timeloom_domain::money::Money;
use timeloom_gateway::limits::{Holder, HolderKind, Want};
use timeloom_store::{Direction, Filter, Position, READ_EVENTS_MAX, RecordedEvent, SubscriptionMessage, TenantScope};
use tokio::sync::OnceCell;
use tokio::time::Duration;

use super::ask::NotSaid;
use super::tenant::Tenant;
use super::{Inner, LanguageModels};

/// Events that may wait to be charged.
const QUEUE_EVENTS_MAX: usize = 1_024;
/// Most calls of others that are kept while a gateway is made ready; the oldest go first.
const MISSED_MAX: usize = 10_000;
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
    if *event.stream.id == *models.inner.id.to_string() {
        return;
    }
    // Who is not begun yet is charged with it when it begins.
    let Some(begun) = models.begun(event.stream.tenant) else { return };
    if let Some(charged) = read(event) {
        begun.take(event.position, charged, models.inner.wall.now_ms());
    }
}

/// A tenant that somebody asked for. What others take while its gateway is made ready is kept, and charged then.
#[derive(Default)]
pub(super) struct Begun {
    tenant: OnceCell<Arc<Tenant>>,
    missed: Mutex<VecDeque<(Position, Charged)>>,
}

impl Begun {
    /// Its gateway, where that is ready.
    pub(super) fn tenant(&self) -> Option<&Arc<Tenant>> {
        self.tenant.get()
    }

    /// Its gateway; makes it ready where it is not.
    pub(super) async fn begin(
        &self,
        inner: &Inner,
        id: TenantId,
        configuration: Option<&Arc<GatewayConfiguration>>,
    ) -> Result<Arc<Tenant>, NotSaid> {
        let tenant = self.tenant.get_or_try_init(|| Tenant::begin(inner, id, configuration)).await?;
        let missed = std::mem::take(&mut *self.missed.lock().unwrap_or_else(PoisonError::into_inner));
        for (position, charged) in missed {
            charge_later(tenant, position, &charged, inner.wall.now_ms());
        }
        Ok(Arc::clone(tenant))
    }

    fn take(&self, position: Position, charged: Charged, now_ms: i64) {
        // Under the lock: the gateway is ready before what was missed is taken out.
        let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tenant) = self.tenant.get() {
            charge_later(tenant, position, &charged, now_ms);
            return;
        }
        if missed.len() == MISSED_MAX {
            missed.pop_front();
        }
        missed.push_back((position, charged));
    }
}

/// Charges what was not charged at the beginning.
fn charge_later(tenant: &Tenant, position: Position, charged: &Charged, now_ms: i64) {
    if position > tenant.charged_to && tenant.has_limits() {
        charge(tenant, charged, now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_take_before_a_gateway_is_ready_is_kept_for_it_and_never_without_bounds() {
        let begun = Begun::default();
        for position in 0..=MISSED_MAX as u64 {
            let request = Asked { workflow: None, agent: None, key: None, at_ms: 1 };
            begun.take(Position(position), Charged { request, charged_tokens: 1, charged_money: None }, 1);
        }
        let missed = begun.missed.lock().unwrap();
        assert_eq!((missed.len(), missed.front().unwrap().0), (MISSED_MAX, Position(1)));
    }
}
