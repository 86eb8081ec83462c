//! Text on a picture: words put in lines, drawn in the one typeface that comes with the program, DejaVu Sans.
//!
//! Never looks for typefaces on the machine: the same workflow draws the same everywhere.
//! Invariant: a text and its size have bounds, and what lies outside the picture is not drawn.

use ab_glyph::{Font as _, FontRef, OutlinedGlyph, PxScale, ScaleFont as _, point};
use image::{Pixel as _, Rgba, RgbaImage};
use serde_json::Value;
use timeloom_engine::node::NodeError;

use crate::values;

/// Longest text, in characters.
const TEXT_CHARS_MAX: usize = 20_000;
/// Largest letters, in pixels.
const SIZE_PIXELS_MAX: f64 = 1_000.0;

/// A text to be drawn.
pub(super) struct Text {
    lines: Vec<String>,
    /// Size of the letters in pixels.
    size: f32,
    /// Where the first line's letters stand: its left end, and their foot.
    place: (f32, f32),
}

impl Text {
    /// The text with its numbers.
    ///
    /// # Errors
    /// [`NodeError`] when it is too long or too large, or what should be a number is none.
    pub(super) fn read(given: &Value, number: impl Fn(&str, f64) -> Result<f64, NodeError>) -> Result<Self, NodeError> {
        let text = given.get("text").filter(|text| !text.is_null()).map(values::text).unwrap_or_default();
        if text.chars().count() > TEXT_CHARS_MAX {
            return Err(NodeError::operation(format!("the text has more than {TEXT_CHARS_MAX} characters")));
        }
        let size = number("fontSize", 18.0)?;
        if size <= 0.0 || size > SIZE_PIXELS_MAX {
            let message = format!("letters of {size} pixels cannot be drawn: use more than 0 and at most");
            return Err(NodeError::operation(format!("{message} {SIZE_PIXELS_MAX}")));
        }
        let lines = lines(&text, number("lineLength", 80.0)?);
        let place = (number("positionX", 50.0)? as f32, number("positionY", 50.0)? as f32);
        Ok(Self { lines, size: size as f32, place })
    }

    /// The picture with the text on it.
    ///
    /// # Errors
    /// [`NodeError`] when the typeface cannot be read.
    pub(super) fn draw(&self, mut canvas: RgbaImage, colour: Rgba<u8>) -> Result<RgbaImage, NodeError> {
        let font = FontRef::try_from_slice(dejavu::sans::regular())
            .map_err(|error| NodeError::operation(format!("the typeface cannot be read: {error}")))?;
        // Sizes count in ems of the typeface, scales in the height from its deepest to its highest.
        let share = font.units_per_em().map_or(1.0, |em| font.height_unscaled() / em);
        let scale = PxScale::from(self.size * share);
        let scaled = font.as_scaled(scale);
        let (left, mut foot) = self.place;
        for line in &self.lines {
            let (mut along, mut before) = (left, None);
            for letter in line.chars().filter(|letter| !letter.is_control()) {
                let glyph = font.glyph_id(letter);
                along += before.map_or(0.0, |before| scaled.kern(before, glyph));
                if let Some(outline) = font.outline_glyph(glyph.with_scale_and_position(scale, point(along, foot))) {
                    put(&mut canvas, &outline, colour);
                }
                along += scaled.h_advance(glyph);
                before = Some(glyph);
            }
            foot += scaled.height();
        }
        Ok(canvas)
    }
}

/// Puts one letter on the picture, as far as it lies on it.
fn put(canvas: &mut RgbaImage, outline: &OutlinedGlyph, colour: Rgba<u8>) {
    let bounds = outline.px_bounds();
    let is_outside = bounds.max.x <= 0.0
        || bounds.max.y <= 0.0
        || bounds.min.x >= canvas.width() as f32
        || bounds.min.y >= canvas.height() as f32;
    if is_outside {
        return;
    }
    outline.draw(|x, y, share| {
        let at = |own: u32, first: f32| u32::try_from(i64::from(own) + first as i64).ok();
        let (Some(x), Some(y)) = (at(x, bounds.min.x), at(y, bounds.min.y)) else { return };
        if let Some(pixel) = canvas.get_pixel_mut_checked(x, y) {
            let Rgba([red, green, blue, alpha]) = colour;
            let alpha = (f32::from(alpha) * share.clamp(0.0, 1.0)).round() as u8;
            pixel.blend(&Rgba([red, green, blue, alpha]));
        }
    });
}

/// The text in lines of at most so many characters, the blank after each word among them; a longer word has a line of its
/// own. Lengths are those of JavaScript.
fn lines(text: &str, most: f64) -> Vec<String> {
    let length = |text: &str| text.encode_utf16().count();
    let mut lines = Vec::new();
    for given in text.split('\n') {
        let mut line = String::new();
        for word in given.split(' ') {
            if (length(&line) + length(word) + 1) as f64 > most {
                // A word too long for the first line leaves that one empty: files count on it for their places.
                lines.push(std::mem::take(&mut line).trim().to_owned());
            }
            line.push_str(word);
            line.push(' ');
        }
        lines.push(line.trim().to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_put_in_lines() {
        assert_eq!(lines("one two three\nfour", 8.0), ["one two", "three", "four"]);
        assert_eq!(lines("one two", 7.0), ["one", "two"], "the blank after a word counts");
        assert_eq!(lines("extraordinary a", 5.0), ["", "extraordinary", "a"]);
        assert_eq!(lines("\n\na", 80.0), ["", "", "a"]);
        assert_eq!(lines("\u{1f600}\u{1f600} b", 5.0), ["\u{1f600}\u{1f600}", "b"]);
    }
}
