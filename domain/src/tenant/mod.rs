//! The Tenant aggregate: whose data is kept apart from that of all others.
//!
//! The events of every tenant's coming and going are in the first tenant, number 0, which runs the installation and is
//! there from the beginning. Invariant: a number never gets another tenant.

mod event;
mod state;

pub use event::TenantEvent;
pub use state::{Tenant, TenantCommand, TenantRefusal};

/// Most characters of a name.
pub const NAME_CHARACTERS_MAX: usize = 200;
/// Most tenants of one log.
pub const TENANTS_MAX: u32 = 100_000;
