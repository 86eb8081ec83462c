//! The event log and blobs in a folder on this machine: one SQLite file with one writer thread, and content-addressed files.
//!
//! Invariants: exactly one connection writes and checkpoints; an append is answered after the disk has it; the folder is
//! used by one process at a time.

mod archive;
mod blobs;
mod check;
mod cold;
mod connections;
mod error;
mod export;
mod folder;
mod kinds;
mod log;
mod packed;
mod payloads;
mod queue;
mod readers;
mod recorded;
mod schema;
mod selective;
mod snapshots;
mod subject_keys;
mod transfer;
mod tree;
mod writer;

pub use blobs::SqliteBlobs;
pub use error::{OpenError, StorageError};
pub use folder::{DataFolder, FolderError};
pub use log::{SqliteLog, SqliteOptions};
pub use snapshots::SqliteSnapshots;
pub use subject_keys::SqliteSubjectKeys;
pub use transfer::{SqliteImport, SqliteSource};
pub use tree::SqliteTree;
