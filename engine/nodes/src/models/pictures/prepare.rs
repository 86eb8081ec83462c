//! A picture as the tensor that a model wants: its size, the order of its colours, how they are normalised.

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use timeloom_domain::catalogue::ParameterDefinition;
use timeloom_domain::inference::{ElementType, Tensor, TensorSpec};
use timeloom_engine::node::{NodeError, NodeRun};

use crate::describe::{choice, number, options, text, told};
use crate::models::asking::numbers;

/// Longest side of a picture as a model gets it, in pixels.
const SIDE_MAX: u64 = 4_096;

/// How a picture is brought to the size that a model wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// Its sides are changed by themselves.
    Stretch,
    /// The whole picture, with a border.
    Contain,
    /// The middle of the picture, without one.
    Cover,
}

/// How a picture becomes a tensor.
#[derive(Debug, Clone)]
pub(super) struct Preparation {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) fit: Fit,
    /// By what each colour of 0 to 255 is multiplied first.
    scale: f32,
    mean: [f32; 3],
    deviation: [f32; 3],
    is_bgr: bool,
    channels_last: bool,
    element: ElementType,
}

/// Where a picture lies in the one that a model got: what to divide by, and how far it was moved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    scale: (f32, f32),
    moved: (f32, f32),
}

impl Place {
    /// A point of the model's picture in the one that came.
    pub(super) fn back(&self, (x, y): (f32, f32)) -> (f32, f32) {
        ((x - self.moved.0) / self.scale.0, (y - self.moved.1) / self.scale.1)
    }
}

/// Parameters that say how pictures are prepared.
pub(super) const WIDTH: ParameterDefinition =
    number("width", "Width that the model wants, where its file leaves it open.").or_number(224.0);
/// As [`WIDTH`].
pub(super) const HEIGHT: ParameterDefinition =
    number("height", "Height that the model wants, where its file leaves it open.").or_number(224.0);
/// How the picture is brought to that size.
pub(super) const RESIZE: ParameterDefinition = options(
    "resize",
    &[
        told("stretch", "Stretch", "Each side by itself."),
        told("contain", "Contain", "Whole, with a border."),
        told("cover", "Cover", "Its middle."),
    ],
    "How the picture is brought to that size; as the node's models want it when absent.",
);
/// How its colours are normalised: this first.
pub(super) const SCALE: ParameterDefinition =
    number("scale", "By what each colour of 0 to 255 is multiplied; 1/255 when absent, 1 where the model takes bytes.");
/// Then this.
pub(super) const MEAN: ParameterDefinition =
    text("mean", "What is taken off each colour then: three numbers; 0 when absent.").like("0.485, 0.456, 0.406");
/// Then this.
pub(super) const DEVIATION: ParameterDefinition =
    text("std", "By what each is divided then: three numbers; 1 when absent.")
        .called("Deviation")
        .like("0.229, 0.224, 0.225");
/// In which order they come.
pub(super) const COLOURS: ParameterDefinition =
    options("colours", &[choice("rgb", "RGB"), choice("bgr", "BGR")], "The order of colours.").or_text("rgb");

impl Preparation {
    /// What the parameters of a node and the input of a model say.
    ///
    /// # Errors
    /// [`NodeError`] when the input is none for pictures, or a parameter is wrong.
    pub(super) fn read(run: &mut NodeRun<'_>, index: usize, spec: &TensorSpec, fit: Fit) -> Result<Self, NodeError> {
        let channels_last = match spec.shape.as_slice() {
            [_, Some(3), ..] => false,
            [_, _, _, Some(3)] => true,
            [_, None, _, _] => false,
            _ => return Err(no_pictures(spec)),
        };
        let [_, a, b, c] = spec.shape.as_slice() else { return Err(no_pictures(spec)) };
        let (height, width) = if channels_last { (*a, *b) } else { (*b, *c) };
        if !matches!(spec.element, ElementType::F32 | ElementType::U8) {
            return Err(no_pictures(spec));
        }
        let fit = match run.text("resize", index, "")?.as_str() {
            "" => fit,
            "stretch" => Fit::Stretch,
            "contain" => Fit::Contain,
            "cover" => Fit::Cover,
            other => {
                return Err(NodeError::operation(format!(
                    "'{other}' is no way to resize: use stretch, contain or cover"
                )));
            }
        };
        let default_scale = if spec.element == ElementType::U8 { 1.0 } else { 1.0 / 255.0 };
        Ok(Self {
            width: side(run, index, "width", width)?,
            height: side(run, index, "height", height)?,
            fit,
            scale: run.number("scale", index, default_scale)? as f32,
            mean: three(run, index, "mean", 0.0)?,
            deviation: three(run, index, "std", 1.0)?,
            is_bgr: run.text("colours", index, "rgb")?.eq_ignore_ascii_case("bgr"),
            channels_last,
            element: spec.element,
        })
    }

    /// One that brings colours to -1 to 1, as models that read text want them.
    pub(super) fn of_text(width: u32, height: u32) -> Self {
        let (mean, deviation) = ([0.5; 3], [0.5; 3]);
        let (fit, scale, is_bgr, channels_last) = (Fit::Stretch, 1.0 / 255.0, true, false);
        Self { width, height, fit, scale, mean, deviation, is_bgr, channels_last, element: ElementType::F32 }
    }

