//! The sandbox as its users see it: what expressions and scripts answer, and that nothing gets out of hand.

mod bench;
mod code;
mod conformance;
mod expressions;
mod hostile;
mod support;
