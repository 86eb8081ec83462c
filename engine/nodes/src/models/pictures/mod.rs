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

use std::sync::Arc;

use image::RgbImage;
use timeloom_domain::inference::port::{Described, ModelAnswer};
use timeloom_domain::item::Item;
use timeloom_engine::node::{NodeError, NodeRun, blocking};

use crate::edit_image::Picture;
use crate::files::attached;
use crate::models::asking::Asked;
use prepare::{Fit, Place, Preparation};

/// A picture that a model was shown, and what it said.
struct Shown {
    described: Arc<Described>,
    answer: ModelAnswer,
    /// Width and height of the picture.
    dimensions: (u32, u32),
    /// Width and height as the model saw it.
    seen: (u32, u32),
    /// Where the picture lay in what it saw.
    place: Place,
}

/// Shows the picture of an item to the model that the item names.
async fn shown(
    run: &mut NodeRun<'_>,
    asked: &mut Asked,
    item: &Item,
    index: usize,
    fit: Fit,
) -> Result<Shown, NodeError> {
    let (model, described) = asked.described(run, "model", index).await?;
    let picture = picture_of(run, item, index).await?;
    let input = described.inputs.first().ok_or_else(|| NodeError::operation("the model takes nothing"))?;
    let preparation = Preparation::read(run, index, input, fit)?;
    let (tensor, place) = blocking(async { preparation.tensor(&picture) })?;
    let answer = asked.infer(&model, vec![(input.name.clone(), tensor)]).await?;
    let seen = (preparation.width, preparation.height);
    Ok(Shown { described, answer, dimensions: picture.dimensions(), seen, place })
}

/// The picture that an item brings.
async fn picture_of(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<RgbImage, NodeError> {
    let name = run.text("binaryPropertyName", index, "data")?;
    let content = run.binaries().read(attached(item, index, &name)?).await?;
    // Unpacking a picture takes a while: other tasks of this thread go on elsewhere.
    blocking(async { Picture::read(&content) })
        .map(|picture| image::DynamicImage::ImageRgba8(picture.canvas).into_rgb8())
}
