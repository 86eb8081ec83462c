//! What is told of drift.

use async_graphql::{Enum, Object, SimpleObject};
use chrono::{DateTime, Utc};
use timeloom_domain::drift::{
    DriftBaseline, DriftBounds, DriftFinding as Finding, DriftReport, DriftStatistic as Statistic, DriftTarget,
    DriftVerdict as Verdict, DriftWatch as Watch, FeatureDrift, FeatureKind as Kind, FeatureSide, JudgedWindow,
    SampleCounts, Shift, WindowJudgement,
};
use timeloom_domain::ids::Slug;
use timeloom_store::Position;

use crate::schema::scalars::PositionScalar;

/// What is made of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Verdict")]
pub(crate) enum DriftVerdict {
    /// There is too little of it on one side.
    TooFew,
    /// It is like the baseline, or chance explains it.
    Stable,
    /// It moved.
    Moderate,
    /// It is something else.
    Drifted,
}

/// What is observed of a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "DriftFeatureKind", remote = "Kind")]
pub(crate) enum FeatureKind {
    /// Numbers, which are tested by Kolmogorov and Smirnov.
    Number,
    /// Classes, which are tested by chi-square.
    Class,
}

/// What of a feature drifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Statistic")]
pub(crate) enum DriftStatistic {
    /// What is observed: the population stability index of its distribution.
    Psi,
    /// How often nothing is observed: the population stability index of that share.
    MissingPsi,
}

/// How many inferences one side of a comparison has.
#[derive(Debug, Clone, Copy, SimpleObject)]
pub(crate) struct DriftSampleCounts {
    /// All of them.
    inferences: u32,
    /// Of these, those of which an input or an output was not kept, or is not there any more; what there is counts.
    not_kept: u32,
    /// Of these, those whose data was erased: nothing of them counts.
    erased: u32,
}

impl From<SampleCounts> for DriftSampleCounts {
    fn from(counts: SampleCounts) -> Self {
        let SampleCounts { inferences, not_kept, erased } = counts;
        Self { inferences, not_kept, erased }
    }
}

/// One side of a feature.
#[derive(Debug, Clone, Copy, SimpleObject)]
pub(crate) struct DriftFeatureSide {
    /// How often there was something.
    observations: u64,
    /// How often there was nothing.
    missing: u64,
    /// The mean of numbers.
    mean: Option<f64>,
}

impl From<FeatureSide> for DriftFeatureSide {
    fn from(side: FeatureSide) -> Self {
        let FeatureSide { observations, missing, mean } = side;
        Self { observations, missing, mean }
    }
}

/// How far something moved.
#[derive(Debug, Clone, Copy, SimpleObject)]
pub(crate) struct DriftShift {
    /// The population stability index.
    psi: f64,
    /// The statistic of the test: the largest distance of the distributions, or chi-square.
    test: f64,
    /// How likely that much is by chance, from 0 to 1.
    p_value: f64,
    /// What is made of it.
    verdict: DriftVerdict,
}

impl From<Shift> for DriftShift {
    fn from(shift: Shift) -> Self {
        let Shift { psi, test, verdict } = shift;
        Self { psi, test: test.statistic, p_value: test.p_value, verdict: verdict.into() }
    }
}

/// One feature of a model, compared.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct DriftFeature {
    /// Its name, such as `inputs.age` or `outputs.scores.class`.
    feature: String,
    /// What is observed of it.
    kind: FeatureKind,
    /// The worse of the two shifts.
    verdict: DriftVerdict,
    /// How far what is observed moved; absent where there is too little.
    value: Option<DriftShift>,
    /// How far the share moved of what is missing; absent where nothing is missing, or there is too little.
    missing: Option<DriftShift>,
    /// The baseline.
    baseline: DriftFeatureSide,
    /// What is compared with it.
    window: DriftFeatureSide,
}

impl From<&FeatureDrift> for DriftFeature {
    fn from(drift: &FeatureDrift) -> Self {
        Self {
            feature: drift.feature.clone(),
            kind: drift.kind.into(),
            verdict: drift.verdict.into(),
            value: drift.value.map(Into::into),
            missing: drift.missing.map(Into::into),
            baseline: drift.baseline.into(),
            window: drift.window.into(),
        }
    }
}

