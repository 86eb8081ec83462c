//! Proofs about a log that nobody has to believe the server for: leaves, the tree over them, signed checkpoints, exports
//! and capsules, and the check of them by whoever has one.
//!
//! Needs nothing of Timeloom and no network. Invariant: what is proved here follows from bytes in hand and from keys and
//! checkpoints that whoever checks brought along, never from what an export says of itself.

pub mod capsule;
pub mod check;
pub mod checkpoint;
pub mod cli;
pub mod export;
pub mod hexadecimal;
pub mod key;
pub mod leaf;
pub mod line;
pub mod note;
pub mod tree;

pub use capsule::{Capsule, CapsuleError};
pub use checkpoint::Checkpoint;
pub use leaf::{Leaf, Record};
pub use tree::{Frontier, Hash};
