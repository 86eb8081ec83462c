//! The Tenant aggregate: whose data is kept apart from that of all others.
//!
//! The events of every tenant's coming and going are in the first tenant, number 0, which runs the installation and is
//! there from the beginning. Invariant: a number never gets another tenant.

mod event;
mod state;

use crate::event::OWN_CATEGORIES;

pub use event::TenantEvent;
pub use state::{Tenant, TenantCommand, TenantRefusal};

/// Most characters of a name.
pub const NAME_CHARACTERS_MAX: usize = 200;
/// Most tenants of one log.
pub const TENANTS_MAX: u32 = 100_000;
/// Longest name of a category that is open to programs of others, in bytes.
pub const CATEGORY_BYTES_MAX: usize = 100;
/// Most categories of one tenant that are open to programs of others.
pub const OPEN_CATEGORIES_MAX: usize = 1_000;
/// What the name of the first tenant is until somebody calls it otherwise.
pub const FIRST_NAME: &str = "default";

/// Categories of which there are no aggregates, and which are ours all the same.
const KEPT_CATEGORIES: [&str; 2] = ["consumer-group", "policy"];

/// Whether a category is one of ours, or its streams would have names that read as those of one of ours.
pub fn is_own_category(category: &str) -> bool {
    let begins = |own: &&str| own.strip_prefix(category).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    OWN_CATEGORIES.iter().chain(&KEPT_CATEGORIES).any(begins)
}
