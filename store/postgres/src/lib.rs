//! The event log and blobs in one schema of a PostgreSQL database, for any number of processes at once.
//!
//! Invariants: whoever appends holds the row lock of the log's head from the first look to the commit, so that positions
//! have no gaps and their order is the order of visibility; an append is answered after the database has it; rows of
//! `events` never change. Programs of cqrs-es may append to categories that were declared external, and to no others.

mod archive;
mod blobs;
mod check;
mod claims;
mod cold;
mod columns;
mod connect;
mod error;
mod external;
mod leases;
mod log;
mod marks;
mod payloads;
mod readers;
mod recorded;
mod schema;
mod snapshots;
mod subject_keys;
mod transfer;
mod tree;
mod writer;

pub use blobs::PostgresBlobs;
pub use check::CheckReport;
pub use claims::PostgresClaims;
pub use connect::{Address, AddressError};
pub use error::{OpenError, PostgresError};
pub use external::{ExternalCategory, ExternalError};
pub use leases::PostgresLeases;
pub use log::{PostgresLog, PostgresOptions};
pub use snapshots::PostgresSnapshots;
pub use subject_keys::PostgresSubjectKeys;
pub use transfer::{PostgresImport, PostgresSource};
pub use tree::PostgresTree;
