//! All flags at a glance.
//!
//! A flag with an event that this build does not know holds its feature back from everybody: whoever wrote it may have meant
//! just that.

use std::collections::BTreeMap;
use std::sync::Arc;

use timeloom_domain::event::{Aggregate as _, Event as _};
use timeloom_domain::feature_flag::{Feature, FeatureFlag, FeatureFlagEvent};
use timeloom_domain::ids::{Actor, TenantId};
use timeloom_store::{Position, RecordedEvent, codec};

use crate::live::Listing;

/// One flag.
#[derive(Debug, Clone)]
pub struct FlagEntry {
    /// How it is; `None` where this build does not know what it has become.
    pub flag: Option<FeatureFlag>,
    /// Where it was changed last.
    pub position: Position,
    /// When, in milliseconds since 1970.
    pub changed_ms: i64,
    /// Who changed it.
    pub actor: Actor,
    /// Why.
    pub reason: Option<String>,
}

/// All flags, as they are at [`Self::position`].
#[derive(Debug, Clone, Default)]
pub struct FlagListing {
    entries: BTreeMap<Feature, Arc<FlagEntry>>,
    position: Position,
    is_caught_up: bool,
}

impl FlagListing {
    /// The flags as events of flags leave them, from the first on.
    pub fn of<'e>(events: impl IntoIterator<Item = &'e RecordedEvent>) -> Self {
        let mut listing = Self::default();
        events.into_iter().for_each(|event| listing.apply(event));
        listing
    }

    /// Whether a tenant has a feature.
    pub fn is_on(&self, feature: &Feature, tenant: TenantId) -> bool {
        match self.entries.get(feature) {
            None => true,
            Some(entry) => entry.flag.as_ref().is_some_and(|flag| flag.rollout.includes(feature, tenant)),
        }
    }

    /// Whether no feature is held back from anybody.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The flag of a feature, where there is one.
    pub fn entry(&self, feature: &Feature) -> Option<&Arc<FlagEntry>> {
        self.entries.get(feature)
    }

    /// All flags by their features.
    pub fn entries(&self) -> &BTreeMap<Feature, Arc<FlagEntry>> {
        &self.entries
    }

    fn fold(&mut self, feature: Feature, recorded: &RecordedEvent) {
        let before = self.entries.get(&feature).map(|entry| entry.flag.clone());
        let flag = match (codec::decode::<FeatureFlagEvent>(recorded), before) {
            (Ok(FeatureFlagEvent::FeatureFlagRemoved {}), _) => {
                self.entries.remove(&feature);
                return;
            }
            (Ok(event), before) => match before.unwrap_or_else(|| Some(FeatureFlag::default())) {
                Some(mut flag) => {
                    flag.apply(&event);
                    Some(flag)
                }
                None => None,
            },
            (Err(error), _) => {
                tracing::error!(%feature, %error, "a flag is not known: its feature is off for everybody");
                None
            }
        };
        let metadata = &recorded.metadata;
        let entry = FlagEntry {
            flag,
            position: recorded.position,
            changed_ms: recorded.recorded_at.timestamp_millis(),
            actor: metadata.actor.clone(),
            reason: metadata.request.as_ref().and_then(|request| request.reason.clone()),
        };
        self.entries.insert(feature, Arc::new(entry));
    }
}

impl Listing for FlagListing {
    const NAME: &'static str = "flags";

    fn categories() -> Vec<Arc<str>> {
        vec![FeatureFlagEvent::CATEGORY.into()]
    }

    fn position(&self) -> Position {
        self.position
    }

    fn is_caught_up(&self) -> bool {
        self.is_caught_up
    }

    fn apply(&mut self, recorded: &RecordedEvent) {
        self.passed(recorded.position);
        match recorded.stream.id.parse::<Feature>() {
            Ok(feature) => self.fold(feature, recorded),
            Err(_) => tracing::error!(stream = %recorded.stream, "a flag of a feature that this build does not know"),
        }
    }

    fn passed(&mut self, position: Position) {
        self.position = self.position.max(position);
    }

    fn caught_up_at(&mut self, position: Position) {
        self.passed(position);
        self.is_caught_up = true;
    }
}
