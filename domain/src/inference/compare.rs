//! Two answers side by side: whether they are the same, how far their numbers are apart, and whether another class is on top.

use serde::{Deserialize, Serialize};

use super::{ElementType, Tensor};

/// How one answer compares with another to the same inputs. What of that is a disagreement, whoever looks decides.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OutputComparison {
    /// Whether all outputs are the same to the last bit.
    pub same: bool,
    /// How far numbers are apart at most, relative to the larger one or 1; absent where they cannot be told apart like this:
    /// an output is missing or of another shape, is no number, or its elements are no floating numbers and are others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apart: Option<f64>,
    /// Whether another class is on top: the place of the largest of each row of floating numbers, or what an output of other
    /// elements holds.
    pub class_changed: bool,
}

impl OutputComparison {
    /// Compares outputs by their names.
    pub fn of(before: &[(String, Tensor)], now: &[(String, Tensor)]) -> Self {
        let mut all = Self { same: before.len() == now.len(), apart: Some(0.0), class_changed: false };
        if !all.same {
            return Self { apart: None, class_changed: true, ..all };
        }
        for (name, before) in before {
            let Some((_, now)) = now.iter().find(|(of, _)| of == name) else {
                return Self { same: false, apart: None, class_changed: true };
            };
            if before == now {
                continue;
            }
            all.same = false;
            let far = apart(before, now).filter(|far| far.is_finite());
            all.apart = all.apart.zip(far).map(|(most, far)| most.max(far));
            all.class_changed |= classes(before) != classes(now) || classes(before).is_none();
        }
        all
    }

    /// Whether the answers disagree: their numbers are further apart than `tolerance`, or without one, their classes are
    /// others.
    pub fn disagrees(&self, tolerance: Option<f64>) -> bool {
        match tolerance {
            Some(tolerance) => !self.is_within(tolerance),
            None => self.class_changed,
        }
    }

    /// Whether the answers are the same, or no further apart than `tolerance`.
    pub fn is_within(&self, tolerance: f64) -> bool {
        self.same || self.apart.is_some_and(|apart| apart <= tolerance)
    }
}

/// How far the numbers of two tensors are apart at most, relative to the larger one or 1; `None` where they are no floating
/// numbers of the same shape.
pub fn apart(left: &Tensor, right: &Tensor) -> Option<f64> {
    if left.shape() != right.shape() || left.element() != right.element() {
        return None;
    }
    let (left, right) = (numbers(left)?, numbers(right)?);
    let far = |(left, right): (&f64, &f64)| {
        if left.to_bits() == right.to_bits() {
            0.0
        } else {
            (left - right).abs() / left.abs().max(right.abs()).max(1.0)
        }
    };
    // What is no number is as far as can be from everything else.
    let far = left.iter().zip(&right).map(far).map(|far| if far.is_nan() { f64::INFINITY } else { far });
    Some(far.fold(0.0, f64::max))
}

/// The elements of a tensor of floating numbers of 32 or 64 bits; `None` of others.
fn numbers(tensor: &Tensor) -> Option<Vec<f64>> {
    match tensor.element() {
        ElementType::F32 => {
            let (numbers, _) = tensor.data().as_chunks();
            Some(numbers.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect())
        }
        ElementType::F64 => {
            let (numbers, _) = tensor.data().as_chunks();
            Some(numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
        }
        _ => None,
    }
}

/// For each row of the last dimension, which of its numbers is the largest, the first of equal ones; `None` where there are
/// no floating numbers. A row of one number has one class.
fn classes(tensor: &Tensor) -> Option<Vec<usize>> {
    let numbers = numbers(tensor)?;
    let row = tensor.shape().last().copied().unwrap_or(1).max(1);
    let largest = |row: &[f64]| {
        let mut best = 0;
        for (at, number) in row.iter().enumerate() {
            if row.get(best).is_none_or(|largest| number > largest) {
                best = at;
            }
        }
        best
    };
    Some(numbers.chunks(row).map(largest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(numbers: &[f32]) -> Vec<(String, Tensor)> {
        vec![("scores".to_owned(), Tensor::of_f32(vec![1, numbers.len()], numbers).unwrap())]
    }

    fn label(number: i64) -> Vec<(String, Tensor)> {
        vec![("label".to_owned(), Tensor::of_i64(vec![1], &[number]).unwrap())]
    }

    #[test]
    fn the_same_bits_are_the_same_and_agree_at_any_tolerance() {
        let compared = OutputComparison::of(&scores(&[0.1, 0.9]), &scores(&[0.1, 0.9]));
        assert_eq!(compared, OutputComparison { same: true, apart: Some(0.0), class_changed: false });
        assert!(!compared.disagrees(None) && !compared.disagrees(Some(0.0)));
    }

    #[test]
    fn near_numbers_keep_their_class_and_disagree_only_beyond_the_tolerance() {
        let compared = OutputComparison::of(&scores(&[0.25, 0.75]), &scores(&[0.375, 0.625]));
        assert_eq!(compared, OutputComparison { same: false, apart: Some(0.125), class_changed: false });
        assert!(!compared.disagrees(None));
        assert!(compared.disagrees(Some(0.1)) && !compared.disagrees(Some(0.125)));
    }

    #[test]
    fn another_number_on_top_is_another_class() {
        assert!(OutputComparison::of(&scores(&[0.4, 0.6]), &scores(&[0.6, 0.4])).disagrees(None));
        let label_changed = OutputComparison::of(&label(1), &label(2));
        assert_eq!(label_changed, OutputComparison { same: false, apart: None, class_changed: true });
    }

    #[test]
    fn what_has_another_shape_or_name_or_is_no_number_cannot_be_told_apart_by_a_distance() {
        for (before, now) in [
            (scores(&[0.1, 0.9]), scores(&[0.1, 0.8, 0.1])),
            (scores(&[0.1, 0.9]), label(1)),
            (scores(&[0.1]), Vec::new()),
            (scores(&[0.1, 0.9]), scores(&[f32::NAN, 0.9])),
        ] {
            let compared = OutputComparison::of(&before, &now);
            assert_eq!((compared.same, compared.apart), (false, None));
            assert!(compared.disagrees(Some(1.0)));
        }
    }
}
