//! Edit Image: makes and changes pictures that are attachments, and tells what they are.
//!
//! A picture is measured before it is unpacked, and every step's result before it is made: see [`canvas`] for the bounds.
//! Of a moving picture the first frame is taken.

mod canvas;
mod colour;
mod compose;
mod draw;
mod geometry;
mod parameters;
mod step;
#[cfg(test)]
mod tests;
mod text;

use serde_json::{Value, json};
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use self::canvas::Format;
pub(crate) use self::canvas::Picture;
use self::parameters::{FIELDS, OPERATIONS, PARAMETERS};
use self::step::Step;
use crate::describe::{ONE_TO_ONE, palette};
use crate::files::{attached, for_each_item, kept};

/// Most steps of one picture.
const STEPS_MAX: usize = 50;

/// Edit Image.
pub(crate) struct EditImage;

impl NodeType for EditImage {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.editImage",
            display_name: "Edit Image",
            description: "Makes pictures, changes them, and tells their size and format.",
            versions: &[1.0],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(
                NodeGroup::HttpAndFiles,
                "image",
                &["picture", "resize", "crop", "rotate", "photo", "watermark"],
            ),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for EditImage {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        for_each_item(run, |run, item, index| Ok(vec![edited(run, item, index)?]))
    }
}

fn edited(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Item, NodeError> {
    let name = run.text("dataPropertyName", index, "data")?;
    let steps = steps(run, index)?;
    let creates = matches!(steps.first(), Some(Step::Create { .. }));
    let mut made = item.clone();
    let (mut picture, file_name) = if creates {
        (None, None)
    } else {
        let attachment = attached(item, index, &name)?;
        (Some(picture_of(run, item, index, &name)?), attachment.file_name.clone())
    };
    let mut informs = false;
    for step in &steps {
        picture = Some(match (step, picture.take()) {
            (Step::Information, Some(picture)) => {
                informs = true;
                about(&picture, &mut made.json);
                picture
            }
            (Step::Composite { other, .. }, Some(picture)) => {
                let other = picture_of(run, item, index, other)?;
                picture.change(|canvas| step.apply(canvas, Some(&other.canvas)))?
            }
            (Step::Create { size, background }, _) => Picture::blank(*size, *background)?,
            (step, Some(picture)) => picture.change(|canvas| step.apply(canvas, None))?,
            (_, None) => return Err(NodeError::operation("there is no picture to change: make one first")),
        });
    }
    let picture = picture.ok_or_else(|| NodeError::operation("there is nothing to do: add an operation"))?;
    if informs && steps.len() == 1 {
        return Ok(made);
    }
    let chosen = run.text("options.format", index, "")?;
    let format = if chosen.is_empty() { picture.format } else { Format::named(&chosen)? };
    let quality = run.number("options.quality", index, 100.0)?.clamp(1.0, 100.0) as u8;
    let bytes = picture.write(format, quality)?;
    let own_name = run.text("options.fileName", index, "")?;
    let file_name = if own_name.is_empty() { renamed(file_name.as_deref(), format) } else { own_name };
    let kept = kept(run, bytes, format.media_type(), file_name)?;
    made.binary.get_or_insert_default().insert(name, kept);
    Ok(made)
}

fn picture_of(run: &NodeRun<'_>, item: &Item, index: usize, name: &str) -> Result<Picture, NodeError> {
    let attachment = attached(item, index, name)?;
    Picture::read(&run.binaries().read_blocking(attachment)?)
}

/// The steps of one item: one, or those of a list.
fn steps(run: &mut NodeRun<'_>, index: usize) -> Result<Vec<Step>, NodeError> {
    let operation = run.text("operation", index, "border")?;
    if operation != "multiStep" {
        let mut parameters = JsonObject::new();
        for definition in FIELDS {
            if let Some(value) = run.parameter(definition.name, index)? {
                parameters.insert(definition.name.to_owned(), value);
            }
        }
        return Ok(vec![Step::read(&operation, &Value::Object(parameters))?]);
    }
    let listed = run.parameter("operations.operations", index)?;
    let listed = listed.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if listed.len() > STEPS_MAX {
        let message = format!("the node has {} steps: at most {STEPS_MAX} are allowed", listed.len());
        return Err(NodeError::operation(message));
    }
    let read = |step: &Value| {
        let operation = step.get("operation").and_then(Value::as_str).unwrap_or_default();
        Step::read(operation, step)
    };
    listed.iter().map(read).collect()
}

/// What is known of a picture.
fn about(picture: &Picture, json: &mut JsonObject) {
    let (width, height) = picture.canvas.dimensions();
    json.insert("format".to_owned(), json!(picture.format.name().to_uppercase()));
    json.insert("size".to_owned(), json!({ "width": width, "height": height }));
    json.insert("Geometry".to_owned(), json!(format!("{width}x{height}")));
}

/// A file's name with the extension of a format.
fn renamed(file_name: Option<&str>, format: Format) -> String {
    let own = file_name.filter(|name| !name.is_empty()).unwrap_or("image");
    let is_own =
        own.rsplit_once('.').is_some_and(|(_, extension)| Format::named(extension).is_ok_and(|own| own == format));
    if is_own {
        return own.to_owned();
    }
    let stem = own.rsplit_once('.').map_or(own, |(stem, _)| stem);
    format!("{stem}.{}", format.name())
}