/// Recorded inferences of a model, compared with others of it.
#[derive(Debug, Clone)]
pub(crate) struct ModelDrift {
    pub(super) target: DriftTarget,
    pub(super) report: DriftReport,
}

#[Object]
impl ModelDrift {
    /// The model.
    async fn model_name(&self) -> &str {
        self.target.model.as_str()
    }

    /// Only what this version answered.
    async fn version(&self) -> Option<u32> {
        self.target.version
    }

    /// Only what named this alias.
    async fn alias(&self) -> Option<&str> {
        self.target.alias.as_ref().map(Slug::as_str)
    }

    /// The worst verdict of all features.
    async fn verdict(&self) -> DriftVerdict {
        let worst = self.report.features.iter().map(|feature| feature.verdict).max();
        worst.unwrap_or(Verdict::TooFew).into()
    }

    /// What was compared with.
    async fn baseline(&self) -> DriftSampleCounts {
        self.report.baseline.into()
    }

    /// What was compared.
    async fn window(&self) -> DriftSampleCounts {
        self.report.window.into()
    }

    /// At most 64 features on each side: what moved most comes first.
    async fn features(&self) -> Vec<DriftFeature> {
        self.report.features.iter().map(Into::into).collect()
    }

    /// Whether the model has more features than were looked at.
    async fn has_more_features(&self) -> bool {
        self.report.is_cut
    }

    /// A feature whose difference chance brings this often or more is stable: the bound over all features together, divided
    /// by their number.
    async fn p_bound(&self) -> f64 {
        self.report.p_bound
    }
}

/// What inferences are compared with.
#[derive(Debug, Clone, Copy, SimpleObject)]
#[graphql(name = "DriftBaseline")]
pub(crate) struct BaselineView {
    /// So many of the newest before the watch; absent where a time is the baseline.
    newest: Option<u32>,
    /// Those that were answered at or after this.
    from: Option<DateTime<Utc>>,
    /// Those that were answered before this.
    until: Option<DateTime<Utc>>,
}

impl From<DriftBaseline> for BaselineView {
    fn from(baseline: DriftBaseline) -> Self {
        match baseline {
            DriftBaseline::Newest { count } => Self { newest: Some(count), from: None, until: None },
            DriftBaseline::Answered { from_ms, until_ms } => {
                Self { newest: None, from: time(from_ms), until: time(until_ms) }
            }
        }
    }
}

/// What counts as drift.
#[derive(Debug, Clone, Copy, SimpleObject)]
#[graphql(name = "DriftBounds")]
pub(crate) struct BoundsView {
    /// A population stability index of so much or more is moderate.
    moderate: f64,
    /// One of so much or more is drift.
    drifted: f64,
    /// Neither where chance brings it this often or more, over all features together.
    p: f64,
}

impl From<DriftBounds> for BoundsView {
    fn from(bounds: DriftBounds) -> Self {
        let DriftBounds { moderate, drifted, p } = bounds;
        Self { moderate, drifted, p }
    }
}

/// The inferences that were compared with a baseline.
#[derive(Debug, Clone, Copy, SimpleObject)]
pub(crate) struct DriftWindow {
    /// Which window of the watch: 1 for the first.
    number: u32,
    /// How many inferences it has.
    counts: DriftSampleCounts,
    /// Position after which they were answered.
    after: PositionScalar,
    /// Position of the answer to the last of them.
    up_to: PositionScalar,
    /// When the first of them was answered.
    from: Option<DateTime<Utc>>,
    /// When the last of them was answered.
    until: Option<DateTime<Utc>>,
}

impl From<&JudgedWindow> for DriftWindow {
    fn from(window: &JudgedWindow) -> Self {
        Self {
            number: window.number,
            counts: window.counts.into(),
            after: PositionScalar(Position(window.after)),
            up_to: PositionScalar(Position(window.up_to)),
            from: time(window.from_ms),
            until: time(window.until_ms),
        }
    }
}

