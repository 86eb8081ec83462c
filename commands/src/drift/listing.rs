//! All watches over the drift of models, as they are right now.
//!
//! A watch with an event that this build does not know is not listed from then on: what it has become is not known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use timeloom_domain::drift::{DriftWatch, DriftWatchEvent};
use timeloom_domain::event::{Aggregate as _, Event as _};
use timeloom_domain::ids::{Slug, TenantId};
use timeloom_store::{Position, RecordedEvent, codec};

use crate::live::Listing;

type Key = (TenantId, Slug);

/// One watch.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    /// What its events come to.
    pub watch: DriftWatch,
    /// Position of the event with which the present one began, or the last.
    pub began: Position,
}

/// All watches, as they are at [`Self::position`].
#[derive(Debug, Clone, Default)]
pub struct DriftListing {
    watches: BTreeMap<Key, Arc<Watched>>,
    unknown: BTreeSet<Key>,
    position: Position,
    is_caught_up: bool,
}

impl DriftListing {
    /// The watch over a model; `None` where there never was one.
    pub fn watch(&self, tenant: TenantId, model: &Slug) -> Option<&Arc<Watched>> {
        self.watches.get(&(tenant, model.clone()))
    }

    /// All watches that are not stopped, in the order of their tenants and models.
    pub fn running(&self) -> impl Iterator<Item = (TenantId, &Slug, &Arc<Watched>)> {
        let running = self.watches.iter().filter(|(_, watched)| watched.watch.running().is_some());
        running.map(|((tenant, model), watched)| (*tenant, model, watched))
    }
}

impl Listing for DriftListing {
    const NAME: &'static str = "drift watches";

    fn categories() -> Vec<Arc<str>> {
        vec![DriftWatchEvent::CATEGORY.into()]
    }

    fn position(&self) -> Position {
        self.position
    }

    fn is_caught_up(&self) -> bool {
        self.is_caught_up
    }

    fn apply(&mut self, recorded: &RecordedEvent) {
        self.passed(recorded.position);
        let Ok(model) = Slug::try_new(recorded.stream.id.as_ref()) else { return };
        let key = (recorded.stream.tenant, model);
        if self.unknown.contains(&key) {
            return;
        }
        match codec::decode::<DriftWatchEvent>(recorded) {
            Ok(event) => {
                let watched = Arc::make_mut(self.watches.entry(key).or_default());
                if matches!(event, DriftWatchEvent::DriftWatchStarted(_)) {
                    watched.began = recorded.position;
                }
                watched.watch.apply(&event);
            }
            Err(error) => {
                tracing::error!(model = %key.1, %error, "a watch over drift is not known as it is now: it judges nothing");
                self.watches.remove(&key);
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
