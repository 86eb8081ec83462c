//! All models at a glance: which version answers under which name right now.
//!
//! A model with an event that this build does not know answers nothing from then on: what it has become is not known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use timeloom_domain::event::{Aggregate as _, Event as _};
use timeloom_domain::ids::{Slug, TenantId};
use timeloom_domain::model::{Model, ModelEvent};
use timeloom_store::{Position, RecordedEvent, codec};

use crate::live::Listing;

type Key = (TenantId, Slug);

/// When a model and its versions came about, in milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelTimes {
    /// When it was registered.
    pub created_ms: i64,
    /// When it last changed.
    pub updated_ms: i64,
    /// When its versions were added.
    pub added_ms: BTreeMap<u32, i64>,
    /// Position of the event with which the trial began that is under way.
    pub trial: Option<Position>,
}

/// All models, as they are at [`Self::position`].
#[derive(Debug, Clone, Default)]
pub struct ModelListing {
    models: BTreeMap<Key, Arc<Model>>,
    times: BTreeMap<Key, Arc<ModelTimes>>,
    unknown: BTreeSet<Key>,
    position: Position,
    is_caught_up: bool,
}

impl ModelListing {
    /// A model; `None` when there is none, or when this build does not know what it has become.
    pub fn model(&self, tenant: TenantId, name: &Slug) -> Option<&Arc<Model>> {
        self.models.get(&(tenant, name.clone()))
    }

    /// When a model that is listed and its versions came about.
    pub fn times(&self, tenant: TenantId, name: &Slug) -> Option<&Arc<ModelTimes>> {
        self.times.get(&(tenant, name.clone()))
    }

    /// Whether it is known of every model what it has become.
    pub fn knows_all(&self) -> bool {
        self.unknown.is_empty()
    }

    /// All models, in the order of their tenants and names.
    pub fn models(&self) -> impl Iterator<Item = (TenantId, &Slug, &Arc<Model>)> {
        self.models.iter().map(|((tenant, name), model)| (*tenant, name, model))
    }
}

impl ModelListing {
    fn note_time(&mut self, key: &Key, event: &ModelEvent, recorded: &RecordedEvent) {
        let at_ms = recorded.recorded_at.timestamp_millis();
        let begun = || Arc::new(ModelTimes { created_ms: at_ms, ..ModelTimes::default() });
        let times = Arc::make_mut(self.times.entry(key.clone()).or_insert_with(begun));
        times.updated_ms = at_ms;
        match event {
            ModelEvent::ModelVersionAdded { version, .. } => {
                times.added_ms.insert(*version, at_ms);
            }
            ModelEvent::ModelRolloutStarted { .. } => times.trial = Some(recorded.position),
            ModelEvent::ModelRolloutEnded { .. } => times.trial = None,
            _ => {}
        }
    }
}

impl Listing for ModelListing {
    const NAME: &'static str = "models";

    fn categories() -> Vec<Arc<str>> {
        vec![ModelEvent::CATEGORY.into()]
    }

    fn position(&self) -> Position {
        self.position
    }

    fn is_caught_up(&self) -> bool {
        self.is_caught_up
    }

    fn apply(&mut self, recorded: &RecordedEvent) {
        self.passed(recorded.position);
        let Ok(name) = Slug::try_new(recorded.stream.id.as_ref()) else { return };
        let key = (recorded.stream.tenant, name);
        if self.unknown.contains(&key) {
            return;
        }
        match codec::decode::<ModelEvent>(recorded) {
            Ok(event) => {
                self.note_time(&key, &event, recorded);
                Arc::make_mut(self.models.entry(key).or_default()).apply(&event);
            }
            Err(error) => {
                tracing::error!(model = %key.1, %error, "a model is not known as it is now: it answers nothing");
                self.models.remove(&key);
                self.times.remove(&key);
                self.unknown.insert(key);
            }
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
