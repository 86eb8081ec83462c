//! What is observed of the tensors of inferences: a few named features of each row, bounded in every direction.

use std::collections::{BTreeMap, HashMap};

use super::{FEATURES_MAX, SampleCounts};
use crate::inference::{ElementType, Tensor};

/// Most rows of one tensor that are looked at: the first.
const ROWS_MAX: usize = 16;
/// Most elements of one tensor that are looked at; a tensor whose rows are longer has no features.
const ELEMENTS_MAX: usize = 65_536;
/// Rows of up to so many numbers have a feature for each of them.
const PLACES_MAX: usize = 16;
/// Rows of up to so many scores have a class.
const SCORES_MAX: usize = 1_000;
/// Most observations of one feature that are kept: the first.
const OBSERVATIONS_MAX: usize = 10_000;
/// Most classes of one feature; those that are met later count as one.
const CLASSES_MAX: usize = 100;
/// Most bytes of a text that is a class.
const CLASS_BYTES_MAX: usize = 64;
/// What the classes count as that are too many.
const OTHER: &str = "other classes";

/// On which side of a model a tensor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It goes in.
    Input,
    /// It comes out.
    Output,
}

/// What was observed of one feature.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Column {
    /// Numbers, in the order in which they were met.
    pub numbers: Vec<f64>,
    /// How often each class was met.
    pub classes: BTreeMap<String, u64>,
    /// How often there was none: the tensor was empty, or the number was none or infinite.
    pub missing: u64,
}

/// What was observed of many inferences.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    columns: Vec<(String, Column)>,
    places: HashMap<String, usize>,
    /// How many inferences there were, and of how many there is not everything.
    pub counts: SampleCounts,
    /// Whether there are more features than are looked at.
    pub is_cut: bool,
}

enum Observed {
    Number(f64),
    Class(String),
    Missing,
}

impl Column {
    /// How often there was something.
    pub fn observations(&self) -> u64 {
        self.numbers.len() as u64 + self.classes.values().sum::<u64>()
    }

    fn take(&mut self, observed: Observed) {
        match observed {
            _ if self.observations() + self.missing >= OBSERVATIONS_MAX as u64 => {}
            Observed::Number(number) if number.is_finite() => self.numbers.push(number),
            Observed::Class(class) => {
                let is_known = self.classes.contains_key(&class) || self.classes.len() < CLASSES_MAX;
                *self.classes.entry(if is_known { class } else { OTHER.to_owned() }).or_default() += 1;
            }
            Observed::Number(_) | Observed::Missing => self.missing += 1,
        }
    }
}

