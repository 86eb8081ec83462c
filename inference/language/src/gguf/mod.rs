//! Files in the format GGUF, in which language models are handed around: what they say of themselves, and their weights.
//!
//! A file from outside is not believed: nothing is allocated by what it claims beyond bounds, and every weight is checked
//! to lie within the file before it is looked at. Nothing is copied.

mod read;
mod value;
mod weight;

pub use read::{Gguf, InvalidGguf};
pub use value::Value;
pub use weight::{BLOCK, Kind, Weight};
