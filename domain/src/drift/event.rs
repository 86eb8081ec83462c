//! What happens to a watch over the drift of a model.

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::ids::Slug;
use crate::inference::InferenceRequest;

/// A fact about the watch over one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum DriftWatchEvent {
    /// From now on the model is watched.
    DriftWatchStarted(Box<DriftWatchSettings>),
    /// A feature is not what it was in the baseline. It comes with the judgement of its window, before it.
    DriftDetected(Box<DriftFinding>),
    /// A window was compared with the baseline, whatever came of it.
    DriftWindowJudged(Box<WindowJudgement>),
    /// The model is watched no more.
    DriftWatchStopped {
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
}

/// Which inferences of a model are meant. Copies on which a version is tried never are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftTarget {
    /// The model.
    pub model: Slug,
    /// Only those that this version answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Only those that named this alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Slug>,
}

/// How a model is watched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriftWatchSettings {
    /// Which inferences.
    pub target: DriftTarget,
    /// What they are compared with.
    pub baseline: DriftBaseline,
    /// How many inferences make a window.
    pub window: u32,
    /// What counts as drift.
    pub bounds: DriftBounds,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// The inferences with which others are compared; of more than are looked at, the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DriftBaseline {
    /// The newest that were answered before the watch was started.
    Newest {
        /// How many.
        count: u32,
    },
    /// Those that were answered in a time.
    Answered {
        /// From when, in milliseconds since 1970.
        from_ms: i64,
        /// Until when, in milliseconds since 1970; this moment is not part of it.
        until_ms: i64,
    },
}

/// What counts as drift.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DriftBounds {
    /// A population stability index of so much or more is moderate.
    pub moderate: f64,
    /// One of so much or more is drift.
    pub drifted: f64,
    /// Neither where chance brings it this often or more, from 0 to 1, over all features together.
    pub p: f64,
}

impl Default for DriftBounds {
    /// The bounds that are commonly used.
    fn default() -> Self {
        Self { moderate: 0.1, drifted: 0.25, p: 0.05 }
    }
}

/// How many inferences one side of a comparison has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleCounts {
    /// All of them.
    pub inferences: u32,
    /// Of these, those of which an input or an output was not kept, or is not there any more; what there is counts.
    pub not_kept: u32,
    /// Of these, those whose data was erased: nothing of them counts.
    pub erased: u32,
}

impl SampleCounts {
    /// How many are there whole.
    pub fn whole(&self) -> u32 {
        self.inferences.saturating_sub(self.not_kept).saturating_sub(self.erased)
    }
}

/// The inferences that were compared with the baseline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedWindow {
    /// Which window of the watch: 1 for the first.
    pub number: u32,
    /// How many inferences it has.
    pub counts: SampleCounts,
    /// Position in the log after which they were answered.
    pub after: u64,
    /// Position of the answer to the last of them.
    pub up_to: u64,
    /// When the first of them was answered, in milliseconds since 1970.
    pub from_ms: i64,
    /// When the last of them was answered, in milliseconds since 1970.
    pub until_ms: i64,
}

/// What of a feature drifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftStatistic {
    /// What is observed: the population stability index of its distribution.
    Psi,
    /// How often nothing is observed: the population stability index of that share.
    MissingPsi,
}

/// A feature that is not what it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriftFinding {
    /// The how many-th watch over the model found it.
    pub watch: u32,
    /// The feature, such as `inputs.age` or `outputs.scores.class`.
    pub feature: String,
    /// What of it drifted.
    pub statistic: DriftStatistic,
    /// How far.
    pub value: f64,
    /// From where on that is drift.
    pub bound: f64,
    /// How likely that much is by chance, from 0 to 1.
    pub p_value: f64,
    /// Where it is likelier than this, chance explains it.
    pub p_bound: f64,
    /// Where it was found.
    pub window: JudgedWindow,
    /// How often the feature was observed there.
    pub observations: u64,
    /// What it was compared with.
    pub baseline: SampleCounts,
    /// How often the feature was observed there.
    pub baseline_observations: u64,
    /// When it was found, in milliseconds since 1970.
    pub at_ms: i64,
}

/// What came of a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowJudgement {
    /// The how many-th watch over the model judged it.
    pub watch: u32,
    /// The window.
    pub window: JudgedWindow,
    /// Features that are like the baseline.
    pub stable: u32,
    /// Features that moved.
    pub moderate: u32,
    /// Features that drifted: each has an event of its own.
    pub drifted: u32,
    /// Features of which there was too little to judge.
    pub too_few: u32,
    /// The feature that moved most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<FeaturePsi>,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// A feature and how far it moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeaturePsi {
    /// The feature.
    pub feature: String,
    /// Its population stability index.
    pub psi: f64,
}

impl DriftTarget {
    /// Whether an inference is one of those that are meant.
    pub fn takes(&self, request: &InferenceRequest) -> bool {
        let names = |alias: &Slug| {
            let named = request.asked.strip_prefix(self.model.as_str()).and_then(|rest| rest.strip_prefix('@'));
            named == Some(alias.as_str())
        };
        request.model == self.model
            && request.shadow_of.is_none()
            && self.version.is_none_or(|version| version == request.version)
            && self.alias.as_ref().is_none_or(names)
    }
}

impl Event for DriftWatchEvent {
    const CATEGORY: &'static str = "drift-watch";
    const TYPES: &'static [(&'static str, u16)] =
        &[("DriftWatchStarted", 1), ("DriftDetected", 1), ("DriftWindowJudged", 1), ("DriftWatchStopped", 1)];

    fn event_type(&self) -> &'static str {
        match self {
            Self::DriftWatchStarted(_) => "DriftWatchStarted",
            Self::DriftDetected(_) => "DriftDetected",
            Self::DriftWindowJudged(_) => "DriftWindowJudged",
            Self::DriftWatchStopped { .. } => "DriftWatchStopped",
        }
    }
}
