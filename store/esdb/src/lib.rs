//! The event log on a server that speaks the protocol of EventStoreDB, by the client `eventstore`; only with the feature
//! `esdb`.
//!
//! The log is one stream of that server, an event of ours an event of it: the revision in this stream is what makes
//! positions that have no gaps, and what an append expects of it makes sure that nobody came in between. Each process has
//! a [replica](timeloom_store::Replica), which answers everything but appends.
//!
//! Invariants: an append is on the server before it is in the replica, and in the replica before it is answered; the
//! replica has nothing that the server has not.
#![cfg(feature = "esdb")]

mod blobs;
mod error;
mod follower;
mod log;
mod row;
mod server;
mod writer;

/// The client, for whoever speaks with the same server beside this log.
pub use eventstore as client;

pub use self::blobs::EsdbBlobs;
pub use self::error::EsdbError;
pub use self::log::{EsdbLog, EsdbOptions};
