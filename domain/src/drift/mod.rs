//! Drift: whether what goes into a model, and what comes out, is still like what it was.
//!
//! Two sets of recorded inferences are compared feature by feature. The statistics are pure, and so is what makes features of
//! tensors; the DriftWatch aggregate says which model is compared with which baseline again and again, and what came of it.
//! Invariant: events and states hold numbers about many inferences, never a value of one: nothing here is about a person.

mod event;
mod features;
mod judge;
mod state;
mod statistics;

pub use event::{
    DriftBaseline, DriftBounds, DriftFinding, DriftStatistic, DriftTarget, DriftWatchEvent, DriftWatchSettings,
    FeaturePsi, JudgedWindow, SampleCounts, WindowJudgement,
};
pub use features::{Column, Profile, Side};
pub use judge::{DriftReport, DriftVerdict, FeatureDrift, FeatureKind, FeatureSide, Shift, compare};
pub use state::{DriftWatch, DriftWatchCommand, DriftWatchRefusal};
pub use statistics::{Test, binned, chi_square, deciles, kolmogorov_smirnov, population_stability};

/// Most features of a model: those that are met first.
pub const FEATURES_MAX: usize = 64;
/// Most inferences of one side of a comparison: the newest.
pub const SAMPLES_MAX: usize = 2_000;
/// Fewest observations of a feature on each side, and fewest inferences of a baseline.
pub const SAMPLES_MIN: usize = 20;
/// Most findings that a watch tells: the newest. All are in the log.
pub const FINDINGS_MAX: usize = 64;
