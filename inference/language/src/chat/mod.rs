//! Chats answered token by token.
//!
//! A model has a thread of its own, which loads it when it is first asked and answers one chat after the other. What waits is
//! bounded; who gives up a chat ends it between two tokens, or in the middle of a long prompt.

mod answer;
mod engine;
mod hold;
mod model;
mod sample;
mod template;

pub use engine::{ANSWER_TIME_MAX, Engines, Hearing, LOADED_MAX, Load, OpenRuntime, Said, WAITING_MAX};
pub use model::carried;
pub use sample::Sampler;
pub use template::Template;
