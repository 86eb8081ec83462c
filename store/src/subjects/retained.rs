//! Which categories of which tenants are kept for a limited time, as the log says it: what begins in them is sealed under the
//! key of its day.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::TenantId;
use timeloom_domain::retention::{RETAINED_CATEGORIES, RetentionEvent};

use crate::codec;
use crate::envelope::Position;
use crate::log::{Direction, EventLog, Filter, LogError, READ_EVENTS_MAX, TenantScope};

/// After how long the log is asked again where other processes may have written to it.
const KNOWN_FOR: Duration = Duration::from_secs(1);

/// What is kept for a limited time.
#[derive(Default)]
pub(super) struct Retained {
    known: Mutex<Known>,
    /// One reads the log at a time.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    limited: HashSet<(TenantId, &'static str)>,
    /// Up to where the log was read.
    up_to: Position,
    /// When that was asked last.
    asked_at: Option<DateTime<Utc>>,
}

/// The same category as a constant; `None` for one that is always kept for ever.
fn constant(category: &str) -> Option<&'static str> {
    RETAINED_CATEGORIES.into_iter().find(|known| *known == category)
}

impl Retained {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the log again, however short ago that was: this process has changed it.
    pub(super) fn changed(&self) {
        self.known().asked_at = None;
    }

    /// Whether what begins now in `category` is kept for a limited time.
    pub(super) async fn is_limited(
        &self,
        log: &dyn EventLog,
        tenant: TenantId,
        category: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, LogError> {
        let Some(category) = constant(category) else { return Ok(false) };
        if !self.is_current(log, now) {
            let _one = self.reading.lock().await;
            if !self.is_current(log, now) {
                self.read(log, now).await?;
            }
        }
        Ok(self.known().limited.contains(&(tenant, category)))
    }

    fn is_current(&self, log: &dyn EventLog, now: DateTime<Utc>) -> bool {
        let known = self.known();
        match (log.newest_of(RetentionEvent::CATEGORY), known.asked_at) {
            (Some(newest), Some(_)) => newest <= known.up_to,
            (None, Some(asked)) => (now - asked).to_std().is_ok_and(|age| age < KNOWN_FOR),
            (_, None) => false,
        }
    }

    async fn read(&self, log: &dyn EventLog, now: DateTime<Utc>) -> Result<(), LogError> {
        let (mut after, end) = (self.known().up_to, log.head());
        let filter = Filter {
            categories: vec![RetentionEvent::CATEGORY.into()],
            event_types: vec!["RetentionSet".into()],
            ..Filter::default()
        };
        loop {
            let page = log.read_all(TenantScope::All, after, Direction::Forward, &filter, READ_EVENTS_MAX).await?;
            for event in &page {
                after = event.position;
                let Some(category) = constant(&event.stream.id) else { continue };
                if let RetentionEvent::RetentionSet { days, .. } = codec::decode(event)? {
                    let (rule, mut known) = ((event.stream.tenant, category), self.known());
                    if days.is_some() {
                        known.limited.insert(rule)
                    } else {
                        known.limited.remove(&rule)
                    };
                }
            }
            if page.len() < READ_EVENTS_MAX {
                break;
            }
        }
        let mut known = self.known();
        (known.up_to, known.asked_at) = (known.up_to.max(after).max(end), Some(now));
        Ok(())
    }
}
