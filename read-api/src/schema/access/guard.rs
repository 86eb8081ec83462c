//! Who may see what of access: everybody themselves, others with a permission.

use async_graphql::{Error, ErrorExtensions as _, Result};
use timeloom_domain::access::{Forbidden, Permission};
use timeloom_domain::ids::AccountId;

use crate::schema::faults::coded;
use crate::state::ApiState;

/// Whether an account is that of whoever asks.
pub(crate) fn is_own(state: &ApiState, account: AccountId) -> bool {
    state.principal().account == Some(account)
}

/// Refuses whoever may not do what needs `permission`.
pub(crate) fn check(state: &ApiState, permission: Permission) -> Result<()> {
    state.require(permission).map_err(forbidden)
}

fn forbidden(forbidden: Forbidden) -> Error {
    let error = coded("FORBIDDEN", forbidden.to_string());
    error.extend_with(|_, extensions| extensions.set("permission", forbidden.needed.name()))
}
