//! Two evaluations of one version of a set, side by side: what got better and what got worse.

use std::collections::HashMap;

use super::{Evaluation, EvaluationCases, EvaluationReport, ScoredReport};

/// Most cases that got worse which are told for one scorer: those that lost most.
pub const WORSE_TOLD_MAX: usize = 100;
/// Scores that are no further apart are the same.
const SAME: f64 = 1e-9;

/// Two evaluations side by side, by one scorer. Only cases count that have a score in both.
#[derive(Debug, Clone, PartialEq)]
pub struct ScorerComparison {
    /// The scorer's name.
    pub name: String,
    /// Cases that have a score in both.
    pub cases: u32,
    /// The mean score of the first one; absent where no case has a score in both.
    pub before: Option<f64>,
    /// The mean score of the second one.
    pub after: Option<f64>,
    /// Cases whose score is higher in the second one.
    pub wins: u32,
    /// Cases whose score is lower in the second one.
    pub losses: u32,
    /// Cases whose score is the same.
    pub ties: u32,
    /// How likely it is by chance alone that wins and losses are so far from even, or further: the two-sided sign test,
    /// without ties. 1 where there is neither.
    pub p_value: f64,
    /// The cases that got worse, those that lost most first.
    pub worse: Vec<WorseCase>,
}

/// A case that got worse.
#[derive(Debug, Clone, PartialEq)]
pub struct WorseCase {
    /// The case.
    pub case: String,
    /// Its score in the first evaluation.
    pub before: f64,
    /// Its score in the second one.
    pub after: f64,
}

/// Why two evaluations cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotComparable {
    /// One of them has no scores.
    #[error("the {0} evaluation has no scores: compare those of sets that are completed")]
    NotScored(&'static str),
    /// They are about other cases.
    #[error(
        "the evaluations are of '{before}' and of '{after}': run both on the same version of the same set to compare them"
    )]
    OtherCases {
        /// What the first one is of: the set and its version.
        before: String,
        /// What the second one is of.
        after: String,
    },
    /// They have no scorer in common.
    #[error("the evaluations have no scorer in common: run both with the same ones to compare them")]
    OtherScorers,
}

/// Compares two evaluations, by each scorer that both have with the same settings.
///
/// # Errors
/// [`NotComparable`].
pub fn compare(before: &Evaluation, after: &Evaluation) -> Result<Vec<ScorerComparison>, NotComparable> {
    let (one, other) = (scored(before, "first")?, scored(after, "second")?);
    let of = |evaluation: &Evaluation| match evaluation.request.as_deref().map(|request| &request.cases) {
        Some(EvaluationCases::Set { set, version }) => format!("{set}@{version}"),
        _ => "recorded inferences".to_owned(),
    };
    if of(before) != of(after) {
        return Err(NotComparable::OtherCases { before: of(before), after: of(after) });
    }
    let scorers = |evaluation: &Evaluation| evaluation.request.as_deref().map(|request| request.scorers.clone());
    let (before, after) = (scorers(before).unwrap_or_default(), scorers(after).unwrap_or_default());
    let both = before.iter().enumerate().filter_map(|(place, scorer)| {
        let there = after.iter().position(|known| known == scorer)?;
        Some((scorer.name.as_str(), place, there))
    });
    let compared: Vec<_> = both.map(|(name, place, there)| by_scorer(name, (one, place), (other, there))).collect();
    if compared.is_empty() { Err(NotComparable::OtherScorers) } else { Ok(compared) }
}

fn scored<'a>(evaluation: &'a Evaluation, which: &'static str) -> Result<&'a ScoredReport, NotComparable> {
    match evaluation.report.as_deref() {
        Some(EvaluationReport::Scored(report)) => Ok(report),
        _ => Err(NotComparable::NotScored(which)),
    }
}

/// Each report with the place of the scorer in it.
fn by_scorer(
    name: &str,
    (one, place): (&ScoredReport, usize),
    (other, there): (&ScoredReport, usize),
) -> ScorerComparison {
    let later: HashMap<&str, f64> = other
        .scores
        .iter()
        .filter_map(|case| Some((case.case.as_str(), case.scores.get(there).copied().flatten()?)))
        .collect();
    let (mut wins, mut losses, mut ties) = (0_u32, 0_u32, 0_u32);
    let (mut before_sum, mut after_sum, mut worse) = (0.0, 0.0, Vec::new());
    for case in &one.scores {
        let Some(before) = case.scores.get(place).copied().flatten() else { continue };
        let Some(after) = later.get(case.case.as_str()).copied() else { continue };
        before_sum += before;
        after_sum += after;
        if (after - before).abs() <= SAME {
            ties += 1;
        } else if after > before {
            wins += 1;
        } else {
            losses += 1;
            worse.push(WorseCase { case: case.case.clone(), before, after });
        }
    }
    worse.sort_by(|one: &WorseCase, other| (other.before - other.after).total_cmp(&(one.before - one.after)));
    worse.truncate(WORSE_TOLD_MAX);
    let cases = wins + losses + ties;
    let mean = |sum: f64| (cases > 0).then(|| sum / f64::from(cases));
    ScorerComparison {
        name: name.to_owned(),
        cases,
        before: mean(before_sum),
        after: mean(after_sum),
        wins,
        losses,
        ties,
        p_value: sign_test(wins, losses),
        worse,
    }
}

/// The two-sided p value of the sign test: twice the chance that of so many fair coins as few or fewer fall on the rarer
/// side.
pub fn sign_test(wins: u32, losses: u32) -> f64 {
    let (all, rarer) = (wins + losses, wins.min(losses));
    // The chance of none, and from it of one more each time; as logarithms, for it may be tiny.
    let mut chance = -f64::from(all) * std::f64::consts::LN_2;
    let mut sum = chance.exp();
    for count in 0..rarer {
        chance += f64::from(all - count).ln() - f64::from(count + 1).ln();
        sum += chance.exp();
    }
    (2.0 * sum).min(1.0)
}
