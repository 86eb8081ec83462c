//! The doors at which models are asked over HTTP, in words that stock clients speak. They translate and nothing else: what
//! is computed, and who may ask for it, is decided behind the ports [`v2::Serving`], [`Speaking`] and [`mlflow::Registry`].
//!
//! Three protocols are spoken over the one port [`Speaking`]: whatever a route may do, and whatever is written down of a call,
//! is the same in all of them. Before a body is read it is known who sent it.

pub mod anthropic;
mod body;
pub mod mlflow;
pub mod ollama;
pub mod openai;
mod refused;
mod speaking;
pub mod uploads;
pub mod v2;
mod written;

pub use refused::Refused;
pub use speaking::{Asked, Offered, Said, Skill, Speaking};
