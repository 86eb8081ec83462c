//! What calls cost: a table of prices that the deployment gives. None is built in, and what has no price has no cost.
//!
//! Money is counted in billionths of the table's currency, in whole numbers, and rounded up.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Number, Value};

use timeloom_domain::chat::Usage;
pub use timeloom_domain::money::Money;

/// Most rows of a table.
pub const PRICES_MAX: usize = 10_000;
/// Tokens that a price is for.
const TOKENS: u128 = 1_000_000;

/// Prices of a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// That the model reads.
    pub input: Money,
    /// That it reads from the provider's cache; as others where it is not said.
    pub cached_input: Money,
    /// That it reads and the provider puts into its cache; as others where it is not said.
    pub cache_write: Money,
    /// That it writes.
    pub output: Money,
}

impl Price {
    /// What that usage costs, rounded up.
    pub fn of(&self, usage: Usage) -> Money {
        let cached = usage.cached_input_tokens.unwrap_or(0).min(usage.input_tokens);
        let written = usage.cache_write_tokens.unwrap_or(0).min(usage.input_tokens - cached);
        let others = usage.input_tokens - cached - written;
        let parts = [
            (others, self.input),
            (cached, self.cached_input),
            (written, self.cache_write),
            (usage.output_tokens, self.output),
        ];
        let sum: u128 = parts.iter().map(|(tokens, price)| u128::from(*tokens) * u128::from(price.0)).sum();
        Money(u64::try_from(sum.div_ceil(TOKENS)).unwrap_or(u64::MAX))
    }

    /// The dearest that so many tokens can cost.
    pub fn most(&self, input_tokens: u64, output_tokens: u64) -> Money {
        let input = self.input.max(self.cached_input).max(self.cache_write);
        let dearest = Self { input, cached_input: input, cache_write: input, output: self.output };
        dearest.of(Usage { input_tokens, output_tokens, ..Usage::default() })
    }
}

/// The table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prices {
    /// What amounts are in, such as `USD`.
    pub currency: String,
    rows: BTreeMap<(String, String), Price>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    currency: String,
    models: Vec<WrittenRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRow {
    provider: String,
    model: String,
    input: Value,
    #[serde(default)]
    cached_input: Option<Value>,
    #[serde(default)]
    cache_write: Option<Value>,
    output: Value,
}

/// Why a text is no table of prices.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPrices {
    /// It is not such JSON.
    #[error("the prices cannot be read: {0}; docs/gateway.md shows how they are written")]
    Unreadable(String),
    /// An amount is none.
    #[error("'{amount}' is no price of '{model}': write a decimal number of at most nine places, such as \"2.50\"")]
    Amount {
        /// Of which model.
        model: String,
        /// What was written.
        amount: String,
    },
    /// A model is there twice.
    #[error("there are two prices of '{0}': remove one")]
    Twice(String),
    /// There are too many.
    #[error("there are {0} prices: {PRICES_MAX} is the most")]
    TooMany(usize),
}

impl Prices {
    /// A table in that currency, by provider and model.
    pub fn new(currency: String, rows: BTreeMap<(String, String), Price>) -> Self {
        Self { currency, rows }
    }

    /// Reads a table.
    ///
    /// # Errors
    /// [`InvalidPrices`]
    pub fn parse(text: &str) -> Result<Self, InvalidPrices> {
        let written: Written =
            serde_json::from_str(text).map_err(|error| InvalidPrices::Unreadable(error.to_string()))?;
        if written.models.len() > PRICES_MAX {
            return Err(InvalidPrices::TooMany(written.models.len()));
        }
        let mut rows = BTreeMap::new();
        for row in written.models {
            let amount = |value: &Value| amount_of(value, &row.model);
            let input = amount(&row.input)?;
            let price = Price {
                input,
                cached_input: row.cached_input.as_ref().map(amount).transpose()?.unwrap_or(input),
                cache_write: row.cache_write.as_ref().map(amount).transpose()?.unwrap_or(input),
                output: amount(&row.output)?,
            };
            if rows.insert((row.provider, row.model.clone()), price).is_some() {
                return Err(InvalidPrices::Twice(row.model));
            }
        }
        Ok(Self { currency: written.currency, rows })
    }

