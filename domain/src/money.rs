//! Amounts of money.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Billionths of a whole.
const NANOS: u64 = 1_000_000_000;

/// An amount, in billionths of the currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money(pub u64);

impl Money {
    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Reads a decimal number of at most nine places.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, places) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|letter| letter.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(places) || places.len() > 9 {
            return None;
        }
        let nanos: u64 = if places.is_empty() { 0 } else { format!("{places:0<9}").parse().ok()? };
        Some(Self(whole.parse::<u64>().ok()?.checked_mul(NANOS)?.checked_add(nanos)?))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = format!("{:09}", self.0 % NANOS);
        let places = places.trim_end_matches('0');
        if places.is_empty() {
            write!(formatter, "{}", self.0 / NANOS)
        } else {
            write!(formatter, "{}.{places}", self.0 / NANOS)
        }
    }
}
