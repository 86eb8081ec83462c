//! One operation on a picture, as its parameters describe it.

use image::{Rgba, RgbaImage, imageops};
use serde_json::Value;
use timeloom_engine::node::NodeError;

use super::OPERATIONS;
use super::colour::colour;
use super::compose::{self, Operator};
use super::draw::Shape;
use super::geometry::{self, Resize};
use super::text::Text;
use crate::describe::words;

/// Strongest blur; a stronger one looks like one colour.
const SIGMA_MAX: f32 = 200.0;
/// Widest border, in pixels; the picture's own bounds count besides.
const BORDER_PIXELS_MAX: f64 = 10_000.0;

/// One operation on a picture.
pub(super) enum Step {
    /// A new picture.
    Create { size: (u32, u32), background: Rgba<u8> },
    /// What is known of the picture.
    Information,
    /// Another picture on it.
    Composite { other: String, operator: Operator, place: (i64, i64) },
    /// Less sharp.
    Blur { sigma: f32 },
    /// Something around it.
    Border { width: u32, height: u32, colour: Rgba<u8> },
    /// A part of it.
    Crop { size: (u32, u32), place: (i64, i64) },
    /// Something drawn on it.
    Draw { shape: Shape, colour: Rgba<u8> },
    /// Larger or smaller.
    Resize(Resize),
    /// Turned to the right, in degrees.
    Rotate { degrees: f64, background: Rgba<u8> },
    /// Slanted, in degrees.
    Shear { x: f64, y: f64 },
    /// Something written on it.
    Text { drawn: Text, colour: Rgba<u8> },
    /// Without a colour.
    Transparent { colour: Rgba<u8> },
}

impl Step {
    /// The operation of that name with these parameters; what is missing is what n8n takes.
    ///
    /// # Errors
    /// [`NodeError`] when it is none, or a parameter makes no sense.
    pub(super) fn read(operation: &str, given: &Value) -> Result<Self, NodeError> {
        let number = |name: &str, default: f64| number(given, name, default);
        let text = |name: &str, default: &str| {
            let own = given.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
            own.unwrap_or(default).to_owned()
        };
        let size = |default: f64| {
            Ok::<_, NodeError>((pixels(number("width", default)?)?, pixels(number("height", default)?)?))
        };
        let place = || Ok::<_, NodeError>((number("positionX", 0.0)? as i64, number("positionY", 0.0)? as i64));
        Ok(match operation {
            "create" => Self::Create { size: size(50.0)?, background: colour(&text("backgroundColor", "#ffffff00"))? },
            "information" => Self::Information,
            "composite" => Self::Composite {
                other: text("dataPropertyNameComposite", ""),
                operator: Operator::named(&text("operator", "Over"))?,
                place: place()?,
            },
            "blur" => Self::Blur { sigma: (number("sigma", 2.0)? as f32).clamp(0.0, SIGMA_MAX) },
            "border" => Self::Border {
                width: number("borderWidth", 10.0)?.clamp(0.0, BORDER_PIXELS_MAX) as u32,
                height: number("borderHeight", 10.0)?.clamp(0.0, BORDER_PIXELS_MAX) as u32,
                colour: colour(&text("borderColor", "#000000"))?,
            },
            "crop" => Self::Crop { size: size(500.0)?, place: place()? },
            "draw" => Self::Draw {
                shape: Shape::read(&text("primitive", "rectangle"), |name, default| number(name, default))?,
                colour: colour(&text("color", "#ff000000"))?,
            },
            "resize" => {
                let (width, height) = (number("width", 500.0)?, number("height", 500.0)?);
                Self::Resize(Resize::read(&text("resizeOption", "maximumArea"), width, height)?)
            }
            "rotate" => Self::Rotate {
                degrees: number("rotate", 0.0)?,
                background: colour(&text("backgroundColor", "#ffffffff"))?,
            },
            "shear" => Self::Shear { x: number("degreesX", 0.0)?, y: number("degreesY", 0.0)? },
            "transparent" => Self::Transparent { colour: colour(&text("color", "#ff0000"))? },
            "text" => Self::Text { drawn: Text::read(given, number)?, colour: colour(&text("fontColor", "#000000"))? },
            other => {
                let known = words(OPERATIONS);
                return Err(NodeError::operation(format!(
                    "'{other}' is not an operation on pictures: use one of {known}"
                )));
            }
        })
    }

    /// The picture after the operation; `other` is the one that is put on it.
    ///
    /// # Errors
    /// [`NodeError`] when the result would be too large, or nothing.
    pub(super) fn apply(&self, canvas: RgbaImage, other: Option<&RgbaImage>) -> Result<RgbaImage, NodeError> {
        match self {
            Self::Create { .. } | Self::Information => Ok(canvas),
            Self::Composite { operator, place, .. } => match other {
                Some(other) => Ok(compose::compose(canvas, other, *operator, *place)),
                None => Err(NodeError::operation("there is no second picture to put on the first")),
            },
            Self::Blur { sigma } if *sigma < 0.05 => Ok(canvas),
            Self::Blur { sigma } => Ok(imageops::fast_blur(&canvas, *sigma)),
            Self::Border { width, height, colour } => geometry::border(&canvas, (*width, *height), *colour),
            Self::Crop { size, place } => geometry::crop(&canvas, *size, *place),
            Self::Draw { shape, colour } => Ok(shape.draw(canvas, *colour)),
            Self::Resize(resize) => resize.apply(canvas),
            Self::Rotate { degrees, background } => geometry::rotate(canvas, *degrees, *background),
            Self::Shear { x, y } => geometry::shear(&canvas, *x, *y),
            Self::Text { drawn, colour } => drawn.draw(canvas, *colour),
            Self::Transparent { colour } => Ok(without(canvas, *colour)),
        }
    }
}

/// The picture with what had exactly that colour made transparent.
fn without(mut canvas: RgbaImage, colour: Rgba<u8>) -> RgbaImage {
    for pixel in canvas.pixels_mut().filter(|pixel| pixel.0[..3] == colour.0[..3]) {
        pixel.0[3] = 0;
    }
    canvas
}

fn number(given: &Value, name: &str, default: f64) -> Result<f64, NodeError> {
    let number = match given.get(name) {
        None | Some(Value::Null) => Some(default),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(_) => None,
    };
    number.filter(|number| number.is_finite()).ok_or_else(|| NodeError::operation(format!("'{name}' is not a number")))
}

/// A length in whole pixels. One that is too large is told with the picture that it would make.
fn pixels(length: f64) -> Result<u32, NodeError> {
    if (0.0..=f64::from(u32::MAX)).contains(&length) {
        Ok(length.round() as u32)
    } else {
        Err(NodeError::operation(format!("{length} is not a length in pixels: use a number of 1 or more")))
    }
}
