//! Object Detection: what is where on a picture.

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::Item;
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType, blocking};

use super::boxes::{Found, Telling, apart};
use super::prepare::{COLOURS, DEVIATION, Fit, HEIGHT, MEAN, Place, RESIZE, SCALE, WIDTH};
use super::{Shown, shown};
use crate::describe::{ONE_TO_ONE, long_text, number, palette, text};
use crate::models::asking::{Asked, Gathered, label, labels_of, short, told, with};

const PARAMETERS: &[ParameterDefinition] = &[
    text("model", "The model: NAME, NAME@VERSION or NAME@ALIAS.").like("resnet@production").naming("model").needed(),
    text("binaryPropertyName", "Name of the attachment with the picture.").called("Input binary field").or_text("data"),
    long_text("labels", "What the model's classes are, one a line, where its file does not tell."),
    number("confidenceMin", "What is less likely is left out.").called("Least confidence").or_number(0.5),
    number("overlapMax", "Of boxes of a class that share more, one stays.").called("Most overlap").or_number(0.5),
    number("objectsMax", "Most objects, 1 to 1,000.").called("Most objects").or_number(100.0),
    WIDTH,
    HEIGHT,
    RESIZE,
    SCALE,
    MEAN,
    DEVIATION,
    COLOURS,
];

/// The Object Detection node.
pub(crate) struct ObjectDetection;

impl NodeType for ObjectDetection {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "timeloom.objectDetection",
            display_name: "Object Detection",
            description: "Finds things on a picture and tells where they are: objects, or the parts of a page.",
            versions: &[1.0],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Ai, "scan", &["picture", "objects", "yolo", "boxes", "layout", "vision"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for ObjectDetection {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let (mut asked, mut gathered) = (Asked::new(run), Gathered::default());
        for index in 0..items.len() {
            let made = detected(run, &mut asked, &items[index], index).await;
            gathered.take(run, index, made)?;
        }
        Ok(NodeOutput::single(gathered.items()))
    }
}

async fn detected(run: &mut NodeRun<'_>, asked: &mut Asked, item: &Item, index: usize) -> Result<Item, NodeError> {
    let least = run.number("confidenceMin", index, 0.5)?.clamp(0.0, 1.0) as f32;
    let overlap = run.number("overlapMax", index, 0.5)?.clamp(0.0, 1.0) as f32;
    let most = run.number("objectsMax", index, 100.0)?.clamp(1.0, 1_000.0) as usize;
    let Shown { described, answer, dimensions, seen, place } = shown(run, asked, item, index, Fit::Stretch).await?;
    let telling = Telling::of(&answer.outputs);
    let found = blocking(async { telling.and_then(|telling| telling.boxes(&answer.outputs, seen, least)) });
    let found = found.ok_or_else(|| {
        NodeError::operation("the outputs of the model are no boxes of a kind that is known here")
            .described("models like PicoDet and YOLO (5 to 7, and from 8 on) are read; take others with the node Model")
    })?;
    let labels = labels_of(run.parameter("labels", index)?.as_ref(), &described);
    let kept = apart(found, overlap, most);
    let objects: Vec<Value> = kept.iter().map(|found| object(found, place, dimensions, &labels)).collect();
    let fields = [("count", json!(objects.len())), ("objects", json!(objects)), ("inference", told(&answer))];
    Ok(with(item, fields))
}

fn object(found: &Found, place: Place, (width, height): (u32, u32), labels: &[String]) -> Value {
    let [left, top, right, bottom] = found.corners;
    let (left, top) = place.back((left, top));
    let (right, bottom) = place.back((right, bottom));
    let within = |value: f32, most: u32| value.round().clamp(0.0, most as f32) as u32;
    let (left, top, right, bottom) =
        (within(left, width), within(top, height), within(right, width), within(bottom, height));
    json!({
        "label": label(labels, found.class),
        "confidence": short(found.score),
        "box": { "x": left, "y": top, "width": right.saturating_sub(left), "height": bottom.saturating_sub(top) },
    })
}