    /// The tensor of a picture, and where the picture lies in it.
    ///
    /// # Errors
    /// [`NodeError`] when the tensor would be too large.
    pub(super) fn tensor(&self, picture: &RgbImage) -> Result<(Tensor, Place), NodeError> {
        let (canvas, place) = self.resized(picture);
        let shape =
            if self.channels_last { vec![1, self.height, self.width, 3] } else { vec![1, 3, self.height, self.width] };
        let shape = shape.into_iter().map(|length| length as usize).collect();
        let data = match self.element {
            ElementType::U8 => self.numbers(&canvas).into_iter().map(|number| number.clamp(0.0, 255.0) as u8).collect(),
            _ => self.numbers(&canvas).into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>(),
        };
        let tensor = Tensor::new(self.element, shape, data.into());
        tensor.map(|tensor| (tensor, place)).map_err(|error| NodeError::operation(error.to_string()))
    }

    /// The numbers of a picture of the right size, in the order of the model.
    pub(super) fn numbers(&self, canvas: &RgbImage) -> Vec<f32> {
        let channel = |place: usize| if self.is_bgr { 2 - place } else { place };
        let number = |pixel: &Rgb<u8>, place: usize| {
            (f32::from(pixel.0[channel(place)]) * self.scale - self.mean[place]) / self.deviation[place]
        };
        if self.channels_last {
            return canvas.pixels().flat_map(|pixel| (0..3).map(move |place| number(pixel, place))).collect();
        }
        (0..3).flat_map(|place| canvas.pixels().map(move |pixel| number(pixel, place))).collect()
    }

    fn resized(&self, picture: &RgbImage) -> (RgbImage, Place) {
        let (from, to) = (picture.dimensions(), (self.width, self.height));
        let by = |length: u32, wanted: u32| wanted as f32 / length.max(1) as f32;
        let (x, y) = (by(from.0, to.0), by(from.1, to.1));
        let (scale_x, scale_y) = match self.fit {
            Fit::Stretch => (x, y),
            Fit::Contain => (x.min(y), x.min(y)),
            Fit::Cover => return covering(picture, to, x.max(y)),
        };
        let scaled = |length: u32, scale: f32| ((length as f32 * scale).round() as u32).max(1);
        let (width, height) = (scaled(from.0, scale_x), scaled(from.1, scale_y));
        let resized = imageops::resize(picture, width, height, FilterType::Triangle);
        let moved = ((i64::from(to.0) - i64::from(width)) / 2, (i64::from(to.1) - i64::from(height)) / 2);
        let place = Place { scale: (scale_x, scale_y), moved: (moved.0 as f32, moved.1 as f32) };
        if (width, height) == to {
            return (resized, place);
        }
        // A grey border, as models of that kind were trained with.
        let mut canvas = RgbImage::from_pixel(to.0, to.1, Rgb([114; 3]));
        imageops::replace(&mut canvas, &resized, moved.0, moved.1);
        (canvas, place)
    }
}

/// The middle of a picture, as large as `to`. It is cut out before it is resized: a picture that is a thousand times as long
/// as it is wide would become a thousand times as large first.
fn covering(picture: &RgbImage, to: (u32, u32), scale: f32) -> (RgbImage, Place) {
    let part = |length: u32, wanted: u32| ((wanted as f32 / scale).round() as u32).clamp(1, length.max(1));
    let (width, height) = (part(picture.width(), to.0), part(picture.height(), to.1));
    let (left, top) = ((picture.width() - width) / 2, (picture.height() - height) / 2);
    let middle = imageops::crop_imm(picture, left, top, width, height).to_image();
    let scale = (to.0 as f32 / width as f32, to.1 as f32 / height as f32);
    let moved = (-(left as f32) * scale.0, -(top as f32) * scale.1);
    (imageops::resize(&middle, to.0, to.1, FilterType::Triangle), Place { scale, moved })
}

fn no_pictures(spec: &TensorSpec) -> NodeError {
    NodeError::operation(format!("the model's input '{}' takes no pictures", spec.name))
        .described("models for pictures have one input of FP32 or UINT8 with four dimensions, one of which is 3")
}

fn side(run: &mut NodeRun<'_>, index: usize, name: &str, fixed: Option<u64>) -> Result<u32, NodeError> {
    let wanted = match fixed {
        Some(fixed) => fixed,
        None => run.number(name, index, 224.0)? as u64,
    };
    if !(1..=SIDE_MAX).contains(&wanted) {
        return Err(NodeError::operation(format!("the {name} of {wanted} pixels is not one of 1 to {SIDE_MAX}")));
    }
    Ok(wanted as u32)
}

fn three(run: &mut NodeRun<'_>, index: usize, name: &str, default: f32) -> Result<[f32; 3], NodeError> {
    let found = numbers(run.parameter(name, index)?.as_ref(), name)?;
    match found.as_slice() {
        [] => Ok([default; 3]),
        [a, b, c] if name != "std" || found.iter().all(|number| *number != 0.0) => Ok([*a, *b, *c]),
        _ => Err(NodeError::operation(format!("'{name}' wants three numbers, none of them 0 to divide by"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_and_thin_is_cut_before_it_is_resized() {
        let line = RgbImage::from_fn(1, 30_001, |_, row| Rgb([u8::from(row == 15_000) * 255; 3]));
        let (made, place) = covering(&line, (64, 64), 64.0);
        assert_eq!(made.dimensions(), (64, 64));
        assert_eq!(place.scale, (64.0, 64.0));
        assert_eq!(made.get_pixel(32, 32), &Rgb([255; 3]), "it is the middle");
    }
}
