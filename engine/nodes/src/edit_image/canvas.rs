//! Pictures: read and written in the formats that are known, within bounds.
//!
//! Invariant: no more than [`PIXELS_MAX`] pixels are ever unpacked or made, whatever a file or a parameter says.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, ImageReader, Limits, Rgba, RgbaImage};
use timeloom_engine::node::NodeError;

/// Most pixels of a picture: four bytes each.
pub(super) const PIXELS_MAX: u64 = 24 << 20;
/// Longest side of a picture, in pixels.
const SIDE_PIXELS_MAX: u32 = 32_767;
/// Most bytes that a decoder may take besides.
const DECODER_BYTES_MAX: u64 = 256 << 20;

/// A format of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format(ImageFormat);

/// Every format, by the names that files and parameters use.
const FORMATS: [(&str, ImageFormat); 8] = [
    ("png", ImageFormat::Png),
    ("jpeg", ImageFormat::Jpeg),
    ("jpg", ImageFormat::Jpeg),
    ("gif", ImageFormat::Gif),
    ("webp", ImageFormat::WebP),
    ("bmp", ImageFormat::Bmp),
    ("tiff", ImageFormat::Tiff),
    ("tif", ImageFormat::Tiff),
];

impl Format {
    /// The format of that name.
    ///
    /// # Errors
    /// [`NodeError`] that lists what is known.
    pub(super) fn named(name: &str) -> Result<Self, NodeError> {
        let found = FORMATS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
        found.map(|(_, format)| Self(*format)).ok_or_else(|| {
            NodeError::operation(format!("'{name}' is not a format: use png, jpeg, gif, webp, bmp or tiff"))
        })
    }

    /// Its name, which is the extension of its files.
    pub(super) fn name(self) -> &'static str {
        FORMATS.iter().find(|(_, format)| *format == self.0).map_or("png", |(name, _)| name)
    }

    /// Its media type.
    pub(super) fn media_type(self) -> &'static str {
        self.0.to_mime_type()
    }
}

/// A picture.
pub(crate) struct Picture {
    /// Its pixels.
    pub(crate) canvas: RgbaImage,
    /// The format that it came in.
    pub(super) format: Format,
}

impl Picture {
    /// The picture in a file.
    ///
    /// # Errors
    /// [`NodeError`] when it is none that is known, or too large.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, NodeError> {
        let unreadable = |error: image::ImageError| {
            NodeError::operation(format!("the attachment is no picture that can be read: {error}"))
                .described("use png, jpeg, gif, webp, bmp or tiff")
        };
        let reader =
            || ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| unreadable(error.into()));
        let format = reader()?.format().filter(|format| FORMATS.iter().any(|(_, known)| known == format));
        let format = format.ok_or_else(|| {
            NodeError::operation("the attachment is no picture").described("use png, jpeg, gif, webp, bmp or tiff")
        })?;
        let (width, height) = reader()?.into_dimensions().map_err(unreadable)?;
        check_size(width, height)?;
        let mut reader = reader()?;
        let mut limits = Limits::default();
        limits.max_image_width = Some(SIDE_PIXELS_MAX);
        limits.max_image_height = Some(SIDE_PIXELS_MAX);
        limits.max_alloc = Some(DECODER_BYTES_MAX);
        reader.limits(limits);
        let canvas = reader.decode().map_err(unreadable)?.into_rgba8();
        Ok(Self { canvas, format: Format(format) })
    }

    /// A picture of one colour.
    ///
    /// # Errors
    /// [`NodeError`] when it would be too large.
    pub(super) fn blank((width, height): (u32, u32), colour: Rgba<u8>) -> Result<Self, NodeError> {
        check_size(width, height)?;
        Ok(Self { canvas: RgbaImage::from_pixel(width, height, colour), format: Format(ImageFormat::Png) })
    }

    /// The same with other pixels.
    ///
    /// # Errors
    /// What the change says.
    pub(super) fn change(
        self,
        change: impl FnOnce(RgbaImage) -> Result<RgbaImage, NodeError>,
    ) -> Result<Self, NodeError> {
        Ok(Self { canvas: change(self.canvas)?, format: self.format })
    }

    /// The picture as a file. `quality` of 1 to 100 counts for JPEG alone, which is not transparent either.
    ///
    /// # Errors
    /// [`NodeError`] when the format cannot hold it.
    pub(super) fn write(self, format: Format, quality: u8) -> Result<Vec<u8>, NodeError> {
        let unwritable =
            |error: image::ImageError| NodeError::operation(format!("the picture cannot be written: {error}"));
        let mut file = Cursor::new(Vec::new());
        match format.0 {
            ImageFormat::Jpeg => {
                let opaque = DynamicImage::ImageRgba8(on_white(self.canvas)).into_rgb8();
                JpegEncoder::new_with_quality(&mut file, quality).encode_image(&opaque).map_err(unwritable)?;
            }
            other => DynamicImage::ImageRgba8(self.canvas).write_to(&mut file, other).map_err(unwritable)?,
        }
        Ok(file.into_inner())
    }
}

/// Refuses sizes that are too large, or nothing.
///
/// # Errors
/// [`NodeError`] with the bounds.
pub(super) fn check_size(width: u32, height: u32) -> Result<(), NodeError> {
    if width == 0 || height == 0 {
        return Err(NodeError::operation("a picture has at least one pixel: give a width and height of 1 or more"));
    }
    if width > SIDE_PIXELS_MAX || height > SIDE_PIXELS_MAX || u64::from(width) * u64::from(height) > PIXELS_MAX {
        let message = format!("a picture of {width} x {height} pixels is too large to work on");
        let bounds = format!("at most {PIXELS_MAX} pixels in all and {SIDE_PIXELS_MAX} a side are allowed");
        return Err(NodeError::operation(message).described(bounds));
    }
    Ok(())
}

fn on_white(mut canvas: RgbaImage) -> RgbaImage {
    for pixel in canvas.pixels_mut() {
        let alpha = u16::from(pixel.0[3]);
        for channel in &mut pixel.0[..3] {
            *channel = ((u16::from(*channel) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        }
        pixel.0[3] = 255;
    }
    canvas
}
