//! Bench of lists.
fn main() {}
