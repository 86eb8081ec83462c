//! Who has access: accounts with their roles, their keys, their sessions, and tenants.
//!
//! Whoever gave something is read from what is around the event, so that a row says who did it, when and why. No digest,
//! no sealed password and no secret of a link is in any row.

mod accounts;
mod by;
mod keys;
mod questions;
mod sessions;
mod tenants;

pub(crate) use accounts::Accounts;
pub use accounts::{AccountFilter, AccountRow, RoleGrant};
pub use by::By;
pub(crate) use keys::ApiKeys;
pub use keys::{ApiKeyFilter, ApiKeyRow};
pub(crate) use sessions::Sessions;
pub use sessions::{SessionFilter, SessionRow};
pub use tenants::TenantRow;
pub(crate) use tenants::Tenants;
