//! What happens to the set-up of a tenant's gateway.

use serde::{Deserialize, Serialize};

use super::{GatewayLimit, GatewayPrices, GatewayProvider, GatewayRoute};
use crate::event::Event;
use crate::ids::Slug;

/// A fact about the set-up of a tenant's gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum GatewayEvent {
    /// A provider came in, or is another one now.
    GatewayProviderSet {
        /// Its name.
        name: Slug,
        /// What it is.
        provider: Box<GatewayProvider>,
    },
    /// A provider is asked no more.
    GatewayProviderRemoved {
        /// Its name.
        name: Slug,
    },
    /// A route came in, or leads elsewhere now.
    GatewayRouteSet {
        /// Its name, which callers give as the model.
        name: String,
        /// Where it leads.
        route: Box<GatewayRoute>,
    },
    /// A route leads nowhere any more.
    GatewayRouteRemoved {
        /// Its name.
        name: String,
    },
    /// A limit came in, or is another one now.
    GatewayLimitSet {
        /// Its name.
        name: Slug,
        /// What it is.
        limit: GatewayLimit,
    },
    /// A limit holds no more.
    GatewayLimitRemoved {
        /// Its name.
        name: Slug,
    },
    /// Models cost this from now on. What was asked before cost what it cost then.
    GatewayPricesSet {
        /// All prices that there are.
        prices: Box<GatewayPrices>,
    },
}

impl Event for GatewayEvent {
    const CATEGORY: &'static str = "gateway";
    const TYPES: &'static [(&'static str, u16)] = &[
        ("GatewayProviderSet", 1),
        ("GatewayProviderRemoved", 1),
        ("GatewayRouteSet", 1),
        ("GatewayRouteRemoved", 1),
        ("GatewayLimitSet", 1),
        ("GatewayLimitRemoved", 1),
        ("GatewayPricesSet", 1),
    ];

    fn event_type(&self) -> &'static str {
        match self {
            Self::GatewayProviderSet { .. } => "GatewayProviderSet",
            Self::GatewayProviderRemoved { .. } => "GatewayProviderRemoved",
            Self::GatewayRouteSet { .. } => "GatewayRouteSet",
            Self::GatewayRouteRemoved { .. } => "GatewayRouteRemoved",
            Self::GatewayLimitSet { .. } => "GatewayLimitSet",
            Self::GatewayLimitRemoved { .. } => "GatewayLimitRemoved",
            Self::GatewayPricesSet { .. } => "GatewayPricesSet",
        }
    }
}
