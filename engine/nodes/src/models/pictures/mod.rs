//! Nodes that show pictures to models: what is on them, where it is, what is written there.

mod boxes;
mod classify;
mod detect;
mod lines;
mod prepare;
mod read;

pub(crate) use classify::ImageClassification;
pub(crate) use detect::ObjectDetection;
pub(crate) use read::Ocr;

use image::RgbImage;
use timeloom_domain::item::Item;
use timeloom_engine::node::{NodeError, NodeRun, blocking};

use crate::edit_image::Picture;
use crate::files::attached;

/// The picture that an item brings.
async fn picture_of(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<RgbImage, NodeError> {
    let name = run.text("binaryPropertyName", index, "data")?;
    let content = run.binaries().read(attached(item, index, &name)?).await?;
    // Unpacking a picture takes a while: other tasks of this thread go on elsewhere.
    blocking(async { Picture::read(&content) })
        .map(|picture| image::DynamicImage::ImageRgba8(picture.canvas).into_rgb8())
}
