//! How far two samples are apart, and how likely that is by chance. Where the formulas come from says `docs/drift.md`.

/// What is added to every count, so that an empty class has a logarithm.
const ADDED: f64 = 0.5;
/// Terms of Kolmogorov's series; where it is summed at all, far fewer matter.
const TERMS_MAX: i32 = 100;
/// Below this Kolmogorov's distribution is 1 within six digits, and its series converges slowly.
const LAMBDA_MIN: f64 = 0.3;
/// Parts into which a baseline is cut.
const PARTS: usize = 10;

/// What a test of two samples came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Test {
    /// The statistic: the largest distance of the two distributions, or chi-square.
    pub statistic: f64,
    /// How likely that much or more is where both samples are of one distribution, from 0 to 1.
    pub p_value: f64,
}

impl Test {
    /// Nothing speaks against one distribution.
    const NOTHING: Self = Self { statistic: 0.0, p_value: 1.0 };
}

/// The population stability index of two samples by their counts in the same classes: 0 where the shares are the same.
pub fn population_stability(baseline: &[u64], window: &[u64]) -> f64 {
    let shares = |counts: &[u64]| -> Vec<f64> {
        let all = counts.iter().sum::<u64>() as f64 + ADDED * counts.len() as f64;
        counts.iter().map(|count| (*count as f64 + ADDED) / all).collect()
    };
    shares(baseline).iter().zip(shares(window)).map(|(before, now)| (now - before) * (now / before).ln()).sum()
}

/// The bounds between the tenths of a sample, which is sorted: at most nine, without doubles. Where it holds one number only,
/// the bounds tell smaller, equal and larger ones apart.
pub fn deciles(sorted: &[f64]) -> Vec<f64> {
    let bound = |part: usize| sorted.get((part * sorted.len()).div_ceil(PARTS).saturating_sub(1)).copied();
    let mut bounds: Vec<f64> = (1..PARTS).filter_map(bound).collect();
    bounds.dedup();
    if let [only] = bounds[..] {
        bounds.insert(0, only.next_down());
    }
    bounds
}

/// How many of the numbers are in each part that the bounds make: up to the first bound, up to the second, and above the
/// last.
pub fn binned(numbers: &[f64], bounds: &[f64]) -> Vec<u64> {
    let mut counts = vec![0; bounds.len() + 1];
    for number in numbers {
        if let Some(count) = counts.get_mut(bounds.partition_point(|bound| bound < number)) {
            *count += 1;
        }
    }
    counts
}

/// The test of Kolmogorov and Smirnov on two sorted samples.
pub fn kolmogorov_smirnov(baseline: &[f64], window: &[f64]) -> Test {
    if baseline.is_empty() || window.is_empty() {
        return Test::NOTHING;
    }
    let (of_baseline, of_window) = (baseline.len() as f64, window.len() as f64);
    let (mut before, mut now, mut furthest) = (0, 0, 0.0_f64);
    while let (Some(left), Some(right)) = (baseline.get(before), window.get(now)) {
        let number = left.min(*right);
        before += baseline[before..].iter().take_while(|other| **other <= number).count();
        now += window[now..].iter().take_while(|other| **other <= number).count();
        furthest = furthest.max((before as f64 / of_baseline - now as f64 / of_window).abs());
    }
    let root = (of_baseline * of_window / (of_baseline + of_window)).sqrt();
    Test { statistic: furthest, p_value: kolmogorov((root + 0.12 + 0.11 / root) * furthest) }
}

/// The chance that Kolmogorov's statistic is above `lambda`.
fn kolmogorov(lambda: f64) -> f64 {
    if lambda < LAMBDA_MIN {
        return 1.0;
    }
    let term = |at: i32| {
        let size = (-2.0 * f64::from(at * at) * lambda * lambda).exp();
        if at % 2 == 1 { size } else { -size }
    };
    (2.0 * (1..=TERMS_MAX).map(term).sum::<f64>()).clamp(0.0, 1.0)
}

/// Pearson's test that two samples have the same shares of classes, by their counts in the same classes.
pub fn chi_square(baseline: &[u64], window: &[u64]) -> Test {
    let (of_baseline, of_window) = (baseline.iter().sum::<u64>() as f64, window.iter().sum::<u64>() as f64);
    if of_baseline == 0.0 || of_window == 0.0 {
        return Test::NOTHING;
    }
    let (mut statistic, mut classes) = (0.0, 0_u32);
    for (before, now) in baseline.iter().zip(window) {
        let both = (before + now) as f64;
        if both == 0.0 {
            continue;
        }
        classes += 1;
        for (count, of) in [(*before as f64, of_baseline), (*now as f64, of_window)] {
            let expected = both * of / (of_baseline + of_window);
            statistic += (count - expected) * (count - expected) / expected;
        }
    }
    match classes {
        0 | 1 => Test::NOTHING,
        _ => Test { statistic, p_value: above_chi_square(statistic, classes - 1) },
    }
}