/// A feature that is not what it was.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct DriftFinding {
    /// The feature.
    feature: String,
    /// What of it drifted.
    statistic: DriftStatistic,
    /// How far.
    value: f64,
    /// From where on that is drift.
    bound: f64,
    /// How likely that much is by chance, from 0 to 1.
    p_value: f64,
    /// Where it is likelier than this, chance explains it.
    p_bound: f64,
    /// Where it was found.
    window: DriftWindow,
    /// How often the feature was observed there.
    observations: u64,
    /// What it was compared with.
    baseline: DriftSampleCounts,
    /// How often the feature was observed there.
    baseline_observations: u64,
    /// When it was found.
    found_at: Option<DateTime<Utc>>,
}

impl From<&Finding> for DriftFinding {
    fn from(finding: &Finding) -> Self {
        Self {
            feature: finding.feature.clone(),
            statistic: finding.statistic.into(),
            value: finding.value,
            bound: finding.bound,
            p_value: finding.p_value,
            p_bound: finding.p_bound,
            window: (&finding.window).into(),
            observations: finding.observations,
            baseline: finding.baseline.into(),
            baseline_observations: finding.baseline_observations,
            found_at: time(finding.at_ms),
        }
    }
}

/// What came of a window.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct DriftJudgement {
    /// The window.
    window: DriftWindow,
    /// Features that are like the baseline.
    stable: u32,
    /// Features that moved.
    moderate: u32,
    /// Features that drifted.
    drifted: u32,
    /// Features of which there was too little to judge.
    too_few: u32,
    /// The feature that moved most.
    worst_feature: Option<String>,
    /// Its population stability index.
    worst_psi: Option<f64>,
    /// When.
    judged_at: Option<DateTime<Utc>>,
}

impl From<&WindowJudgement> for DriftJudgement {
    fn from(judgement: &WindowJudgement) -> Self {
        let worst = judgement.worst.as_ref();
        Self {
            window: (&judgement.window).into(),
            stable: judgement.stable,
            moderate: judgement.moderate,
            drifted: judgement.drifted,
            too_few: judgement.too_few,
            worst_feature: worst.map(|worst| worst.feature.clone()),
            worst_psi: worst.map(|worst| worst.psi),
            judged_at: time(judgement.at_ms),
        }
    }
}

/// The watch over the drift of a model: the one under way, or the last.
#[derive(Debug, Clone)]
pub(crate) struct DriftWatch {
    pub(super) watch: Watch,
}

#[Object]
impl DriftWatch {
    /// Whether it is under way.
    async fn running(&self) -> bool {
        self.watch.running().is_some()
    }

    /// Only what this version answers.
    async fn version(&self) -> Option<u32> {
        self.watch.settings.as_ref()?.target.version
    }

    /// Only what names this alias.
    async fn alias(&self) -> Option<&str> {
        self.watch.settings.as_ref()?.target.alias.as_ref().map(Slug::as_str)
    }

    /// What inferences are compared with.
    async fn baseline(&self) -> Option<BaselineView> {
        Some(self.watch.settings.as_ref()?.baseline.into())
    }

    /// How many inferences make a window.
    async fn window(&self) -> Option<u32> {
        Some(self.watch.settings.as_ref()?.window)
    }

    /// What counts as drift.
    async fn bounds(&self) -> Option<BoundsView> {
        Some(self.watch.settings.as_ref()?.bounds.into())
    }

    /// When it was started.
    async fn started_at(&self) -> Option<DateTime<Utc>> {
        time(self.watch.settings.as_ref()?.at_ms)
    }

    /// When it was stopped.
    async fn stopped_at(&self) -> Option<DateTime<Utc>> {
        self.watch.stopped_at_ms.and_then(time)
    }

    /// How many windows it judged.
    async fn judged(&self) -> u32 {
        self.watch.judged
    }

    /// What came of the last window; absent before.
    async fn last(&self) -> Option<DriftJudgement> {
        self.watch.last.as_deref().map(Into::into)
    }

    /// What drifted, the newest first: at most 64. All are events.
    async fn findings(&self) -> Vec<DriftFinding> {
        self.watch.findings.iter().rev().map(Into::into).collect()
    }
}

fn time(at_ms: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(at_ms)
}
