//! Operations that change where pixels are: size, part, border, turn and slant.

use image::imageops::{self, FilterType};
use image::{GenericImageView as _, Rgba, RgbaImage};
use timeloom_engine::node::NodeError;

use super::canvas::check_size;

/// What width and height of a new size mean.
pub(super) const RESIZE: &[&str] =
    &["maximumArea", "minimumArea", "ignoreAspectRatio", "onlyIfLarger", "onlyIfSmaller", "percent"];
/// Steepest slant, in degrees.
const SHEAR_DEGREES_MAX: f64 = 89.0;

/// A new size.
pub(super) struct Resize {
    kind: &'static str,
    width: f64,
    height: f64,
}

impl Resize {
    /// A new size of that kind.
    ///
    /// # Errors
    /// [`NodeError`] when there is no such kind, or a length is none.
    pub(super) fn read(kind: &str, width: f64, height: f64) -> Result<Self, NodeError> {
        let kind = RESIZE.iter().find(|known| **known == kind).ok_or_else(|| {
            NodeError::operation(format!("'{kind}' is not a way to resize: use one of {}", RESIZE.join(", ")))
        })?;
        if width <= 0.0 || height <= 0.0 {
            return Err(NodeError::operation("a picture has at least one pixel: give a width and height of 1 or more"));
        }
        Ok(Self { kind, width, height })
    }

    /// The picture in its new size.
    ///
    /// # Errors
    /// [`NodeError`] when it would be too large.
    pub(super) fn apply(&self, canvas: RgbaImage) -> Result<RgbaImage, NodeError> {
        let (own_width, own_height) = (f64::from(canvas.width()), f64::from(canvas.height()));
        let (by_width, by_height) = (self.width / own_width, self.height / own_height);
        let within = by_width.min(by_height);
        let (x, y) = match self.kind {
            "ignoreAspectRatio" => (by_width, by_height),
            "percent" => (self.width / 100.0, self.height / 100.0),
            "minimumArea" => (by_width.max(by_height), by_width.max(by_height)),
            "onlyIfLarger" => (within.min(1.0), within.min(1.0)),
            "onlyIfSmaller" => (within.max(1.0), within.max(1.0)),
            // So many pixels in all as the two lengths have together.
            _ => {
                let scale = (self.width * self.height / (own_width * own_height)).sqrt().min(1.0);
                (scale, scale)
            }
        };
        let length = |own: f64, scale: f64| (own * scale).round().clamp(1.0, f64::from(u32::MAX)) as u32;
        let (width, height) = (length(own_width, x), length(own_height, y));
        check_size(width, height)?;
        if (width, height) == canvas.dimensions() {
            return Ok(canvas);
        }
        Ok(imageops::resize(&canvas, width, height, FilterType::CatmullRom))
    }
}

/// The part of a picture that begins at `place`; what lies outside is left out.
///
/// # Errors
/// [`NodeError`] when nothing of it lies there.
pub(super) fn crop(
    canvas: &RgbaImage,
    (width, height): (u32, u32),
    (x, y): (i64, i64),
) -> Result<RgbaImage, NodeError> {
    let part = |start: i64, length: u32, own: u32| {
        let first = start.clamp(0, i64::from(own));
        let last = start.saturating_add(i64::from(length)).clamp(first, i64::from(own));
        (first as u32, (last - first) as u32)
    };
    let ((left, width), (top, height)) = (part(x, width, canvas.width()), part(y, height, canvas.height()));
    if width == 0 || height == 0 {
        let (own_width, own_height) = canvas.dimensions();
        let message = format!("nothing is left of the picture: it has {own_width} x {own_height} pixels");
        return Err(NodeError::operation(message));
    }
    Ok(canvas.view(left, top, width, height).to_image())
}

/// The picture with a border around it.
///
/// # Errors
/// [`NodeError`] when it would be too large.
pub(super) fn border(
    canvas: &RgbaImage,
    (width, height): (u32, u32),
    colour: Rgba<u8>,
) -> Result<RgbaImage, NodeError> {
    let (new_width, new_height) =
        (canvas.width().saturating_add(2 * width), canvas.height().saturating_add(2 * height));
    check_size(new_width, new_height)?;
    let mut framed = RgbaImage::from_pixel(new_width, new_height, colour);
    imageops::replace(&mut framed, canvas, i64::from(width), i64::from(height));
    Ok(framed)
}

