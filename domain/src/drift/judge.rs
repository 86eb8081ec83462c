//! Two profiles side by side, and what is made of the difference.

use std::collections::BTreeSet;

use super::features::{Column, Profile};
use super::statistics::{Test, binned, chi_square, deciles, kolmogorov_smirnov, population_stability};
use super::{
    DriftBounds, DriftFinding, DriftStatistic, FeaturePsi, JudgedWindow, SAMPLES_MIN, SampleCounts, WindowJudgement,
};

/// What is made of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DriftVerdict {
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureKind {
    /// Numbers: their distributions are compared by the tenths of the baseline, and by the test of Kolmogorov and Smirnov.
    Number,
    /// Classes: their shares are compared, and by chi-square.
    Class,
}

/// One side of a feature.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FeatureSide {
    /// How often there was something.
    pub observations: u64,
    /// How often there was nothing.
    pub missing: u64,
    /// The mean of numbers.
    pub mean: Option<f64>,
}

/// How far something moved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// The population stability index.
    pub psi: f64,
    /// Whether chance explains it.
    pub test: Test,
    /// What is made of it.
    pub verdict: DriftVerdict,
}

/// One feature.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureDrift {
    /// Its name, such as `inputs.age` or `outputs.scores.class`.
    pub feature: String,
    /// What is observed of it.
    pub kind: FeatureKind,
    /// The worse of the two shifts.
    pub verdict: DriftVerdict,
    /// How far what is observed moved; `None` where there is too little.
    pub value: Option<Shift>,
    /// How far the share moved of what is missing; `None` where nothing is missing, or there is too little.
    pub missing: Option<Shift>,
    /// The baseline.
    pub baseline: FeatureSide,
    /// What is compared with it.
    pub window: FeatureSide,
}

/// What came of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct DriftReport {
    /// What was compared with.
    pub baseline: SampleCounts,
    /// What was compared.
    pub window: SampleCounts,
    /// The features: what moved most comes first.
    pub features: Vec<FeatureDrift>,
    /// Whether there are more features than were looked at.
    pub is_cut: bool,
    /// Chance explains what it brings this often or more: the bound on all features together, divided by their number.
    pub p_bound: f64,
}

/// Compares what was observed with a baseline.
pub fn compare(baseline: &Profile, window: &Profile, bounds: &DriftBounds) -> DriftReport {
    let known: BTreeSet<&str> = baseline.columns().map(|(name, _)| name).collect();
    let only_here = window.columns().map(|(name, _)| name).filter(|name| !known.contains(name));
    let names: Vec<&str> = baseline.columns().map(|(name, _)| name).chain(only_here).collect();
    let p_bound = bounds.p / names.len().max(1) as f64;
    let of = |profile: &Profile, name: &str| profile.column(name).cloned().unwrap_or_default();
    let judged = names.iter().map(|name| {
        let (before, now) = (of(baseline, name), of(window, name));
        judge((*name).to_owned(), before, now, &DriftBounds { p: p_bound, ..*bounds })
    });
    let mut features: Vec<FeatureDrift> = judged.collect();
    let psi = |feature: &FeatureDrift| feature.worst().map_or(f64::NEG_INFINITY, |(_, shift)| shift.psi);
    features.sort_by(|one, other| other.verdict.cmp(&one.verdict).then(psi(other).total_cmp(&psi(one))));
    let is_cut = baseline.is_cut || window.is_cut;
    DriftReport { baseline: baseline.counts, window: window.counts, features, is_cut, p_bound }
}

fn judge(feature: String, before: Column, now: Column, bounds: &DriftBounds) -> FeatureDrift {
    let kind =
        if before.classes.is_empty() && now.classes.is_empty() { FeatureKind::Number } else { FeatureKind::Class };
    let side = |column: &Column| FeatureSide {
        observations: column.observations(),
        missing: column.missing,
        mean: (!column.numbers.is_empty()).then(|| column.numbers.iter().sum::<f64>() / column.numbers.len() as f64),
    };
    let (baseline, window) = (side(&before), side(&now));
    let missing = missing_of(&baseline, &window, bounds);
    let is_enough = |side: &FeatureSide| side.observations >= SAMPLES_MIN as u64;
    let value = (is_enough(&baseline) && is_enough(&window)).then(|| match kind {
        FeatureKind::Number => of_numbers(before.numbers, now.numbers, bounds),
        FeatureKind::Class => of_classes(&before, &now, bounds),
    });
    let verdicts = [value, missing].into_iter().flatten().map(|shift| shift.verdict);
    let verdict = verdicts.max().unwrap_or(DriftVerdict::TooFew);
    FeatureDrift { feature, kind, verdict, value, missing, baseline, window }
}

