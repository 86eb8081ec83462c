//! Whose something of access is: everybody sees what is theirs.

use timeloom_domain::ids::AccountId;

use crate::state::ApiState;

/// Whether an account is that of whoever asks.
pub(crate) fn is_own(state: &ApiState, account: AccountId) -> bool {
    state.principal().account == Some(account)
}
