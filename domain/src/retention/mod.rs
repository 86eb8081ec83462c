//! The Retention aggregate: how long the data of one category of streams is kept, and what went because of it.
//!
//! One stream for each tenant and category, whose id is the category. Data of a category that has a retention is sealed under
//! the key of the *bucket* of its day (UTC), and goes with that key. Invariants: what shortens a retention was asked for by one
//! and approved by another; a bucket goes only when its whole day is older than the retention, and no hold is on the category.

mod event;
mod refusal;
mod state;

pub use event::{Bucket, RetentionEvent};
pub use refusal::RetentionRefusal;
pub use state::{Retention, RetentionCommand, RetentionRequest};

use crate::agent_run::AgentRunEvent;
use crate::event::Event as _;
use crate::execution::ExecutionEvent;
use crate::inference::InferenceEvent;
use crate::model_call::ModelCallEvent;

/// The categories that can have a retention.
pub const RETAINED_CATEGORIES: [&str; 4] =
    [ExecutionEvent::CATEGORY, InferenceEvent::CATEGORY, ModelCallEvent::CATEGORY, AgentRunEvent::CATEGORY];
/// Shortest retention, in days.
pub const DAYS_MIN: u32 = 1;
/// Longest retention, in days: a century.
pub const DAYS_MAX: u32 = 36_525;
/// Most buckets that one event tells of.
pub const BUCKETS_MAX: usize = 1_000;

/// What begins the name under which the key of a bucket is kept. It has a control character, which no subject's name has.
const BUCKET: &str = "\u{1f}retention:";
/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// The day (UTC) of a time, as days since 1970; times are in milliseconds since then.
pub const fn day_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS)
}

/// The name under which the key of a bucket is kept. Stored with the key, and frozen.
pub fn bucket_name(category: &str, day: i64) -> String {
    format!("{BUCKET}{category}:{day}")
}

/// Checks the name of a category.
///
/// # Errors
/// [`RetentionRefusal::UnknownCategory`].
pub fn check_category(category: &str) -> Result<(), RetentionRefusal> {
    if RETAINED_CATEGORIES.contains(&category) { Ok(()) } else { Err(RetentionRefusal::UnknownCategory) }
}
