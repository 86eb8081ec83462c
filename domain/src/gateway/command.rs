//! What may be asked of the set-up of a tenant's gateway.

use super::{GatewayLimit, GatewayPrices, GatewayProvider, GatewayRoute};
use crate::ids::Slug;

/// A request to change the set-up.
#[derive(Debug, Clone, PartialEq)]
pub enum GatewayCommand {
    /// Take a provider in, or another one in its place.
    SetProvider {
        /// Its name.
        name: Slug,
        /// What it is.
        provider: Box<GatewayProvider>,
    },
    /// Ask a provider no more.
    RemoveProvider {
        /// Its name.
        name: Slug,
    },
    /// Take a route in, or let it lead elsewhere.
    SetRoute {
        /// Its name.
        name: String,
        /// Where it leads.
        route: Box<GatewayRoute>,
    },
    /// Let a route lead nowhere any more.
    RemoveRoute {
        /// Its name.
        name: String,
    },
    /// Take a limit in, or another one in its place.
    SetLimit {
        /// Its name.
        name: Slug,
        /// What it is.
        limit: GatewayLimit,
    },
    /// Let a limit hold no more.
    RemoveLimit {
        /// Its name.
        name: Slug,
    },
    /// Let models cost this from now on.
    SetPrices {
        /// All prices that there are.
        prices: Box<GatewayPrices>,
    },
}
