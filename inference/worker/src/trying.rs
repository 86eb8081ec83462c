//! Computes inputs with a version for comparison only: nothing of it is served, and nothing is written down but the load.

use std::time::Duration;

use timeloom_domain::ids::Slug;
use timeloom_domain::model::VersionReference;
use timeloom_inference::pool::{Ask, NotComputed, Priority};
use timeloom_inference::{Inputs, Tensor};

use crate::ask::NotInferred;
use crate::recorder::Cause;
use crate::worker::Worker;

/// What a version gave on trial.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// The outputs with their names, in the order of the version's signature.
    pub outputs: Vec<(String, Tensor)>,
    /// How long they took to compute, without waiting.
    pub compute: Duration,
}

impl Worker {
    /// Computes inputs with a version of a model, after all that somebody waits for.
    ///
    /// # Errors
    /// When the version cannot be loaded, the inputs are not the model's, or it cannot be computed in time.
    pub async fn tried(
        &self,
        cause: &Cause,
        name: &Slug,
        version: u32,
        inputs: &[(String, Tensor)],
    ) -> Result<Tried, NotInferred> {
        if self.inner.draining.is_cancelled() {
            return Err(NotInferred::Draining);
        }
        match self.tried_once(cause, name, version, inputs).await {
            // It was put away between the look at it and the question: it is loaded again, once.
            Err(NotInferred::NotComputed(NotComputed::Unloaded)) if !self.inner.draining.is_cancelled() => {
                self.tried_once(cause, name, version, inputs).await
            }
            tried => tried,
        }
    }

    async fn tried_once(
        &self,
        cause: &Cause,
        name: &Slug,
        version: u32,
        inputs: &[(String, Tensor)],
    ) -> Result<Tried, NotInferred> {
        let model = self.model(cause, name).await?;
        let version = model.resolve(&VersionReference::Number(version), None)?;
        let held = self.inner.loads.get(cause, name, version, &model.settings).await;
        let held = held.map_err(|why| why.told(name, version.version))?;
        held.used(self.inner.ticks.now());
        let Inputs { tensors, .. } = Inputs::named(&held.signature, inputs)?;
        let inputs = Inputs::in_order(&held.signature, tensors);
        let within = Some(Duration::from_millis(model.settings.timeout_ms));
        let answer = held.pool.infer(inputs, Ask { priority: Priority::Shadow, within }).await?;
        let names = held.signature.outputs.iter().map(|spec| spec.name.clone());
        Ok(Tried { outputs: names.zip(answer.outputs).collect(), compute: answer.timings.compute })
    }
}
