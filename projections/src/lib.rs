//! Read models: rows folded from the log, in a database of their own, that every question of a person is answered from.
//!
//! Each module of a read model holds a pure fold, a table and its queries. Rows carry the positions between which they
//! held, so that every question can be asked as of any position. Rows are metadata: the data that flowed is read from
//! the log. The database is SQLite or PostgreSQL; folds and questions know neither.
//!
//! Never: side effects, a second copy of the events, a clock that a row depends on. Invariant: rows can be dropped at any
//! time; built again from position 0 they are the same rows, in either database.

mod access;
mod agents;
mod builds;
mod checkpoints;
mod credentials;
mod database;
mod error;
mod evaluation_sets;
mod evaluations;
mod executions;
mod feed;
mod inferences;
mod model_calls;
mod models;
mod node_runs;
mod page;
mod parked;
mod payload;
mod plugins;
mod progress;
mod provenance;
mod questions;
mod read_model;
mod read_models;
mod rebuild;
mod runner;
mod standby;
mod store;
mod texts;
mod together;
mod workflows;
mod writer;

pub use access::{
    AccountFilter, AccountRow, ApiKeyFilter, ApiKeyRow, By, RoleGrant, SessionFilter, SessionRow, TenantRow,
};
pub use agents::{AgentRow, AgentRunFilter, AgentRunRow, AgentRunSummary};
pub use credentials::CredentialRow;
pub use database::StorageError;
pub use error::{Behind, FoldError, ProjectionError};
pub use evaluation_sets::EvaluationSetRow;
pub use evaluations::{EvaluationFilter, EvaluationRow};
pub use executions::{
    ARM_EXECUTIONS_MAX, ArmFilter, ExecutionFilter, ExecutionRow, FAILURES_MAX, FailureFilter, FailureGroup,
    SAVED_FACTS_MAX, SavedFact,
};
pub use feed::{FeedFilter, FeedOrder};
pub use inferences::{
    InferenceAnswerRow, InferenceFilter, InferenceRow, InferenceStatus, InferenceWindowFilter, InferenceWindowRow,
    InferenceWorkerFilter, InferenceWorkerRow, LoadFailure, ModelLoadFilter, ModelLoadRow, Unanswered,
};
pub use model_calls::{
    ModelCallFilter, ModelCallRow, ModelCallStatus, ModelSpendRow, SPEND_GROUPS_MAX, SpendBy, SpendFilter, SpendKey,
};
pub use models::ModelRow;
pub use node_runs::{NODE_RUNS_MAX, NodeRunRange, NodeRunRow};
pub use page::{AsOf, Cursor, InvalidCursor, PAGE_ROWS_MAX, Page, PageOf, Side};
pub use parked::{PARKED_EVENTS_MAX, ParkedEvent, ParkedRange};
pub use plugins::{PluginRow, PluginVersion};
pub use progress::{LastError, ProjectionStatus, RATE_TIME, Role, Stopped};
pub use provenance::Provenance;
pub use read_models::{AS_OF_WAIT, PARKED_PAGE_MAX, ReadModels, Rebuilding};
pub use rebuild::{RebuildReport, rebuild};
pub use store::{PostgresPlace, ReadModelStore};
pub use texts::{INDEXED_TEXT_BYTES_MIN, PositionRange, TEXT_PLACES_EVENTS_MAX};
pub use workflows::{RolloutRow, SettingsSummary, WorkflowFilter, WorkflowRow};
