//! Commands on watches over the drift of models, and all watches at a glance.

mod listing;

use std::sync::Arc;

pub use listing::{DriftListing, Watched};
use timeloom_domain::access::Permission;
use timeloom_domain::drift::{
    DriftBaseline, DriftBounds, DriftFinding, DriftTarget, DriftWatch, DriftWatchCommand, DriftWatchEvent,
    DriftWatchSettings, WindowJudgement,
};
use timeloom_domain::ids::Slug;
use timeloom_domain::model::ModelRefusal;

use crate::bridge::Base;
use crate::live::Live;
use crate::{CommandContext, CommandError, Commands, Outcome, Refusal};

/// How a model is to be watched.
#[derive(Debug, Clone)]
pub struct StartDriftWatch {
    /// Which inferences.
    pub target: DriftTarget,
    /// What they are compared with.
    pub baseline: DriftBaseline,
    /// How many inferences make a window.
    pub window: u32,
    /// What counts as drift.
    pub bounds: DriftBounds,
    /// Whether a watch that is under way ends with this one's beginning; it refuses this one otherwise.
    pub replaces: bool,
}

impl Commands {
    /// All watches over the drift of models. It begins to follow the log when it is first asked for.
    pub fn drift_watches(&self) -> &Live<DriftListing> {
        self.inner.drift_watches.get_or_init(|| Live::follow(Arc::clone(&self.inner.log)))
    }

    /// Watches whether a model drifts. Its name is the answer.
    ///
    /// # Errors
    /// A refusal when there is no such model or version, it is watched already, or it cannot be watched like this; or a
    /// conflict or fault.
    pub async fn start_drift_watch(
        &self,
        context: &CommandContext,
        start: StartDriftWatch,
    ) -> Result<Outcome<Slug>, CommandError> {
        context.require(Permission::RegistryWrite)?;
        let StartDriftWatch { target, baseline, window, bounds, replaces } = start;
        let model = target.model.clone();
        let listing = self.models().caught_up().await?;
        let Some(known) = listing.model(context.tenant, &model) else {
            return Err(Refusal::from(ModelRefusal::NoModel(model)).into());
        };
        if let Some(version) = target.version.filter(|version| known.version(*version).is_none()) {
            return Err(Refusal::from(ModelRefusal::UnknownVersion(version)).into());
        }
        let settings = Box::new(DriftWatchSettings { target, baseline, window, bounds, at_ms: self.clock().now_ms() });
        let command = if replaces { DriftWatchCommand::Replace(settings) } else { DriftWatchCommand::Start(settings) };
        self.change_drift_watch(context, model, command).await
    }

    /// Watches a model no more.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn stop_drift_watch(&self, context: &CommandContext, model: Slug) -> Result<Outcome<Slug>, CommandError> {
        let at_ms = self.clock().now_ms();
        self.change_drift_watch(context, model, DriftWatchCommand::Stop { at_ms }).await
    }

    /// Takes down what came of a window. One that is not the next of the watch under way changes nothing.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn judge_drift(
        &self,
        context: &CommandContext,
        model: Slug,
        judgement: WindowJudgement,
        findings: Vec<DriftFinding>,
    ) -> Result<Outcome<Slug>, CommandError> {
        let command = DriftWatchCommand::Judge { judgement: Box::new(judgement), findings };
        self.change_drift_watch(context, model, command).await
    }

    async fn change_drift_watch(
        &self,
        context: &CommandContext,
        model: Slug,
        command: DriftWatchCommand,
    ) -> Result<Outcome<Slug>, CommandError> {
        context.require(Permission::RegistryWrite)?;
        let stream = self.stream::<DriftWatchEvent>(context, &model);
        Ok(self.execute::<DriftWatch>(context, stream, command, Base::Current).await?.with(model))
    }
}
