//! Why the set-up of a gateway says no.

use super::{LIMITS_MAX, PROVIDERS_MAX, ROUTE_NAME_CHARACTERS_MAX, ROUTES_MAX};
use crate::ids::Slug;

/// Why the set-up of a gateway says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatewayRefusal {
    /// A provider cannot be one.
    #[error("the provider cannot be taken: {0}")]
    Provider(&'static str),
    /// There is no such provider.
    #[error("there is no provider '{0}': set it first")]
    NoProvider(Slug),
    /// A route leads to the provider.
    #[error("the route '{route}' leads to the provider '{provider}': let it lead elsewhere, or remove it, first")]
    ProviderInUse {
        /// The provider.
        provider: Slug,
        /// One of the routes that lead to it.
        route: String,
    },
    /// There are too many providers.
    #[error("{PROVIDERS_MAX} providers are the most: remove one first")]
    TooManyProviders,
    /// A route has no name.
    #[error("a route needs a name of 1 to {ROUTE_NAME_CHARACTERS_MAX} characters")]
    RouteName,
    /// A route cannot be one.
    #[error("the route cannot be taken: {0}")]
    Route(&'static str),
    /// There are too many routes.
    #[error("{ROUTES_MAX} routes are the most: remove one first")]
    TooManyRoutes,
    /// A limit cannot be one.
    #[error("the limit cannot be taken: {0}")]
    Limit(&'static str),
    /// There are too many limits.
    #[error("{LIMITS_MAX} limits are the most: remove one first")]
    TooManyLimits,
    /// Prices cannot be a table.
    #[error("the prices cannot be taken: {0}")]
    Prices(&'static str),
}
