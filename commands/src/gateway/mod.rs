//! Commands on the set-up of a tenant's gateway to language models, and all set-ups at a glance.

mod listing;

use std::sync::Arc;
use std::time::Duration;

use timeloom_domain::access::Permission;
use timeloom_domain::gateway::{GATEWAY_STREAM, GatewayCommand, GatewayConfiguration, GatewayEvent, GatewayRefusal};

pub use listing::GatewayListing;

use crate::bridge::Base;
use crate::live::Live;
use crate::{CommandContext, CommandError, Commands, Outcome, Refusal};

/// How long an answer waits until this process asks by what was changed.
const SEEN_WITHIN: Duration = Duration::from_secs(2);

impl From<GatewayRefusal> for Refusal {
    fn from(refusal: GatewayRefusal) -> Self {
        let code = match refusal {
            GatewayRefusal::Provider(_) => "INVALID_PROVIDER",
            GatewayRefusal::NoProvider(_) => "PROVIDER_NOT_FOUND",
            GatewayRefusal::ProviderInUse { .. } => "PROVIDER_IN_USE",
            GatewayRefusal::RouteName | GatewayRefusal::Route(_) => "INVALID_ROUTE",
            GatewayRefusal::Limit(_) => "INVALID_LIMIT",
            GatewayRefusal::Prices(_) => "INVALID_PRICES",
            GatewayRefusal::TooManyProviders | GatewayRefusal::TooManyRoutes | GatewayRefusal::TooManyLimits => {
                "TOO_MANY"
            }
        };
        Self::new(code, refusal.to_string())
    }
}

impl Commands {
    /// All set-ups at a glance. It begins to follow the log when it is first asked for.
    pub fn gateway(&self) -> &Live<GatewayListing> {
        self.inner.gateway.get_or_init(|| Live::follow(Arc::clone(&self.inner.log)))
    }

    /// Changes the set-up of the tenant's gateway. Where this process asks by it, it does so by the new one when this is
    /// answered.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn change_gateway(
        &self,
        context: &CommandContext,
        command: GatewayCommand,
    ) -> Result<Outcome<()>, CommandError> {
        context.require(Permission::RegistryWrite)?;
        let stream = self.stream::<GatewayEvent>(context, GATEWAY_STREAM);
        let outcome = self.execute::<GatewayConfiguration>(context, stream, command, Base::Current).await?;
        if let Some(live) = self.inner.gateway.get() {
            // Whoever follows the log too slowly asks by the old one a little longer; nothing is lost by it.
            drop(tokio::time::timeout(SEEN_WITHIN, live.wait_for(outcome.position)).await);
        }
        Ok(outcome)
    }
}
