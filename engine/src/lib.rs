//! The engine: the node trait, the pure machine that says what an execution does next, and the runner that does it.

pub mod node;
