//! Groups of consumers, which the protocol calls persistent subscriptions: many clients share the events of a stream, or of
//! the whole log, between them; each event is given until it is settled, at least once.
//!
//! What a group is, and which of its events were parked, are events of the log. How far it came is a mark, which may lag: what
//! was settled since is given once more after a crash. Invariant: an event that was neither settled nor parked is given again.

mod desk;
mod event;
mod group;
mod proposals;
mod registry;
mod service;
mod shown;
mod work;

pub use self::registry::Marks;
pub(crate) use self::registry::Registry;

/// Category of the streams of groups: theirs alone.
pub(crate) const CATEGORY: &str = "consumer-group";
