//! Behaviour of expressions as a workflow's author sees it.

mod evaluator;
mod native;
mod support;
mod time;
