//! Image Classification: what is on a picture, by the labels of a model.

use async_trait::async_trait;
use serde_json::json;
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::Item;
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};

use super::prepare::{COLOURS, DEVIATION, Fit, HEIGHT, MEAN, RESIZE, SCALE, WIDTH};
use super::{Shown, shown};
use crate::describe::{ONE_TO_ONE, long_text, number, palette, text};
use crate::models::asking::{Asked, Gathered, highest, label, labels_of, probabilities, short, told, with};
use crate::models::tensors::floats;

const PARAMETERS: &[ParameterDefinition] = &[
    text("model", "The model: NAME, NAME@VERSION or NAME@ALIAS.").like("resnet@production").naming("model").needed(),
    text("binaryPropertyName", "Name of the attachment with the picture.").called("Input binary field").or_text("data"),
    long_text("labels", "What the model's classes are, one a line, where its file does not tell."),
    number("top", "How many classes are given, 1 to 100.").or_number(5.0),
    WIDTH,
    HEIGHT,
    RESIZE,
    SCALE,
    MEAN,
    DEVIATION,
    COLOURS,
];

/// The Image Classification node.
pub(crate) struct ImageClassification;

impl NodeType for ImageClassification {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "timeloom.imageClassification",
            display_name: "Image Classification",
            description: "Tells what is on a picture, by the labels of a model.",
            versions: &[1.0],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Ai, "image-plus", &["picture", "label", "recognize", "vision"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for ImageClassification {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let (mut asked, mut gathered) = (Asked::new(run), Gathered::default());
        for index in 0..items.len() {
            let made = classified(run, &mut asked, &items[index], index).await;
            gathered.take(run, index, made)?;
        }
        Ok(NodeOutput::single(gathered.items()))
    }
}

async fn classified(run: &mut NodeRun<'_>, asked: &mut Asked, item: &Item, index: usize) -> Result<Item, NodeError> {
    let Shown { described, answer, .. } = shown(run, asked, item, index, Fit::Cover).await?;
    let scores = answer.outputs.first().and_then(|(_, tensor)| floats(tensor)).filter(|scores| !scores.is_empty());
    let scores = scores.ok_or_else(|| NodeError::operation("the model gave no scores: it is none that classifies"))?;
    let (labels, scores) = (labels_of(run.parameter("labels", index)?.as_ref(), &described), probabilities(&scores));
    let top = run.number("top", index, 5.0)?.clamp(1.0, 100.0) as usize;
    let best = highest(&scores, top);
    let classes =
        best.iter().map(|class| json!({ "label": label(&labels, *class), "confidence": short(scores[*class]) }));
    let classes: Vec<_> = classes.collect();
    let first = best.first().copied().unwrap_or_default();
    Ok(with(
        item,
        [
            ("label", json!(label(&labels, first))),
            ("confidence", short(scores[first])),
            ("classes", json!(classes)),
            ("inference", told(&answer)),
        ],
    ))
}
