//! Boxes around things: how models tell them, and which of those that overlap stay.

use timeloom_domain::inference::Tensor;

use crate::models::tensors::floats;

/// Most boxes that are looked at before those that overlap are taken out.
const CANDIDATES_MAX: usize = 5_000;
/// Distances, in cells of a grid, of which each is the next one more: one kind of model gives a likelihood for each.
const GRID_STRIDES: [usize; 4] = [8, 16, 32, 64];

/// A box: left, top, right, bottom, in pixels of the model's picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    pub(super) corners: [f32; 4],
    pub(super) class: usize,
    pub(super) score: f32,
}

impl Found {
    fn area(&self) -> f32 {
        let [left, top, right, bottom] = self.corners;
        (right - left).max(0.0) * (bottom - top).max(0.0)
    }

    /// Which part of both boxes both share.
    fn overlap(&self, other: &Self) -> f32 {
        let (one, two) = (self.corners, other.corners);
        let width = one[2].min(two[2]) - one[0].max(two[0]);
        let height = one[3].min(two[3]) - one[1].max(two[1]);
        let shared = width.max(0.0) * height.max(0.0);
        let all = self.area() + other.area() - shared;
        if all > 0.0 { shared / all } else { 0.0 }
    }
}

/// How a model tells boxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Telling {
    /// For each cell of several grids the scores, and in a second output how far each side is (PicoDet).
    Grids,
    /// One list: a row for each number, a column for each box (YOLO from version 8 on).
    Columns,
    /// One list: a row for each box, with a score of its own before those of classes (YOLO 5 to 7).
    Rows,
}

impl Telling {
    /// What the shapes of outputs say.
    pub(super) fn of(outputs: &[(String, Tensor)]) -> Option<Self> {
        match outputs {
            [(_, only)] => match only.shape() {
                [1, rows, columns] => Some(if rows < columns { Self::Columns } else { Self::Rows }),
                _ => None,
            },
            several if several.len().is_multiple_of(2) && several.iter().all(|(_, of)| of.shape().len() == 3) => {
                Some(Self::Grids)
            }
            _ => None,
        }
    }

    /// The boxes with a score of at least `least`; nothing when the outputs are of another kind.
    pub(super) fn boxes(self, outputs: &[(String, Tensor)], size: (u32, u32), least: f32) -> Option<Vec<Found>> {
        let mut found = match self {
            Self::Grids => grids(outputs, size, least)?,
            Self::Columns | Self::Rows => lists(&outputs.first()?.1, self, least)?,
        };
        found.sort_by(|left, right| right.score.total_cmp(&left.score));
        found.truncate(CANDIDATES_MAX);
        Some(found)
    }
}

/// Of boxes of the same class that overlap by more than `most`, the one with the highest score. The highest come first.
pub(super) fn apart(candidates: Vec<Found>, most: f32, count_max: usize) -> Vec<Found> {
    let mut kept: Vec<Found> = Vec::new();
    for candidate in candidates {
        if kept.len() == count_max {
            break;
        }
        if !kept.iter().any(|other| other.class == candidate.class && other.overlap(&candidate) > most) {
            kept.push(candidate);
        }
    }
    kept
}

fn grids(outputs: &[(String, Tensor)], (width, height): (u32, u32), least: f32) -> Option<Vec<Found>> {
    let mut found = Vec::new();
    // First the scores of all grids, then the sides.
    let (scores, sides) = outputs.split_at(outputs.len() / 2);
    for (_, scores_of) in scores {
        let cells = scores_of.shape()[1];
        let (_, sides_of) = sides.iter().find(|(_, sides)| sides.shape()[1] == cells)?;
        let columns = |stride: usize| (width as usize).div_ceil(stride);
        let stride = GRID_STRIDES.into_iter().find(|s| columns(*s) * (height as usize).div_ceil(*s) == cells)?;
        let (classes, bins) = (scores_of.shape()[2], sides_of.shape()[2] / 4);
        let (scores, distances) = (floats(scores_of)?, floats(sides_of)?);
        if classes == 0 || bins == 0 {
            return None;
        }
        for (cell, scores) in scores.chunks_exact(classes).enumerate() {
            let (class, score) = best(scores)?;
            if score < least {
                continue;
            }
            let far: Vec<f32> =
                distances[cell * bins * 4..(cell + 1) * bins * 4].chunks_exact(bins).map(expected).collect();
            let (x, y) = ((cell % columns(stride)) as f32 + 0.5, (cell / columns(stride)) as f32 + 0.5);
            let corners = [x - far[0], y - far[1], x + far[2], y + far[3]].map(|place| place * stride as f32);
            found.push(Found { corners, class, score });
        }
    }
    Some(found)
}

