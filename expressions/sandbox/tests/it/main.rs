//! The sandbox as its users see it: what expressions and scripts answer, and that nothing gets out of hand.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the way tests do")]

mod bench;
mod code;
mod conformance;
mod expressions;
mod hostile;
mod support;
