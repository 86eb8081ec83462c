//! Lines of text: where a model saw them, in reading order, and what another model read there.
//!
//! Lines lie level: a page that is turned has to be turned back before.

use std::cmp::Ordering;

/// A rectangle of pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) left: f32,
    pub(super) top: f32,
    pub(super) right: f32,
    pub(super) bottom: f32,
    /// How likely there is text.
    pub(super) score: f32,
}

impl Area {
    pub(super) fn width(&self) -> f32 {
        self.right - self.left
    }

    pub(super) fn height(&self) -> f32 {
        self.bottom - self.top
    }
}

/// A pixel belongs to text from this likelihood on.
const PIXEL_MIN: f32 = 0.3;
/// What is narrower than this many pixels is no text.
const SIDE_MIN: f32 = 3.0;
/// The model sees the kernel of a line: a line is larger by this part of its area over its outline.
const GROWTH: f32 = 1.6;

/// Where lines of text are on a map of likelihoods, at most `count_max`, those that are less likely than `least` left out.
pub(super) fn areas(map: &[f32], width: usize, least: f32, count_max: usize) -> Vec<Area> {
    let height = map.len() / width.max(1);
    let mut seen = vec![false; map.len()];
    let mut found = Vec::new();
    let mut open = Vec::new();
    for start in 0..map.len() {
        if seen[start] || map[start] < PIXEL_MIN || found.len() == count_max {
            continue;
        }
        seen[start] = true;
        open.push(start);
        let (mut left, mut top, mut right, mut bottom) = (width, height, 0, 0);
        let (mut sum, mut count) = (0.0_f64, 0_usize);
        while let Some(place) = open.pop() {
            let (x, y) = (place % width, place / width);
            (left, top, right, bottom) = (left.min(x), top.min(y), right.max(x), bottom.max(y));
            sum += f64::from(map[place]);
            count += 1;
            for (next_x, next_y) in around(x, y, width, height) {
                let next = next_y * width + next_x;
                if !seen[next] && map[next] >= PIXEL_MIN {
                    seen[next] = true;
                    open.push(next);
                }
            }
        }
        let score = (sum / count as f64) as f32;
        let (wide, high) = ((right - left + 1) as f32, (bottom - top + 1) as f32);
        if score < least || wide.min(high) < SIDE_MIN {
            continue;
        }
        let grow = wide * high * GROWTH / (2.0 * (wide + high));
        found.push(Area {
            left: (left as f32 - grow).max(0.0),
            top: (top as f32 - grow).max(0.0),
            right: (right as f32 + 1.0 + grow).min(width as f32),
            bottom: (bottom as f32 + 1.0 + grow).min(height as f32),
            score,
        });
    }
    found
}

/// The pixels beside one, across corners as well.
fn around(x: usize, y: usize, width: usize, height: usize) -> impl Iterator<Item = (usize, usize)> {
    let span = |at: usize, most: usize| at.saturating_sub(1)..(at + 2).min(most);
    span(y, height).flat_map(move |next_y| span(x, width).map(move |next_x| (next_x, next_y)))
}

/// In reading order: from above to below, and from left to right where areas stand beside each other.
pub(super) fn in_reading_order(mut areas: Vec<Area>) -> Vec<Vec<Area>> {
    areas.sort_by(|one, other| one.top.total_cmp(&other.top));
    let mut rows: Vec<Vec<Area>> = Vec::new();
    for area in areas {
        let middle = (area.top + area.bottom) / 2.0;
        match rows.last_mut() {
            Some(row) if row.iter().any(|other| other.top < middle && middle < other.bottom) => row.push(area),
            _ => rows.push(vec![area]),
        }
    }
    for row in &mut rows {
        row.sort_by(|one, other| one.left.partial_cmp(&other.left).unwrap_or(Ordering::Equal));
    }
    rows
}

/// What a model read: at each step the likeliest character, the same one once, and none where it saw none; and how sure it was.
/// Class 0 is none, then come `characters`, then a space.
pub(super) fn spelled(scores: &[f32], classes: usize, characters: &[&str]) -> (String, f32) {
    let (mut text, mut sum, mut count, mut before) = (String::new(), 0.0_f32, 0_usize, 0);
    for step in scores.chunks_exact(classes.max(1)) {
        let best = step.iter().copied().enumerate().max_by(|left, right| left.1.total_cmp(&right.1));
        let Some((class, score)) = best else { continue };
        if class != 0 && class != before {
            text.push_str(characters.get(class - 1).copied().unwrap_or(" "));
            sum += score;
            count += 1;
        }
        before = class;
    }
    (text, if count == 0 { 0.0 } else { sum / count as f32 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_together_is_one_area_that_has_grown() {
        let width = 40;
        let mut map = vec![0.0; width * 30];
        let mut fill = |xs: std::ops::Range<usize>, ys: std::ops::Range<usize>, likely: f32| {
            for y in ys {
                xs.clone().for_each(|x| map[y * width + x] = likely);
            }
        };
        fill(5..25, 5..9, 0.9);
        fill(5..25, 20..24, 0.4);
        fill(30..32, 5..7, 0.9);
        let found = areas(&map, width, 0.6, 10);
        assert_eq!(found.len(), 1, "one is not likely enough, one is too small: {found:?}");
        let Area { left, top, right, bottom, score } = found[0];
        assert!((score - 0.9).abs() < 1e-5);
        assert!(left < 4.0 && top < 4.0 && right > 26.0 && bottom > 10.0, "{found:?}");
        assert_eq!(areas(&map, width, 0.3, 1).len(), 1);
        assert!(areas(&[], 0, 0.5, 5).is_empty());
    }

    #[test]
    fn areas_beside_each_other_are_one_row() {
        let area = |left: f32, top: f32| Area { left, top, right: left + 10.0, bottom: top + 10.0, score: 1.0 };
        let rows = in_reading_order(vec![area(0.0, 40.0), area(30.0, 2.0), area(0.0, 0.0)]);
        let lefts: Vec<Vec<f32>> = rows.iter().map(|row| row.iter().map(|area| area.left).collect()).collect();
        assert_eq!(lefts, [vec![0.0, 30.0], vec![0.0]]);
    }

    #[test]
    fn characters_that_go_on_are_one_and_a_blank_parts_two() {
        let characters = ["a", "b"];
        let step = |class: usize| (0..4).map(move |other| if other == class { 0.8 } else { 0.1 });
        let scores: Vec<f32> = [1, 1, 0, 1, 3, 2, 2, 0].into_iter().flat_map(step).collect();
        let (text, sure) = spelled(&scores, 4, &characters);
        assert_eq!((text.as_str(), (sure - 0.8).abs() < 1e-6), ("aa b", true));
        assert_eq!(spelled(&[], 4, &characters), (String::new(), 0.0));
    }
}
