//! How a tenant's gateway to language models is set up: providers, routes to them, limits and prices.
//!
//! One stream for each tenant. No secret is in it: a provider names the credential that holds its key.

mod command;
mod event;
mod limit;
mod price;
mod provider;
mod refusal;
mod route;
mod state;

pub use command::GatewayCommand;
pub use event::GatewayEvent;
pub use limit::{GatewayLimit, HolderKind, LimitMost};
pub use price::{GatewayPrice, GatewayPrices};
pub use provider::{CredentialName, GatewayProvider, ProviderDialect, ProviderProtocol, ProviderTimes};
pub use refusal::GatewayRefusal;
pub use route::{
    ContentRecording, GatewayRoute, ROUTE_NAME_CHARACTERS_MAX, RouteBalance, RouteBreaker, RouteCache, RouteRetry,
    RouteTarget, RouteTier,
};
pub use state::GatewayConfiguration;

/// The id of the one stream of each tenant.
pub const GATEWAY_STREAM: &str = "configuration";
/// Most providers of a tenant.
pub const PROVIDERS_MAX: usize = 200;
/// Most routes of a tenant.
pub const ROUTES_MAX: usize = 1_000;
/// Most limits of a tenant.
pub const LIMITS_MAX: usize = 1_000;
/// Most prices of a tenant.
pub const PRICES_MAX: usize = 1_000;
