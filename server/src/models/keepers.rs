//! What goes on by itself with the models of a server.

use std::sync::Arc;

use timeloom_store::Leases;

use super::{Drifting, Evaluating, Guarding, Models};

/// Keeps models loaded, ends trials whose guard says so, does evaluations and judges drift, until it is stopped.
pub struct Keepers {
    models: Models,
    evaluating: Evaluating,
    guarding: Guarding,
    drifting: Drifting,
}

impl Keepers {
    /// Begins. Versions are kept loaded only where models are asked at this process. Must be called within a runtime.
    pub fn start(models: Models, leases: &Arc<dyn Leases>, is_asked: bool) -> Self {
        if is_asked {
            models.start();
        }
        let guarding = Guarding::start(models.commands().clone(), leases);
        let drifting = Drifting::start(&models, leases);
        Self { evaluating: Evaluating::start(models.clone(), leases), guarding, drifting, models }
    }

    /// Stops, and closes the models.
    pub async fn stop(self) {
        self.evaluating.stop().await;
        self.guarding.stop().await;
        self.drifting.stop().await;
        self.models.close().await;
    }
}
