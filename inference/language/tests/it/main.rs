//! Real models, of packages that set-up fetched. Where they are not, these tests say SKIPPED.

mod chats;
mod hostile;
mod real;
mod vectors;
