//! Commands on flags of features, and all flags at a glance. Only the first tenant, which runs the installation, says for whom
//! a feature is on.

mod listing;

use std::sync::Arc;
use std::time::Duration;

use timeloom_domain::event::Event as _;
use timeloom_domain::feature_flag::{
    FLAGS_MAX, Feature, FeatureFlag, FeatureFlagCommand, FeatureFlagEvent, FeatureFlagRefusal, Rollout,
};
use timeloom_domain::ids::FIRST_TENANT;
use timeloom_store::StreamKey;

pub use listing::{FlagEntry, FlagListing};

use crate::access::check_runs_installation;
use crate::bridge::Base;
use crate::live::Live;
use crate::{CommandContext, CommandError, Commands, Outcome, Refusal};

/// How long an answer waits until this process goes by what was changed.
const SEEN_WITHIN: Duration = Duration::from_secs(2);

/// What a tenant asks for that it does not have.
const FEATURE_OFF: &str = "FEATURE_OFF";

impl From<FeatureFlagRefusal> for Refusal {
    fn from(refusal: FeatureFlagRefusal) -> Self {
        let code = match refusal {
            FeatureFlagRefusal::InvalidPercent(_) => "INVALID_PERCENT",
            FeatureFlagRefusal::Contradiction(_) => "CONTRADICTION",
            FeatureFlagRefusal::TooManyTenants => "TOO_MANY",
            FeatureFlagRefusal::NotFound => "FLAG_NOT_FOUND",
            FeatureFlagRefusal::NothingEarlier => "NOTHING_EARLIER",
        };
        Self::new(code, refusal.to_string())
    }
}

impl Commands {
    /// All flags at a glance. It begins to follow the log when it is first asked for, which must be within a runtime.
    pub fn flags(&self) -> &Live<FlagListing> {
        self.inner.flags.get_or_init(|| Live::follow(Arc::clone(&self.inner.log)))
    }

    /// Says for whom a feature is on. This process goes by it when this is answered.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn set_feature_flag(
        &self,
        context: &CommandContext,
        feature: Feature,
        rollout: Rollout,
    ) -> Result<Outcome<Feature>, CommandError> {
        check_runs_installation(context)?;
        let flags = self.flags().caught_up().await?;
        if flags.entry(&feature).is_none() && flags.entries().len() >= FLAGS_MAX {
            let message = format!("there are {FLAGS_MAX} flags, the most of one log: remove one first");
            return Err(Refusal::new("TOO_MANY", message).into());
        }
        let command = FeatureFlagCommand::Set { feature: feature.clone(), rollout };
        self.change_flag(context, feature, command).await
    }

    /// Goes back to how a flag was before it was set last.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn roll_back_feature_flag(
        &self,
        context: &CommandContext,
        feature: Feature,
    ) -> Result<Outcome<Feature>, CommandError> {
        check_runs_installation(context)?;
        self.change_flag(context, feature, FeatureFlagCommand::RollBack).await
    }

    /// Removes a flag: the feature is on for everybody.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn remove_feature_flag(
        &self,
        context: &CommandContext,
        feature: Feature,
    ) -> Result<Outcome<Feature>, CommandError> {
        check_runs_installation(context)?;
        self.change_flag(context, feature, FeatureFlagCommand::Remove).await
    }

    /// Refuses what a tenant does not have.
    ///
    /// # Errors
    /// A refusal, or a fault when the flags cannot be read.
    pub(crate) async fn check_has(&self, context: &CommandContext, feature: &Feature) -> Result<(), CommandError> {
        let flags = self.flags();
        let listing = if flags.is_caught_up() { flags.now() } else { flags.caught_up().await? };
        if listing.is_on(feature, context.tenant) {
            return Ok(());
        }
        let message = format!("'{feature}' is switched off for this tenant: ask whoever runs this installation");
        Err(Refusal::new(FEATURE_OFF, message).into())
    }

    async fn change_flag(
        &self,
        context: &CommandContext,
        feature: Feature,
        command: FeatureFlagCommand,
    ) -> Result<Outcome<Feature>, CommandError> {
        let stream = StreamKey::new(FIRST_TENANT, FeatureFlagEvent::CATEGORY, feature.to_string());
        let done = self.execute::<FeatureFlag>(context, stream, command, Base::Current).await?;
        // Whoever follows the log too slowly goes by the old one a little longer; nothing is lost by it.
        drop(tokio::time::timeout(SEEN_WITHIN, self.flags().wait_for(done.position)).await);
        Ok(done.with(feature))
    }
}
