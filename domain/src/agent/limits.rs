//! How far a run of an agent may go.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::InvalidAgent;
use super::record::known;
use crate::money::Money;

/// What limits may have in them.
const FIELDS: [&str; 6] = ["turns", "tool_calls", "tokens", "cost", "time_ms", "approval_time_ms"];
/// Most questions to the model in one run.
const TURNS_MAX: u32 = 256;
/// Most calls of tools in one run.
const TOOL_CALLS_MAX: u32 = 1_024;
/// Most tokens of one run.
const TOKENS_MAX: u64 = 100_000_000;
/// Longest run, in milliseconds: a day.
const TIME_MS_MAX: u64 = 86_400_000;
/// Longest wait for somebody's approval, in milliseconds: ninety days.
const APPROVAL_TIME_MS_MAX: u64 = 90 * 86_400_000;

/// How far a run may go. It ends where the first of these is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentLimits {
    /// Questions to the model.
    pub turns: u32,
    /// Calls of tools.
    pub tool_calls: u32,
    /// Tokens, those that are read and those that are written.
    pub tokens: u64,
    /// What the answers may cost together; absent = no limit of the agent's own. Answers without a known price cost nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
    /// Milliseconds, without the time that the run waits for people.
    pub time_ms: u64,
    /// How long somebody's approval is waited for, in milliseconds.
    pub approval_time_ms: u64,
}

impl Default for AgentLimits {
    fn default() -> Self {
        Self {
            turns: 16,
            tool_calls: 64,
            tokens: 200_000,
            cost: None,
            time_ms: 600_000,
            approval_time_ms: 7 * 86_400_000,
        }
    }
}

impl AgentLimits {
    /// These with what `changes` says instead, as somebody wrote it: a word that it does not know is an error, and the cost
    /// may be a text such as `"0.50"`.
    ///
    /// # Errors
    /// [`InvalidAgent`], which says what is wrong and what to do.
    pub fn changed(&self, mut changes: Value) -> Result<Self, InvalidAgent> {
        known("limits", &changes, &FIELDS)?;
        if let Some(cost) = changes.get_mut("cost")
            && let Some(text) = cost.as_str()
        {
            let money = Money::parse(text);
            let money =
                money.ok_or_else(|| InvalidAgent::at("limits.cost", "is no amount: give one such as \"0.50\""))?;
            *cost = Value::from(money.0);
        }
        let unread = |error: serde_json::Error| InvalidAgent::at("limits", format!("cannot be read: {error}"));
        let mut whole = serde_json::to_value(self).map_err(unread)?;
        if let (Value::Object(whole), Value::Object(changes)) = (&mut whole, changes) {
            whole.extend(changes);
        }
        let changed: Self = serde_json::from_value(whole).map_err(unread)?;
        changed.check()?;
        Ok(changed)
    }

    /// # Errors
    /// [`InvalidAgent`], which says what a limit may be.
    pub fn check(&self) -> Result<(), InvalidAgent> {
        let bounds = [
            ("turns", u64::from(self.turns), u64::from(TURNS_MAX)),
            ("tool_calls", u64::from(self.tool_calls), u64::from(TOOL_CALLS_MAX)),
            ("tokens", self.tokens, TOKENS_MAX),
            ("time_ms", self.time_ms, TIME_MS_MAX),
            ("approval_time_ms", self.approval_time_ms, APPROVAL_TIME_MS_MAX),
        ];
        for (name, value, most) in bounds {
            if value > most || (value == 0 && name != "tool_calls") {
                return Err(InvalidAgent::at(format!("limits.{name}"), format!("is {value}: give 1 to {most}")));
            }
        }
        Ok(())
    }
}
