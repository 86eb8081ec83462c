//! The trial of a version: its guard, and what is counted of it.

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};
use timeloom_domain::ids::Slug;
use timeloom_domain::model::{ArmFigures, GuardMetric, MILLION, Rollout, RolloutFigures, RolloutGuard};
use timeloom_projections::AsOf;
use timeloom_store::Position;

use crate::schema::faults::fault;
use crate::schema::reading::state;
use crate::schema::scalars::PositionScalar;

/// Most pages of events that are counted on for one question; where there are more, the figures say up to where they go.
const PAGES_MAX: usize = 20;
/// Inferences after which a guard judges where nothing is said.
const FEWEST: u32 = 100;

/// What a guard measures of the tried version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "ModelRolloutMetric", remote = "GuardMetric")]
pub(crate) enum RolloutMetric {
    /// The part of its inferences that failed or were not begun.
    ErrorRate,
    /// The time within which it answers 95 of 100, waiting included.
    LatencyP95,
    /// The part of its answers to copies that are others than those of the version that answers.
    Disagreement,
}

/// When a trial is over by itself: as soon as what is measured is above the bound.
#[derive(Debug, Clone, Copy, InputObject)]
#[graphql(name = "ModelRolloutGuardInput")]
pub(crate) struct RolloutGuardInput {
    /// What is measured.
    pub metric: RolloutMetric,
    /// The most that is allowed: a part of 1, such as 0.05, or milliseconds for a latency.
    pub bound: f64,
    /// Fewest inferences of the tried version, or comparisons of it, before it is judged.
    #[graphql(default_with = "FEWEST")]
    pub fewest: u32,
    /// An answer disagrees when its numbers are further apart than this, relative to the larger one or 1; absent = when its
    /// class is another one.
    pub tolerance: Option<f64>,
}

impl RolloutGuardInput {
    /// The guard, or why it is none.
    pub(super) fn guard(self) -> std::result::Result<RolloutGuard, String> {
        let Self { metric, bound, fewest, tolerance } = self;
        let metric = GuardMetric::from(metric);
        let bound = scaled(bound, unit(metric)).ok_or_else(|| format!("{bound} is no bound: give one above 0"))?;
        let tolerance = tolerance.map(|tolerance| {
            scaled(tolerance, MILLION).ok_or_else(|| format!("{tolerance} is no tolerance: give one from 0 to 1"))
        });
        Ok(RolloutGuard { metric, bound, fewest, tolerance: tolerance.transpose()? })
    }
}

/// How many of what is written down are one of what is told.
fn unit(metric: GuardMetric) -> u64 {
    match metric {
        GuardMetric::LatencyP95 => 1_000,
        GuardMetric::ErrorRate | GuardMetric::Disagreement => MILLION,
    }
}

/// A number in smaller units; `None` where that is no number of them.
fn scaled(number: f64, unit: u64) -> Option<u64> {
    let scaled = (number * unit as f64).round();
    (0.0..=1e15).contains(&scaled).then_some(scaled as u64)
}

/// When a trial is over by itself.
#[derive(Debug, Clone, Copy, SimpleObject)]
#[graphql(name = "ModelRolloutGuard")]
pub(crate) struct RolloutGuardView {
    /// What is measured.
    metric: RolloutMetric,
    /// The most that is allowed: a part of 1, or milliseconds for a latency.
    bound: f64,
    /// Fewest inferences of the tried version, or comparisons of it, before it is judged.
    fewest: u32,
    /// How far numbers may be apart before answers disagree; absent where another class is a disagreement.
    tolerance: Option<f64>,
}

/// What is counted of one side of a trial.
#[derive(Debug, Clone, Copy, SimpleObject)]
#[graphql(name = "ModelRolloutArmFigures")]
pub(crate) struct RolloutArmFigures {
    /// Inferences that were answered.
    answered: u64,
    /// Inferences that failed or were not begun.
    failed: u64,
    /// The part that failed, of 1.
    error_rate: f64,
    /// The time within which 95 of 100 of the newest were answered, waiting included, in microseconds.
    latency_p95_us: Option<u64>,
}

/// What is counted of a trial.
#[derive(Debug, Clone, Copy, SimpleObject)]
#[graphql(name = "ModelRolloutFigures")]
pub(crate) struct RolloutFiguresView {
    /// The tried version.
    candidate: RolloutArmFigures,
    /// The version that answers the others.
    stable: RolloutArmFigures,
    /// Answers of the tried version to copies that were compared.
    compared: u64,
    /// Of these, how many are other answers.
    disagreed: u64,
    /// Position up to which all was counted.
    up_to: PositionScalar,
}

impl From<ArmFigures> for RolloutArmFigures {
    fn from(figures: ArmFigures) -> Self {
        let error_rate = figures.error_rate() as f64 / MILLION as f64;
        let ArmFigures { answered, failed, latency_p95_us } = figures;
        Self { answered, failed, error_rate, latency_p95_us }
    }
}

impl From<RolloutFigures> for RolloutFiguresView {
    fn from(figures: RolloutFigures) -> Self {
        let RolloutFigures { candidate, stable, compared, disagreed, up_to } = figures;
        let up_to = PositionScalar(Position(up_to));
        Self { candidate: candidate.into(), stable: stable.into(), compared, disagreed, up_to }
    }
}

/// The trial of a version.
#[derive(Debug, Clone)]
pub(crate) struct ModelRollout {
    pub model: Slug,
    pub rollout: Rollout,
    pub as_of: AsOf,
}

#[Object]
impl ModelRollout {
    /// The version that is tried.
    async fn version(&self) -> u32 {
        self.rollout.version
    }

    /// Of a hundred requests it answers so many.
    async fn percent(&self) -> u8 {
        self.rollout.percent
    }

    /// Whether it computes copies only, whose answers nobody gets.
    async fn shadow(&self) -> bool {
        self.rollout.shadow
    }

    /// The alias whose requests are meant; absent = those that name no version.
    async fn alias(&self) -> Option<&str> {
        self.rollout.alias.as_ref().map(Slug::as_str)
    }

    /// When it is over by itself; absent = never.
    async fn guard(&self) -> Option<RolloutGuardView> {
        let RolloutGuard { metric, bound, fewest, tolerance } = self.rollout.guard.clone()?;
        Some(RolloutGuardView {
            metric: metric.into(),
            bound: bound as f64 / unit(metric) as f64,
            fewest,
            tolerance: tolerance.map(|millionths| millionths as f64 / MILLION as f64),
        })
    }

    /// What is counted of it up to now; absent where it is read as of the past.
    #[graphql(complexity = "child_complexity + 100")]
    async fn figures(&self, context: &Context<'_>) -> Result<Option<RolloutFiguresView>> {
        if self.as_of.is_some() {
            return Ok(None);
        }
        let state = state(context)?;
        let figures = state.commands().rollout_figures(state.tenant(), &self.model, PAGES_MAX).await;
        Ok(figures.map_err(|error| fault(&error))?.map(Into::into))
    }
}
