//! Read models: rows folded from the log, in a file of their own, that every question of a person is answered from.
//!
//! Each module of a read model holds a pure fold, a table and its queries. Rows carry the positions between which they
//! held, so that every question can be asked as of any position. Rows are metadata: the data that flowed is read from
//! the log.
//!
//! Never: side effects, clocks, a second copy of the events. Invariant: the file can be deleted at any time; built again
//! from position 0 it holds the same rows.

mod error;
mod executions;
mod feed;
mod file;
mod listing;
mod models;
mod node_runs;
mod page;
mod payload;
mod plugins;
mod provenance;
mod read_model;
mod read_models;
mod readers;
mod rebuild;
mod runner;
mod workflows;
mod writer;

pub use error::{Behind, FoldError, ProjectionError};
pub use executions::{ExecutionFilter, ExecutionRow};
pub use feed::{FeedFilter, FeedOrder};
pub use models::ModelRow;
pub use node_runs::{NODE_RUNS_MAX, NodeRunRow};
pub use page::{AsOf, Cursor, InvalidCursor, PAGE_ROWS_MAX, Page, PageOf};
pub use plugins::{PluginRow, PluginVersion};
pub use provenance::Provenance;
pub use read_models::{AS_OF_WAIT, ReadModels};
pub use rebuild::{RebuildReport, rebuild};
pub use workflows::{SettingsSummary, WorkflowFilter, WorkflowRow};
pub use writer::{Parked, ProjectionStatus};
