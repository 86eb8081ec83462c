//! A bound on the bytes of event data that one request may bring up.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::{Context, Result};
use serde_json::Value;

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

/// How many bytes a value has as JSON text, without writing it.
pub(crate) fn json_bytes(value: &Value) -> usize {
    let mut counter = Counter(0);
    // Counting cannot fail.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bytes_are_those_of_the_text() {
        for value in [json!(null), json!("ü\n"), json!({ "a": [1, 2.5, { "b": "c" }] })] {
            assert_eq!(json_bytes(&value), value.to_string().len());
        }
    }
}
