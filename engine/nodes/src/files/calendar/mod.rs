//! Calendar files (RFC 5545): their events as data, and a file of one event.

mod lines;
mod read;
mod write;

pub(super) use read::read;
pub(super) use write::{Event, Person, write};

#[cfg(test)]
mod tests;
