//! The Model aggregate: a name, its versions with the digests of their files, which of them answers under which name, and
//! how they want to be run.
//!
//! A version's file never changes and is known by its digest; which version answers may change at any time, and every such
//! change is an event with its reason. Invariant: a version number never gets another file.

mod command;
mod event;
mod figures;
mod file;
mod reference;
mod refusal;
mod rollout;
mod settings;
mod state;

pub use command::ModelCommand;
pub use event::ModelEvent;
pub use figures::{ArmFigures, LATENCIES_MAX, RolloutCount, RolloutFigures, percentile};
pub use file::{ExternalFile, ModelFile};
pub use reference::{InvalidModelReference, ModelReference, VersionReference};
pub use refusal::ModelRefusal;
pub use rollout::{
    GUARD_FEWEST_MAX, GUARD_LATENCY_US_MAX, GuardMetric, InvalidGuard, MILLION, Rollout, RolloutArm, RolloutGuard,
};
pub use settings::{InvalidModelSettings, ModelSettings, Recording};
pub use state::{Model, ModelVersion};

/// Most versions of a model.
pub const VERSIONS_MAX: usize = 10_000;
/// Most aliases of a model.
pub const ALIASES_MAX: usize = 100;
/// Most characters of a reason.
pub const REASON_CHARACTERS_MAX: usize = 1_000;
