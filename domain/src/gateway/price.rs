//! What models cost, as it is written down.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{GatewayRefusal, PRICES_MAX};
use crate::ids::Slug;
use crate::money::Money;

/// What models cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayPrices {
    /// What amounts are in, such as `USD`.
    pub currency: String,
    /// The prices.
    pub models: Vec<GatewayPrice>,
}

/// What a million tokens of a model cost, in billionths of the currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayPrice {
    /// The provider.
    pub provider: Slug,
    /// Its name for the model.
    pub model: String,
    /// That the model reads.
    pub input: Money,
    /// That it reads from the provider's cache; as others where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<Money>,
    /// That it reads and the provider puts into its cache; as others where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<Money>,
    /// That it writes.
    pub output: Money,
}

impl GatewayPrices {
    /// Whether it can be a table.
    pub(super) fn check(&self) -> Result<(), GatewayRefusal> {
        let currency = &self.currency;
        if currency.len() != 3 || !currency.bytes().all(|letter| letter.is_ascii_uppercase()) {
            return Err(GatewayRefusal::Prices("a currency is written with three capital letters, such as USD"));
        }
        if self.models.len() > PRICES_MAX {
            return Err(GatewayRefusal::Prices("1,000 prices are the most"));
        }
        let mut seen = BTreeSet::new();
        for price in &self.models {
            if price.model.is_empty() || price.model.chars().count() > 300 {
                return Err(GatewayRefusal::Prices("each price names a model, in at most 300 characters"));
            }
            if !seen.insert((&price.provider, &price.model)) {
                return Err(GatewayRefusal::Prices("a model of a provider has two prices: remove one"));
            }
        }
        Ok(())
    }
}
