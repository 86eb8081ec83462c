//! A bound on the bytes of event data that one request may bring up.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::{Context, Result};

use super::faults::coded;

/// Most bytes of event payloads in one answer.
const PAYLOAD_BYTES_MAX: usize = 32 << 20;

/// Bytes that one request has brought up so far. One is put into every request's data.
#[derive(Debug, Default)]
pub(crate) struct PayloadBudget(AtomicUsize);

impl PayloadBudget {
    /// Takes `bytes` of the request's budget.
    pub(crate) fn take(context: &Context<'_>, bytes: usize) -> Result<()> {
        let Some(budget) = context.data_opt::<Self>() else { return Ok(()) };
        let before = budget.0.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) <= PAYLOAD_BYTES_MAX {
            return Ok(());
        }
        let message =
            format!("the data of this answer has more than {PAYLOAD_BYTES_MAX} bytes: ask for a shorter page");
        Err(coded("RESPONSE_TOO_LARGE", message))
    }
}