/// The picture turned to the right, on a background that is as large as it needs to be.
///
/// # Errors
/// [`NodeError`] when it would be too large.
pub(super) fn rotate(canvas: RgbaImage, degrees: f64, background: Rgba<u8>) -> Result<RgbaImage, NodeError> {
    let degrees = degrees.rem_euclid(360.0);
    if degrees == 0.0 {
        Ok(canvas)
    } else if degrees == 90.0 {
        Ok(imageops::rotate90(&canvas))
    } else if degrees == 180.0 {
        Ok(imageops::rotate180(&canvas))
    } else if degrees == 270.0 {
        Ok(imageops::rotate270(&canvas))
    } else {
        let (sine, cosine) = degrees.to_radians().sin_cos();
        warp(&canvas, [[cosine, -sine], [sine, cosine]], background)
    }
}

/// The picture slanted along its width and then along its height, on white.
///
/// # Errors
/// [`NodeError`] when it would be too large.
pub(super) fn shear(canvas: &RgbaImage, x_degrees: f64, y_degrees: f64) -> Result<RgbaImage, NodeError> {
    if x_degrees.abs() > SHEAR_DEGREES_MAX || y_degrees.abs() > SHEAR_DEGREES_MAX {
        let message = format!("a picture is slanted by at most {SHEAR_DEGREES_MAX} degrees either way");
        return Err(NodeError::operation(message));
    }
    let (along_x, along_y) = (x_degrees.to_radians().tan(), y_degrees.to_radians().tan());
    let matrix = [[1.0, along_x], [along_y, 1.0 + along_x * along_y]];
    warp(canvas, matrix, Rgba([255, 255, 255, 255]))
}

/// The picture under a linear map about its middle.
fn warp(canvas: &RgbaImage, matrix: [[f64; 2]; 2], background: Rgba<u8>) -> Result<RgbaImage, NodeError> {
    let [[a, b], [c, d]] = matrix;
    let (own_width, own_height) = (f64::from(canvas.width()), f64::from(canvas.height()));
    // A hair less, so that what is exactly so long is not made a pixel longer by rounding.
    let length = |x: f64, y: f64| (x.abs() * own_width + y.abs() * own_height - 1e-6).ceil().max(1.0);
    let (width, height) = (length(a, b), length(c, d));
    let whole = |length: f64| length.min(f64::from(u32::MAX)) as u32;
    check_size(whole(width), whole(height))?;
    let determinant = a * d - b * c;
    Ok(RgbaImage::from_fn(whole(width), whole(height), |x, y| {
        let (x, y) = (f64::from(x) + 0.5 - width / 2.0, f64::from(y) + 0.5 - height / 2.0);
        let (from_x, from_y) = ((d * x - b * y) / determinant, (a * y - c * x) / determinant);
        sample(canvas, from_x + own_width / 2.0 - 0.5, from_y + own_height / 2.0 - 0.5, background)
    }))
}

/// The colour between the four pixels around a place; what lies outside is background.
fn sample(canvas: &RgbaImage, x: f64, y: f64, background: Rgba<u8>) -> Rgba<u8> {
    let (left, top) = (x.floor(), y.floor());
    let (right_share, bottom_share) = (x - left, y - top);
    let mut sums = [0.0; 4];
    for (dx, x_share) in [(0.0, 1.0 - right_share), (1.0, right_share)] {
        for (dy, y_share) in [(0.0, 1.0 - bottom_share), (1.0, bottom_share)] {
            let (column, row) = (left + dx, top + dy);
            let is_inside = column >= 0.0 && row >= 0.0;
            let own = if is_inside { canvas.get_pixel_checked(column as u32, row as u32) } else { None };
            let Rgba([red, green, blue, alpha]) = own.copied().unwrap_or(background);
            let weight = x_share * y_share * f64::from(alpha);
            sums[0] += weight * f64::from(red);
            sums[1] += weight * f64::from(green);
            sums[2] += weight * f64::from(blue);
            sums[3] += weight;
        }
    }
    let channel = |sum: f64| if sums[3] > 0.0 { (sum / sums[3]).round() as u8 } else { 0 };
    Rgba([channel(sums[0]), channel(sums[1]), channel(sums[2]), sums[3].round() as u8])
}