    /// The price of a model at a provider, if it is known.
    pub fn find(&self, provider: &str, model: &str) -> Option<&Price> {
        self.rows.get(&(provider.to_owned(), model.to_owned()))
    }

    /// What a call cost, if its price is known.
    pub fn cost(&self, provider: &str, model: &str, usage: Usage) -> Option<Money> {
        self.find(provider, model).map(|price| price.of(usage))
    }
}

/// Numbers are read as they are written, never as binary fractions.
fn amount_of(value: &Value, model: &str) -> Result<Money, InvalidPrices> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => Number::to_string(number),
        other => other.to_string(),
    };
    Money::parse(&text)
        .ok_or_else(|| InvalidPrices::Amount { model: model.to_owned(), amount: text.chars().take(40).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = r#"{"currency": "EUR", "models": [
        {"provider": "a", "model": "small", "input": "0.15", "cached_input": "0.075", "output": 0.6},
        {"provider": "b", "model": "small", "input": 1, "output": 2}
    ]}"#;

    #[test]
    fn a_call_costs_what_its_tokens_cost_rounded_up() {
        let prices = Prices::parse(TABLE).unwrap();
        let usage = Usage { input_tokens: 1000, output_tokens: 10, cached_input_tokens: Some(400), ..Usage::default() };
        // 600 × 150 + 400 × 75 + 10 × 600 billionths.
        assert_eq!(prices.cost("a", "small", usage), Some(Money(126_000)));
        assert_eq!(prices.cost("b", "small", Usage { input_tokens: 1, ..Usage::default() }), Some(Money(1_000)));
        assert_eq!(prices.cost("a", "large", usage), None, "no price is made up");
        let tiny = Price { input: Money(1), cached_input: Money(1), cache_write: Money(1), output: Money(1) };
        assert_eq!(tiny.of(Usage { input_tokens: 1, ..Usage::default() }), Money(1));
        assert_eq!(tiny.of(Usage::default()), Money(0));
    }

    #[test]
    fn amounts_are_decimals_as_they_are_written() {
        assert_eq!(Money::parse("0.1"), Some(Money(100_000_000)));
        assert_eq!(Money::parse("12"), Some(Money(12_000_000_000)));
        for wrong in ["", ".5", "-1", "1e3", "0.1234567891", "1,5", "99999999999999999999"] {
            assert_eq!(Money::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Money(100_000_000).to_string(), "0.1");
        assert_eq!(Money(12_000_000_000).to_string(), "12");
    }

    #[test]
    fn tables_that_mean_nothing_are_refused() {
        let table = |rows: &str| Prices::parse(&format!(r#"{{"currency": "USD", "models": [{rows}]}}"#));
        let row = r#"{"provider": "a", "model": "m", "input": "1", "output": "1"}"#;
        assert_eq!(table(&format!("{row}, {row}")), Err(InvalidPrices::Twice("m".to_owned())));
        let free = r#"{"provider": "a", "model": "m", "input": "free", "output": "1"}"#;
        assert!(matches!(table(free), Err(InvalidPrices::Amount { .. })));
        assert!(matches!(table(r#"{"model": "m"}"#), Err(InvalidPrices::Unreadable(_))));
    }

    #[test]
    fn a_guess_is_never_less_than_what_it_comes_to() {
        let price = *Prices::parse(TABLE).unwrap().find("a", "small").unwrap();
        for cached in [0, 1, 50, 99] {
            let usage =
                Usage { input_tokens: 99, output_tokens: 7, cached_input_tokens: Some(cached), ..Usage::default() };
            assert!(price.of(usage) <= price.most(99, 7));
        }
    }
}
