//! The protocol of EventStoreDB over one log: programs written for that server read and append with the clients that they
//! have.
//!
//! Invariants: a client sees the events of its credential's tenant and no others; it appends only to categories that were
//! opened to programs of others; events are never changed or deleted, whatever it asks for. Nothing here keeps an event.

mod append;
mod batch;
mod consumers;
mod door;
mod events;
mod features;
mod filter;
mod front;
mod looks;
mod names;
mod read;
mod serve;
mod status;
mod streams;
mod subscribe;
mod tls;
pub mod wire;

pub use self::consumers::Marks;
pub use self::front::{Front, FrontParts, Measure, OpenTo};
pub use self::serve::{Served, serve};
pub use self::tls::{Tls, TlsError};
