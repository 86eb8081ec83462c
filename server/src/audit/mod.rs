//! What makes the log provable: the tree that follows it, signed checkpoints, witnesses, and exports for auditors.

mod checkpoints;
mod export;
mod follow;
mod formats;
mod keys;
mod parquet;
mod part_file;
mod tell;
mod witness;

pub use checkpoints::bring_up_to_date;
pub use export::{ExportError, ExportOptions, ExportReport, ExportSource, export};
pub use follow::{AuditFollower, AuditParts, Pace};
pub use keys::AuditKeys;
pub use witness::Witness;