/// The distance that likelihoods of 0, 1, 2, … amount to.
fn expected(scores: &[f32]) -> f32 {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers = scores.iter().map(|score| (score - most).exp());
    let (sum, weighted) = powers
        .enumerate()
        .fold((0.0, 0.0), |(sum, weighted), (distance, power)| (sum + power, weighted + power * distance as f32));
    weighted / sum
}

fn lists(tensor: &Tensor, telling: Telling, least: f32) -> Option<Vec<Found>> {
    let [1, rows, columns] = *tensor.shape() else { return None };
    let numbers = floats(tensor)?;
    let (count, width) = if telling == Telling::Columns { (columns, rows) } else { (rows, columns) };
    let at = |place: usize, number: usize| match telling {
        Telling::Columns => numbers[number * columns + place],
        _ => numbers[place * columns + number],
    };
    let first = if telling == Telling::Columns { 4 } else { 5 };
    if width <= first {
        return None;
    }
    let mut found = Vec::new();
    for place in 0..count {
        let scores: Vec<f32> = (first..width).map(|number| at(place, number)).collect();
        let (class, score) = best(&scores)?;
        let score = if telling == Telling::Rows { score * at(place, 4) } else { score };
        if score < least {
            continue;
        }
        let (x, y, half_width, half_height) = (at(place, 0), at(place, 1), at(place, 2) / 2.0, at(place, 3) / 2.0);
        let corners = [x - half_width, y - half_height, x + half_width, y + half_height];
        found.push(Found { corners, class, score });
    }
    Some(found)
}

fn best(scores: &[f32]) -> Option<(usize, f32)> {
    scores.iter().copied().enumerate().max_by(|left, right| left.1.total_cmp(&right.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(shape: Vec<usize>, numbers: &[f32]) -> (String, Tensor) {
        ("out".to_owned(), Tensor::of_f32(shape, numbers).unwrap())
    }

    #[test]
    fn lists_of_both_kinds_tell_the_same_boxes() {
        // Two boxes of two classes: around (10, 10) and (50, 50).
        let columns = named(vec![1, 6, 7], &{
            let mut numbers = vec![0.0; 42];
            for (row, values) in
                [[10.0, 50.0], [10.0, 50.0], [4.0, 8.0], [4.0, 8.0], [0.9, 0.1], [0.2, 0.8]].iter().enumerate()
            {
                numbers[row * 7..row * 7 + 2].copy_from_slice(values);
            }
            numbers
        });
        let rows = named(vec![1, 8, 7], &{
            let mut numbers = vec![0.0; 56];
            numbers[..7].copy_from_slice(&[10.0, 10.0, 4.0, 4.0, 1.0, 0.9, 0.2]);
            numbers[7..14].copy_from_slice(&[50.0, 50.0, 8.0, 8.0, 1.0, 0.1, 0.8]);
            numbers
        });
        let wanted = [
            Found { corners: [8.0, 8.0, 12.0, 12.0], class: 0, score: 0.9 },
            Found { corners: [46.0, 46.0, 54.0, 54.0], class: 1, score: 0.8 },
        ];
        for (outputs, telling) in [([columns], Telling::Columns), ([rows], Telling::Rows)] {
            assert_eq!(Telling::of(&outputs), Some(telling));
            assert_eq!(telling.boxes(&outputs, (64, 64), 0.5).unwrap(), wanted);
        }
    }

    #[test]
    fn grids_tell_boxes_by_their_sides() {
        // 64 x 64: one cell with a stride of 64, four with 32; two classes, distances of 0 to 2.
        let mut scores = vec![0.0; 8];
        scores[7] = 0.7;
        let mut sides = vec![0.0; 48];
        // The fourth cell is one stride away from each side.
        (0..4).for_each(|side| sides[36 + side * 3 + 1] = 50.0);
        let outputs = [
            named(vec![1, 4, 2], &scores),
            named(vec![1, 1, 2], &[0.0; 2]),
            named(vec![1, 4, 12], &sides),
            named(vec![1, 1, 12], &[0.0; 12]),
        ];
        assert_eq!(Telling::of(&outputs), Some(Telling::Grids));
        let found = Telling::Grids.boxes(&outputs, (64, 64), 0.5).unwrap();
        assert_eq!((found.len(), found[0].class, found[0].score), (1, 1, 0.7));
        assert_eq!(found[0].corners.map(f32::round), [16.0, 16.0, 80.0, 80.0]);
    }

    #[test]
    fn of_boxes_that_overlap_the_best_stays() {
        let one = |left: f32, class, score| Found { corners: [left, 0.0, left + 10.0, 10.0], class, score };
        let kept = apart(vec![one(0.0, 0, 0.9), one(1.0, 0, 0.8), one(1.0, 1, 0.7), one(30.0, 0, 0.6)], 0.5, 10);
        assert_eq!(kept.iter().map(|found| found.score).collect::<Vec<_>>(), [0.9, 0.7, 0.6]);
        assert_eq!(apart(kept, 0.5, 1).len(), 1);
    }
}
