//! How much may be asked for, and by whom, as it is written down.

use serde::{Deserialize, Serialize};

use super::GatewayRefusal;
use crate::money::Money;

/// Most characters of a holder's id.
const HOLDER_CHARACTERS_MAX: usize = 200;
/// Longest window of a budget: 366 days, in milliseconds.
const WINDOW_MS_MAX: u64 = 366 * 24 * 60 * 60 * 1000;

/// A limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayLimit {
    /// For which kind of holder.
    pub holder: HolderKind,
    /// For which one; each of that kind by itself where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Of what.
    pub most: LimitMost,
}

/// What kind of holder a limit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HolderKind {
    /// A key of the API, by its id.
    Key,
    /// The tenant.
    Tenant,
    /// A workflow, by its id.
    Workflow,
    /// An agent, by its name.
    Agent,
}

impl HolderKind {
    /// In a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Tenant => "tenant",
            Self::Workflow => "workflow",
            Self::Agent => "agent",
        }
    }
}

/// How much of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum LimitMost {
    /// Requests in any 60 seconds.
    RequestsPerMinute {
        /// How many.
        most: u64,
    },
    /// Tokens in any 60 seconds, read and written.
    TokensPerMinute {
        /// How many.
        most: u64,
    },
    /// Calls at once, in each process that asks.
    CallsAtOnce {
        /// How many.
        most: u64,
    },
    /// Money in each window.
    Money {
        /// How much, in billionths of the currency of the prices.
        most: Money,
        /// How long a window is, in milliseconds; windows are counted from 1970.
        window_ms: u64,
    },
}

impl GatewayLimit {
    /// Whether it can be one.
    pub(super) fn check(&self) -> Result<(), GatewayRefusal> {
        if self.holder == HolderKind::Tenant && self.id.is_some() {
            return Err(GatewayRefusal::Limit("a limit of the tenant is for this tenant: leave the id out"));
        }
        let letters = self.id.as_ref().map_or(1, |id| id.chars().count());
        if letters == 0 || letters > HOLDER_CHARACTERS_MAX {
            return Err(GatewayRefusal::Limit("the id of whom it is for has 1 to 200 characters"));
        }
        match self.most {
            LimitMost::Money { window_ms, .. } if !(1..=WINDOW_MS_MAX).contains(&window_ms) => {
                Err(GatewayRefusal::Limit("a window is longer than 0 and at most 366 days"))
            }
            _ => Ok(()),
        }
    }
}
