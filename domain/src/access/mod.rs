//! Who may do what: permissions, the roles that give them, and whoever asks.
//!
//! Pure rules. Who somebody is was found out before; nothing here knows a token or a password. Invariant: what is not
//! given is refused, and nobody gives away more than they have.

mod permission;
mod principal;
mod role;

pub use permission::{Forbidden, Permission, Permissions};
pub use principal::Principal;
pub use role::{Role, may_grant};
