//! When a workflow that starts by the clock is due, as a function of its trigger's parameters, its time zone and the moment
//! at which it became active.
//!
//! It never asks what time it is and keeps nothing between two questions, so that every process comes to the same answer.
//! Invariant: [`Timetable::next_after`] is later than what was asked for, and nothing due lies between the two.
//!
//! A time of day that a change to summer time leaves out is due once, at the moment after the gap; one that the change
//! back brings twice is due once, the first time. Rules that count seconds, minutes or single hours go on through both.

mod cron;
mod item;
mod legacy;
mod rule;
mod trigger;

use chrono_tz::Tz;
use serde_json::Value;

pub use item::firing_item;
use rule::{Anchored, Rule};

/// Type of the Schedule Trigger.
pub const SCHEDULE_TRIGGER: &str = "n8n-nodes-base.scheduleTrigger";
/// Type of its predecessor.
pub const CRON: &str = "n8n-nodes-base.cron";
/// Type of the trigger that knows an interval alone.
pub const INTERVAL: &str = "n8n-nodes-base.interval";

/// Most rules of one node.
const RULES_MAX: usize = 100;

/// Why a trigger's parameters say no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct ScheduleError {
    /// The field of the node.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl ScheduleError {
    fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// The rules of one trigger.
#[derive(Debug, Clone)]
pub struct Schedule {
    rules: Vec<Rule>,
}

impl Schedule {
    /// Reads the parameters of a node that starts by the clock.
    ///
    /// # Errors
    /// [`ScheduleError`] when a rule says no time, or the type is no such trigger.
    pub fn parse(node_type: &str, parameters: &Value) -> Result<Self, ScheduleError> {
        let rules = match node_type {
            SCHEDULE_TRIGGER => trigger::rules(parameters)?,
            CRON => legacy::cron_rules(parameters)?,
            INTERVAL => vec![legacy::interval_rule(parameters)?],
            other => return Err(ScheduleError::new("type", format!("'{other}' does not start by the clock"))),
        };
        if rules.len() > RULES_MAX {
            let message = format!("{} rules, at most {RULES_MAX} are allowed: use several triggers", rules.len());
            return Err(ScheduleError::new("parameters", message));
        }
        Ok(Self { rules })
    }

    /// The times in `zone` that count from the moment `since_ms` (milliseconds since 1970) at which it became active.
    pub fn timetable(self, since_ms: i64, zone: Tz) -> Timetable {
        Timetable { rules: self.rules.into_iter().map(|rule| Anchored::new(rule, since_ms, zone)).collect() }
    }
}

/// The times at which one trigger is due.
#[derive(Debug, Clone)]
pub struct Timetable {
    rules: Vec<Anchored>,
}

impl Timetable {
    /// The first time after `after_ms`, in milliseconds since 1970; `None` when there is none any more.
    pub fn next_after(&self, after_ms: i64) -> Option<i64> {
        self.rules.iter().filter_map(|rule| rule.next_after(after_ms)).min()
    }
}

/// The number that a parameter holds; numeric text counts, and a missing one is `default`.
fn number(parameters: &Value, name: &str, default: i64) -> Result<i64, ScheduleError> {
    let number = match parameters.get(name) {
        None | Some(Value::Null) => Some(default),
        Some(Value::Number(number)) => number.as_f64().filter(|value| value.fract() == 0.0).map(|value| value as i64),
        Some(Value::String(text)) => literal(text).and_then(|text| text.parse().ok()),
        Some(_) => None,
    };
    number.ok_or_else(|| {
        ScheduleError::new(name, "is not a whole number: write it out, a schedule has no items for expressions")
    })
}

/// A number between two bounds.
fn bounded(parameters: &Value, name: &str, default: i64, from: i64, to: i64) -> Result<i64, ScheduleError> {
    let value = number(parameters, name, default)?;
    if (from..=to).contains(&value) {
        return Ok(value);
    }
    Err(ScheduleError::new(name, format!("{value} is out of range: use {from} to {to}")))
}

/// Text without an expression in it; a leading `=` alone changes nothing.
fn literal(text: &str) -> Option<&str> {
    let text = text.strip_prefix('=').unwrap_or(text).trim();
    (!text.contains("{{")).then_some(text)
}