fn shift(psi: f64, test: Test, bounds: &DriftBounds) -> Shift {
    let verdict = match psi {
        _ if test.p_value >= bounds.p => DriftVerdict::Stable,
        psi if psi >= bounds.drifted => DriftVerdict::Drifted,
        psi if psi >= bounds.moderate => DriftVerdict::Moderate,
        _ => DriftVerdict::Stable,
    };
    Shift { psi, test, verdict }
}

fn of_numbers(mut before: Vec<f64>, mut now: Vec<f64>, bounds: &DriftBounds) -> Shift {
    before.sort_by(f64::total_cmp);
    now.sort_by(f64::total_cmp);
    let parts = deciles(&before);
    let psi = population_stability(&binned(&before, &parts), &binned(&now, &parts));
    shift(psi, kolmogorov_smirnov(&before, &now), bounds)
}

fn of_classes(before: &Column, now: &Column, bounds: &DriftBounds) -> Shift {
    let classes: BTreeSet<&String> = before.classes.keys().chain(now.classes.keys()).collect();
    let counts = |column: &Column| -> Vec<u64> {
        classes.iter().map(|class| column.classes.get(*class).copied().unwrap_or_default()).collect()
    };
    let (before, now) = (counts(before), counts(now));
    shift(population_stability(&before, &now), chi_square(&before, &now), bounds)
}

fn missing_of(before: &FeatureSide, now: &FeatureSide, bounds: &DriftBounds) -> Option<Shift> {
    let counts = |side: &FeatureSide| [side.observations, side.missing];
    let (before, now) = (counts(before), counts(now));
    let is_enough = |counts: &[u64; 2]| counts.iter().sum::<u64>() >= SAMPLES_MIN as u64;
    let is_judged = before[1] + now[1] > 0 && is_enough(&before) && is_enough(&now);
    is_judged.then(|| shift(population_stability(&before, &now), chi_square(&before, &now), bounds))
}

impl FeatureDrift {
    /// The worse of its shifts, and which one that is.
    pub fn worst(&self) -> Option<(DriftStatistic, Shift)> {
        let value = self.value.map(|shift| (DriftStatistic::Psi, shift));
        let missing = self.missing.map(|shift| (DriftStatistic::MissingPsi, shift));
        let both = [missing, value].into_iter().flatten();
        both.max_by(|(_, one), (_, other)| one.verdict.cmp(&other.verdict).then(one.psi.total_cmp(&other.psi)))
    }
}

impl DriftReport {
    /// How many features came to a verdict.
    pub fn count(&self, verdict: DriftVerdict) -> u32 {
        let count = self.features.iter().filter(|feature| feature.verdict == verdict).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// The same in the words of the events of a watch: the judgement of a window, with a finding for each feature that
    /// drifted.
    pub fn judgement(
        &self,
        watch: u32,
        window: &JudgedWindow,
        bounds: &DriftBounds,
        at_ms: i64,
    ) -> (WindowJudgement, Vec<DriftFinding>) {
        let drifted = self.features.iter().filter(|feature| feature.verdict == DriftVerdict::Drifted);
        let findings = drifted.filter_map(|feature| {
            let (statistic, shift) = feature.worst()?;
            Some(DriftFinding {
                watch,
                feature: feature.feature.clone(),
                statistic,
                value: shift.psi,
                bound: bounds.drifted,
                p_value: shift.test.p_value,
                p_bound: self.p_bound,
                window: window.clone(),
                observations: feature.window.observations,
                baseline: self.baseline,
                baseline_observations: feature.baseline.observations,
                at_ms,
            })
        });
        let findings = findings.collect();
        let worst = self.features.first().and_then(|feature| {
            let (_, shift) = feature.worst()?;
            Some(FeaturePsi { feature: feature.feature.clone(), psi: shift.psi })
        });
        let judgement = WindowJudgement {
            watch,
            window: window.clone(),
            stable: self.count(DriftVerdict::Stable),
            moderate: self.count(DriftVerdict::Moderate),
            drifted: self.count(DriftVerdict::Drifted),
            too_few: self.count(DriftVerdict::TooFew),
            worst,
            at_ms,
        };
        (judgement, findings)
    }
}