impl Profile {
    /// The features in the order in which they were met, with what was observed of each.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &Column)> {
        self.columns.iter().map(|(name, column)| (name.as_str(), column))
    }

    /// What was observed of a feature.
    pub fn column(&self, feature: &str) -> Option<&Column> {
        self.places.get(feature).and_then(|place| self.columns.get(*place)).map(|(_, column)| column)
    }

    /// Takes in what a tensor shows.
    pub fn take(&mut self, side: Side, name: &str, tensor: &Tensor) {
        let of = match side {
            Side::Input => format!("inputs.{name}"),
            Side::Output => format!("outputs.{name}"),
        };
        if tensor.element() == ElementType::Bytes {
            self.take_texts(side, &of, tensor);
            return;
        }
        let (rows, width) = match tensor.shape() {
            [rows, rest @ ..] if !rest.is_empty() => (*rows, rest.iter().product()),
            other => (1, other.iter().product::<usize>()),
        };
        if rows == 0 || width == 0 {
            let feature = if width == 1 { of } else { format!("{of}.mean") };
            self.observe(feature, Observed::Missing);
            return;
        }
        let rows = rows.min(ROWS_MAX).min(ELEMENTS_MAX / width);
        let Some(numbers) = numbers(tensor, rows * width) else { return };
        let is_whole = !matches!(tensor.element(), ElementType::F32 | ElementType::F64 | ElementType::Bf16);
        for row in numbers.chunks(width) {
            match row {
                [label] if side == Side::Output && is_whole => {
                    self.observe(format!("{of}.class"), Observed::Class(label.to_string()));
                }
                [number] => self.observe(of.clone(), Observed::Number(*number)),
                row => self.take_row(side, &of, row, is_whole),
            }
        }
    }

    /// Takes in a row of several numbers.
    fn take_row(&mut self, side: Side, of: &str, row: &[f64], is_whole: bool) {
        let mean = row.iter().sum::<f64>() / row.len() as f64;
        let norm = row.iter().map(|number| number * number).sum::<f64>().sqrt();
        self.observe(format!("{of}.mean"), Observed::Number(mean));
        self.observe(format!("{of}.norm"), Observed::Number(norm));
        if side == Side::Output && !is_whole && row.len() <= SCORES_MAX {
            let (class, top) = largest(row);
            self.observe(format!("{of}.class"), Observed::Class(class.to_string()));
            self.observe(format!("{of}.top"), Observed::Number(top));
        }
        if row.len() <= PLACES_MAX {
            for (place, number) in row.iter().enumerate() {
                self.observe(format!("{of}[{place}]"), Observed::Number(*number));
            }
        }
    }

    /// Takes in the lengths of texts, and a short one that comes out as a class.
    fn take_texts(&mut self, side: Side, of: &str, tensor: &Tensor) {
        let texts = texts(tensor.data(), ROWS_MAX);
        if texts.is_empty() {
            self.observe(format!("{of}.length"), Observed::Missing);
        }
        for text in texts {
            let known = std::str::from_utf8(text);
            let length = known.map_or(text.len(), |text| text.chars().count());
            self.observe(format!("{of}.length"), Observed::Number(length as f64));
            if let (Side::Output, Ok(class)) = (side, known)
                && class.len() <= CLASS_BYTES_MAX
            {
                self.observe(format!("{of}.class"), Observed::Class(class.to_owned()));
            }
        }
    }

    fn observe(&mut self, feature: String, observed: Observed) {
        let place = match self.places.get(&feature) {
            Some(place) => *place,
            None if self.columns.len() >= FEATURES_MAX => {
                self.is_cut = true;
                return;
            }
            None => {
                self.places.insert(feature.clone(), self.columns.len());
                self.columns.push((feature, Column::default()));
                self.columns.len() - 1
            }
        };
        if let Some((_, column)) = self.columns.get_mut(place) {
            column.take(observed);
        }
    }
}

/// The place of the largest number of a row, the first of equal ones, and that number.
fn largest(row: &[f64]) -> (usize, f64) {
    let larger =
        |best: (usize, f64), (place, number): (usize, &f64)| if *number > best.1 { (place, *number) } else { best };
    row.iter().enumerate().fold((0, row.first().copied().unwrap_or(f64::NAN)), larger)
}

/// The first numbers of a tensor; `None` where it holds none, or such as have 16 bits of IEEE 754.
fn numbers(tensor: &Tensor, most: usize) -> Option<Vec<f64>> {
    fn each<const N: usize>(data: &[u8], most: usize, of: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        let (chunks, _) = data.as_chunks::<N>();
        chunks.iter().take(most).map(|bytes| of(*bytes)).collect()
    }
    let data = tensor.data();
    Some(match tensor.element() {
        ElementType::Bool | ElementType::U8 => each(data, most, |[byte]: [u8; 1]| f64::from(byte)),
        ElementType::U16 => each(data, most, |bytes| f64::from(u16::from_le_bytes(bytes))),
        ElementType::U32 => each(data, most, |bytes| f64::from(u32::from_le_bytes(bytes))),
        ElementType::U64 => each(data, most, |bytes| u64::from_le_bytes(bytes) as f64),
        ElementType::I8 => each(data, most, |bytes| f64::from(i8::from_le_bytes(bytes))),
        ElementType::I16 => each(data, most, |bytes| f64::from(i16::from_le_bytes(bytes))),
        ElementType::I32 => each(data, most, |bytes| f64::from(i32::from_le_bytes(bytes))),
        ElementType::I64 => each(data, most, |bytes| i64::from_le_bytes(bytes) as f64),
        ElementType::Bf16 => {
            each(data, most, |bytes| f64::from(f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16)))
        }
        ElementType::F32 => each(data, most, |bytes| f64::from(f32::from_le_bytes(bytes))),
        ElementType::F64 => each(data, most, f64::from_le_bytes),
        ElementType::F16 | ElementType::Bytes => return None,
    })
}