/// The chance that chi-square with so many degrees of freedom is above `statistic`: the upper incomplete gamma function, by
/// its recurrence from one half or one.
fn above_chi_square(statistic: f64, degrees: u32) -> f64 {
    let half = statistic / 2.0;
    let (mut at, mut chance, mut term) = if degrees % 2 == 1 {
        // The gamma function of 3/2 is half the root of pi.
        (0.5, erfc(half.sqrt()), (-half).exp() * half.sqrt() * 2.0 / std::f64::consts::PI.sqrt())
    } else {
        (1.0, (-half).exp(), (-half).exp() * half)
    };
    while at + 0.5 < f64::from(degrees) / 2.0 {
        chance += term;
        at += 1.0;
        term *= half / at;
    }
    chance.clamp(0.0, 1.0)
}

/// The complementary error function of a number that is not negative, within 1.5e-7.
fn erfc(number: f64) -> f64 {
    let part = 1.0 / (1.0 + 0.327_591_1 * number);
    let factors = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    factors.iter().fold(0.0, |sum, factor| (sum + factor) * part) * (-number * number).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(left: f64, right: f64, within: f64) {
        assert!((left - right).abs() <= within, "{left} is not within {within} of {right}");
    }

    /// Numbers from 0 to 1 at even distances.
    fn even(count: u32) -> Vec<f64> {
        (0..count).map(|at| (f64::from(at) + 0.5) / f64::from(count)).collect()
    }

    #[test]
    fn the_same_shares_are_stable_and_moved_ones_are_not() {
        near(population_stability(&[100, 200, 300], &[100, 200, 300]), 0.0, 1e-12);
        // (0.4-0.5) ln(0.4/0.5) + (0.6-0.5) ln(0.6/0.5), but for what is added to the counts.
        near(population_stability(&[50_000, 50_000], &[40_000, 60_000]), 0.040_547, 1e-4);
        let emptied = population_stability(&[500, 500], &[0, 1_000]);
        assert!(emptied.is_finite() && emptied > 1.0, "{emptied}");
    }

    #[test]
    fn a_baseline_is_cut_into_tenths() {
        let sorted = even(1_000);
        let bounds = deciles(&sorted);
        assert_eq!(bounds.len(), 9);
        assert_eq!(binned(&sorted, &bounds), [100; 10]);
        assert_eq!(deciles(&[]), Vec::<f64>::new());
    }

    #[test]
    fn a_baseline_of_one_number_tells_smaller_equal_and_larger_ones_apart() {
        let bounds = deciles(&[3.0; 40]);
        assert_eq!(binned(&[2.9, 3.0, 3.0, 3.1], &bounds), [1, 2, 1]);
    }

    #[test]
    fn kolmogorovs_distribution_is_that_of_the_tables() {
        // The usual critical values: 1.224 for 10 of 100, 1.358 for 5, 1.628 for 1.
        near(kolmogorov(1.224), 0.10, 5e-4);
        near(kolmogorov(1.358), 0.05, 5e-4);
        near(kolmogorov(1.628), 0.01, 5e-4);
        near(kolmogorov(0.1), 1.0, 1e-9);
    }

    #[test]
    fn samples_of_one_distribution_are_told_from_moved_ones() {
        let sample = even(200);
        let same = kolmogorov_smirnov(&sample, &sample);
        assert_eq!(same, Test { statistic: 0.0, p_value: 1.0 });
        // By fifty distances and a half, so that no two numbers meet.
        let moved: Vec<f64> = sample.iter().map(|number| number + 0.2525).collect();
        let test = kolmogorov_smirnov(&sample, &moved);
        near(test.statistic, 51.0 / 200.0, 1e-9);
        assert!(test.p_value < 1e-4, "{test:?}");
        let apart = kolmogorov_smirnov(&[1.0, 2.0], &[3.0, 4.0]);
        near(apart.statistic, 1.0, 1e-12);
        assert_eq!(kolmogorov_smirnov(&[], &[1.0]), Test::NOTHING);
    }

    #[test]
    fn ties_are_taken_together() {
        assert_eq!(kolmogorov_smirnov(&[1.0, 1.0, 1.0], &[1.0]).statistic, 0.0);
    }

    #[test]
    fn chi_square_has_the_chances_of_the_tables() {
        near(above_chi_square(3.841, 1), 0.05, 1e-4);
        near(above_chi_square(5.991, 2), 0.05, 1e-4);
        near(above_chi_square(7.815, 3), 0.05, 1e-4);
        near(above_chi_square(18.307, 10), 0.05, 1e-4);
        near(above_chi_square(23.209, 10), 0.01, 1e-4);
        near(above_chi_square(1e6, 99), 0.0, 1e-12);
        near(above_chi_square(0.0, 5), 1.0, 1e-6);
    }

    #[test]
    fn the_same_classes_are_told_from_others() {
        near(chi_square(&[10, 20], &[20, 40]).p_value, 1.0, 1e-6);
        let test = chi_square(&[30, 70], &[70, 30]);
        near(test.statistic, 32.0, 1e-9);
        assert!(test.p_value < 1e-6, "{test:?}");
        assert_eq!(chi_square(&[10], &[20]), Test::NOTHING, "one class only");
        assert_eq!(chi_square(&[0, 0], &[1, 2]), Test::NOTHING, "nothing to compare with");
    }
}
