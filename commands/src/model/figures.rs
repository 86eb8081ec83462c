//! Counts what the log holds of trials, page by page, from the event with which each began.
//!
//! What was counted is kept while a trial is under way, so that whoever asks again has only what came since read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{Slug, TenantId};
use timeloom_domain::inference::InferenceEvent;
use timeloom_domain::model::{RolloutCount, RolloutFigures};
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::{Direction, Filter, LogError, Position, TenantScope, codec};
use tokio::sync::Mutex as AsyncMutex;

use super::ModelListing;
use crate::Commands;

/// What is counted of one trial, up to a position.
struct Counting {
    at: Position,
    count: RolloutCount,
}

/// What is counted of each model's trial, with the position at which that began.
type Counts = BTreeMap<(TenantId, Slug), (Position, Arc<AsyncMutex<Counting>>)>;

/// What is counted of the trials that are under way.
#[derive(Default)]
pub(crate) struct RolloutCounts(Mutex<Counts>);

impl RolloutCounts {
    /// What is counted of a model's trial; `None` when none is under way.
    fn of(&self, listing: &ModelListing, tenant: TenantId, name: &Slug) -> Option<Arc<AsyncMutex<Counting>>> {
        let rollout = listing.model(tenant, name)?.rollout.as_ref()?;
        let began = listing.times(tenant, name)?.trial?;
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Another trial of the same model is counted anew.
        counts.retain(|(tenant, name), (began, _)| {
            listing.times(*tenant, name).is_some_and(|times| times.trial == Some(*began))
        });
        let fresh = || {
            let counting = Counting { at: began, count: RolloutCount::new(name.clone(), rollout) };
            (began, Arc::new(AsyncMutex::new(counting)))
        };
        let (_, counting) = counts.entry((tenant, name.clone())).or_insert_with(fresh);
        Some(Arc::clone(counting))
    }
}

impl Commands {
    /// What the log holds of the trial of a model that is under way, counted on by at most so many pages of events; `None`
    /// when none is. The figures say up to where they were counted.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn rollout_figures(
        &self,
        tenant: TenantId,
        name: &Slug,
        pages_max: usize,
    ) -> Result<Option<RolloutFigures>, LogError> {
        let listing = self.models().caught_up().await?;
        let Some(counting) = self.inner.rollouts.of(&listing, tenant, name) else { return Ok(None) };
        let mut counting = counting.lock().await;
        self.count_on(tenant, &mut counting, pages_max).await?;
        Ok(Some(counting.count.figures(counting.at.0)))
    }

    async fn count_on(&self, tenant: TenantId, counting: &mut Counting, pages_max: usize) -> Result<(), LogError> {
        let log = &self.inner.log;
        let filter = Filter { categories: vec![InferenceEvent::CATEGORY.into()], ..Filter::default() };
        let scope = TenantScope::One(tenant);
        for _ in 0..pages_max {
            let head = log.head();
            let page = log.read_all(scope, counting.at, Direction::Forward, &filter, READ_EVENTS_MAX).await?;
            for event in &page {
                // What a newer build wrote is of no trial that this one knows.
                if let Ok(event) = codec::decode::<InferenceEvent>(event) {
                    counting.count.take(&event);
                }
            }
            let last = page.last().map(|last| last.position);
            if page.len() < READ_EVENTS_MAX {
                counting.at = counting.at.max(head).max(last.unwrap_or(head));
                return Ok(());
            }
            counting.at = last.unwrap_or(counting.at);
        }
        Ok(())
    }
}