/// The first elements of a tensor whose elements each have their length before them.
fn texts(data: &[u8], most: usize) -> Vec<&[u8]> {
    let (mut rest, mut texts) = (data, Vec::new());
    while texts.len() < most
        && let Some((length, after)) = rest.split_first_chunk::<4>()
        && let Some((text, after)) = after.split_at_checked(u32::from_le_bytes(*length) as usize)
    {
        texts.push(text);
        rest = after;
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(profile: &Profile) -> Vec<&str> {
        profile.columns().map(|(name, _)| name).collect()
    }

    fn of_texts(texts: &[&str]) -> Tensor {
        let mut data = Vec::new();
        for text in texts {
            data.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
            data.extend(text.as_bytes());
        }
        Tensor::new(ElementType::Bytes, vec![texts.len()], data.into()).unwrap()
    }

    #[test]
    fn a_number_a_vector_a_text_and_scores_have_the_features_that_one_would_look_at() {
        let mut profile = Profile::default();
        profile.take(Side::Input, "age", &Tensor::of_i64(vec![1, 1], &[40]).unwrap());
        profile.take(Side::Input, "x", &Tensor::of_f32(vec![1, 2], &[3.0, 4.0]).unwrap());
        profile.take(Side::Input, "text", &of_texts(&["grüße"]));
        profile.take(Side::Output, "scores", &Tensor::of_f32(vec![1, 2], &[0.25, 0.75]).unwrap());
        profile.take(Side::Output, "label", &Tensor::of_i64(vec![1], &[7]).unwrap());
        let expected = [
            "inputs.age",
            "inputs.x.mean",
            "inputs.x.norm",
            "inputs.x[0]",
            "inputs.x[1]",
            "inputs.text.length",
            "outputs.scores.mean",
            "outputs.scores.norm",
            "outputs.scores.class",
            "outputs.scores.top",
            "outputs.scores[0]",
            "outputs.scores[1]",
            "outputs.label.class",
        ];
        assert_eq!(features(&profile), expected);
        let numbers = |feature: &str| profile.column(feature).unwrap().numbers.clone();
        assert_eq!((numbers("inputs.age"), numbers("inputs.x.norm")), (vec![40.0], vec![5.0]));
        assert_eq!((numbers("inputs.text.length"), numbers("outputs.scores.top")), (vec![5.0], vec![0.75]));
        assert_eq!(profile.column("outputs.scores.class").unwrap().classes, BTreeMap::from([("1".to_owned(), 1)]));
        assert_eq!(profile.column("outputs.label.class").unwrap().classes, BTreeMap::from([("7".to_owned(), 1)]));
    }

    #[test]
    fn each_row_of_a_batch_is_an_observation_and_a_long_text_is_no_class() {
        let mut profile = Profile::default();
        profile.take(Side::Input, "x", &Tensor::of_f32(vec![3, 1], &[1.0, 2.0, f32::NAN]).unwrap());
        let column = profile.column("inputs.x").unwrap();
        assert_eq!((&column.numbers, column.missing), (&vec![1.0, 2.0], 1));
        profile.take(Side::Output, "word", &of_texts(&["good", &"long ".repeat(20)]));
        assert_eq!(profile.column("outputs.word.length").unwrap().numbers, [4.0, 100.0]);
        assert_eq!(profile.column("outputs.word.class").unwrap().classes.len(), 1);
    }

    #[test]
    fn nothing_grows_without_a_bound() {
        let mut profile = Profile::default();
        for name in 0..200 {
            profile.take(Side::Input, &name.to_string(), &Tensor::of_f32(vec![1], &[1.0]).unwrap());
        }
        assert!(profile.is_cut);
        assert_eq!(profile.columns().count(), FEATURES_MAX);
        let mut profile = Profile::default();
        for label in 0..20_000 {
            profile.take(Side::Output, "label", &Tensor::of_i64(vec![1], &[label]).unwrap());
        }
        let column = profile.column("outputs.label.class").unwrap();
        assert_eq!((column.classes.len(), column.observations()), (CLASSES_MAX + 1, OBSERVATIONS_MAX as u64));
        let wide = Tensor::of_f32(vec![1, ELEMENTS_MAX + 1], &vec![0.0; ELEMENTS_MAX + 1]).unwrap();
        let mut profile = Profile::default();
        profile.take(Side::Input, "wide", &wide);
        assert_eq!(features(&profile), Vec::<&str>::new());
    }
}
